"""Run a chapter of the book with papermill."""

from __future__ import annotations

import difflib
import os
import re
import textwrap
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tlbook._files import half_folder
from tlbook.errors import TlbookError

__all__ = ["NEEDED", "ChapterFailed", "book_folder", "check_parameters", "execute", "find", "printed"]

NEEDED = ("papermill", "ipykernel")  # what running a chapter takes beside the package itself


class ChapterFailed(RuntimeError):
    """A cell of a chapter raised; the message has the chapter, the cell, its source and the traceback."""


def find(chapter: str, folder: str | os.PathLike[str] | None = None) -> Path:
    """The notebook of a chapter.

    Args:
        chapter: its name, such as ``"dann"``, or the path of a notebook.
        folder: where the chapters are; :func:`book_folder` if not given.

    Returns:
        The absolute path of an existing notebook.

    Raises:
        TlbookError: where there is none; it names the nearest chapters.
    """
    book = book_folder() if folder is None else Path(folder)
    path = Path(chapter) if chapter.endswith(".ipynb") else book / f"{chapter}.ipynb"
    if path.is_file():
        return path.resolve()
    for place in (path.parent, book):
        if names := sorted(other.stem for other in place.glob("*.ipynb")):
            near = difflib.get_close_matches(path.stem, names, n=3, cutoff=0.3) or names
            shown = near if place == book else [str(place / f"{name}.ipynb") for name in near]
            raise TlbookError(f"no chapter {chapter!r} in {place}/, expected one such as {', '.join(shown)}")
    raise TlbookError(f"no chapter {chapter!r}: no notebooks in {book}/; run this in the repository or give a path")


def book_folder() -> Path:
    """Where the chapters are: ``book`` here or in the nearest folder upwards, else in the checkout of the package."""
    here = Path.cwd()
    places = [*(place / "book" for place in (here, *here.parents)), Path(__file__).parents[1] / "book"]
    book = next((place for place in places if next(place.glob("*.ipynb"), None)), Path("book"))
    return book.relative_to(here) if book.is_relative_to(here) else book


def check_parameters(chapter: str | os.PathLike[str], parameters: Mapping[str, object]) -> None:
    """Reject parameters that a chapter does not have, which papermill itself would only warn about.

    Raises:
        TlbookError: for a name that is not assigned in the chapter's ``parameters`` cell.
    """
    if not parameters:
        return
    papermill = _papermill()
    try:
        known = list(papermill.inspect_notebook(os.fspath(chapter)))
    except ValueError:  # a notebook that names no kernel
        raise TlbookError(
            f"{chapter} does not say that it is in Python; expected a notebook that JupyterLab wrote"
        ) from None
    for name in parameters:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or known
            expected = f"expected {' or '.join(near)}" if near else "it has none"
            raise TlbookError(f"chapter {Path(chapter).stem!r} has no parameter {name!r}, {expected}")


def execute(
    chapter: str | os.PathLike[str],
    output: str | os.PathLike[str],
    parameters: Mapping[str, object] | None = None,
    *,
    timeout: int | None = None,
    on_cell: Callable[[], object] | None = None,
) -> Any:
    """Execute a chapter in a fresh kernel of this interpreter, in the chapter's folder.

    The kernel starts from the defaults of Python, IPython and matplotlib, whatever the user's own settings are.

    Args:
        chapter: path of the notebook.
        output: path of the executed copy, written whole or not at all; where a cell raises it holds what ran, with
            the error.
        parameters: values for names of the chapter's ``parameters`` cell.
        timeout: seconds that one cell may take; no limit where ``None``.
        on_cell: called after each code cell.

    Returns:
        The executed notebook.

    Raises:
        TlbookError: for an unknown parameter, what is no notebook, a copy that cannot be written, or papermill not
            installed.
        ChapterFailed: when a cell raises, takes too long or takes the kernel down.
    """
    papermill = _papermill()
    from nbclient.exceptions import CellTimeoutError

    from tlbook._kernel import OwnKernel

    chapter, output = Path(chapter).resolve(), Path(output).resolve()
    parameters = dict(parameters or {})
    _check_notebook(chapter)
    check_parameters(chapter, parameters)
    if output == chapter:
        raise TlbookError(f"the executed copy would replace the chapter {chapter}; expected another path")
    failure = None
    with half_folder(output) as folder:
        try:
            executed = papermill.execute_notebook(
                str(chapter),
                str(folder / output.name),
                parameters=parameters,
                kernel_name="python3",
                kernel_manager_class=OwnKernel,
                progress_bar=False,
                execution_timeout=timeout,
                # papermill's own `cwd` changes the folder of this process, which is not safe in threads
                resources={"metadata": {"path": str(chapter.parent)}},
                on_cell_executed=lambda **_: on_cell() if on_cell else None,
                extra_arguments=[
                    "--IPKernelApp.log_level=50",  # without its notes on TCP and on being stopped
                    f"--IPKernelApp.ipython_dir={folder}",  # without the user's start-up files
                ],
            )
        except papermill.PapermillExecutionError as error:
            trace = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(error.traceback)) or f"{error.ename}: {error.evalue}"
            source = textwrap.indent(error.source, "    ")
            failure = (
                f"chapter {chapter.stem!r} failed in cell [{error.exec_count}]:\n\n{source}\n\n{trace}\n\n"
                f"what ran is in {output}"
            )
        except (CellTimeoutError, RuntimeError) as error:  # where the kernel dies, whenever it dies, it is the latter
            failure = f"chapter {chapter.stem!r} failed: {str(error).strip()}"
            (folder / output.name).unlink(missing_ok=True)
    if failure:
        raise ChapterFailed(failure)
    return executed


def printed(executed: Any) -> str:
    """What an executed notebook says as text: what was printed, and the text of what was shown.

    Args:
        executed: a notebook, as :func:`execute` returns it.
    """
    outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs]
    return "".join(text if text.endswith("\n") else f"{text}\n" for text in texts if text)


def _papermill() -> Any:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise TlbookError(
            f"{' and '.join(missing)} is not installed; expected what chapters run with: pip install {' '.join(NEEDED)}"
        )
    import papermill

    return papermill


def _check_notebook(path: Path) -> None:
    import nbformat

    try:
        nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, KeyError, AttributeError, nbformat.ValidationError) as error:
        reason = str(error).splitlines()[0][:80] if str(error) else type(error).__name__
        raise TlbookError(f"{path} is no notebook ({reason}); expected one that JupyterLab opens") from error
    except OSError as error:
        raise TlbookError(f"cannot read {path} ({error.strerror}); expected a notebook that may be read") from error
