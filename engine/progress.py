"""Progress on stderr: bars on a terminal, a line now and then in a file."""

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import click

__all__ = ["ProgressBars", "waiting"]

# By the last word of a stage, which may begin with what it is a stage of.
_UNITS = {
    **dict.fromkeys(("pictures", "words", "neighbours", "cnn", "fusion"), "images"),
    "index": "vectors",
}
# The unit brings its space; a rate is always one a second.
_FORMAT = (
    "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{unit} "
    "[{elapsed}<{remaining}, {rate_noinv_fmt}]"
)
# Where the name of a stage takes half of the line.
_NARROW_FORMAT = "{desc}: {n_fmt}/{total_fmt}{unit}, {remaining} left"
_USUAL_SCREEN = os.terminal_size((80, 24))
# Where stderr is no terminal: what takes less is silent, and logs stay short.
_SECONDS_A_LINE = 30.0


class ProgressBars:
    """One bar a stage, with rate and time left; where stderr is no terminal, a line in 30 s.

    Examples
    --------
    >>> with ProgressBars() as progress:
    ...     progress("pictures", 1, 2)
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._stage = ""
        self._told = time.monotonic()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` of a stage is done; a total of 0 = nobody knows."""
        if not sys.stderr.isatty():
            self._tell(stage, done, total)
            return
        if stage != self._stage:
            self._start(stage, done, total)
        self._bar.update(done - self._bar.n)

    def _tell(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._told >= _SECONDS_A_LINE:
            self._told = now
            click.echo(f"{stage}: {done:,}/{total:,}" if total else stage, err=True)

    def note(self, line: str) -> None:
        """Leave a line above the bar."""
        if not sys.stderr.isatty():
            return
        from tqdm import tqdm

        tqdm.write(line, file=sys.stderr)

    @contextmanager
    def noting(self, logger: str) -> Iterator[None]:
        """Note what a logger tells, as long as the context lasts."""
        source, notes = logging.getLogger(logger), _Notes(self)
        level = source.level
        source.addHandler(notes)
        source.setLevel(logging.INFO)
        try:
            yield
        finally:
            source.setLevel(level)
            source.removeHandler(notes)

    def _start(self, stage: str, done: int, total: int) -> None:
        from tqdm import tqdm

        self._close()
        self._stage = stage
        what = stage.rpartition(" ")[2]
        # A build goes on where it was: what is there already says nothing of the rate.
        start = max(0, done - 1) if what == "pictures" else 0
        columns, lines = _screen()
        if total:
            self._bar = tqdm(
                total=total,
                initial=start,
                desc=stage,
                unit=f" {_UNITS.get(what, 'steps')}",
                bar_format=_FORMAT if 2 * len(stage) < columns else _NARROW_FORMAT,
                ncols=columns,
                nrows=lines,
                leave=False,
                file=sys.stderr,
            )
        else:
            self._bar = tqdm(
                desc=stage,
                bar_format="{desc} ...",
                ncols=columns,
                nrows=lines,
                leave=False,
                file=sys.stderr,
            )

    def _close(self, *, is_done: bool = True) -> None:
        if self._bar is not None:
            if is_done and self._bar.total:
                self._bar.update(self._bar.total - self._bar.n)
            self._bar.close()
            self._bar = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        self._close(is_done=kind is None)


class _Notes(logging.Handler):
    def __init__(self, progress: ProgressBars) -> None:
        super().__init__(logging.INFO)
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.INFO:  # warnings find their own way
            self._progress.note(record.getMessage())


def _screen() -> os.terminal_size:
    """Return columns and lines of the terminal; some do not know theirs, and say 0."""
    try:
        found = os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError):
        return _USUAL_SCREEN
    return os.terminal_size(
        (found.columns or _USUAL_SCREEN.columns, found.lines or _USUAL_SCREEN.lines)
    )


@contextmanager
def waiting(stage: str) -> Iterator[None]:
    """Show what is waited for, as long as the context lasts."""
    with ProgressBars() as progress:
        progress(stage, 0, 0)
        yield
