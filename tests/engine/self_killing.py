"""A command in a process of its own, which kills itself at one of the events of its work."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# What is imported beforehand is not counted: the events are those of the work, files opened,
# renamed and removed, folders made.
_BEFORE = """
import os, signal, sys
from indexing.extractors import EXTRACTORS
from engine.cli import cli

EXTRACTORS["toy"] = "tests.toy_extractor:open_toy"
"""
_FROM_HERE = """
last_event = int(sys.argv.pop(1))
n_events = 0

def count(event, arguments):
    global n_events
    n_events += 1
    if n_events == last_event:
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(count)
cli.main(standalone_mode=False)
print(n_events, file=sys.stderr)
"""


def run_until(last_event, arguments, preparation):
    """Run ``engine`` with arguments; 0 = to the end, with the number of events on stderr."""
    program = _BEFORE + preparation + _FROM_HERE
    return subprocess.run(
        [sys.executable, "-c", program, str(last_event), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
