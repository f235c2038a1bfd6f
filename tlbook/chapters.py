"""Run a chapter of the book with papermill."""

from __future__ import annotations

import difflib
import os
import re
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tlbook.errors import TlbookError

__all__ = ["ChapterFailed", "check_parameters", "execute", "find"]


class ChapterFailed(RuntimeError):
    """A cell of a chapter raised; the message has the chapter, the cell, its source and the traceback."""


def find(chapter: str, folder: str | os.PathLike[str] = "book") -> Path:
    """The notebook of a chapter.

    Args:
        chapter: its name, such as ``"dann"``, or the path of a notebook.
        folder: where the chapters are.

    Returns:
        The absolute path of an existing notebook.

    Raises:
        TlbookError: where there is none; it names the nearest chapters.
    """
    path = Path(chapter) if chapter.endswith(".ipynb") else Path(folder, f"{chapter}.ipynb")
    if path.is_file():
        return path.resolve()
    names = sorted(p.stem for p in Path(folder).glob("*.ipynb"))
    if not names:
        raise TlbookError(
            f"no chapter {chapter!r}: no notebooks in {folder}/; run this in the repository or give a path"
        )
    near = difflib.get_close_matches(path.stem, names, n=3, cutoff=0.3) or names
    raise TlbookError(f"no chapter {chapter!r} in {folder}/, expected one such as {', '.join(near)}")


def check_parameters(chapter: str | os.PathLike[str], parameters: Mapping[str, object]) -> None:
    """Reject parameters that a chapter does not have, which papermill itself would only warn about.

    Raises:
        TlbookError: for a name that is not assigned in the chapter's ``parameters`` cell.
    """
    if not parameters:
        return
    import papermill

    known = list(papermill.inspect_notebook(os.fspath(chapter)))
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
    """Execute a chapter in a fresh kernel, in the chapter's folder.

    Args:
        chapter: path of the notebook.
        output: path of the executed copy; on failure it holds what ran, with the error.
        parameters: values for names of the chapter's ``parameters`` cell.
        timeout: seconds that one cell may take; no limit where ``None``.
        on_cell: called after each code cell.

    Returns:
        The executed notebook.

    Raises:
        TlbookError: for an unknown parameter.
        ChapterFailed: when a cell raises, takes too long or takes the kernel down.
    """
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    parameters = dict(parameters or {})
    check_parameters(chapter, parameters)
    chapter, output = Path(chapter).resolve(), Path(output).resolve()
    output.parent.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("TQDM_DISABLE", "1")  # the kernel inherits it: a stored copy has no use for progress bars
    try:
        return papermill.execute_notebook(
            str(chapter),
            str(output),
            parameters=parameters,
            kernel_name="python3",
            progress_bar=False,
            execution_timeout=timeout,
            # papermill's own `cwd` changes the folder of this process, which is not safe in threads
            resources={"metadata": {"path": str(chapter.parent)}},
            on_cell_executed=lambda **_: on_cell() if on_cell else None,
            extra_arguments=["--IPKernelApp.log_level=50"],  # without its notes on TCP and on being stopped
        )
    except papermill.PapermillExecutionError as error:
        trace = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(error.traceback)) or f"{error.ename}: {error.evalue}"
        source = textwrap.indent(error.source, "    ")
        raise ChapterFailed(
            f"chapter {chapter.stem!r} failed in cell [{error.exec_count}]:\n\n{source}\n\n{trace}\n\n"
            f"what ran is in {output}"
        ) from None
    except (CellTimeoutError, DeadKernelError) as error:
        raise ChapterFailed(f"chapter {chapter.stem!r} failed: {str(error).strip()}") from None
