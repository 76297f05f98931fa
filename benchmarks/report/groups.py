"""Lines that belong into one table, and which of them is the best."""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from benchmarks.report.folds import merged_line, pooled_scores, without_fold
from benchmarks.report.results import ResultLine, Scores
from learners.metrics import Comparison, Measure, compare

__all__ = ["BASELINES", "Compared", "Group", "groups_of", "smaller_is_better"]

BASELINES = frozenset({"random", "frequency", "copy", "knn", "tagvote", "2pknn", "cca-knn"})
"""Learners that the others have to beat; the best of them is compared with every method."""

_HEADLINES = ("c-f1", "map", "miap")
_SMALLER = {"ece", "ece-width", "lqp-mse"}


def smaller_is_better(measure: Measure) -> bool:
    """Whether a measure counts errors."""
    return measure.name in _SMALLER


@dataclass(frozen=True)
class Compared:
    """Differences of a method to the reference, measure by measure."""

    line: ResultLine
    reference: ResultLine
    differences: dict[Measure, Comparison]


@dataclass(frozen=True, eq=False)
class Group:
    """The lines of one suite on one data set.

    Parameters
    ----------
    suite, dataset : str
    lines : tuple of ResultLine
        Folds of a method are one line.
    folds : mapping of str to tuple of ResultLine
        The folds behind a line, by its case; lines of one exercise are missing.
    """

    suite: str
    dataset: str
    lines: tuple[ResultLine, ...]
    folds: Mapping[str, tuple[ResultLine, ...]] = field(default_factory=dict)

    def read_scores(self) -> dict[str, Scores]:
        """Load the scores that were saved, by case; those of folds are put together.

        Raises
        ------
        ArtifactError
            If scores that a line names are missing or damaged.
        """
        found = {}
        for line in self.lines:
            folds = self.folds.get(line.case, (line,))
            if all(fold.scores is not None for fold in folds):
                pooled = pooled_scores([fold.read_scores() for fold in folds])
                if pooled is not None:
                    found[line.case] = pooled
        return found

    @cached_property
    def measures(self) -> list[Measure]:
        """All that was measured of any method, in the order of the lines."""
        return list(dict.fromkeys(m for line in self.lines for m in line.measures))

    @cached_property
    def headlines(self) -> list[Measure]:
        """The few that say most, the first of them decides what is best: C-F1, MAP, MiAP."""
        found = [next((m for m in self.measures if m.name == name), None) for name in _HEADLINES]
        return [m for m in found if m is not None] or self.measures[:1]

    @cached_property
    def ranked(self) -> list[ResultLine]:
        """Return the lines, best first; of few examples, the methods with most come first."""
        if not self.headlines:
            return list(self.lines)
        first = self.headlines[0]
        sign = 1 if smaller_is_better(first) else -1

        def key(line: ResultLine) -> tuple[float, bool, float]:
            value = line.value(first)
            return -(line.n_examples or 0), math.isnan(value), sign * value

        return sorted(self.lines, key=key)

    @cached_property
    def best_of_methods(self) -> list[ResultLine]:
        """The best line of each method, best first."""
        best: dict[str, ResultLine] = {}
        for line in self.ranked:
            best.setdefault(line.method, line)
        return list(best.values())

    @property
    def few_examples(self) -> bool:
        """Whether the lines differ in how many pictures they learned from."""
        return len({line.n_examples for line in self.lines}) > 1

    @cached_property
    def _labels(self) -> dict[str, str]:
        """Name each line by as little as tells it from the others."""
        labels = {line.case: line.method for line in self.lines}
        if self.few_examples:
            for line in self.lines:
                labels[line.case] += f" ({line.n_examples} a tag)"
        for label, n_alike in Counter(labels.values()).items():
            alike = [line for line in self.lines if labels[line.case] == label]
            if n_alike > 1:
                names = dict.fromkeys(name for line in alike for name in line.params)
                varying = [
                    name for name in names if len({repr(o.params.get(name)) for o in alike}) > 1
                ]
                for line in alike:
                    told = [f"{name} {line.params.get(name)}" for name in varying]
                    told = told or [f"seed {line.seed}"]
                    labels[line.case] = f"{label} ({', '.join(told)})"
        return labels

    def label(self, line: ResultLine) -> str:
        """Return the name of a line: the method, and what tells it from its siblings."""
        return self._labels[line.case]

    def comparisons(
        self,
        scores: dict[str, Scores],
        baselines: Collection[str] = BASELINES,
        n_replicates: int = 200,
    ) -> list[Compared]:
        """Compare each method with the best baseline, picture by picture.

        Parameters
        ----------
        scores : dict of str to Scores
            By case; lines that are missing are not compared.
        baselines : collection of str
            Names of learners. Where none was measured, the best method is the reference.
        n_replicates : int, default=200
            Resamples of the pictures.
        """
        compared = []
        for lines in self._on_same_pictures(scores):
            reference = next((o for o in lines if _learner(o) in baselines), lines[0])
            shared = [m for m in self.headlines if all(m in line.measures for line in lines)]
            for line in lines:
                if line is not reference and shared:
                    pair = scores[reference.case].judged, scores[line.case].judged
                    differences = {m: compare(m, *pair, n_replicates=n_replicates) for m in shared}
                    compared.append(Compared(line, reference, differences))
        return compared

    def _on_same_pictures(self, scores: dict[str, Scores]) -> list[list[ResultLine]]:
        """Split the lines, best first, by what they can be compared with."""
        parts: list[list[ResultLine]] = []
        for line in self.ranked:
            if line.case not in scores:
                continue
            for part in parts:
                if line.n_examples == part[0].n_examples and scores[line.case].same_pictures(
                    scores[part[0].case]
                ):
                    part.append(line)
                    break
            else:
                parts.append([line])
        return parts


def _learner(line: ResultLine) -> str:
    """Return the learner of a method: its name less settings and features."""
    return re.split("[:/]", line.method)[0]


def groups_of(lines: Iterable[ResultLine]) -> list[Group]:
    """Put the lines of one suite and data set together, in the order of the first of each."""
    found: dict[tuple[str, str], dict[tuple[object, ...], list[ResultLine]]] = {}
    for line in lines:
        group = found.setdefault((line.suite, without_fold(line.dataset)), {})
        is_fold = without_fold(line.dataset) != line.dataset
        key = line.method, line.n_examples, line.seed, None if is_fold else line.case
        group.setdefault(key, []).append(line)
    return [
        Group(
            suite,
            dataset,
            tuple(merged_line(folds) for folds in own.values()),
            {folds[0].case: tuple(folds) for folds in own.values() if len(folds) > 1},
        )
        for (suite, dataset), own in found.items()
    ]
