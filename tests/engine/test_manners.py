"""What people see while they wait, of what cannot be tagged, and of what does not vote."""

import io
import os
import re
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from engine.cli import cli
from engine.generations import GenerationFolders
from engine.network import open_recorded
from engine.progress import ProgressBars, waiting
from engine.tagger import Tagger
from engine.training.trainable import TRAINABLE
from learners.hybrid import Hybrid
from learners.settings import parse_settings
from tests.engine.conftest import COLORS, write_picture


@pytest.fixture
def new(tmp_path):
    return write_picture(tmp_path / "new.png", COLORS["green"], seed=5_000)


@pytest.fixture
def engine(built):
    def run(*arguments):
        return CliRunner().invoke(cli, [*map(str, arguments), "-w", str(built.root)])

    return run


@pytest.mark.parametrize("command", ["tag", "search"])
def test_what_is_no_picture_is_said_as_people_say_it(engine, tmp_path, command):
    lines = engine(command, tmp_path / "nope.jpg", tmp_path).stdout.splitlines()
    assert lines[1].endswith(": no such file")
    assert lines[3].endswith(f": a folder; pictures are accepted: {tmp_path}/*")


def test_a_picture_that_is_not_there_is_taught_in_the_same_words(engine, tmp_path):
    fault = engine("teach", tmp_path / "nope.jpg", "--add", "sea").exception
    assert str(fault) == (
        f"{tmp_path / 'nope.jpg'} cannot be read (no such file); a picture is accepted; see the "
        "path"
    )


def test_what_was_taught_is_named_by_the_shortest_path_that_leads_there(
    engine, new, tmp_path, monkeypatch
):
    real = tmp_path / "real" / "below"
    real.mkdir(parents=True)
    (tmp_path / "link").symlink_to(real)
    monkeypatch.chdir(real)
    (tmp_path / "another.png").symlink_to(new)
    for said, image in (("../../new.png", new), ("../../another.png", tmp_path / "another.png")):
        assert engine("teach", said, "--add", said).stdout.startswith(f"{image}  +{said}\n")
    # Two dots go up from where the link leads.
    (tmp_path / "real" / "new.png").write_bytes(new.read_bytes())
    said = engine("teach", tmp_path / "link" / ".." / "new.png", "--add", "sky").stdout
    assert said.startswith(f"{tmp_path / 'real' / 'new.png'}  +sky\n")


@pytest.mark.usefixtures("stand_ins")
def test_a_learner_without_voters_says_so(engine, built, new, tmp_path):
    built.train("means")
    built.train("fading")
    says = "means does not vote; --learner knn shows the neighbours"
    sheet = tmp_path / "sheet.html"
    lines = engine("tag", new, "--learner", "means", "--explain", "--sheet", sheet).stdout
    assert lines.splitlines()[-1] == f"  {says}"
    assert says in sheet.read_text(encoding="utf-8")
    assert says not in engine("tag", new, "--learner", "means").stdout
    assert "does not vote" not in engine("tag", new, "--learner", "fading", "--explain").stdout
    engine("tag", new, "--learner", "fading", "--sheet", sheet)
    assert "does not vote" not in sheet.read_text(encoding="utf-8")


def test_a_reader_that_goes_away_loses_no_sheet(built, library, tmp_path):
    sheet = tmp_path / "sheet.html"
    program = (
        "from indexing.extractors import EXTRACTORS\n"
        "EXTRACTORS['toy'] = 'tests.toy_extractor:open_toy'\n"
        "from engine.cli import main\n"
        "main()\n"
    )
    arguments = ["tag", "--sheet", str(sheet), "-w", str(built.root)]
    arguments += map(str, sorted(library.glob("*.png")))
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        result = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert sheet.read_text(encoding="utf-8").count("<article>") == 24
    assert "Traceback" not in result.stderr


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    terminal = Terminal()
    # pytest takes sys.stderr itself back for the test.
    monkeypatch.setattr("engine.progress.sys", SimpleNamespace(stderr=terminal))
    return terminal


