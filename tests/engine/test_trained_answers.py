"""Answers of trained learners: what is loaded, what is shown, and learners without voters."""

import json

import numpy as np
import pytest

import engine.tagger
from engine import Workspace
from engine.commands.answer_table import table
from engine.contact_sheet import write_contact_sheet
from engine.emission import Emission
from engine.results import RankedTag, TagAnswer, Voter
from indexing.errors import InputError
from learners.base import TagLearner
from tests.engine.conftest import COLORS, write_picture

pytestmark = pytest.mark.usefixtures("stand_ins")


@pytest.fixture
def new(tmp_path):
    return write_picture(tmp_path / "new.png", COLORS["green"], seed=5_000)


def test_the_vote_is_what_the_weights_of_its_voters_sum_to(built, new, library):
    for name in ("fading", "turned"):
        built.train(name)
        pictures = [library / "red1.png", new, library / "blue1.png"]
        found = list(built.tag(pictures, learner=name, explain=True, emission=Emission(top=4)))
        assert [answer.tags[1].tag for answer in found] == ["Red", "Green", "Blue"]
        for ranked in (ranked for answer in found for ranked in answer.tags):
            assert sum(voter.weight for voter in ranked.voters) == pytest.approx(
                ranked.vote, abs=1e-6
            )
            assert ranked.score == pytest.approx(2 * ranked.vote - 0.5, abs=1e-6)
            assert sum(ranked.sources.values()) == pytest.approx(ranked.score, abs=1e-6)
            fields = json.loads(json.dumps(ranked.to_json()))
            assert fields["vote"] == pytest.approx(ranked.vote, abs=1e-6)
            assert len(fields["voters"]) == len(ranked.voters)


def test_the_weight_of_a_voter_is_the_learned_one(built, new):
    built.train("turned", {"decay": 40.0})
    (answer,) = built.tag([new], explain=True)
    everybody = next(ranked for ranked in answer.tags if ranked.tag == "colour").voters
    near = np.exp(-40 * np.array([voter.distance for voter in everybody]))
    assert len(everybody) == 6
    assert [voter.weight for voter in everybody] == pytest.approx(near / near.sum(), abs=1e-5)


def test_learners_that_count_no_vote_say_null(built, new):
    (answer,) = built.tag([new], explain=True)
    assert {ranked.vote for ranked in answer.tags} == {None}
    assert answer.to_json()["tags"][0]["vote"] is None
    assert "vote" not in next(built.tag([new])).to_json()["tags"][0]


def voter(i, weight):
    return Voter(f"{i}.jpg", f"/{i}.jpg", 0.1 + i / 100, weight, ("sea",))


def test_the_table_shows_the_heaviest_voters_and_what_the_others_weigh():
    weights = [0.01, 0.2, 0.05, 0.1, 0.02, 0.03, 0.3]
    voters = tuple(voter(i, weight) for i, weight in enumerate(weights))
    ranked = RankedTag("sea", -0.25, vote=0.71, sources={}, voters=voters)
    fact = RankedTag("sky", 1.5, vote=0.0, is_confirmed=True, sources={}, voters=())
    assert table(TagAnswer("new.jpg", "tagprop", (fact, ranked), voter="tagprop")).splitlines() == [
        "new.jpg  (tagprop)",
        "  sky   1.500  x 0.000  confirmed",
        "  sea  -0.250  x 0.710",
        "      0.300  6.jpg  (distance 0.160)",
        "      0.200  1.jpg  (distance 0.110)",
        "      0.100  3.jpg  (distance 0.130)",
        "      0.050  2.jpg  (distance 0.120)",
        "      0.030  5.jpg  (distance 0.150)",
        "      0.030  and 2 more",
    ]


def test_a_sheet_draws_scores_below_zero_and_the_heaviest_voters(library, tmp_path):
    voters = tuple(
        Voter(f"red{i}.png", str(library / f"red{i}.png"), i / 10, weight, ())
        for i, weight in enumerate([0.1, 0.6, 0.3])
    )
    tags = (RankedTag("a", 2.0, voters=voters), RankedTag("b", -2.0, voters=()))
    sheet = tmp_path / "sheet.html"
    write_contact_sheet(sheet, [TagAnswer("a.png", "tagprop", tags, voter="tagprop")], title="t")
    page = sheet.read_text()
    assert "--share:100%" in page
    assert "--share:0%" in page
    shown = [page.index(f"red{i}.png: ") for i in (1, 2, 0)]
    assert shown == sorted(shown)


