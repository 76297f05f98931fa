"""Ctrl-C: one line and exit code 130, whatever the code that runs then makes of it.

Python raises ``KeyboardInterrupt`` wherever the main thread happens to be, and not everything
there lets it through. Compiled code may turn it into an error of its own (``SystemError``, or the
``ImportError`` of an extension that was being imported). A destructor, or a callback of compiled
code, prints a traceback and goes on as if nothing had been asked for.
"""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

__all__ = ["EXIT_INTERRUPTED", "last_of_the_process", "stoppable"]

EXIT_INTERRUPTED = 130
# Long enough for the destructor or the callback that lost Ctrl-C to be over.
_SECONDS_TO_COME_AGAIN = 0.05


@contextmanager
def stoppable(says: Callable[[], str] = lambda: "Stopped.") -> Iterator[None]:
    """End the process with a line on stderr where Ctrl-C stops what the context does.

    Parameters
    ----------
    says : callable, optional
        Returns the line, once all is stopped.

    Raises
    ------
    SystemExit
        With code 130, in place of whatever Ctrl-C was turned into.
    """
    with _Interrupts() as interrupts:
        try:
            yield
        except SystemExit:
            raise
        except BaseException as error:
            if not (interrupts.came or isinstance(error, KeyboardInterrupt)):
                raise
            sys.stderr.write(f"{says()}\n")
            raise SystemExit(EXIT_INTERRUPTED) from None


@contextmanager
def last_of_the_process() -> Iterator[None]:
    """Let Ctrl-C end the process at once, without a word, when the context has ended.

    Python's own way down would show a traceback of it.
    """
    try:
        yield
    finally:
        if _is_ours():
            signal.signal(signal.SIGINT, signal.SIG_DFL)


class _Interrupts:
    """Knows whether Ctrl-C came, and lets it come again where it was lost."""

    def __init__(self) -> None:
        self.came = False

    def __enter__(self) -> Self:
        heard = (signal.SIGINT, signal.SIGALRM) if _is_ours() else ()
        self._handlers = {one: signal.signal(one, self._interrupt) for one in heard}
        self._unraisable, sys.unraisablehook = sys.unraisablehook, self._lost_in_callback
        self._uncaught, sys.excepthook = sys.excepthook, self._printed_by_extension
        return self

    def __exit__(self, *exception: object) -> None:
        sys.unraisablehook, sys.excepthook = self._unraisable, self._uncaught
        if self._handlers:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for one, handler in self._handlers.items():
            signal.signal(one, handler)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.came = True
        raise KeyboardInterrupt

    def _lost_in_callback(self, lost: "UnraisableHookArgs") -> None:
        if issubclass(lost.exc_type, KeyboardInterrupt):
            self._come_again()
        else:
            self._unraisable(lost)

    def _printed_by_extension(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            self._come_again()
        else:
            self._uncaught(kind, error, trace)

    def _come_again(self) -> None:
        # An alarm, not a thread: nobody knows which locks are held where this is called.
        if self._handlers:
            signal.setitimer(signal.ITIMER_REAL, _SECONDS_TO_COME_AGAIN)


def _is_ours() -> bool:
    """Return whether Ctrl-C is to be heard: not in a thread, nor where the shell ignores it."""
    in_main = threading.current_thread() is threading.main_thread()
    return in_main and callable(signal.getsignal(signal.SIGINT))
