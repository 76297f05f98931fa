"""Answers of the hybrid: through its members, explained, corrected, and how sure it is."""

import json
import re
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from engine.cli import cli
from engine.emission import Emission
from engine.neighborhood import Search
from engine.queries import read_queries
from engine.tagger import Tagger
from engine.trained import (
    load_learner,
    load_own_index,
    member_of,
    save_learner,
    trained_folder,
)
from indexing.errors import InputError
from learners.base import Batch
from learners.voting import NeighborVoting
from tests.engine.conftest import COLORS, MEMBERS, write_picture

pytestmark = pytest.mark.usefixtures("mixing")


@pytest.fixture
def even(trained):
    """The workspace with a hybrid that heeds all its members and the neighbours."""
    return weighed(trained, MEMBERS.split(","), gate=0.1)


def weighed(workspace, heeded, gate):
    """Let the hybrid heed some of its members, and the neighbours as much as is said."""
    folder, _ = workspace._folders.current()
    hybrid = load_learner(folder, "hybrid")
    for place, name in enumerate(hybrid.member_names):
        hybrid.stack_.weights[place] = hybrid.stack_.shared[place] = 0.4 * (name in heeded)
    hybrid.stack_.gates[:] = gate
    save_learner(hybrid, trained_folder(folder, "hybrid"))
    return workspace


def test_scores_are_those_of_the_members_asked_one_by_one(even, new, library):
    tagger = Tagger(even._folders)
    pictures = [new, library / "red0.png"]
    answers = list(tagger.tag(pictures, learner="hybrid", emission=Emission(top=4), explain=True))
    hybrid = load_learner(tagger.folder, "hybrid")
    for answer in answers:
        for ranked in answer.tags:
            assert set(ranked.sources) == {*MEMBERS.split(","), "prior"}
            assert sum(ranked.sources.values()) == pytest.approx(ranked.score, abs=1e-5)
    # Each member asked for itself, in its own index, and the neighbours in that of all vectors.
    folder = tagger.folder
    (queries,) = read_queries(pictures, tagger.extractor)
    vectors, tags = tagger.vectors(queries), tagger.tagged.tags
    (own,) = tagger.tagged.places_of(queries[1].content)

    def nearest(index, asked, n):
        found = index.search(asked, len(tags.rows), among=tags.rows)
        others = found.rows != np.array([[-2], [tags.rows[own]]])
        return found.keep(others).head(n)

    scores = {}
    for member in MEMBERS.split(","):
        learner = load_learner(folder, member_of("hybrid", member))
        if isinstance(learner, NeighborVoting):
            in_space = learner.space is not None
            index = load_own_index(folder, "turned", "cpu") if in_space else tagger.index
            asked = learner.space(vectors) if in_space else vectors
            batch = Batch(neighbors=nearest(index, asked, learner.n_neighbors))
        else:
            batch = Batch(features=vectors)
        scores[member] = learner.predict_scores(batch)
    batch = Batch(scores=scores, neighbors=nearest(tagger.index, vectors, hybrid.n_neighbors))
    expected = hybrid.predict_scores(batch)
    chances = hybrid.predict_probabilities(batch)
    for place, answer in enumerate(answers):
        for ranked in answer.tags:
            column = tagger.tagged.vocabulary.index(ranked.tag)
            assert ranked.score == pytest.approx(expected[place, column], abs=1e-4)
            assert ranked.probability == pytest.approx(chances[place, column], abs=1e-4)


def test_learners_of_one_index_are_answered_by_one_search(even, new, monkeypatch):
    tagger = Tagger(even._folders)
    searched = []
    for index in (tagger.index, tagger._index_of(member_of("hybrid", "turned")).result()):
        search = type(index).search
        monkeypatch.setattr(
            type(index),
            "search",
            lambda self, queries, k, search=search, **more: (
                searched.append((id(self), k)),
                search(self, queries, k, **more),
            )[1],
        )
        break
    list(tagger.tag([new], learner="hybrid"))
    of_vectors = [k for index, k in searched if index == id(tagger.index)]
    # The gate reads ten; fading and knn fewer.
    assert of_vectors == [18]


def test_who_is_not_heeded_is_neither_read_nor_asked(trained, new, monkeypatch):
    def said(tagger):
        (answer,) = tagger.tag([new], learner="hybrid", emission=Emission(top=4), explain=True)
        return [(ranked.tag, ranked.score, ranked.sources["means"]) for ranked in answer.tags]

    weighed(trained, ("knn", "fading"), gate=0.0)
    expected = said(Tagger(trained._folders))
    assert {share for _, _, share in expected} == {0}
    command = ["tag", str(new), "--learner", "hybrid", "--explain", "--top", "4"]
    text = CliRunner().invoke(cli, [*command, "-w", str(trained.root)]).stdout
    assert "  prior " in text
    assert "means " not in text
    folder, _ = trained._folders.current()
    for name in ("means", "turned"):
        shutil.rmtree(trained_folder(folder, member_of("hybrid", name)))
    assert said(Tagger(trained._folders)) == expected
    # Nobody asks for ten neighbours any more.
    tagger = Tagger(trained._folders)
    widths = []
    fetch = Search._fetch
    monkeypatch.setattr(
        Search, "_fetch", lambda self, k, asking: (widths.append(k), fetch(self, k, asking))[1]
    )
    list(tagger.tag([new], learner="hybrid"))
    knn = load_learner(folder, member_of("hybrid", "knn"))
    assert widths == [max(5, knn.n_neighbors) + 8]


