"""What an index makes of vectors before it takes them, and the neighbours it returns."""

import numpy as np
import pytest

from indexing.errors import IndexingError
from indexing.index import ArraySource, Metric, Neighbors, build_index
from indexing.index.vectors import prepared_vectors


@pytest.mark.parametrize("size", [1e-44, 1e-38, 1e-20, 1e-10, 1.0, 1e10, 1e17])
def test_the_cosine_does_not_depend_on_the_length(size: float) -> None:
    vector = np.array([[3.0, -4.0, 0.0, 12.0]])
    unit = prepared_vectors((vector * size).astype(np.float32), 4, Metric.COSINE, "vector")
    # At 1e-44 a value is a few of the smallest steps of float32, so only nearly so.
    tolerance = 0.1 if size == 1e-44 else 1e-6
    np.testing.assert_allclose(unit, vector / 13.0, rtol=0, atol=tolerance)
    assert np.linalg.norm(unit) == pytest.approx(1.0, abs=1e-6)


def test_vectors_given_are_not_changed() -> None:
    given = np.array([[3.0, 4.0], [0.0, 0.0]], dtype=np.float32)
    copy = given.copy()
    assert prepared_vectors(given, 2, Metric.COSINE, "vector").tolist() == [
        [pytest.approx(0.6), pytest.approx(0.8)],
        [0.0, 0.0],
    ]
    assert (given == copy).all()
    assert prepared_vectors(given, 2, Metric.L2, "vector") is given


@pytest.mark.parametrize(
    ("value", "problem"),
    [(np.nan, "not finite"), (np.inf, "not finite"), (-np.inf, "not finite"), (3e38, "too large")],
)
def test_values_that_cannot_be_measured_are_refused(value: float, problem: str) -> None:
    vectors = np.ones((3, 2), dtype=np.float32)
    vectors[1, 0] = value
    rows = np.array([5, 8, 9])
    with pytest.raises(IndexingError, match=f"^the vector of row 8 holds a value .* {problem}; "):
        build_index("exact", 2, Metric.L2, rows, ArraySource(rows, vectors))


def test_sources_that_return_something_else_are_refused() -> None:
    rows = np.arange(4)
    with pytest.raises(IndexingError, match=r"^the source returned 3 vectors for 4 rows; "):
        build_index("exact", 2, Metric.L2, rows, lambda _: np.ones((3, 2), np.float32))
    with pytest.raises(IndexingError, match=r"^a vector has 3 dimensions; this index holds 2; "):
        build_index("exact", 2, Metric.L2, rows, lambda _: np.ones((4, 3), np.float32))
    with pytest.raises(IndexingError, match="not float64 of shape"):
        build_index("exact", 2, Metric.L2, rows, lambda _: np.ones((4, 2)))  # type: ignore[arg-type, return-value]


def test_array_source() -> None:
    rows = np.array([2, 5, 9])
    source = ArraySource(rows, np.array([[2.0], [5.0], [9.0]], dtype=np.float32))
    assert source(np.array([5, 9, 2])).tolist() == [[5.0], [9.0], [2.0]]
    for missing in (0, 3, 10):
        with pytest.raises(IndexingError, match=f"^the row {missing} has no vector here; 3 rows"):
            source(np.array([2, missing]))


def test_build_refuses_rows_and_devices() -> None:
    vectors = np.ones((3, 2), dtype=np.float32)

    def build(rows: list[int], device: str = "cpu", n_dims: int = 2) -> None:
        ids = np.array(rows, dtype=np.int64)
        build_index("exact", n_dims, Metric.L2, ids, lambda _: vectors, device=device)

    with pytest.raises(IndexingError, match=r"^the rows hold the row 4 twice; "):
        build([4, 2, 4])
    with pytest.raises(IndexingError, match=r"^the rows hold -2; row ids from 0 are accepted; "):
        build([4, -2, 1])
    with pytest.raises(IndexingError, match=r"^the device is 'tpu'; auto, cpu, cuda are accepted"):
        build([1, 2, 3], "tpu")
    with pytest.raises(IndexingError, match=r"^n_dims is 0; 1 or more is accepted; "):
        build([1, 2, 3], n_dims=0)


def test_neighbors_are_taken_out_by_row_wherever_they_stand() -> None:
    found = Neighbors(
        np.array([[4, 7, 9], [7, 4, 5], [1, 2, -1], [4, -1, -1]]),
        np.array([[0, 1, 2], [3, 4, 5], [6, 7, np.inf], [8, np.inf, np.inf]], dtype=np.float32),
    )
    rest = found.without(np.array([4, 4, 4, 4]))
    assert rest.rows.tolist() == [[7, 9, -1], [7, 5, -1], [1, 2, -1], [-1, -1, -1]]
    inf = np.inf
    assert rest.distances.tolist() == [[1, 2, inf], [3, 5, inf], [6, 7, inf], [inf, inf, inf]]
    assert rest.rows.dtype == np.int64
    assert rest.distances.dtype == np.float32
    # Padding stays padding, whatever the mask says of it.
    assert found.keep(np.ones((4, 3), dtype=bool)).rows.tolist() == found.rows.tolist()
    assert found.head(2).rows.tolist() == [[4, 7], [7, 4], [1, 2], [4, -1]]
