"""What ``--json`` prints is what the page of commands says it prints, field by field."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from engine.cli import cli
from indexing.words.table import make_word_table, save_word_table
from learners.words import open_word_vectors
from tests.engine.conftest import MEMBERS, SETTINGS
from tests.indexing.wordnet_files import write_wordnet

PAGE = Path(__file__).resolve().parents[2] / "engine" / "README.md"
BY_NAME = ".NAME"

WORDS = {"red": [1, 0, 0], "green": [0, 1, 0], "blue": [0, 0, 1], "colour": [1, 1, 1]}
WORDS |= {"cat": [1, 1, 0], "feline": [1, 0.9, 0], "animal": [0.9, 1, 0.1], "crimson": [1, 0.1, 0]}


def documented():
    """Return the fields of the page, by command and place."""
    section = PAGE.read_text(encoding="utf-8").partition("\n## What `--json` prints\n")[2]
    fields, command = {}, ""
    for line in re.findall(r"^\|(.*)\|$", section.partition("\n## ")[0], re.MULTILINE)[2:]:
        commands, places, named = (re.findall(r"`([^`]+)`", cell) for cell in line.split("|"))
        command = commands[0] if commands else command
        for place in places or [""]:
            assert (command, place) not in fields
            fields[command, place] = {one for one in named if not one.startswith("--")}
    return fields


def printed(command, objects, known):
    """Return the fields of printed objects, by command and place, names told as the page does."""
    found = {}

    def look(value, command, place):
        if isinstance(value, list):
            for one in value:
                look(one, command, place)
        if not isinstance(value, dict):
            return
        own = found.setdefault((command, place), set())
        for key, inner in value.items():
            named = key + BY_NAME
            at = f"{place}.{key}".removeprefix(".")
            if not isinstance(inner, dict) or named not in known.get((command, place), ()):
                own.add(key)
                look(inner, command, at)
                continue
            own.add(named)
            if (command, at + BY_NAME) in known:
                look(list(inner.values()), command, at + BY_NAME)
            elif (named, "") in known:
                look(list(inner.values()), named, "")

    look(objects, command, "")
    # What is null in one object may have values by name in another.
    return {
        at: {one for one in fields if one + BY_NAME not in fields} for at, fields in found.items()
    }


@pytest.fixture
def words(tmp_path):
    folder = tmp_path / "words"
    folder.mkdir()
    table = make_word_table(list(WORDS), np.array(list(WORDS.values()), float), "toy")
    save_word_table(table, folder)
    return folder


@pytest.fixture
def run(built, mixing, tmp_path, words, monkeypatch):
    """Run a command on a workspace, and return what it prints."""
    monkeypatch.setattr("engine.text_search.open_word_vectors", lambda: open_word_vectors(words))
    at = ["-w", str(built.root)]

    def ran(command, *arguments):
        given = [*command.split(), *map(str, arguments), "--json"]
        result = CliRunner().invoke(cli, given + at * (given[0] != "words"))
        assert result.exit_code in (0, 1), result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    return ran


def everything(run, library, new, tmp_path, words):
    """Return what every command prints, as different as it comes."""
    gone = tmp_path / "gone.png"
    (library / "bad.jpg").write_bytes(b"")
    (library / "red0.png.txt").write_text("Red\ncat\n", encoding="utf-8")
    build = run("build")
    settings = [f"members={MEMBERS}", f"settings={json.dumps(SETTINGS)}"]
    train = run("train", *(part for one in settings for part in ("--set", one)))
    wordnet = write_wordnet(tmp_path)
    kinds = ("--hierarchy", "--wordnet", wordnet, "--vectors", words)
    return {
        "build": build + run("build"),
        "train": train + run("train", "--set", "members=knn,means"),
        "teach": run("teach", new, "--add", "Green,Emerald", "--remove", "Odd"),
        "teach --list": run("teach --list"),
        "tag": [
            *run("tag", new, gone, "--top", 5),
            *run("tag", new, library / "red0.png", "--explain", *kinds),
            *run("tag", new, "--explain", "--learner", "knn"),
        ],
        "search": run("search", new, gone),
        "search --text": [
            *run("search --text", "reds", "--not", "blue"),
            *run("search --text", "red xyzzy", new, gone),
        ],
        "info": run("info") + run("info --refused"),
        "info --reliability": run("info --reliability"),
        "words near": run("words near", "red", "--vectors", words),
        "words fit": run("words fit", library, "--out", tmp_path / "fit", "--vectors", words),
        "teach --undo": run("teach --undo"),
    }


def test_what_is_printed_is_what_the_page_says(run, library, new, tmp_path, words):
    known = documented()
    found = {}
    for command, objects in everything(run, library, new, tmp_path, words).items():
        for at, fields in printed(command, objects, known).items():
            found.setdefault(at, set()).update(fields)
    assert {at: sorted(fields) for at, fields in found.items()} == {
        at: sorted(fields) for at, fields in known.items()
    }
