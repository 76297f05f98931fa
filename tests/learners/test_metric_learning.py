"""The learned map: its gradient, what it finds, and that it is the same twice."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from indexing.index import Neighbors
from learners.projection import LinearMap, Moments
from learners.tag_matrix import TagMatrix
from learners.tagprop import metric_fitting
from learners.tagprop.likelihood import Likelihood
from learners.tagprop.metric_fitting import MetricChoice, fit_metric
from learners.tagprop.metric_learning import (
    MetricSettings,
    Start,
    Starts,
    _Adam,
    _Descent,
    learn_map,
)
from learners.tagprop.searching import nearest_among

N_IMAGES, N_IN, N_TAGS = 60, 8, 4
PLAIN = MetricSettings(dropout=0.0, batch_size=1_000, n_neighbors=1_000)


def pictures(
    seed: int = 0, n_images: int = N_IMAGES, noise: float = 4.0
) -> tuple[np.ndarray, TagMatrix, np.ndarray]:
    """Pictures that two directions tell apart, under louder ones that say nothing."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, N_TAGS, n_images)
    angle = kind * 2 * np.pi / N_TAGS
    features = noise * rng.normal(size=(n_images, N_IN))
    features[:, :2] = 2 * np.stack([np.cos(angle), np.sin(angle)], 1)
    features[:, :2] += 0.5 * rng.normal(size=(n_images, 2))
    mixing = np.linalg.qr(np.random.default_rng(1).normal(size=(N_IN, N_IN)))[0]
    tags = TagMatrix.from_lists(range(n_images), [[one] for one in kind], N_TAGS)
    return (features @ mixing).astype(np.float32), tags, kind


def agreement(fitted: LinearMap, seed: int = 5) -> float:
    """Share of the five nearest that are of a new picture's kind."""
    features, _, kind = pictures(n_images=300)
    new, _, truth = pictures(seed)
    found = nearest_among(fitted(new), fitted(features), 5)
    return float((kind[found.rows] == truth[:, None]).mean())


def literal_loss(
    features: np.ndarray,
    tags: TagMatrix,
    groups: np.ndarray,
    fitted: LinearMap,
    scalars: np.ndarray,
) -> float:
    """Minus the log-likelihood of all pictures, every other one a voter, in float64."""
    z = (features.astype(float) - fitted.mean) @ fitted.matrix.astype(float)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    energy = -np.exp(scalars[0]) * (1 - z @ z.T)
    energy[groups[:, None] == groups] = -np.inf
    weights = np.exp(energy)
    weights /= weights.sum(axis=1, keepdims=True)
    logit = np.exp(scalars[1]) * (weights @ tags.toarray()) + scalars[2]
    is_true = tags.toarray()
    lost = np.where(is_true, np.logaddexp(0, -logit), np.logaddexp(0, logit))
    return float(lost[is_true].mean() + lost[~is_true].mean())


def test_the_gradient_equals_finite_differences() -> None:
    features, tags, _ = pictures()
    groups = np.arange(N_IMAGES) // 2 * 2  # pictures come in pairs of copies
    rng = np.random.default_rng(2)
    first = LinearMap(features.mean(axis=0), rng.normal(size=(N_IN, 3)).astype(np.float32))
    start = Start(sharpness=6.0, slope=4.0, offset=-1.5)
    descent = _Descent(features, tags, groups, first, start, PLAIN)
    scalars = np.array([np.log(6.0), np.log(4.0), -1.5])
    by_map, by_scalars = descent._gradient(np.arange(N_IMAGES))
    for place in np.ndindex(first.matrix.shape):
        step = np.zeros((N_IN, 3), np.float32)
        step[place] = 1e-2
        ends = [
            literal_loss(features, tags, groups, replace(first, matrix=first.matrix + s), scalars)
            for s in (step, -step)
        ]
        assert by_map[place] == pytest.approx((ends[0] - ends[1]) / 2e-2, rel=2e-3, abs=2e-5)
    for place in range(3):
        step = np.zeros(3)
        step[place] = 1e-5
        ends = [literal_loss(features, tags, groups, first, scalars + s) for s in (step, -step)]
        assert by_scalars[place] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4, abs=1e-7)


