"""Searching on a GPU: by value where there is one, and the plumbing where there is none."""

from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from indexing.errors import IndexingError
from indexing.index import ArraySource, Index, Metric, build_index, gpu, load_index
from indexing.index.forms import Family, Form
from tests.index_fixtures import one_thread  # noqa: F401

ROWS = np.arange(2200, dtype=np.int64) * 2
RANDOM = np.random.default_rng(0)
BASIS = np.linalg.qr(RANDOM.normal(size=(32, 12)))[0].T
CENTRES = 3.0 * RANDOM.normal(size=(40, 12))
POINTS = CENTRES[RANDOM.integers(40, size=2200)] + RANDOM.normal(size=(2200, 12))
VECTORS = (POINTS @ BASIS).astype(np.float32)
SOURCE = ArraySource(ROWS, VECTORS)


def check(index: Index, metric: Metric, rows: NDArray[np.int64], recall: float) -> None:
    """Compare with exact search over the rows, plainly, among some and for very many."""
    exact = build_index("exact", 32, metric, rows, SOURCE)
    scale = 1.0 if metric is Metric.COSINE else float((VECTORS**2).sum(axis=1).max())
    for k, among in ((20, None), (20, rows[::3]), (20, rows[:-9]), (2100, None)):
        found = index.search(VECTORS[:50], k, among=among)
        true = exact.search(VECTORS[:50], k, among=among)
        assert (np.diff(found.distances) >= 0).all()
        assert (found.rows >= 0).all()
        if among is not None:
            assert np.isin(found.rows, among).all()
        near = found.distances <= true.distances[:, -1:] + 0.02 * scale
        assert near.mean() >= recall or k > 20
        if recall == 1.0:
            np.testing.assert_allclose(found.distances, true.distances, rtol=0, atol=1e-5 * scale)


@pytest.mark.gpu
@pytest.mark.skipif(faiss.get_num_gpus() == 0, reason="FAISS sees no GPU")
@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize(
    ("factory", "recall"),
    [("Flat", 1.0), ("IVF16,Flat", 0.9), ("IVF16,SQ8", 0.9), ("PCAR16,IVF16,PQ8", 0.6)],
)
def test_a_gpu_answers_as_exact_search_does(
    factory: str, recall: float, metric: Metric, tmp_path: Path
) -> None:
    index = build_index(factory, 32, metric, ROWS, SOURCE, device="cuda")
    assert index._gpu is not None  # type: ignore[attr-defined]
    check(index, metric, ROWS, recall)
    index.remove(ROWS[:5])
    check(index, metric, ROWS[5:], recall)
    index.add(ROWS[:5], VECTORS[:5])
    index.save(tmp_path)
    for device in ("cpu", "cuda"):
        check(load_index(tmp_path, device=device), metric, ROWS, recall)


@pytest.mark.skipif(faiss.get_num_gpus() > 0, reason="FAISS sees a GPU")
def test_asking_for_a_gpu_where_there_is_none(tmp_path: Path) -> None:
    build_index("exact", 32, Metric.L2, ROWS, SOURCE).save(tmp_path)
    for ask in (
        lambda: build_index("Flat", 32, Metric.L2, ROWS, SOURCE, device="cuda"),
        lambda: load_index(tmp_path, device="cuda"),
    ):
        with pytest.raises(IndexingError, match=r"^the device 'cuda' was asked for and FAISS sees"):
            ask()


class PretendedGpu:
    """Answers as a GPU would: no parameters, few neighbours, the probes it was made with."""

    def __init__(self, form: Form) -> None:
        self.core = faiss.deserialize_index(faiss.serialize_index(form.core))
        self.n_searches = 0

    def search(self, queries: NDArray[np.float32], k: int) -> Any:
        assert k <= 2048
        self.n_searches += 1
        return self.core.search(queries, k)


@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize(
    ("factory", "recall"), [("Flat", 1.0), ("IVF16,Flat", 0.9), ("PCAR16,IVF16,SQ8", 0.9)]
)
def test_a_copy_answers_and_the_original_does_the_rest(
    factory: str, recall: float, metric: Metric, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "gpu_wanted", lambda device: device != "cpu")
    monkeypatch.setattr(gpu, "copied", PretendedGpu)
    index = build_index(factory, 32, metric, ROWS, SOURCE)
    copy: Any = index._gpu  # type: ignore[attr-defined]
    check(index, metric, ROWS, recall)
    assert copy.n_searches >= 2
    if "IVF" in factory:
        assert copy.core.nprobe == index.description.search_value
        assert copy.core.nprobe > 1
    index.remove(ROWS[:5])
    check(index, metric, ROWS[5:], recall)
    index.add(ROWS[:5], VECTORS[:5])
    check(index, metric, ROWS, recall)
    index.save(tmp_path)
    assert load_index(tmp_path)._gpu is not None  # type: ignore[attr-defined]
    alone = load_index(tmp_path, device="cpu")
    assert alone._gpu is None  # type: ignore[attr-defined]
    check(alone, metric, ROWS, recall)


def test_what_has_no_place_on_a_gpu_stays_on_the_cpu(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gpu, "gpu_wanted", lambda device: True)
    tried: list[bool] = []

    def refuse(index: Any, co: Any) -> Any:
        tried.append(co.shard)
        raise RuntimeError("Error in GpuResources.cpp: out of memory")

    monkeypatch.setattr(faiss, "index_cpu_to_all_gpus", refuse)
    monkeypatch.setattr(faiss, "GpuMultipleClonerOptions", lambda: type("Options", (), {})())
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 2)
    index = build_index("Flat", 32, Metric.L2, ROWS, SOURCE)
    # A copy for each GPU, then a part for each, then none.
    assert tried == [False, True]
    assert caplog.messages == [
        "the index does not fit on a GPU or has no form there, so it is searched on the CPU "
        "(out of memory)"
    ]
    check(index, Metric.L2, ROWS, 1.0)

    graph = build_index("HNSW16", 32, Metric.L2, ROWS, SOURCE)
    assert tried == [False, True]
    assert graph._form.family is Family.GRAPH  # type: ignore[attr-defined]
    check(graph, Metric.L2, ROWS, 0.95)
