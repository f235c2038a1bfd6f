"""Words as tokens: the vocabulary, rows of a text, labelled sentences; clear lines where a file is something else."""

import pooch
import pytest

from tlbook.data import text
from tlbook.data.text import Vocabulary, running_text, sentences, wikitext
from tlbook.errors import TlbookError

WORDS = ["the", "cat", "saw", "the", "dog", "and", "the", "cat", "ran"]


def test_the_most_frequent_words_have_a_token_and_the_rest_share_one() -> None:
    vocabulary = Vocabulary.of([*WORDS, "<unk>", "<unk>", "<unk>", "<unk>"], size=5)
    assert vocabulary.words == ("", "<unk>", "the", "cat", "saw")
    assert len(vocabulary) == 5
    assert vocabulary.encode(["CAT", "dog", "<unk>", "", "the"], length=5) == [3, 1, 1, 0, 2]


def test_sentences_are_cut_off_and_filled_up() -> None:
    vocabulary = Vocabulary.of(WORDS, size=9)
    assert vocabulary.encode(WORDS, length=2) == [2, 3]
    assert vocabulary.encode([], length=3) == [0, 0, 0]


def test_a_text_becomes_rows_in_its_order() -> None:
    vocabulary = Vocabulary.of(WORDS, size=99)
    rows = running_text(WORDS, vocabulary, length=4, classes=("a",))
    assert rows.y is None
    assert [[vocabulary.words[token] for token in row] for row in rows.x] == [WORDS[:4], WORDS[4:8]]


@pytest.mark.parametrize(("words", "length"), [([], 3), (WORDS, 10), (WORDS, 0)])
def test_a_text_shorter_than_a_row_is_refused(words: list[str], length: int) -> None:
    with pytest.raises(TlbookError, match=r"^the text has \d words for rows of \d+; expected at least one row$"):
        running_text(words, Vocabulary.of(WORDS, size=9), length, ("a",))


@pytest.mark.parametrize(("words", "size"), [([], 9), (["<unk>"], 9), (WORDS, 2)])
def test_a_vocabulary_without_a_word_is_refused(words: list[str], size: int) -> None:
    with pytest.raises(TlbookError, match=r"^the text has [^\n]*expected at least one word[^\n]*$"):
        Vocabulary.of(words, size)


def made_up(tmp_path, monkeypatch, content, length=3):
    path = tmp_path / "sentence-classification" / "made-up"
    path.parent.mkdir()
    path.write_bytes(content.encode("latin-1"))
    files = {"train": ("made-up", pooch.file_hash(path, "md5"))}
    monkeypatch.setitem(text.SENTENCES, "trec", text.Sentences(("x", "y", "z"), files))
    return sentences("trec", "train", Vocabulary.of(WORDS, size=9), length, root=tmp_path, download=False)


def test_labels_and_words_are_read(tmp_path, monkeypatch) -> None:
    domain = made_up(tmp_path, monkeypatch, "2 the cat\n0 \n1 caf\xe9 the the dog\n")
    assert domain.x.tolist() == [[2, 3, 0], [0, 0, 0], [1, 2, 2]]
    assert domain.y is not None
    assert domain.y.tolist() == [2, 0, 1]


def test_a_row_may_have_one_word(tmp_path, monkeypatch) -> None:
    assert made_up(tmp_path, monkeypatch, "2 cat the\n", length=1).x.tolist() == [[3]]
    assert running_text(WORDS, Vocabulary.of(WORDS, size=9), 1, ("a",)).x.shape == (9, 1)


@pytest.mark.parametrize("line", ["3 the", "the", "", "-1 the"])
def test_another_line_is_refused(line, tmp_path, monkeypatch) -> None:
    with pytest.raises(TlbookError, match=r"^[^\n]*made-up, line 2 is [^\n]*expected a label below 3[^\n]*$"):
        made_up(tmp_path, monkeypatch, f"1 good\n{line}\n0 bad\n")


@pytest.mark.parametrize(("name", "split", "length"), [("imdb", "train", 5), ("trec", "dev", 5), ("trec", "test", 0)])
def test_what_is_not_there_is_refused(name: str, split: str, length: int) -> None:
    with pytest.raises(TlbookError, match=r"^asked for [^\n]*; expected one of trec, sst-2, [^\n]*$"):
        sentences(name, split, Vocabulary.of(WORDS, size=9), length)


def test_missing_files_say_where_to_get_them(tmp_path) -> None:
    with pytest.raises(TlbookError, match=r"^[^\n]*wiki\.valid\.tokens is missing[^\n]*save http[^\n]*$"):
        wikitext(tmp_path, download=False)
    with pytest.raises(TlbookError, match=r"^[^\n]*TREC\.train\.all is missing[^\n]*save http[^\n]*$"):
        sentences("trec", "train", Vocabulary.of(WORDS, size=9), 5, tmp_path, download=False)


def test_the_real_text_and_the_real_sentences(real_root) -> None:
    words = wikitext(real_root, download=False)
    assert 440_000 < len(words) < 460_000
    vocabulary = Vocabulary.of(words, size=5_000)
    assert vocabulary.words[2] == "the"
    train, test = (sentences("trec", split, vocabulary, 24, real_root, download=False) for split in ("train", "test"))
    assert (len(train), len(test)) == (5452, 500)
    assert train.labels().bincount().tolist() == [1162, 1250, 86, 1223, 835, 896]
    who = int(vocabulary.tokens["who"])
    asks = train.labels()[train.x[:, 0] == who]
    assert (asks == train.classes.index("human")).double().mean() > 0.9
    unknown = (train.x == 1).sum() / (train.x > 0).sum()
    assert 0.1 < unknown < 0.3
    assert sentences("sst-2", "test", vocabulary, 24, real_root, download=False).labels().bincount().tolist() == [
        912,
        909,
    ]
