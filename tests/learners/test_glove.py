"""GloVe from scratch: counts by hand, the loss as printed, its gradient, and what it learns."""

import itertools
import math

import numpy as np
import pytest

from indexing.errors import InputError
from indexing.words.table import make_word_table
from learners.words import WordVectors
from learners.words.glove import (
    Cooccurrences,
    GloveSettings,
    count_cooccurrences,
    fit_glove,
    glove_loss,
)
from learners.words.texts import training_words


def as_dict(found: Cooccurrences) -> dict[tuple[str, str], float]:
    return {
        (found.words[i], found.words[j]): weight
        for i, j, weight in zip(found.rows, found.columns, found.weights, strict=True)
    }


def test_pairs_of_tags_and_of_near_words_are_counted() -> None:
    found = count_cooccurrences(
        [["sea", "sand", "sea"], ["sea", "sky"], ["sky"]],
        [["sea", "sun", "sun", "sky"]],
        window=2,
    )
    assert found.words == ("sea", "sky", "sun", "sand")
    assert found.counts.tolist() == [3, 3, 2, 1]
    expected = {
        ("sea", "sand"): 1.0,
        ("sea", "sky"): 1.0,  # three words apart in the text: outside the window
        ("sea", "sun"): 1 + 1 / 2,
        ("sun", "sky"): 1 + 1 / 2,
    }
    both = expected | {(b, a): weight for (a, b), weight in expected.items()}
    assert as_dict(found) == pytest.approx(both)


def test_rare_words_are_left_out_before_anything_is_counted() -> None:
    found = count_cooccurrences([], [["sea", "rare", "sky"], ["sky", "sea"]], min_count=2)
    # Without the word between them they stand side by side.
    assert as_dict(found) == {("sea", "sky"): 2.0, ("sky", "sea"): 2.0}
    with pytest.raises(InputError, match="no two occur together"):
        count_cooccurrences([["sea"], ["sky"]])


def drawn(n_words: int = 6, n_dims: int = 3):
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(n_words)]
    sets = [rng.choice(words, size=3, replace=False).tolist() for _ in range(15)]
    vectors = [rng.normal(size=(n_words, n_dims)) for _ in range(2)]
    offsets = [rng.normal(size=n_words) for _ in range(2)]
    given, is_given = rng.normal(size=(n_words, n_dims)), rng.random(n_words) < 0.5
    return count_cooccurrences(sets), (*vectors, *offsets), given, is_given


def literal_loss(found, vectors, settings, given, is_given) -> float:
    words, contexts, b, c = vectors
    loss = 0.0
    for i, j, x in zip(found.rows, found.columns, found.weights, strict=True):
        f = (x / settings.x_max) ** settings.alpha if x < settings.x_max else 1.0
        loss += f * (float(words[i] @ contexts[j]) + b[i] + c[j] - math.log(x)) ** 2
    for i in np.flatnonzero(is_given):
        loss += settings.closeness * sum((words[i] + contexts[i] - given[i]) ** 2)
    return loss


def test_the_loss_is_as_printed_and_its_gradient_that_of_differences() -> None:
    found, vectors, given, is_given = drawn()
    settings = GloveSettings(x_max=3, alpha=0.6, closeness=0.7)
    loss, gradients = glove_loss(found, vectors, settings, given, is_given)
    assert loss == pytest.approx(literal_loss(found, vectors, settings, given, is_given))
    step = 1e-6
    for part, gradient in zip(vectors, gradients, strict=True):
        assert gradient.shape == part.shape
        for place in itertools.product(*map(range, part.shape)):
            kept = part[place]
            ends = []
            for moved in (kept + step, kept - step):
                part[place] = moved
                ends.append(literal_loss(found, vectors, settings, given, is_given))
            part[place] = kept
            slope = (ends[0] - ends[1]) / (2 * step)
            assert gradient[place] == pytest.approx(slope, rel=1e-4, abs=1e-5)


def test_one_step_of_adagrad_by_hand() -> None:
    found = count_cooccurrences([["sea", "sky"]])
    settings = GloveSettings(n_dims=1, epochs=1, learning_rate=0.5, x_max=1, seed=4)
    rng = np.random.default_rng(4)
    words, contexts = ((rng.random((2, 1)) - 0.5) / 1 for _ in range(2))
    # log 1 = 0 and the offsets start at 0: the error of (i, j) is w_i c_j.
    slope = np.array([2 * words[0, 0] * contexts[1, 0], 2 * words[1, 0] * contexts[0, 0]])
    of_words = slope * contexts[[1, 0], 0]
    of_contexts = slope[[1, 0]] * words[[1, 0], 0]
    moved = words[:, 0] - 0.5 * of_words / np.sqrt(1 + of_words**2)
    moved += contexts[:, 0] - 0.5 * of_contexts / np.sqrt(1 + of_contexts**2)
    np.testing.assert_allclose(fit_glove(found, settings)[:, 0], moved, rtol=1e-5)


def planted():
    """Tags of two kinds of pictures; "surf" and "wave" never meet, but meet the same tags."""
    rng = np.random.default_rng(1)
    kinds = (("sea", "sand", "shell", "gull"), ("street", "car", "house", "sign"))
    sets = []
    for _ in range(300):
        kind = rng.integers(2)
        tags = rng.choice(kinds[kind], size=3, replace=False).tolist()
        sets.append([*tags, str(rng.choice(("surf", "wave") if kind == 0 else ("bus", "tram")))])
    return sets


def test_words_of_like_company_come_to_lie_near() -> None:
    found = count_cooccurrences(planted())
    assert ("surf", "wave") not in as_dict(found)
    stages = []
    vectors = fit_glove(
        found, GloveSettings(n_dims=8), on_progress=lambda *told: stages.append(told)
    )
    assert stages[-1] == ("word vectors", 200, 200)
    words = WordVectors(make_word_table(found.words, vectors, "planted"))
    cosine = dict(words.nearest("surf", 20))
    assert cosine["wave"] > max(cosine["bus"], cosine["tram"]) + 0.2
    np.testing.assert_array_equal(fit_glove(found, GloveSettings(n_dims=8)), vectors)


def test_given_vectors_are_kept_to_and_new_words_find_their_place() -> None:
    found = count_cooccurrences(planted())
    rng = np.random.default_rng(3)
    given = rng.normal(size=(len(found.words), 8)).astype(np.float32)
    is_given = np.array([word != "wave" for word in found.words])
    distances = []
    for closeness in (0.0, 10.0, 1000.0):
        settings = GloveSettings(closeness=closeness)
        vectors = fit_glove(found, settings, given, is_given)
        assert vectors.shape == given.shape
        distances.append(float(np.linalg.norm((vectors - given)[is_given], axis=1).mean()))
    assert distances[0] > 5 * distances[1] > 5 * distances[2]
    with pytest.raises(InputError, match="a row a word"):
        fit_glove(found, None, given[1:], is_given)


def test_words_of_texts_are_lemmas_without_stop_words() -> None:
    assert training_words("The geese were flying over two of the SKIES!") == [
        *("goose", "flying", "two", "sky")
    ]
    assert training_words("new-york 2010 my_tag café") == ["new", "york", "tag", "café"]
    assert training_words("it is 42") == []


def test_bad_settings_are_refused() -> None:
    for name, value in (("n_dims", 0), ("window", 0), ("x_max", 0), ("closeness", -1)):
        with pytest.raises(InputError, match=name):
            GloveSettings(**{name: value})
