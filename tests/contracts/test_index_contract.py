"""Every index form, with every metric, in every state, compared by value with a loop."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from indexing.errors import ArtifactError, IndexingError
from indexing.index import (
    BACKENDS,
    ArraySource,
    Index,
    Metric,
    Neighbors,
    automatic,
    build_index,
    load_index,
)
from tests.index_fixtures import one_thread  # noqa: F401

N_DIMS = 32
N_IMAGES = 520
K = 10


@dataclass(frozen=True)
class Form:
    """A form under test, and what is asked of it."""

    factory: str
    tolerance: float = 1e-5  # how far a distance may be off, as a share of scale()
    recall: float = 1.0  # share of the true neighbours that it must find, by distance


FORMS = {
    "exact": [Form("exact")],
    "factory": [
        Form("Flat"),
        Form("SQ8", 0.02, 0.85),
        Form("PQ16", 0.1, 0.7),
        Form("HNSW32", 1e-5, 0.99),
        Form("HNSW16_SQ8", 0.02, 0.85),
        Form("IVF16,Flat", 1e-5, 0.95),
        Form("IVF16_HNSW8,Flat", 1e-5, 0.95),
        Form("IVF16,SQ8", 0.02, 0.85),
        Form("IVF16,PQ16", 0.1, 0.7),
        Form("PCAR16,Flat", 1e-5, 0.99),
        Form("PCAR16,HNSW32", 1e-5, 0.99),
        Form("PCAR16,IVF16,SQ8", 0.02, 0.85),
        Form("RR32,IVF16,SQ8", 0.02, 0.85),
        Form("OPQ8_16,IVF16,PQ8", 0.1, 0.7),
    ],
}
ALL_FORMS = [form for forms in FORMS.values() for form in forms]

every_form = pytest.mark.parametrize("form", ALL_FORMS, ids=lambda form: form.factory)
every_metric = pytest.mark.parametrize("metric", list(Metric))


def test_every_backend_is_covered() -> None:
    assert FORMS.keys() == BACKENDS.keys()


@pytest.fixture(autouse=True, scope="module")
def few_recall_queries() -> Iterator[None]:
    """How well the recall is measured is tested elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(automatic, "RECALL_QUERIES", 100)
        yield


# Data ---------------------------------------------------------------------------------------


def clustered(seed: int, n: int) -> NDArray[np.float32]:
    """Clusters in 12 of 32 dimensions, off the origin, of lengths that differ fourfold.

    So the three metrics order them differently, and 16 principal axes keep everything.
    """
    shape = np.random.default_rng(0)
    centres = shape.normal(size=(26, 12))
    basis = np.linalg.qr(shape.normal(size=(N_DIMS, 12)))[0].T
    offset = shape.normal(size=12)
    random = np.random.default_rng(seed)
    points = centres[random.integers(len(centres), size=n)] + 0.25 * random.normal(size=(n, 12))
    points = (points + offset) * random.uniform(0.5, 2.0, size=(n, 1))
    return (points @ basis).astype(np.float32)


VECTORS = clustered(1, N_IMAGES)
QUERIES = np.concatenate([VECTORS[:6], clustered(2, 18)])
# Row ids that are no positions, and are not in the order of the vectors.
ROWS = np.random.default_rng(3).permutation(np.arange(N_IMAGES, dtype=np.int64) * 7 + 3)
VECTOR_OF = dict(zip(ROWS.tolist(), VECTORS, strict=True))


def source(rows: NDArray[np.int64]) -> NDArray[np.float32]:
    return np.stack([VECTOR_OF[row] for row in rows.tolist()])


# Reference ----------------------------------------------------------------------------------


def reference_distance(metric: Metric, x: NDArray[np.float32], y: NDArray[np.float32]) -> float:
    a, b = [float(value) for value in x], [float(value) for value in y]
    dot = sum(p * q for p, q in zip(a, b, strict=True))
    if metric is Metric.L2:
        return sum((p - q) ** 2 for p, q in zip(a, b, strict=True))
    if metric is Metric.IP:
        return -dot
    lengths = sum(p * p for p in a) ** 0.5 * sum(q * q for q in b) ** 0.5
    return 1.0 - (dot / lengths if lengths else 0.0)


@functools.cache
def reference_table(metric: Metric) -> NDArray[np.float64]:
    """Distance of every query to every row; columns in the order of ROWS."""
    return np.array([[reference_distance(metric, q, v) for v in VECTORS] for q in QUERIES])


