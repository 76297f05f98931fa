"""What was mistyped is answered with what was meant, in one line."""

import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from engine.cli import cli
from engine.unseen_words import UnseenWords
from engine.wording import TagNames
from indexing.errors import InputError
from indexing.extractors.classifier import Classifier
from indexing.words.table import make_word_table
from learners.words import WordVectors
from tests.engine.general_network import N_CLASSES

WORDS = {"red": [1, 0, 0], "green": [0, 1, 0], "sea": [0, 0.2, 1], "gren": [0, 1, 1]}
# Past the frequent ones are names and misspellings.
RARE = {f"x{i}": [0.1, 0.1, 0.1] for i in range(3)} | {"greem": [0, 1, 0.5]}


def vectors(_source=None):
    words = WORDS | RARE
    return WordVectors(make_word_table(list(words), np.array(list(words.values()), float), "toy"))


@pytest.fixture
def engine(built, monkeypatch):
    layer = Classifier(np.zeros((N_CLASSES, 51), np.float32), np.zeros(N_CLASSES, np.float32))
    monkeypatch.setattr("engine.word_tagging.open_classifier", lambda extractor: layer)
    monkeypatch.setattr("engine.text_search.open_word_vectors", vectors)
    monkeypatch.setattr("learners.words.open_word_vectors", vectors)
    monkeypatch.setattr("engine.unseen_words.N_FREQUENT", len(WORDS))

    def run(*arguments):
        return CliRunner().invoke(cli, [*map(str, arguments), "-w", str(built.root)])

    return run


def test_a_tag_is_near_what_was_mistyped_of_it_and_nothing_else():
    names = TagNames(["Sunset", "New York", "sea", "car"])
    near = {text: names.near(text) for text in ("sunst", "SUNSTE", "new yrok", "cat", "tree")}
    assert near == {
        "sunst": "Sunset",
        "SUNSTE": "Sunset",
        "new yrok": "New York",
        "cat": None,
        "tree": None,
    }


def test_a_word_is_common_if_all_of_it_is_frequent(monkeypatch):
    monkeypatch.setattr("engine.unseen_words.N_FREQUENT", len(WORDS))
    words = UnseenWords(vectors())
    asked = ("red", "Reds", "greem", "redsea", "red sea", "qqqq", "espresso")
    assert [words.is_common(word) for word in asked] == [
        *(True, True, False, False, True, False),
        True,  # a general word, vector or none
    ]


def test_a_search_says_which_tag_was_meant(engine, built):
    for options in (["--text", "clour"], ["--text", "red", "--not", "clour"]):
        assert str(engine("search", *options).exception) == (
            "nothing is known of 'clour'; tags of the workspace and words that the word vectors "
            "hold are accepted; did you mean 'colour'?"
        )
    with pytest.raises(InputError, match=r"did you mean 'Green' or 'colour'\?$"):
        built.search_text("grene clour")
    with pytest.raises(InputError, match=r"accepted; try other words$"):
        built.search_text("zzzzzz")
    told = engine("search", "--text", "red clour greem gren sea", "--json").stderr.splitlines()
    scored = "nobody has tagged with it; scored by what network and word vectors know of it"
    assert told == [
        "red: your tag 'Red', scored by knn; * = people gave it",
        f"greem: {scored}; did you mean 'Green'?",
        f"gren: {scored}",
        f"sea: {scored}",
        "clour: nothing is known of it, left out; did you mean 'colour'?",
    ]


def test_words_that_are_scored_say_which_tag_was_meant(engine, new):
    told = engine("tag", new, "--words", "red,greem,gren,clour,zzzzzz")
    assert told.stderr.splitlines() == [
        "clour, zzzzzz: nothing is known of it in toy, left out",
        "greem: did you mean 'Green'?",
        "clour: did you mean 'colour'?",
    ]
    assert str(engine("tag", new, "--words", "clour").exception).endswith(
        "are accepted; did you mean 'colour'?"
    )
    assert str(engine("tag", new, "--words", "zzzzzz").exception).endswith(
        "are accepted; try others, or other vectors with --vectors"
    )


def test_tags_that_are_given_or_removed_say_which_were_meant(engine, new, caplog):
    engine("tag", new, "--given", "grene,moon")
    assert caplog.messages == [
        "no picture here is tagged grene: it says nothing of other tags; did you mean 'Green'?",
        "no picture here is tagged moon: it says nothing of other tags",
    ]
    said = engine("teach", new, "--remove", "grene,clour,moon").stdout.splitlines()
    assert said[1] == (
        "no picture here is tagged grene, clour, moon; did you mean 'Green' or 'colour'?"
    )


def test_a_setting_says_which_was_meant(engine):
    fault = str(engine("train", "tagprop", "--set", "weigths=rank").exception)
    assert fault.startswith("the learner 'tagprop' has no parameter 'weigths'; it takes ")
    assert fault.endswith("; did you mean 'weights'?")
    fault = str(engine("train", "tagprop", "--set", "zzz=rank").exception)
    assert fault.endswith("; correct the name")


@pytest.mark.usefixtures("stand_ins")
def test_a_learner_says_which_was_meant(engine, built, new):
    built.train("fading")
    assert str(engine("tag", new, "--learner", "fadng").exception) == (
        "no learner is named 'fadng' here; fading, knn, tagvote are accepted; did you mean "
        "'fading'?"
    )
    # One that can be trained and was not is no slip.
    assert str(engine("tag", new, "--learner", "turned").exception).endswith(
        "; name one of them, or train it: engine train turned"
    )
    fault = str(engine("train", "fadng").exception)
    assert fault.startswith("no learner that can be trained is called 'fadng'; fading, ")
    assert fault.endswith("; did you mean 'fading'?")


def test_a_member_says_which_was_meant_among_those_that_make_sense(engine):
    fault = str(engine("train", "--set", "members=knn,hedas").exception)
    assert fault == (
        "members are 'knn,hedas'; names of learners, each once, with commas between them are "
        "accepted (knn, tagvote, tagprop, heads, mscnn, multimodal, words); did you mean 'heads'?"
    )


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["tga"], "Error: No such command 'tga'; did you mean 'tag'?"),
        (["Serach", "a.jpg"], "Error: No such command 'Serach'; did you mean 'search'?"),
        (["words", "naer", "sea"], "Error: No such command 'naer'; did you mean 'near'?"),
        (["zzz"], "Error: No such command 'zzz'."),
    ],
)
def test_a_command_says_which_was_meant(typed, said):
    ran = subprocess.run(
        [sys.executable, "-m", "engine", *typed], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert ran.stderr.splitlines()[-1] == said
