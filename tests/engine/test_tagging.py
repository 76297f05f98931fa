"""Answers: right neighbours, right order, facts first, faults as answers."""

import json

import numpy as np
import pytest

from engine.emission import Emission
from engine.results import TagAnswer
from indexing.errors import ArtifactError, InputError
from tests.engine.conftest import COLORS, write_picture


@pytest.fixture
def new(tmp_path):
    return write_picture(tmp_path / "new.png", COLORS["green"], seed=5_000)


def test_a_new_picture_gets_the_tags_of_its_neighbours(built, new):
    answer = built.tag_one(new)
    assert [ranked.tag for ranked in answer.tags] == ["colour", "Green"]
    assert [ranked.score for ranked in answer.tags] == [1, 1]
    assert answer.learner == "knn"
    assert answer.seconds > 0


def test_top_gives_exactly_so_many_while_the_vocabulary_lasts(built, new):
    (three,) = built.tag([new], emission=Emission(top=3))
    assert [ranked.tag for ranked in three.tags][:2] == ["colour", "Green"]
    assert len(three.tags) == 3
    (all_there_are,) = built.tag([new], emission=Emission(top=99))
    assert len(all_there_are.tags) == 4
    with pytest.raises(InputError, match="0 tags were asked for; 1 or more are accepted"):
        Emission(top=0)


def test_threshold_and_min_voters_silence(built, new):
    (none,) = built.tag([new], emission=Emission(threshold=1.1))
    assert none.tags == ()
    (none,) = built.tag([new], emission=Emission(top=3, min_voters=99))
    assert none.tags == ()


def test_a_known_picture_does_not_vote_for_itself_and_its_tags_come_first(built, library):
    odd = write_picture(library / "odd.png", COLORS["green"], seed=6_000)
    (library / "odd.png.txt").write_text("zebra")
    built.build()
    (answer,) = built.tag([odd], explain=True)
    first, *others = answer.tags
    assert (first.tag, first.is_confirmed, first.score, first.voters) == ("zebra", True, 0, ())
    assert [ranked.tag for ranked in others] == ["colour", "Green"]
    assert not any(ranked.is_confirmed for ranked in others)
    voters = {voter.image_id for ranked in others for voter in ranked.voters}
    assert "odd.png" not in voters
    # The same bytes under another name are the same picture.
    copy = library.parent / "copy.png"
    copy.write_bytes(odd.read_bytes())
    assert built.tag_one(copy).tags[0].tag == "zebra"


def test_explained_shares_sum_to_the_score(built, new):
    for learner in ("knn", "tagvote"):
        (answer,) = built.tag([new], learner=learner, explain=True)
        for ranked in answer.tags:
            assert sum(ranked.sources.values()) == pytest.approx(ranked.score, abs=1e-6)
    (answer,) = built.tag([new], explain=True)
    green = next(ranked for ranked in answer.tags if ranked.tag == "Green")
    distances = [voter.distance for voter in green.voters]
    assert distances == sorted(distances)
    assert sum(voter.weight for voter in green.voters) == pytest.approx(green.score)
    assert {voter.image_id[:5] for voter in green.voters} == {"green"}
    assert all(voter.tags == ("Green", "colour") for voter in green.voters)


def test_owners_count_once_for_tagvote(workspace, tmp_path, settings):
    folder = tmp_path / "owned"
    folder.mkdir()
    lines = []
    for i in range(12):
        write_picture(folder / f"{i}.png", COLORS["blue"], seed=i)
        owner, tag = ("one", "spam") if i < 9 else (f"other{i}", "sea")
        lines.append(json.dumps({"image": f"{i}.png", "tags": [tag], "owner": owner}))
    table = folder / "table.jsonl"
    table.write_text("\n".join(lines))
    workspace.build(table, settings)
    new = write_picture(tmp_path / "new.png", COLORS["blue"], seed=77)
    (answer,) = workspace.tag([new], learner="tagvote", explain=True)
    voters = {ranked.tag: len(ranked.voters) for ranked in answer.tags}
    assert voters.get("spam", 0) <= 1


