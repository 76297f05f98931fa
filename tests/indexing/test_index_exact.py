"""Exact search: the order of ties, the accuracy, the blocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from indexing.index import ArraySource, Metric, build_index, exact, vectors
from indexing.index.exact import nearest


def blocks_of(
    table: NDArray[np.float32], size: int
) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    rows = np.arange(len(table), dtype=np.int64) * 3
    return [(rows[a : a + size], table[a : a + size]) for a in range(0, len(table), size)]


@given(data=st.data(), metric=st.sampled_from(list(Metric)))
def test_nearest_equals_sorting_by_distance_and_row(data: st.DataObject, metric: Metric) -> None:
    """On whole numbers every distance is exact, so ties are ties and the order is known."""
    n = data.draw(st.integers(1, 12))
    k = data.draw(st.integers(1, 14))
    size = data.draw(st.integers(1, 12))
    values = st.lists(st.integers(-2, 2), min_size=2, max_size=2)
    table = np.array(data.draw(st.lists(values, min_size=n, max_size=n)), dtype=np.float32)
    queries = np.array(data.draw(st.lists(values, min_size=1, max_size=3)), dtype=np.float32)
    if metric is Metric.COSINE:
        table, queries = np.sign(table), np.sign(queries)  # stands in for unit length

    rows, distances = nearest(queries, k, metric, blocks_of(table, size))

    for query, found_rows, found in zip(queries.tolist(), rows, distances, strict=True):
        pairs = []
        for row, vector in enumerate(table.tolist()):
            dot = sum(a * b for a, b in zip(query, vector, strict=True))
            squared = sum((a - b) ** 2 for a, b in zip(query, vector, strict=True))
            distance = {
                Metric.L2: squared,
                Metric.IP: -dot,
                Metric.COSINE: min(max(1.0 - dot, 0.0), 2.0),
            }[metric]
            pairs.append((distance, 3 * row))
        pairs = sorted(pairs)[:k]
        pairs += [(np.inf, -1)] * (k - len(pairs))
        assert list(zip(found.tolist(), found_rows.tolist(), strict=True)) == pairs


def test_both_zeros_are_one_distance() -> None:
    distances = np.array([[0.0, -0.0, 1.0, -1.0]], dtype=np.float32)
    assert np.argsort(exact._keys(distances, 0)[0]).tolist() == [3, 0, 1, 2]


def test_small_tiles_and_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    table = random.normal(size=(300, 8)).astype(np.float32)
    rows = np.arange(300)
    for metric in Metric:
        index = build_index("exact", 8, metric, rows, ArraySource(rows, table))
        whole = index.search(table[:50], 40)
        with monkeypatch.context() as patch:
            patch.setattr(exact, "TILE", 64)
            patch.setattr(exact, "WIDENED", 40)
            patch.setattr(vectors, "BLOCK_ROWS", 7)
            index = build_index("exact", 8, metric, rows, ArraySource(rows, table))
            parts = index.search(table[:50], 40)
        assert (parts.rows == whole.rows).all()
        np.testing.assert_allclose(parts.distances, whole.distances, rtol=1e-5, atol=1e-6)


def test_squared_distances_do_not_cancel_far_from_the_origin() -> None:
    """Norms are 1e4 and distances 1e-2: expanding the square in float32 leaves nothing."""
    random = np.random.default_rng(0)
    table = (1e4 + random.normal(size=(50, 4))).astype(np.float32)
    rows = np.arange(50)
    index = build_index("exact", 4, Metric.L2, rows, ArraySource(rows, table))
    found = index.search(table, 50)
    true = ((table[:, None].astype(np.float64) - table[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(found.distances, np.sort(true, axis=1), rtol=1e-4, atol=1e-6)
    assert (found.rows[:, 0] == rows).all()


def test_a_block_takes_64_megabytes_at_most() -> None:
    assert vectors.block_rows(8) == 8192
    assert vectors.block_rows(100_000) * 100_000 * 4 <= 64 << 20
    assert vectors.block_rows(1 << 30) == 1
