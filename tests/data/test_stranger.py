"""A stranger with two folders of photographs and torchvision's ResNet-18, and nothing of the repository."""

import os
import subprocess
import sys
from pathlib import Path

from PIL import Image

from tlbook import load

ADAPT = """
import torch
from tlbook import Domain, evaluate, fit, nets
from tlbook.methods import DANN
from torchvision.models import resnet18

source = Domain.from_folder("studio", size=32)
target = Domain.from_folder("street", size=32, classes=source.classes)
backbone = resnet18(weights=None)
backbone.fc = torch.nn.Identity()
features = torch.nn.Sequential(nets.Pixels(), nets.DomainBatchNorm.convert(backbone))
method = DANN(features, nets.mlp(512, len(source.classes)), nets.mlp(512, 256, 1))
fit(method, source, target.unlabelled(), steps=10, batch_size=16, seed=0)
print(source, target, evaluate.accuracy(method, target), sep="\\n")
"""


def write_photos(folder: Path, name: str) -> None:
    """A hundred digits as JPEG files of different sizes, ten a class."""
    domain = load(name, "test").per_class(10, seed=0)
    for number, (image, label) in enumerate(zip(domain.x, domain.labels().tolist(), strict=True)):
        place = folder / domain.classes[label]
        place.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(image.permute(1, 2, 0).numpy()).resize((40 + number % 7, 36 + number % 5))
        picture.save(place / f"{number}.jpg")


def test_a_resnet_adapts_to_a_folder_of_photographs_in_15_lines(site: Path, tmp_path: Path) -> None:
    write_photos(tmp_path / "studio", "rendered-digits")
    write_photos(tmp_path / "street", "digits-m")
    (tmp_path / "adapt.py").write_text(ADAPT)
    assert len([line for line in ADAPT.splitlines() if line.strip()]) <= 15
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TLBOOK")} | {"PYTHONPATH": str(site)}
    run = subprocess.run(
        [sys.executable, "adapt.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    *domains, accuracy = run.stdout.splitlines()
    assert domains == [
        "Domain('studio': 100 examples of 3×32×32 uint8, 10 classes: 0, …, 9)",
        "Domain('street': 100 examples of 3×32×32 uint8, 10 classes: 0, …, 9)",
    ]
    assert 0 <= float(accuracy) <= 1
    where = subprocess.run(
        [sys.executable, "-c", "import tlbook; print(tlbook.__file__)"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert where.stdout.strip() == str(site / "tlbook" / "__init__.py")
