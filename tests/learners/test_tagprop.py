"""TagProp as a learner: what it votes with, what it never does, and what is left when data fail."""

import subprocess
import sys

import numpy as np
import pytest

from indexing.errors import ArtifactError, InputError
from indexing.index import Neighbors
from learners.base import Batch, Needs
from learners.metrics import Judged, parse_measure
from learners.tag_matrix import TagMatrix
from learners.tagprop import TagProp, VoteWeights
from learners.tagprop.fitting import fit_weights
from learners.tagprop.likelihood import Likelihood
from learners.tagprop.searching import leave_one_out, nearest_among, separate_groups
from learners.tagprop.spaces import BlockScaling
from learners.tagprop.weighting import ByDistance
from learners.votes import voters
from tests.reference import tagprop as reference

N_DIMS, BLOCKS = 12, (4, 8)
every_variant = pytest.mark.parametrize("weights", list(VoteWeights))


def matrix(present: np.ndarray, owners: np.ndarray | None = None) -> TagMatrix:
    rows = 3 * np.arange(len(present)) + 1  # ids are no positions
    lists = [np.flatnonzero(one) for one in present]
    return TagMatrix.from_lists(rows, lists, present.shape[1], owners)


def planted(
    n_images: int = 120, n_tags: int = 5, seed: int = 0, noise: float = 3.0
) -> tuple[np.ndarray, np.ndarray]:
    """Pictures whose first block says which tag they have, under other blocks that say nothing."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, n_tags, n_images)
    features = noise * rng.normal(size=(n_images, N_DIMS))
    centers = np.random.default_rng(99).normal(size=(n_tags, BLOCKS[0]))
    features[:, : BLOCKS[0]] = centers[kind] + 0.4 * rng.normal(size=(n_images, BLOCKS[0]))
    return features.astype(np.float32), np.arange(n_tags) == kind[:, None]


def batch(
    learner: TagProp, features: np.ndarray, tags: TagMatrix, groups: np.ndarray | None = None
) -> Batch:
    """What the learner is fitted on."""
    if learner.fit_needs is Needs.FEATURES:
        return Batch(features=features, groups=groups, blocks=BLOCKS)
    own = separate_groups(groups, tags.n_images)
    return Batch(neighbors=by_id(leave_one_out(features, own, learner.n_neighbors), tags))


def by_id(found: Neighbors, tags: TagMatrix) -> Neighbors:
    rows = [[int(tags.rows[place]) if place >= 0 else -1 for place in line] for line in found.rows]
    return Neighbors(np.array(rows, np.int64).reshape(found.rows.shape), found.distances)


def asked(learner: TagProp, features: np.ndarray, known: np.ndarray) -> Batch:
    """The neighbours of pictures, in the learner's own space where it has one."""
    space = learner.space or (lambda vectors: vectors)
    found = nearest_among(space(features), space(known), learner.n_neighbors)
    return Batch(neighbors=by_id(found, learner.tags_))


def average_precision(scores: np.ndarray, truth: np.ndarray) -> float:
    judged = Judged(scores=scores, truth=truth)
    return parse_measure("map").apply(judged).value


def leave_one_out_scores(
    learner: TagProp, features: np.ndarray, groups: np.ndarray | None = None
) -> np.ndarray:
    space = learner.space or (lambda vectors: vectors)
    own = separate_groups(groups, len(features))
    found = leave_one_out(space(features), own, learner.n_neighbors)
    return learner.predict_scores(Batch(neighbors=by_id(found, learner.tags_)))


@every_variant
@pytest.mark.parametrize("sigmoids", [True, False])
def test_scores_equal_the_literal_loop(weights: VoteWeights, sigmoids: bool) -> None:
    features, present = planted()
    tags = matrix(present, owners=np.arange(len(present)) // 2)
    learner = TagProp(weights=weights, sigmoids=sigmoids, n_neighbors=9, n_dims=6, n_rounds=1)
    learner.fit(batch(learner, features, tags), tags)
    question = asked(learner, planted(seed=1)[0], features)
    expected = reference.scores(question.neighbors, tags, learner)
    scores = learner.predict_scores(question)
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)
    parts = learner.sources(question)
    np.testing.assert_allclose(sum(parts.values()), scores, rtol=1e-5, atol=1e-5)
    voters = learner.voters(question.neighbors)
    np.testing.assert_allclose(voters.weights.sum(axis=1), 1, rtol=1e-5)
    # Weights times tags are the vote.
    has_tag = np.where(voters.positions[..., None] >= 0, present[voters.positions], False)
    votes = np.einsum("qk,qkt->qt", voters.weights, has_tag)
    np.testing.assert_allclose(learner.votes(question.neighbors), votes, atol=1e-6)


