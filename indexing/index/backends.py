"""Building and opening an index by name."""

import logging
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexing.errors import ArtifactError, IndexingError
from indexing.index.automatic import TARGET_RECALL, automatic_forms
from indexing.index.base import BuildRequest, Index
from indexing.index.description import read_record
from indexing.index.neighbors import Metric
from indexing.index.vectors import VectorSource, VectorStream, checked_rows

__all__ = ["BACKENDS", "build_index", "load_index"]

BACKENDS = {
    "exact": "indexing.index.exact:ExactIndex",
    "factory": "indexing.index.factory:FactoryIndex",
}
logger = logging.getLogger(__name__)

DEVICES = ("auto", "cpu", "cuda")


def build_index(
    factory: str,
    n_dims: int,
    metric: Metric,
    rows: NDArray[np.int64],
    source: VectorSource,
    *,
    device: str = "auto",
    seed: int = 0,
) -> Index:
    """Build an index, reading its vectors block by block.

    Parameters
    ----------
    factory : str
        ``"auto"`` chooses by the number of vectors and by the recall that it measures;
        ``"exact"`` is exact search without FAISS; else a factory string of FAISS, such as
        ``"Flat"``, ``"HNSW32"``, ``"IVF256,Flat"`` or ``"OPQ32_256,IVF256,PQ32"``.
    n_dims : int
        Width of the vectors.
    metric : Metric
        How distances are measured.
    rows : ndarray of int64, shape (n_images,)
        Row ids, in any order, each once; there may be none.
    source : VectorSource
        Where their vectors come from. The index keeps it, to build itself again from there
        where a form cannot remove.
    device : {"auto", "cpu", "cuda"}
        Where to search; ``"auto"`` uses the GPUs that FAISS sees.
    seed : int
        For the training sample, the queries of the recall and every k-means.

    Returns
    -------
    Index

    Raises
    ------
    IndexingError
        Where the factory names no form of that width, or rows or vectors cannot be used.

    Examples
    --------
    >>> from indexing.index import ArraySource
    >>> rows = np.arange(4)
    >>> vectors = np.eye(4, dtype=np.float32)
    >>> index = build_index("exact", 4, Metric.COSINE, rows, ArraySource(rows, vectors))
    >>> index.search(vectors[2:3], k=2).rows
    array([[2, 0]])
    """
    if n_dims < 1:
        raise IndexingError(f"n_dims is {n_dims}; 1 or more is accepted; pass the vectors' width")
    _check_device(device)
    rows = np.sort(checked_rows(rows, "the rows"))
    stream = VectorStream(source, n_dims, Metric(metric))
    forms = automatic_forms(len(rows), n_dims) if factory == "auto" else (factory,)
    for form in forms:
        backend = form if form in BACKENDS else "factory"
        index = _resolved(backend).build(
            BuildRequest(
                factory=factory, form=form, rows=rows, stream=stream, device=device, seed=seed
            )
        )
        description = index.description
        if description.recall >= TARGET_RECALL:
            break
        logger.warning(
            "the index form %s finds %.3f of the 100 nearest pictures on this corpus, less than "
            "%.2f; %s",
            description.form,
            description.recall,
            TARGET_RECALL,
            "it is kept" if form == forms[-1] else "trying one that keeps more of each vector",
        )
    return index


def load_index(folder: Path, *, device: str = "auto", source: VectorSource | None = None) -> Index:
    """Open a saved index; its vectors stay on disk, mapped, until they are searched.

    Parameters
    ----------
    folder : Path
        What :meth:`Index.save` wrote. It must not change while the index is open.
    device : {"auto", "cpu", "cuda"}
        Where to search.
    source : VectorSource, optional
        Where its vectors come from; removing from a graph index needs it.

    Raises
    ------
    ArtifactError
        Where the folder holds no index, a damaged one, or one of a newer version.
    """
    _check_device(device)
    description, rows = read_record(folder)
    if description.backend not in BACKENDS:
        raise ArtifactError(
            f"{folder} is an index of {description.backend!r}; {', '.join(BACKENDS)} are "
            "accepted; build the index again"
        )
    return _resolved(description.backend).load(
        folder, description, rows, device=device, source=source
    )


def _resolved(backend: str) -> type[Index]:
    module, _, attribute = BACKENDS[backend].partition(":")
    found: type[Index] = getattr(import_module(module), attribute)
    return found


def _check_device(device: str) -> None:
    if device not in DEVICES:
        raise IndexingError(
            f"the device is {device!r}; {', '.join(DEVICES)} are accepted; choose one of them"
        )
    if device == "cuda":
        import_module("indexing.index.gpu").gpu_wanted(device)