def test_an_unreadable_picture_is_an_answer_and_stops_nothing(built, new, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(new.read_bytes()[:200])
    answers = list(built.tag([bad, new, tmp_path / "gone.png", new]))
    assert [answer.error is None for answer in answers] == [False, True, False, True]
    assert answers[0].error.startswith("truncated: ")
    assert set(answers[2].to_json()) == {"image", "error"}
    assert answers[1].tags == answers[3].tags
    (bad_search, good_search) = built.search([bad, new])
    assert bad_search.error.startswith("truncated: ")
    assert len(good_search.results) == 10


def test_many_pictures_are_answered_in_their_order(built, tmp_path):
    colors = [list(COLORS)[i % 3] for i in range(300)]
    paths = [
        write_picture(tmp_path / f"{i}.png", COLORS[color], seed=10_000 + i)
        for i, color in enumerate(colors)
    ]
    for i in (0, 7, 299):
        paths[i].write_bytes(b"")
    answers = list(built.tag(paths))
    assert [answer.image for answer in answers] == [str(path) for path in paths]
    for i, (answer, color) in enumerate(zip(answers, colors, strict=True)):
        if i in (0, 7, 299):
            assert answer.error is not None
        else:
            assert color.capitalize() in [ranked.tag for ranked in answer.tags]


def test_search_finds_itself_first_and_shows_untagged_pictures(built, library):
    untagged = write_picture(library / "plain.png", COLORS["red"], seed=8)
    built.build()
    (answer,) = built.search([untagged], k=2)
    assert answer.results[0].image_id == "plain.png"
    assert answer.results[0].distance == pytest.approx(0, abs=1e-6)
    assert answer.results[0].tags is None
    assert answer.to_json()["results"][0]["tags"] is None
    assert answer.results[1].image_id.startswith("red")
    (everything,) = built.search([untagged], k=1_000)
    assert len(everything.results) == 25


def test_a_tagger_sees_what_was_built_meanwhile(built, library, new):
    assert built.tag_one(new).tags[1].tag == "Green"
    for path in library.glob("green*.txt"):
        path.write_text("Emerald")
    type(built)(built.root).build()
    assert [ranked.tag for ranked in built.tag_one(new).tags] == ["Emerald"]


def test_a_library_without_tags_says_where_tags_come_from(workspace, tmp_path, settings):
    folder = tmp_path / "plain"
    folder.mkdir()
    picture = write_picture(folder / "a.png", COLORS["red"], 1)
    workspace.build(folder, settings)
    with pytest.raises(InputError, match=r"none of the 1 indexed pictures has a tag to vote with"):
        workspace.tag_one(picture)
    (found,) = workspace.search([picture])
    assert len(found.results) == 1


def test_unknown_learners_and_other_networks_are_refused(built, new, monkeypatch):
    with pytest.raises(InputError, match=r"no learner is named 'knnn' here; knn, tagvote are"):
        list(built.tag([new], learner="knnn"))
    monkeypatch.setattr(
        "tests.toy_extractor.open_toy",
        lambda argument, device: __import__("tests.toy_extractor").toy_extractor.ToyExtractor(
            "toy", weights="other"
        ),
    )
    with pytest.raises(ArtifactError, match="was built with another toy"):
        type(built)(built.root).tag_one(new)


def test_the_json_of_an_answer_has_the_documented_keys(built, new):
    (answer,) = built.tag([new], explain=True)
    fields = json.loads(json.dumps(answer.to_json()))
    assert set(fields) == {"image", "learner", "tags", "seconds", "voter"}
    assert set(fields["tags"][0]) == {
        *("tag", "score", "probability", "vote", "sources", "voters", "nearest_without"),
    }
    assert fields["tags"][0]["vote"] is None
    assert set(fields["tags"][0]["voters"][0]) == {"image_id", "path", "distance", "weight"}
    assert fields["tags"][0]["probability"] is None


def test_ties_go_by_similarity_then_frequency_then_name(built, new):
    (answer,) = built.tag([new], emission=Emission(top=4))
    # Nobody who voted carries Blue or Red; both are carried by eight pictures.
    assert [ranked.tag for ranked in answer.tags] == ["colour", "Green", "Blue", "Red"]
    assert isinstance(answer, TagAnswer)
    assert np.isfinite([ranked.score for ranked in answer.tags]).all()
