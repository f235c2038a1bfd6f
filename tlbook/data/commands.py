"""``tlbook data``: what the catalogue holds, fetching it, and checking it."""

from __future__ import annotations

from typing import Annotated

import typer

from tlbook.data.catalogue import SOURCES, data_root, find, load
from tlbook.data.domain import checksum
from tlbook.errors import TlbookError

app = typer.Typer(no_args_is_help=True, help="List, fetch and verify the data sets.")
Names = Annotated[list[str] | None, typer.Argument(metavar="NAME…", help="As `tlbook data list` shows them.")]


@app.command("list")
def list_() -> None:
    """Show every data set, and whether its files are here."""
    rows = [["name", "kind", "shape", "classes", "train", "test", "here", "licence"]]
    root = data_root()
    for source in SOURCES.values():
        shape = "×".join(map(str, source.shape))
        sizes = (f"{source.sizes[split]:,}" if split in source.sizes else "–" for split in ("train", "test"))
        here = "yes" if source.present(root) else "no"
        rows.append([source.name, source.kind, shape, str(len(source.classes)), *sizes, here, source.licence])
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
    _each(names or list(SOURCES), download=True, check=False)


@app.command()
def verify(names: Names = None) -> None:
    """Compare what is here with the published content: the sets named, or all whose files are here."""
    here = [name for name, source in SOURCES.items() if source.present(data_root())]
    _each(names or here, download=False, check=True)


def _each(names: list[str], download: bool, check: bool) -> None:
    """Load every split of each set, say how it went, and exit with 1 if any failed."""
    failed = False
    for name in names:
        try:
            for split, expected in find(name).checksums.items():
                given = checksum(load(name, split, download=download))
                if check and given != expected:
                    raise TlbookError(
                        f"{split} has the checksum {given[:12]}…, expected {expected[:12]}…; "
                        "install the pinned versions of scikit-learn, matplotlib and pillow, and verify again"
                    )
            typer.echo(f"{name}: {'as published' if check else 'ready'}")
        except TlbookError as error:
            typer.echo(f"{name}: {error}", err=True)
            failed = True
    raise typer.Exit(code=int(failed))