def test_the_voters_are_those_of_a_member(even, new):
    (answer,) = even.tag([new], explain=True, emission=Emission(top=2))
    assert answer.voter in ("knn", "fading", "turned")
    assert answer.to_json()["voter"] == answer.voter
    assert "voter" not in answer.unexplained().to_json()
    (silent,) = even.tag([new], explain=True, emission=Emission(threshold=1e6))
    assert silent.to_json()["voter"] == answer.voter
    green = next(ranked for ranked in answer.tags if ranked.tag == "Green")
    assert green.voters
    assert sum(voter.weight for voter in green.voters) <= 1 + 1e-6
    assert green.vote is None
    lines = (
        CliRunner()
        .invoke(cli, ["tag", str(new), "--explain", "--top", "2", "-w", str(even.root)])
        .stdout.splitlines()
    )
    assert lines[-1] == f"  the voters are those of {answer.voter}, which hybrid mixes"
    assert any(re.search(r"^      knn [+-]\d.*  prior [+-]\d", line) for line in lines)
    assert any("  p 0." in line or "  p 1." in line for line in lines)


def test_the_voters_that_are_counted_are_those_that_explain(even, new):
    def said(**emission):
        wanted = Emission(**emission)
        (answer,) = even.tag([new], learner="hybrid", explain=True, emission=wanted)
        return {ranked.tag: len(ranked.voters) for ranked in answer.tags}

    everything = said(top=4)
    fewest, most = min(everything.values()), max(everything.values())
    assert fewest < most
    for n in (fewest + 1, most):
        assert said(top=4, min_voters=n) == {tag: v for tag, v in everything.items() if v >= n}
    assert said(min_voters=most + 1) == {}
    command = ["tag", str(new), "--min-voters", str(most + 1), "-w", str(even.root)]
    assert CliRunner().invoke(cli, command).stdout == f"{new}  (hybrid)\n  no tag\n"


def test_where_no_voter_is_heeded_none_is_counted(trained, new):
    weighed(trained, ("means",), gate=0.0)
    with pytest.raises(InputError, match="'hybrid' has no voters to be counted; --min-voters is"):
        list(trained.tag([new], learner="hybrid", emission=Emission(min_voters=1)))
    assert next(trained.tag([new], learner="hybrid")).tags


def test_the_hybrid_hears_of_corrections_through_its_members(even, new, tmp_path):
    near = write_picture(tmp_path / "near.png", COLORS["green"], seed=5_001)

    def said():
        tags = next(even.tag([near], learner="hybrid", emission=Emission(top=5))).tags
        return {ranked.tag: ranked for ranked in tags}

    before = said()
    even.teach(new, add=["Emerald"], remove=["Green"])
    after = said()
    assert set(after) == set(before) | {"Emerald"}
    assert after["Green"].score < before["Green"].score
    assert after["Green"].probability <= before["Green"].probability
    even.undo_teaching()
    assert said() == before


def test_the_reliability_is_shown_and_drawn(trained, tmp_path):
    def run(*arguments):
        return CliRunner().invoke(
            cli, ["info", *map(str, arguments), "-w", str(trained.root)], catch_exceptions=False
        )

    found = json.loads(run("--reliability", "--json").stdout)
    assert (found["learner"], set(found["bins"][0])) == ("hybrid", {"said", "came_true", "tags"})
    n_tags = sum(one["tags"] for one in found["bins"])
    error = sum(one["tags"] * abs(one["said"] - one["came_true"]) for one in found["bins"])
    assert found["expected_error"] == pytest.approx(error / n_tags, abs=1e-5)
    sheet = tmp_path / "plot.svg"
    text = run("--reliability", "--sheet", sheet).stdout
    assert text.startswith(f"hybrid: {n_tags} tags, the five best of pictures that it had not seen")
    assert sheet.read_text().count("<circle") == len(found["bins"])
    assert run("--sheet", sheet).exit_code == 2


def test_a_workspace_without_a_calibrated_learner_has_no_reliability(built):
    with pytest.raises(InputError, match="'knn' knows no probabilities whose reliability could"):
        built.reliability()


def test_where_every_picture_has_a_tag_of_its_own_each_is_answered_with_those_like_it(
    workspace, library, settings, tmp_path
):
    for path in library.glob("*.png"):
        path.with_name(f"{path.name}.txt").write_text(path.stem)
    workspace.build(library, settings)
    workspace.train(params={"members": "knn,fading"})
    for color in COLORS:
        new = write_picture(tmp_path / f"new-{color}.png", COLORS[color], seed=77)
        answers = {
            learner: next(workspace.tag([new], learner=learner, emission=Emission(top=6))).tags
            for learner in ("fading", "hybrid")
        }
        mixed = answers["hybrid"]
        assert len({ranked.score for ranked in mixed}) == 1
        assert [ranked.tag for ranked in mixed] == [ranked.tag for ranked in answers["fading"]]
        assert all(ranked.tag.startswith(color) for ranked in mixed)
