"""Every learner of the table passes this contract, by value against a literal loop.

A new learner needs one row in ``CASES``: how to make it, and its reference.
"""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
import pytest

from indexing.errors import ArtifactError, InputError, NotFittedError
from indexing.index import Neighbors
from learners.base import Batch, Needs, TagLearner, TagMatrix
from learners.multiscale import MSCNN
from learners.ranking import rank_tags
from learners.table import LEARNERS, learner_class, make_learner
from tests.reference import baselines, heads, multimodal, tagprop, voting

N_DIMS, K = 6, 12


@dataclass(frozen=True)
class Case:
    """A learner with its parameters, and the loop that says what it must score."""

    learner: str
    params: dict[str, object]
    reference: Callable[[Batch, TagMatrix], np.ndarray]

    def __str__(self) -> str:
        return f"{self.learner}-{'-'.join(f'{k}={v}' for k, v in self.params.items())}"


CASES = [
    Case("knn", {"n_neighbors": 1}, lambda b, t: voting.knn_scores(b.neighbors, t, 1)),
    Case("knn", {"n_neighbors": 5}, lambda b, t: voting.knn_scores(b.neighbors, t, 5)),
    Case(
        "knn",
        {"n_neighbors": 4, "weights": "similarity"},
        lambda b, t: voting.knn_scores(b.neighbors, t, 4, "similarity"),
    ),
    Case("tagvote", {"n_neighbors": 5}, lambda b, t: voting.tagvote_scores(b.neighbors, t, 5)),
    Case("tagvote", {"n_neighbors": 50}, lambda b, t: voting.tagvote_scores(b.neighbors, t, 50)),
    Case(
        "tagvote",
        {"n_neighbors": 3, "unique_owner": False},
        lambda b, t: voting.tagvote_scores(b.neighbors, t, 3, unique_owner=False),
    ),
    Case("random", {"seed": 3}, lambda b, t: baselines.random_scores(b.features, t, 3)),
    Case("frequency", {}, lambda b, t: baselines.frequency_scores(len(b.features), t)),
    *(
        Case(
            "copy",
            {"n_neighbors": n},
            lambda b, t, n=n: baselines.label_transfer_scores(b.neighbors, t, n),
        )
        for n in (1, 6)
    ),
    *(
        Case(
            "2pknn",
            {"n_label_neighbors": n, "weight_decay": decay},
            lambda b, t, n=n, w=decay: baselines.two_pass_scores(b.features, known(t), t, n, w),
        )
        for n, decay in ((1, 4.0), (3, 0.0), (100, 8.0))
    ),
    *(
        Case(
            "cca-knn",
            {"regularization": ridge, "n_dims": n_dims, "n_neighbors": n, "weight_decay": decay},
            lambda b, t, p=(ridge, n_dims, n, decay): baselines.cca_knn_scores(
                b.features, known(t), t, *p
            ),
        )
        for ridge, n_dims, n, decay in ((0.2, None, 7, 5.0), (2.0, 3, 100, 2.0))
    ),
    *(
        Case(
            "heads",
            {
                "regularization": ridge,
                "width": width,
                "prior_correction": correction,
                "completion": completion,
            },
            lambda b, t, p=(ridge, correction, width, completion): heads.least_squares_scores(
                b.features, known(t), t, *p
            ),
        )
        for ridge, width, correction, completion in ((0.05, 1.0, 0.2, 0.3), (0.5, 2.0, 0.0, 0.0))
    ),
]


CASES += [
    Case("tagprop", params, lambda b, t, p=params: tagprop_scores(b, t, p))
    for params in (
        {"weights": "rank", "n_neighbors": 5},
        {"weights": "distance", "n_neighbors": 7, "unique_owner": True},
        {"weights": "distance", "n_neighbors": 50, "sigmoids": False},
        {"weights": "distance", "n_neighbors": 6, "joint": True, "shrinkage": 1.0},
        {"weights": "distances", "n_neighbors": 6},
        {"weights": "metric", "n_neighbors": 6, "n_dims": 4, "n_rounds": 1},
    )
]
CASES += [
    Case("multimodal", params, lambda b, t, p=params: multimodal_scores(b, t, p))
    for params in (
        {"n_tag_units": 8, "epochs": 1, "quantity": False},
        {"n_tag_units": 8, "epochs": 2, "plan": "niu2017", "n_input_tags": 2},
    )
]
SMALL_NETWORK = {
    "backbone": "timm:test_efficientnet",
    "pretrained": False,
    "epochs": 1,
    "quantity": False,
}
CASES += [Case("mscnn", SMALL_NETWORK, lambda b, t: mscnn_scores(b, t))]


