"""Tags that pictures have been given already: what else?"""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from engine.answering import Emission
from engine.cli import cli
from engine.given import given_columns, half_of
from engine.serving import Questions, Served, training_batch
from learners.base import TagMatrix
from learners.multimodal import Multimodal
from tests.engine.conftest import COLORS, write_picture
from tests.engine.literal import corpus


@pytest.fixture
def library(tmp_path):
    """Pictures of three colours, each with a tag of its colour and one of two things."""
    folder = tmp_path / "library"
    folder.mkdir()
    for number, (name, color) in enumerate(COLORS.items()):
        for i in range(12):
            path = write_picture(folder / f"{name}{i}.png", color, seed=100 * number + i)
            thing = ("Sea", "boat") if i % 2 else ("house", "roof")
            tags = "\n".join([name.capitalize(), *(f"{name} {one}" for one in thing)])
            path.with_name(path.name + ".txt").write_text(tags, encoding="utf-8")
    return folder


@pytest.fixture
def new(tmp_path):
    return write_picture(tmp_path / "new.png", COLORS["green"], seed=5_000)


@pytest.fixture
def engine(built):
    def run(*arguments):
        given = [str(argument) for argument in (*arguments, "-w", built.root)]
        return CliRunner().invoke(cli, given)

    return run


def tags_of(answers):
    (answer,) = answers
    return [ranked.tag for ranked in answer.tags]


def test_given_tags_are_read_and_matched_however_they_are_spelled(caplog):
    given = given_columns(("GREEN", "moon"), ("boat", "Green", "sea"))
    assert given.tolist() == [False, True, False]
    assert caplog.messages == ["no picture here is tagged moon: it says nothing of other tags"]


def test_half_of_the_tags_are_drawn_of_each_picture():
    rng = np.random.default_rng(1)
    rows = np.arange(0, 4_000, 2)
    lists = [np.flatnonzero(rng.random(9) < 0.4) for _ in rows]
    tags = TagMatrix.from_lists(rows, lists, 9)
    drawn = half_of(tags)
    assert drawn.rows.tolist() == rows.tolist()
    assert not (drawn.toarray() & ~tags.toarray()).any()
    np.testing.assert_allclose(drawn.counts / tags.counts, 0.5, atol=0.06)
    np.testing.assert_array_equal(drawn.toarray(), half_of(tags).toarray())
    assert (drawn.toarray() != half_of(tags, seed=1).toarray()).any()


def test_a_learner_that_reads_tags_is_given_them():
    tagged, index, source, _ = corpus([1, 2, 12, 1, 3] * 3)
    learner = Multimodal(form="layers")
    batch = training_batch(learner, tagged, index, source, (6,))
    np.testing.assert_array_equal(batch.tags.toarray(), half_of(tagged.tags).toarray())
    assert training_batch(Multimodal(), tagged, index, source, (6,)).tags is not None
    served = Served(learner=learner, index=lambda: index)
    rows, nobody = tagged.tags.rows[:2], np.full(2, -1)
    untold = Questions(tagged, source(rows), nobody, (6,)).batch(served)
    assert untold.tags.toarray().tolist() == [[False] * tagged.tags.n_tags] * 2
    given = np.zeros((2, tagged.tags.n_tags), bool)
    given[1, :2] = True
    told = Questions(tagged, source(rows), nobody, (6,), given).batch(served)
    np.testing.assert_array_equal(told.tags.toarray(), given)


@pytest.mark.parametrize("form", ["votes", "layers"])
def test_given_tags_are_not_answered_and_tell_the_others(built, new, form):
    # The layers have too little to learn from here; what they answer is another matter.
    params = {"form": form} | ({"epochs": 3, "n_tag_units": 16} if form == "layers" else {})
    report = built.train("multimodal", params)
    assert report.held_out["after"]["map"] is not None
    every = Emission(top=20)

    def said(*given):
        return tags_of(built.tag([new], learner="multimodal", emission=every, given=given))

    assert len(said()) == 15
    for thing, other in (("Sea", "boat"), ("house", "roof"), ("roof", "house"), ("boat", "Sea")):
        found = said("GREEN", f"Green {thing.upper()}")
        assert {*found, "Green", f"green {thing}"} == set(said())
        assert len(found) == 13
        assert form == "layers" or found[0] == f"green {other}"


