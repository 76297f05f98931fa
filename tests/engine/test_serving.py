"""What learners are given of a workspace: their neighbours, their space, or a clear refusal."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import engine.vectors
from engine.own_index import build_own_index
from engine.serving import Questions, Served, training_batch
from engine.vectors import SpaceVectors, StoredVectors
from indexing.errors import InputError
from indexing.index import Metric, VectorTransform
from indexing.store import WorkspaceStore
from learners.base import Needs
from tests.engine.literal import corpus, reference
from tests.engine.stand_ins import Fading, Means, Some


@pytest.mark.parametrize("unique_owner", [False, True])
def test_neighbours_to_be_fitted_on_follow_the_rule_of_owners(unique_owner):
    tagged, index, source, group = corpus([1, 2, 12, 1, 3] * 3, n_owners=4)
    learner = Fading(n_neighbors=7, unique_owner=unique_owner)
    batch = training_batch(learner, tagged, index, source, (6,))
    assert (batch.features, batch.groups, batch.blocks) == (None, None, None)
    for place, got in enumerate(batch.neighbors.rows):
        vector = source(tagged.tags.rows[[place]])[0]
        expected = reference(tagged, source, vector, group, group[place], 7, unique_owner)
        assert got[got >= 0].tolist() == expected


@dataclass(kw_only=True, eq=False)
class Greedy(Means):
    """Needs more than there is."""

    name: ClassVar[str] = "greedy"
    needs: ClassVar[Needs] = Needs.FEATURES | Needs.SCORES
    fit_needs: ClassVar[Needs] = Needs.PIXELS


@dataclass(kw_only=True, eq=False)
class Silent(Means):
    """Needs neighbours, and does not say who of them votes."""

    name: ClassVar[str] = "silent"
    needs: ClassVar[Needs] = Needs.NEIGHBORS


def test_what_a_workspace_does_not_hold_is_refused():
    tagged, index, source, _ = corpus([1] * 4)
    nobody = np.full(4, -1)
    questions = Questions(tagged, source(tagged.tags.rows), nobody, (6,))
    with pytest.raises(InputError, match=r"'greedy' needs more than a workspace holds \(PIXELS\)"):
        training_batch(Greedy(), tagged, index, source, (6,))
    with pytest.raises(InputError, match=r"'greedy' needs more than a workspace holds \(SCORES\)"):
        questions.batch(Served(learner=Greedy(), index=lambda: index))
    with pytest.raises(InputError, match=r"'silent' needs more .* \(NEIGHBORS\)"):
        questions.batch(Served(learner=Silent(), index=lambda: index))


class Squared(Some):
    metric = Metric.L2


def test_a_space_says_how_far_apart_its_vectors_are():
    tagged, _, source, _ = corpus([1] * 9)
    rows = tagged.tags.rows
    for space, metric in ((Squared(2), Metric.L2), (Some(2), Metric.COSINE)):
        index = build_own_index(space, rows, source, "exact", "cpu")
        assert (index.metric, index.n_dims) == (metric, 2)
    found = build_own_index(Squared(2), rows, source, "exact", "cpu").search(
        source(rows[:1])[:, -2:], 3
    )
    squared = np.sort(np.square(source(rows)[:, -2:] - source(rows[:1])[:, -2:]).sum(axis=1))
    np.testing.assert_allclose(found.distances[0], squared[:3], atol=1e-5)


def test_vectors_are_read_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(engine.vectors, "_READ_AT_ONCE", 3)
    features = np.random.default_rng(0).normal(size=(8, 5)).astype(np.float32)
    contents = {10 * row: bytes([row]) * 32 for row in range(8)}
    transform = VectorTransform(widths=(2, 3))
    with WorkspaceStore(tmp_path) as store:
        stored = store.features("abc", 5)
        stored.put(zip(contents.values(), features, strict=True), facts={})
        vectors = StoredVectors(contents, stored, transform)
        for places in ([0, 1, 2, 3, 4, 5, 6, 7], [6, 2, 4, 4], []):
            rows = np.array([10 * place for place in places], np.int64)
            expected = transform(features[places])
            np.testing.assert_array_equal(vectors(rows), expected)
            np.testing.assert_array_equal(SpaceVectors(Some(2), vectors)(rows), expected[:, -2:])
