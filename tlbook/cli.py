"""The command ``tlbook``."""

from __future__ import annotations

import ast
import os
import platform
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from tlbook.data import commands
from tlbook.errors import TlbookError

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)
app.add_typer(commands.app, name="data")


@app.command()
def run(
    chapter: Annotated[str, typer.Argument(help="a chapter's name, such as dann, or the path of a notebook")],
    parameter: Annotated[
        list[str] | None, typer.Option("-p", "--parameter", help="NAME=VALUE; may be repeated")
    ] = None,
    profile: Annotated[Literal["quick", "paper"] | None, typer.Option(help="same as -p profile=…")] = None,
    output: Annotated[Path | None, typer.Option("-o", help="the executed copy [_build/runs/CHAPTER.ipynb]")] = None,
) -> None:
    """Execute a chapter with other parameters, and show what it claims."""
    from tlbook._progress import tqdm
    from tlbook.chapters import execute, find, printed

    notebook = find(chapter)
    values = dict(map(_assignment, parameter or [])) | ({"profile": profile} if profile else {})
    copy = output or Path("_build", "runs", notebook.name)
    with tqdm(desc=notebook.stem, unit="cell", disable=None) as bar:
        executed = execute(notebook, copy, values, on_cell=bar.update)
    for line in printed(executed).splitlines():
        if line.startswith(("claim holds: ", "claim not checked: ")):
            typer.echo(line)
    typer.echo(f"wrote {copy}")


def _assignment(text: str) -> tuple[str, object]:
    """``"seed=3"`` → ``("seed", 3)``; what is no Python literal is taken as a string."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise TlbookError(f"parameter {text!r} cannot be read, expected NAME=VALUE such as seed=3")
    try:
        return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return name, value


@app.command()
def reproduce(
    name: Annotated[str, typer.Argument(help="an experiment's name, such as dann-mnist-mnistm")],
    seeds: Annotated[int | None, typer.Option(help="how many, counted from 0 [the experiment's own number]")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:1")] = "auto",
) -> None:
    """Run the seeds of an experiment that have not been run yet, and write book/results/NAME.json."""
    from tlbook import experiments

    folder = experiments.written_to()
    path = folder / f"{name}.json"
    try:
        result = experiments.reproduce(name, seeds, device, folder)
    except KeyboardInterrupt:
        done = len(experiments.read(name, folder).entries)
        raise TlbookError(
            f"interrupted; {done} seeds are in {path}: the same command goes on with the one that was running"
        ) from None
    spread = "" if result["sd"] is None else f" ± {result['sd']:.4f}"
    paper = experiments.find(name).published
    beside = "" if paper is None or paper.value is None else f"; the paper: {paper.value:.4f}"
    typer.echo(f"{name}: accuracy {result['mean']:.4f}{spread} ({len(result['seeds'])} seeds){beside}")
    typer.echo(f"wrote {path}")


@app.command()
def results() -> None:
    """List what was recorded beside the paper, and what was not run."""
    from tlbook import experiments

    names = experiments.names()
    typer.echo(experiments.table(names, "name", "accuracy", "seeds", "paper"))
    missing = sum(not experiments.read(name).entries for name in names)
    typer.echo(f"{len(names) - missing} of {len(names)} experiments are recorded; tlbook reproduce NAME runs one")


@app.command()
def doctor() -> None:
    """Say what is installed and whether it works together; exit status 1 where something does not."""
    checks: list[tuple[str, Callable[[], str]]] = [
        ("python", lambda: f"{platform.python_version()} on {platform.machine()}, {os.cpu_count()} cores"),
        ("tlbook", lambda: f"{version('tlbook')} in {Path(__file__).parent}"),
        ("torch", _torch),
        ("torchvision", _torchvision),
        ("training", _training),
        ("embedded", _embedded),
        ("data", _data),
        ("book", _book),
    ]
    broken = False
    for name, check in checks:
        try:
            typer.echo(f"ok    {name:<12} {check()}")
        except Exception as error:
            broken = True
            typer.echo(f"FAIL  {name:<12} {type(error).__name__}: {error}")
    raise typer.Exit(int(broken))


def _torch() -> str:
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{torch.__version__}, {torch.get_num_threads()} threads, {gpu}"


def _torchvision() -> str:
    from tlbook._torchvision import declare_missing_operators

    declared = declare_missing_operators()
    import torchvision

    return f"{torchvision.__version__}{', built for another torch: usable all the same' if declared else ''}"


def _training() -> str:
    from tlbook import evaluate, fit, load, nets
    from tlbook.methods import SourceOnly

    digits = load("digits")
    method = SourceOnly(nets.conv_features(), nets.mlp(768, 10))
    fit(method, digits, steps=1, batch_size=32, seed=0, progress=False)
    return f"one step taken, accuracy {evaluate.accuracy(method, digits):.2f}"


def _data() -> str:
    from tlbook.data.root import data_root

    root = data_root()
    existing = next(folder for folder in (root, *root.absolute().parents) if folder.exists())
    free = shutil.disk_usage(existing).free / 1e9
    return f"{root}{'' if root.exists() else ' (made when first needed)'}, {free:.0f} GB free"


def _embedded() -> str:
    from tlbook import load
    from tlbook.data.catalogue import SOURCES

    names = [source.name for source in SOURCES.values() if source.kind == "embedded"]
    failures = []
    for name in names:
        try:
            for split in SOURCES[name].checksums:
                load(name, split)
        except Exception as error:
            failures.append(f"{name} ({error})")
    if failures:
        raise TlbookError("; ".join(failures))
    return ", ".join(names)


def _book() -> str:
    from tlbook.chapters import NEEDED

    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        return f"{' and '.join(missing)} missing; only needed to run chapters: pip install {' '.join(NEEDED)}"
    return ", ".join(f"{name} {version(name)}" for name in NEEDED)


# What typer raises for a wrong option, a missing argument or an unknown command; it has no public name for it.
_WRONG_USE = cast("type[Exception]", typer.BadParameter.__mro__[1])


def main() -> None:
    """Run the command; an expected failure is one line on standard error, not a traceback."""
    from tlbook.chapters import ChapterFailed

    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # where the locale lacks a sign, a ? stands
    try:
        sys.exit(app(standalone_mode=False))
    except (TlbookError, ChapterFailed) as error:
        sys.exit(f"tlbook: {error}")
    except _WRONG_USE as error:
        message = error.format_message()  # type: ignore[attr-defined]
        typer.echo(message if "\n" in message else f"tlbook: {message.rstrip('.')}; see tlbook --help", err=True)
        sys.exit(2)
    except typer.Abort:
        sys.exit("tlbook: stopped")
