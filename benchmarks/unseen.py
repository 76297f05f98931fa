"""How a workspace answers pictures that it has not seen: ``python -m benchmarks.unseen``.

How many tags are said, how many of them are right, whether their probabilities mean what they
say, and what one picture costs against the slowest of the learners that are mixed, and against
``python -c "import torch"``. Nothing is written.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.measuring import engine_command, run
from engine.emission import Emission
from engine.generations import GenerationFolders
from engine.queries import Query, read_queries
from engine.results import RankedTag
from engine.serving import Questions, Served
from engine.tagger import Tagger
from indexing.corpora import read_corpus
from indexing.errors import EngineError, InputError
from indexing.records import Corpus
from indexing.tags import tag_key
from learners.metrics import reliability_curve

__all__ = ["Judgement", "judge", "main"]

_N_BINS = 15
_TIMED_PICTURES = 60
_FRESH_PROCESSES = 7


@dataclass(frozen=True)
class Judgement:
    """What was said of pictures whose tags are known.

    Parameters
    ----------
    n_images, n_said, n_right, n_true : int
        Pictures; tags that were said, that were right among them, and that are right in all.
    expected_error : float or None
        Of the probabilities of the tags said: the ECE of 15 bins of equal mass. None where
        nothing is calibrated or nothing was said.
    """

    n_images: int
    n_said: int
    n_right: int
    n_true: int
    expected_error: float | None

    @property
    def precision(self) -> float:
        """Share of the tags said that are right, in [0, 1]; NaN where nothing was said."""
        return self.n_right / self.n_said if self.n_said else float("nan")

    @property
    def recall(self) -> float:
        """Share of the right tags that were said, in [0, 1]; NaN where there are none."""
        return self.n_right / self.n_true if self.n_true else float("nan")

    def __str__(self) -> str:
        error = "-" if self.expected_error is None else f"{self.expected_error:.3f}"
        said = self.n_said / max(self.n_images, 1)
        return f"{said:14.2f}  {self.precision:9.3f}  {self.recall:6.3f}  {error:>5}"


def judge(answers: Sequence[Sequence[RankedTag]], truth: Sequence[set[str]]) -> Judgement:
    """Hold tags that were said against those that are right.

    Parameters
    ----------
    answers : sequence of sequence of RankedTag
        One a picture.
    truth : sequence of set of str
        The keys of the right tags of each.
    """
    said = [ranked for answer in answers for ranked in answer]
    right = [
        tag_key(ranked.tag) in true
        for answer, true in zip(answers, truth, strict=True)
        for ranked in answer
    ]
    chances = [ranked.probability for ranked in said if ranked.probability is not None]
    error = None
    if said and len(chances) == len(said):
        error = reliability_curve(chances, right, _N_BINS).expected_error
    return Judgement(len(truth), len(said), sum(right), sum(map(len, truth)), error)


def main(arguments: Sequence[str] | None = None) -> None:
    """Judge a workspace on the pictures of a corpus, and print what was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.unseen", description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("pictures", type=Path, help="a corpus whose tags or labels are right")
    parser.add_argument("--split", help="of these pictures, those of one split")
    parser.add_argument("--learner", help="who answers; by default the best there is")
    parser.add_argument("--precision", type=float, nargs="*", default=[0.8, 0.9, 0.95])
    parser.add_argument("--times", action="store_true", help="also measure what an answer costs")
    options = parser.parse_args(arguments)
    try:
        _judge_workspace(options)
    except EngineError as error:
        parser.exit(1, f"Error: {error}\n")


def _judge_workspace(options: argparse.Namespace) -> None:
    tagger = Tagger(GenerationFolders(options.workspace), "cpu")
    name, _ = tagger.learner(options.learner)
    paths, truth = _questions(read_corpus(options.pictures), options.split)
    wanted = {"as predicted": Emission(), "--top 5": Emission(top=5)}
    if tagger.served(name).members:
        wanted |= {f"--precision {p:g}": Emission(precision=p) for p in options.precision}
    _say(f"{len(paths):,} pictures, {sum(map(len, truth)) / len(paths):.2f} tags each; {name}")
    _say(f"{'':<18}{'tags a picture':>14}  {'precision':>9}  {'recall':>6}  {'ECE':>5}")
    for what, emission in wanted.items():
        answers = [answer.tags for answer in tagger.tag(paths, learner=name, emission=emission)]
        _say(f"{what:<18}{judge(answers, truth)}")
    if options.times:
        _time_warm(tagger, name, paths[:_TIMED_PICTURES])
        _time_fresh(options.workspace, name, paths[0])


def _questions(corpus: Corpus, split: str | None) -> tuple[list[Path], list[set[str]]]:
    records = [record for record in corpus.records if split in (None, record.split)]
    paths = [record.path for record in records]
    if not paths:
        raise InputError(
            f"no picture of {corpus.root} is in the split {split!r}; pictures to ask about are "
            "needed; name another split"
        )
    truth = [
        {tag_key(tag) for tag in (record.tags if record.labels is None else record.labels) or ()}
        for record in records
    ]
    return paths, truth


def _time_warm(tagger: Tagger, name: str, paths: Sequence[Path]) -> None:
    """Print what a learner costs against those that it mixes, one picture at a time."""
    served = tagger.served(name)
    asked: dict[str, Served] = {**served.members, name: served}
    queries = [
        query
        for run_of in read_queries(paths, tagger.extractor)
        for query in run_of
        if isinstance(query, Query)
    ]
    started = time.process_time()
    for path in paths:
        list(read_queries([path], tagger.extractor))
    to_vector = (time.process_time() - started) / max(len(paths), 1)
    blocks = tuple(tagger.manifest["extractor"]["blocks"])
    seconds: dict[str, list[float]] = {of: [] for of in asked}
    for query in queries:
        vector = tagger.vectors([query])
        for of, one in asked.items():
            started = time.process_time()
            questions = Questions(tagger.tagged, vector, np.array([-1]), blocks)
            one.learner.predict_scores(questions.batch(one))
            seconds[of].append(time.process_time() - started)
    cost = {of: statistics.median(times) for of, times in seconds.items()}
    slowest = max((cost[member] for member in served.members), default=cost[name])
    each = ", ".join(f"{of} {1e3 * time_of:.1f}" for of, time_of in cost.items())
    _say(f"CPU ms a picture from its vector: {each}; to the vector {1e3 * to_vector:.1f}")
    _say(f"against the slowest member: {cost[name] / slowest:.2f} times from the vector, ", end="")
    _say(f"{(cost[name] + to_vector) / (slowest + to_vector):.2f} times in all")


def _time_fresh(workspace: Path, name: str, image: Path) -> None:
    """Print what a fresh process takes against importing torch."""
    tag = engine_command("tag", str(image), "-w", str(workspace), "--learner", name, "--json")
    import_torch = [sys.executable, "-c", "import torch"]
    run(tag), run(import_torch)
    pairs = [(run(tag).seconds, run(import_torch).seconds) for _ in range(_FRESH_PROCESSES)]
    ratio = statistics.median(tagging / importing for tagging, importing in pairs)
    tagging, importing = (statistics.median(column) for column in zip(*pairs, strict=True))
    _say(
        f"a fresh process: {tagging:.2f} s, import torch {importing:.2f} s: {ratio:.2f} of its time"
    )


def _say(text: str, end: str = "\n") -> None:
    sys.stdout.write(text + end)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
