"""A Sphinx extension: Chinese words enter the search by their pairs of characters, so that a part finds the whole."""

import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.search import languages
from sphinx.search.en import SearchEnglish

CHINESE = re.compile(r"[\u4e00-\u9fff]{2,}")


class Words(SearchEnglish):
    """English words by their stems, and of a Chinese run each two characters that stand together."""

    def split(self, input: str) -> list[str]:
        """The words of a text.

        >>> Words({}).split("domain, 领域自适应")
        ['domain', '领域自适应', '领域', '域自', '自适', '适应']
        """
        pairs = [run[i : i + 2] for run in CHINESE.findall(input) for i in range(len(run) - 1)]
        return super().split(input) + pairs


def setup(app: Sphinx) -> dict[str, Any]:
    """Take the place of Sphinx's own English."""
    languages["en"] = Words
    return {"parallel_read_safe": True}
