"""Where TagProp looks for voters: candidates, copies left out, blocks weighed."""

import numpy as np
import pytest

from learners.tagprop.searching import covering, leave_one_out, nearest_among
from learners.tagprop.spaces import BlockScaling, unit_blocks
from learners.tagprop.training import base_distances
from learners.votes import exclude
from tests.reference import tagprop as reference

N_DIMS, BLOCKS = 12, (4, 8)


def drawn(n_images: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n_images, N_DIMS)).astype(np.float32)


@pytest.mark.parametrize("n_neighbors", [1, 4, 7, 40])
def test_candidates_cover_every_ranking_alike(n_neighbors: int) -> None:
    rng = np.random.default_rng(0)
    rankings = []
    for _ in range(3):
        rows = np.array([rng.permutation(25)[:12] for _ in range(10)])
        rows[3, 6:], rows[4] = -1, -1
        rankings.append(rows)
    chosen = covering(rankings, n_neighbors)
    assert chosen.shape == (10, n_neighbors)
    for query, line in enumerate(chosen):
        expected = reference.covering([one[query] for one in rankings], n_neighbors)
        found = [int(row) for row in line if row >= 0]
        assert len(found) == len(set(found)) == len(expected)
        # Of those at the last rank any may be taken: all that came before must be there.
        ranks = [min(_rank(one[query], row) for one in rankings) for row in found]
        wanted = [min(_rank(one[query], row) for one in rankings) for row in expected]
        assert sorted(ranks) == sorted(wanted)


def _rank(ranking: np.ndarray, row: int) -> int:
    return int(np.flatnonzero(ranking == row)[0]) if row in ranking else 10**6


def test_the_distance_of_scaled_blocks_is_the_weighted_sum() -> None:
    features = drawn(30)
    sharpness = np.array([3.0, 1.0])
    scaled = BlockScaling.of(BLOCKS, sharpness)(features)
    np.testing.assert_allclose(np.linalg.norm(scaled, axis=1), 1, rtol=1e-5)
    candidates = np.tile(np.arange(30), (30, 1))
    candidates[2, 5] = -1
    distances = base_distances(features, BLOCKS, candidates)
    for i in (0, 2, 29):
        for j in (1, 5):
            if candidates[i, j] < 0:
                assert not distances[i, j].any()
                continue
            cosine = [float(block[i] @ block[j]) for _, block in unit_blocks(features, BLOCKS)]
            np.testing.assert_allclose(distances[i, j], 1 - np.array(cosine), atol=1e-6)
            combined = 1 - float(scaled[i] @ scaled[j])
            assert combined == pytest.approx(float(distances[i, j] @ sharpness) / 4, abs=1e-5)


def test_leaving_one_out_leaves_its_copies_out() -> None:
    features = drawn(40)
    features[7] = features[3]
    groups = np.where(np.arange(40) == 7, 3, np.arange(40))
    found = leave_one_out(features, groups, 5)
    everything = nearest_among(features, features, 40)
    expected = exclude(everything, query_groups=groups, rows=np.arange(40), groups=groups)
    # Two pictures are one vector: which of them comes first is not told.
    np.testing.assert_allclose(found.distances, expected.distances[:, :5], atol=1e-6)
    one = np.where(found.rows == 7, 3, found.rows)
    other = np.where(expected.rows[:, :5] == 7, 3, expected.rows[:, :5])
    np.testing.assert_array_equal(np.sort(one, axis=1), np.sort(other, axis=1))
    assert not {3, 7} & set(found.rows[[3, 7]].ravel().tolist())


def test_a_picture_with_many_copies_has_all_its_voters() -> None:
    features = np.repeat(drawn(4), 100, axis=0)
    groups = np.repeat(np.arange(4), 100)
    found = leave_one_out(features, groups, 20)
    assert (found.rows >= 0).all()
    assert (groups[found.rows] != groups[:, None]).all()
    assert leave_one_out(features, np.zeros(400, np.int64), 20).rows.max() == -1