def test_bars_start_at_nothing_end_whole_and_leave_nothing(terminal):
    with ProgressBars() as progress:
        progress("everything: neighbours", 512, 1_000)
        bar = progress._bar
        assert bar.initial == 0
        progress("everything: steps", 1, 7)
        assert bar.n == 1_000
        assert not bar.leave
        # A build goes on where it was: what is there already says nothing of the rate.
        progress("pictures", 501, 1_000)
        assert progress._bar.initial == 500
    assert terminal.getvalue().endswith("\r")
    assert not re.search("/ [a-z]", terminal.getvalue())
    assert "steps/s" in terminal.getvalue()


def test_a_long_stage_leaves_room_for_the_time_left(terminal):
    stage = "measuring on held-out pictures: metric: closed forms"
    with ProgressBars() as progress:
        progress(stage, 2, 7)
        progress._bar.refresh()
    assert re.search(rf"{stage}: 2/7 steps, [0-9:?]+ left *\r", terminal.getvalue())


@pytest.mark.parametrize(("columns", "width"), [(0, 80), (60, 60)])
def test_a_terminal_that_does_not_know_its_width_has_80_columns(
    terminal, monkeypatch, columns, width
):
    monkeypatch.setattr("os.get_terminal_size", lambda *_: os.terminal_size((columns, 0)))
    monkeypatch.setattr(terminal, "fileno", lambda: 2)
    with ProgressBars() as progress:
        progress("pictures", 1, 10)
        assert progress._bar.ncols == width
        # A height of 0 would hide the bar.
        assert progress._bar.nrows == 24


def test_a_network_that_is_long_in_opening_says_so(built, new, terminal, monkeypatch):
    monkeypatch.setattr("engine.tagger._SHOWN_AFTER", 0.01)
    gate = threading.Event()
    opened = open_recorded

    def slowly(*recorded):
        assert gate.wait(10)
        return opened(*recorded)

    def waits(stage):
        gate.set()
        return waiting(stage)

    monkeypatch.setattr("engine.tagger.open_recorded", slowly)
    tagger = Tagger(GenerationFolders(built.root), waiting=waits)
    assert next(tagger.tag([new])).tags
    assert "opening toy (compiled once, then kept) ..." in terminal.getvalue()


def test_the_help_of_train_lists_settings_with_their_defaults():
    text = CliRunner().invoke(cli, ["train", "--help"]).stdout
    for line in ("weights=distance", "n_neighbors=200", "n_units=8192", "prior_correction=0.2"):
        assert line in text
    assert text.index("tagprop:") < text.index("n_neighbors=200") < text.index("heads:")
    assert text.index("Settings") < text.index("Example:")


def test_the_help_of_train_names_every_learner_that_can_be_trained():
    text, _, settings = CliRunner().invoke(cli, ["train", "--help"]).stdout.partition("Settings")
    for name in TRAINABLE:
        assert re.search(rf"\b{name}\b", text), name
        assert f"    {name}:" in settings, name


def test_the_help_of_train_says_what_trains_fast():
    text = CliRunner().invoke(cli, ["train", "--help"]).stdout
    fast = "members=knn,heads"
    assert f"In a hurry, --set {fast} trains" in " ".join(text.split())
    assert f"engine train --set {fast}\n" in text
    members = Hybrid(**parse_settings([fast])).member_names
    assert set(members) < set(Hybrid().member_names)
    assert "tagprop" not in members


def test_a_file_is_told_of_long_work_now_and_then(monkeypatch, capsys):
    clock = iter([0.0, 29.0, 30.0, 45.0, 61.0])
    monkeypatch.setattr("engine.progress.time", SimpleNamespace(monotonic=lambda: next(clock)))
    progress = ProgressBars()
    progress("pictures", 100, 2000)
    progress("pictures", 1500, 2000)
    progress("index", 1, 2)
    progress("training", 0, 0)
    assert capsys.readouterr().err == "pictures: 1,500/2,000\ntraining\n"
