"""The specimens are digits that can be told apart, the same every time."""

import torch

from tlbook.data.specimens import specimens


def test_every_font_shows_every_digit_whole() -> None:
    page = specimens()
    assert page.x.shape == (220, 1, 28, 28)
    assert page.y.bincount().tolist() == [22] * 10
    assert torch.equal(page.x, specimens().x)
    edge = torch.cat([page.x[..., 0, :], page.x[..., -1, :], page.x[..., :, 0], page.x[..., :, -1]])
    assert edge.max() == 0
    assert page.x.amax(dim=(1, 2, 3)).min() > 128
    flat = page.x.flatten(1).float()
    same = torch.stack([flat[page.y == c].mean(0) for c in range(10)])
    assert torch.pdist(same).min() > 300
