"""Tags as words: how a tag becomes a vector, and what is near it."""

import numpy as np
import pytest
from gensim.models import KeyedVectors

from indexing.errors import InputError
from indexing.words.table import make_word_table
from learners.words import TagWords, WordVectors, open_word_vectors
from learners.words.lemmas import noun_lemma


def words_of(**vectors: list[float]) -> WordVectors:
    return WordVectors(make_word_table(list(vectors), np.array(list(vectors.values())), "a test"))


def drawn(n_words: int = 500, n_dims: int = 8) -> tuple[WordVectors, KeyedVectors]:
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(n_words, n_dims)).astype(np.float16).astype(np.float32)
    names = [f"w{row}x" for row in range(n_words)]  # no noun of the lexicon
    keyed = KeyedVectors(n_dims)
    keyed.add_vectors(names, vectors)
    return WordVectors(make_word_table(names, vectors, "a test")), keyed


@pytest.mark.parametrize(
    ("form", "lemma"),
    [
        ("skies", "sky"),
        ("leaves", "leaf"),
        ("geese", "goose"),
        ("knives", "knife"),
        ("halves", "half"),
        ("women", "woman"),
        ("mice", "mouse"),
        ("churches", "church"),
        # What is no plural, or one of its own, stays.
        ("grass", "grass"),
        ("bus", "bus"),
        ("people", "people"),
        ("glasses", "glasses"),
        ("athens", "athens"),
        ("swimming", "swimming"),
        ("no such word", "no such word"),
    ],
)
def test_nouns_have_their_dictionary_form(form: str, lemma: str) -> None:
    assert noun_lemma(form) == lemma


def test_a_tag_of_several_words_is_their_mean_weighted_against_frequency() -> None:
    words = words_of(of=[1.0, 0.0], cat=[0.0, 2.0], house=[3.0, 4.0])
    harmonic = 1 / 3.7 + 1 / 4.7 + 1 / 5.7
    weights = [0.001 / (0.001 + 1 / (rank * harmonic)) for rank in (3.7, 4.7, 5.7)]
    mean = np.array([weights[0] + 0.6 * weights[2], weights[1] + 0.8 * weights[2]])
    vector = words.vector("Cats of  the HOUSE")
    np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), rtol=1e-5)
    assert words.words_of("cats of the house") == TagWords(("cat", "of", "house"), ("the",))
    np.testing.assert_allclose(words.vector("house"), [0.6, 0.8], rtol=1e-6)


def test_spellings_plurals_accents_and_glued_words_are_found() -> None:
    words = words_of(
        sky=[1, 0],
        leaf=[0, 1],
        cafe=[1, 1],
        facade=[2, 2],
        golden=[1, 2],
        gate=[2, 1],
        new_york=[3, 1],
    )
    for tag, known in {
        "SKIES": ("sky",),
        "leaves": ("leaf",),
        "Café": ("cafe",),
        "fac\u0327ades": ("facade",),
        "golden-gate": ("golden", "gate"),
        "goldengate": ("golden", "gate"),
        "New York": ("new_york",),
        "leaf_sky": ("leaf", "sky"),
    }.items():
        assert words.words_of(tag) == TagWords(known, ()), tag
    assert words.words_of("goldenxyz") == TagWords((), ("goldenxyz",))


def test_vectors_that_tell_case_are_asked_for_it() -> None:
    words = words_of(Paris=[1, 0], NASA=[0, 1], New_York=[1, 1])
    assert words.words_of("paris").known == ("Paris",)
    assert words.words_of("nasa").known == ("NASA",)
    assert words.words_of("New York").known == ("New_York",)


def test_what_has_no_vector_is_reported() -> None:
    words = words_of(sky=[1, 0], nothing=[0, 0], less=[-1, 0])
    tags = ["skies", "zebra", "sky zebra", "!!!", "", "nothing", "dsc0231", "sky"]
    assert words.missing(tags) == ("zebra", "!!!", "", "nothing", "dsc0231")
    vectors, has_vector = words.matrix(tags)
    assert has_vector.tolist() == [True, False, True, False, False, False, False, True]
    assert not vectors[~has_vector].any()
    np.testing.assert_allclose(np.linalg.norm(vectors[has_vector], axis=1), 1, rtol=1e-6)
    assert words.words_of("sky zebra").unknown == ("zebra",)
    assert words.words_of("").unknown == ("",)
    assert words.vector("sky less") is not None  # nearly opposite, not quite


@pytest.mark.parametrize("chunk", [1 << 21, 8 * 60])
def test_nearest_are_those_of_gensim(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexing.words.table._CHUNK_VALUES", chunk)
    monkeypatch.setattr("learners.words.embeddings._TAGS_AT_A_TIME", 2)
    words, keyed = drawn()
    tags = ["w7x", "w499x", "w0x"]
    for tag, near in zip(tags, words.neighbors(tags, 6), strict=True):
        expected = keyed.most_similar(tag, topn=6)
        assert [word for word, _ in near] == [word for word, _ in expected]
        np.testing.assert_allclose([c for _, c in near], [c for _, c in expected], rtol=1e-4)
        assert [word for word, _ in words.nearest(tag, 6)] == [word for word, _ in near]
    query = np.random.default_rng(1).normal(size=8)
    expected = keyed.similar_by_vector(query.astype(np.float32), topn=5)
    assert [w for w, _ in words.nearest(5 * query, 5)] == [w for w, _ in expected]
    few = keyed.most_similar("w7x", topn=3, restrict_vocab=50)
    assert [w for w, _ in words.nearest("w7x", 3, n_frequent=50)] == [w for w, _ in few]


def test_nearest_among_tags_leaves_out_what_the_tag_is_itself() -> None:
    words = words_of(tiger=[1, 0], tigers=[1, 0.01], lion=[1, 0.2], sky=[0, 1])
    assert [word for word, _ in words.nearest("tiger", 2)] == ["lion", "sky"]
    among = ["Tigers", "Sky", "no such word", "Lions"]
    assert [word for word, _ in words.nearest("tiger", 9, among=among)] == ["Lions", "Sky"]
    assert [word for word, _ in words.nearest(np.array([0, 1]), 1, among=among)] == ["Sky"]
    assert words.neighbors(["no such word", "sky"], 1, among=among)[0] == []


def test_bad_questions_are_refused() -> None:
    words = words_of(tiger=[1, 0], sky=[0, 1])
    with pytest.raises(InputError, match="'zebra' has no vector in a test"):
        words.nearest("zebra", 1)
    with pytest.raises(InputError, match=r"\(2,\) is accepted"):
        words.nearest(np.zeros(3), 1)
    with pytest.raises(InputError, match="n is 0"):
        words.nearest("sky", 0)


def test_the_default_knows_what_people_tag() -> None:
    words = open_word_vectors()
    assert words.n_dims == 50
    assert words.words_of("GoldenGateBridge").known == ("golden", "gate", "bridge")
    assert words.words_of("polar bears").known == ("polar", "bear")
    assert words.missing(["tiger", "dsc00231", "sunset beach"]) == ("dsc00231",)
    assert {word for word, _ in words.nearest("f-16", 3)} == {"f-15", "f-16s", "f-18"}
    assert [word for word, _ in words.nearest("cat", 1, among=["dog", "car", "sky"])] == ["dog"]
