"""Expansion: the paper's rule by hand, and the check by the picture."""

import numpy as np
import pytest

from indexing.errors import InputError
from indexing.words.table import make_word_table
from learners.words import WordVectors
from learners.words.expansion import BroughtWord, Chance, brought_words, supported


def in_the_plane(**angles: float) -> WordVectors:
    """Words of unit length at angles, in degrees."""
    radians = np.radians(list(angles.values()))
    vectors = np.stack([np.cos(radians), np.sin(radians)], axis=1)
    return WordVectors(make_word_table(list(angles), vectors, "a test"))


WORDS = in_the_plane(
    tiger=0, tigers=1, lion=10, lions=10.5, cat=25, sky=90, cloud=100, clouds=101, sun=75, rock=200
)


def test_each_tag_brings_its_two_nearest_words_by_cosine() -> None:
    brought = brought_words(["tiger", "sky"], WORDS)
    # "tigers" is a form of the tag, "lions" of a word that was brought; "clouds" likewise.
    assert [(one.word, one.tag) for one in brought] == [
        ("lion", "tiger"),
        ("cloud", "sky"),
    ]
    assert brought[0].cosine == pytest.approx(np.cos(np.radians(10)), abs=1e-3)
    more = brought_words(["tiger", "sky"], WORDS, n_nearest=3)
    assert [one.word for one in more] == ["lion", "cat", "cloud", "sun"]


def test_no_predicted_tag_and_no_word_is_brought_twice() -> None:
    brought = brought_words(["lions", "tiger", "nothing", "cat"], WORDS, n_nearest=4)
    assert [one.word for one in brought] == ["sun"]
    assert brought_words([], WORDS) == []


def test_only_what_may_be_brought_is() -> None:
    among = ["Rock", "Cat", "Clouds", "nothing"]
    brought = brought_words(["tiger"], WORDS, among=among)
    assert [one.word for one in brought] == ["Cat", "Clouds"]
    brought = brought_words(["tiger"], WORDS, n_frequent=3)
    assert [one.word for one in brought] == ["lion"]


def test_chance_is_what_few_pairs_of_the_corpus_exceed() -> None:
    rng = np.random.default_rng(0)
    directions, tags = rng.normal(size=(40, 3)), rng.normal(size=(9, 3))
    directions[3], tags[2] = 0, 0
    cosines = sorted(
        float(d @ t / np.linalg.norm(d) / np.linalg.norm(t))
        for d in directions
        for t in tags
        if d.any() and t.any()
    )
    for share in (0.05, 0.5):
        level = Chance.of(directions, tags, share).level
        above = sum(cosine > level for cosine in cosines) / len(cosines)
        assert above == pytest.approx(share, abs=1 / len(cosines))
    for wrong in (0, 1):
        with pytest.raises(InputError, match="between 0 and 1"):
            Chance.of(directions, tags, wrong)
    with pytest.raises(InputError, match="0 pictures with a direction"):
        Chance.of(np.zeros((2, 3)), tags)


def test_a_word_stays_if_the_picture_supports_it() -> None:
    brought = [BroughtWord(word, "tiger", 0.9) for word in ("sky", "cat", "lion", "nothing")]
    direction = np.array([np.cos(np.radians(15)), np.sin(np.radians(15))])
    kept = supported(brought, WORDS, 3 * direction, Chance(0.5))
    assert [one.word for one, _ in kept] == ["lion", "cat"]
    assert [score for _, score in kept] == pytest.approx(np.cos(np.radians([5, 10])), abs=1e-3)
    assert supported([], WORDS, direction, Chance(0.5)) == []


def test_a_word_that_scores_just_what_chance_does_is_not_supported() -> None:
    direction, brought = np.array([1.0, 0.5]), [BroughtWord("lion", "tiger", 0.9)]
    ((_, score),) = supported(brought, WORDS, direction, Chance(-1.0))
    assert supported(brought, WORDS, direction, Chance(score)) == []
    below = float(np.nextafter(np.float32(score), np.float32(-1)))
    assert len(supported(brought, WORDS, direction, Chance(below))) == 1