COLUMN_OF = np.full(ROWS.max() + 1, -1)
COLUMN_OF[ROWS] = np.arange(N_IMAGES)


def scale(metric: Metric) -> float:
    """What a tolerance is a share of."""
    return 1.0 if metric is Metric.COSINE else float((VECTORS**2).sum(axis=1).max())


def check_against_reference(
    form: Form, metric: Metric, found: Neighbors, allowed: set[int], k: int = K
) -> None:
    """Compare what the queries found with the loop, over the rows that may be returned."""
    assert found.rows.dtype == np.int64
    assert found.distances.dtype == np.float32
    assert found.rows.shape == found.distances.shape == (len(QUERIES), k)
    n_expected = min(k, len(allowed))
    assert (found.rows[:, n_expected:] == -1).all()
    assert np.isposinf(found.distances[:, n_expected:]).all()
    rows, distances = found.rows[:, :n_expected], found.distances[:, :n_expected]
    for line in rows.tolist():
        assert len(set(line)) == n_expected
        assert set(line) <= allowed
    assert (np.diff(distances, axis=1) >= 0).all()

    table = reference_table(metric)
    true = np.take_along_axis(table, COLUMN_OF[rows], axis=1)
    tolerance = form.tolerance * scale(metric)
    np.testing.assert_allclose(distances, true, rtol=0, atol=tolerance)
    best = np.sort(table[:, COLUMN_OF[sorted(allowed)]], axis=1)[:, :n_expected]
    if form.recall == 1.0:
        np.testing.assert_allclose(distances, best, rtol=0, atol=tolerance)
    assert np.mean(true <= best[:, -1:] + 1e-5 * scale(metric)) >= form.recall


# States -------------------------------------------------------------------------------------


@functools.cache
def built(factory: str, metric: Metric, n: int) -> Index:
    # Shared, so never to be changed.
    return build_index(factory, N_DIMS, metric, ROWS[:n], source, device="cpu")


def reopened(index: Index, folder: Path) -> Index:
    index.save(folder / "index")
    return load_index(folder / "index", device="cpu", source=source)


State = Callable[[str, Metric, Path], tuple[Index, set[int]]]


def fresh(factory: str, metric: Metric, _: Path) -> tuple[Index, set[int]]:
    return built(factory, metric, N_IMAGES), set(ROWS.tolist())


def loaded(factory: str, metric: Metric, folder: Path) -> tuple[Index, set[int]]:
    return reopened(built(factory, metric, N_IMAGES), folder), set(ROWS.tolist())


def added(factory: str, metric: Metric, folder: Path) -> tuple[Index, set[int]]:
    index = reopened(built(factory, metric, 450), folder)
    for rows in (ROWS[450:451], ROWS[451:]):
        index.add(rows, source(rows))
    return index, set(ROWS.tolist())


def removed(factory: str, metric: Metric, folder: Path) -> tuple[Index, set[int]]:
    index = reopened(built(factory, metric, N_IMAGES), folder)
    for rows in (ROWS[:1], ROWS[[2, 4, 5]], ROWS[450:], np.sort(ROWS[6:40])):
        index.remove(rows)
    return index, set(ROWS[[1, 3, *range(40, 450)]].tolist())


def changed_and_loaded(factory: str, metric: Metric, folder: Path) -> tuple[Index, set[int]]:
    index = reopened(built(factory, metric, 450), folder)
    index.remove(ROWS[:50])
    index.add(ROWS[2:3], source(ROWS[2:3]))
    index.add(ROWS[450:], source(ROWS[450:]))
    index.save(folder / "again")
    index = load_index(folder / "again", device="cpu", source=source)
    index.remove(ROWS[60:70])
    return index, set(ROWS[[2, *range(50, 60), *range(70, N_IMAGES)]].tolist())


STATES: list[State] = [fresh, loaded, added, removed, changed_and_loaded]


# The contract -------------------------------------------------------------------------------


@every_form
@every_metric
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_neighbors(form: Form, metric: Metric, state: State, tmp_path: Path) -> None:
    index, held = state(form.factory, metric, tmp_path)
    assert index.rows.tolist() == sorted(held)
    assert (index.n_images, index.n_dims, index.metric) == (len(held), N_DIMS, metric)
    check_against_reference(form, metric, index.search(QUERIES, K), held)

    # Alone, which is another path through FAISS, each query finds the same.
    for place in (0, 7):
        together = index.search(QUERIES, K).distances[place]
        alone = index.search(QUERIES[place : place + 1], K).distances[0]
        np.testing.assert_allclose(alone, together, rtol=0, atol=1e-5 * scale(metric))


