"""Values of options that are wrong are refused before a workspace or a network is opened."""

import pytest
from click.testing import CliRunner

from engine.cli import cli


@pytest.fixture
def unopened(built, monkeypatch):
    """The path of a workspace that must not be opened."""

    def refuse(*arguments, **more):
        raise AssertionError("opened")

    for place in ("engine.tagger.Tagger.__init__", "engine.network.open_recorded"):
        monkeypatch.setattr(place, refuse)
    return str(built.root)


def run(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tag", "--top", 0], "Invalid value for '--top': 0 is not in the range x>=1."),
        (["tag", "--precision", 1.5], "Invalid value for '--precision': 1.5 is not in the range"),
        (["tag", "--precision", 0], "Invalid value for '--precision': 0.0 is not in the range"),
        (
            ["tag", "--precision", 0.9, "--threshold", 0],
            "--threshold and --precision both say from where on tags are given; leave one out.",
        ),
        (["tag", "--given", ","], "Invalid value for '--given': ',' names none; words with"),
        (["tag", "--words", "a", "--given", "b"], "--words and --given were given; --words scores"),
        (["tag", "--unchecked"], "--unchecked was given without --expand; it says"),
        (["search", "-k", 0], "Invalid value for '-k': 0 is not in the range x>=1."),
        (["search", "--text", " "], "Invalid value for '--text': ' ' names no word; words are"),
        (
            ["search", "--not", ""],
            "Invalid value for '--not': '' names no word; words are accepted",
        ),
        (["teach", "--add", ","], "Invalid value for '--add': ',' names none; words with commas"),
    ],
)
def test_what_cannot_be_is_a_usage_error(unopened, new, arguments, message):
    result = run(*arguments, new, "-w", unopened)
    assert result.exit_code == 2, result.exception
    assert message in result.stderr


@pytest.mark.parametrize("command", ["tag", "search"])
def test_a_learner_that_is_not_there_is_refused_before_the_network(unopened, new, command):
    result = run(command, new, "--learner", "tagprob", "-w", unopened)
    assert str(result.exception) == (
        "no learner is named 'tagprob' here; knn, tagvote are accepted; did you mean 'tagprop'? To "
        "train it: engine train tagprop"
    )


def test_a_sheet_that_cannot_be_written_is_refused_before_the_network(unopened, new):
    result = run("tag", new, "--sheet", "nowhere/sheet.html", "-w", unopened)
    assert str(result.exception).startswith("nowhere is no folder; a sheet is written into one")
