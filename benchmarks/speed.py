"""How fast the main job is, against the limit of this machine and against plain torch.

Both sides of every ratio are measured in this run, on the Corel-5K pictures. Machines differ
and are noisy: quote the ratios.
"""

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from benchmarks.measuring import engine_command, run
from engine.generations import GenerationFolders
from engine.queries import Query, read_queries
from engine.serving import Questions, Served
from engine.tagger import Tagger
from indexing.corpora import read_corpus
from indexing.extractors import DEFAULT_EXTRACTOR, open_extractor
from indexing.pixels import Framing, decode, read_picture
from indexing.records import Corpus
from learners.metrics import parse_measure
from learners.ranking import rank_tags

__all__ = ["main"]

_DEFAULT_DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "corel5k"
_FORWARD_PICTURES = 1_000
_TORCH_PICTURES = 128
_TORCH_BATCH = 32
_FRESH_PROCESSES = 7


@dataclass(frozen=True)
class _Bar:
    """One measured claim."""

    what: str
    measured: float
    bound: float
    unit: str = ""
    at_least: bool = True

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        holds = self.measured >= self.bound if self.at_least else self.measured <= self.bound
        verdict = "ok" if holds else "MISSED"
        return f"{verdict:<7}{self.measured:9.3f} {sign} {self.bound:g} {self.unit:<3} {self.what}"


@dataclass(frozen=True)
class _Limits:
    """What this machine can do at best, in images a second with all cores."""

    decode: float
    forward: float
    torch_loop: float

    @property
    def both(self) -> float:
        """Decoding and the forward pass share the cores."""
        return 1 / (1 / self.decode + 1 / self.forward)


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=_DEFAULT_DATA,
    show_default=False,
    help="Folder of Corel-5K; else ../shared/data/corel5k.",
)
@click.option("--quality", is_flag=True, help="Also read the test labels: F1 and N+ of knn.")
def main(data: Path, quality: bool) -> None:
    """Measure building, tagging and their memory, and print the ratios."""
    if not data.is_dir():
        click.echo(f"Error: {data} is not there; Corel-5K is needed; name it with --data", err=True)
        sys.exit(1)
    corpus = read_corpus(data, "corel5k")
    with tempfile.TemporaryDirectory() as folder:
        for bar in _measure(corpus, Path(folder), quality=quality):
            click.echo(str(bar))


def _measure(corpus: Corpus, folder: Path, *, quality: bool) -> Iterator[_Bar]:
    test = [str(record.path) for record in corpus.records if record.split == "test"]
    click.echo(f"{len(corpus)} pictures, {os.cpu_count()} cores", err=True)
    limits = _apart(_measure_limits, corpus)
    click.echo(
        f"images/s: decode {limits.decode:.0f}, forward {limits.forward:.0f}, both "
        f"{limits.both:.0f}; plain torch loop {limits.torch_loop:.1f}",
        err=True,
    )
    workspace = str(folder / "all")
    root = str(corpus.root)
    build = run(engine_command("build", root, "-w", workspace))
    click.echo(f"build: {build.seconds:.1f} s, {build.peak_mb:.0f} MB", err=True)
    rate = len(corpus) / build.seconds
    yield _Bar("build, share of the limit", rate / limits.both, 0.75)
    yield _Bar("build, times a plain torch loop", rate / limits.torch_loop, 4)
    again = run(engine_command("build", root, "-w", workspace))
    yield _Bar("second build, nothing changed", again.seconds, 2, "s", at_least=False)
    yield from _measure_one_more(corpus, folder)
    yield from _measure_fresh_tag(test[0], workspace)
    yield from _measure_teaching(test[0], workspace)
    yield from _measure_many_tags(test, workspace, limits)
    small = _write_table(corpus, folder / "small.jsonl", 1_000)
    few = run(engine_command("build", str(small), "-w", str(folder / "few")))
    vectors_mb = (len(corpus) - 1_000) * 4 * 2_136 / 1e6
    yield _Bar("build, peak memory", build.peak_mb / 1e3, 1.5, "GB", at_least=False)
    growth = build.peak_mb - few.peak_mb
    yield _Bar(
        f"memory 5,000 more than 1,000, over the vectors' {vectors_mb:.0f} MB",
        growth / vectors_mb,
        2,
        "",
        at_least=False,
    )
    if quality:
        yield from _measure_quality(corpus, workspace)


