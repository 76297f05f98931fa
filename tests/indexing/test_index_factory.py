"""Indexes of FAISS: the search parameter, training, refusals, rebuilding."""

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from indexing.errors import IndexingError
from indexing.index import ArraySource, Metric, build_index, load_index, vectors
from indexing.index.factory import FactoryIndex
from tests.index_fixtures import one_thread  # noqa: F401

ROWS = np.arange(600, dtype=np.int64) * 2
VECTORS = np.random.default_rng(0).normal(size=(600, 16)).astype(np.float32)
SOURCE = ArraySource(ROWS, VECTORS)


def built(factory: str, metric: Metric = Metric.L2, **options: Any) -> FactoryIndex:
    index = build_index(factory, 16, metric, ROWS, SOURCE, device="cpu", **options)
    assert isinstance(index, FactoryIndex)
    return index


@pytest.mark.parametrize(
    ("factory", "low", "high"), [("IVF32,Flat", 1, 32), ("PCAR8,IVF32,Flat", 1, 32)]
)
def test_the_probes_take_effect_and_are_never_set_on_the_index(
    factory: str, low: int, high: int
) -> None:
    index = built(factory)
    found = {}
    for value in (low, high):
        index._describe(search_value=value)
        found[value] = index.search(VECTORS[:40], 5).rows
    # What FAISS finds with the parameter set on an index of its own is the reference.
    alone = faiss.deserialize_index(faiss.serialize_index(index._form.whole))
    for value in (low, high):
        faiss.extract_index_ivf(alone).nprobe = value
        assert (alone.search(VECTORS[:40], 5)[1] == found[value]).all()
    assert (found[low] != found[high]).any()
    assert index._form.inner.nprobe == 1  # as FAISS makes it


def test_the_width_of_the_walk_takes_effect() -> None:
    random = np.random.default_rng(1)
    rows = np.arange(1500)
    table = random.normal(size=(1500, 32)).astype(np.float32)
    index = build_index("HNSW4", 32, Metric.L2, rows, ArraySource(rows, table), device="cpu")
    assert isinstance(index, FactoryIndex)
    exact = build_index("exact", 32, Metric.L2, rows, ArraySource(rows, table))
    queries = random.normal(size=(100, 32)).astype(np.float32)
    best = exact.search(queries, 5).distances[:, -1:]
    recalls = []
    for value in (5, 2000):
        index._describe(search_value=value)
        recalls.append(np.mean(index.search(queries, 5).distances <= best + 1e-4))
    assert recalls[1] > recalls[0] + 0.1


@pytest.mark.parametrize("factory", ["Flat", "HNSW16", "IVF16,SQ8"])
def test_threads_search_one_index(factory: str) -> None:
    index = built(factory, Metric.COSINE)
    among = ROWS[:50]

    def search(place: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        queries = VECTORS[place : place + 10]
        return index.search(queries, 7).rows, index.search(queries, 7, among=among).rows

    alone = [search(place) for place in range(100)]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(search, range(100)))
    for one, other in zip(alone, together, strict=True):
        assert (one[0] == other[0]).all()
        assert (one[1] == other[1]).all()


@pytest.mark.parametrize(
    ("factory", "n", "needed"),
    [
        ("IVF32,Flat", 31, 32),
        ("PQ4", 255, 256),
        ("IVF8,PQ4", 255, 256),
        ("PCAR8,Flat", 7, 8),
        ("OPQ4_8,Flat", 255, 256),
        ("SQ8", 0, 1),
    ],
)
def test_too_few_vectors_make_a_flat_index(
    factory: str, n: int, needed: int, caplog: pytest.LogCaptureFixture
) -> None:
    index = build_index(factory, 16, Metric.L2, ROWS[:n], SOURCE, device="cpu")
    assert index.description.form == "Flat"
    assert index.description.factory == factory
    assert caplog.messages == [
        f"{n} vectors cannot train the index form {factory}, which needs {needed} at least; "
        "building Flat instead"
    ]
    index.add(np.array([5]), VECTORS[:1])
    assert index.search(VECTORS[:1], 1).rows[0, 0] in {0, 5}
    caplog.clear()
    enough = build_index(factory, 16, Metric.L2, ROWS[:needed], SOURCE, device="cpu")
    assert enough.description.form == factory


