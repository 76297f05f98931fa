"""The memory that a piece of work takes."""

import resource
import sys
from pathlib import Path

__all__ = ["PeakMemory"]

_MB = 1 << 20


class PeakMemory:
    """The most resident memory that the process held inside the ``with``, in MB.

    Linux lets a process reset its high-water mark; elsewhere it is that of the whole run.
    """

    peak_mb = float("nan")

    def __enter__(self) -> "PeakMemory":
        try:
            Path("/proc/self/clear_refs").write_text("5")
            self._is_reset = True
        except OSError:
            self._is_reset = False
        return self

    def __exit__(self, *error: object) -> None:
        if self._is_reset:
            status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
            line = next(text for text in status.splitlines() if text.startswith("VmHWM"))
            self.peak_mb = int(line.split()[1]) * 1024 / _MB
        else:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            self.peak_mb = peak * (1 if sys.platform == "darwin" else 1024) / _MB
