"""Every learner of the table passes this contract, by value against a literal loop."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest

from indexing.errors import ArtifactError, InputError, NotFittedError
from indexing.index import Neighbors
from learners.base import Needs, TagLearner, TagMatrix
from learners.ranking import rank_tags
from learners.table import LEARNERS, learner_class, make_learner
from tests.contracts.learner_cases import (
    CASES,
    Case,
    K,
    batch,
    fitted,
    fitting,
    needed,
    queries,
    tagged,
)
from tests.reference import voting


@pytest.fixture(autouse=True)
def _shared_cache(extractor_cache) -> None:
    """Networks are compiled into a folder of the test run."""


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
    if learner.needs is Needs.NEIGHBORS:
        # Sigmoids add their offset to no vote.
        offsets = getattr(learner, "offsets_", 0)
        expected = np.broadcast_to(offsets, (15, tags.n_tags)).astype(np.float32)
        np.testing.assert_array_equal(learner.predict_scores(lonely), expected)


@every_case
def test_no_tagged_pictures_at_all(case: Case) -> None:
    tags = TagMatrix.from_lists([], [], n_tags=3)
    scores = fitted(case, tags).predict_scores(batch(tags))
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