def test_the_raw_index_is_not_loaded_for_a_space_of_its_own(built, new, monkeypatch):
    built.train("turned")
    built.train("means")
    loaded = []
    for place in ("load_index", "load_own_index"):
        original = getattr(engine.tagger, place)
        monkeypatch.setattr(
            engine.tagger,
            place,
            lambda *args, place=place, original=original, **more: (
                loaded.append(place),
                original(*args, **more),
            )[1],
        )
    asked = Workspace(built.root)
    for name, expected in (
        ("means", []),
        ("turned", ["load_own_index"]),
        ("turned", ["load_own_index"]),
        ("knn", ["load_own_index", "load_index"]),
    ):
        list(asked.tag([new], learner=name))
        assert loaded == expected
    list(Workspace(built.root).search([new]))
    assert loaded == ["load_own_index", "load_index", "load_index"]


def test_a_trained_learner_is_loaded_once(built, new, monkeypatch):
    built.train("fading")
    loaded = []
    original = TagLearner.from_state
    monkeypatch.setattr(
        TagLearner, "from_state", lambda *args: (loaded.append(1), original(*args))[1]
    )
    asked = Workspace(built.root)
    for _ in range(3):
        assert asked.tag_one(new).learner == "fading"
    assert loaded == [1]


def test_a_learner_without_voters_answers_its_five_best(built, library, new):
    for i in range(4):
        (library / f"red{i}.png.txt").write_text(f"red{i}\nsea{i}")
    built.build()
    built.train("means")
    (answer,) = built.tag([new], learner="means", explain=True)
    assert len(answer.tags) == 5
    assert {ranked.tag for ranked in answer.tags[:2]} == {"Green", "colour"}
    for ranked in answer.tags:
        assert ranked.voters == ()
        assert ranked.vote is None
        assert ranked.sources == {"means": pytest.approx(ranked.score)}
    threshold = answer.tags[2].score
    (some,) = built.tag([new], learner="means", emission=Emission(threshold=threshold))
    assert [ranked.tag for ranked in some.tags] == [ranked.tag for ranked in answer.tags[:3]]
    with pytest.raises(InputError, match="'means' has no voters to be counted; --min-voters is"):
        list(built.tag([new], learner="means", emission=Emission(min_voters=1)))
    (known,) = built.tag([library / "red0.png"], learner="means")
    assert {ranked.tag for ranked in known.tags if ranked.is_confirmed} == {"red0", "sea0"}


def test_a_threshold_alone_gives_all_tags_above_it(workspace, tmp_path, settings, new):
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(12):
        write_picture(folder / f"{i}.png", COLORS["green"], seed=i)
        (folder / f"{i}.png.txt").write_text("\n".join(f"tag{j}" for j in range(8)) + f"\nown{i}")
    workspace.build(folder, settings)
    (answer,) = workspace.tag([new], emission=Emission(threshold=0.5))
    assert [ranked.tag for ranked in answer.tags] == [f"tag{j}" for j in range(8)]
    (answer,) = workspace.tag([new], emission=Emission(threshold=0.5, top=3))
    assert [ranked.tag for ranked in answer.tags] == ["tag0", "tag1", "tag2"]
    # Those that no voter carries are not among them, however low the threshold.
    (answer,) = workspace.tag([new], emission=Emission(threshold=-1.0))
    n_voters = workspace.info()["learners"]["knn"]["params"]["n_neighbors"]
    assert len(answer.tags) == 8 + n_voters
    assert len(next(workspace.tag([new])).tags) == 5


def test_an_unknown_learner_is_told_apart_from_one_that_is_not_trained(built, new):
    with pytest.raises(InputError, match=r"'fading' here; .* or train it: engine train fading"):
        list(built.tag([new], learner="fading"))
    with pytest.raises(InputError, match=r"'other' here; knn, tagvote are accepted; name one of t"):
        list(built.tag([new], learner="other"))
