"""One rule for images: uint8 0…255 or floats 0…1, in every place that reads or makes them."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tlbook.data import Domain, jitter
from tlbook.data.blend import blend
from tlbook.data.views import Affine, Crop, Light, PerImage
from tlbook.errors import TlbookError

CLASSES = ("cat", "dog")


def domain(x: Tensor) -> Domain:
    return Domain("x", x, None, CLASSES)


def view(module: nn.Module) -> Callable[[Tensor], Tensor]:
    def see(x: Tensor) -> Tensor:
        torch.manual_seed(0)
        return module(x)

    return see


PLACES: dict[str, Callable[[Tensor], Tensor]] = {
    "images: as they are": lambda x: domain(x).images().x,
    "images: size": lambda x: domain(x).images(size=9).x,
    "images: larger": lambda x: domain(x).images(size=31).x,
    "images: grey": lambda x: domain(x).images(channels=1).x,
    "images: colours": lambda x: domain(x[:, :1]).images(channels=3).x,
    "jitter": lambda x: jitter(domain(x), times=3, seed=0).x,
    "Affine": view(Affine()),
    "Crop": view(Crop()),
    "Light": view(Light()),
    "PerImage": view(PerImage(lambda image: image.flip(2))),
    "a row of views": view(nn.Sequential(Affine(), Crop(), Light())),
}
each_place = pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)


def photographs(extremes: bool = False) -> Tensor:
    x = torch.randint(256, (40, 3, 14, 14), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    return torch.where(x > 127, 255, 0).to(torch.uint8) if extremes else x


@each_place
def test_bytes_and_floats_give_the_same_up_to_rounding(place: Callable[[Tensor], Tensor]) -> None:
    whole = place(photographs())
    parts = place(photographs().double().div(255).float())
    assert whole.dtype == torch.uint8
    assert parts.dtype == torch.float32
    steps = 3 if place is PLACES["a row of views"] else 0.51
    assert (parts * 255 - whole).abs().max() <= steps


@each_place
def test_what_comes_out_keeps_the_rule(place: Callable[[Tensor], Tensor]) -> None:
    for dtype in (torch.float32, torch.float64):
        out = place(photographs(extremes=True).to(dtype) / 255)
        assert out.dtype == dtype
        assert out.min() >= 0
        assert out.max() <= 1


BROKEN = {
    "above": (lambda x: x.float(), r"has floats from 0 to 255; expected images in 0…1, or uint8 in 0…255"),
    "below": (lambda x: x.float() / 255 - 0.5, r"has floats from -0\.5 to 0\.5; expected images in 0…1"),
    "a little": (lambda x: x.double() / 255 + 1e-6, r"has floats from 1e-06 to 1; expected images in 0…1"),
    "nan": (lambda x: x.float() / 255 / (x > 0), r"has floats from nan to nan; expected images in 0…1"),
    "infinity": (lambda x: 1 / (x.float() / 255), r"has floats from 1 to inf; expected images in 0…1"),
}


@each_place
@pytest.mark.parametrize(("change", "says"), BROKEN.values(), ids=BROKEN)
def test_floats_outside_are_refused_in_one_line(place, change, says: str) -> None:
    with pytest.raises(TlbookError, match=rf"^x {says}[^\n]*$"):
        place(change(photographs()))


@each_place
def test_other_forms_are_refused_in_one_line(place) -> None:
    with pytest.raises(TlbookError, match=r"^x has type torch\.int64; expected images as uint8 0…255 or floats[^\n]*$"):
        place(photographs().long())
    with pytest.raises(TlbookError, match=r"^x has shape \(40, [0-9, ]+\); expected a batch of images N×C×H×W$"):
        place(photographs().flatten(2))


GREY, PHOTO = torch.zeros(2, 1, 4, 4, dtype=torch.uint8), np.zeros((9, 9, 3), np.uint8)


@pytest.mark.parametrize(
    ("digits", "photos", "says"),
    [
        (GREY.float(), [PHOTO], r"digits are \(2, 1, 4, 4\) torch\.float32; expected grey images N×1×H×W uint8"),
        (GREY.expand(2, 3, 4, 4), [PHOTO], r"digits are \(2, 3, 4, 4\)"),
        (GREY, [PHOTO, PHOTO / 255], r"a photograph is \(9, 9, 3\) float64; expected rows×columns×3 uint8"),
        (GREY, [PHOTO[:, :, 0]], r"a photograph is \(9, 9\) uint8"),
        (GREY, [PHOTO[:, :3]], r"a photograph is [^\n]*at least 4×4"),
        (GREY, [PHOTO[:3]], r"a photograph is [^\n]*at least 4×4"),
        (GREY, [], r"no photographs given; expected at least one"),
    ],
)
def test_blend_takes_bytes_alone(digits: Tensor, photos: list[np.ndarray], says: str) -> None:
    with pytest.raises(TlbookError, match=rf"^{says}[^\n]*$"):
        blend(digits, photos, seed=0)
