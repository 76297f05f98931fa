"""Progress bars on stderr: quiet where nobody watches."""

import sys
from types import TracebackType
from typing import Any, Self

__all__ = ["ProgressBars"]

# By the last word of a stage, which may begin with what it is a stage of.
_UNITS = {"pictures": "images", "words": "images", "neighbours": "images", "index": "vectors"}


class ProgressBars:
    """One bar a stage, with rate and time left; nothing unless stderr is a terminal.

    Examples
    --------
    >>> with ProgressBars() as progress:
    ...     progress("pictures", 1, 2)
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._stage = ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` of a stage is done; a total of 0 = nobody knows."""
        if not sys.stderr.isatty():
            return
        if stage != self._stage:
            self._start(stage, done, total)
        self._bar.update(done - self._bar.n)

    def _start(self, stage: str, done: int, total: int) -> None:
        from tqdm import tqdm

        self._close()
        self._stage = stage
        if total:
            unit = f" {_UNITS.get(stage.rpartition(' ')[2], 'steps')}"
            self._bar = tqdm(
                total=total, initial=max(0, done - 1), desc=stage, unit=unit, file=sys.stderr
            )
        else:
            self._bar = tqdm(desc=stage, bar_format="{desc} ...", leave=False, file=sys.stderr)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()