@every_variant
def test_random_labels_are_not_learned(weights: VoteWeights) -> None:
    rng = np.random.default_rng(3)
    features = rng.normal(size=(150, N_DIMS)).astype(np.float32)
    present = rng.random((150, 4)) < 0.3
    tags = matrix(present)
    learner = TagProp(weights=weights, n_neighbors=15, n_dims=8)
    learner.fit(batch(learner, features, tags), tags)
    if weights is VoteWeights.METRIC:
        # A map may bend to labels that it was fitted on: what is asked must be new.
        held_out = rng.normal(size=(150, N_DIMS)).astype(np.float32)
        scores = learner.predict_scores(asked(learner, held_out, features))
        truth = rng.random((150, 4)) < 0.3
    else:
        scores, truth = leave_one_out_scores(learner, features), present
    # Voting for itself would give 1.
    assert 0.2 < average_precision(scores, truth) < 0.45


@pytest.mark.parametrize("weights", [VoteWeights.DISTANCES, VoteWeights.METRIC])
def test_a_copy_of_a_picture_teaches_nothing_about_it(weights: VoteWeights) -> None:
    rng = np.random.default_rng(4)
    half = rng.normal(size=(60, N_DIMS)).astype(np.float32)
    features, present = np.tile(half, (2, 1)), np.tile(rng.random((60, 3)) < 0.4, (2, 1))
    tags, groups = matrix(present), np.tile(np.arange(60), 2)
    found: dict[bool, float] = {}
    for knows in (True, False):
        learner = TagProp(weights=weights, sigmoids=False, n_neighbors=8, n_dims=6, n_rounds=0)
        learner.fit(batch(learner, features, tags, groups if knows else None), tags)
        found[knows] = float(learner.params_[0])
    # Copies that voted for each other would make the nearest voter all that counts.
    assert found[True] < 10 < 3 * found[True] + 30 < found[False] + 30
    assert found[False] > 4 * found[True]


@every_variant
@pytest.mark.parametrize("sigmoids", [True, False])
@pytest.mark.parametrize(
    ("n_images", "n_tags", "n_neighbors"),
    [(0, 3, 5), (1, 1, 1), (2, 1, 1), (4, 2, 10), (30, 1, 1), (30, 0, 4), (30, 3, 200)],
)
def test_small_corpora(
    weights: VoteWeights, sigmoids: bool, n_images: int, n_tags: int, n_neighbors: int
) -> None:
    features, _ = planted(max(n_images, 3))
    features = features[:n_images]
    rng = np.random.default_rng(0)
    tags = matrix(rng.random((n_images, n_tags)) < 0.5)
    learner = TagProp(
        weights=weights, sigmoids=sigmoids, n_neighbors=n_neighbors, n_dims=4, n_rounds=1
    )
    learner.fit(batch(learner, features, tags), tags)
    scores = learner.predict_scores(asked(learner, planted(3)[0], features))
    assert scores.shape == (3, n_tags)
    assert np.isfinite(scores).all()


@every_variant
def test_a_tag_that_nobody_has_and_one_that_everybody_has(weights: VoteWeights) -> None:
    features, present = planted()
    present = np.hstack([present, np.zeros((len(present), 1), bool), np.ones((len(present), 1))])
    tags = matrix(present.astype(bool))
    learner = TagProp(weights=weights, n_neighbors=20, n_dims=6, n_rounds=1)
    learner.fit(batch(learner, features, tags), tags)
    scores = learner.predict_scores(asked(learner, planted(seed=1)[0], features))
    assert np.isfinite(scores).all()
    assert (scores[:, -1] > scores[:, -2] + 2).all()
    assert (scores[:, -1] > np.median(scores, axis=1) + 2).all()
    assert (scores[:, -2] <= scores[:, :-2].max(axis=1)).all()


