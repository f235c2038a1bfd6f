"""What pyproject.toml cannot say: a wheel carries the recorded results, so that a chapter finds them anywhere."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class WithResults(build_py):
    """An installation that can be edited reads ``book/results`` itself."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib, "tlbook", "_results")
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(Path("book", "results"), target)


setup(cmdclass={"build_py": WithResults})
