"""Run a suite: case by case, each written down when it is done."""

import importlib.metadata
import json
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.albums import RULES, TOGETHER_BY, answered_together, choose_rule
from benchmarks.cases import Case, Results
from benchmarks.counting import Count, best_fixed_number, counts_of, left_to_predict, row_name
from benchmarks.datasets import Dataset, exercises
from benchmarks.features import Features
from benchmarks.memory import PeakMemory
from benchmarks.posing import Posed, folds_of
from benchmarks.protocols import Emit, Protocol
from benchmarks.scoring import scored
from benchmarks.solving import Solution, solve
from benchmarks.suites import FeatureKind, Method, Suite
from benchmarks.tuning import Tuning, choose, grid_of
from engine.generations import GenerationFolders
from learners.base import Needs
from learners.base import Progress as FitProgress
from learners.table import learner_class

__all__ = ["run_suite"]

_FACTS_FILE = "data.json"
_PACKAGES = ("tag-engine", "numpy", "faiss-gpu", "faiss-cpu")

_EMITS = {Count.PREDICTED: "as predicted", Count.TRUE: "as many as are true"}

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Task:
    """One exercise of a protocol on one kind of features, and all that its cases share."""

    suite: Suite
    dataset: Dataset
    features: Features
    protocol: Protocol
    posed: Posed
    tuning: Tuning

    @cached_property
    def folds(self) -> list[Posed]:
        """Folds of the training pictures, for the tuning."""
        return folds_of(
            self.posed.exercise.training,
            self.tuning.n_folds,
            completion=self.protocol.completion,
            album_size=self.protocol.album_size,
            seed=self.protocol.seed,
        )

    @cached_property
    def fixed_number(self) -> int:
        """Tags a picture where a fixed number of them is emitted, chosen in training."""
        return best_fixed_number(self.folds, seed=self.protocol.seed)

    def forget(self) -> None:
        """Let go of what can be computed again."""
        self.__dict__.pop("folds", None)
        self.posed.exercise.forget()

    def cases(self, method: Method) -> dict[Count | None, Case]:
        """Return the rows of a method: one, unless the number of tags is told each way."""
        if self.protocol.emission.how is not Emit.EACH_WAY:
            return {None: self._case(method, method.shown)}
        return {
            count: self._case(method, row_name(method.shown, count))
            for count in counts_of(method.learner)
        }

    def _case(self, method: Method, row: str) -> Case:
        where = dict(self.posed.where)
        part = ""
        if self.protocol.unseen is not None:
            part = f", {self.protocol.unseen.judged} tags"
        if "fold" in where:
            part += f" fold {where['fold']}/{where['n_folds']}"
        elif "draw" in where:
            part += f" draw {where['draw']}/{where['n_draws']}"
        grid = {k: v for k, v in grid_of(method.learner).items() if k not in dict(method.fixed)}
        tuning = f"{self.tuning.measure} {self.tuning.n_folds} folds {json.dumps(grid)}"
        if method.together:
            tuning += f", {TOGETHER_BY} of {RULES}"
        return Case(
            suite=self.suite.name,
            dataset=self.dataset.name + part,
            method=row,
            learner=method.learner,
            fixed=method.fixed,
            features=f"{self.features.name} {self.features.digest}",
            data=self.dataset.digest,
            protocol=str(self.protocol),
            where=self.posed.where,
            tuning=tuning,
            measures=tuple(map(str, self.protocol.emission.measures())),
            seed=self.protocol.seed,
        )

    def run(
        self, method: Method, folder: Path, on_progress: FitProgress
    ) -> Iterator[dict[str, Any]]:
        """Choose, fit, ask, judge; save the scores and yield the lines."""
        seed = self.protocol.seed
        with PeakMemory() as memory:
            exercise = self.posed.exercise
            choice = choose(
                method.learner,
                dict(method.fixed),
                exercise,
                lambda: self.folds,
                self.tuning,
                seed=seed,
                on_progress=on_progress,
            )
            solution = solve(
                method.learner, choice.params, exercise, seed=seed, on_progress=on_progress
            )
            if method.together:
                rule = choose_rule(
                    method.learner,
                    choice.params,
                    self.folds,
                    seed=seed,
                    on_progress=on_progress,
                )
                solution = answered_together(solution, exercise.questions, rule)
        counted = {count: self._counted(solution, method, count) for count in self.cases(method)}
        # From here on, and only here, the truth is looked at.
        for count, case in self.cases(method).items():
            answered, told = counted[count]
            if count is Count.TRUE:
                n_true = np.count_nonzero(self.posed.answers.truth, axis=1)
                answered = replace(answered, quantities=n_true.astype(np.float64))
            line = self._line(case, answered, folder)
            params = {**solution.params, "features": self.features.name, "chosen_by": choice.how}
            line["params"] = {**params, **told, **dict(case.where)}
            yield {**line, "peak_rss_mb": memory.peak_mb}

    def _counted(
        self, solution: Solution, method: Method, count: Count | None
    ) -> tuple[Solution, dict[str, Any]]:
        """Return the solution with the numbers of tags of a row, and what is told of them."""
        if count is None:
            return solution, {}
        told = {"ranking": method.shown, "emits": _EMITS.get(count, "")}
        if count is Count.FIXED:
            n_asked = len(solution.scores)
            fixed = np.full(n_asked, float(self.fixed_number))
            told["emits"] = str(self.fixed_number)
            return replace(solution, quantities=fixed), told
        reads_tags = Needs.TAGS in learner_class(method.learner).needs
        left = left_to_predict(solution, self.posed.exercise, reads_tags=reads_tags)
        return replace(solution, quantities=left), told

    def _line(self, case: Case, solution: Solution, folder: Path) -> dict[str, Any]:
        """Judge, save the scores and return the line, but for what all rows have in common."""
        emission = self.protocol.emission
        result = scored(solution, self.posed.answers, as_ranks=emission.how is not Emit.ABOVE)
        result.save(folder / case.scores)
        n_images, n_labels = result.judged.truth.shape
        pictures = self.dataset.corpus.root / "images"
        return {
            "case": case.key,
            "suite": case.suite,
            "dataset": case.dataset,
            "method": case.method,
            "params": {},
            "seed": case.seed,
            "measures": result.measured(emission.measures(), seed=case.seed),
            "scores": case.scores,
            "n_images": n_images,
            "n_labels": n_labels,
            "fit_seconds": solution.fit_seconds,
            "predict_seconds": solution.predict_seconds,
            "versions": _versions(),
            "protocol": case.protocol,
            "image_root": str(pictures) if pictures.is_dir() else None,
        }