@every_variant
def test_a_corpus_of_one_picture_many_times(weights: VoteWeights) -> None:
    features = np.ones((20, N_DIMS), np.float32)
    tags = matrix(np.ones((20, 2), bool))
    learner = TagProp(weights=weights, n_neighbors=5, n_dims=4)
    learner.fit(batch(learner, features, tags, np.zeros(20, np.int64)), tags)
    assert np.isfinite(learner.predict_scores(asked(learner, features, features))).all()


def test_a_sharpness_for_each_distance_finds_the_block_that_tells() -> None:
    features, present = planted()
    tags = matrix(present)
    new, truth = planted(seed=1)
    found = {}
    for weights in (VoteWeights.DISTANCE, VoteWeights.DISTANCES):
        learner = TagProp(weights=weights, n_neighbors=30)
        learner.fit(batch(learner, features, tags), tags)
        found[weights] = average_precision(
            learner.predict_scores(asked(learner, new, features)), truth
        )
    assert isinstance(learner.space, BlockScaling)
    assert learner.space.scales[0] ** 2 > 0.9
    assert found[VoteWeights.DISTANCES] > 0.9 > found[VoteWeights.DISTANCE] + 0.2


def test_an_owner_votes_once() -> None:
    features, present = planted()
    tags = matrix(present, owners=np.repeat(np.arange(12), 10))
    learner = TagProp(n_neighbors=8, unique_owner=True)
    learner.fit(batch(learner, features, tags), tags)
    question = asked(learner, features[:5], features)
    wide = TagProp(n_neighbors=120).fit(batch(TagProp(n_neighbors=120), features, tags), tags)
    voters = learner.voters(asked(wide, features[:5], features).neighbors)
    for positions in voters.positions:
        assert len({int(tags.owners[j]) for j in positions if j >= 0}) == 8
    expected = reference.scores(question.neighbors, tags, learner)
    np.testing.assert_allclose(learner.predict_scores(question), expected, rtol=1e-5)


def test_what_is_new_shares_the_common_sigmoid() -> None:
    features, present = planted()
    tags = matrix(present)
    learner = TagProp(n_neighbors=20, shrinkage=1)
    learner.fit(batch(learner, features, tags), tags)
    now = matrix(np.hstack([np.zeros((120, 1), bool), present[:, ::-1]]))
    again = learner.rebased(now, np.array([-1, 4, 3, 2, 1, 0]))
    question = asked(learner, planted(seed=1)[0], features)
    before, after = learner.predict_scores(question), again.predict_scores(question)
    np.testing.assert_array_equal(after[:, 1:], before[:, ::-1])
    np.testing.assert_allclose(after[:, 0], learner.shared_[1], rtol=1e-6)
    assert again.slopes_[0] == learner.shared_[0]
    np.testing.assert_array_equal(learner.predict_scores(question), before)


