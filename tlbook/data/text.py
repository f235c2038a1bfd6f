"""Words as tokens: running text without labels (WikiText-2), and labelled sentences (TREC questions, SST-2).

A text that a graph is learned on and the sentences that it serves share one vocabulary, made from the text alone.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch

from tlbook.data.domain import Domain
from tlbook.data.reviews import FOLDER, HOME, RAW
from tlbook.data.root import data_root
from tlbook.data.source import File, Store, collection_of_files, md5_is
from tlbook.errors import TlbookError

__all__ = ["SENTENCES", "TEXTS", "Vocabulary", "running_text", "sentences", "wikitext"]

PAD, UNKNOWN = 0, 1
EXAMPLES = "https://raw.githubusercontent.com/pytorch/examples/main/word_language_model/data/wikitext-2/"
WIKITEXT = (
    File("wikitext-2/wiki.valid.tokens", (EXAMPLES + "valid.txt",), md5_is("d756d22ab2310e7e60c094bea5c5a8eb")),
    File("wikitext-2/wiki.test.tokens", (EXAMPLES + "test.txt",), md5_is("781c9418ab9414bd09e4aad825aae752")),
)
"""The two small parts of WikiText-2, in the copy of PyTorch's example of a language model; the md5 guards them."""


class Sentences(NamedTuple):
    """A set of labelled sentences: its classes, and for each split its file and that file's md5."""

    classes: tuple[str, ...]
    files: dict[str, tuple[str, str]]

    def file(self, split: str) -> File:
        """Where a split lies, and what guards it."""
        name, md5 = self.files[split]
        return File(f"{FOLDER}/{name}", (RAW + name,), md5_is(md5))


SENTENCES = {
    "trec": Sentences(
        ("description", "entity", "abbreviation", "human", "location", "number"),
        {
            "train": ("TREC.train.all", "c62c403d02ef12ad46da9bfb308473d4"),
            "test": ("TREC.test.all", "0e43dfe89110e97af7e7d5c5dbc55293"),
        },
    ),
    "sst-2": Sentences(
        ("negative", "positive"),
        {
            "train": ("stsa.binary.train", "fe0d92b0d9638921562e7082e0d6f137"),
            "test": ("stsa.binary.test", "797f1305da9a23378a0168a387453dcf"),
        },
    ),
}
"""By name: questions by the kind of answer (TREC), sentences from reviews of films by praise or blame (SST-2)."""


TEXTS = (
    collection_of_files(
        WIKITEXT,
        name="wikitext-2",
        kind="text",
        classes=0,
        sizes={"train": 8_118},
        licence="CC BY-SA 3.0",
        home="https://github.com/pytorch/examples/tree/main/word_language_model",
        reader="tlbook.data.text.wikitext",
    ),
    *(
        collection_of_files(
            tuple(map(SENTENCES[name].file, SENTENCES[name].files)),
            name=name,
            kind="text",
            classes=len(SENTENCES[name].classes),
            sizes=sizes,
            licence="research",
            home=HOME,
            reader="tlbook.data.text.sentences",
        )
        for name, sizes in (("trec", {"train": 5_452, "test": 500}), ("sst-2", {"train": 6_920, "test": 1_821}))
    ),
)
"""The texts as the catalogue knows them; the size of running text is its lines."""


