"""A training never makes answers worse unasked: it is kept, or it is not, with the figures."""

import json

import pytest
from click.testing import CliRunner

from engine.cli import cli
from tests.engine.conftest import COLORS, PARAMS, write_picture

pytestmark = pytest.mark.usefixtures("stand_ins")


@pytest.fixture
def figures(monkeypatch):
    """Say what is measured: of knn and of the learner, a pair a training."""
    values = []
    monkeypatch.setattr(
        "engine.training.trials.measure",
        lambda *args, **more: {"map": 0.5, "miap": 0.5, "c-f1@5": values.pop(0)},
    )
    return values


@pytest.fixture
def engine(built, figures):
    """Run a command on the built library; a training with the figures it shall find."""

    def run(*arguments, found=()):
        figures[:] = found
        result = CliRunner().invoke(cli, [*map(str, arguments), "-w", str(built.root)])
        assert result.exit_code == 0, result.exception
        return result.stdout.splitlines()

    return run


def test_a_worse_training_is_not_kept_unless_asked_for(engine, built, library):
    first = engine("train", "fading", found=(0.40, 0.44))
    assert first[-1] == "'engine tag' answers with fading now (--learner knn as before)"
    pointer = (built.root / "current").read_text()
    again = ("train", "fading", "--set", "decay=3")
    lines = engine(*again, found=(0.40, 0.42))
    assert lines[0].startswith("fading was trained before with C-F1@5 44.0, this time with 42.0: ")
    assert lines[0].endswith("the earlier one is kept (--replace takes the new one all the same)")
    assert lines[-1] == "'engine tag' goes on with fading as it was"
    assert (built.root / "current").read_text() == pointer
    assert built.info()["learners"]["fading"]["params"]["decay"] == 10
    report = json.loads(engine(*again, "--json", found=(0.40, 0.42))[0])
    assert report["written"] is False
    assert report["earlier"]["c-f1@5"] == 0.44
    lines = engine(*again, "--replace", found=(0.40, 0.42))
    assert lines[-1] == "'engine tag' answers with the new fading now"
    assert built.info()["learners"]["fading"]["params"]["decay"] == 3
    # No worse is enough, as far as people read it.
    engine("train", "fading", found=(0.40, 0.4199))
    assert built.info()["learners"]["fading"]["params"]["decay"] == 10


@pytest.mark.parametrize("how", ["sidecar", "correction"])
def test_on_other_votes_it_is_the_lead_on_knn_that_is_compared(engine, built, library, how):
    def decay():
        return built.info()["learners"]["fading"]["params"]["decay"]

    def change(tag):
        if how == "correction":
            built.teach(library / "red0.png", add=[tag])
        else:
            (library / "red0.png.txt").write_text(tag)
            built.build()

    engine("train", "fading", found=(0.40, 0.44))
    change("blue")
    other = ("train", "fading", "--set", "decay=3")
    lines = engine(*other, found=(0.50, 0.53))
    assert decay() == 10
    assert lines[0].startswith(
        "fading was trained before with C-F1@5 +4.0 beside knn, this time with +3.0 beside knn on "
        "other pictures: the earlier one is kept "
    )
    engine(*other, found=(0.30, 0.35))
    assert decay() == 3
    # The same settings, on votes as they are now: what knows more of them is not the worse one.
    change("green")
    engine(*other, found=(0.30, 0.31))
    assert built.info()["learners"]["fading"]["held_out"]["after"]["c-f1@5"] == 0.31


def test_replacing_in_python(built, figures):
    figures[:] = [0.4, 0.44, 0.4, 0.42, 0.4, 0.42]
    assert built.train("fading").is_written
    report = built.train("fading")
    assert (report.is_written, report.answers_with) == (False, "fading")
    assert report.earlier["after"]["c-f1@5"] == 0.44
    assert built.train("fading", replace=True).is_written


