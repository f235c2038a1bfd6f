"""Reviews: words counted by hash, each sentence in one split, and a clear line where a file is something else."""

import collections

import pooch
import pytest
import torch

from tlbook.data import load, reviews
from tlbook.data.source import File, Store, md5_is
from tlbook.errors import TlbookError

FILES = {"movie-reviews": "rt-polarity.all", "customer-reviews": "custrev.all"}


def made_up(tmp_path, content):
    path = tmp_path / "made-up.all"
    path.write_bytes(content.encode("latin-1"))
    return File(path.name, ("http://127.0.0.1:9/made-up.all",), md5_is(pooch.file_hash(path, "md5")))


def read(tmp_path, content, split="train"):
    return reviews.read_reviews(made_up(tmp_path, content), split, Store(tmp_path, download=False))


def test_counts_are_those_of_the_words():
    """Against a count by hand of words that fall into different buckets."""
    sentences = ["a b a", "b !", "é a"]
    counts = reviews.bag_of_words(sentences)
    bucket = {word: int(reviews.bag_of_words([word])[0].argmax()) for word in ("a", "b", "!", "é")}
    assert len(set(bucket.values())) == 4
    assert counts.shape == (3, reviews.BUCKETS)
    for row, sentence in zip(counts, sentences, strict=True):
        for word, times in collections.Counter(sentence.split()).items():
            assert row[bucket[word]] == times
        assert row.sum() == len(sentence.split())


def test_a_sentence_is_counted_the_same_whatever_stands_beside_it():
    assert torch.equal(reviews.bag_of_words(["good film", "bad"])[0], reviews.bag_of_words(["good film"])[0])


def test_counts_do_not_wrap_around():
    assert reviews.bag_of_words(["no " * 300]).max() == 255


def test_each_sentence_is_in_one_split_with_its_label(tmp_path):
    lines = [f"{number % 2} {'word ' * (number + 1)}" for number in range(50)]  # a sentence's length is its number + 1
    content = "\n".join(lines) + "\n"
    splits = {split: read(tmp_path, content, split) for split in ("train", "test")}
    assert len(splits["test"][1]) == 10
    numbers = {split: x.sum(dim=1) - 1 for split, (x, _) in splits.items()}
    assert torch.cat([*numbers.values()]).sort().values.tolist() == list(range(50))
    for split, (_, y) in splits.items():
        assert y.tolist() == (numbers[split] % 2).tolist()
    assert splits["test"][1].unique().tolist() == [0, 1], "the draw does not follow the order of the lines"
    assert numbers["test"].tolist() != list(range(10))


def test_latin_1_is_read(tmp_path):
    x, _ = read(tmp_path, "1 caf\xe9\n1 caf\xe9\n")
    assert torch.equal(x[0], reviews.bag_of_words(["café"])[0])


def test_an_empty_sentence_is_a_row_of_zeros(tmp_path):
    x, y = read(tmp_path, "1 \n1 \n")
    assert (x.sum(), y.tolist()) == (0, [1, 1])


@pytest.mark.parametrize("line", ["2 fine", "fine", "1", "", "1\tfine"])
def test_another_line_is_refused(line, tmp_path):
    with pytest.raises(TlbookError, match=r"^[^\n]*made-up\.all, line 2 is [^\n]*expected 0 or 1[^\n]*$"):
        read(tmp_path, f"1 good\n{line}\n0 bad\n")


@pytest.mark.parametrize(("name", "file"), FILES.items())
def test_a_missing_or_other_file_says_where_to_get_it(name, file, tmp_path):
    with pytest.raises(TlbookError, match=rf"^[^\n]*{file} is missing[^\n]*save http[^\n]*{file}[^\n]*$"):
        load(name, root=tmp_path, download=False)
    (tmp_path / "sentence-classification").mkdir()
    (tmp_path / "sentence-classification" / file).write_text("1 good\n")
    with pytest.raises(TlbookError, match=rf"^[^\n]*{file} is damaged[^\n]*$"):
        load(name, root=tmp_path, download=False)


def test_movie_reviews_have_as_much_praise_as_blame_and_customer_reviews_more(real_root):
    movie, customer = (load(name, root=real_root, download=False) for name in FILES)
    assert movie.classes == customer.classes == ("negative", "positive")
    assert abs(movie.y.double().mean() - 0.5) < 0.02
    assert 0.60 < customer.y.double().mean() < 0.67


def test_praise_is_the_class_that_is_called_positive(real_root):
    counts = load("customer-reviews", root=real_root, download=False)
    great = int(reviews.bag_of_words(["great"])[0].argmax())
    assert counts.y[counts.x[:, great] > 0].double().mean() > 0.85
