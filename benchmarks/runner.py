"""Run a suite: case by case, each written down when it is done."""

import importlib.metadata
import json
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from benchmarks.cases import Case, Results
from benchmarks.datasets import Dataset, exercises
from benchmarks.features import Features
from benchmarks.memory import PeakMemory
from benchmarks.posing import Posed, folds_of
from benchmarks.protocols import Emit, Protocol
from benchmarks.scoring import scored
from benchmarks.solving import solve
from benchmarks.suites import FeatureKind, Method, Suite
from benchmarks.tuning import Tuning, choose, grid_of
from engine.generations import GenerationFolders
from learners.base import Progress as FitProgress

__all__ = ["run_suite"]

_FACTS_FILE = "data.json"
_PACKAGES = ("tag-engine", "numpy", "faiss-gpu", "faiss-cpu")

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
            seed=self.protocol.seed,
        )

    def forget(self) -> None:
        """Let go of what can be computed again."""
        self.__dict__.pop("folds", None)
        self.posed.exercise.forget()

    def case(self, method: Method) -> Case:
        where = dict(self.posed.where)
        fold = f" fold {where['fold']}/{where['n_folds']}" if "fold" in where else ""
        grid = {k: v for k, v in grid_of(method.learner).items() if k not in dict(method.fixed)}
        return Case(
            suite=self.suite.name,
            dataset=self.dataset.name + fold,
            method=method.name,
            learner=method.learner,
            fixed=method.fixed,
            features=f"{self.features.name} {self.features.digest}",
            data=self.dataset.digest,
            protocol=str(self.protocol),
            where=self.posed.where,
            tuning=f"{self.tuning.measure} {self.tuning.n_folds} folds {json.dumps(grid)}",
            measures=tuple(map(str, self.protocol.emission.measures())),
            seed=self.protocol.seed,
        )

    def run(self, method: Method, folder: Path, on_progress: FitProgress) -> dict[str, Any]:
        """Choose, fit, ask, judge; save the scores and return the line."""
        case = self.case(method)
        with PeakMemory() as memory:
            exercise = self.posed.exercise
            choice = choose(
                method.learner,
                dict(method.fixed),
                exercise,
                lambda: self.folds,
                self.tuning,
                seed=case.seed,
                on_progress=on_progress,
            )
            solution = solve(
                method.learner, choice.params, exercise, seed=case.seed, on_progress=on_progress
            )
        # From here on, and only here, the truth is looked at.
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
            "params": {
                **solution.params,
                "features": self.features.name,
                "chosen_by": choice.how,
                **dict(case.where),
            },
            "seed": case.seed,
            "measures": result.measured(emission.measures(), seed=case.seed),
            "scores": case.scores,
            "n_images": n_images,
            "n_labels": n_labels,
            "fit_seconds": solution.fit_seconds,
            "predict_seconds": solution.predict_seconds,
            "peak_rss_mb": memory.peak_mb,
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
        todo = [(task, method) for task, method in planned if not results.line(task.case(method))]
        cases = [task.case(method) for task, method in planned]
        for done, (task, method) in enumerate(todo):
            what = f"{method.name} on {task.case(method).dataset}"
            on_progress(done, len(todo), what)
            detailed = partial(_detailed, partial(on_progress, done, len(todo)), what)
            results.append(task.run(method, folder, detailed))
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
            posed, known = exercises(protocol, dataset, of_kind.vectors, of_kind.blocks)
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
