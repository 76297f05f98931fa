"""What words bring: ``python -m benchmarks.zero_shot``, expansion, search by text and loading.

On folds of the training split of Corel-5K, five of them or, to search as many pictures as the test
split has, nine, unless ``--test`` is given.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets import exercises
from benchmarks.exercises import Exercise
from benchmarks.measuring import run
from benchmarks.opening import Wanted, open_data
from benchmarks.posing import Posed
from benchmarks.solving import fit, solve
from benchmarks.suites import DEFAULT_DATA, FeatureKind, open_suite
from benchmarks.word_space import tag_vectors
from indexing.tags import tag_key
from learners.base import Batch
from learners.ranking import rank_tags
from learners.words import open_word_vectors
from learners.words.expansion import Chance, brought_words, supported
from learners.words.fast0tag import Fast0Tag
from learners.words.held_out import held_out_tag_scores
from learners.words.lemmas import noun_lemma

__all__ = ["BroughtCounts", "count_brought", "main", "precision_at"]

_N_PREDICTED = 5
_N_RANKED = 10
_FEWEST_PICTURES = 10  # of a label that is searched for
_FOLDS_OF_SEARCH = 9  # of 500 pictures each, as the test split has
_HEADS = ("heads", {"n_units": 4_096})
_LOADING = (
    "import time; t = time.perf_counter(); from learners.words import open_word_vectors; "
    "w = open_word_vectors(); w.vector('tiger'); print(time.perf_counter() - t); "
    "w.nearest('tiger', 5)"
)


@dataclass(frozen=True)
class BroughtCounts:
    """Words that were brought to pictures, and those among them that are right."""

    n_brought: int = 0
    n_right: int = 0

    def __add__(self, other: "BroughtCounts") -> "BroughtCounts":
        return BroughtCounts(self.n_brought + other.n_brought, self.n_right + other.n_right)

    @property
    def precision(self) -> float:
        """Share that is right, in [0, 1]; 0 where nothing was brought."""
        return self.n_right / self.n_brought if self.n_brought else 0.0


def count_brought(brought: Sequence[str], truth: frozenset[str]) -> BroughtCounts:
    """Count the words that are right, whatever their form.

    Examples
    --------
    >>> count_brought(["tigers", "lion"], frozenset({"tiger"}))
    BroughtCounts(n_brought=2, n_right=1)
    """
    forms = {noun_lemma(tag_key(word)) for word in truth}
    n_right = sum(noun_lemma(tag_key(word)) in forms for word in brought)
    return BroughtCounts(len(brought), n_right)


def precision_at(scores: NDArray[np.floating], truth: NDArray[np.bool_], n: int) -> float:
    """Return the share of the `n` best pictures of one word that carry it, ties by order.

    Examples
    --------
    >>> precision_at(np.array([0.1, 0.9, 0.5]), np.array([True, True, False]), 2)
    0.5
    """
    return float(truth[np.argsort(-scores, kind="stable")[:n]].mean())


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=list(_MEASURED), choices=list(_MEASURED))
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, metavar="DIR")
    parser.add_argument("--test", action="store_true", help="Read the test splits.")
    options = parser.parse_args(arguments)
    for name in options.what:
        for line in _MEASURED[name](options.data, None if options.test else 5):
            sys.stdout.write(f"{name}: {line}\n")
            sys.stdout.flush()


def _expansion(data: Path, n_folds: int | None) -> Iterator[str]:
    """Yield precision of the brought words, under both rules."""
    words = open_word_vectors()
    totals: dict[str, BroughtCounts] = defaultdict(BroughtCounts)
    truth_of = _labels374(data / "corel5k" / "labels374", with_test=n_folds is None)
    for one in _corel(data, n_folds):
        zero_shot = fit("words", {}, one.exercise, seed=0).learner
        if not isinstance(zero_shot, Fast0Tag):
            raise TypeError(type(zero_shot))
        directions = zero_shot.directions(Batch(features=one.exercise.questions.vectors))
        predicted = _predicted(*_HEADS, one.exercise)
        for image_id, tags, direction in zip(
            one.exercise.questions.image_ids, predicted, directions, strict=True
        ):
            brought = brought_words(tags.tolist(), words)
            kept = supported(brought, words, direction, Chance(zero_shot.chance_))
            truth = truth_of[image_id.partition(".")[0]]
            totals["paper"] += count_brought([one.word for one in brought], truth)
            totals["checked"] += count_brought([one.word for one, _ in kept], truth)
    for rule, counts in totals.items():
        yield f"corel5k, {rule} rule: {_told(counts)}"
    for suite in ("espgame-tags", "iaprtc12-tags"):
        counts = BroughtCounts()
        for one in _posed(suite, data, n_folds, n_first=1):
            predicted = _predicted("knn", {"n_neighbors": 50}, one.exercise)
            for tags, present in zip(predicted, one.answers.truth, strict=True):
                truth = frozenset(one.answers.vocabulary[present].tolist())
                brought = brought_words(tags.tolist(), words)
                counts += count_brought([one.word for one in brought], truth)
        yield f"{suite}, completion, paper rule: {_told(counts)}"


def _search(data: Path, n_folds: int | None) -> Iterator[str]:
    """Yield precision at 10 of one-word queries, labels known and held out."""
    known: dict[str, list[float]] = defaultdict(list)
    held_out: dict[str, list[float]] = defaultdict(list)
    for one in _corel(data, n_folds and _FOLDS_OF_SEARCH):
        answers, exercise = one.answers, one.exercise
        scores = solve(*_HEADS, exercise, seed=0).scores
        columns = np.flatnonzero(answers.truth.sum(axis=0) >= _FEWEST_PICTURES)
        training = exercise.training
        batch = Batch(
            features=training.vectors,
            words=tag_vectors(training.vocabulary),
            directions=training.directions,
        )
        unknown = held_out_tag_scores(
            Fast0Tag(), batch, training.tags, columns, exercise.questions.vectors
        )
        for place, column in enumerate(columns):
            label, truth = str(answers.vocabulary[column]), answers.truth[:, column]
            known[label].append(precision_at(scores[:, column], truth, _N_RANKED))
            held_out[label].append(precision_at(unknown[:, place], truth, _N_RANKED))
    for how, found in (("labels known", known), ("label held out", held_out)):
        mean = float(np.mean([np.mean(values) for values in found.values()]))
        yield f"{how}: precision at {_N_RANKED} {mean:.3f}, mean over {len(found)} labels"


def _loading(data: Path, n_folds: int | None) -> Iterator[str]:
    """Yield what a fresh process pays for word vectors."""
    open_word_vectors()  # read once, if they were not
    runs = [run([sys.executable, "-c", _LOADING]) for _ in range(5)]
    seconds = sorted(float(one.output) for one in runs)
    peak = max(one.peak_mb for one in runs)
    yield f"{seconds[2]:.2f} s (of 5 runs, median), process at most {peak:.0f} MB"


_MEASURED: Mapping[str, Callable[[Path, int | None], Iterator[str]]] = {
    "expansion": _expansion,
    "search": _search,
    "loading": _loading,
}


def _corel(data: Path, n_folds: int | None) -> list[Posed]:
    return _posed("corel5k", data, n_folds)


def _posed(
    suite_name: str, data: Path, n_folds: int | None, n_first: int | None = None
) -> list[Posed]:
    suite = open_suite(suite_name)
    if n_folds is not None:
        suite = suite.with_folds(n_folds)
    wanted = Wanted(data=data / suite.folder, directions=suite.has_pictures)
    dataset, found = open_data(suite, {FeatureKind.DEEP}, wanted)
    of_kind = found[FeatureKind.DEEP]
    posed, _ = exercises(
        suite.protocols[0], dataset, of_kind.vectors, of_kind.blocks, of_kind.directions
    )
    return posed[:n_first]


def _predicted(learner: str, params: Mapping[str, object], exercise: Exercise) -> NDArray[np.str_]:
    """Return the best tags of each question, shape (n_questions, 5)."""
    solution = solve(learner, params, exercise, seed=0)
    scores = solution.scores
    if exercise.questions.given is not None:
        scores = np.where(exercise.questions.given.toarray(), -np.inf, scores)
    best = rank_tags(scores, _N_PREDICTED, solution.tie_breaks)
    tags: NDArray[np.str_] = exercise.training.vocabulary[best]
    return tags


def _labels374(folder: Path, *, with_test: bool) -> dict[str, frozenset[str]]:
    """Read the 374-word labels of Corel-5K by the number of a picture."""
    words = (folder / "words").read_text(encoding="utf-8").split()
    found = {}
    for name in ("training_label", *(("test_label",) if with_test else ())):
        for line in (folder / name).read_text(encoding="utf-8").splitlines():
            number, *places = line.split()
            found[number] = frozenset(words[int(place) - 1] for place in places)
    return found


def _told(counts: BroughtCounts) -> str:
    return (
        f"{counts.n_right:,} of {counts.n_brought:,} brought words are right, "
        f"precision {100 * counts.precision:.2f} %"
    )


if __name__ == "__main__":
    main()
