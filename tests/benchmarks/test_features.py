"""Features of a data set: computed once, found again, or brought along."""

import numpy as np
import pytest

from benchmarks.datasets import Dataset, content_groups
from benchmarks.features import extracted_features, feature_cache, ready_features
from indexing.errors import CorpusError, InputError
from indexing.index import VectorTransform
from indexing.pixels import decode, read_picture
from indexing.records import Corpus, ImageRecord
from tests.engine.conftest import COLORS, write_picture
from tests.toy_extractor import ToyExtractor


@pytest.fixture
def extractor(monkeypatch):
    toy = ToyExtractor()
    monkeypatch.setattr("benchmarks.features.open_extractor", lambda name, device: toy)
    return toy


@pytest.fixture
def dataset(tmp_path):
    records = []
    for number, (name, color) in enumerate(COLORS.items()):
        path = write_picture(tmp_path / f"{name}.png", color, seed=number)
        records.append(ImageRecord(image_id=path.name, path=path, tags=(name,), split="train"))
    # Nobody has tagged it, so it need not be a picture.
    (tmp_path / "notes.jpg").write_bytes(b"no picture")
    records.append(ImageRecord(image_id="notes.jpg", path=tmp_path / "notes.jpg"))
    corpus = Corpus(root=tmp_path, format="folder", records=tuple(records))
    return Dataset(name="colours", corpus=corpus, groups=content_groups(corpus))


def test_vectors_are_those_of_the_index_and_are_extracted_once(dataset, extractor, tmp_path):
    first = extracted_features(dataset, "toy", tmp_path / "cache")
    assert extractor.n_seen == 3
    frames = [decode(read_picture(r.path), extractor.framing) for r in dataset.corpus.records[:3]]
    raw = extractor.extract(np.stack(frames))
    expected = VectorTransform(widths=(48, 3))(raw)
    assert np.array_equal(first.vectors[:3], expected)
    assert not first.vectors[3].any()
    extractor.n_seen = 0
    second = extracted_features(dataset, "toy", tmp_path / "cache")
    assert extractor.n_seen == 0
    assert np.array_equal(first.vectors, second.vectors)
    assert (first.digest, first.name) == (extractor.fingerprint.digest, "toy")
    assert first.blocks == (48, 3)


def test_a_labelled_picture_that_cannot_be_read_is_an_error(dataset, extractor, tmp_path):
    dataset.corpus.records[1].path.write_bytes(b"no picture")
    with pytest.raises(CorpusError, match=r"green\.png: .*; a benchmark takes every labelled"):
        extracted_features(dataset, "toy", tmp_path / "cache")


def test_ready_features_are_matched_by_name(dataset, tmp_path):
    raw = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    np.save(tmp_path / "x.npy", raw)
    (tmp_path / "ids.txt").write_text("blue.png\nred.png\ngreen.png\n")
    made = ready_features(dataset, tmp_path / "x.npy", tmp_path / "ids.txt", (3, 1))
    assert np.array_equal(made.vectors[:3], VectorTransform(widths=(3, 1))(raw)[[1, 2, 0]])
    assert made.blocks == (3, 1)
    (tmp_path / "ids.txt").write_text("blue.png\nred.png\nyellow.png\n")
    with pytest.raises(InputError, match=r"no features for 1 of 3 pictures, 'green\.png'"):
        ready_features(dataset, tmp_path / "x.npy", tmp_path / "ids.txt")


def test_the_cache_lies_in_the_engines_own(monkeypatch, tmp_path):
    monkeypatch.setenv("ENGINE_CACHE", str(tmp_path))
    assert feature_cache() == tmp_path / "bench"