@every_form
@every_metric
@pytest.mark.parametrize("share", [0.01, 0.2, 0.6, 0.95])
def test_search_among(form: Form, metric: Metric, share: float, tmp_path: Path) -> None:
    index, held = removed(form.factory, metric, tmp_path)
    among = np.random.default_rng(5).permutation(sorted(held))[: round(share * len(held))]
    # A row that was removed is no error.
    found = index.search(QUERIES, K, among=np.concatenate([among, ROWS[:1]]))
    check_against_reference(form, metric, found, set(among.tolist()))


@every_form
@every_metric
def test_search_among_all_but_the_nearest(form: Form, metric: Metric) -> None:
    """Searching a little wider finds nothing here: what is near may not be returned."""
    index, held = fresh(form.factory, metric, Path())
    nearest = set(index.search(QUERIES[:1], 200).rows[0].tolist())
    among = np.array(sorted(held - nearest), dtype=np.int64)
    found = index.search(QUERIES, K, among=among)
    check_against_reference(form, metric, found, set(among.tolist()))


@every_form
@every_metric
def test_search_for_more_than_there_are(form: Form, metric: Metric) -> None:
    index, held = fresh(form.factory, metric, Path())
    k = N_IMAGES + 5
    check_against_reference(form, metric, index.search(QUERIES, k), held, k)
    found = index.search(QUERIES, K, among=ROWS[:3])
    check_against_reference(form, metric, found, set(ROWS[:3].tolist()))
    assert (index.search(QUERIES, K, among=np.array([1])).rows == -1).all()


@every_form
@every_metric
def test_empty_index(form: Form, metric: Metric, tmp_path: Path) -> None:
    empty = build_index(form.factory, N_DIMS, metric, ROWS[:0], source, device="cpu")
    for index in (empty, reopened(empty, tmp_path)):
        found = index.search(QUERIES, K)
        assert (found.rows == -1).all()
        assert np.isposinf(found.distances).all()
    index.add(ROWS, VECTORS)
    check_against_reference(form, metric, index.search(QUERIES, K), set(ROWS.tolist()))


@every_form
@every_metric
def test_index_emptied_and_filled_again(form: Form, metric: Metric, tmp_path: Path) -> None:
    index = reopened(built(form.factory, metric, N_IMAGES), tmp_path)
    index.remove(ROWS)
    assert index.n_images == 0
    assert (index.search(QUERIES, K).rows == -1).all()
    index.add(ROWS, VECTORS)
    check_against_reference(form, metric, index.search(QUERIES, K), set(ROWS.tolist()))


@every_form
@every_metric
def test_one_vector(form: Form, metric: Metric) -> None:
    index = build_index(form.factory, N_DIMS, metric, ROWS[:1], source, device="cpu")
    found = index.search(VECTORS[:1], 3)
    assert found.rows.tolist() == [[int(ROWS[0]), -1, -1]]
    expected = reference_distance(metric, VECTORS[0], VECTORS[0])
    # One vector has a range of nothing to quantise, and one principal axis.
    assert found.distances[0, 0] == pytest.approx(expected, rel=1e-4, abs=1e-5)


@every_form
@every_metric
def test_duplicates_and_zeros(form: Form, metric: Metric) -> None:
    rows = np.arange(N_IMAGES, dtype=np.int64)
    vectors = VECTORS.copy()
    twins = [3, 40, 77, 300, 511]
    vectors[twins] = vectors[3]
    vectors[[5, 6]] = 0.0
    index = build_index(
        form.factory, N_DIMS, metric, rows, ArraySource(rows, vectors), device="cpu"
    )
    queries = np.concatenate([vectors[3:4], np.zeros((1, N_DIMS), np.float32)])
    found = index.search(queries, N_IMAGES)
    expected = [[reference_distance(metric, query, v) for v in vectors] for query in queries]
    tolerance = form.tolerance * scale(metric)
    for line in (0, 1):
        assert sorted(found.rows[line].tolist()) == rows.tolist()
        true = np.array(expected[line])[found.rows[line]]
        np.testing.assert_allclose(found.distances[line], true, rtol=0, atol=tolerance)
    if metric is Metric.COSINE:
        assert found.distances.min() >= 0.0
        if form.recall == 1.0:
            assert found.distances[1].tolist() == [1.0] * N_IMAGES
    # Equal distances are in the order of the rows.
    for line_rows, distances in zip(found.rows, found.distances, strict=True):
        equal = distances[1:] == distances[:-1]
        assert (np.diff(line_rows)[equal] > 0).all()
    if metric is not Metric.IP and form.recall == 1.0:
        assert set(found.rows[0, :5].tolist()) == set(twins)
        assert found.distances[0, :5].max() <= 1e-5 * scale(metric)


