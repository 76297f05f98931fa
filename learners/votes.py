"""Who votes on a picture, and what the votes add up to.

Voting is two steps, and both are open to callers: :func:`voters` says who votes with which
weight (so a caller can fetch more neighbours until everybody has enough voters, and show who
voted), :func:`tag_votes` counts. :func:`exclude` takes a picture's own copies out of its
neighbours first, where it is among the tagged pictures itself.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from indexing.errors import InputError
from learners.corrections import CorrectedTags
from learners.tag_matrix import TagMatrix, locate

if TYPE_CHECKING:
    from indexing.index import Neighbors

__all__ = ["Voters", "Weights", "exclude", "tag_votes", "voters"]

Item = TypeVar("Item", bound=np.generic)

# Numbers that one step of tag_votes may hold at a time: bounds its memory to some 100 MB.
STEP_SIZE = 1 << 22


class Weights(StrEnum):
    """What a vote weighs."""

    UNIFORM = "uniform"
    """Every voter weighs 1."""
    SIMILARITY = "similarity"
    """A voter weighs its cosine similarity, ``1 - distance``; below 0 counts as 0."""


@dataclass(frozen=True, eq=False)
class Voters:
    """Who votes on each query, nearest first; pads at the end.

    Parameters
    ----------
    positions : ndarray of int64, shape (n_queries, n_neighbors)
        Where the voter stands in the tag matrix; -1 pads.
    rows : ndarray of int64, shape (n_queries, n_neighbors)
        Its row id; -1 pads.
    distances : ndarray of float32, shape (n_queries, n_neighbors)
        Ascending; +inf pads.
    weights : ndarray of float32, shape (n_queries, n_neighbors)
        What its vote weighs, at least 0; 0 pads.
    """

    positions: NDArray[np.int64]
    rows: NDArray[np.int64]
    distances: NDArray[np.float32]
    weights: NDArray[np.float32]

    @property
    def n_found(self) -> NDArray[np.int64]:
        """Voters of each query, int64, shape (n_queries,)."""
        found: NDArray[np.int64] = np.count_nonzero(self.positions >= 0, axis=1)
        return found

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Whether each query has as many voters as were asked for, shape (n_queries,)."""
        return np.asarray(self.n_found == self.positions.shape[1])

    def part(self, queries: slice, ranks: slice) -> "Voters":
        """Return some of the queries, with some of their voters."""
        return Voters(
            positions=self.positions[queries, ranks],
            rows=self.rows[queries, ranks],
            distances=self.distances[queries, ranks],
            weights=self.weights[queries, ranks],
        )

    def weighing_one(self) -> "Voters":
        """Return the same voters, each of weight 1."""
        return dataclasses.replace(self, weights=(self.positions >= 0).astype(np.float32))


def voters(
    neighbors: "Neighbors",
    tags: TagMatrix,
    n_neighbors: int,
    unique_owner: bool = False,
    weights: Weights = Weights.UNIFORM,
) -> Voters:
    """Choose who votes: the first `n_neighbors` neighbours that are in the tag matrix.

    Parameters
    ----------
    neighbors : Neighbors
        Nearest first; more than `n_neighbors` may be given. Rows that are not in `tags`, and
        pads, are skipped.
    tags : TagMatrix
        The tagged pictures.
    n_neighbors : int
        Voters a query, at most; at least 1.
    unique_owner : bool, default=False
        At most one voter an owner, the nearest. Pictures of unknown owner (-1) are each their
        own owner, and where no owner is known at all the rule is off.
    weights : Weights, default=Weights.UNIFORM
        What a vote weighs; ``SIMILARITY`` reads the distances as cosine distances.

    Returns
    -------
    Voters
        Of width `n_neighbors`. ``complete`` tells which queries need no further neighbours.
    """
    positions = tags.positions(neighbors.rows)
    votes = positions >= 0
    if unique_owner and np.any(tags.owners >= 0):
        votes &= ~_repeats_an_owner(positions, tags.owners)
    distances = np.asarray(neighbors.distances, dtype=np.float32)
    chosen_distances = _first(distances, votes, n_neighbors, pad=np.inf)
    chosen = _first(positions, votes, n_neighbors, pad=-1)
    if weights is Weights.SIMILARITY:
        # The pads' infinite distance becomes weight 0 here too.
        voter_weights = np.maximum(np.float32(1) - chosen_distances, np.float32(0))
    else:
        voter_weights = (chosen >= 0).astype(np.float32)
    return Voters(
        positions=chosen,
        rows=_first(np.asarray(neighbors.rows, dtype=np.int64), votes, n_neighbors, pad=-1),
        distances=chosen_distances,
        weights=voter_weights,
    )