def test_the_consequence_is_against_what_answered_before(engine):
    engine("train", "fading", found=(0.40, 0.44))
    assert engine("train", "means", found=(0.40, 0.43))[-1] == (
        "'engine tag' goes on with fading, which is better in C-F1@5 (44.0, means 43.0); "
        "--learner means asks this one"
    )
    assert engine("train", "turned", found=(0.40, 0.44))[-1] == (
        "'engine tag' goes on with fading, which is no worse in C-F1@5 (44.0, turned 44.0); "
        "--learner turned asks this one"
    )
    assert engine("train", "turned", found=(0.40, 0.45))[-1] == (
        "'engine tag' answers with turned now (--learner fading as before)"
    )
    assert engine("train", "turned", "--replace", found=(0.40, 0.30))[-1] == (
        "'engine tag' answers with fading now, which is better in C-F1@5 (44.0, turned 30.0); "
        "--learner turned asks this one"
    )
    # Measured on easier pictures, it is ahead of nobody.
    assert engine("train", "means", "--replace", found=(0.50, 0.53))[-1] == (
        "'engine tag' goes on with fading, which is better in C-F1@5 (+4.0 beside knn, means +3.0 "
        "beside knn on other pictures); --learner means asks this one"
    )


def test_with_few_held_out_pictures_knn_goes_on(engine, built, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.standing.FEWEST_HELD_OUT", 20)
    lines = engine("train", "fading", found=(0.40, 0.44))
    assert "on 7 pictures held out, in %:" in lines
    assert lines[-1] == (
        "'engine tag' goes on with knn: 7 pictures held out are too few to tell which is better; "
        "--learner fading asks this one"
    )
    new = write_picture(tmp_path / "new.png", COLORS["green"], seed=5_000)
    assert engine("tag", new)[0] == f"{new}  (knn)"
    assert engine("tag", new, "--learner", "fading")[0] == f"{new}  (fading)"
    assert any(
        "on 7 pictures held out (too few to tell), in %: " in line for line in engine("info")
    )


def test_what_was_set_and_chosen_is_shown_and_no_more(engine):
    shown = "  n_neighbors=4, decay=10.0"
    report = engine("train", "turned", "--set", "n_neighbors=4", found=(0.4, 0.4))
    assert report[1] == shown
    assert f"         {shown}" in engine("info")


def test_messages_name_only_what_can_be_trained(built, tmp_path):
    def fault(*arguments):
        return str(CliRunner().invoke(cli, [*map(str, arguments), "-w", str(built.root)]).exception)

    def asked(name):
        return fault("tag", tmp_path / "a.png", "--learner", name)

    assert asked("fading").endswith("name one of them, or train it: engine train fading")
    assert asked("2pknn").endswith("knn, tagvote are accepted; name one of them")
    assert fault("train", "foo") == (
        "no learner that can be trained is called 'foo'; fading, turned, means, certain are "
        "accepted; name one"
    )


@pytest.mark.usefixtures("mixing")
def test_an_earlier_one_that_the_hybrid_brought_is_named_as_such(built, monkeypatch):
    def train(*options):
        arguments = ["train", "fading", *options, "-w", str(built.root)]
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == 0, result.exception
        return result.stdout.splitlines()[0]

    built.train(params=PARAMS)
    built.build()
    # Of knn, then of the learner; once for people, once for machines.
    found = [dict.fromkeys(("map", "miap", "c-f1@5"), value) for value in (0.1, 0.9) * 4]
    with monkeypatch.context() as patch:
        patch.setattr("engine.training.trials.measure", lambda *args, **more: found.pop())
        assert train().startswith("fading was trained before, as a member of hybrid, with C-F1@5 ")
        assert json.loads(train("--json"))["earlier_brought_by"] == "hybrid"
    built.train("fading", {"decay": 3.0}, replace=True)
    with monkeypatch.context() as patch:
        patch.setattr("engine.training.trials.measure", lambda *args, **more: found.pop())
        assert train().startswith("fading was trained before with C-F1@5 ")
        assert json.loads(train("--json"))["earlier_brought_by"] is None
