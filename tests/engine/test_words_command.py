"""``engine words``: neighbours, and vectors trained on a corpus."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from engine.cli import cli
from engine.fitting_words import fit_words
from indexing.errors import InputError
from indexing.records import Corpus, ImageRecord
from indexing.words.table import make_word_table, save_word_table
from learners.words import WordVectors, open_word_vectors
from learners.words.glove import GloveSettings
from tests.engine.conftest import COLORS, write_picture


def run(*arguments):
    return CliRunner().invoke(cli, ["words", *map(str, arguments)])


@pytest.fixture
def given(tmp_path):
    words = {"sea": [1, 0, 0.1], "beach": [0.9, 0.1, 0], "car": [0, 1, 0], "road": [0, 0.9, 0.2]}
    folder = tmp_path / "given"
    folder.mkdir()
    table = make_word_table(list(words), np.array(list(words.values()), float), "four words")
    save_word_table(table, folder)
    return folder


def test_near_shows_words_with_their_cosines(given):
    lines = run("near", "seas", "-n", 2, "--vectors", given).stdout.splitlines()
    assert lines[0] == "seas  (four words; taken for sea)"
    sea, beach = np.array([1, 0, 0.1]), np.array([0.9, 0.1, 0])
    cosine = sea @ beach / np.linalg.norm(sea) / np.linalg.norm(beach)
    assert lines[1] == f"  {cosine:.3f}  beach"
    assert len(lines) == 3
    answer = json.loads(run("near", "sea", "--vectors", given, "--json").stdout)
    assert [near["word"] for near in answer["near"]] == ["beach", "road", "car"]
    assert (answer["word"], answer["vectors"]) == ("sea", "four words")


def test_a_word_without_a_vector_is_refused(given):
    assert "'kite' has no vector in four words" in str(
        run("near", "kite", "--vectors", given).exception
    )


def corpus(tmp_path):
    tag_lists = [("kite", "beach"), ("Kites", "beach", "sea"), ("car", "road")] * 5
    records = [
        ImageRecord(image_id=f"{i}.png", path=tmp_path / f"{i}.png", tags=tags)
        for i, tags in enumerate(tag_lists)
    ]
    return Corpus(root=tmp_path, format="table", records=tuple(records))


def test_words_of_a_corpus_move_towards_those_they_are_tagged_with(given, tmp_path):
    opened = open_word_vectors(given)
    report = fit_words(corpus(tmp_path), tmp_path / "out", opened, GloveSettings(seed=1))
    assert (report.n_pictures, report.n_words, report.n_new, report.n_all) == (15, 5, 1, 5)
    fitted = open_word_vectors(tmp_path / "out")
    assert fitted.source == "four words, trained on a corpus"
    assert fitted.table.word(4) == "kite"
    near = [word for word, _ in fitted.nearest("kite", 4)]
    assert set(near[:2]) == {"beach", "sea"}
    assert {"car", "road"} == set(near[2:])
    with pytest.raises(InputError, match=r"out is there already; a new folder is accepted"):
        fit_words(corpus(tmp_path), tmp_path / "out", opened)


def test_words_that_the_corpus_lacks_stay_as_they_are(given, tmp_path):
    opened = open_word_vectors(given)
    record = ImageRecord(image_id="a.png", path=tmp_path / "a.png", tags=("kite", "sea"))
    fit_words(
        Corpus(root=tmp_path, format="table", records=(record,)),
        tmp_path / "out",
        opened,
        GloveSettings(epochs=5),
    )
    fitted = open_word_vectors(tmp_path / "out")
    for word in ("beach", "car", "road"):
        rows = [words.table.rows([words.table.find(word)]) for words in (opened, fitted)]
        np.testing.assert_array_equal(*rows)


def test_a_caption_is_a_text(tmp_path):
    record = ImageRecord(
        image_id="a.png", path=tmp_path / "a.png", tags=("a red kite over the grey sea", "wind")
    )
    other = ImageRecord(image_id="b.png", path=tmp_path / "b.png", tags=("wind", "rain"))
    settings = GloveSettings(n_dims=4, epochs=2)
    report = fit_words(
        Corpus(root=tmp_path, format="table", records=(record, other)),
        tmp_path / "out",
        None,
        settings,
    )
    words = WordVectors(open_word_vectors(tmp_path / "out").table)
    assert {words.table.word(i) for i in range(report.n_all)} == {
        *("red", "kite", "grey", "sea", "wind", "rain")
    }


def test_the_command_trains_and_says_where(library, tmp_path, given):
    for name in ("not-tagged", "tagged-with-nothing"):
        write_picture(library / f"{name}.png", COLORS["red"], seed=7)
    (library / "tagged-with-nothing.png.txt").write_text("")
    out = tmp_path / "mine"
    result = run("fit", library, "--out", out, "--vectors", given, "--epochs", 3)
    assert result.exit_code == 0, result.exception
    assert result.stdout.splitlines()[0] == "4 words from the tags of 24 pictures, 4 of them new"
    assert f"engine words near WORD --vectors {out}" in result.stdout
    lines = run("near", "red", "--vectors", out, "-n", 1).stdout.splitlines()
    assert len(lines) == 2
    result = run("fit", library, "--out", tmp_path / "b", "--from-nothing", "--json")
    assert json.loads(result.stdout)["n_all"] == 4
