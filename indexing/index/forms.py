"""The forms that FAISS's factory strings name: taken apart, checked, trained.

A form is a chain of linear transforms (often none) before a core, which is of one of three
families, and is searched accordingly. Other types are refused: a form is accepted when the
contract test covers it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from indexing.errors import IndexingError
from indexing.index.neighbors import Metric
from indexing.index.vectors import VectorStream

__all__ = ["Family", "Form", "new_form", "opened_form", "train", "vectors_needed"]

ACCEPTED = (
    "Flat, SQ8, PQ16, HNSW32, IVF256,Flat and the like, after PCAR64, OPQ16_64 or RR64 at will"
)
# Vectors to train on: a floor, and what each centroid of a k-means gets at least where the
# corpus has as many. FAISS asks for 39 and uses 256 at most.
TRAINING_VECTORS = 10_000
VECTORS_PER_CENTROID = 64
OPQ_CENTROIDS = 256
# FAISS does 50 rounds, which at 2,136 dimensions take minutes; the last 30 gain next to nothing.
OPQ_ROUNDS = 20
# The most memory that training vectors may take.
TRAINING_BYTES = 1 << 30


class Family(StrEnum):
    """How the core of a form is searched."""

    SCAN = "scan"  # every code, one after another
    LISTS = "lists"  # the inverted lists whose centroids are nearest to the query
    GRAPH = "graph"  # a walk over a graph of neighbours


@dataclass(frozen=True, kw_only=True, eq=False)
class Form:
    """A FAISS index and its parts.

    Parameters
    ----------
    whole : faiss.Index
        All of it: what is trained, filled and saved. Owns the parts.
    chain : tuple of faiss.VectorTransform
        Applied to vectors and queries before the core.
    core : faiss.Index
        What the vectors are in; takes and returns row ids.
    inner : faiss.Index
        The core without its table of row ids, where it has one.
    family : Family
        How the core is searched.
    """

    whole: Any
    chain: tuple[Any, ...]
    core: Any
    inner: Any
    family: Family

    def chained(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the chain makes of vectors, float32 of shape (n, core dimensions)."""
        for transform in self.chain:
            vectors = transform.apply(vectors)
        return vectors

    @property
    def quantizers(self) -> tuple[Any, ...]:
        """The product quantisers in it: they too are trained by k-means."""
        codes = self.codes
        return (codes.pq,) if isinstance(codes, faiss.IndexPQ | faiss.IndexIVFPQ) else ()

    @property
    def codes(self) -> Any:
        """What holds the codes: the storage of a graph, else the inner index."""
        graph = self.family is Family.GRAPH
        return faiss.downcast_index(self.inner.storage) if graph else self.inner

    @property
    def exact(self) -> bool:
        """Whether it computes every distance on vectors as they are."""
        return isinstance(self.inner, faiss.IndexFlat) and not self.chain

    @property
    def bytes_per_image(self) -> float:
        """Memory of a code, its row id and its links."""
        links = 0.0
        if self.family is Family.GRAPH and self.core.ntotal:
            links = 4.0 * self.inner.hnsw.neighbors.size() / self.core.ntotal
        return float(self.codes.code_size) + 8.0 + links

    def reserve(self, n_images: int) -> None:
        """Take the memory of so many codes at once, where they lie in one piece.

        A vector that grows by doubling holds three copies at its peak.
        """
        codes = self.codes
        if isinstance(codes, faiss.IndexFlatCodes):
            codes.codes.resize(n_images * codes.code_size)
            codes.codes.resize(0)


def opened_form(whole: Any) -> Form:
    """Take a FAISS index apart.

    Raises
    ------
    IndexingError
        Where it is of a type that is not accepted.
    """
    chain: tuple[Any, ...] = ()
    core = whole
    if isinstance(whole, faiss.IndexPreTransform):
        chain = tuple(
            faiss.downcast_VectorTransform(whole.chain.at(place))
            for place in range(whole.chain.size())
        )
        core = faiss.downcast_index(whole.index)
    inner = faiss.downcast_index(core.index) if isinstance(core, faiss.IndexIDMap2) else core
    return Form(whole=whole, chain=chain, core=core, inner=inner, family=_family(inner))


def _family(inner: Any) -> Family:
    families = {
        Family.SCAN: (faiss.IndexFlat, faiss.IndexScalarQuantizer, faiss.IndexPQ),
        Family.LISTS: (faiss.IndexIVFFlat, faiss.IndexIVFScalarQuantizer, faiss.IndexIVFPQ),
        # Not IndexHNSWPQ: FAISS links its graph by l2, whatever the metric is.
        Family.GRAPH: (faiss.IndexHNSWFlat, faiss.IndexHNSWSQ),
    }
    for family, types in families.items():
        if isinstance(inner, types):
            return family
    raise IndexingError(
        f"the index form is a {type(inner).__name__}, which this program does not search; "
        f"{ACCEPTED} are accepted; choose one of them"
    )


def _check_transform(transform: Any) -> None:
    """Refuse a transform that changes distances: whitening, normalising, binarising."""
    keeps = isinstance(transform, faiss.PCAMatrix) and transform.eigen_power == 0.0
    if not keeps and not isinstance(transform, faiss.OPQMatrix | faiss.RandomRotationMatrix):
        raise IndexingError(
            f"the index form begins with a {type(transform).__name__} that changes distances; "
            f"{ACCEPTED} are accepted; choose one of them"
        )
    if isinstance(transform, faiss.PCAMatrix) and transform.d_out > transform.d_in:
        raise IndexingError(
            f"the index form asks for {transform.d_out} principal components of "
            f"{transform.d_in} dimensions; at most {transform.d_in} are accepted; ask for fewer"
        )


