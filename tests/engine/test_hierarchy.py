"""What tags are kinds of: the sense that the other tags tell, and words that people would tag."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from engine.cli import cli
from engine.hierarchy import Hierarchy
from engine.results import RankedTag, Relation
from indexing.errors import ArtifactError
from indexing.words import open_wordnet
from indexing.words.table import make_word_table
from learners.words import WordVectors, open_word_vectors
from tests.indexing.wordnet_files import write_wordnet

#: Animals point one way, people another.
WORDS = {"animal": [1, 0.1], "feline": [1, 0], "forests": [0.9, 0.1], "tiger": [1, 1]}
WORDS |= {"person": [0, 1], "audacious": [0.1, 1], "cat": [1, 0.1], "crowd": [0, 1], "sea": [1, 1]}


@pytest.fixture
def hierarchy(tmp_path):
    vectors = np.array(list(WORDS.values()), float)
    words = WordVectors(make_word_table(list(WORDS), vectors, "toy"))
    return Hierarchy(open_wordnet(write_wordnet(tmp_path)), words)


def test_the_sense_is_the_one_that_the_other_tags_tell(hierarchy):
    assert hierarchy.kinds("Tigers", ["cat"]) == ["feline", "animal"]
    assert hierarchy.kinds("tiger", ["crowd", "person"]) == ["person"]


def test_too_general_and_uncommon_words_are_no_kinds(hierarchy):
    # "entity" is too general, and "seal", "felid" have no vector, so nobody's rank.
    assert hierarchy.kinds("cat") == ["feline", "animal"]
    assert hierarchy.kinds("sea lion") == ["animal"]
    assert hierarchy.kinds("leaf") == []
    assert hierarchy.kinds("no such thing") == []


def test_kinds_are_added_once_behind_the_tags_and_marked(hierarchy):
    tags = [
        RankedTag("Cat", 0.9, is_confirmed=True),
        RankedTag("tiger", 0.7),
        RankedTag("beast", 0.6),
        RankedTag("wild", 0.5, brought_by="tiger", relation=Relation.NEAR),
    ]
    answered = hierarchy(tags)
    assert answered[:4] == tuple(tags)
    assert answered[4:] == (
        RankedTag("feline", 0.9, brought_by="Cat", relation=Relation.KIND),
        RankedTag("animal", 0.9, brought_by="Cat", relation=Relation.KIND),
    )
    assert answered[4].to_json() == {
        "tag": "feline",
        "score": 0.9,
        "probability": None,
        "brought_by": "Cat",
        "relation": "kind of",
    }
    assert hierarchy([RankedTag("felines", 1.0)])[1:] == (
        RankedTag("animal", 1.0, brought_by="felines", relation=Relation.KIND),
    )


def test_the_installed_wordnet_tells_what_tags_are():
    try:
        wordnet = open_wordnet()
    except ArtifactError:
        pytest.skip("WordNet is not installed here")
    hierarchy = Hierarchy(wordnet, open_word_vectors())
    kinds = hierarchy.kinds("tiger", ["grass"])
    assert [kind for kind in kinds if kind in ("feline", "animal")] == ["feline", "animal"]
    assert "bird" in hierarchy.kinds("crane", ["bird", "water"])
    assert "bird" not in hierarchy.kinds("crane", ["building", "construction"])
    assert "aircraft" in hierarchy.kinds("jets", ["sky"])


@pytest.fixture
def run(built, library, monkeypatch):
    monkeypatch.delenv("WNSEARCHDIR", raising=False)

    def run(*options):
        arguments = ["tag", library / "red0.png", "-w", built.root, *options]
        return CliRunner().invoke(cli, [str(argument) for argument in arguments])

    return run


def test_the_command_shows_whose_kind_it_is(run, library, built, tmp_path):
    (library / "red0.png.txt").write_text("Tabby\n")
    built.build(library)
    result = run("--hierarchy", "--wordnet", write_wordnet(tmp_path), "--top", "2")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[1].split() == ["Tabby", "-", "confirmed"]
    assert "  cat          -  Tabby is a kind of it" in lines
    tags = json.loads(run("--hierarchy", "--wordnet", tmp_path, "--json", "--top", "1").stdout)[
        "tags"
    ]
    assert [tag.get("brought_by") for tag in tags] == [None, "Tabby", "Tabby", "Tabby"]


def test_where_wordnet_is_missing_people_are_told_before_any_work(run, monkeypatch, tmp_path):
    monkeypatch.setattr("indexing.words.wordnet.WORDNET_FOLDERS", (tmp_path / "none",))
    result = run("--hierarchy")
    assert result.stdout == ""
    assert "apt-get install wordnet-base" in str(result.exception)
    assert run().exit_code == 0