@every_form
def test_refusals(form: Form) -> None:
    index = built(form.factory, Metric.COSINE, N_IMAGES)
    broken = QUERIES.copy()
    broken[4, 2] = np.nan
    with pytest.raises(IndexingError, match=r"^query 4 holds a value that is not finite; "):
        index.search(broken, K)
    with pytest.raises(IndexingError, match=r"^k is 0; 1 or more is accepted; "):
        index.search(QUERIES, 0)
    with pytest.raises(IndexingError, match=r"^a query has 31 dimensions; this index holds 32; "):
        index.search(QUERIES[:, :31], K)
    with pytest.raises(IndexingError, match=r"not float64 of shape \(24, 32\); convert"):
        index.search(QUERIES.astype(np.float64), K)  # type: ignore[arg-type]
    with pytest.raises(IndexingError, match=r"not float32 of shape \(32,\); convert"):
        index.search(QUERIES[0], K)
    with pytest.raises(IndexingError, match=f"^the row {ROWS[9]} is in the index already; "):
        index.add(np.array([1, ROWS[9]]), VECTORS[:2])
    with pytest.raises(IndexingError, match=r"^the rows to add hold the row 1 twice; "):
        index.add(np.array([1, 0, 1]), VECTORS[:3])
    with pytest.raises(IndexingError, match=r"^the rows to add hold -1; row ids from 0 "):
        index.add(np.array([-1]), VECTORS[:1])
    with pytest.raises(IndexingError, match=r"^2 vectors for 1 rows; "):
        index.add(np.array([1]), VECTORS[:2])
    with pytest.raises(IndexingError, match=r"^the vector of row 8 holds .* not finite; "):
        index.add(np.array([1, 8]), broken[3:5])
    with pytest.raises(IndexingError, match=r"^the row 1 is not in the index, which holds 520 "):
        index.remove(np.array([ROWS[0], 1]))
    with pytest.raises(IndexingError, match=r"^the rows to search among are float64"):
        index.search(QUERIES, K, among=np.array([1.0]))  # type: ignore[arg-type]
    assert index.rows.tolist() == sorted(ROWS.tolist())


@every_form
def test_damaged_files_are_refused(form: Form, tmp_path: Path) -> None:
    built(form.factory, Metric.COSINE, N_IMAGES).save(tmp_path)
    for file in sorted(tmp_path.iterdir()):
        content = file.read_bytes()
        for damaged in (b"", content[:9], content[: len(content) // 2], content[:-1]):
            file.write_bytes(damaged)
            if damaged == content[:-1] and file.suffix == ".json":
                continue  # all but a newline
            with pytest.raises(ArtifactError, match="build the index again"):
                load_index(tmp_path, device="cpu")
        # Of the right size, and of something else.
        file.write_bytes(b"x" * len(content))
        with pytest.raises(ArtifactError, match="build the index again"):
            load_index(tmp_path, device="cpu")
        file.unlink()
        with pytest.raises(ArtifactError, match="build the index again"):
            load_index(tmp_path, device="cpu")
        file.write_bytes(content)
    assert load_index(tmp_path, device="cpu").n_images == N_IMAGES


@every_form
@every_metric
def test_description(form: Form, metric: Metric, tmp_path: Path) -> None:
    index = built(form.factory, metric, N_IMAGES)
    described = index.description
    assert described.factory == described.form == form.factory
    assert (described.metric, described.n_dims, described.n_images) == (metric, N_DIMS, N_IMAGES)
    parameters = {"IVF": "nprobe", "HNSW": "efSearch"}
    parameter = next((parameters[name] for name in parameters if name in form.factory), None)
    assert described.search_parameter == parameter
    assert (described.search_value is None) == (parameter is None)
    assert described.recall >= form.recall - 0.1
    assert (described.recall_queries == 0) == (form.factory in {"exact", "Flat"})
    assert described.bytes_per_image > 8.0
    assert reopened(index, tmp_path).description == described
