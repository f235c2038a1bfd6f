"""Signs drawn by hand here have the holes, bays, ends and strokes that one sees in them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from tlbook.errors import TlbookError
from tlbook.methods.zero_shot.strokes import MEASURES, frame, measure, signatures, skeleton

SIGNS = {
    "O": [".####.", "#....#", "#....#", "#....#", "#....#", ".####."],
    "8": ["######", "#....#", "######", "#....#", "#....#", "######"],
    "P": ["######", "#....#", "######", "#.....", "#.....", "#....."],
    "C": ["######", "#.....", "#.....", "#.....", "#.....", "######"],
    "U": ["#....#", "#....#", "#....#", "#....#", "#....#", "######"],
    "T": ["######", "..##..", "..##..", "..##..", "..##..", "..##.."],
    "|": ["##", "##", "##", "##", "##", "##", "##", "##", "##", "##", "##", "##"],
    "—": ["############", "############"],
    "/": ["....##", "...##.", "..##..", ".##...", "##....", "#....."],
    "\\": ["##....", ".##...", "..##..", "...##.", "....##", ".....#"],
}


def draw(sign: str, scale: int = 4) -> torch.Tensor:
    ink = np.array([[mark == "#" for mark in row] for row in SIGNS[sign]], np.uint8)
    page = np.zeros((60, 60), np.uint8)
    large = np.kron(ink, np.full((scale, scale), 255, np.uint8))
    page[3 : 3 + large.shape[0], 5 : 5 + large.shape[1]] = large
    return torch.from_numpy(page)[None, None]


def measured(sign: str) -> dict[str, float]:
    return dict(zip(MEASURES, measure(draw(sign))[0].tolist(), strict=True))


@pytest.mark.parametrize(("sign", "holes"), [("O", 1), ("8", 2), ("P", 1), ("C", 0), ("T", 0), ("|", 0), ("/", 0)])
def test_holes_are_counted_and_placed(sign: str, holes: int) -> None:
    found = measured(sign)
    assert found["holes"] == holes
    assert (found["hollow at the top"] > 0.03) == (sign in "O8P")
    assert (found["hollow at the bottom"] > 0.03) == (sign in "O8")


def test_bays_open_to_the_side_that_has_no_ink() -> None:
    opens = {
        sign: {name.split(",")[0] for name, value in measured(sign).items() if name.startswith("bay") and value > 0.03}
        for sign in "CUPO"
    }
    assert opens == {"C": {"bay to the right"}, "U": {"bay to the top"}, "P": set(), "O": set()}


def test_ends_of_strokes_are_counted_by_quarter() -> None:
    def ends(sign: str) -> list[float]:
        return [value for name, value in measured(sign).items() if name.startswith("ends")]

    assert ends("C") == [0, 1, 0, 1]
    assert ends("U") == [1, 1, 0, 0]
    assert sum(ends("O")) == sum(ends("8")) == 0
    assert sum(ends("T")) == 3


def test_the_width_is_the_share_of_columns_with_ink() -> None:
    for sign, width in (("—", 1.0), ("O", 1.0), ("|", 1 / 6)):
        assert measured(sign)["width"] == pytest.approx(width, abs=0.06)


@pytest.mark.parametrize("sign", ["—", "|", "/", "\\"])
def test_a_straight_stroke_runs_in_its_direction(sign: str) -> None:
    found = measured(sign)
    shares = {d: sum(v for name, v in found.items() if name.startswith(f"{d} at")) for d in "—|/\\"}
    assert max(shares, key=lambda d: shares[d]) == sign
    assert sum(shares.values()) == pytest.approx(1, abs=0.25)  # the rest lies on the frame's edge


def test_size_place_brightness_and_type_do_not_matter() -> None:
    plain = measure(draw("P"))
    small = draw("P", scale=2)
    np.testing.assert_allclose(measure(torch.roll(draw("P"), (20, 9), (2, 3))), plain)
    np.testing.assert_allclose(measure(draw("P").double() / 900), plain, atol=1e-6)
    np.testing.assert_allclose(measure(draw("P").repeat(1, 3, 1, 1)), plain, atol=1e-6)
    assert measure(small)[0, :3] == pytest.approx(plain[0, :3], abs=0.05)


def test_each_image_is_measured_by_itself() -> None:
    together = torch.cat([draw(sign) for sign in SIGNS])
    for place, sign in enumerate(SIGNS):
        np.testing.assert_allclose(measure(together)[place], measure(draw(sign))[0])
    assert measure(together).shape == (len(SIGNS), len(MEASURES)) == (len(SIGNS), 28)


def test_a_speck_is_not_a_hole() -> None:
    block = torch.zeros(1, 1, 28, 28)
    block[..., 4:24, 4:24] = 1
    block[..., 10, 10] = 0
    assert measure(block)[0, 0] == 0


def test_a_skeleton_is_thin_and_keeps_pieces_and_holes() -> None:
    ink = np.concatenate([np.pad(frame(draw(sign)) > 0.5, ((0, 0), (2, 2), (2, 2))) for sign in ("O", "8", "P", "T")])
    thin = skeleton(ink)
    assert not (thin & ~ink).any()
    for before, after in zip(ink, thin, strict=True):
        pieces = [ndimage.label(m, np.ones((3, 3)))[1] for m in (before, after)]
        grounds = [ndimage.label(~m)[1] for m in (before, after)]
        assert pieces[0] == pieces[1] == 1
        assert grounds[0] == grounds[1]
        blocks = np.lib.stride_tricks.sliding_window_view(after, (3, 3)).all(axis=(2, 3))
        assert not blocks.any()
    assert np.array_equal(skeleton(thin), thin)


@pytest.mark.parametrize(
    "images", [torch.zeros(2, 1, 28, 28), torch.full((1, 1, 9, 9), float("nan")), torch.ones(28, 28)]
)
def test_images_without_a_sign_are_refused(images: torch.Tensor) -> None:
    with pytest.raises(TlbookError, match=r"^[^\n]*expected [^\n]*$"):
        measure(images)


def test_signatures_are_standardised_over_the_seen_classes_each_kind_by_itself() -> None:
    rng = np.random.default_rng(0)
    y, printed = np.repeat([1, 4, 6], 5), np.tile([1, 4, 6, 2, 9], 3)
    x, specimens = rng.normal(size=(15, 4)), rng.normal(size=(15, 4))
    x[:, 2] = 7.0  # the same in all handwriting
    seen, others, kept = signatures(x, y, specimens, printed, [9, 2])
    assert kept.tolist() == [True, True, False, True]
    means = np.stack([x[y == c].mean(axis=0) for c in (1, 4, 6)])[:, [0, 1, 3]]
    prints = {c: specimens[printed == c].mean(axis=0)[[0, 1, 3]] for c in (1, 4, 6, 2, 9)}
    centre = np.mean([prints[c] for c in (1, 4, 6)], axis=0)
    spread = np.std([prints[c] for c in (1, 4, 6)], axis=0)
    np.testing.assert_allclose(seen, (means - means.mean(axis=0)) / means.std(axis=0))
    np.testing.assert_allclose(others, np.clip([(prints[c] - centre) / spread for c in (9, 2)], -3, 3))
    # what print and handwriting differ by as a whole has no say
    again = signatures(x, y, 5 * specimens - 3, printed, [9, 2])
    np.testing.assert_allclose(again.others, others)
    # pictures are centred only
    grey = signatures(x, y, specimens, printed, [9, 2], scale=False)
    np.testing.assert_allclose(grey.seen, means - means.mean(axis=0))
    np.testing.assert_allclose(grey.others, np.subtract([prints[9], prints[2]], centre))


def test_a_class_cannot_be_seen_and_held_out_and_needs_a_specimen() -> None:
    x, y = np.random.default_rng(0).normal(size=(6, 2)), [0, 0, 1, 1, 2, 2]
    for others in ([2], [], [7]):
        with pytest.raises(TlbookError, match=r"^classes \[0, 1, 2\] have examples, [^\n]*expected at least[^\n]*$"):
            signatures(x, y, x, [0, 1, 2, 3, 3, 3], others)
    with pytest.raises(TlbookError, match=r"^none of 2 measures varies[^\n]*$"):
        signatures(0 * x, y, x, [0, 1, 2, 3, 3, 3], [3])
