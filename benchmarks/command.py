"""``engine bench``: run a suite of methods on a data set and measure them."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import click

from engine.commands.options import device_option, json_option
from engine.stopping import stoppable

__all__ = ["bench"]

_DEFAULT_OUT = Path("bench-results")
_SECONDS_SHOWN = 0.1
_STOPPED = "Stopped: the results that are done are kept; run the same command again to go on."


def _names(context: click.Context, parameter: click.Parameter, text: str | None) -> Any:
    # Commas inside brackets are of a value: mlp:widths=[512,256]
    return None if text is None else tuple(filter(None, re.split(r",(?![^\[]*\])", text)))


def _widths(context: click.Context, parameter: click.Parameter, text: str | None) -> Any:
    try:
        return None if text is None else tuple(int(width) for width in text.split(","))
    except ValueError:
        raise click.BadParameter(f"{text!r}; whole numbers with commas between them") from None


class _WithSuites(click.Command):
    """A command whose help lists the suites, read from their table when it is shown."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from benchmarks.suites import SUITES

        with formatter.section("Suites"):
            formatter.write_dl([(suite.name, suite.about) for suite in SUITES.values()])
        super().format_options(ctx, formatter)


@click.command(cls=_WithSuites, short_help="Measure tagging methods on a data set.")
@click.argument("suite")
@click.option(
    "--methods",
    metavar="A,B",
    callback=_names,
    help="Only these; else all of the suite. Settings that shall not be chosen stand behind a "
    "name: knn:n_neighbors=5.",
)
@click.option(
    "--folds",
    type=click.IntRange(min=2),
    metavar="N",
    help="Ask about N folds of the training split; the test split is not looked at.",
)
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the data set.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the results.")
@click.option("--extractor", metavar="NAME", help="Feature extractor; else efficientnet-lite2.")
@click.option(
    "--features",
    type=click.Path(path_type=Path),
    metavar="X.npy",
    help="Features of your own, a row a picture, instead of an extractor; --ids goes with it.",
)
@click.option(
    "--ids", type=click.Path(path_type=Path), metavar="IDS.txt", help="Picture of each row."
)
@click.option(
    "--blocks",
    metavar="W,W",
    callback=_widths,
    help="Widths of the parts of your features that are normalised each on its own.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="For every draw.")
@click.option("--fresh", is_flag=True, help="Throw results away that are there, and start anew.")
@device_option
@json_option
def bench(
    suite: str,
    methods: tuple[str, ...] | None,
    folds: int | None,
    data: Path | None,
    out: Path | None,
    extractor: str | None,
    features: Path | None,
    ids: Path | None,
    blocks: tuple[int, ...] | None,
    seed: int,
    fresh: bool,
    device: str,
    as_json: bool,
) -> None:
    """Measure tagging methods on a data set: run a SUITE and write a report.

    Hyper-parameters are chosen by cross-validation inside the training pictures; no method
    sees the labels it is judged by. Each result is written to results.jsonl with all scores
    beside it, and a run that was stopped goes on where it was. Use --folds while you develop,
    and the test split once, for the final table.

    \b
    Example:
      engine bench smoke
      engine bench corel5k --folds 5 --methods knn,knn:n_neighbors=5,tagvote
      engine bench corel5k --out results/corel5k
    """  # noqa: D301 - click reads the backspace
    from benchmarks.opening import Wanted, open_data
    from benchmarks.runner import run_suite
    from benchmarks.suites import open_suite
    from benchmarks.table import tables
    from engine.progress import ProgressBars
    from indexing.errors import InputError
    from indexing.extractors import DEFAULT_EXTRACTOR

    if (features is None) != (ids is None):
        raise click.UsageError("--features and --ids go together: a matrix, and what its rows are")
    opened = open_suite(suite).with_seed(seed)
    opened = opened if folds is None else opened.with_folds(folds)
    chosen, missing = opened.chosen(methods)
    wanted = Wanted(
        data=data,
        extractor=extractor or DEFAULT_EXTRACTOR,
        ready=None if features is None or ids is None else (features, ids),
        blocks=blocks,
        device=device,
        directions=any(method.reads_words for method in chosen),
    )
    folder = out or _DEFAULT_OUT / (suite if folds is None else f"{suite}-folds{folds}")
    with ProgressBars() as pictures:
        dataset, found = open_data(
            opened,
            {method.features for method in chosen},
            wanted,
            pictures,
        )
    missing += tuple(method.name for method in chosen if method.features not in found)
    if missing:
        click.echo(f"not here, left out: {', '.join(missing)}", err=True)
    ready = [method for method in chosen if method.features in found]
    if not ready:
        raise InputError(
            f"no method is left for {suite}; it runs {', '.join(opened.methods)}; choose among them"
        )
    with stoppable(lambda: _STOPPED), _CaseProgress() as cases:
        lines = run_suite(opened, ready, dataset, found, folder, fresh=fresh, on_progress=cases)
    if as_json:
        for line in lines:
            click.echo(json.dumps(line, ensure_ascii=False))
    else:
        click.echo(tables(lines))
    _report(folder)


def _report(folder: Path) -> None:
    from benchmarks.report import write_report

    write_report(folder)
    click.echo(f"{folder / 'report.html'} and {folder / 'results.jsonl'} written", err=True)


class _CaseProgress:
    """Cases done, with the time left, on stderr; nothing unless it is a terminal."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._shown_at = 0.0

    def __enter__(self) -> _CaseProgress:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, done: int, total: int, what: str) -> None:
        if not sys.stderr.isatty() or not total:
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit=" cases", file=sys.stderr)
        now = time.monotonic()
        if done == self._bar.n and now - self._shown_at < _SECONDS_SHOWN:
            return  # a learner may report every step
        self._shown_at = now
        self._bar.set_description_str(what, refresh=False)
        self._bar.update(done - self._bar.n)
        self._bar.refresh()
