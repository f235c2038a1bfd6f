"""Views: every image has a draw of its own, and each draw does what torchvision's transform of that kind does."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp
from torch import Tensor, nn
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from tlbook.data.views import Affine, Crop, Light, PerImage
from tlbook.errors import TlbookError

VIEWS = {
    "Crop": Crop(scale=(0.2, 0.9)),
    "Affine": Affine(),
    "Light": Light(),
    "PerImage": PerImage(v2.RandomResizedCrop(12)),
    "row": nn.Sequential(Affine(), Crop(scale=(0.3, 0.8)), Light()),
}
each_view = pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)


def picture(channels: int = 3, size: int = 12) -> Tensor:
    x = torch.randint(0, 256, (1, channels, size, size), generator=torch.Generator().manual_seed(0))
    return x.to(torch.uint8)


@each_view
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_copies_of_one_image_become_sixteen_images(view: nn.Module, channels: int) -> None:
    torch.manual_seed(0)
    x = picture(channels).expand(16, -1, -1, -1)
    assert len(view(x).unique(dim=0)) == 16


@each_view
def test_shape_and_type_stay_and_the_given_images_too(view: nn.Module) -> None:
    x = picture().repeat(4, 1, 1, 1).contiguous(memory_format=torch.channels_last)
    before = x.clone()
    for given in (x, x.float() / 255):
        out = view(given)
        assert (out.shape, out.dtype) == (given.shape, given.dtype)
        assert out.min() >= 0
        assert out.max() <= (255 if given.dtype == torch.uint8 else 1 + 1e-6)
    assert torch.equal(x, before)


@each_view
def test_the_seed_repeats_the_draws_and_the_next_call_has_others(view: nn.Module) -> None:
    x = picture().repeat(4, 1, 1, 1)
    torch.manual_seed(3)
    first, second = view(x), view(x)
    torch.manual_seed(3)
    assert torch.equal(view(x), first)
    assert not torch.equal(second, first)


@each_view
def test_reduced_precision_around_it_changes_nothing(view: nn.Module) -> None:
    x = picture(size=28).repeat(4, 1, 1, 1)
    torch.manual_seed(0)
    plain = view(x)
    torch.manual_seed(0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(view(x), plain)


def test_a_transform_of_torchvision_alone_draws_once_a_batch() -> None:
    torch.manual_seed(0)
    x = picture().repeat(8, 1, 1, 1)
    assert len(v2.RandomResizedCrop(12)(x).unique(dim=0)) == 1
    assert len(PerImage(v2.RandomResizedCrop(12))(x).unique(dim=0)) == 8


# Crop


@pytest.mark.parametrize(("height", "width"), [(28, 28), (20, 41)])
def test_boxes_are_distributed_as_those_of_torchvision(height: int, width: int) -> None:
    torch.manual_seed(0)
    crop, theirs = Crop(), v2.RandomResizedCrop(28)
    n = 4000
    ours = (crop.boxes(n, height, width) * torch.tensor([width, height, width, height])[:, None]).numpy()
    draws = [theirs.make_params([torch.zeros(1, height, width)]) for _ in range(n)]
    other = np.array([[d[name] for d in draws] for name in ("left", "top", "width", "height")])
    for mine, expected in zip(ours, other, strict=True):
        assert np.allclose(mine, np.round(mine), atol=1e-4)
        assert ks_2samp(np.round(mine), expected).pvalue > 1e-3
    areas = [(b[2] * b[3]).mean() for b in (ours, other)]
    assert areas[0] == pytest.approx(areas[1], rel=0.03)


def test_a_crop_is_the_box_stretched_as_torchvision_does_it() -> None:
    torch.manual_seed(1)
    x = torch.rand(1, 2, 24, 30).repeat(10, 1, 1, 1)
    crop = Crop(scale=(0.1, 0.5))
    state = torch.get_rng_state()
    boxes = (crop.boxes(10, 24, 30) * torch.tensor([30, 24, 30, 24])[:, None]).round().int().T.tolist()
    torch.set_rng_state(state)
    out = crop(x)
    for image, got, (left, top, width, height) in zip(x, out, boxes, strict=True):
        assert 0 <= left <= 30 - width
        assert 0 <= top <= 24 - height
        expected = F.resized_crop(image, top, left, height, width, [24, 30], antialias=False)
        rim_y, rim_x = math.ceil(12 / height), math.ceil(15 / width)  # at the rim they repeat, we see what lies beyond
        inner = (slice(None), slice(rim_y, 24 - rim_y), slice(rim_x, 30 - rim_x))
        torch.testing.assert_close(got[inner], expected[inner], atol=1e-4, rtol=0)


def test_where_no_box_fits_the_whole_image_is_taken() -> None:
    x = picture(size=8).repeat(3, 1, 1, 1)
    assert torch.equal(Crop(scale=(1.0, 1.0), ratio=(3.0, 3.0))(x), x)


def test_boxes_are_from_one_pixel_to_the_whole_image() -> None:
    torch.manual_seed(0)
    for pixels in (1, 2, 6):
        crop = Crop(scale=(pixels**2 / 36, pixels**2 / 36), ratio=(1.0, 1.0))
        left, top, width, height = 6 * crop.boxes(500, 6, 6)
        torch.testing.assert_close(width, torch.full((500,), float(pixels)))
        torch.testing.assert_close(height, width)
        for corner in (left, top):  # every place that there is, and no other
            torch.testing.assert_close(corner.round().unique(), torch.arange(7.0 - pixels))
    tall = 6 * Crop(scale=(6 / 36, 6 / 36), ratio=(1 / 6, 1 / 6)).boxes(9, 6, 6)
    assert tall[2:].round().unique(dim=1).flatten().tolist() == [1, 6]


def test_the_settings_are_told() -> None:
    assert repr(Crop(scale=(0.2, 0.5))) == f"Crop(scale=(0.2, 0.5), ratio={(3 / 4, 4 / 3)})"
    assert repr(Affine(1, 2, 0.5)) == "Affine(degrees=1, pixels=2, scale=0.5)"
    assert repr(Light(0.25, 0.5)) == "Light(brightness=0.25, contrast=0.5)"


# Affine and Light


def test_a_turn_stays_within_its_limits() -> None:
    x = torch.zeros(200, 1, 29, 29)
    x[:, :, 14, 14] = 1.0
    moved = Affine(degrees=0, pixels=3, scale=0)(x)
    axis = torch.arange(29.0) - 14
    down, across = ((moved.sum(dim=d).squeeze(1) * axis).sum(dim=1) for d in (3, 2))
    for shift in (down, across):
        assert 2.5 < shift.abs().max() <= 3 + 1e-4
        assert shift.std() == pytest.approx(3 / math.sqrt(3), rel=0.15)


def test_light_is_brightness_then_contrast_as_torchvision_does_them() -> None:
    torch.manual_seed(0)
    x, light = torch.rand(6, 1, 5, 5), Light(0.6, 0.3)
    state = torch.get_rng_state()
    factors = torch.rand(2, 6, 1, 1, 1).flatten(1) * 2 - 1
    torch.set_rng_state(state)
    for image, got, (b, c) in zip(x, light(x), factors.T.tolist(), strict=True):
        expected = F.adjust_contrast(F.adjust_brightness(image, 1 + 0.6 * b), 1 + 0.3 * c)
        torch.testing.assert_close(got, expected)


# what they refuse


@each_view
def test_a_single_image_is_refused(view: nn.Module) -> None:
    with pytest.raises(TlbookError, match=r"^x has shape \(3, 12, 12\); expected a batch of images N×C×H×W$"):
        view(picture()[0])


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: Crop(scale=(0.0, 1.0)), r"scale\[0\] is 0\.0; expected a number, above 0"),
        (lambda: Crop(scale=(0.5, 0.2)), r"scale\[1\] is 0\.2; expected a number, at least 0\.5 and at most 1"),
        (lambda: Crop(scale=(0.5, 1.2)), r"scale\[1\] is 1\.2"),
        (lambda: Crop(ratio=(0.0, 1.0)), r"ratio\[0\] is 0\.0"),
        (lambda: Crop(ratio=(1.0, math.inf)), r"ratio\[1\] is inf"),
        (lambda: Crop(scale=0.5), r"scale is 0\.5; expected the least and the largest"),
        (lambda: Crop(ratio="34"), r"ratio is '34'; expected the least and the largest"),
        (lambda: Affine(degrees=-1), r"degrees is -1"),
        (lambda: Affine(degrees="a"), r"degrees is 'a'"),
        (lambda: Affine(scale=1.0), r"scale is 1\.0; expected a number, at least 0 and below 1"),
        (lambda: Affine(pixels=math.nan), r"pixels is nan"),
        (lambda: Light(brightness=1.5), r"brightness is 1\.5"),
        (lambda: Light(contrast=math.nan), r"contrast is nan"),
        (lambda: Light(contrast=None), r"contrast is None"),
    ],
)
def test_settings_out_of_range_are_refused_in_one_line(make: object, line: str) -> None:
    with pytest.raises(TlbookError, match=rf"^{line}[^\n]*$"):
        make()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("transform", "says"),
    [
        (lambda image: image[:, : 1 + int(image.sum()) % 5], r"gives images of \d shapes; expected one"),
        (lambda image: image.numpy(), r"gives ndarray; expected a tensor C×H×W"),
    ],
)
def test_a_transform_that_gives_no_images_is_refused(transform: object, says: str) -> None:
    x = torch.arange(8 * 48, dtype=torch.uint8).view(8, 3, 4, 4)
    with pytest.raises(TlbookError, match=rf"^the transform {says}[^\n]*$"):
        PerImage(transform)(x)  # type: ignore[arg-type]


def test_turns_of_images_that_are_not_square_are_refused() -> None:
    with pytest.raises(TlbookError, match="expected square images"):
        Affine()(torch.zeros(2, 1, 8, 12))
