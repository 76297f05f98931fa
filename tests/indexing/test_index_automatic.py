"""The form that ``auto`` takes, and the recall that it is chosen by."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from indexing.index import ArraySource, Metric, automatic, build_index
from indexing.index.automatic import TARGET_RECALL, automatic_forms
from indexing.index.base import Index
from tests.index_fixtures import one_thread  # noqa: F401


def clustered(n: int, n_dims: int, n_clusters: int = 30) -> NDArray[np.float32]:
    random = np.random.default_rng(0)
    centres = 2.0 * random.normal(size=(n_clusters, n_dims))
    points = centres[random.integers(n_clusters, size=n)] + random.normal(size=(n, n_dims))
    return (points * random.uniform(0.5, 2.0, size=(n, 1))).astype(np.float32)


def recall_by_sets(
    index: Index, vectors: NDArray[np.float32], rows: NDArray[np.int64], n_queries: int
) -> float:
    """Recall@100 of the first vectors of the corpus, themselves left out, by a plain loop."""
    metric = index.metric
    wide = vectors.astype(np.float64)
    if metric is Metric.COSINE:
        wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    shares = []
    for place, row in enumerate(rows[:n_queries].tolist()):
        if metric is Metric.L2:
            distances = ((wide - wide[place]) ** 2).sum(axis=1)
        else:
            distances = -(wide @ wide[place])
        order = [rows[other] for other in np.argsort(distances) if other != place]
        found = index.search(vectors[place : place + 1], 101).rows[0].tolist()
        found = [other for other in found if other != row][:100]
        shares.append(len(set(found) & set(order[:100])) / 100)
    return float(np.mean(shares))


def test_the_form_goes_by_the_size() -> None:
    assert automatic_forms(0, 2136) == ("Flat",)
    assert automatic_forms(50_000, 2136) == ("Flat",)
    for n_images in (50_001, 200_000, 1_000_000, 10_000_000):
        first = automatic_forms(n_images, 2136)[0]
        n_lists = int(first.removeprefix("PCAR256,IVF").removesuffix(",SQ8"))
        assert 4 * n_images**0.5 <= n_lists <= 16 * n_images**0.5
        assert n_lists & (n_lists - 1) == 0
    assert automatic_forms(60_000, 256)[0] == "IVF1024,SQ8"
    assert automatic_forms(60_000, 257)[0] == "PCAR256,IVF1024,SQ8"
    assert automatic_forms(60_000, 2136)[-1] == "IVF1024,Flat"


@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize("factory", ["IVF64,Flat", "IVF64,SQ8", "PCAR12,IVF32,SQ8", "PQ4"])
def test_the_recall_in_the_record_is_the_recall(factory: str, metric: Metric) -> None:
    vectors = clustered(1200, 16)
    rows = np.arange(1200) * 5
    index = build_index(factory, 16, metric, rows, ArraySource(rows, vectors), device="cpu")
    described = index.description
    # Another sample of the 1,200 gives the same within three standard errors.
    assert described.recall == pytest.approx(recall_by_sets(index, vectors, rows, 400), abs=0.02)
    assert described.recall_queries == 500


def test_the_probes_are_as_few_as_reach_the_target() -> None:
    vectors = clustered(3000, 16)
    rows = np.arange(3000)
    index = build_index(
        "IVF16,Flat", 16, Metric.COSINE, rows, ArraySource(rows, vectors), device="cpu"
    )
    described = index.description
    assert described.search_value is not None
    assert described.recall >= TARGET_RECALL
    assert 1 < described.search_value < 16
    index._describe(search_value=described.search_value // 2)  # type: ignore[attr-defined]
    assert recall_by_sets(index, vectors, rows, 300) < TARGET_RECALL


@pytest.mark.parametrize("n", [2, 3, 60, 101, 102])
def test_a_small_corpus_counts_all_there_are(n: int) -> None:
    vectors = clustered(n, 8)
    rows = np.arange(n)
    index = build_index("HNSW16", 8, Metric.L2, rows, ArraySource(rows, vectors), device="cpu")
    assert index.description.recall == 1.0
    assert index.description.recall_queries == n


def test_equal_pictures_do_not_count_as_missed() -> None:
    """Of 150 equal pictures any 100 are the nearest."""
    vectors = np.repeat(clustered(8, 8), 150, axis=0)
    rows = np.arange(len(vectors))
    for metric in (Metric.L2, Metric.COSINE):
        index = build_index("SQ8", 8, metric, rows, ArraySource(rows, vectors), device="cpu")
        assert index.description.recall == 1.0


def test_auto_takes_the_first_form_that_reaches_the_target(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(automatic, "EXACT_LIMIT", 600)
    vectors = np.random.default_rng(0).normal(size=(700, 600)).astype(np.float32)
    rows = np.arange(700)
    index = build_index("auto", 600, Metric.COSINE, rows, ArraySource(rows, vectors), device="cpu")
    # Noise has no principal axes, so 256 of 600 dimensions keep too little.
    assert index.description.factory == "auto"
    assert index.description.form == "PCAR512,IVF128,SQ8"
    assert index.description.recall >= TARGET_RECALL
    (message,) = caplog.messages
    assert message.startswith("the index form PCAR256,IVF128,SQ8 finds 0.")
    assert message.endswith("less than 0.95; trying one that keeps more of each vector")

    caplog.clear()
    vectors[:, 20:] *= 0.01
    index = build_index("auto", 600, Metric.COSINE, rows, ArraySource(rows, vectors), device="cpu")
    assert index.description.form == "PCAR256,IVF128,SQ8"
    assert index.description.recall >= TARGET_RECALL
    assert caplog.messages == []


def test_auto_is_exact_on_a_small_corpus() -> None:
    vectors = clustered(300, 16)
    rows = np.arange(300)
    index = build_index("auto", 16, Metric.L2, rows, ArraySource(rows, vectors), device="cpu")
    exact = build_index("exact", 16, Metric.L2, rows, ArraySource(rows, vectors))
    assert index.description.form == automatic.SMALL_FORM
    assert index.description.factory == "auto"
    assert index.description.recall == 1.0
    assert (index.search(vectors, 20).rows == exact.search(vectors, 20).rows).all()


def test_importing_and_exact_search_need_no_faiss() -> None:
    program = (
        "import sys, numpy\n"
        "from indexing.index import *\n"
        "rows = numpy.arange(3)\n"
        "source = ArraySource(rows, numpy.eye(3, dtype=numpy.float32))\n"
        "build_index('exact', 3, Metric.COSINE, rows, source).search(source.vectors, 2)\n"
        "heavy = {'faiss', 'scipy', 'sklearn', 'torch', 'pyarrow'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
