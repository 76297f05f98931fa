"""Corel-5K and MS-COCO, against their own files read plainly."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from indexing.corpora import read_corpus
from indexing.errors import CorpusError
from indexing.records import Corpus, ImageRecord


def exactly(text: str) -> str:
    return rf"\A{re.escape(text)}\Z"


def by_id(corpus: Corpus) -> dict[str, ImageRecord]:
    return {record.image_id: record for record in corpus.records}


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))


def sample(name: str, *labels: str) -> dict[str, Any]:
    return {"image_name": name, "image_labels": list(labels)}


def make_corel(root: Path) -> Path:
    (root / "images").mkdir()
    for name in ("1.jpeg", "2.jpeg", "stray.jpeg", "notes.txt"):
        (root / "images" / name).touch()
    write(root / "train.json", {"samples": [sample("2.jpeg", "Sea", "sky"), sample("9.jpeg")]})
    write(root / "test.json", {"samples": [sample("1.jpeg", "sea")], "labels": ["sea"]})
    return root


def make_coco(root: Path) -> Path:
    for split in ("train", "val"):
        (root / f"{split}2017").mkdir()
        (root / f"{split}2017" / "stray.jpg").touch()
    categories = [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}]
    write(
        root / "annotations" / "instances_train2017.json",
        {
            "images": [{"id": 5, "file_name": "b.jpg"}, {"id": 4, "file_name": "a.jpg"}],
            "annotations": [
                {"image_id": 5, "category_id": 18, "iscrowd": 1},
                {"image_id": 5, "category_id": 1},
                {"image_id": 5, "category_id": 18},
            ],
            "categories": categories,
        },
    )
    write(
        root / "annotations" / "instances_val2017.json",
        {
            "images": [{"id": 5, "file_name": "b.jpg"}],
            "annotations": [{"image_id": 5, "category_id": 1}],
            "categories": categories,
        },
    )
    return root


def test_corel_labels_are_tags_in_training_only(tmp_path: Path) -> None:
    images = make_corel(tmp_path) / "images"
    assert read_corpus(tmp_path) == Corpus(
        root=tmp_path,
        format="corel5k",
        records=(
            ImageRecord(image_id="1.jpeg", path=images / "1.jpeg", labels=("sea",), split="test"),
            ImageRecord(
                image_id="2.jpeg",
                path=images / "2.jpeg",
                tags=("Sea", "sky"),
                labels=("Sea", "sky"),
                split="train",
            ),
            ImageRecord(
                image_id="9.jpeg", path=images / "9.jpeg", tags=(), labels=(), split="train"
            ),
            ImageRecord(image_id="stray.jpeg", path=images / "stray.jpeg"),
        ),
    )


def test_coco_labels_are_the_categories_shown(tmp_path: Path) -> None:
    make_coco(tmp_path)
    assert read_corpus(tmp_path) == Corpus(
        root=tmp_path,
        format="coco",
        records=(
            ImageRecord(
                image_id="train2017/a.jpg",
                path=tmp_path / "train2017" / "a.jpg",
                tags=(),
                labels=(),
                split="train",
            ),
            ImageRecord(
                image_id="train2017/b.jpg",
                path=tmp_path / "train2017" / "b.jpg",
                tags=("person", "dog"),
                labels=("person", "dog"),
                split="train",
            ),
            ImageRecord(
                image_id="val2017/b.jpg",
                path=tmp_path / "val2017" / "b.jpg",
                labels=("person",),
                split="val",
            ),
        ),
    )


@pytest.mark.parametrize("split", ["train", "val"])
def test_one_split_of_coco_is_enough(tmp_path: Path, split: str) -> None:
    (make_coco(tmp_path) / "annotations" / f"instances_{split}2017.json").unlink()
    kept = {"train": "val", "val": "train"}[split]
    assert {record.split for record in read_corpus(tmp_path).records} == {kept}


def test_another_year_of_coco_has_its_own_folder(tmp_path: Path) -> None:
    make_coco(tmp_path)
    (tmp_path / "train2017").rename(tmp_path / "train2014")
    annotations = tmp_path / "annotations"
    (annotations / "instances_train2017.json").rename(annotations / "instances_train2014.json")
    assert sorted(by_id(read_corpus(tmp_path))) == [
        "train2014/a.jpg",
        "train2014/b.jpg",
        "val2017/b.jpg",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "{",
            ": not JSON (Expecting property name enclosed in double quotes at character 2); "
            "valid JSON is accepted; correct it",
        ),
        ("[]", ": a list; a JSON object is accepted; correct the file"),
        ("{}", ": samples is missing; a list of objects is accepted; correct the file"),
        (
            {"samples": {}},
            ": samples is an object; a list of objects is accepted; correct the file",
        ),
        (
            {"samples": [sample("1.jpeg"), "2.jpeg"]},
            ": samples is a list with a text in it; a list of objects is accepted; correct the "
            "file",
        ),
        (
            {"samples": [sample("1.jpeg"), {"image_labels": []}]},
            ": samples[1]: image_name is missing; a text is accepted; correct the file",
        ),
        (
            {"samples": [{"image_name": 1, "image_labels": []}]},
            ": samples[0]: image_name is a number; a text is accepted; correct the file",
        ),
        (
            {"samples": [{"image_name": "1.jpeg", "image_labels": "sea"}]},
            ": samples[0]: image_labels is a text; a list of texts is accepted; correct the file",
        ),
        (
            {"samples": [{"image_name": "1.jpeg", "image_labels": ["sea", None]}]},
            ": samples[0]: image_labels is a list with null in it; a list of texts is accepted; "
            "correct the file",
        ),
        (
            {"samples": [sample("1\0.jpeg")]},
            ": samples[0]: image_name holds a NUL or half a surrogate pair; valid Unicode is "
            "accepted; write the character whole",
        ),
    ],
)
def test_a_malformed_corel_file_is_named(tmp_path: Path, content: Any, said: str) -> None:
    path = make_corel(tmp_path) / "train.json"
    write(path, content)
    with pytest.raises(CorpusError, match=exactly(f"{path}{said}")):
        read_corpus(tmp_path)


def test_a_corel_file_that_is_no_text_is_named_with_its_line(tmp_path: Path) -> None:
    path = make_corel(tmp_path) / "test.json"
    path.write_bytes(b'{"samples":\n["\xe9"]}')
    message = (
        f"{path}:2: not UTF-8 (invalid continuation byte); UTF-8 is accepted, and UTF-16 with a "
        "byte order mark; save the file as UTF-8"
    )
    with pytest.raises(CorpusError, match=exactly(message)):
        read_corpus(tmp_path)


def test_a_missing_corel_file_is_named(tmp_path: Path) -> None:
    path = make_corel(tmp_path) / "test.json"
    path.unlink()
    message = (
        f"{path}: cannot be read (No such file or directory); a readable file is accepted; check "
        "that it is there and that you may read it"
    )
    with pytest.raises(CorpusError, match=exactly(message)):
        read_corpus(tmp_path, "corel5k")


@pytest.mark.parametrize(("format", "folder"), [("corel5k", "images"), ("coco", "val2017")])
def test_a_missing_folder_of_pictures_is_named(tmp_path: Path, format: str, folder: str) -> None:
    {"corel5k": make_corel, "coco": make_coco}[format](tmp_path)
    (tmp_path / folder).rename(tmp_path / "elsewhere")
    message = (
        f"{tmp_path / folder}: no such file or folder; accepted: a folder of pictures, or a table "
        "(.csv .tsv .jsonl .ndjson .parquet); check the path"
    )
    with pytest.raises(CorpusError, match=exactly(message)):
        read_corpus(tmp_path, format)


def test_a_corel_picture_in_both_splits_is_an_error(tmp_path: Path) -> None:
    write(make_corel(tmp_path) / "test.json", {"samples": [sample("2.jpeg", "sea")]})
    message = (
        f"{tmp_path}: the image '2.jpeg' occurs twice; an image may occur once; remove one of them"
    )
    with pytest.raises(CorpusError, match=exactly(message)):
        read_corpus(tmp_path)


def test_coco_without_annotations_says_what_is_missing(tmp_path: Path) -> None:
    message = (
        f"{tmp_path}: no annotations/instances_train*.json or instances_val*.json; one of them at "
        "least is needed; unpack the annotations there"
    )
    with pytest.raises(CorpusError, match=exactly(message)):
        read_corpus(tmp_path, "coco")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"categories": None},
            ": categories is null; a list of objects is accepted; correct the file",
        ),
        (
            {"images": [{"id": "5", "file_name": "b.jpg"}]},
            ": images[0]: id is a text; a whole number is accepted; correct the file",
        ),
        (
            {"annotations": [{"image_id": 5, "category_id": 7}]},
            ": annotations[0]: image 5 or category 7 is not among those of the file; known ids are "
            "accepted; correct the file",
        ),
        (
            {"annotations": [{"image_id": 5, "category_id": 1}, {"image_id": 6, "category_id": 1}]},
            ": annotations[1]: image 6 or category 1 is not among those of the file; known ids are "
            "accepted; correct the file",
        ),
    ],
)
def test_a_malformed_coco_file_is_named(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    path = make_coco(tmp_path) / "annotations" / "instances_val2017.json"
    write(path, json.loads(path.read_text()) | changes)
    with pytest.raises(CorpusError, match=exactly(f"{path}{said}")):
        read_corpus(tmp_path)


@pytest.mark.data
def test_corel5k_as_published(shared_data: Path) -> None:
    root = shared_data / "corel5k"
    corpus = read_corpus(root)
    records = by_id(corpus)
    truth = {
        split: {
            entry["image_name"]: tuple(entry["image_labels"])
            for entry in json.loads((root / f"{split}.json").read_text())["samples"]
        }
        for split in ("train", "test")
    }
    assert corpus.format == "corel5k"
    assert len(corpus) == 5000
    for split, samples in truth.items():
        found = {name: r for name, r in records.items() if r.split == split}
        assert {name: record.labels for name, record in found.items()} == samples
        assert {name: record.tags for name, record in found.items()} == (
            samples if split == "train" else dict.fromkeys(samples)
        )
    assert records["121060.jpeg"] == ImageRecord(
        image_id="121060.jpeg", path=root / "images" / "121060.jpeg"
    )
    assert all(record.path.is_file() for record in corpus.records)


@pytest.mark.data
def test_coco_mini_as_published(shared_data: Path) -> None:
    root = shared_data / "coco-mini"
    corpus = read_corpus(root)
    assert corpus.format == "coco"
    expected = {}
    for split in ("train", "val"):
        document = json.loads((root / "annotations" / f"instances_{split}2017.json").read_text())
        for image in document["images"]:
            shown = {
                category["name"]
                for category in document["categories"]
                for annotation in document["annotations"]
                if annotation["image_id"] == image["id"]
                and annotation["category_id"] == category["id"]
            }
            expected[f"{split}2017/{image['file_name']}"] = shown
    assert {name: set(record.labels or ()) for name, record in by_id(corpus).items()} == expected
    assert all(record.path.is_file() for record in corpus.records)
    for record in corpus.records:
        assert record.tags == (record.labels if record.split == "train" else None)
