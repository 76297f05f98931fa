"""A mixture beside its parts: that it is not worse than the best, and what each part brings."""

import math
import re
from collections.abc import Iterator

from benchmarks.report.folds import pooled_scores
from benchmarks.report.groups import Compared, Group
from benchmarks.report.numbers import difference_cells
from benchmarks.report.results import ResultLine, Scores
from benchmarks.report.tables import Cell, Row, Table
from learners.metrics import compare

__all__ = ["MIXTURE", "less_best_member", "less_mixture"]

MIXTURE = "hybrid"
"""The learner that mixes others; they stand in its hyper-parameter ``members``."""


def less_best_member(group: Group, n_replicates: int) -> Table | None:
    """Return the mixture less the best of its members, a row a split; None where there is none.

    The best member is another one for each measure and split, known from the very answers: the
    mixture, which had to be chosen without them, is not flattered.

    Parameters
    ----------
    group : Group
    n_replicates : int
        Resamples of the pictures.
    """
    columns = [text for m in group.headlines for text in (f"best in {m}", f"Δ {m}", "p")]
    rows = []
    for mixture, members in _splits(group):
        mixed = mixture.read_scores().judged
        cells = [Cell(mixture.dataset), Cell(mixture.method)]
        for measure in group.headlines:
            values = [line.value(measure) for line in members]
            best = members[values.index(max(values))]
            found = compare(measure, best.read_scores().judged, mixed, n_replicates=n_replicates)
            cells += [Cell(best.method), *difference_cells(measure, found)]
        rows.append(Row(tuple(cells)))
    words = frozenset({1, *(2 + 3 * place for place in range(len(group.headlines)))})
    return Table(("split", "method", *columns), rows, words) if rows else None


def less_mixture(group: Group, n_replicates: int) -> list[Compared]:
    """Return each method less the whole mixture: members alone, and mixtures without one.

    Parameters
    ----------
    group : Group
    n_replicates : int
        Resamples of the pictures.
    """
    compared = []
    for whole in (line for line in group.ranked if line.method == MIXTURE):
        reference = _pooled(group, whole)
        for line in group.ranked:
            if line is whole or line.n_examples != whole.n_examples:
                continue
            scores = _pooled(group, line)
            if scores is None or reference is None or not scores.same_pictures(reference):
                continue
            differences = {
                measure: compare(
                    measure, reference.judged, scores.judged, n_replicates=n_replicates
                )
                for measure in group.headlines
                if measure in line.measures
            }
            compared.append(Compared(line, whole, differences))
    return compared


def _splits(group: Group) -> Iterator[tuple[ResultLine, list[ResultLine]]]:
    """Yield each mixture on each split, with its members there."""
    everything = [one for line in group.lines for one in group.folds.get(line.case, (line,))]
    for mixture in everything:
        names = _members(mixture)
        members = [
            line
            for line in everything
            if re.split("[:/+]", line.method)[0] in names
            and (line.dataset, line.n_examples) == (mixture.dataset, mixture.n_examples)
            and line.scores is not None
            and not any(math.isnan(line.value(measure)) for measure in group.headlines)
        ]
        if members and mixture.scores is not None:
            yield mixture, members


def _members(line: ResultLine) -> set[str]:
    """Return the names of the members of a whole mixture; none of another method's."""
    learner, *settings = re.split("[:/+]", line.method)
    is_whole = learner == MIXTURE and not any(text.startswith("members=") for text in settings)
    named = str(line.params.get("members", "")) if is_whole else ""
    return {name.strip() for name in named.split(",") if name.strip()}


def _pooled(group: Group, line: ResultLine) -> Scores | None:
    """Return the scores of a line, those of its folds together; None where they are missing."""
    folds = group.folds.get(line.case, (line,))
    if any(fold.scores is None for fold in folds):
        return None
    return pooled_scores([fold.read_scores() for fold in folds])
