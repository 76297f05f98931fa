"""``engine train`` on the command line, and trained learners in ``engine info``."""

import json
import re
import subprocess
import sys

import pytest
from click.testing import CliRunner

from engine.cli import cli
from indexing.errors import InputError
from tests.engine.conftest import COLORS, write_picture

pytestmark = pytest.mark.usefixtures("stand_ins")


@pytest.fixture
def engine(tmp_path, library, monkeypatch):
    """Run a command where a library has been built."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)

    def run(*arguments):
        return CliRunner().invoke(cli, [str(argument) for argument in arguments])

    assert run("build", library, "--extractor", "toy").exit_code == 0
    return run


@pytest.fixture
def new(tmp_path):
    return write_picture(tmp_path / "new.png", COLORS["green"], seed=5_000)


def test_training_tells_what_it_found_and_what_follows(engine, new):
    result = engine("train", "turned", "--set", "n_neighbors=4", "--set", " decay = null ")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert re.fullmatch(r"turned is trained on 24 pictures, 4 tags, in \d+\.\d s", lines[0])
    assert lines[1:] == [
        "  n_neighbors=4, decay=10.0",
        "on 7 pictures held out, in %:",
        "             knn  turned",
        "  MAP      100.0   100.0",
        "  MiAP     100.0   100.0",
        "  C-F1@5    66.7    66.7",
        "'engine tag' answers with turned now (--learner knn as before)",
    ]
    assert engine("tag", new).stdout.splitlines()[0] == f"{new}  (turned)"
    assert engine("tag", new, "--learner", "knn").stdout.splitlines()[0] == f"{new}  (knn)"


def test_a_learner_that_is_worse_than_knn_is_kept_and_does_not_answer(engine, new, monkeypatch):
    worse = iter([0.5, 0.4])
    monkeypatch.setattr(
        "engine.training.trials.measure",
        lambda *args, **more: {"map": None, "miap": 0.1, "c-f1@5": next(worse)},
    )
    lines = engine("train", "fading").stdout.splitlines()
    assert lines[-4:] == [
        "  MAP          -       -",
        "  MiAP      10.0    10.0",
        "  C-F1@5    50.0    40.0",
        "'engine tag' goes on with knn, which is better in C-F1@5 (50.0, fading 40.0); "
        "--learner fading asks this one",
    ]
    assert engine("tag", new).stdout.splitlines()[0] == f"{new}  (knn)"
    assert engine("tag", new, "--learner", "fading").stdout.splitlines()[0] == f"{new}  (fading)"


def test_json_is_one_object(engine):
    report = json.loads(engine("train", "fading", "--json").stdout)
    assert set(report) == {
        *("workspace", "learner", "params", "trained_on", "held_out", "answers_with", "seconds"),
        *("earlier", "earlier_brought_by", "written", "answered_before", "decided_by", "members"),
        "dropped",
    }
    assert (report["decided_by"], report["members"]) == ("c-f1@5", {})
    assert report["trained_on"] == {"pictures": 24, "tags": 4}
    assert set(report["held_out"]) == {"n_pictures", "before", "after"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fadin"], "no learner that can be trained is called 'fadin'; fading, "),
        (["fading", "--set", "decai=1"], "the learner 'fading' has no parameter 'decai'; it takes"),
        (["fading", "--set", "decay"], "'decay' is no setting; name=value is accepted"),
        (
            ["tagvote"],
            "the learner 'tagvote' is not trained; fading, turned, means, certain are accepted",
        ),
    ],
)
def test_faults_are_those_of_the_learner(engine, arguments, message):
    result = engine("train", *arguments)
    assert isinstance(result.exception, InputError)
    assert str(result.exception).startswith(message)


@pytest.mark.parametrize(
    ("place", "says", "answers"),
    [
        ("tests.engine.stand_ins.Fading._fit", "the workspace is as it was before.", "knn"),
        ("engine.training.running._report", "fading is trained.", "fading"),
    ],
    ids=["in time", "too late"],
)
def test_ctrl_c_says_whether_anything_has_changed(engine, new, monkeypatch, place, says, answers):
    def stop(*args, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr(place, stop)
    result = engine("train", "fading")
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1].startswith("Stopped")
    assert result.stderr.endswith(f": {says}\n")
    assert engine("tag", new).stdout.splitlines()[0] == f"{new}  ({answers})"


def test_info_shows_what_was_trained(engine, library):
    engine("train", "turned")
    engine("train", "fading")
    for i in range(5):
        (library / f"red{i}.png.txt").write_text("crimson")
    engine("build")
    text = re.sub(r"in \d+\.\d s", "in 0.1 s", engine("info").stdout)
    held_out = "on 7 pictures held out, in %: MAP 100.0 (knn 100.0), MiAP 100.0 (knn 100.0), "
    settings = "decay=10.0"
    assert text.splitlines()[-9:] == [
        "turned     trained on 24 pictures, 4 tags, in 0.1 s; answers unless another is named",
        f"           {settings}",
        f"           {held_out}C-F1@5 66.7 (knn 66.7)",
        "           index of its own: Flat, 3 dims, 20 bytes a picture",
        "           5 votes have changed since: 'engine train turned' again",
        "fading     trained on 24 pictures, 4 tags, in 0.1 s",
        f"           {settings}",
        f"           {held_out}C-F1@5 66.7 (knn 66.7)",
        "           5 votes have changed since: 'engine train fading' again",
    ]
    facts = json.loads(engine("info", "--json").stdout)
    assert facts["answers_with"] == "turned"
    learners = facts["learners"]
    assert set(learners) == {"knn", "tagvote", "turned", "fading"}
    assert learners["fading"]["index"] is None


def test_explain_on_the_command_line(engine, new):
    engine("train", "turned")
    lines = engine("tag", new, "--explain").stdout.splitlines()
    assert any(re.fullmatch(r"  \w+ +-?\d\.\d{3}  x \d\.\d{3}", line) for line in lines)
    assert any(re.fullmatch(r"      \d\.\d{3}  and \d+ more", line) for line in lines)
    fields = json.loads(engine("tag", new, "--explain", "--json").stdout)
    assert {len(tag["voters"]) for tag in fields["tags"]} == {6}


TRAINED = [
    ("heads", {}),
    ("hybrid", {"members": "knn,tagprop,heads", "settings": {"tagprop": {"weights": "rank"}}}),
    ("tagprop", {"weights": "rank"}),
    ("tagprop", {"weights": "distance"}),
    ("tagprop", {"weights": "distances"}),
    # What is chosen otherwise, which takes long.
    (
        "tagprop",
        {"weights": "metric", "regularization": 0.1, "n_supervised": 2, "n_rounds": 1, "n_dims": 5},
    ),
]


@pytest.mark.parametrize(("learner", "params"), TRAINED)
def test_answers_of_trained_learners_import_nothing_heavy(built, new, learner, params, monkeypatch):
    monkeypatch.setattr("engine.training.trainable.TRAINABLE", ("heads", "tagprop", "hybrid"))
    built.train(learner, params)
    program = (
        "import sys\n"
        "from indexing.extractors import EXTRACTORS\n"
        "EXTRACTORS['toy'] = 'tests.toy_extractor:open_toy'\n"
        "from engine.cli import cli\n"
        "cli.main(standalone_mode=False)\n"
        "heavy = 'torch', 'scipy', 'numba', 'sklearn', 'pandas'\n"
        "print(*[name for name in heavy if name in sys.modules], file=sys.stderr)\n"
    )
    arguments = ["tag", str(new), "-w", str(built.root), "--learner", learner, "--explain"]
    result = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    lines = result.stdout.splitlines()
    assert lines[0] == f"{new}  ({learner})"
    assert {line.split()[0] for line in lines if re.match("  [^ ]", line)} >= {"colour", "Green"}
    assert result.stderr.split() == []
