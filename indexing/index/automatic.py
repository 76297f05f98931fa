"""Which form an index takes, and how hard it searches: measured on the corpus itself.

The measure is recall@100 against exact search in the space of the vectors as they came: of the
100 nearest pictures of a picture of the corpus, itself left out, the share that is found.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.index.exact import nearest
from indexing.index.neighbors import Metric
from indexing.index.vectors import VectorStream

__all__ = ["TARGET_RECALL", "RecallSample", "automatic_forms", "chosen_effort"]

EXACT_LIMIT = 50_000
SMALL_FORM = "Flat"
TARGET_RECALL = 0.95
RECALL_DEPTH = 100
# With 500 queries of 100 neighbours each the standard error of the recall is about 0.003, and
# the exact search that it takes stays a small part of building a large index.
RECALL_QUERIES = 500
# A gain below this is not worth twice the work.
WORTHWHILE = 0.005


def automatic_forms(n_images: int, n_dims: int) -> tuple[str, ...]:
    """Return the forms to try for a corpus, the smallest first.

    The next one is for a corpus on which the one before stays below ``TARGET_RECALL`` however
    hard it searches, because it keeps too little of each vector.

    Examples
    --------
    >>> automatic_forms(5_000, 2136)
    ('Flat',)
    >>> automatic_forms(200_000, 2136)[0]
    'PCAR256,IVF2048,SQ8'
    >>> automatic_forms(60_000, 256)
    ('IVF1024,SQ8', 'IVF1024,Flat')
    """
    if n_images <= EXACT_LIMIT:
        return (SMALL_FORM,)
    n_lists = 2 ** math.ceil(math.log2(4.0 * math.sqrt(n_images)))
    reduced = [f"PCAR{n_kept},IVF{n_lists},SQ8" for n_kept in (256, 512) if n_kept < n_dims]
    return (*reduced, f"IVF{n_lists},SQ8", f"IVF{n_lists},Flat")


@dataclass(frozen=True, slots=True, eq=False)
class RecallSample:
    """Queries from the corpus, and what exact search finds for them.

    Parameters
    ----------
    rows : ndarray of int64, shape (n_queries,)
        The queries' own rows, which do not count as found.
    queries : ndarray of float32, shape (n_queries, n_dims)
        Their vectors, prepared for the metric.
    accepted : ndarray of int64, shape (n_queries, 2 * depth + 1)
        Rows as near to each query as its last counted neighbour, or nearer: more than
        ``depth`` where several are equally far; padded with -2.
    depth : int
        Neighbours that count: 100, or all the others where there are fewer.
    """

    rows: NDArray[np.int64]
    queries: NDArray[np.float32]
    accepted: NDArray[np.int64]
    depth: int

    @classmethod
    def drawn(cls, rows: NDArray[np.int64], stream: VectorStream, seed: int) -> "RecallSample":
        """Draw queries from two rows or more; find their neighbours exactly, in one reading."""
        random = np.random.default_rng(seed)
        own = np.sort(random.choice(rows, min(len(rows), RECALL_QUERIES), replace=False))
        queries = stream(own)
        depth = min(RECALL_DEPTH, len(rows) - 1)
        # Twice as deep, to know the ties: which of many equal pictures comes first is chance.
        found, distances = nearest(queries, 2 * depth + 1, stream.metric, stream.blocks(rows))
        others = (found != own[:, np.newaxis]) & (found >= 0)
        last = np.sort(np.where(others, distances, np.inf), axis=1)[:, depth - 1, np.newaxis]
        slack = 1e-6 * (1.0 if stream.metric is Metric.COSINE else np.abs(last))
        accepted = np.where(others & (distances <= last + slack), found, -2)
        return cls(own, queries, accepted, depth)

    def recall(self, found: NDArray[np.int64]) -> float:
        """Return the share of the exact neighbours that a search found.

        Parameters
        ----------
        found : ndarray of int64, shape (n_queries, depth + 1)
            Rows that a search returned for the queries, one more than count, because the
            query's own row is likely among them.

        Returns
        -------
        float
            In [0, 1].
        """
        hits = (found[:, :, np.newaxis] == self.accepted[:, np.newaxis, :]).any(axis=2)
        # Where the own row, which is no hit, was not found, the last place does not count.
        hits[:, -1] &= (found == self.rows[:, np.newaxis]).any(axis=1)
        return float(hits.sum()) / (self.depth * len(self.rows))


def chosen_effort(recall: Callable[[int], float], least: int, most: int) -> tuple[int, float]:
    """Choose how hard to search: the least, doubled until the recall reaches the target.

    Parameters
    ----------
    recall : callable
        From a value of the search parameter to the recall it gives, in [0, 1].
    least, most : int
        Where to begin and to end.

    Returns
    -------
    effort : int
        The first value that reaches ``TARGET_RECALL``, or the last before one that gains less
        than 0.005: more effort does not find what quantisation has lost.
    recall : float
        What it gives.

    Examples
    --------
    >>> chosen_effort(lambda probes: 1.0 - 0.5 / probes, 1, 24)
    (16, 0.96875)
    >>> chosen_effort(lambda probes: 0.8 - 0.5 / probes, 1, 1024)
    (64, 0.7921875)
    """
    effort, reached = least, recall(least)
    while reached < TARGET_RECALL and effort < most:
        harder = min(most, 2 * effort)
        gained = recall(harder)
        if gained < reached + WORTHWHILE:
            break
        effort, reached = harder, gained
    return effort, reached