def run_suite(
    suite: Suite,
    methods: Sequence[Method],
    dataset: Dataset,
    features: Mapping[FeatureKind, Features],
    folder: Path,
    *,
    tuning: Tuning | None = None,
    fresh: bool = False,
    on_progress: Progress = lambda done, total, what: None,
) -> list[dict[str, Any]]:
    """Run the cases of a suite that are not done yet.

    Parameters
    ----------
    suite : Suite
    methods : sequence of Method
        Each on every exercise of every protocol.
    dataset : Dataset
    features : mapping of FeatureKind to Features
        Of the kinds that the methods see.
    folder : Path
        Gets ``results.jsonl`` (a line a case), ``scores/`` (an npz a case) and ``data.json``
        (what people must know of the data).
    tuning : Tuning, optional
    fresh : bool, default=False
        Whether results that are there are thrown away.
    on_progress : callable
        Called with (cases done, cases to do, what is being done), more than once a case
        where a learner tells how far it is.

    Returns
    -------
    list of dict
        The lines of all cases, in order, those of earlier runs included.

    Raises
    ------
    LockedError
        If another process is writing the folder.
    """
    with GenerationFolders(folder).lock():
        results = Results(folder, fresh=fresh)
        facts: list[dict[str, Any]] = []
        planned = list(_planned(suite, methods, dataset, features, tuning or Tuning(), facts))
        _write_facts(folder / _FACTS_FILE, facts)
        cases = [case for task, method in planned for case in task.cases(method).values()]
        todo = [
            (task, method)
            for task, method in planned
            if not all(results.line(case) for case in task.cases(method).values())
        ]
        for done, (task, method) in enumerate(todo):
            what = f"{method.shown} on {next(iter(task.cases(method).values())).dataset}"
            on_progress(done, len(todo), what)
            detailed = partial(_detailed, partial(on_progress, done, len(todo)), what)
            for line in task.run(method, folder, detailed):
                results.append(line)
            is_last_of_task = done + 1 == len(todo) or todo[done + 1][0] is not task
            if is_last_of_task:
                task.forget()
        on_progress(len(todo), len(todo), "done")
        return results.settle(cases)


def _detailed(tell: Callable[[str], None], what: str, stage: str, done: int, total: int) -> None:
    """Tell how far the learner is that is being fitted."""
    tell(f"{what}: {stage} {done}/{total}" if total else f"{what}: {stage} {done}")


def _planned(
    suite: Suite,
    methods: Sequence[Method],
    dataset: Dataset,
    features: Mapping[FeatureKind, Features],
    tuning: Tuning,
    facts: list[dict[str, Any]],
) -> Iterator[tuple[_Task, Method]]:
    """Yield every exercise with every method, methods of the same features together."""
    for protocol in suite.protocols:
        for kind, of_kind in features.items():
            chosen = [method for method in methods if method.features is kind]
            if not chosen:
                continue
            posed, known = exercises(
                protocol, dataset, of_kind.vectors, of_kind.blocks, of_kind.directions
            )
            if known not in facts:
                facts.append(known)
            for one in posed:
                task = _Task(
                    suite=suite,
                    dataset=dataset,
                    features=of_kind,
                    protocol=protocol,
                    posed=one,
                    tuning=tuning,
                )
                yield from ((task, method) for method in chosen)


def _write_facts(path: Path, facts: list[dict[str, Any]]) -> None:
    scratch = path.with_suffix(".new")
    text = json.dumps(facts, ensure_ascii=False, indent=1)
    scratch.write_text(text + "\n", encoding="utf-8")
    scratch.replace(path)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
