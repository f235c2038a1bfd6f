"""torchvision imports whichever torch it was built for, and its operators are declared only where they must be."""

import shutil
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest
import torch

from tlbook import _torchvision

# A torchvision that needs its operators at import, as the real one does.
FAKE = """
import torch
torch.library.register_fake("torchvision::nms")(lambda dets, scores, iou_threshold: dets.new_empty(0))
torch.library.register_fake("torchvision::qnms")(lambda dets, scores, iou_threshold: dets.new_empty(0))
"""
# The module by itself: importing the whole package takes longer than the rest of the test.
SHIM = f"import runpy, torch; declare = runpy.run_path({_torchvision.__file__!r})['declare_missing_operators']; "


def python(code: str, *path: Path) -> str:
    """Run code in a fresh interpreter, with folders put before the installed packages; return what it prints."""
    code = f"import sys; sys.path[:0] = {[str(p) for p in path]!r}; {code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    """The folder of a fake torchvision without an extension."""
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text(FAKE)
    return package


def test_import_fails_without_the_declaration(fake):
    with pytest.raises(AssertionError, match="torchvision::nms"):
        python("import torchvision", fake.parent)


def test_operators_are_declared_where_the_extension_cannot_load(fake):
    (fake / f"_C{EXTENSION_SUFFIXES[-1]}").write_bytes(b"built for something else")
    code = SHIM + "print(declare()); import torchvision; print(torch.ops.torchvision.qnms.default._schema, declare())"
    expected = "torchvision::qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
    assert python(code, fake.parent) == f"True\n{expected} True"


def test_operators_are_declared_where_there_is_no_extension(fake):
    assert python(SHIM + "print(declare()); import torchvision", fake.parent) == "True"


def test_nothing_is_declared_where_the_extension_loads(fake):
    """Any library that loads stands for a fitting extension; whatever it lacks is not made up for."""
    shutil.copy(torch._C.__file__, fake / f"_C{EXTENSION_SUFFIXES[-1]}")
    assert python(SHIM + "print(declare(), hasattr(torch.ops.torchvision, 'nms'))", fake.parent) == "False False"


def test_nothing_is_declared_where_the_operators_are_there(fake):
    declared = "torch.library.define('torchvision::nms', '(Tensor boxes) -> Tensor'); "
    code = SHIM + declared + "print(declare(), torch.ops.torchvision.nms.default._schema)"
    assert python(code, fake.parent) == "False torchvision::nms(Tensor boxes) -> Tensor"


def test_the_installed_torchvision_imports_and_transforms():
    code = SHIM + (
        "declared = declare(); from torchvision import datasets, models, transforms; from torchvision.ops import nms; "
        "from torchvision.extension import _has_ops; assert declared != _has_ops(); "
        "boxes = torch.tensor([[0., 0., 1., 1.]]); assert declared or nms(boxes, torch.ones(1), 0.5).tolist() == [0]; "
        "print(len(datasets.MNIST.resources), models.resnet18()(torch.zeros(2, 3, 32, 32)).shape[1], "
        "transforms.Resize(4)(torch.zeros(3, 8, 8)).shape[1])"
    )
    assert python(code) == "4 1000 4"
