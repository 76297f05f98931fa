import numpy as np
import pytest

from benchmarks.solving import PredictsQuantity
from indexing.errors import InputError, NotFittedError
from learners.base import Batch, TagMatrix
from learners.heads import Heads
from learners.metrics import quantities_to_emit
from learners.quantity import LabelQuantity


def drawn(n_images: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Pictures whose number of tags can be read from two of their values."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n_images, 6)).astype(np.float32)
    counts = np.clip(np.round(3 + 1.5 * features[:, 0] - features[:, 3]), 0, None)
    return features, counts.astype(np.int64)


def tags_of(counts: np.ndarray, n_tags: int = 12) -> TagMatrix:
    return TagMatrix.from_lists(
        range(len(counts)), [range(min(count, n_tags)) for count in counts], n_tags
    )


@pytest.fixture(scope="module")
def fitted() -> LabelQuantity:
    return LabelQuantity(epochs=12).fit(*drawn())


def test_quantities_are_predicted(fitted: LabelQuantity) -> None:
    features, counts = drawn(200, seed=1)
    quantities = fitted.predict(features)
    assert quantities.dtype == np.float64
    assert np.mean((quantities - counts) ** 2) < 0.4 * counts.var()
    emitted = quantities_to_emit(quantities, n_tags=12)
    assert np.mean(np.abs(emitted - counts) <= 1) > 0.8


def test_it_is_the_network_of_the_paper(fitted: LabelQuantity) -> None:
    arrays = fitted.to_arrays()
    shapes = [arrays[f"weights_{number}"].shape for number in range(3)]
    assert shapes == [(6, 512), (512, 256), (256, 1)]
    assert fitted.dropout == 0.5


def test_it_begins_at_the_mean() -> None:
    features, counts = drawn(60)
    quantities = (
        LabelQuantity(learning_rate=1e-12, epochs=1).fit(features, counts).predict(features)
    )
    np.testing.assert_allclose(quantities, counts.mean(), rtol=1e-6)


def test_pictures_that_look_alike_get_their_mean_and_not_their_median() -> None:
    counts = np.zeros(200, np.int64)
    counts[::10] = 10
    alike = np.ones((200, 3), np.float32)
    learned = LabelQuantity(learning_rate=0.02, dropout=0.0, held_out=0.0).fit(alike, counts)
    np.testing.assert_allclose(learned.predict(alike), 1.0, atol=0.3)


def test_it_is_saved_and_restored(fitted: LabelQuantity) -> None:
    features, _ = drawn(20, seed=1)
    again = LabelQuantity()
    again.restore(fitted.to_arrays("a_"), "a_")
    np.testing.assert_array_equal(again.predict(features), fitted.predict(features))


def test_it_is_reproducible_and_answers_one_by_one() -> None:
    features, counts = drawn(60)
    one, other, another = (
        LabelQuantity(epochs=2, seed=seed).fit(features, counts) for seed in (0, 0, 1)
    )
    quantities = one.predict(features)
    np.testing.assert_array_equal(other.predict(features), quantities)
    assert (another.predict(features) != quantities).any()
    alone = [one.predict(x[None])[0] for x in features]
    np.testing.assert_allclose(alone, quantities, atol=1e-5)


@pytest.mark.parametrize("n_images", [0, 1, 5])
def test_few_pictures(n_images: int) -> None:
    features, counts = drawn(n_images)
    quantities = LabelQuantity(epochs=2).fit(features, counts).predict(drawn(7, seed=1)[0])
    assert quantities.shape == (7,)
    assert np.isfinite(quantities).all()
    if n_images == 0:
        assert not quantities.any()


def test_as_a_part_of_heads() -> None:
    features, counts = drawn(120)
    batch, tags = Batch(features=features), tags_of(counts)
    learner = Heads(quantity="network", seed=3).fit(batch, tags)
    assert isinstance(learner, PredictsQuantity)
    alone = LabelQuantity(seed=3).fit(features, tags.toarray().sum(axis=1))
    np.testing.assert_array_equal(learner.predict_quantities(batch), alone.predict(features))
    plain = Heads(quantity="none").fit(batch, tags)
    np.testing.assert_allclose(plain.predict_quantities(batch), tags.indices.size / 120)
    np.testing.assert_array_equal(plain.predict_scores(batch), learner.predict_scores(batch))
    nobody = Batch(features=features[:0])
    assert learner.predict_quantities(nobody).shape == (0,)
    with pytest.raises(NotFittedError, match="'heads' has not been fitted"):
        Heads(quantity="network").predict_quantities(batch)


@pytest.mark.parametrize("quantity", ["auto", "network", "none"])
def test_heads_without_pictures_emit_nothing(quantity: str) -> None:
    features, _ = drawn(4)
    learner = Heads(quantity=quantity).fit(Batch(features=features[:0]), tags_of(np.zeros(0, int)))
    np.testing.assert_array_equal(learner.predict_quantities(Batch(features=features)), np.zeros(4))


def test_what_does_not_fit_is_refused(fitted: LabelQuantity) -> None:
    features, counts = drawn(5)
    with pytest.raises(InputError, match=r"shape \(5, 6\) with counts of shape \(4,\)"):
        LabelQuantity().fit(features, counts[:4])
    with pytest.raises(InputError, match=r"shape \(5, 5\) for a network of 6 values"):
        fitted.predict(features[:, :5])
    with pytest.raises(NotFittedError, match="asked before they were learned"):
        LabelQuantity().predict(features)
    with pytest.raises(InputError, match="dropout is 1; it is below 1"):
        LabelQuantity(dropout=1.0)
    with pytest.raises(InputError, match="epochs is 0; it is at least 1"):
        LabelQuantity(epochs=0)