def test_the_loss_of_the_steps_is_that_of_the_likelihood() -> None:
    features, tags, _ = pictures()
    groups = np.arange(N_IMAGES)
    first = LinearMap(features.mean(axis=0), np.eye(N_IN, 3, dtype=np.float32))
    scalars = np.array([1.0, 1.0, -1.0])
    z = (features - first.mean) @ first.matrix
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    voters = np.array([[j for j in groups if j != i] for i in groups])
    distances = 1 - np.take_along_axis((z @ z.T).astype(float), voters, axis=1)
    weights = np.exp(-np.e * distances)
    weights /= weights.sum(axis=1, keepdims=True)
    likelihood = Likelihood(positions=voters.astype(np.int32), tags=tags, truth=tags)
    looked = likelihood.look(weights, (np.full(N_TAGS, np.e), np.full(N_TAGS, -1.0)))
    expected = literal_loss(features, tags, groups, first, scalars)
    assert looked.loss == pytest.approx(expected, rel=1e-5)


def test_steps_are_those_of_adam() -> None:
    import torch

    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(5, 3, 2)).astype(np.float32)
    parameter = torch.zeros(3, 2, requires_grad=True)
    adam = torch.optim.Adam([parameter], lr=0.02, eps=1e-12)
    ours, at = _Adam((3, 2), 0.02), np.zeros((3, 2), np.float32)
    for gradient in gradients:
        parameter.grad = torch.from_numpy(gradient.copy())
        adam.step()
        at += ours(gradient.copy())
    np.testing.assert_allclose(at, parameter.detach().numpy(), rtol=1e-4)


def test_the_closed_form_has_the_shares_that_it_says() -> None:
    features, tags, _ = pictures(n_images=300)
    starts = Starts(Moments.of(features, tags), 6)
    fitted = starts(0.1, 2)
    mapped = fitted(features)
    squares = np.square(mapped - mapped.mean(axis=0)).mean(axis=0)
    assert mapped.shape == (300, 6)
    assert squares[:2].sum() == pytest.approx(0.7, rel=1e-3)
    assert squares[2:].sum() == pytest.approx(0.3, rel=1e-3)


def test_the_closed_form_along_a_basis_is_the_same() -> None:
    rng = np.random.default_rng(4)
    features = rng.normal(1, 1, size=(20, 50)).astype(np.float32)
    present = rng.random((20, 3)) < 0.5
    tags = TagMatrix.from_lists(range(20), [np.flatnonzero(one) for one in present], 3)
    basis = np.linalg.qr(features.T)[0]
    whole = Starts(Moments.of(features, tags), 5)(0.3, 3)
    along = Starts(Moments.of(features @ basis, tags), 5, basis)(0.3, 3)
    new = rng.normal(1, 1, size=(30, 50)).astype(np.float32)
    for asked in (features, new):
        one, other = whole(asked), along(asked)
        # The sign of a direction is arbitrary: distances are not.
        np.testing.assert_allclose(other @ other.T, one @ one.T, rtol=1e-2, atol=2e-3)


def test_gradient_steps_find_what_the_features_hide() -> None:
    features, tags, _ = pictures(n_images=300)
    rng = np.random.default_rng(3)
    first = LinearMap(features.mean(axis=0), rng.normal(size=(N_IN, 4)).astype(np.float32))
    settings = MetricSettings(n_neighbors=50, learning_rate=0.05, dropout=0.1)
    steps = learn_map(features, tags, np.arange(300), first, Start(), settings)
    last = next(islice(steps, 9, None))
    assert agreement(first) < 0.5
    assert agreement(last) > 0.8