def tag_votes(voters: Voters, tags: TagMatrix) -> NDArray[np.float32]:
    """Sum for every query and tag the weights of the voters that carry the tag.

    Parameters
    ----------
    voters : Voters
        Who votes; see :func:`voters`.
    tags : TagMatrix
        The matrix that the voters' positions refer to. Where it is corrected, the weights of
        the voters that are known not to have the tag are taken off.

    Returns
    -------
    ndarray of float32, shape (n_queries, n_tags)
        Negative only where more weight was corrected against a tag than carries it.

    Notes
    -----
    Only the tags that voters carry are touched: the cost is the number of votes cast, plus
    the output itself.
    """
    votes = _summed(voters, tags)
    if isinstance(tags, CorrectedTags):
        votes -= _summed(voters, tags.forbidden)
    return votes


def _summed(voters: Voters, tags: TagMatrix) -> NDArray[np.float32]:
    """Sum the weights of the voters that have a cell in the matrix, float32 (n_queries, n_tags)."""
    n_queries, n_tags = len(voters.positions), tags.n_tags
    lengths = np.diff(tags.indptr)
    voting = voters.positions >= 0
    cast = np.zeros(voters.positions.shape, dtype=np.int64)
    cast[voting] = lengths[voters.positions[voting]]
    votes = np.empty((n_queries, n_tags), dtype=np.float32)
    for part in _steps(cast.sum(axis=1) + n_tags):
        query, voter = np.nonzero(cast[part])
        position = voters.positions[part][query, voter]
        n_cast = cast[part][query, voter]
        first_entry = tags.indptr[position] - (np.cumsum(n_cast) - n_cast)
        entry = np.arange(n_cast.sum()) + np.repeat(first_entry, n_cast)
        cell = np.repeat(query * n_tags, n_cast) + tags.indices[entry]
        weight = np.repeat(voters.weights[part][query, voter], n_cast)
        n_rows = part.stop - part.start
        sums = np.bincount(cell, weights=weight, minlength=n_rows * n_tags)
        votes[part] = sums.reshape(n_rows, n_tags)
    return votes


def exclude(
    neighbors: "Neighbors", *, query_groups: ArrayLike, rows: ArrayLike, groups: ArrayLike
) -> "Neighbors":
    """Drop from each query's neighbours the pictures of the query's own group.

    With byte-identical pictures in one group, this leaves out a picture and its copies by
    what they are, never by where they stand: a copy may come first, or the picture itself
    not at all.

    Parameters
    ----------
    neighbors : Neighbors
        Nearest first; -1 pads.
    query_groups : array of int64, shape (n_queries,)
        Group of each query; -1 = none, nothing is dropped.
    rows : array of int64, shape (n_images,)
        Row ids of the pictures whose groups are known, sorted and unique.
    groups : array of int64, shape (n_images,)
        Group of each of `rows`, not negative: same content, same group.

    Returns
    -------
    Neighbors
        Of the same width and order; what was dropped becomes pads at the end.

    Raises
    ------
    InputError
        If the lengths do not match.
    """
    own = np.asarray(query_groups, dtype=np.int64)
    known_rows = np.asarray(rows, dtype=np.int64)
    known_groups = np.asarray(groups, dtype=np.int64)
    found = np.asarray(neighbors.rows, dtype=np.int64)
    if own.shape != (len(found),) or known_groups.shape != known_rows.shape:
        raise InputError(
            f"{own.size} query groups for {len(found)} queries, {known_groups.size} groups for "
            f"{known_rows.size} rows; each query and each row has one group; align them"
        )
    position = locate(found, known_rows)
    group = np.where(position >= 0, known_groups[position] if known_groups.size else -1, -1)
    return neighbors.keep((group < 0) | (group != own[:, None]))


def _repeats_an_owner(positions: NDArray[np.int64], owners: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the neighbours whose known owner has a nearer neighbour of the same query."""
    query, rank = np.nonzero(positions >= 0)
    owner = owners[positions[query, rank]]
    known = owner >= 0
    query, rank, owner = query[known], rank[known], owner[known]
    # The entries come by query and rank and the sort is stable: in each run of one query and
    # owner the nearest stands first, and every other entry is a repetition.
    order = np.lexsort((owner, query))
    same_query = query[order][1:] == query[order][:-1]
    same_owner = owner[order][1:] == owner[order][:-1]
    later = order[1:][same_query & same_owner]
    repeated = np.zeros(positions.shape, dtype=bool)
    repeated[query[later], rank[later]] = True
    return repeated


def _first(values: NDArray[Item], keep: NDArray[np.bool_], width: int, pad: float) -> NDArray[Item]:
    """Return the first `width` kept values of each row, in order, padded at the end."""
    target = np.cumsum(keep, axis=1) - 1
    query, source = np.nonzero(keep & (target < width))
    first = np.full((len(values), width), pad, dtype=values.dtype)
    first[query, target[query, source]] = values[query, source]
    return first


def _steps(costs: NDArray[np.int64]) -> Iterator[slice]:
    """Cut the queries into runs whose summed cost stays below the step size."""
    total = np.cumsum(costs)
    start = 0
    while start < len(costs):
        done = total[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(total, done + STEP_SIZE, side="right")))
        yield slice(start, stop)
        start = stop
