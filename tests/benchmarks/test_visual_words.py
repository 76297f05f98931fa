"""The bag of words of a data set: learned from training pictures alone, once."""

import json

import numpy as np
import pytest
from PIL import Image

import benchmarks.visual_words
from benchmarks.datasets import Dataset, content_groups
from benchmarks.opening import Wanted, open_data
from benchmarks.suites import SUITES, FeatureKind
from benchmarks.visual_words import learned_words
from indexing.extractors.visual_words import FRAMING, VisualWords, learn_words
from indexing.index import VectorTransform
from indexing.pixels import decode, read_picture
from indexing.records import Corpus, ImageRecord


def write_noise(path, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, format="PNG")
    return path


def frames(paths):
    return [decode(read_picture(path), FRAMING) for path in paths]


@pytest.fixture
def dataset(tmp_path):
    """Six to learn from, of which the last has a copy in the test split; one broken, one free."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    names = [f"train{i}" for i in range(6)] + ["broken", "test0", "test1"]
    for number, name in enumerate(names):
        write_noise(folder / name, number)
    (folder / "broken").write_bytes(b"no picture")
    (folder / "test0").write_bytes((folder / "train5").read_bytes())
    write_noise(folder / "free", 50)
    records = [
        ImageRecord(
            image_id=name,
            path=folder / name,
            tags=() if name.startswith("t") else ("odd",),
            split="test" if name.startswith("test") else "train",
        )
        for name in names
    ]
    records.append(ImageRecord(image_id="free", path=folder / "free"))
    corpus = Corpus(root=folder, format="folder", records=tuple(records))
    return Dataset(name="noise", corpus=corpus, groups=content_groups(corpus))


def test_words_are_those_of_the_training_pictures_alone(dataset, tmp_path):
    told = []
    path = learned_words(
        dataset, tmp_path / "cache", n_words=5, on_progress=lambda *counts: told.append(counts)
    )
    alone = [tmp_path / "pictures" / f"train{i}" for i in range(5)]
    with np.load(path, allow_pickle=False) as saved:
        assert np.array_equal(saved["words"], learn_words(frames(alone), 5, seed=0))
    assert told == [(n, 6) for n in range(1, 7)]
    assert [one.name for one in (tmp_path / "cache" / "words").iterdir()] == [path.name]


def test_words_are_learned_once_and_anew_from_other_pictures(dataset, tmp_path, monkeypatch):
    first = learned_words(dataset, tmp_path / "cache", n_words=5)
    assert learned_words(dataset, tmp_path / "cache", n_words=6) != first
    learned = []

    def spy(found, n_words, seed):
        learned.append(len(list(found)))
        return np.ones((n_words, 128), np.float32)

    monkeypatch.setattr(benchmarks.visual_words, "learn_words", spy)
    assert learned_words(dataset, tmp_path / "cache", n_words=5) == first
    assert learned == []
    write_noise(tmp_path / "pictures" / "test1", 77)
    assert learned_words(dataset, tmp_path / "cache", n_words=5) == first
    write_noise(tmp_path / "pictures" / "train0", 78)
    assert learned_words(dataset, tmp_path / "cache", n_words=5) != first
    assert learned == [5]


@pytest.fixture
def corel(tmp_path, monkeypatch):
    """Pictures in the layout of Corel-5K, as many as a thousand words can be learned from."""
    monkeypatch.setenv("ENGINE_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "corel5k"
    (folder / "images").mkdir(parents=True)
    for split, numbers in (("train", range(20)), ("test", range(20, 23))):
        names = [f"{number}.jpeg" for number in numbers]
        for number, name in zip(numbers, names, strict=True):
            write_noise(folder / "images" / name, number)
        samples = [{"image_name": name, "image_labels": ["grain"]} for name in names]
        text = json.dumps({"samples": samples, "labels": ["grain"]})
        (folder / f"{split}.json").write_text(text)
    return folder


def test_a_suite_opens_with_the_counts_of_its_words(corel, tmp_path):
    stages = []
    dataset, features = open_data(
        SUITES["corel5k"],
        {FeatureKind.BAG_OF_WORDS},
        Wanted(data=corel),
        lambda stage, done, total: stages.append((stage, total)),
    )
    assert list(features) == [FeatureKind.BAG_OF_WORDS]
    assert list(dict.fromkeys(stages)) == [("learning words", 20), ("counting words", 23)]
    made = features[FeatureKind.BAG_OF_WORDS]
    assert made.name == "bag-of-words"
    paths = [record.path for record in dataset.corpus.records]
    words = learn_words(frames(paths[i] for i in dataset.training), 1_000, seed=0)
    extractor = VisualWords("words", words)
    counts = extractor.extract(np.stack(frames(paths)))
    assert np.array_equal(made.vectors, VectorTransform(widths=(1_000, 4_000))(counts))
    assert made.digest == extractor.fingerprint.digest


def test_people_with_features_of_their_own_need_no_pictures(corel, tmp_path):
    names = [f"{number}.jpeg" for number in range(23)]
    np.save(tmp_path / "x.npy", np.eye(23, dtype=np.float32))
    (tmp_path / "ids.txt").write_text("\n".join(names) + "\n")
    for path in (corel / "images").iterdir():
        path.unlink()
    kinds = set(FeatureKind)
    ready = Wanted(data=corel, ready=(tmp_path / "x.npy", tmp_path / "ids.txt"))
    _, features = open_data(SUITES["corel5k"], kinds, ready)
    assert list(features) == [FeatureKind.DEEP]
    assert list(open_data(SUITES["smoke"], kinds, Wanted())[1]) == [FeatureKind.DEEP]
