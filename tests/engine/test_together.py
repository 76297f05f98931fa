"""Pictures of one event are answered beside each other, where that is asked for."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from engine.album import Album
from engine.cli import cli
from engine.emission import Emission
from engine.queries import read_queries
from indexing.errors import InputError
from learners.together import Together, album_distances
from tests.engine.conftest import COLORS, write_picture

EVERYTHING = Emission(top=99)


@pytest.fixture
def album(tmp_path):
    """Two green pictures, and one between green and blue."""
    mixed = tuple((a + b) // 2 for a, b in zip(COLORS["green"], COLORS["blue"], strict=True))
    return [
        write_picture(tmp_path / f"{i}.png", color, seed=9_000 + i)
        for i, color in enumerate((COLORS["green"], mixed, COLORS["green"]))
    ]


def scores(answers):
    return [{ranked.tag: ranked.score for ranked in answer.tags} for answer in answers]


def test_scores_are_those_of_the_rule(built, album):
    alone = scores(built.tag(album, emission=EVERYTHING))
    together = scores(built.tag(album, emission=EVERYTHING, together=True))
    tagger = built._tagger()
    queries = [asked for run in read_queries(album, tagger.extractor) for asked in run]
    distances = album_distances(tagger.vectors(queries))
    tags = sorted(alone[0])
    matrix = np.array([[one[tag] for tag in tags] for one in alone], np.float32)
    expected = Together().scores(matrix, distances)
    np.testing.assert_allclose(
        [[one[tag] for tag in tags] for one in together], expected, rtol=1e-5, atol=1e-7
    )
    assert alone != together


def test_it_is_off_unless_asked_for_and_one_picture_is_as_it_was(built, album):
    one_by_one = [scores(built.tag([image], emission=EVERYTHING))[0] for image in album]
    assert scores(built.tag(album, emission=EVERYTHING)) == one_by_one
    assert scores(built.tag(album[:1], emission=EVERYTHING, together=True)) == one_by_one[:1]
    assert list(built.tag([], together=True)) == []


def test_pictures_that_cannot_be_read_keep_their_place(built, album, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"nothing")
    answers = list(built.tag([bad, album[0], bad, album[1]], together=True))
    assert [answer.error is None for answer in answers] == [False, True, False, True]
    whole = list(built.tag(album[:2], together=True))
    assert scores(answers[1::2]) == scores(whole)


def test_what_the_others_add_is_a_source(built, album):
    for answer in built.tag(album, emission=EVERYTHING, together=True, explain=True):
        for ranked in answer.tags:
            assert ranked.sources.keys() >= {"together"}
            assert sum(ranked.sources.values()) == pytest.approx(ranked.score, abs=1e-5)


def test_voters_are_counted_for_all_of_an_album(built, library, album):
    # A tag of one green picture: whether it votes for the mixed one is a matter of luck.
    n_voters = len(next(built.tag(album[:1], explain=True)).tags[0].voters)
    answers = built.tag(album, emission=Emission(min_voters=2 * n_voters), together=True)
    assert all("Green" in [tag.tag for tag in answer.tags] for answer in answers)
    alone = built.tag(album, emission=Emission(min_voters=n_voters + 1))
    assert all(not answer.tags for answer in alone)


def test_facts_stay_facts(built, library, album):
    image = library / "blue3.png"
    answers = list(built.tag([*album, image], together=True))
    assert {tag.tag for tag in answers[-1].tags if tag.is_confirmed} == {"Blue", "colour"}
    assert [tag.tag for tag in answers[-1].tags][:2] in (["Blue", "colour"], ["colour", "Blue"])


def with_exif(path, seconds):
    exif = Image.Exif()
    exif[272] = "Nokia 3310"
    exif.get_ifd(0x8769)[36867] = f"2004:02:29 12:00:{seconds:02d}"
    image = Image.open(path)
    image.load()
    target = path.with_suffix(".jpg")
    image.save(target, exif=exif, quality=95)
    return target


def test_a_burst_counts_as_nearer(album):
    vectors = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    burst = [with_exif(album[0], 5), with_exif(album[1], 5), album[2]]
    plain, near = Album.of(album, vectors), Album.of(burst, vectors)
    np.testing.assert_allclose(near.distances[0, 1], plain.distances[0, 1] / 2, rtol=1e-6)
    np.testing.assert_allclose(near.distances[2], plain.distances[2], rtol=1e-6)


def test_an_album_of_very_many_pictures_is_refused(album, monkeypatch):
    monkeypatch.setattr("engine.album.MOST_TOGETHER", 2)
    with pytest.raises(InputError, match="3 pictures together; up to 2 of one event are accepted"):
        Album.of(album, np.ones((3, 2), np.float32))


def test_the_command_tags_together(built, album):
    def run(*options):
        arguments = ["tag", *map(str, album), "-w", str(built.root), "--json", "--top", "3"]
        result = CliRunner().invoke(cli, [*arguments, *options])
        assert result.exit_code == 0, result.output
        return [
            {tag["tag"]: tag["score"] for tag in json.loads(line)["tags"]}
            for line in result.stdout.splitlines()
        ]

    expected = scores(built.tag(album, emission=Emission(top=3), together=True))
    for got, wanted in zip(run("--together"), expected, strict=True):
        assert got == pytest.approx(wanted, abs=1e-6)
    assert run() != run("--together")


def test_probabilities_are_shared_too(built, album, monkeypatch):
    tagger = built._tagger()
    name, _ = tagger.learner("knn")
    monkeypatch.setattr(
        "engine.answering.probabilities_of",
        lambda learner, batch: learner.predict_scores(batch) * np.float32(0.5) + np.float32(0.2),
    )
    alone, together = (
        [
            {ranked.tag: ranked.probability for ranked in answer.tags}
            for answer in tagger.tag(album, learner=name, emission=EVERYTHING, together=together)
        ]
        for together in (False, True)
    )
    green = [one["Green"] for one in alone]
    shared = [one["Green"] for one in together]
    assert min(green) < min(shared) <= max(shared) <= max(green) + 1e-6
