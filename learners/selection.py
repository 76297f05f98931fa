"""How many neighbours should vote, read from the tagged pictures themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.metrics.decisions import COUNT_MEASURES, LabelCounts
from learners.metrics.measure import Measure
from learners.ranking import rank_tags
from learners.tag_matrix import TagMatrix
from learners.votes import Voters, Weights, tag_votes, voters
from learners.voting import KNN

if TYPE_CHECKING:
    from indexing.index import Neighbors

__all__ = ["CANDIDATES", "LABEL_F1", "Choice", "choose_n_neighbors"]

CANDIDATES: tuple[int, ...] = KNN.grid["n_neighbors"]
"""Numbers of neighbours that are tried."""

LABEL_F1 = Measure("c-f1", at=5)
"""What is maximised: the literature's F1, five tags a picture."""

# Groups of the jackknife that gives the standard error: enough for an error of the error of
# some 15 %, few enough to keep the counts of each.
N_GROUPS = 20

# A difference of one point is one that people see, however noisy a small corpus is.
LARGEST_MARGIN = 0.01

# Cells of queries x tags scored at a time: few enough to stay in the processor's cache.
STEP_SIZE = 1 << 17


@dataclass(frozen=True)
class Choice:
    """The number of neighbours chosen, and what the choice was read from.

    Parameters
    ----------
    n_neighbors : int
        The choice.
    curve : dict of int to float
        Value of the measure at each candidate.
    share_errors : dict of int to float
        Mean squared difference, in [0, 1], between the share of the voters that carry a tag
        and whether it is true, at each candidate.
    standard_error : float
        Of the best value; NaN where there are too few pictures to tell.
    """

    n_neighbors: int
    curve: dict[int, float]
    share_errors: dict[int, float]
    standard_error: float


def choose_n_neighbors(
    neighbors: "Neighbors",
    tags: TagMatrix,
    truth: TagMatrix,
    candidates: Sequence[int] = CANDIDATES,
    measure: Measure = LABEL_F1,
) -> Choice:
    """Choose how many neighbours vote in :class:`learners.voting.KNN`, by leave-one-out.

    Parameters
    ----------
    neighbors : Neighbors
        Neighbours of the sampled pictures, nearest first, without the pictures themselves
        and their copies (:func:`learners.votes.exclude`). Rows that do not vote may be there.
    tags : TagMatrix
        The pictures that vote.
    truth : TagMatrix
        What is true of the sampled pictures: one a query, in the order of the queries.
    candidates : sequence of int, default=CANDIDATES
        Numbers to try, at least 1 each.
    measure : Measure, default=c-f1@5
        What is maximised: a measure of label counts at a cutoff.

    Returns
    -------
    Choice
        Of the candidates whose value lies within one standard error of the best one, and
        within a point of it, that with the least error of the vote shares; the largest among
        equals.

    Raises
    ------
    InputError
        If there is no candidate, the measure is not one of label counts at a cutoff, or
        `truth` does not match `neighbors`.

    Notes
    -----
    The value is rather flat around its best, so its best alone is a matter of luck: on
    Corel-5K (folds of the training split) 1 to 5 voters lie within the error in c-f1@5,
    while MAP and MiAP, which look beyond the first tags, rise up to 10 or 15. So the value
    says which candidates will do, and the vote shares, read as probabilities, decide among
    them. They want more voters where people disagree, and no strangers where the nearest
    few agree. The standard error is that of a grouped jackknife over the pictures. Votes are
    counted once: each candidate adds its further voters to those of the one before.
    """
    numbers = sorted(set(candidates))
    if not numbers or numbers[0] < 1:
        raise InputError(
            f"candidates are {tuple(candidates)}; whole numbers, at least 1; give at least one"
        )
    if measure.name not in COUNT_MEASURES or not isinstance(measure.at, int):
        raise InputError(
            f"neighbours cannot be chosen by {measure}; measures of label counts at a cutoff "
            "can, like c-f1@5 or i-f1@5; choose one"
        )
    n_queries = len(neighbors.rows)
    if truth.n_images != n_queries or truth.n_tags != tags.n_tags:
        raise InputError(
            f"truth of {truth.n_images} pictures and {truth.n_tags} tags for {n_queries} queries "
            f"and {tags.n_tags} tags; one picture a query, the same vocabulary; align them"
        )
    value_of = COUNT_MEASURES[measure.name]
    chosen = voters(neighbors, tags, numbers[-1], weights=Weights.SIMILARITY)
    # More neighbours than anybody has change nothing: nothing speaks for such a number.
    most = int(chosen.n_found.max(initial=0))
    numbers = [n for n in numbers if n <= most] or numbers[:1]
    counts, share_errors = _count_votes(chosen, tags, truth, numbers, measure.at)
    curve = {n: float(value_of(_summed(counts[n]))) for n in numbers}
    best = max(numbers, key=lambda n: np.nan_to_num(curve[n], nan=-1.0))
    error = _jackknife_error(value_of(_without_each_group(counts[best])))
    margin = np.fmin(error, LARGEST_MARGIN)
    close = [n for n in numbers if curve[n] >= curve[best] - margin] or [best]
    return Choice(
        n_neighbors=min(close, key=lambda n: (share_errors[n], -n)),
        curve=curve,
        share_errors=share_errors,
        standard_error=error,
    )