def test_a_second_fit_need_not_choose_again() -> None:
    features, present = planted()
    tags = matrix(present)
    first = TagProp(weights="metric", n_neighbors=20, n_dims=6)
    first.fit(batch(first, features, tags), tags)
    chosen = first.refit_params()
    assert set(chosen) == {"regularization", "n_supervised", "n_rounds"}
    assert None not in chosen.values()
    second = TagProp(**{**first.params(), **chosen})
    second.fit(batch(second, features, tags), tags)
    np.testing.assert_allclose(second.space.matrix, first.space.matrix)
    np.testing.assert_allclose(second.params_, first.params_, rtol=1e-5)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"weights": "ranks"}, "weights is 'ranks'; it is one of rank, distance, distances"),
        ({"sigmoids": 1}, "sigmoids is 1; it is True or False"),
        ({"shrinkage": -1}, "shrinkage is -1; it is a number of at least 0"),
        ({"regularization": 0}, "regularization is 0; it is a number above 0"),
        ({"n_rounds": -1}, "n_rounds is -1; it is at least 0"),
        ({"n_dims": 0}, "n_dims is 0; it is at least 1"),
    ],
)
def test_values_that_are_not_accepted(params: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        TagProp(**params)


def test_answering_imports_nothing_that_training_needs() -> None:
    program = (
        "import sys, numpy as np; from learners.base import TagLearner; import learners.tagprop;"
        "print(*[m for m in ('numba', 'scipy', 'torch', 'sklearn') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == []


def test_an_owner_votes_once_in_fitting_too() -> None:
    rng = np.random.default_rng(6)
    features, present = planted()
    # Everybody's nearest pictures are one owner's, and carry tags at random.
    features = np.vstack([features, features + 0.01]).astype(np.float32)
    present = np.vstack([present, rng.permuted(present, axis=0)])
    owners = np.concatenate([np.arange(120), np.full(120, 999)])
    tags = matrix(present, owners)
    fitted = {}
    for rule in (True, False):
        learner = TagProp(weights="distances", sigmoids=False, n_neighbors=10, unique_owner=rule)
        fitted[rule] = learner.fit(batch(learner, features, tags), tags).params_[0]
    assert fitted[True] != pytest.approx(fitted[False], rel=0.05)


@pytest.mark.parametrize("name", ["params", "slopes", "offsets", "shared", "mean", "matrix"])
def test_a_state_that_does_not_fit_is_refused(name: str) -> None:
    features, present = planted()
    tags = matrix(present)
    learner = TagProp(weights="metric", n_neighbors=9, n_dims=4, n_rounds=0)
    head, arrays = learner.fit(batch(learner, features, tags), tags).state()
    with pytest.raises(ArtifactError, match=r"a saved learner 'tagprop' .* train"):
        TagProp.from_state(head, {**arrays, name: arrays[name][:-1][None]})
    if name in ("slopes", "offsets"):
        wrong = arrays[name].copy()
        wrong[0] = np.nan
        with pytest.raises(ArtifactError, match=f"whose {name} .* not finite"):
            TagProp.from_state(head, {**arrays, name: wrong})


@every_variant
def test_more_neighbours_than_pictures_cost_nothing(weights: VoteWeights) -> None:
    features, present = planted(30)
    tags = matrix(present)
    few, many = (TagProp(weights=weights, n_neighbors=n, n_dims=4, n_rounds=1) for n in (30, 10**9))
    few.fit(batch(few, features, tags), tags)
    if many.fit_needs is Needs.FEATURES:
        many.fit(batch(many, features, tags), tags)
    else:
        many.fit(batch(few, features, tags), tags)
    question = asked(few, planted(5, seed=1)[0], features)
    np.testing.assert_array_equal(few.predict_scores(question), many.predict_scores(question))
    assert many.voters(question.neighbors).positions.shape == (5, 30)


def test_together_or_one_after_the_other() -> None:
    features, present = planted()
    tags = matrix(present)
    learner = TagProp(n_neighbors=20, shrinkage=2)
    given = batch(learner, features, tags)
    found = voters(given.neighbors, tags, 20)
    likelihood = Likelihood(positions=found.positions.astype(np.int32), tags=tags, truth=tags)
    weighting = ByDistance(found.positions >= 0, found.distances[..., None])
    joint = fit_weights(likelihood, weighting, sigmoids=True, shrinkage=2)
    first = fit_weights(likelihood, weighting, sigmoids=False, shrinkage=0)
    one = TagProp(n_neighbors=20, shrinkage=2, joint=True).fit(given, tags)
    other = learner.fit(given, tags)
    np.testing.assert_allclose(one.params_, joint.params)
    np.testing.assert_allclose(one.slopes_, joint.sigmoids.slopes)
    np.testing.assert_allclose(other.params_, first.params)
    assert one.params_[0] != pytest.approx(other.params_[0], rel=1e-3)


def test_equal_scores_are_ordered_by_frequency() -> None:
    features, present = planted()
    tags = matrix(present)
    learner = TagProp(n_neighbors=20)
    learner.fit(batch(learner, features, tags), tags)
    (counts,) = learner.tie_breaks(asked(learner, features[:2], features))
    np.testing.assert_array_equal(counts, present.sum(axis=0))
