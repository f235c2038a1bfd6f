"""What is done to the rendered pages, each on a small page of its own."""

from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from tools import pages

HEAD = """<title>Theory — Transfer learning</title>
<meta name="viewport" content="a"/><meta name="viewport" content="b"/>
<script src="../_static/scripts/fontawesome.js?digest=1"></script>
<script>window.MathJax = {}</script><script src="../_static/vendor/mathjax/tex-svg-full.js"></script>"""


def finished(folder: Path, article: str, outside: str = "") -> BeautifulSoup:
    """A page with an article, as it is after ``finish``."""
    (folder / "book").mkdir(exist_ok=True)
    file = folder / "book" / "theory.html"
    foot = '<footer class="bd-footer-content"></footer>'
    html = f"<html><head>{HEAD}</head><body>{outside}<main><article>{article}</article></main>{foot}</body></html>"
    file.write_text(html, encoding="utf-8")
    pages.finish(folder, {"": "made", "book/theory.html": "made in 3 s"})
    return BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")


def scripts(page: BeautifulSoup) -> str:
    return " ".join(str(script) for script in page.find_all("script"))


def test_mathjax_is_loaded_where_there_is_a_formula_and_the_icon_script_nowhere(tmp_path: Path) -> None:
    assert scripts(finished(tmp_path, "<p>words</p>")) == ""
    assert "tex-svg-full.js" in scripts(finished(tmp_path, '<div class="math">x</div>'))


def test_the_files_of_the_icons_are_taken_away(tmp_path: Path) -> None:
    script = tmp_path / "_static/scripts/fontawesome.js"
    font = tmp_path / "_static/vendor/fontawesome/webfonts/fa.woff2"
    for file in (script, font):
        file.parent.mkdir(parents=True)
        file.touch()
    finished(tmp_path, "<p>words</p>")
    assert not script.exists()
    assert not font.exists()


def test_all_pictures_but_the_first_are_lazy(tmp_path: Path) -> None:
    page = finished(tmp_path, '<img src="a.png"/><img src="b.png"/><img src="c.png"/>')
    assert [image.get("loading") for image in page.find_all("img")] == [None, "lazy", "lazy"]


def test_chinese_words_say_so(tmp_path: Path) -> None:
    page = finished(tmp_path, "<p><b>domain</b>, 领域, 域: inputs 监督、半监督</p><pre>域</pre>")
    assert [span.string for span in page.select("[lang=zh]")] == ["领域", "域", "监督、半监督"]
    assert page.p.get_text() == "domain, 领域, 域: inputs 监督、半监督"


@pytest.mark.parametrize(
    ("article", "expected"),
    [
        ("<blockquote><p>Cost. A minute on one core.</p></blockquote><p>What is\n lost? A lot.</p>", "What is lost?"),
        (f"<p>{'word ' * 60}</p>", "word " * 39 + "word …"),
        ("<p>short</p>", "Theory"),
    ],
)
def test_the_first_sentence_describes_the_page(tmp_path: Path, article: str, expected: str) -> None:
    page = finished(tmp_path, article)
    assert page.find("meta", attrs={"name": "description"})["content"] == expected
    assert page.find("meta", property="og:description")["content"] == expected
    assert page.find("meta", property="og:title")["content"] == "Theory"
    assert len(page.find_all("meta", attrs={"name": "viewport"})) == 1


def test_buttons_are_called_what_is_written_on_them(tmp_path: Path) -> None:
    button = '<button class="search-button-field" title="Search" aria-label="Search">Search Ctrl+K</button>'
    icon = '<i class="fa-solid fa-chevron-down"></i>'
    fold = f"<nav><li><a>Reference</a><details><summary>{icon}</summary></details></li></nav>"
    page = finished(tmp_path, "<p>a</p>", button + fold)
    assert page.button.attrs == {"class": ["search-button-field"]}
    assert page.summary["aria-label"] == "Pages below: Reference"
    assert page.i["aria-hidden"] == "true"


def test_a_header_without_a_word_is_no_header(tmp_path: Path) -> None:
    page = finished(tmp_path, "<table><tr><th></th><th>a</th></tr></table>")
    assert [cell.name for cell in page.select("tr > *")] == ["td", "th"]


def test_the_foot_says_what_made_the_page(tmp_path: Path) -> None:
    assert finished(tmp_path, "<p>a</p>").select_one(".made").get_text() == "made in 3 s"
