"""Run commands as whole processes and read what the operating system says of them."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Run", "engine_command", "run"]


@dataclass(frozen=True)
class Run:
    """One finished process.

    Parameters
    ----------
    seconds : float
        Wall seconds.
    peak_mb : float
        Peak resident memory, in MB; pages of memory-mapped files count.
    output : str
        Standard output.
    """

    seconds: float
    peak_mb: float
    output: str


def engine_command(*arguments: str) -> list[str]:
    """Return the command line that runs ``engine`` with this Python."""
    return [sys.executable, "-m", "engine", *arguments]


def run(command: Sequence[str]) -> Run:
    """Run a command to its end.

    Raises
    ------
    RuntimeError
        It failed; the message holds what it wrote on stderr.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        # wait4 gives the memory of this child alone.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode != 0:
            raise RuntimeError(
                f"{' '.join(command)} ended with {process.returncode}: "
                f"{errors.read().decode(errors='replace')}"
            )
        bytes_a_unit = 1 if sys.platform == "darwin" else 1024
        return Run(seconds, usage.ru_maxrss * bytes_a_unit / 1e6, output.read().decode())