def test_training_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    """FAISS itself would write a line to stderr for every k-means with few vectors."""
    for factory in ("IVF64,Flat", "IVF16,PQ4", "PQ4", "OPQ4_8,IVF16,PQ4"):
        built(factory)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("factory", "metric", "reason"),
    [
        ("Nonsense", Metric.L2, "cannot be made for 16 dimensions .could not parse index string"),
        ("", Metric.L2, "cannot be made for 16 dimensions"),
        ("PQ7", Metric.L2, "cannot be made for 16 dimensions .* should be a multiple"),
        ("LSH", Metric.L2, "is a IndexLSH, which this program does not search"),
        ("HNSW8_PQ4", Metric.COSINE, "is a IndexHNSWPQ, which this program does not search"),
        ("IVF16,PQ4,RFlat", Metric.L2, "is a IndexRefineFlat, which this program"),
        ("PCAW8,Flat", Metric.L2, "begins with a PCAMatrix that changes distances"),
        ("L2norm,Flat", Metric.L2, "begins with a NormalizationTransform that changes distances"),
        ("PCA32,Flat", Metric.L2, "asks for 32 principal components of 16 dimensions"),
    ],
)
def test_forms_that_are_not_searched_rightly_are_refused(
    factory: str, metric: Metric, reason: str
) -> None:
    with pytest.raises(IndexingError, match=f"{reason}.*; .* accepted; "):
        built(factory, metric)


def test_a_table_of_row_ids_in_the_string_is_taken_for_ours() -> None:
    for factory in ("IDMap2,Flat", "IDMap,PCAR8,Flat", "PCAR8,IDMap2,Flat", "Flat,IDMap2"):
        index = built(factory)
        plain = built("PCAR8,Flat" if "PCAR8" in factory else "Flat")
        index.remove(ROWS[:3])
        plain.remove(ROWS[:3])
        assert (index.search(VECTORS, 5).rows == plain.search(VECTORS, 5).rows).all()


def test_the_source_is_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "BLOCK_ROWS", 64)
    asked: list[int] = []

    def source(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        assert (np.diff(rows) > 0).all()
        asked.append(len(rows))
        return SOURCE(rows)

    # A thousandth of the corpus is a sample; here nearly all of it is, and still in blocks.
    monkeypatch.setattr("indexing.index.automatic.RECALL_QUERIES", 20)
    for factory in ("exact", "Flat", "HNSW8", "PCAR8,IVF16,SQ8"):
        asked.clear()
        index = build_index(factory, 16, Metric.L2, ROWS, source, device="cpu")
        assert max(asked) == 64
        assert index.n_images == 600


def test_a_seed_makes_the_same_index() -> None:
    one, same = (built("PQ4", seed=3) for _ in range(2))
    assert one.description == same.description
    found, again = (index.search(VECTORS, 9) for index in (one, same))
    assert (found.rows == again.rows).all()
    assert (found.distances == again.distances).all()
    other = built("PQ4", seed=4).search(VECTORS, 9)
    assert (found.distances != other.distances).any()


def test_a_graph_is_rebuilt_from_its_source(tmp_path: Path) -> None:
    index = built("HNSW16")
    index.save(tmp_path)
    alone = load_index(tmp_path, device="cpu")
    with pytest.raises(
        IndexingError, match=r"HNSW16 cannot remove .*; it is built again .*; pass source= to load"
    ):
        alone.remove(ROWS[:2])
    assert alone.n_images == 600
    assert alone.search(VECTORS[:1], 1).rows[0, 0] == ROWS[0]

    def broken(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        raise OSError("the disk is gone")

    unlucky = load_index(tmp_path, device="cpu", source=broken)
    with pytest.raises(OSError, match="the disk is gone"):
        unlucky.remove(ROWS[:2])
    assert unlucky.n_images == 600
    assert unlucky.search(VECTORS[:1], 1).rows[0, 0] == ROWS[0]

    asked: list[int] = []

    def source(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        asked.extend(rows.tolist())
        return SOURCE(rows)

    lucky = load_index(tmp_path, device="cpu", source=source)
    lucky.remove(ROWS[:2])
    assert asked == ROWS[2:].tolist()
    assert lucky.description.form == "HNSW16"


def test_saving_over_an_index_is_refused(tmp_path: Path) -> None:
    index = built("Flat")
    (tmp_path / "transform.json").write_text("{}")
    index.save(tmp_path)
    with pytest.raises(
        IndexingError, match=r"holds index\.json already; a folder without an index"
    ):
        load_index(tmp_path, device="cpu").save(tmp_path)


def test_flat_is_not_measured_and_others_are(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    assert built("Flat").description.recall_queries == 0
    described = built("PQ2").description
    assert described.recall_queries == 500
    assert described.recall < 0.9
    (message,) = caplog.messages
    assert message.startswith(f"the index form PQ2 finds {described.recall:.3f} of the 100 nearest")
    assert message.endswith("less than 0.95; it is kept")
