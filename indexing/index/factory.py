"""Indexes of FAISS, by its own factory strings."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from indexing.errors import ArtifactError, IndexingError
from indexing.index import gpu
from indexing.index.automatic import RecallSample, chosen_effort
from indexing.index.base import BuildRequest, Found, Index, overfetched
from indexing.index.description import IndexDescription
from indexing.index.exact import nearest
from indexing.index.forms import Family, Form, new_form, opened_form, train, vectors_needed
from indexing.index.neighbors import Metric
from indexing.index.vectors import VectorSource, VectorStream, block_rows

__all__ = ["FactoryIndex"]

VECTORS = "vectors.faiss"

# Above this share of the index, searching wider and filtering is faster than searching the
# allowed rows alone.
OVERFETCH_SHARE = 0.5
# Searching for 100 neighbours, as the measured recall does, takes this much anyway.
LEAST_EF_SEARCH = 128
MOST_EF_SEARCH = 4096

logger = logging.getLogger(__name__)


class FactoryIndex(Index):
    """An index of FAISS that was built from a factory string.

    Parameters
    ----------
    description : IndexDescription
        What it is.
    rows : ndarray of int64, shape (n_images,)
        Row ids it holds, ascending.
    form : Form
        The FAISS index.
    device : str
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    source : VectorSource, optional
        Where its vectors come from; forms that cannot remove are built again from there.
    mapped : bool
        Whether its codes are a mapped file, which FAISS cannot change.
    """

    name = "factory"
    files = (VECTORS,)

    def __init__(
        self,
        description: IndexDescription,
        rows: NDArray[np.int64],
        form: Form,
        *,
        device: str,
        source: VectorSource | None,
        mapped: bool = False,
    ) -> None:
        super().__init__(description, rows)
        self._form = form
        self._device = device
        self._source = source
        self._mapped = mapped
        self._gpu: Any | None = None

    @classmethod
    def build(cls, request: BuildRequest) -> Self:
        """Train on a sample, add all vectors block by block, choose the search parameter."""
        stream, rows = request.stream, request.rows
        spec = request.form
        form = new_form(spec, stream.n_dims, stream.metric)
        if len(rows) < vectors_needed(form):
            logger.warning(
                "%d vectors cannot train the index form %s, which needs %d at least; "
                "building Flat instead",
                len(rows),
                spec,
                vectors_needed(form),
            )
            spec = "Flat"
            form = new_form(spec, stream.n_dims, stream.metric)
        train(form, rows, stream, request.seed)
        _fill(form, rows, stream)
        description = replace(
            request.description(cls.name), form=spec, library=f"faiss {faiss.__version__}"
        )
        index = cls(description, rows, form, device=request.device, source=stream.source)
        index._tune(request)
        index._accelerate()
        return index

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
        """Map the codes; they are read when they are searched."""
        path = folder / VECTORS
        try:
            form = opened_form(faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC))
        except (RuntimeError, IndexingError) as error:
            raise ArtifactError(
                f"{path} cannot be read ({str(error).rsplit(': ', 1)[-1]}); an index that this "
                "program saved is accepted; build the index again"
            ) from error
        kind = faiss.METRIC_L2 if description.metric is Metric.L2 else faiss.METRIC_INNER_PRODUCT
        found = (form.whole.ntotal, form.whole.d, form.whole.metric_type)
        if found != (len(rows), description.n_dims, kind):
            raise ArtifactError(
                f"{path} is not the index that its record tells of; an index that this program "
                "saved is accepted; build the index again"
            )
        index = cls(description, rows, form, device=device, source=source, mapped=True)
        index._accelerate()
        return index

    def _search(
        self, queries: NDArray[np.float32], k: int, among: NDArray[np.int64] | None
    ) -> Found:
        queries = self._form.chained(queries)
        if among is None:
            return self._nearest(queries, k)
        # Inverted lists are scanned code by code anyway, so that skipping costs them nothing.
        listed = self._form.family is Family.LISTS and self._gpu is None
        if listed or len(among) < OVERFETCH_SHARE * self.n_images:
            return self._nearest_among(queries, k, among)
        rows, distances = overfetched(
            lambda width: self._nearest(queries, width), k, among, self.n_images
        )
        short = rows[:, -1] < 0
        if short.any():
            rows[short], distances[short] = self._nearest_among(queries[short], k, among)
        return rows, distances

    def _nearest(self, queries: NDArray[np.float32], k: int) -> Found:
        """Search the whole index; the queries went through the chain."""
        if self._gpu is not None and k <= gpu.GPU_NEIGHBORS:
            rows, distances = self._signed(*self._gpu.search(queries, k))
        elif self._form.family is Family.LISTS:
            rows, distances = self._probed(queries, k, self._value)
        else:
            rows, distances = self._searched(queries, k, self._value)
        # A part of the graph that no link leads to, or a list that a GPU did not probe.
        short = rows[:, -1] < 0
        if short.any():
            rows[short], distances[short] = self._nearest_among(queries[short], k, self._rows)
        return rows, distances

    def _nearest_among(
        self, queries: NDArray[np.float32], k: int, among: NDArray[np.int64]
    ) -> Found:
        """Search some rows alone; the queries went through the chain."""
        if self._form.family is not Family.LISTS:
            return nearest(queries, k, self.metric, self._decoded(among))
        # The k nearest of a tenth of the index are spread over as many lists as the 10 k
        # nearest of all of it.
        effort = self._value * -(-self.n_images // len(among))
        return self._probed(queries, k, effort, faiss.IDSelectorBatch(among))

    def _probed(
        self, queries: NDArray[np.float32], k: int, effort: int, selector: Any | None = None
    ) -> Found:
        """Search so many inverted lists, and more where those hold fewer than k rows."""
        rows, distances = self._searched(queries, k, effort, selector)
        short = rows[:, -1] < 0
        if effort < self._form.inner.nlist and short.any():
            rows[short], distances[short] = self._probed(queries[short], k, 2 * effort, selector)
        return rows, distances

    def _searched(
        self, queries: NDArray[np.float32], k: int, effort: int, selector: Any | None = None
    ) -> Found:
        """Search with a value of the search parameter.

        The value goes along with the search and is never set on the index, which other
        threads may be searching.
        """
        core = self._form.core
        if self._form.family is Family.LISTS:
            effort = min(effort, self._form.inner.nlist)
            parameters = faiss.SearchParametersIVF(nprobe=effort, sel=selector)
        elif self._form.family is Family.GRAPH:
            parameters = faiss.SearchParametersHNSW(efSearch=effort)
        else:
            parameters = None
        return self._signed(*core.search(queries, k, params=parameters))

    @property
    def _value(self) -> int:
        return self._description.search_value or 1

    def _signed(self, distances: NDArray[np.float32], rows: NDArray[np.int64]) -> Found:
        """Turn what FAISS returns into rows and distances of the metric."""
        if self.metric is Metric.COSINE:
            distances = 1.0 - distances
        elif self.metric is Metric.IP:
            distances = -distances
        return rows, distances

    def _decoded(
        self, rows: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield rows and their vectors as the codes have them, block by block."""
        size = block_rows(self._form.core.d)
        for start in range(0, len(rows), size):
            chunk = rows[start : start + size]
            yield chunk, self._form.core.reconstruct_batch(chunk)

    def _tune(self, request: BuildRequest) -> None:
        """Choose the search parameter and measure the recall, where the form is not exact."""
        family = self._form.family
        if family is Family.LISTS:
            self._describe(search_parameter="nprobe", search_value=1)
        elif family is Family.GRAPH:
            self._describe(search_parameter="efSearch", search_value=LEAST_EF_SEARCH)
        if self._form.exact or self.n_images < 2:
            return
        sample = RecallSample.drawn(request.rows, request.stream, request.seed)
        queries = self._form.chained(sample.queries)

        def recall(effort: int) -> float:
            return sample.recall(self._searched(queries, sample.depth + 1, effort)[0])

        if family is Family.SCAN:
            measured = recall(1)
        else:
            listed = family is Family.LISTS
            most = self._form.inner.nlist if listed else MOST_EF_SEARCH
            value, measured = chosen_effort(recall, 1 if listed else LEAST_EF_SEARCH, most)
            self._describe(search_value=value)
        self._describe(recall=measured, recall_queries=len(sample.rows))

    def _describe(self, **changes: Any) -> None:
        self._description = replace(self._description, **changes)

    def _accelerate(self) -> None:
        """Copy the index to the GPUs where it may be searched there."""
        self._gpu = None
        if gpu.gpu_wanted(self._device) and self.n_images:
            if self._description.search_value and self._form.family is Family.LISTS:
                # Nobody else sees the original yet; the copy takes its probes from here.
                self._form.inner.nprobe = self._description.search_value
            self._gpu = gpu.copied(self._form)

    def _add(self, rows: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        self._unmap()
        self._form.whole.add_with_ids(vectors, rows)
        self._accelerate()

    def _remove(self, rows: NDArray[np.int64], remaining: NDArray[np.int64]) -> None:
        if self._form.family is Family.GRAPH:
            self._form = self._rebuilt(remaining)
            self._mapped = False
        else:
            self._unmap()
            self._form.whole.remove_ids(rows)
        self._accelerate()

    def _rebuilt(self, rows: NDArray[np.int64]) -> Form:
        """Return a form over some of the rows, trained as this one and filled from the source."""
        if self._source is None:
            raise IndexingError(
                f"an index of the form {self._description.form} cannot remove pictures by itself; "
                "it is built again from its source of vectors; pass source= to load_index"
            )
        form = self._copy()
        form.whole.reset()
        _fill(form, rows, VectorStream(self._source, self.n_dims, self.metric))
        return form

    def _unmap(self) -> None:
        """Bring mapped codes into memory: FAISS ends the process that changes mapped ones."""
        if self._mapped:
            self._form = self._copy()
            self._mapped = False

    def _copy(self) -> Form:
        # FAISS's own clone_index shares mapped codes.
        return opened_form(faiss.deserialize_index(faiss.serialize_index(self._form.whole)))

    def _save(self, folder: Path) -> None:
        faiss.write_index(self._form.whole, str(folder / VECTORS))

    def _bytes_per_image(self) -> float:
        return self._form.bytes_per_image


def _fill(form: Form, rows: NDArray[np.int64], stream: VectorStream) -> None:
    form.reserve(len(rows))
    for chunk, vectors in stream.blocks(rows):
        form.whole.add_with_ids(vectors, chunk)