def _apart(measure: Callable[..., Any], *arguments: Any) -> Any:
    """Measure in a process of its own.

    What this process holds at its peak would count as memory of every process that it starts.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, *arguments).result()


def _measure_limits(corpus: Corpus) -> _Limits:
    extractor = open_extractor(DEFAULT_EXTRACTOR, "cpu")
    paths = [record.path for record in corpus.records]
    with ThreadPoolExecutor(os.cpu_count()) as pool:

        def decode_path(path: Path) -> NDArray[np.uint8]:
            return decode(read_picture(path), extractor.framing)

        list(pool.map(decode_path, paths[:200]))  # warm the page cache and the pool
        started = time.perf_counter()
        for _ in pool.map(decode_path, paths[:_FORWARD_PICTURES]):
            pass
        decode_rate = _FORWARD_PICTURES / (time.perf_counter() - started)
        pixels = list(pool.map(decode_path, paths[:_FORWARD_PICTURES]))

    def forward(frames: Sequence[NDArray[np.uint8]]) -> float:
        started = time.perf_counter()
        n_images = sum(1 for _ in extractor.stream(enumerate(frames)))
        return n_images / (time.perf_counter() - started)

    forward(pixels[:50])
    forward_rate = forward(pixels)
    return _Limits(decode_rate, forward_rate, _measure_torch(paths, extractor.framing))


def _measure_torch(paths: Sequence[Path], framing: Framing) -> float:
    """Return the rate of what people write first: decode, stack, forward in float32."""
    import timm
    import torch

    network = timm.create_model("tf_efficientnet_lite2", pretrained=False).eval()

    def batch(start: int) -> None:
        chosen = paths[start : start + _TORCH_BATCH]
        frames = np.stack([decode(read_picture(path), framing) for path in chosen])
        network((torch.from_numpy(frames).permute(0, 3, 1, 2).float() - 127) / 128)

    with torch.inference_mode():
        batch(0)
        started = time.perf_counter()
        for start in range(0, _TORCH_PICTURES, _TORCH_BATCH):
            batch(start)
        return _TORCH_PICTURES / (time.perf_counter() - started)


def _write_table(corpus: Corpus, path: Path, n_images: int) -> Path:
    with path.open("w", encoding="utf-8") as table:
        for record in corpus.records[:n_images]:
            row = {"image": str(record.path), "tags": list(record.labels or ())}
            table.write(json.dumps(row) + "\n")
    return path


def _measure_one_more(corpus: Corpus, folder: Path) -> Iterator[_Bar]:
    table = _write_table(corpus, folder / "growing.jsonl", len(corpus) - 1)
    workspace = folder / "growing"
    shutil.copytree(folder / "all" / "store", workspace / "store")  # features are known already
    run(engine_command("build", str(table), "-w", str(workspace)))
    _write_table(corpus, table, len(corpus) - 2)
    run(engine_command("build", str(table), "-w", str(workspace)))
    new = folder / "new.jpg"
    shutil.copy(corpus.records[-1].path, new)
    with new.open("ab") as file:
        file.write(b"\0")  # a content that the store has never seen
    with table.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({"image": str(new), "tags": ["new"]}) + "\n")
    one_more = run(engine_command("build", str(table), "-w", str(workspace)))
    yield _Bar("build, one picture more", one_more.seconds, 3, "s", at_least=False)


def _measure_fresh_tag(image: str, workspace: str) -> Iterator[_Bar]:
    tag = engine_command("tag", image, "-w", workspace, "--json")
    import_torch = [sys.executable, "-c", "import torch"]
    run(tag), run(import_torch)
    pairs = [(run(tag).seconds, run(import_torch).seconds) for _ in range(_FRESH_PROCESSES)]
    tags, imports = (statistics.median(column) for column in zip(*pairs, strict=True))
    click.echo(f"fresh process: tag {tags:.2f} s, import torch {imports:.2f} s", err=True)
    ratio = statistics.median(a / b for a, b in pairs)
    yield _Bar("tag, share of the time of import torch", ratio, 0.6, at_least=False)


def _measure_teaching(image: str, workspace: str) -> Iterator[_Bar]:
    """Teach a picture that is not indexed, tag it, and take the lesson back: processes of each."""
    tagged = ("teach", image, "--add", "a tag of speed", "--remove", "another", "-w", workspace)
    teach, undo = engine_command(*tagged), engine_command("teach", "--undo", "-w", workspace)
    tag = engine_command("tag", image, "-w", workspace, "--json")
    seconds = [[run(command).seconds for command in (teach, tag, undo)] for _ in range(5)]
    for what, column in zip(
        ("teach", "tag after it", "teach --undo"), zip(*seconds, strict=True), strict=True
    ):
        yield _Bar(f"{what}, fresh process", statistics.median(column), 1, "s", at_least=False)


def _measure_many_tags(images: Sequence[str], workspace: str, limits: _Limits) -> Iterator[_Bar]:
    runs = [run(engine_command("tag", *images, "-w", workspace, "--json")) for _ in range(3)]
    seconds = statistics.median(one.seconds for one in runs)
    click.echo(f"tag {len(images)}: {seconds:.2f} s", err=True)
    yield _Bar("tag many, share of the limit", len(images) / seconds / limits.both, 0.7)
    yield _Bar(
        "voting, share of the search", _apart(_voting_share, images, workspace), 0.1, at_least=False
    )


def _voting_share(images: Sequence[str], workspace: str) -> float:
    """Return the time of voting over the time of searching, for all pictures at once."""
    tagger = Tagger(GenerationFolders(Path(workspace)), "cpu")
    _, learner = tagger.learner("knn")
    queries = [
        asked
        for run in read_queries([Path(image) for image in images], tagger.extractor)
        for asked in run
        if isinstance(asked, Query)
    ]
    vectors = tagger.vectors(queries)
    nobody = np.full(len(queries), -1, np.int64)
    shares = []
    for _ in range(_FRESH_PROCESSES):
        started = time.perf_counter()
        questions = Questions(tagger.tagged, vectors, nobody, blocks=())
        batch = questions.batch(Served(learner=learner, index=lambda: tagger.index))
        searched = time.perf_counter()
        rank_tags(learner.predict_scores(batch), 5, learner.tie_breaks(batch))
        shares.append((time.perf_counter() - searched) / (searched - started))
    return statistics.median(shares)


def _measure_quality(corpus: Corpus, workspace: str) -> Iterator[_Bar]:
    """Tag the test pictures with exactly 5 tags each and hold them against their labels."""
    test = [record for record in corpus.records if record.split == "test"]
    labels = sorted({label for record in corpus.records for label in record.labels or ()})
    columns = {label: column for column, label in enumerate(labels)}
    truth = np.zeros((len(test), len(labels)), bool)
    scores = np.full(truth.shape, -np.inf)
    paths = [str(record.path) for record in test]
    answers = run(engine_command("tag", *paths, "-w", workspace, "--top", "5", "--json")).output
    for row, (record, line) in enumerate(zip(test, answers.splitlines(), strict=True)):
        truth[row, [columns[label] for label in record.labels or ()]] = True
        for place, ranked in enumerate(json.loads(line)["tags"]):
            scores[row, columns[ranked["tag"]]] = -place
    for name, bound, scale in (
        ("c-p@5", 0, 100),
        ("c-r@5", 0, 100),
        ("c-f1@5", 38, 100),
        ("n+@5", 156, 1),
    ):
        value = parse_measure(name).compute(scores, truth, labels).value
        yield _Bar(f"knn as build leaves it, {name}", scale * value, bound)


if __name__ == "__main__":
    main()
