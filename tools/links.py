"""Links from the chapters' prose to equations, references, glossary and the package's reference.

The chapters stay portable Markdown without a link that only Sphinx knows; these are added to the copies that it reads.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import nbformat
import yaml

from tlbook.errors import TlbookError
from tools import names

# What no link is put into: fenced code, formulas, code, links, headings, the line that opens a fold.
KEPT = re.compile(
    r"^(?P<fence>`{3,}|~{3,}).*?^(?P=fence)`*[ ]*$"
    r"|\$\$.*?\$\$|\$[^$\n]+\$|(?P<tick>`+).+?(?P=tick)|!?\[[^\]]*\]\([^)]*\)|^\#{1,6}[ ].*?$"
    r"|<summary>.*?</summary>",
    re.MULTILINE | re.DOTALL,
)
FORMULA = re.compile(r"^(?P<margin>[ >]*)\$\$.*?\\tag\{(?P<number>[^}]+)\}.*?\$\$", re.MULTILINE | re.DOTALL)
MENTION = re.compile(r"\b(?P<word>equations?|eqs?\.)\s+\d+(?:(?:,\s*|\s+(?:and|or|to)\s+)\d+)*", re.IGNORECASE)
OF_A_PAPER = re.compile(r"((19|20)\d\d\)?[,:]?|paper's|their|its)\s+$")
NAME = r"[A-ZÀ-Ž][\w’'-]*\w"
CITATION = re.compile(
    rf"(?P<names>{NAME}(?:,\s+{NAME})*(?:,?\s+and\s+{NAME})?)(?P<others>\s+(?:et\s+al\.|and\s+(?:others|co-authors)))?"
    r"(?:,?\s+(?:[A-Z][A-Za-z]+\s+)?(?:\((?P<in_brackets>(?:19|20)\d\d)\)|(?P<year>(?:19|20)\d\d)\b))?"
)
ENTRY = re.compile(
    r"^- (?P<authors>[^*\n][^*]*?),\s+\*(?P<title>[^*]+)\*(?P<rest>.*?)(?=\n- |\n#|\Z)", re.MULTILINE | re.DOTALL
)
READING = re.compile(r"^- [A-Z]\.[^*]*?(?P<title>\*[^*]+\*)", re.MULTILINE)
TERM = re.compile(r"^- \*\*(?P<terms>[^*]+)\*\*", re.MULTILINE)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<to>[^)\s#]+)(?:#[^)]*)?\)")


class BadLink(TlbookError):
    """A link that leads nowhere, or to more than one place; one line says in which chapter and cell."""


@dataclass(frozen=True)
class Reference:
    """An entry of the page of references."""

    label: str
    surnames: tuple[str, ...]
    year: str
    title: str


@dataclass(frozen=True)
class Term:
    """A term of the glossary, and the chapters in which it has a link: None for all."""

    label: str
    pattern: re.Pattern[str]
    chapters: frozenset[str] | None


class Book:
    """What there is to link to, read once; ``link`` then treats one page after the other."""

    def __init__(self, root: Path) -> None:
        self.pages = {file.name for file in (root / "book").iterdir()}
        self.names = names.documented(root)
        self.references = references(_read(root / "book" / "references.md"))
        toc = _read(root / "_toc.yml")
        self.terms = terms(_read(root / "book" / "glossary.md"), toc)

    def link(self, notebook: nbformat.NotebookNode, chapter: str) -> None:
        """Put the links into a chapter's Markdown.

        Raises:
            BadLink: for a dead link, an equation that is not there or twice, a citation without an entry.
        """
        cells = [(number, cell) for number, cell in enumerate(notebook.cells, 1) if cell.cell_type == "markdown"]
        code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
        text = "\n\n".join(cell.source for _, cell in cells)
        equations = Counter(match["number"] for match in FORMULA.finditer(text))
        for number, count in equations.items():
            if count > 1:
                raise BadLink(f"chapter {chapter!r}: {count} formulas have the number {number}: give each its own")
        read = [reference for title in READING.finditer(text) if (reference := self._titled(title["title"]))]
        waiting = {term for term in self.terms if term.chapters is None or chapter in term.chapters}
        for number, cell in cells:
            where = f"chapter {chapter!r}, cell {number}"
            self._check_links(cell.source, where)
            source = _outside(
                cell.source, MENTION, partial(_equation, equations=equations, chapter=chapter, where=where)
            )
            source = READING.sub(partial(self._reading, where=where), source)
            source = _outside(source, CITATION, partial(self._citation, read=read, where=where))
            source = self._code(source, code)
            source = _first_uses(source, waiting)
            cell.source = FORMULA.sub(partial(_anchored, chapter=chapter), source)

    def _check_links(self, source: str, where: str) -> None:
        for match in LINK.finditer(re.sub(r"`[^`\n]+`", "", source)):
            if "://" not in match["to"] and match["to"] not in self.pages:
                raise BadLink(f"{where}: no page {match['to']!r} in book/ for the link {match.group()!r}: mend it")

    def _titled(self, title: str) -> Reference | None:
        short = _slug(title)
        return next((r for r in self.references if _slug(r.title).startswith(short)), None)

    def _reading(self, match: re.Match[str], where: str) -> str:
        found = self._titled(match["title"])
        if not found:
            raise BadLink(f"{where}: no entry in book/references.md has the title {match['title']}: add it there")
        return match.group().replace(match["title"], f"[{match['title']}](#{found.label})")

    def _citation(self, match: re.Match[str], read: list[Reference], where: str) -> str:
        year = match["year"] or match["in_brackets"]
        surnames = tuple(re.split(r",?\s+and\s+|,\s+", match["names"]))
        known = {reference.surnames[0] for reference in self.references}
        skipped = next((i for i, name in enumerate(surnames) if name in known), None)
        if not (match["others"] or (year and len(surnames) > 1) or (year and skipped is not None)):
            return match.group()
        whole = re.sub(r"\s+", " ", match.group())
        if skipped is None:
            if match["others"]:
                raise BadLink(f"{where}: nobody in book/references.md for {whole!r}: add the entry there")
            return match.group()
        cited = surnames[skipped:]
        found = [r for r in self.references if r.surnames[0] == cited[0] and year in (None, r.year)]
        if len(cited) > 1 and not match["others"]:
            found = [r for r in found if r.surnames == cited]
        found = [r for r in read if r in found] or found
        if not found:
            raise BadLink(f"{where}: no entry in book/references.md for {whole!r}: add it there")
        if not year and len(found) > 1:
            raise BadLink(f"{where}: {whole!r} may be {', '.join(r.year for r in found)}: name the year")
        start = match.group().index(cited[0])
        return f"{match.group()[:start]}[{match.group()[start:]}](#{found[0].label})"

    def _code(self, source: str, code: str) -> str:
        bound, own = names.bindings(code), names.assigned(code)

        def link(match: re.Match[str]) -> str:
            if not match["tick"] or not (name := self._named(match.group().strip("`"), bound, own)):
                return match.group()
            return f"{{py:obj}}`{match.group().strip('`')} <{name}>`"

        return KEPT.sub(link, source)

    def _named(self, written: str, bound: dict[str, str], own: set[str]) -> str | None:
        """The documented name that inline code means: by the chapter's imports, else the only one that ends so."""
        if not re.fullmatch(r"[A-Za-z_][\w.]*\w(\(\))?", written) or written.endswith(".py"):
            return None
        written = written.removesuffix("()")
        first, *rest = written.split(".")
        if first in bound:
            return self._longest([bound[first], *rest])
        if first == "tlbook":
            return self._longest(written.split("."))
        if first in own or not re.search(r"[A-Z_.]", written):
            return None
        ends = {home for name, home in self.names.items() if name.endswith(f".{written}")}
        return ends.pop() if len(ends) == 1 else None

    def _longest(self, parts: list[str]) -> str | None:
        """The documented name that a dotted one begins with, with the members that follow."""
        parts = ".".join(parts).split(".")
        for count in range(len(parts), 1, -1):
            if (home := self.names.get(".".join(parts[:count]))) is not None:
                return ".".join([home, *parts[count:]])
        return None


