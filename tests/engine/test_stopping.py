"""Ctrl-C is one line and exit code 130, wherever it meets compiled code."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.cli import cli
from engine.stopping import EXIT_INTERRUPTED, stoppable

ROOT = Path(__file__).resolve().parents[2]

# A command that is stopped in one of these places, sends itself the signal, and has no other end.
PROGRAM = """
import atexit, ctypes, os, signal, sys, time

def ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)

class Destructor:
    def __del__(self):
        ctrl_c()

@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
def compared(one, other):
    ctrl_c()
    return 0

def in_python():
    ctrl_c()

def in_a_destructor():
    Destructor()

def in_a_callback():
    pair = (ctypes.c_int * 2)(2, 1)
    ctypes.CDLL(None).qsort(pair, 2, ctypes.sizeof(ctypes.c_int), compared)

def as_another_error():
    try:
        ctrl_c()
        time.sleep(60)
    except KeyboardInterrupt as error:
        raise SystemError("returned a result with an exception set") from error

def in_the_import_of_an_extension():
    # What import_array() of numpy does where the import fails.
    try:
        ctrl_c()
        time.sleep(60)
    except KeyboardInterrupt:
        sys.excepthook(*sys.exc_info())
        raise ImportError("numpy._core.multiarray failed to import") from None

def twice():
    try:
        ctrl_c()
        time.sleep(60)
    finally:
        ctrl_c()
        time.sleep(60)

def work(place):
    globals()[place]()
    while True:
        sum(range(1000))
"""
PUT_BACK = """
import signal, sys
from engine.stopping import stoppable

def now():
    heard = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)
    return heard, sys.unraisablehook, sys.excepthook

signal.signal(signal.SIGINT, signal.default_int_handler)
before = now()
try:
    with stoppable(lambda: "Stopped in between."):
        assert now() != before
        signal.raise_signal(signal.SIGINT)
except SystemExit as ending:
    print(ending.code)
if now() == before:
    print("put back")
"""
BARE = """
import click
import engine.cli

@click.command()
@click.argument("place")
def stopped(place):
    work(place)

engine.cli._COMMANDS["stopped"] = "__main__:stopped"
engine.cli.main()
"""
TRAINING = """
from indexing.extractors import EXTRACTORS
from learners.table import LEARNERS
import engine.training.trainable
from tests.engine.stand_ins import Means
from engine.cli import main

EXTRACTORS["toy"] = "tests.toy_extractor:open_toy"
LEARNERS["means"] = "tests.engine.stand_ins:Means"
engine.training.trainable.TRAINABLE = ("means",)
place = sys.argv.pop()
Means._fit = lambda self, batch, tags: work(place)
main()
"""
PLACES = (
    *("in_python", "in_a_destructor", "in_a_callback", "as_another_error", "twice"),
    "in_the_import_of_an_extension",
)


def run(program, *arguments):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM + program, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("place", PLACES)
def test_it_is_one_line_whatever_becomes_of_it(place):
    result = run(BARE, "stopped", place)
    assert (result.returncode, result.stderr.strip()) == (130, "Stopped."), result.stderr


@pytest.mark.parametrize("place", PLACES)
def test_a_training_says_what_has_become_of_the_workspace(built, place):
    before = (built.root / "current").read_text()
    result = run(TRAINING, "train", "means", "-w", built.root, place)
    *few, last = result.stderr.splitlines()
    assert (result.returncode, last) == (130, "Stopped: the workspace is as it was before.")
    assert all("pictures with tags are few" in line for line in few)
    assert (built.root / "current").read_text() == before


def test_on_the_way_out_it_ends_the_process_without_a_word():
    on_the_way_out = "atexit.register(ctrl_c)\n"
    result = run(on_the_way_out + BARE, "--version")
    assert (result.returncode, result.stderr) == (-signal.SIGINT, "")
    result = run(on_the_way_out + BARE, "stopped", "in_python")
    assert (result.returncode, result.stderr.strip()) == (-signal.SIGINT, "Stopped.")


def test_where_the_shell_ignores_it_so_do_commands():
    ignoring = "signal.signal(signal.SIGINT, signal.SIG_IGN)\natexit.register(ctrl_c)\n"
    result = run(ignoring + BARE, "--version")
    assert (result.returncode, result.stderr) == (0, "")


def test_other_faults_are_told_as_ever(capsys):
    with pytest.raises(ZeroDivisionError), stoppable():
        raise ZeroDivisionError
    with pytest.raises(SystemExit, match="3"), stoppable():
        sys.exit(3)
    assert capsys.readouterr().err == ""


def test_handlers_are_put_back():
    # In a process of its own: who raises signals beside other tests may stop those.
    result = subprocess.run(
        [sys.executable, "-c", PUT_BACK], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout, result.stderr) == (
        0,
        f"{EXIT_INTERRUPTED}\nput back\n",
        "Stopped in between.\n",
    )


def test_a_benchmark_keeps_what_is_done_and_says_so(tmp_path, monkeypatch):
    def stop(*given, **more):
        raise KeyboardInterrupt

    class Everything:
        def __contains__(self, features):
            return True

    monkeypatch.setattr("benchmarks.opening.open_data", lambda *given: (None, Everything()))
    monkeypatch.setattr("benchmarks.runner.run_suite", stop)
    result = CliRunner().invoke(cli, ["bench", "espgame-tags", "--out", str(tmp_path)])
    assert result.exit_code == 130, result.output
    assert result.stderr.endswith(
        "Stopped: the results that are done are kept; run the same command again to go on.\n"
    )