@pytest.mark.parametrize("n_rounds", [0, None])
def test_a_fitted_map_beats_the_features_and_comes_out_the_same_twice(n_rounds: int | None) -> None:
    features, tags, _ = pictures(n_images=300)
    choice = MetricChoice(n_rounds=n_rounds)
    settings = MetricSettings(n_neighbors=30)
    one, other = (
        fit_metric(features, tags, np.arange(300), choice, settings, 5, lambda *_: None)
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.map.matrix, other.map.matrix)
    assert one.choice == other.choice
    assert agreement(one.map) > 0.85 > agreement(LinearMap(one.map.mean, np.eye(N_IN, dtype="f4")))


def test_neighbours_are_found_by_maps_that_have_not_seen_the_picture() -> None:
    features, tags, _ = pictures(n_images=100)
    groups = np.arange(100) // 2 * 2
    settings = MetricSettings(n_neighbors=30)
    choice = MetricChoice(regularization=0.3, n_supervised=3, n_rounds=0)
    found = fit_metric(features, tags, groups, choice, settings, 5, lambda *_: None)
    np.testing.assert_array_equal(found.asked, np.arange(100))
    for position, rows in zip(found.asked, found.neighbors.rows, strict=True):
        assert not set(groups[rows].tolist()) & {int(groups[position])}


@pytest.mark.parametrize("n_rounds", [0, 2])
def test_random_labels_are_told_no_better_than_chance_across_folds(n_rounds: int) -> None:
    # So many values that a map can tell any labels apart of the pictures that it was fitted on.
    rng = np.random.default_rng(77)
    features = rng.normal(size=(120, 400)).astype(np.float32)
    labels = rng.integers(0, 2, 120)
    tags = TagMatrix.from_lists(range(120), [[one] for one in labels], 2)
    choice = MetricChoice(regularization=0.1, n_supervised=3, n_rounds=n_rounds)
    settings = MetricSettings(n_neighbors=30, learning_rate=0.1)
    found = fit_metric(features, tags, np.arange(120), choice, settings, 5, lambda *_: None)
    alike = labels[found.neighbors.rows[:, :5]] == labels[found.asked][:, None]
    assert 0.35 < alike.mean() < 0.65
    own = nearest_among(found.map(features), found.map(features), 6).rows[:, 1:]
    assert (labels[own] == labels[:, None]).mean() > 0.8


