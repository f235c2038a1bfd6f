"""The digits are drawn from fonts that every admitted release of matplotlib brings, or the package itself."""

import os
from pathlib import Path

import matplotlib
import pytest

from tlbook.data import catalogue, checksum, rendered, specimens

# What the wheels of matplotlib 3.9 and 3.10 have of the fonts; 3.11 has cmti10 besides.
IN_EVERY_RELEASE = {
    *(f"DejaVuSans{kind}" for kind in ("", "-Bold", "-BoldOblique", "-Oblique")),
    *(f"DejaVuSansMono{kind}" for kind in ("", "-Bold", "-BoldOblique", "-Oblique")),
    *(f"DejaVuSerif{kind}" for kind in ("", "-Bold", "-BoldItalic", "-Italic")),
    *(f"STIXGeneral{kind}" for kind in ("", "Bol", "BolIta", "Italic")),
    *("cmb10", "cmex10", "cmmi10", "cmr10", "cmss10", "cmsy10", "cmtt10"),
}


@pytest.fixture
def oldest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A matplotlib that carries no more fonts than the oldest that may be installed."""
    fonts = tmp_path / "fonts" / "ttf"
    fonts.mkdir(parents=True)
    for name in IN_EVERY_RELEASE:
        os.symlink(Path(matplotlib.get_data_path(), "fonts", "ttf", f"{name}.ttf"), fonts / f"{name}.ttf")
    monkeypatch.setattr(matplotlib, "get_data_path", lambda: str(tmp_path))


@pytest.mark.usefixtures("oldest")
@pytest.mark.parametrize("split", ["train", "test"])
def test_rendered_digits_are_the_same_with_the_oldest_fonts(split: str) -> None:
    published = catalogue.find("rendered-digits").checksums[split]
    assert checksum(catalogue.load("rendered-digits", split)) == published


def test_specimens_are_the_same_with_the_oldest_fonts(request: pytest.FixtureRequest) -> None:
    here = checksum(specimens.specimens())
    request.getfixturevalue("oldest")
    assert checksum(specimens.specimens()) == here


def test_a_font_of_the_package_brings_its_licence() -> None:
    own = {Path(rendered.font_file(name)).parent for name in rendered.FONTS if name not in IN_EVERY_RELEASE}
    assert own == {Path(rendered.__file__).with_name("fonts")}
    assert all((folder / "LICENSE").exists() for folder in own)