def _outside(source: str, pattern: re.Pattern[str], change: Callable[[re.Match[str]], str]) -> str:
    """Change what matches in running prose, and leave code, formulas, links and headings as they are."""
    kept = [match.span() for match in KEPT.finditer(source)]

    def change_outside(match: re.Match[str]) -> str:
        touched = any(start < match.end() and match.start() < end for start, end in kept)
        return match.group() if touched else change(match)

    return pattern.sub(change_outside, source)


def _equation(match: re.Match[str], equations: Counter[str], chapter: str, where: str) -> str:
    before = match.string[: match.start()]
    if OF_A_PAPER.search(before):
        return match.group()
    numbers = re.findall(r"\d+", match.group())
    for number in numbers:
        if number not in equations:
            there = ", ".join(equations) or "none"
            raise BadLink(f"{where}: {match.group()!r} is not on this page, expected one of {there}: mend the number")
    if len(numbers) == 1:
        return f"[{match.group()}](#eq-{chapter}-{numbers[0]})"
    return re.sub(r"\d+", lambda number: f"[{number.group()}](#eq-{chapter}-{number.group()})", match.group())


def _anchored(match: re.Match[str], chapter: str) -> str:
    margin = match["margin"]
    return f"{margin}(eq-{chapter}-{match['number']})=\n{match.group()}"


