"""MS-COCO with the words of its captions as noisy tags."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from indexing.corpora import coco_captions, read_corpus
from indexing.corpora.coco_captions import caption_words
from indexing.errors import CorpusError
from tests.indexing.layout_files import by_id, exactly, unreadable, write, write_picture

CAPTIONS = {
    "train": {
        4: ["A dog runs on the beach.", "The DOG at the beach"],
        5: ["Two dogs, and a red-haired man's hat", "a hat"],
        6: ["A beach with a hat by a hat"],
    },
    "val": {5: ["A surfer at the beach", "Beach and dog"], 7: ["Nothing of the kind"]},
}


def make(root: Path) -> Path:
    for split, pictures in CAPTIONS.items():
        images = [{"id": number, "file_name": f"{number:012}.jpg"} for number in pictures]
        for image in images:
            write_picture(root / f"{split}2017" / str(image["file_name"]))
        write(
            root / "annotations" / f"instances_{split}2017.json",
            {
                "images": images,
                "annotations": [{"image_id": number, "category_id": 18} for number in pictures],
                "categories": [{"id": 18, "name": "dog"}],
            },
        )
        write(
            root / "annotations" / f"captions_{split}2017.json",
            {
                "images": images,
                "annotations": [
                    {"id": 90, "image_id": number, "caption": caption}
                    for number, captions in pictures.items()
                    for caption in captions
                ],
            },
        )
    return root


def test_what_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coco_captions, "N_TAGS", 4)
    corpus = read_corpus(make(tmp_path), "coco-captions")
    # Training pictures a word: beach 2, hat 2, dog 1, dogs 1, man 1, red-haired 1, runs 1, two 1;
    # equals by name, so that four are beach, hat, dog and dogs. The validation pictures, where
    # beach and dog would count more, do not vote on it.
    assert corpus.format == "coco-captions"
    assert {name: record.tags for name, record in by_id(corpus).items()} == {
        "train2017/000000000004.jpg": ("dog", "beach"),
        "train2017/000000000005.jpg": ("dogs", "hat"),
        "train2017/000000000006.jpg": ("beach", "hat"),
        "val2017/000000000005.jpg": ("beach", "dog"),
        "val2017/000000000007.jpg": (),
    }
    plain = read_corpus(tmp_path)
    assert plain.format == "coco"
    assert [(r.image_id, r.path, r.labels, r.split) for r in corpus.records] == [
        (r.image_id, r.path, r.labels, r.split) for r in plain.records
    ]
    assert all(record.path.is_file() for record in corpus.records)


def test_all_the_words_of_few_captions_are_tags(tmp_path: Path) -> None:
    found = by_id(read_corpus(make(tmp_path), "coco-captions"))
    assert found["train2017/000000000005.jpg"].tags == ("two", "dogs", "red-haired", "man", "hat")
    # Words that only validation captions use are no tags.
    assert found["val2017/000000000005.jpg"].tags == ("beach", "dog")


def test_without_a_training_split_all_pictures_count(tmp_path: Path) -> None:
    (make(tmp_path) / "annotations" / "instances_train2017.json").unlink()
    found = by_id(read_corpus(tmp_path, "coco-captions"))
    assert found["val2017/000000000005.jpg"].tags == ("surfer", "beach", "dog")


def test_missing_captions_are_named(tmp_path: Path) -> None:
    path = make(tmp_path) / "annotations" / "captions_val2017.json"
    path.unlink()
    with pytest.raises(CorpusError, match=exactly(unreadable(path))):
        read_corpus(tmp_path, "coco-captions")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"images": 3},
            ": images is a number; a list of objects is accepted; correct the file",
        ),
        (
            {"annotations": [{"image_id": 5, "caption": None}]},
            ": annotations[0]: caption is null; a text is accepted; correct the file",
        ),
        (
            {"annotations": [{"image_id": 5, "caption": "a"}, {"image_id": 6, "caption": "a"}]},
            ": annotations[1]: image 6 is not among those of the file, or not among those of the "
            "instances; known ids are accepted; correct the file",
        ),
        (
            {
                "images": [{"id": 8, "file_name": "8.jpg"}],
                "annotations": [{"image_id": 8, "caption": "a dog"}],
            },
            ": annotations[0]: image 8 is not among those of the file, or not among those of the "
            "instances; known ids are accepted; correct the file",
        ),
    ],
)
def test_malformed_captions_are_named(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    path = make(tmp_path) / "annotations" / "captions_val2017.json"
    write(path, json.loads(path.read_text()) | changes)
    with pytest.raises(CorpusError, match=exactly(f"{path}{said}")):
        read_corpus(tmp_path, "coco-captions")


@pytest.mark.data
def test_the_published_captions(shared_data: Path) -> None:
    root = shared_data / "coco-mini"
    corpus = read_corpus(root, "coco-captions")
    words: dict[str, set[str]] = {}
    for split in ("train", "val"):
        document = json.loads((root / "annotations" / f"captions_{split}2017.json").read_text())
        names = {image["id"]: image["file_name"] for image in document["images"]}
        for annotation in document["annotations"]:
            name = f"{split}2017/{names[annotation['image_id']]}"
            words.setdefault(name, set()).update(caption_words(annotation["caption"]))
    counts = Counter(word for name in words if name.startswith("train") for word in words[name])
    # At most 1,000 words: every one that occurs as often as the rarest of them would fit in.
    assert len(counts) < 1000
    assert {name: set(record.tags or ()) for name, record in by_id(corpus).items()} == {
        name: {word for word in found if word in counts} for name, found in words.items()
    }
    assert {record.split for record in corpus.records} == {"train", "val"}