@dataclass(frozen=True)
class Vocabulary:
    """The words that have a token of their own; token 0 fills rows up, token 1 is every other word.

    Attributes:
        words: the word of each token.

    Example:
        >>> vocabulary = Vocabulary.of("the cat saw the dog".split(), size=4)
        >>> vocabulary.words
        ('', '<unk>', 'the', 'cat')
        >>> vocabulary.encode("The dog".split(), length=4)
        [2, 1, 0, 0]
    """

    words: tuple[str, ...]

    @classmethod
    def of(cls, words: Iterable[str], size: int) -> Vocabulary:
        """The most frequent words of a text, in lower case; equally frequent ones in the order in which they come.

        Args:
            words: the text.
            size: how many tokens there are, 0 and 1 among them.

        Raises:
            TlbookError: for a text without a word, or a size that leaves no word.
        """
        counts = Counter(word.lower() for word in words)
        counts.pop("<unk>", None)
        if not counts or size < 3:
            raise TlbookError(
                f"the text has {len(counts)} different words, the size is {size}; expected at least one word and a "
                "size of 3: tokens 0 and 1 have no word of their own"
            )
        return cls(("", "<unk>", *(word for word, _ in counts.most_common(size - 2))))

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, words: Sequence[str], length: int) -> list[int]:
        """The tokens of words, cut off or filled up with 0 to a length."""
        tokens = [self.tokens.get(word.lower(), UNKNOWN) for word in words[:length]]
        return tokens + [PAD] * (length - len(tokens))

    @cached_property
    def tokens(self) -> dict[str, int]:
        """The token of each word."""
        return {word: token for token, word in enumerate(self.words)}


def wikitext(root: str | os.PathLike[str] | None = None, download: bool = True) -> list[str]:
    """The words of WikiText-2's validation and test parts, about 445,000, the headings left out.

    Args:
        root: as in :func:`tlbook.load`.
        download: as in :func:`tlbook.load`.

    Raises:
        TlbookError: if a file is missing or damaged and cannot be fetched.
    """
    store = Store(data_root(root), download)
    lines = [line for file in WIKITEXT for line in store.get(file).read_text(encoding="utf-8").split("\n")]
    return [word for line in lines if not line.startswith(" = ") for word in line.split()]


def running_text(words: Sequence[str], vocabulary: Vocabulary, length: int, classes: tuple[str, ...]) -> Domain:
    """A text cut into rows, without labels; what is left over at its end is dropped.

    Args:
        words: the text.
        vocabulary: of the tokens.
        length: of a row.
        classes: of the task that the text is to serve; :func:`tlbook.fit` wants to see the same in both.

    Raises:
        TlbookError: for a text shorter than one row.

    Example:
        >>> text = "to be or not to be".split()
        >>> running_text(text, Vocabulary.of(text, size=9), length=3, classes=("yes", "no")).x.tolist()
        [[2, 3, 4], [5, 2, 3]]
    """
    rows = len(words) // length if length > 0 else 0
    if not rows:
        raise TlbookError(f"the text has {len(words)} words for rows of {length}; expected at least one row")
    tokens = vocabulary.encode(words, rows * length)
    return Domain("running text", torch.tensor(tokens).view(rows, length), None, classes)


def sentences(
    name: str,
    split: str,
    vocabulary: Vocabulary,
    length: int,
    root: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> Domain:
    """Labelled sentences as rows of tokens, N×length int64; longer ones are cut off, shorter ones filled up with 0.

    Args:
        name: ``"trec"`` or ``"sst-2"``.
        split: ``"train"`` or ``"test"``.
        vocabulary: of the tokens.
        length: of a row.
        root: as in :func:`tlbook.load`.
        download: as in :func:`tlbook.load`.

    Raises:
        TlbookError: for another name or split, a length below 1, or a file that is missing, damaged or of another form.
    """
    if name not in SENTENCES or split not in ("train", "test") or length < 1:
        raise TlbookError(
            f"asked for {name!r}, {split!r}, length {length}; expected one of {', '.join(SENTENCES)}, 'train' or "
            "'test', and a length of at least 1"
        )
    classes = SENTENCES[name].classes
    path = Store(data_root(root), download).get(SENTENCES[name].file(split))
    rows, labels = [], []
    for number, line in enumerate(path.read_text(encoding="latin-1").removesuffix("\n").split("\n"), 1):
        label, _, sentence = line.partition(" ")
        if not (label.isdecimal() and int(label) < len(classes)):
            raise TlbookError(
                f"{path}, line {number} is {line[:20]!r}; expected a label below {len(classes)}, a space and a "
                "sentence: fetch the file anew"
            )
        rows.append(vocabulary.encode(sentence.split(), length))
        labels.append(int(label))
    return Domain(name, torch.tensor(rows), torch.tensor(labels), classes)
