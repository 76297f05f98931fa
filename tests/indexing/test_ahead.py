"""Work in threads: in order, a bounded lead ahead, faults passed on."""

import threading

import pytest

from indexing.ahead import n_threads_ahead, run_ahead


def test_run_ahead_keeps_the_order_and_a_bounded_lead():
    running = threading.Semaphore(0)
    started = []

    def work(key):
        started.append(key)
        running.release()
        return -key

    steps = run_ahead(range(1_000), work)
    assert next(steps) == (0, 0)
    running.acquire()
    steps.close()
    assert len(started) <= 16 * n_threads_ahead() + 1
    assert list(run_ahead(range(5), work)) == [(i, -i) for i in range(5)]


def test_run_ahead_passes_a_fault_on():
    def work(key):
        if key == 3:
            raise RuntimeError("no")
        return key

    with pytest.raises(RuntimeError, match="no"):
        list(run_ahead(range(10), work))