def _count_votes(
    chosen: Voters, tags: TagMatrix, truth: TagMatrix, numbers: Sequence[int], n_emit: int
) -> tuple[dict[int, LabelCounts], dict[int, float]]:
    """Return for every number of voters the counts, (n_groups, n_tags), and the share error."""
    n_queries, n_tags = truth.n_images, tags.n_tags
    n_groups = max(1, min(N_GROUPS, n_queries))
    group = np.arange(n_queries) % n_groups
    shape = (n_groups, n_tags)
    relevant = np.zeros(shape, dtype=np.int64)
    counts = {
        n: LabelCounts(np.zeros(shape, np.int64), np.zeros(shape, np.int64), relevant)
        for n in numbers
    }
    squared = dict.fromkeys(numbers, 0.0)
    own_positions = tags.positions(truth.rows)
    step = max(1, STEP_SIZE // max(n_tags, 1))
    for start in range(0, n_queries, step):
        part = slice(start, min(start + step, n_queries))
        true = truth.take(np.arange(part.start, part.stop)).toarray()
        np.add.at(relevant, group[part], true)
        # A picture's own tags tell nothing about how frequent tags are without it.
        frequency = np.broadcast_to(tags.counts, true.shape).copy()
        own = own_positions[part]
        frequency[own >= 0] -= tags.take(own[own >= 0]).toarray()
        votes = np.zeros(true.shape, dtype=np.float32)
        alike = np.zeros(true.shape, dtype=np.float32)
        done = 0
        for n in numbers:
            further = chosen.part(part, slice(done, n))
            alike += tag_votes(further, tags)
            votes += tag_votes(further.weighing_one(), tags)
            done = n
            found = np.count_nonzero(chosen.positions[part, :n] >= 0, axis=1)
            shares = votes / np.maximum(found, 1)[:, None].astype(np.float32)
            squared[n] += float(np.square(shares - true).sum(dtype=np.float64))
            emitted = rank_tags(votes, n_emit, (alike, frequency))
            right = np.take_along_axis(true, emitted, axis=1)
            cell = (np.broadcast_to(group[part, None], emitted.shape), emitted)
            np.add.at(counts[n].emitted, cell, 1)
            np.add.at(counts[n].correct, cell, right)
    n_cells = max(n_queries * n_tags, 1)
    return counts, {n: error / n_cells for n, error in squared.items()}


def _summed(counts: LabelCounts) -> LabelCounts:
    return LabelCounts(
        counts.correct.sum(axis=0), counts.emitted.sum(axis=0), counts.relevant.sum(axis=0)
    )


def _without_each_group(counts: LabelCounts) -> LabelCounts:
    total = _summed(counts)
    return LabelCounts(
        total.correct - counts.correct,
        total.emitted - counts.emitted,
        total.relevant - counts.relevant,
    )


def _jackknife_error(values: NDArray[np.float64]) -> float:
    """Return the standard error from the values without each group; NaN of one group."""
    known = values[np.isfinite(values)]
    if known.size < 2:
        return float("nan")
    return float(np.sqrt((known.size - 1) * known.var()))