def test_without_tags_it_answers_as_heads(built, new):
    heads, multimodal = built.train("heads"), built.train("multimodal")
    assert multimodal.held_out["after"] == heads.held_out["after"]
    scores = [
        [
            (ranked.tag, ranked.score)
            for answer in built.tag([new], learner=name)
            for ranked in answer.tags
        ]
        for name in ("heads", "multimodal")
    ]
    assert scores[0] == scores[1]


def test_learners_that_read_no_tags_only_leave_them_out(built, new):
    built.train("heads")
    for name in ("knn", "heads"):
        every = Emission(top=20)
        alone = next(built.tag([new], learner=name, emission=every)).tags
        told = next(built.tag([new], learner=name, emission=every, given=["green", "no such"]))
        assert list(told.tags) == [ranked for ranked in alone if ranked.tag != "Green"]
    # As many as are predicted, less those that are there, but one more at least.
    assert len(tags_of(built.tag([new], learner="heads"))) == 3
    for given, n_more in ((["Green"], 2), (["Green", "Red", "Blue", "blue roof"], 1)):
        assert len(tags_of(built.tag([new], learner="heads", given=given))) == n_more


def test_what_a_known_picture_carries_is_told_and_said_unless_it_is_given(built, library):
    built.train("multimodal")
    known = library / "green3.png"
    first, *others = tags_of(built.tag([known], learner="multimodal"))
    assert sorted([first, *others]) == ["Green", "green Sea", "green boat"]
    (answer,) = built.tag([known], learner="multimodal", emission=Emission(top=15), explain=True)
    told = {ranked.tag: ranked.sources["given tags"] for ranked in answer.tags}
    assert told["green Sea"] > 0 > told["green roof"]
    left = tags_of(built.tag([known], learner="multimodal", given=["green sea"]))
    assert sorted(left) == ["Green", "green boat"]


def test_the_command_takes_tags_and_explains_what_they_added(built, engine, new):
    built.train("multimodal")
    ask = ("tag", new, "--learner", "multimodal", "--json", "--explain")
    told = engine(*ask, "--given", "green, Green boat", "--top", 3)
    assert told.exit_code == 0, told.output
    answer = json.loads(told.stdout)
    best = answer["tags"][0]
    assert best["tag"] == "green Sea"
    assert set(best["sources"]) == {"pixels", "given tags"}
    assert best["sources"]["given tags"] > 0
    assert sum(best["sources"].values()) == pytest.approx(best["score"], abs=1e-4)
    assert not {"Green", "green boat"} & {tag["tag"] for tag in answer["tags"]}
    again = json.loads(engine(*ask, "--given", "green", "--given", "Green boat", "--top", 3).stdout)
    assert again["tags"] == answer["tags"]
    refused = engine("tag", new, "--given", " ,")
    assert refused.exit_code == 2
    assert "'--given': ' ,' names none; words with commas between them are" in refused.stderr


def test_learners_that_read_no_tags_say_so_and_who_does(built, engine, new):
    def told(learner, *arguments):
        result = engine("tag", new, "--learner", learner, *arguments)
        assert result.exit_code == 0, result.output
        return result.stderr.splitlines()

    says = (
        "knn does not read tags: those given are left out, and change nothing else; to ask one "
        "that reads them: "
    )
    train = "'engine train multimodal', then --learner multimodal"
    assert told("knn", "--given", "green") == [says + train]
    built.train("multimodal")
    assert told("knn", "--given", "green") == [f"{says}--learner multimodal"]
    assert told("knn") == told("multimodal", "--given", "green") == []


@pytest.mark.parametrize(("members", "reads"), [("knn,heads", False), ("knn,multimodal", True)])
def test_a_learner_that_mixes_others_reads_what_they_read(built, engine, new, members, reads):
    built.train(params={"members": members})
    result = engine("tag", new, "--learner", "hybrid", "--given", "green")
    assert ("hybrid does not read tags" in result.stderr) is not reads


def test_what_was_trained_reads_new_tags_after_a_build(built, library, new, settings):
    built.train("multimodal", {"form": "layers", "epochs": 2, "n_tag_units": 8})
    sidecar = library / "green0.png.txt"
    sidecar.write_text(sidecar.read_text(encoding="utf-8") + "\naardvark", encoding="utf-8")
    built.build(library, settings)
    found = tags_of(built.tag([new], learner="multimodal", given=["aardvark", "green roof"]))
    assert found
    assert not {"aardvark", "green roof"} & set(found)
