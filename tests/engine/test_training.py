"""Training: a generation with one more learner, measured on pictures it has not seen."""

import json

import pytest

from tests.engine.conftest import COLORS, write_picture

pytestmark = pytest.mark.usefixtures("stand_ins")


@pytest.fixture
def new(tmp_path):
    return write_picture(tmp_path / "new.png", COLORS["green"], seed=5_000)


def answers(workspace, pictures, **options):
    found = [answer.to_json() for answer in workspace.tag(pictures, explain=True, **options)]
    return [{**answer, "seconds": 0} for answer in found]


@pytest.mark.parametrize("name", ["fading", "turned", "means"])
def test_a_trained_learner_answers_and_no_other_answer_changes(built, library, new, name):
    pictures = [new, *sorted(library.glob("*0.png"))]
    before = {
        learner: json.dumps(answers(built, pictures, learner=learner))
        for learner in ("knn", "tagvote")
    }
    searched = [answer.to_json() for answer in built.search(pictures)]
    report = built.train(name)
    assert (report.n_pictures, report.n_tags, report.held_out["n_pictures"]) == (24, 4, 2)
    for learner, said in before.items():
        assert json.dumps(answers(built, pictures, learner=learner)) == said
    assert [answer.to_json() for answer in built.search(pictures)] == searched
    answer = built.tag_one(new)
    assert answer.learner == name == report.answers_with
    assert {ranked.tag for ranked in answer.tags[:2]} == {"colour", "Green"}
