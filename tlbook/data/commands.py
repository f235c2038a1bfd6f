"""``tlbook data``: what the catalogue holds, fetching it, and checking it."""

from __future__ import annotations

from typing import Annotated

import typer

from tlbook.data.catalogue import COLLECTIONS, SOURCES, find, load
from tlbook.data.domain import checksum
from tlbook.data.root import data_root
from tlbook.data.source import Collection, Source, Store
from tlbook.errors import TlbookError

app = typer.Typer(no_args_is_help=True, help="List, fetch and verify the data sets.")
Names = Annotated[list[str] | None, typer.Argument(metavar="NAME…", help="As `tlbook data list` shows them.")]


@app.command("list")
def list_() -> None:
    """Show every data set, and whether its files are here."""
    rows = [["name", "kind", "shape", "classes", "train", "test", "here", "licence"]]
    root = data_root()
    for source in (SOURCES | COLLECTIONS).values():
        shape = "×".join(map(str, source.shape)) if isinstance(source, Source) else "–"
        classes = len(source.classes) if isinstance(source, Source) else source.classes or "–"
        sizes = (f"{source.sizes[split]:,}" if split in source.sizes else "–" for split in ("train", "test"))
        here = "yes" if source.present(root) else "no"
        rows.append([source.name, source.kind, shape, str(classes), *sizes, here, source.licence])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    typer.echo(f"Real sets are kept in {root}")


@app.command()
def fetch(
    names: Names = None,
    everything: Annotated[bool, typer.Option("--all", help="Fetch every real set.")] = False,
) -> None:
    """Fetch data sets into the data root, where they are not there yet."""
    if everything == bool(names):
        raise TlbookError("no data named, or names and --all, expected one of them; try `tlbook data fetch --all`")
    _each(names or [*SOURCES, *COLLECTIONS], download=True, check=False)


@app.command()
def verify(names: Names = None) -> None:
    """Compare what is here with the published content: the sets named, or all whose files are here."""
    here = [name for name, source in (SOURCES | COLLECTIONS).items() if source.present(data_root())]
    _each(names or here, download=False, check=True)


def _each(names: list[str], download: bool, check: bool) -> None:
    """Load every split of each set, say how it went, and exit with 1 if any failed."""
    failed = False
    for name in names:
        try:
            source = find(name)
            state = _source(source, download, check) if isinstance(source, Source) else _collection(source, check)
            typer.echo(f"{name}: {state}")
        except TlbookError as error:
            typer.echo(f"{name}: {error}", err=True)
            failed = True
    raise typer.Exit(code=int(failed))


def _source(source: Source, download: bool, check: bool) -> str:
    """Load every split, and compare it with what was published."""
    for split, expected in source.checksums.items():
        given = checksum(load(source.name, split, download=download))
        if check and given != expected:
            raise TlbookError(
                f"{split} has the checksum {given[:12]}…, expected {expected[:12]}…; "
                "install the pinned versions of scikit-learn, matplotlib and pillow, and verify again"
            )
    return "as published" if check else "ready"


def _collection(collection: Collection, check: bool) -> str:
    store = Store(data_root(), download=not check)
    try:
        if check:
            return collection.verify(store)
        collection.fetch(store)
    except OSError as error:
        raise TlbookError(
            f"cannot write below {store.root} ({error}); expected a folder with room that may be written to: name one "
            "with TLBOOK_DATA"
        ) from error
    return "ready"
