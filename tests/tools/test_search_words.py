"""A part of a Chinese word finds the page."""

from tools.search_words import Words


def test_each_pair_of_characters_is_a_word_of_the_index() -> None:
    words = Words({}).split("transfer learning, 迁移学习; domain, 域")
    assert words == ["transfer", "learning", "迁移学习", "domain", "域", "迁移", "移学", "学习"]
