"""Rows of one ranking that differ in how many tags a picture gets, compared in pairs."""

from collections.abc import Iterable

from benchmarks.report.groups import Compared, Group
from benchmarks.report.results import ResultLine, Scores
from learners.metrics import Measure, compare, parse_measure

__all__ = ["has_counted_rows", "predicted_less_fixed", "rankings_less_first"]

_DECIDED = tuple(map(parse_measure, ("c-f1@lqp", "i-f1@lqp", "h-f1@lqp")))
_RANKED = (*map(parse_measure, ("map", "miap")), *_DECIDED)
_RANKING, _EMITS = "ranking", "emits"
_PREDICTED, _TRUE = "as predicted", "as many as are true"


def has_counted_rows(group: Group) -> bool:
    """Whether the number of tags was told each way."""
    return any(_RANKING in line.params for line in group.lines)


def predicted_less_fixed(
    group: Group, scores: dict[str, Scores], n_replicates: int = 200
) -> list[Compared]:
    """Compare each ranking cut where it says itself with the same one cut at a fixed number."""
    found = []
    for rows in _by_ranking(group.lines).values():
        predicted = next((line for line in rows if _is(line, _PREDICTED)), None)
        fixed = next((line for line in rows if _is_fixed(line)), None)
        if predicted is not None and fixed is not None:
            found += _compared(predicted, fixed, _DECIDED, scores, n_replicates)
    return found


def rankings_less_first(
    group: Group, scores: dict[str, Scores], n_replicates: int = 200
) -> list[Compared]:
    """Compare the rankings, each at a fixed number of tags, with the first of the suite."""
    fixed = [line for line in group.lines if _is_fixed(line)]
    pairs = ((line, fixed[0]) for line in fixed[1:])
    return [one for a, b in pairs for one in _compared(a, b, _RANKED, scores, n_replicates)]


def _compared(
    line: ResultLine,
    reference: ResultLine,
    measures: Iterable[Measure],
    scores: dict[str, Scores],
    n_replicates: int,
) -> list[Compared]:
    if not {line.case, reference.case} <= set(scores):
        return []
    pair = scores[reference.case], scores[line.case]
    if not pair[0].same_pictures(pair[1]):
        return []
    shared = [m for m in measures if m in line.measures and m in reference.measures]
    judged = pair[0].judged, pair[1].judged
    differences = {m: compare(m, *judged, n_replicates=n_replicates) for m in shared}
    return [Compared(line, reference, differences)]


def _by_ranking(lines: Iterable[ResultLine]) -> dict[object, list[ResultLine]]:
    found: dict[object, list[ResultLine]] = {}
    for line in lines:
        if _RANKING in line.params:
            found.setdefault(line.params[_RANKING], []).append(line)
    return found


def _is(line: ResultLine, emits: str) -> bool:
    return line.params.get(_EMITS) == emits


def _is_fixed(line: ResultLine) -> bool:
    return _RANKING in line.params and not _is(line, _PREDICTED) and not _is(line, _TRUE)