def test_no_copy_votes_while_a_map_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    features, tags, _ = pictures(n_images=100)
    twice = np.repeat(features, 2, axis=0)
    doubled = TagMatrix.from_lists(
        range(200), [tags.tags_of(place // 2) for place in range(200)], N_TAGS
    )
    seen = []
    plain = _Descent._voters

    def watched(self: _Descent, z: np.ndarray, asking: np.ndarray) -> tuple:
        voters, cosines = plain(self, z, asking)
        seen.append((voters // 2 == (asking // 2)[:, None]).any())
        return voters, cosines

    monkeypatch.setattr(_Descent, "_voters", watched)
    first = LinearMap(features.mean(axis=0), np.eye(N_IN, 4, dtype=np.float32))
    settings = MetricSettings(n_neighbors=20, n_steps=3)
    for groups, votes in ((np.arange(200) // 2, False), (np.arange(200), True)):
        next(learn_map(twice, doubled, groups, first, Start(), settings))
        assert seen[-3:] == [votes] * 3


@pytest.mark.parametrize("n_supervised", [0, 2, 5])
def test_maps_across_folds_are_as_wide_as_the_last(
    n_supervised: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, tags, _ = pictures(n_images=100)
    widths = []
    plain = metric_fitting.nearest_among

    def seen(queries: np.ndarray, vectors: np.ndarray, n: int) -> Neighbors:
        widths.append(vectors.shape[1])
        return plain(queries, vectors, n)

    monkeypatch.setattr(metric_fitting, "nearest_among", seen)
    choice = MetricChoice(regularization=0.3, n_supervised=n_supervised, n_rounds=0)
    settings = MetricSettings(n_neighbors=9)
    found = fit_metric(features, tags, np.arange(100), choice, settings, 6, lambda *_: None)
    assert set(widths) == {found.map.matrix.shape[1]} == {6}


def test_only_some_are_asked_where_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    features, tags, kind = pictures(n_images=300)
    monkeypatch.setattr(metric_fitting, "MOST_ASKED", 50)
    monkeypatch.setattr(metric_fitting, "MOST_TAUGHT", 100)
    choice = MetricChoice(n_rounds=1)
    settings = MetricSettings(n_neighbors=9)
    found = fit_metric(features, tags, np.arange(300), choice, settings, 4, lambda *_: None)
    assert len(found.asked) == len(found.neighbors.rows) == 50
    assert (np.diff(found.asked) > 0).all()
    assert (kind[found.neighbors.rows[:, :3]] == kind[found.asked][:, None]).mean() > 0.7


def test_pictures_that_are_all_alike_leave_no_direction() -> None:
    tags = TagMatrix.from_lists(range(60), [[place % 3] for place in range(60)], 3)
    alike = np.full((60, 12), 0.1, np.float32)
    settings = MetricSettings(n_neighbors=9)
    found = fit_metric(alike, tags, np.arange(60), MetricChoice(), settings, 4, lambda *_: None)
    assert found.map.matrix.shape == (12, 0)


def test_what_is_best_across_folds_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    features, tags, _ = pictures(n_images=60)
    folds = metric_fitting._Fold
    asked: list[object] = []

    def worth(self: object, choice: MetricChoice) -> float:
        asked.append(self)
        best = choice.regularization == 1.0, choice.n_supervised == round(0.4 * 5)
        return 0.3 * best[0] + 0.1 * best[1]

    rounds = iter([*([0.9, 0.8], [0.7, 0.7], [0.6, 0.7], [0.65, 0.66], [0.8, 0.9])])
    lost: dict[object, list[float]] = {}

    def loss(self: object, fitted: LinearMap) -> float:
        lost.setdefault(self, [])
        number = len(lost[self])
        if number == len(curves[0]):
            return 1.0
        lost[self].append(0)
        return curves[list(lost).index(self)][number]

    curves = list(zip(*rounds, strict=True))
    monkeypatch.setattr(folds, "closed_form", worth)
    monkeypatch.setattr(folds, "loss", loss)
    settings = MetricSettings(n_neighbors=9, n_steps=1)
    told: list[tuple[str, int, int]] = []
    found = fit_metric(
        features,
        tags,
        np.arange(60),
        MetricChoice(),
        settings,
        5,
        lambda *stage: told.append(stage),
    )
    # The sums of two folds: 1.7, 1.4, 1.3, 1.31, 1.7; one fold alone would say otherwise.
    assert found.choice == MetricChoice(regularization=1.0, n_supervised=2, n_rounds=2)
    assert len(set(map(id, asked))) == 5
    assert len(lost) == 2
    closed_forms = [done for stage, done, total in told if stage == "metric: closed forms"]
    assert closed_forms == list(range(2 * 3 * 5))


@pytest.mark.parametrize("changed", [{"seed": 1}, {"dropout": 0.1}, {"learning_rate": 0.02}])
def test_every_setting_of_the_steps_is_read(changed: dict) -> None:
    features, tags, _ = pictures()
    first = LinearMap(features.mean(axis=0), np.eye(N_IN, 4, dtype=np.float32))
    settings = MetricSettings(n_neighbors=20, n_steps=2, batch_size=30)
    one, other, again = (
        next(learn_map(features, tags, np.arange(N_IMAGES), first, Start(), some)).matrix
        for some in (settings, replace(settings, **changed), settings)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_a_sample_that_asks_stands_for_all() -> None:
    features, tags, _ = pictures()
    first = LinearMap(features.mean(axis=0), np.eye(N_IN, 4, dtype=np.float32))
    descent = _Descent(features, tags, np.arange(N_IMAGES), first, Start(), PLAIN)
    halves = np.arange(0, N_IMAGES, 2), np.arange(1, N_IMAGES, 2)
    whole = descent._gradient(np.arange(N_IMAGES))
    parts = [descent._gradient(half) for half in halves]
    for place in range(2):
        mean = (parts[0][place] + parts[1][place]) / 2
        np.testing.assert_allclose(mean, whole[place], rtol=1e-3, atol=1e-5)