def new_form(spec: str, n_dims: int, metric: Metric) -> Form:
    """Make an empty, untrained index of a factory string.

    Raises
    ------
    IndexingError
        Where the string names nothing that is accepted at this width.
    """
    # Row ids are kept here, whatever the string says of them.
    plain = re.sub(r"(^|,)IDMap2?(?=,|$)", "", spec).lstrip(",")
    kind = faiss.METRIC_L2 if metric is Metric.L2 else faiss.METRIC_INNER_PRODUCT
    try:
        form = opened_form(faiss.index_factory(n_dims, plain, kind))
        for transform in form.chain:
            _check_transform(transform)
    except RuntimeError as error:
        reason = str(error).rsplit(": ", 1)[-1].strip()
        raise IndexingError(
            f"the index form {spec!r} cannot be made for {n_dims} dimensions ({reason}); "
            f"{ACCEPTED} are accepted; choose one of them"
        ) from error
    for quantizer in form.quantizers:
        quantizer.cp.min_points_per_centroid = 1  # else every k-means warns on stderr
        # Orders the codes for a Hamming filter, which is not used here; it takes half a minute.
        form.inner.do_polysemous_training = False
    return form if form.family is Family.LISTS else _with_row_ids(form)


def _with_row_ids(form: Form) -> Form:
    """Put a table of row ids around the inner index; inverted lists hold row ids themselves.

    (Around inverted lists the table would be wrong: it is compacted on removal, they are not.)
    """
    core = faiss.IndexIDMap2(form.inner)
    core.own_fields = True
    whole = core
    if form.chain:
        form.whole.index = core
        core.this.disown()
        whole = form.whole
    else:
        form.whole.this.disown()
    return Form(whole=whole, chain=form.chain, core=core, inner=form.inner, family=form.family)


def vectors_needed(form: Form) -> int:
    """Return how many vectors a form cannot be trained without; 0 where it needs no training."""
    if form.whole.is_trained:
        return 0
    needs = [_centroids(form)]
    for transform in form.chain:
        if isinstance(transform, faiss.OPQMatrix):
            needs.append(OPQ_CENTROIDS)
        elif isinstance(transform, faiss.PCAMatrix):
            needs.append(int(transform.d_out))
    return max(needs)


def train(form: Form, rows: NDArray[np.int64], stream: VectorStream, seed: int) -> None:
    """Train a form on a sample of the vectors.

    Parameters
    ----------
    form : Form
        As :func:`new_form` made it.
    rows : ndarray of int64, shape (n_images,)
        Rows to sample from, ascending; at least :func:`vectors_needed` of them.
    stream : VectorStream
        Their vectors.
    seed : int
        For the sample and for every k-means.
    """
    if form.whole.is_trained:
        return
    random = np.random.default_rng(seed)
    sample = _sample(rows, max(TRAINING_VECTORS, 4 * stream.n_dims), stream.n_dims, random)
    if form.chain:
        vectors = _gathered(sample, stream, stream.n_dims, lambda block: block)
        for transform in form.chain:
            _train_transform(transform, vectors, stream.metric)
            vectors = transform.apply(vectors)
    n_dims = form.core.d
    n_wanted = max(TRAINING_VECTORS, VECTORS_PER_CENTROID * _centroids(form))
    sample = _sample(rows, n_wanted, n_dims, random)
    for quantizer in form.quantizers:
        quantizer.cp.seed = seed
    if form.family is Family.LISTS:
        form.inner.cp.seed = seed
        form.inner.cp.min_points_per_centroid = 1
    # Trains the core alone: the transforms of the chain count as trained by now.
    form.core.train(_gathered(sample, stream, n_dims, form.chained))
    form.whole.is_trained = True


def _centroids(form: Form) -> int:
    """Return the largest number of centroids that a k-means of the form has."""
    lists = form.inner.nlist if form.family is Family.LISTS else 1
    return max([lists, *(int(quantizer.ksub) for quantizer in form.quantizers)])


def _train_transform(transform: Any, vectors: NDArray[np.float32], metric: Metric) -> None:
    if transform.is_trained:
        return
    if isinstance(transform, faiss.OPQMatrix):
        quantizer = faiss.ProductQuantizer(transform.d_out, transform.M, 8)
        quantizer.cp.min_points_per_centroid = 1  # else its many k-means all warn on stderr
        transform.pq = quantizer
        transform.niter = OPQ_ROUNDS
        transform.train(vectors)
        transform.pq = None
    elif metric is not Metric.L2:
        # A PCA subtracts the mean, which changes the order of inner products. The sample
        # and its mirror image have the mean zero: their principal axes pass the origin.
        transform.train(np.concatenate([vectors, -vectors]))
    else:
        transform.train(vectors)


def _sample(
    rows: NDArray[np.int64], n_wanted: int, n_dims: int, random: np.random.Generator
) -> NDArray[np.int64]:
    n_wanted = min(len(rows), n_wanted, max(1, TRAINING_BYTES // (4 * n_dims)))
    if n_wanted == len(rows):
        return rows
    return np.sort(random.choice(rows, n_wanted, replace=False))


def _gathered(
    rows: NDArray[np.int64],
    stream: VectorStream,
    n_dims: int,
    change: Callable[[NDArray[np.float32]], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """Return what the change makes of the rows' vectors, read block by block."""
    gathered = np.empty((len(rows), n_dims), dtype=np.float32)
    start = 0
    for chunk, vectors in stream.blocks(rows):
        gathered[start : start + len(chunk)] = change(vectors)
        start += len(chunk)
    return gathered
