"""ESP Game and IAPR TC-12: labels, and pictures where they are there."""

import json
from pathlib import Path
from typing import Any

import pytest

from indexing.corpora import read_corpus
from indexing.errors import CorpusError
from indexing.records import Corpus, ImageRecord
from tests.indexing.layout_files import exactly, unreadable, write, write_picture

SAMPLES: dict[str, dict[str, list[str]]] = {
    "train": {"25.jpg": ["building", "sky"], "1028.jpg": ["sky"], "32.jpg": []},
    "test": {"26.jpg": ["sky", "tree"], "40001.jpg": ["building"]},
}
FORMATS = ["espgame", "iaprtc12"]


def make(root: Path, format: str) -> Path:
    for split, samples in SAMPLES.items():
        listed = [{"image_name": name, "image_labels": labels} for name, labels in samples.items()]
        write(root / f"{split}.json", {"samples": listed, "labels": ["building", "sky", "tree"]})
    write(root / f"{format}_vocabulary.txt", "building\nsky\ntree\n")
    return root


def expected(root: Path, format: str, places: dict[str, str]) -> Corpus:
    records = [
        ImageRecord(
            image_id=name,
            path=root / "images" / places.get(name, name),
            tags=tuple(labels) if split == "train" else None,
            labels=tuple(labels),
            split=split,
        )
        for split, samples in SAMPLES.items()
        for name, labels in samples.items()
    ]
    records.sort(key=lambda record: record.image_id)
    return Corpus(root=root, format=format, records=tuple(records))


@pytest.mark.parametrize("format", FORMATS)
def test_labels_are_of_use_without_pictures(tmp_path: Path, format: str) -> None:
    assert read_corpus(make(tmp_path, format)) == expected(tmp_path, format, {})


@pytest.mark.parametrize("format", FORMATS)
def test_pictures_are_found_at_any_depth(tmp_path: Path, format: str) -> None:
    make(tmp_path, format)
    places = {"25.jpg": "00/25.jpg", "1028.jpg": "01/1028.jpg", "40001.jpg": "40/40001.jpg"}
    for place in (*places.values(), "26.jpg", "00/26.jpg", "00/stray.jpg"):
        write_picture(tmp_path / "images" / place)
    corpus = read_corpus(tmp_path)
    assert corpus == expected(tmp_path, format, places)
    assert sum(record.path.is_file() for record in corpus.records) == 4


@pytest.mark.parametrize("format", FORMATS)
def test_a_missing_file_is_named(tmp_path: Path, format: str) -> None:
    path = make(tmp_path, format) / "test.json"
    path.unlink()
    with pytest.raises(CorpusError, match=exactly(unreadable(path))):
        read_corpus(tmp_path, format)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{}", ": samples is missing; a list of objects is accepted; correct the file"),
        (
            {"samples": [{"image_name": "1.jpg", "image_labels": "sea"}]},
            ": samples[0]: image_labels is a text; a list of texts is accepted; correct the file",
        ),
    ],
)
def test_a_malformed_file_is_named(tmp_path: Path, content: Any, said: str) -> None:
    path = write(make(tmp_path, "espgame") / "train.json", content)
    with pytest.raises(CorpusError, match=exactly(f"{path}{said}")):
        read_corpus(tmp_path, "espgame")


def test_a_picture_in_both_splits_is_an_error(tmp_path: Path) -> None:
    samples = [{"image_name": "25.jpg", "image_labels": []}]
    write(make(tmp_path, "iaprtc12") / "test.json", {"samples": samples})
    message = (
        f"{tmp_path}: the image '25.jpg' occurs twice; an image may occur once; remove one of them"
    )
    with pytest.raises(CorpusError, match=exactly(message)):
        read_corpus(tmp_path)


@pytest.mark.data
@pytest.mark.parametrize(
    ("folder", "n_train", "n_test", "n_labels"),
    [("espgame-tags", 18_689, 2_081, 268), ("iaprtc12-tags", 17_665, 1_962, 291)],
)
def test_the_published_labels(
    shared_data: Path, folder: str, n_train: int, n_test: int, n_labels: int
) -> None:
    root = shared_data / folder
    corpus = read_corpus(root)
    assert f"{corpus.format}-tags" == folder
    found: dict[str, dict[str, list[str]]] = {"train": {}, "test": {}}
    for record in corpus.records:
        assert record.tags == (record.labels if record.split == "train" else None)
        found[str(record.split)][record.image_id] = list(record.labels or ())
    for split in found:
        samples = json.loads((root / f"{split}.json").read_text())["samples"]
        assert found[split] == {s["image_name"]: s["image_labels"] for s in samples}
    assert (len(found["train"]), len(found["test"])) == (n_train, n_test)
    assert len({label for record in corpus.records for label in record.labels or ()}) == n_labels
