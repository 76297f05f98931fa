"""What the contract makes of anything that a backend returns."""

from pathlib import Path
from typing import Self

import numpy as np
import pytest
from numpy.typing import NDArray

from indexing.index import IndexDescription, Metric, VectorSource
from indexing.index.base import BuildRequest, Found, Index, member

NAN, INF, LARGEST = np.nan, np.inf, np.finfo(np.float32).max


class ScriptedIndex(Index):
    """Returns what it was told to, and records how it was asked."""

    name = "scripted"
    files = ()

    def __init__(self, metric: Metric, rows: list[int], found: list[tuple[int, float]]) -> None:
        description = IndexDescription(
            factory="", form="", backend=self.name, metric=metric, n_dims=2
        )
        super().__init__(description, np.array(rows))
        self.found = found
        self.asked: list[tuple[NDArray[np.float32], int, list[int] | None]] = []

    @classmethod
    def build(cls, request: BuildRequest) -> Self:
        raise NotImplementedError

    @classmethod
    def load(
        cls,
        folder: Path,
        description: IndexDescription,
        rows: NDArray[np.int64],
        *,
        device: str,
        source: VectorSource | None,
    ) -> Self:
        raise NotImplementedError

    def _search(
        self, queries: NDArray[np.float32], k: int, among: NDArray[np.int64] | None
    ) -> Found:
        self.asked.append((queries, k, None if among is None else among.tolist()))
        rows, distances = zip(*self.found, strict=True)
        return np.array([rows]), np.array([distances], dtype=np.float32)

    def _add(self, rows: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        raise NotImplementedError

    def _remove(self, rows: NDArray[np.int64], remaining: NDArray[np.int64]) -> None:
        raise NotImplementedError

    def _save(self, folder: Path) -> None:
        raise NotImplementedError

    def _bytes_per_image(self) -> float:
        return 0.0


QUERY = np.array([[3.0, 4.0]], dtype=np.float32)


@pytest.mark.parametrize(
    ("metric", "found", "expected"),
    [
        # FAISS marks what it did not find by -1 and the largest float, of either sign.
        (Metric.L2, [(7, 2), (-1, LARGEST), (5, 1)], [(5, 1), (7, 2), (-1, INF)]),
        (Metric.IP, [(-1, -LARGEST), (-1, 0), (5, 1)], [(5, 1), (-1, INF), (-1, INF)]),
        (Metric.COSINE, [(7, NAN), (6, INF), (5, 1)], [(5, 1), (-1, INF), (-1, INF)]),
        # Rounding.
        (Metric.COSINE, [(7, -1e-7), (5, 0), (6, 2.1)], [(5, 0), (7, 0), (6, 2)]),
        (Metric.L2, [(7, -1e-4), (6, 0), (5, 3)], [(6, 0), (7, 0), (5, 3)]),
        (Metric.IP, [(7, -4), (5, -4), (6, -5)], [(6, -5), (5, -4), (7, -4)]),
    ],
)
def test_what_a_backend_returns_is_clipped_padded_and_ordered(
    metric: Metric, found: list[tuple[int, float]], expected: list[tuple[int, float]]
) -> None:
    neighbors = ScriptedIndex(metric, [5, 6, 7], found).search(QUERY, 5)
    padded = [*expected, (-1, INF), (-1, INF)]
    assert neighbors.rows.tolist() == [[row for row, _ in padded]]
    assert neighbors.distances.tolist() == [[distance for _, distance in padded]]


def test_what_a_backend_is_asked() -> None:
    index = ScriptedIndex(Metric.COSINE, [5, 6, 7], [(5, 0)])
    index.search(QUERY, 1)
    index.search(QUERY, 1, among=np.array([7, 99, 5]))
    index.search(QUERY, 1, among=np.array([7, 6, 99, 5]))
    assert [(k, among) for _, k, among in index.asked] == [(1, None), (1, [5, 7]), (1, None)]
    assert index.asked[0][0].tolist() == [[pytest.approx(0.6), pytest.approx(0.8)]]
    index.asked.clear()
    for among in ([], [99]):
        assert index.search(QUERY, 1, among=np.array(among, dtype=np.int64)).rows.tolist() == [[-1]]
    assert index.search(QUERY[:0], 4).rows.shape == (0, 4)
    assert index.asked == []


def test_members() -> None:
    among = np.array([2, 5, 9])
    rows = np.array([[-1, 2, 3], [9, 10, 5]])
    assert member(rows, among).tolist() == [[False, True, False], [True, False, True]]
    assert not member(rows, among[:0]).any()
