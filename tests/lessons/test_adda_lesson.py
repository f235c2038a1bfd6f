"""What the chapter on adversarial discriminative adaptation runs on."""

import pytest
import torch

from tlbook.errors import TlbookError
from tlbook.lessons import adda


def test_an_unknown_profile_is_refused_by_its_name() -> None:
    with pytest.raises(TlbookError, match="profile is 'fast'; expected 'quick' or 'paper'"):
        adda.scanners("fast")


def test_no_digit_is_in_both_domains() -> None:
    lesson = adda.scanners("quick")
    upright = {row.numpy().tobytes() for row in lesson.source.x[::8]}
    assert len(lesson.source) + len(lesson.target) > 2 * len(lesson.source_test)
    straight = adda.scanned(lesson.source_test, zoom=1.0, slant=0.0)
    assert torch.equal(straight.x, lesson.source_test.x)
    assert not upright & {row.numpy().tobytes() for row in lesson.target.x}


def test_a_scanner_leaves_labels_and_slants_images() -> None:
    lesson = adda.scanners("quick")
    assert torch.equal(lesson.target_test.labels(), lesson.source_test.labels())
    assert lesson.target_test.x.dtype == torch.uint8
    assert lesson.target_test.x.float().mean() < lesson.source_test.x.float().mean()  # smaller: less ink


def test_the_encoder_makes_as_many_features_as_it_says() -> None:
    assert adda.encoder()(adda.scanners("quick").source.x[:3]).shape == (3, adda.FEATURES)