def _first_uses(source: str, waiting: set[Term]) -> str:
    """Link the first use of each term that still waits for one, longer terms before shorter ones."""
    for term in sorted(waiting, key=lambda term: (-len(term.pattern.pattern), term.label)):
        kept = [match.span() for match in KEPT.finditer(source)]
        for match in term.pattern.finditer(source) if term in waiting else ():
            if not any(start < match.end() and match.start() < end for start, end in kept):
                link = f"[{match.group()}](#{term.label})"
                source = source[: match.start()] + link + source[match.end() :]
                waiting -= {other for other in waiting if other.label == term.label}
                break
    return source


def references(page: str) -> list[Reference]:
    """The entries of the page of references, in its order.

    >>> references("- A. Ng and J. van der Maaten, *On t-SNE*, JMLR 9, 2008.")[0]
    Reference(label='ref-ng-2008', surnames=('Ng', 'van der Maaten'), year='2008', title='On t-SNE')
    """
    found: list[Reference] = []
    for match in ENTRY.finditer(page):
        people = re.split(r",\s+|\s+and\s+", " ".join(match["authors"].split()))
        surnames = [re.sub(r"^(?:[^\W\d_]+\.-?)+(?:\s*[^\W\d_]\.-?)*\s+", "", person) for person in people]
        surnames = [name.removesuffix(" et al.") for name in surnames if name != "others"]
        year = re.search(r"\b(?:19|20)\d\d\b", re.sub(r"\[[^\]]*\]\([^)]*\)", "", match["rest"]))
        if not year:
            raise BadLink(f"book/references.md: {' '.join(match['title'].split())!r} has no year: add it")
        label = f"ref-{_slug(surnames[0])}-{year.group()}"
        twins = sum(other.label.startswith(label) for other in found)
        title = " ".join(match["title"].split())
        found.append(Reference(label + (f"-{twins + 1}" if twins else ""), tuple(surnames), year.group(), title))
    return found


def terms(glossary: str, toc: str) -> list[Term]:
    """The terms of the glossary, each form of them that prose may use.

    A term of one everyday word, such as *view*, has a link in the chapters of the part that brings it in; those of the
    first part, and all longer ones, have it everywhere.
    """
    parts = [(part["caption"], _chapters(part["chapters"])) for part in yaml.safe_load(toc)["parts"]]
    found = []
    for section in re.split(r"^## ", glossary, flags=re.MULTILINE)[1:]:
        title = section.splitlines()[0].strip()
        own = next((chapters for caption, chapters in parts[1:] if caption == title), None)
        for match in TERM.finditer(section):
            label = term_label(match["terms"])
            for form in forms(match["terms"]):
                plain = form.isalpha() and not form.isupper()
                ending = "" if form.isupper() else "(?:e?s)?"
                words = r"\s+".join(map(re.escape, form.split()))
                initial = f"[{form[0].upper()}{form[0].lower()}]{words[1:]}" if form[0].isalpha() else words
                found.append(Term(label, re.compile(rf"(?<![\w-]){initial}{ending}(?![\w-])"), own if plain else None))
    return found


def _chapters(entries: list[dict[str, str]]) -> frozenset[str]:
    return frozenset(Path(entry["file"]).name for entry in entries)


def term_label(written: str) -> str:
    """The anchor of a glossary's item."""
    return f"term-{_slug(written.split(',')[0])}"


def forms(written: str) -> list[str]:
    """What an item of the glossary stands for, form by form.

    >>> forms("seen, unseen class"), forms("maximum mean discrepancy (MMD)"), forms("key, query")
    (['seen class', 'unseen class'], ['maximum mean discrepancy', 'MMD'], ['key', 'query'])
    """
    short = [name for name in re.findall(r"\(([^)]*)\)", written) if name.isascii()]
    several = re.split(r",\s+", re.sub(r"\s*\([^)]*\)", "", " ".join(written.split())))
    last = several[-1].split()
    whole = [form if len(form.split()) >= len(last) else f"{form} {last[-1]}" for form in several]
    return whole + short


def anchor_references(page: str) -> str:
    """The page of references with an anchor at each entry."""
    labels = iter(references(page))
    return ENTRY.sub(lambda match: f"- ({next(labels).label})=\n  {match.group()[2:]}", page)


def anchor_terms(page: str) -> str:
    """The glossary with an anchor at each term."""
    return TERM.sub(lambda match: f"- ({term_label(match['terms'])})=\n  {match.group()[2:]}", page)


def _read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()
    return "-".join(re.findall(r"[a-z0-9]+", plain))