def tagprop_scores(asked: Batch, tags: TagMatrix, params: dict[str, object]) -> np.ndarray:
    """Score literally with what a learner fitted on the same pictures has learned."""
    return tagprop.scores(asked.neighbors, tags, fitted(Case("tagprop", params, None), tags))


def multimodal_scores(asked: Batch, tags: TagMatrix, params: dict[str, object]) -> np.ndarray:
    """Score literally with what a learner fitted on the same pictures has learned."""
    assert asked.tags is not None
    arrays = fitted(Case("multimodal", params, None), tags).state()[1]
    noisy = [asked.tags.tags_of(i).tolist() for i in range(asked.tags.n_images)]
    return np.array(multimodal.scores(arrays, asked.features, noisy))


def mscnn_scores(asked: Batch, tags: TagMatrix) -> np.ndarray:
    """Score literally behind the network of a learner fitted on the same pictures."""
    learner = fitted(Case("mscnn", SMALL_NETWORK, None), tags)
    assert isinstance(learner, MSCNN)
    features = learner.extractor().extract(asked.pixels)
    return np.array(multimodal.scores(learner.state()[1], features))


@pytest.fixture(autouse=True)
def _shared_cache(extractor_cache) -> None:
    """Networks are compiled into a folder of the test run."""


def tagged(n_images: int = 40, n_tags: int = 9, seed: int = 0) -> TagMatrix:
    """Tagged pictures whose row ids have gaps; the last tag is nobody's, one picture has none."""
    rng = np.random.default_rng(seed)
    present = rng.random((n_images, n_tags)) < rng.uniform(0.05, 0.6, n_tags)
    present[:, -1] = n_tags == 1
    present[n_images // 2 :][:1] = False
    rows = rng.choice(3 * n_images, size=n_images, replace=False)
    owners = rng.integers(-1, 6, size=n_images)
    return TagMatrix.from_lists(rows, [np.flatnonzero(tags) for tags in present], n_tags, owners)


def batch(tags: TagMatrix, n_queries: int = 15, seed: int = 1) -> Batch:
    """All inputs that a learner can need; neighbours hold pads and rows that do not vote."""
    rng = np.random.default_rng(seed)
    n_rows = max(3 * tags.n_images, K)
    rows = rng.permuted(np.tile(np.arange(n_rows), (n_queries, 1)), axis=1)[:, :K]
    distances = np.sort(rng.uniform(0, 1.3, size=(n_queries, K)).astype(np.float32), axis=1)
    beyond = np.arange(K) >= rng.integers(0, K + 1, size=n_queries)[:, None]
    beyond[:1], beyond[-1:] = False, True  # one query with all its neighbours, one with none
    return Batch(
        features=rng.normal(size=(n_queries, N_DIMS)).astype(np.float32),
        neighbors=Neighbors(np.where(beyond, -1, rows), np.where(beyond, np.inf, distances)),
        pixels=rng.integers(0, 256, size=(n_queries, 4, 4, 3), dtype=np.uint8),
        tags=tagged(n_queries, 4, seed),
    )


def queries(of: Batch, chosen: np.ndarray | slice) -> Batch:
    """Return the batch of some of the queries."""
    assert of.tags is not None
    assert of.features is not None
    assert of.neighbors is not None
    assert of.pixels is not None
    neighbors = Neighbors(of.neighbors.rows[chosen], of.neighbors.distances[chosen])
    places = np.arange(of.tags.n_images)[chosen]
    tags = TagMatrix.from_lists(
        range(len(places)), [of.tags.tags_of(place) for place in places], of.tags.n_tags
    )
    return Batch(
        features=of.features[chosen], neighbors=neighbors, pixels=of.pixels[chosen], tags=tags
    )


def needed(learner: TagLearner, of: Batch) -> Batch:
    """Return the batch with only what the learner says it needs."""
    names = {str(need.name).lower() for need in learner.needs}
    return replace(of, **{f.name: None for f in fields(of) if f.name not in names})


def fitting(learner: TagLearner, tags: TagMatrix) -> Batch:
    """Return the batch that the learner is fitted on."""
    full = batch(tags, n_queries=tags.n_images, seed=2)
    names = {str(need.name).lower() for need in learner.fit_needs}
    return replace(full, **{f.name: None for f in fields(full) if f.name not in names})


def known(tags: TagMatrix) -> np.ndarray:
    """Return the features that learners are fitted on."""
    features = batch(tags, n_queries=tags.n_images, seed=2).features
    assert features is not None
    return features


def fitted(case: Case, tags: TagMatrix) -> TagLearner:
    learner = make_learner(case.learner, **case.params)
    return learner.fit(fitting(learner, tags), tags)


def test_every_learner_of_the_table_is_covered() -> None:
    assert {case.learner for case in CASES} == set(LEARNERS)


@pytest.mark.parametrize("name", sorted(LEARNERS))
def test_the_class_knows_its_name(name: str) -> None:
    assert learner_class(name).name == name


every_case = pytest.mark.parametrize("case", CASES, ids=str)


@every_case
def test_scores_equal_the_literal_loop(case: Case) -> None:
    tags = tagged()
    asked = batch(tags)
    learner = fitted(case, tags)
    scores = learner.predict_scores(needed(learner, asked))
    assert scores.dtype == np.float32
    assert scores.shape == (15, tags.n_tags)
    np.testing.assert_allclose(scores, case.reference(asked, tags), atol=2e-6)


@every_case
def test_ranking_equals_the_literal_sort(case: Case) -> None:
    tags = tagged()
    learner = fitted(case, tags)
    asked = needed(learner, batch(tags))
    scores, tie_breaks = learner.predict_scores(asked), learner.tie_breaks(asked)
    keys = [np.broadcast_to(key, scores.shape) for key in tie_breaks]
    expected = [voting.ranked(score, [key[q] for key in keys], 4) for q, score in enumerate(scores)]
    np.testing.assert_array_equal(rank_tags(scores, 4, tie_breaks), expected)


@every_case
def test_fit_returns_the_learner_itself(case: Case) -> None:
    tags = tagged()
    learner = make_learner(case.learner, **case.params)
    assert learner.fit(fitting(learner, tags), tags) is learner


@every_case
def test_an_unfitted_learner_says_so(case: Case) -> None:
    learner = make_learner(case.learner, **case.params)
    asked = needed(learner, batch(tagged()))
    for call in (learner.predict_scores, learner.tie_breaks):
        with pytest.raises(NotFittedError, match=f"'{case.learner}' has not been fitted"):
            call(asked)
    with pytest.raises(NotFittedError, match="call fit"):
        learner.state()


@every_case
def test_a_missing_input_is_named(case: Case) -> None:
    tags = tagged()
    learner = fitted(case, tags)
    for need in learner.needs:
        name = str(need.name).lower()
        lacking = replace(batch(tags), **{name: None})
        with pytest.raises(InputError, match=f"it needs {name}; give Batch"):
            learner.predict_scores(lacking)


@every_case
def test_no_queries_give_no_scores(case: Case) -> None:
    tags = tagged()
    scores = fitted(case, tags).predict_scores(queries(batch(tags), slice(0, 0)))
    assert scores.shape == (0, tags.n_tags)
    assert scores.dtype == np.float32


@every_case
def test_a_vocabulary_of_one_tag(case: Case) -> None:
    tags = tagged(n_tags=1)
    asked = batch(tags)
    scores = fitted(case, tags).predict_scores(asked)
    np.testing.assert_allclose(scores, case.reference(asked, tags), atol=2e-6)


@every_case
def test_an_empty_vocabulary(case: Case) -> None:
    tags = TagMatrix.from_lists([0, 1], [[], []], n_tags=0)
    assert fitted(case, tags).predict_scores(batch(tags)).shape == (15, 0)


@every_case
def test_a_tag_that_nobody_has_is_never_better_than_one_that_voters_carry(case: Case) -> None:
    tags = tagged()
    scores = fitted(case, tags).predict_scores(batch(tags))
    assert tags.counts[-1] == 0
    assert np.isfinite(scores).all()
    assert np.all(scores[:, -1] <= scores.max(axis=1))


@every_case
def test_a_picture_without_neighbours_has_no_vote(case: Case) -> None:
    tags = tagged()
    asked = batch(tags)
    lonely = replace(
        asked,
        neighbors=Neighbors(np.full((15, K), -1), np.full((15, K), np.inf, dtype=np.float32)),
    )
    learner = fitted(case, tags)
    if Needs.NEIGHBORS in learner.needs:
        # Sigmoids add their offset to no vote.
        offsets = getattr(learner, "offsets_", 0)
        expected = np.broadcast_to(offsets, (15, tags.n_tags)).astype(np.float32)
        np.testing.assert_array_equal(learner.predict_scores(lonely), expected)


@every_case
def test_no_tagged_pictures_at_all(case: Case) -> None:
    tags = TagMatrix.from_lists([], [], n_tags=3)
    scores = fitted(case, tags).predict_scores(batch(tagged()))
    np.testing.assert_array_equal(scores, np.zeros((15, 3)))


@every_case
def test_the_order_of_the_queries_does_not_matter(case: Case) -> None:
    tags = tagged()
    asked, learner = batch(tags), fitted(case, tags)
    order = np.random.default_rng(5).permutation(15)
    np.testing.assert_array_equal(
        learner.predict_scores(queries(asked, order)), learner.predict_scores(asked)[order]
    )


@every_case
def test_a_saved_learner_answers_the_same(case: Case) -> None:
    tags = tagged()
    asked, learner = batch(tags), fitted(case, tags)
    head, arrays = learner.state()
    file = io.BytesIO()
    np.savez(file, **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as saved:
        again = TagLearner.from_state(json.loads(json.dumps(head)), saved)
    assert type(again) is type(learner)
    assert again.params() == learner.params()
    np.testing.assert_array_equal(again.predict_scores(asked), learner.predict_scores(asked))
    for mine, its in zip(learner.tie_breaks(asked), again.tie_breaks(asked), strict=True):
        np.testing.assert_array_equal(mine, its)


@every_case
def test_an_incomplete_state_is_refused(case: Case) -> None:
    head, arrays = fitted(case, tagged()).state()
    for name in arrays:
        rest = {key: value for key, value in arrays.items() if key != name}
        with pytest.raises(ArtifactError, match="lacks"):
            TagLearner.from_state(head, rest)


@every_case
def test_parameters_make_the_same_learner_again(case: Case) -> None:
    learner = make_learner(case.learner, **case.params)
    assert json.loads(json.dumps(learner.params())) == learner.params()
    assert make_learner(case.learner, **learner.params()).params() == learner.params()


@every_case
def test_what_fitting_does_not_read_may_change_afterwards(case: Case) -> None:
    tags = tagged()
    asked, learner = batch(tags), fitted(case, tags)
    before = learner.predict_scores(asked)
    for name in learner.predict_params:
        for value in learner.grid.get(name, ()):
            changed = learner.with_params(**{name: value})
            again = fitted(replace(case, params={**case.params, name: value}), tags)
            assert changed.params() == again.params()
            np.testing.assert_array_equal(
                changed.predict_scores(asked), again.predict_scores(asked)
            )
    np.testing.assert_array_equal(learner.predict_scores(asked), before)
    for name in set(learner.params()) - learner.predict_params:
        with pytest.raises(InputError, match=f"{name} of the learner .* cannot change"):
            learner.with_params(**{name: learner.params()[name]})


@every_case
def test_every_value_of_the_grid_is_accepted(case: Case) -> None:
    kind = learner_class(case.learner)
    for name, values in kind.grid.items():
        assert len(set(values)) == len(values) > 1
        for value in values:
            assert make_learner(case.learner, **{name: value}).params()[name] == value


@every_case
def test_asking_leaves_the_question_as_it_was(case: Case) -> None:
    tags = tagged()
    asked, untouched = batch(tags), batch(tags)
    learner = fitted(case, tags)
    learner.predict_scores(asked)
    assert asked.neighbors is not None
    assert untouched.neighbors is not None
    np.testing.assert_array_equal(asked.neighbors.rows, untouched.neighbors.rows)
    np.testing.assert_array_equal(asked.neighbors.distances, untouched.neighbors.distances)
