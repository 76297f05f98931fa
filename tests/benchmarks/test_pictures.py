"""Pixels for learners that look at pictures: the right ones, decoded once, apart from others."""

import dataclasses

import numpy as np
import pytest

from benchmarks.datasets import Dataset, content_groups, exercises
from benchmarks.pictures import PictureFiles, Pictures
from benchmarks.protocols import Protocol
from indexing.errors import CorpusError
from indexing.pixels import Framing, Resample, decode, read_picture
from indexing.records import Corpus, ImageRecord
from learners.framing import DEFAULT_FRAMING, framing_of
from learners.table import make_learner
from tests.engine.conftest import write_picture

COLORS = ["red", "lime", "blue", "gold", "navy", "teal", "gray", "pink"]
FRAMING = Framing(size=24, resample=Resample.BILINEAR)


@pytest.fixture
def dataset(tmp_path):
    records = []
    for number in range(len(COLORS)):
        color = tuple(np.random.default_rng(number).integers(0, 255, 3).tolist())
        path = write_picture(tmp_path / f"{number}.png", color, seed=number)
        split = "train" if number < 6 else "test"
        records.append(
            ImageRecord(image_id=path.name, path=path, tags=(COLORS[number % 3],), split=split)
        )
    # Nobody has tagged it, so it need not be a picture.
    (tmp_path / "notes.jpg").write_bytes(b"no picture")
    records.insert(2, ImageRecord(image_id="notes.jpg", path=tmp_path / "notes.jpg"))
    corpus = Corpus(root=tmp_path, format="folder", records=tuple(records))
    made = Dataset(name="colors", corpus=corpus, groups=content_groups(corpus))
    files = PictureFiles(
        name="colors",
        paths=tuple(record.path for record in records),
        used=made.used,
        folder=tmp_path / "cache",
    )
    return dataclasses.replace(made, pictures=Pictures(files=files, positions=np.arange(9)))


def decoded(dataset, image_ids, framing=FRAMING):
    return np.stack(
        [decode(read_picture(dataset.corpus.root / name), framing) for name in image_ids]
    )


@pytest.mark.parametrize("protocol", [Protocol(), Protocol(n_folds=2)], ids=str)
def test_the_pixels_are_those_of_the_pictures(dataset, protocol):
    features = np.zeros((9, 2), np.float32)
    for one in exercises(protocol, dataset, features)[0]:
        for side in (one.exercise.training, one.exercise.questions):
            squares = side.pictures.squares(FRAMING)
            assert np.array_equal(squares, decoded(dataset, side.image_ids))
        few = one.exercise.training.take(np.array([1]))
        assert np.array_equal(few.pictures.squares(FRAMING), decoded(dataset, few.image_ids))


def test_pictures_are_decoded_once_a_framing_and_only_when_asked_for(dataset, monkeypatch):
    seen = []

    def counting(data, framing):
        seen.append(framing)
        return decode(data, framing)

    monkeypatch.setattr("benchmarks.pictures.decode", counting)
    (posed,), _ = exercises(Protocol(), dataset, np.zeros((9, 2), np.float32))
    told = []
    assert not seen
    posed.exercise.training.pictures.squares(FRAMING, lambda *what: told.append(what))
    assert seen == [FRAMING] * 8
    assert told[-1] == ("decoding pictures", 8, 8)
    posed.exercise.questions.pictures.squares(FRAMING)
    assert len(seen) == 8
    larger = dataclasses.replace(FRAMING, size=32)
    assert posed.exercise.questions.pictures.squares(larger).shape == (2, 32, 32, 3)
    cubic = dataclasses.replace(FRAMING, resample=Resample.BICUBIC)
    posed.exercise.questions.pictures.squares(cubic)
    assert seen[8:] == [larger] * 8 + [cubic] * 8


def test_a_picture_that_was_changed_is_decoded_again(dataset):
    before = dataset.pictures.take(np.array([0])).squares(FRAMING)
    write_picture(dataset.corpus.records[0].path, (1, 200, 77), seed=9)
    after = dataset.pictures.take(np.array([0])).squares(FRAMING)
    assert not np.array_equal(before, after)
    assert np.array_equal(after, decoded(dataset, ["0.png"]))


def test_nobody_reaches_other_pictures_through_an_array(dataset):
    every = dataset.pictures.squares(FRAMING)
    squares = dataset.pictures.take(np.array([0, 1])).squares(FRAMING)
    base = squares
    while isinstance(base.base, np.ndarray):
        base = base.base
        assert base.shape == squares.shape
    squares[:] = 0  # a learner's own: what is kept does not change
    assert np.array_equal(dataset.pictures.squares(FRAMING), every)
    assert list((dataset.corpus.root / "cache").iterdir()) == [
        *(dataset.corpus.root / "cache").glob("colors-24-*.npy")
    ]


def test_a_labelled_picture_that_cannot_be_read_is_an_error_and_leaves_nothing(dataset):
    dataset.corpus.records[1].path.write_bytes(b"no picture")
    with pytest.raises(CorpusError, match=r"1\.png: .*; a benchmark takes every labelled"):
        dataset.pictures.squares(FRAMING)
    assert not list((dataset.corpus.root / "cache").iterdir())
    dataset.corpus.records[1].path.unlink()
    with pytest.raises(CorpusError, match=r"1\.png: "):
        dataset.pictures.squares(FRAMING)


def test_a_learner_tells_what_it_sees_pictures_through():
    class Framed:
        framing = FRAMING

    assert framing_of(Framed()) is FRAMING
    assert framing_of(make_learner("random")) is DEFAULT_FRAMING
