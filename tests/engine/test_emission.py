"""How many tags are answered, and how sure they are."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from engine.cli import cli
from engine.commands.answer_table import cost_of_precision
from engine.emission import LEAST_PROBABILITY, Emission
from indexing.errors import InputError
from tests.engine.conftest import COLORS, write_picture
from tests.engine.stand_ins import Cut

pytestmark = pytest.mark.usefixtures("stand_ins")


@pytest.fixture
def new(tmp_path):
    return write_picture(tmp_path / "new.png", COLORS["green"], seed=5_000)


def tagged(workspace, picture, learner="certain", **emission):
    wanted = Emission(**emission) if emission else None
    (answer,) = workspace.tag([picture], learner=learner, emission=wanted)
    return answer.tags


def test_a_calibrated_learner_says_how_likely_each_tag_is(built, new):
    built.train("certain")
    every = tagged(built, new, top=4)
    assert len(every) == 4
    for ranked in every:
        assert ranked.probability == pytest.approx(min(max(ranked.score, 0), 1) ** 2, abs=1e-6)
        assert ranked.to_json()["probability"] == round(ranked.probability, 6)
    built.train("means")
    assert {ranked.probability for ranked in tagged(built, new, "means")} == {None}


@pytest.mark.parametrize(("n_emitted", "n_said"), [(0.4, 0), (0.5, 1), (1.49, 1), (2.5, 3)])
def test_by_default_as_many_are_said_as_the_learner_predicts(built, new, n_emitted, n_said):
    built.train("certain", {"n_emitted": n_emitted})
    assert len(tagged(built, new)) == n_said
    assert [ranked.tag for ranked in tagged(built, new)] == [
        ranked.tag for ranked in tagged(built, new, top=4)[:n_said]
    ]


def test_what_is_unlikely_is_not_said_unless_it_is_asked_for(built, new):
    built.train("certain", {"n_emitted": 9.0, "scale": 0.6})
    every = tagged(built, new, top=4)
    likely = [one.tag for one in every if one.probability >= LEAST_PROBABILITY]
    assert 0 < len(likely) < 4
    assert [ranked.tag for ranked in tagged(built, new)] == likely
    assert len(tagged(built, new, threshold=-1.0)) == 4


def test_what_people_said_is_said_however_few_are_predicted(built, library):
    built.train("certain", {"n_emitted": 0.0})
    assert {ranked.tag for ranked in tagged(built, library / "red0.png")} == {"Red", "colour"}


def test_a_precision_says_the_tags_above_its_cut(built, new):
    built.train("certain")
    every = tagged(built, new, top=4)
    sure = [ranked.tag for ranked in every if ranked.probability >= 0.9]
    assert 0 < len(sure) < 4
    assert [ranked.tag for ranked in tagged(built, new, precision=0.9)] == sure
    assert [ranked.tag for ranked in tagged(built, new, precision=0.9, top=1)] == sure[:1]
    assert tagged(built, new, precision=0.99) == ()
    assert built.precision_cut(0.9, "certain") == (0.9, 0.9, 0.25)
    assert built.precision_cut(0.99, "certain") is None


def test_the_command_tells_what_a_precision_costs(built, new):
    built.train("certain")

    def said(*arguments):
        result = CliRunner().invoke(cli, ["tag", str(new), "-w", str(built.root), *arguments])
        assert result.exit_code == 0, result.exception
        return result.stdout.splitlines(), result.stderr.splitlines()

    sure = ("--learner", "certain", "--precision")
    lines, told = said(*sure, "0.9")
    assert told == [
        "Only tags of probability 0.9 or more are said. On pictures held out from training, 90.0 % "
        "of such tags were right, and they were 25.0 % of all the tags that people gave these "
        "pictures"
    ]
    assert all("  p 0.9" in line or "  p 1.0" in line for line in lines[1:])
    lines, told = said(*sure, "0.99")
    assert lines == [f"{new}  (certain)", "  no tag"]
    assert told == [
        "No tag is said: on pictures held out from training, not even the likeliest tags were "
        "right 99.0 % of the time; lower --precision, or take --top N"
    ]
    lines, _ = said(*sure, "0.9", "--json")
    assert all(tag["probability"] >= 0.9 for tag in json.loads(lines[0])["tags"])


@pytest.mark.parametrize(
    ("threshold", "shown"),
    [
        (0.78750736, "0.787"),
        (0.9, "0.9"),
        (0.9994, "0.999"),
        (0.9997355, "0.9997"),
        (0.9999999, "0.9999999"),
        (0.0009993, "0.0009"),
        (1.0, "1"),
        (0.0, "0"),
    ],
)
def test_the_threshold_is_told_in_as_many_decimals_as_people_read(threshold, shown):
    told = cost_of_precision(0.99, Cut(float(np.float32(threshold)), 0.991, 0.02))
    assert told.startswith(f"Only tags of probability {shown} or more are said. ")


@pytest.mark.parametrize(
    ("emission", "message"),
    [
        ({"precision": 0.0}, "a precision of 0 was asked for; above 0 and at most 1 is accepted"),
        ({"precision": 90.0}, "a precision of 90 was asked for; above 0 and at most 1 is"),
        ({"precision": float("nan")}, "a precision of nan was asked for; above 0 and at most 1"),
        ({"precision": 0.9, "threshold": 0.5}, "a threshold and a precision were asked for; one"),
    ],
)
def test_what_cannot_be_asked_for(emission, message):
    with pytest.raises(InputError, match=message):
        Emission(**emission)


def test_a_precision_takes_a_learner_that_knows_probabilities(built, new):
    with pytest.raises(InputError, match="'knn' knows no probabilities, and --precision goes by"):
        tagged(built, new, "knn", precision=0.9)


@pytest.mark.parametrize("learner", ["knn", "turned", "means"])
def test_the_nearest_picture_that_lacks_a_tag(built, library, new, learner):
    for name in ("turned", "means"):
        built.train(name)
    (library / "red7.png.txt").write_text("Red")
    built.build()
    pictures = [new, library / "red0.png"]
    everything = [
        [found for found in answer.results if found.tags is not None]
        for answer in built.search(pictures, k=24)
    ]
    answers = built.tag(pictures, learner=learner, explain=True, emission=Emission(top=4))
    for place, answer in enumerate(answers):
        assert {ranked.tag for ranked in answer.tags} == {"Red", "Green", "Blue", "colour"}
        for ranked in answer.tags:
            lacking = [
                found
                for found in everything[place]
                if ranked.tag not in found.tags and found.image_id != pictures[place].name
            ]
            assert ranked.nearest_without.image_id == lacking[0].image_id
            assert ranked.nearest_without.distance == pytest.approx(lacking[0].distance, abs=1e-6)
            assert ranked.to_json()["nearest_without"]["distance"] >= 0
        assert answer.unexplained().tags[0].nearest_without is None


def test_nothing_speaks_against_a_tag_that_all_carry(built, new):
    (answer,) = built.tag([new], explain=True, emission=Emission(top=4))
    (colour,) = [ranked for ranked in answer.tags if ranked.tag == "colour"]
    assert colour.nearest_without is None
    assert colour.to_json()["nearest_without"] is None
    assert np.isfinite([one.nearest_without.distance for one in answer.tags if one != colour]).all()
