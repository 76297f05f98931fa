"""Do slow work in threads, a bounded lead ahead of whoever uses the results."""

import itertools
import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["n_threads_ahead", "run_ahead"]

# Results that may wait: deep enough that one slow file starves nobody, shallow in memory.
_DEEPEST = 128

Key = TypeVar("Key")
Result = TypeVar("Result")


def n_threads_ahead() -> int:
    """Return how many threads work ahead: one a core this process may use, at least two."""
    if hasattr(os, "sched_getaffinity"):
        return max(2, len(os.sched_getaffinity(0)))
    return max(2, os.cpu_count() or 2)


def run_ahead(
    keys: Sequence[Key], work: Callable[[Key], Result]
) -> Generator[tuple[Key, Result], None, None]:
    """Run ``work`` on every key in threads, a bounded number ahead, and yield in order.

    Parameters
    ----------
    keys : sequence
    work : callable
        Run in a thread; what it raises is raised here.

    Yields
    ------
    tuple of (key, result)
    """
    n_threads = n_threads_ahead()
    window: deque[tuple[Key, Future[Result]]] = deque()
    pool = ThreadPoolExecutor(n_threads, thread_name_prefix="ahead")
    waiting = iter(keys)
    try:
        for key in itertools.islice(waiting, min(16 * n_threads, _DEEPEST)):
            window.append((key, pool.submit(work, key)))
        while window:
            key, future = window.popleft()
            result = future.result()
            for ahead in itertools.islice(waiting, 1):
                window.append((ahead, pool.submit(work, ahead)))
            yield key, result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
