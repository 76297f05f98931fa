"""MIRFlickr-25K, in the layout of its two archives."""

from pathlib import Path

import pytest

from indexing.corpora import read_corpus
from indexing.errors import CorpusError
from indexing.records import Corpus, ImageRecord
from tests.indexing.layout_files import by_id, exactly, no_folder, write, write_picture

TAGS = {1: "sea\nsky\n", 2: "chien\nété\n", 3: "", 7: "nikon\nsea\nsea\n", 10: "portrait\n"}
OWNERS = ["11@N01", "22@N02", "11@N01", "33@N00", "44@N06"]
ANNOTATIONS = {
    "sea.txt": "1\n7\n",
    "plant_life.txt": "1\n10\n",
    "dog.txt": "2\n",
    "sea_r1.txt": "7\n",
    "dog_r1.txt": "2\n2\n",
    "README.txt": "Annotations of MIRFLICKR-25000\n",
}


def make(root: Path, annotations: str = "mirflickr25k_annotations_v080") -> Path:
    for number, tags in TAGS.items():
        write_picture(root / f"im{number}.jpg", number)
        write(root / "meta" / "tags" / f"tags{number}.txt", tags)
        write(root / "meta" / "tags_raw" / f"tags{number}.txt", tags.upper())
    write(root / "doc" / "common_tags.txt", "sea 2\n")
    write(root / "doc" / "owner_ids.txt", "\n".join(OWNERS) + "\n")
    for name, numbers in ANNOTATIONS.items():
        write(root / annotations / name, numbers)
    return root


def test_what_is_read(tmp_path: Path) -> None:
    make(tmp_path)
    expected = {
        "im1.jpg": ("11@N01", ("sea", "sky"), ("plant life", "sea")),
        "im10.jpg": ("44@N06", ("portrait",), ("plant life",)),
        "im2.jpg": ("22@N02", ("chien", "été"), ("dog",)),
        "im3.jpg": ("11@N01", (), ()),
        "im7.jpg": ("33@N00", ("nikon", "sea"), ("sea",)),
    }
    assert read_corpus(tmp_path) == Corpus(
        root=tmp_path,
        format="mirflickr",
        records=tuple(
            ImageRecord(image_id=name, path=tmp_path / name, owner=owner, tags=tags, labels=labels)
            for name, (owner, tags, labels) in expected.items()
        ),
    )
    assert all(record.path.is_file() for record in read_corpus(tmp_path).records)


def test_the_relevant_annotations_are_a_format_of_their_own(tmp_path: Path) -> None:
    corpus = read_corpus(make(tmp_path), "mirflickr-r1")
    assert corpus.format == "mirflickr-r1"
    assert {name: record.labels for name, record in by_id(corpus).items()} == {
        "im1.jpg": (),
        "im10.jpg": (),
        "im2.jpg": ("dog",),
        "im3.jpg": (),
        "im7.jpg": ("sea",),
    }


@pytest.mark.parametrize("annotations", ["annotations", "../mirflickr25k_annotations_v080"])
def test_the_annotations_may_lie_elsewhere(tmp_path: Path, annotations: str) -> None:
    corpus = read_corpus(make(tmp_path / "mirflickr", annotations))
    assert by_id(corpus)["im7.jpg"].labels == ("sea",)


def test_tags_are_of_use_without_pictures(tmp_path: Path) -> None:
    make(tmp_path)
    whole = read_corpus(tmp_path)
    for number in TAGS:
        (tmp_path / f"im{number}.jpg").unlink()
    assert read_corpus(tmp_path) == whole


@pytest.mark.parametrize(
    "owners",
    [
        None,
        "",
        "\n".join(sorted(set(OWNERS))),  # a list of the owners there are
        "\n".join(f"{number} {owner}" for number, owner in zip(TAGS, OWNERS, strict=True)),
    ],
)
def test_owners_of_another_form_are_unknown(tmp_path: Path, owners: str | None) -> None:
    path = make(tmp_path) / "doc" / "owner_ids.txt"
    if owners is None:
        path.unlink()
    else:
        path.write_text(owners)
    assert {record.owner for record in read_corpus(tmp_path).records} == {None}


def test_missing_tags_are_named(tmp_path: Path) -> None:
    folder = make(tmp_path) / "meta" / "tags"
    (folder / "tags7.txt").unlink()
    (folder / "tags10.txt").unlink()
    message = (
        f"{folder / 'tags7.txt'}: missing, and im7.jpg is there; a file a picture is accepted; "
        "unpack all of the tags"
    )
    with pytest.raises(CorpusError, match=exactly(message)):
        read_corpus(tmp_path)
    for file in folder.iterdir():
        file.unlink()
    message = f"{folder}: no tags1.txt; a file a picture is accepted; unpack the tags there"
    with pytest.raises(CorpusError, match=exactly(message)):
        read_corpus(tmp_path, "mirflickr")
    folder.rmdir()
    with pytest.raises(CorpusError, match=exactly(no_folder(folder))):
        read_corpus(tmp_path, "mirflickr")


def test_missing_annotations_are_named(tmp_path: Path) -> None:
    folder = make(tmp_path) / "mirflickr25k_annotations_v080"
    for format, kind in (("mirflickr-r1", "*_r1.txt"), ("mirflickr", "*.txt")):
        for file in folder.glob(kind):
            file.unlink()
        message = (
            f"{folder}: no {kind}; a file of picture numbers a label is accepted; unpack the "
            "annotations there"
        )
        with pytest.raises(CorpusError, match=exactly(message)):
            read_corpus(tmp_path, format)
    folder.rmdir()
    message = (
        f"{tmp_path}: no annotations; the folder annotations or mirflickr25k_annotations_v080 is "
        "accepted, in it or beside it; unpack it there"
    )
    with pytest.raises(CorpusError, match=exactly(message)):
        read_corpus(tmp_path)


@pytest.mark.parametrize("number", ["8", "im7", "-1", "7.0", "1" * 5000])
def test_an_annotation_of_no_picture_is_named(tmp_path: Path, number: str) -> None:
    path = make(tmp_path) / "mirflickr25k_annotations_v080" / "dog.txt"
    path.write_text(f"2\n\n{number}\n")
    message = (
        f"{path}:3: {number!r} is the number of no picture; one that has tags is accepted; "
        "correct the line"
    )
    with pytest.raises(CorpusError, match=exactly(message)):
        read_corpus(tmp_path)


def test_tags_that_are_no_text_are_named_with_their_line(tmp_path: Path) -> None:
    path = make(tmp_path) / "meta" / "tags" / "tags2.txt"
    path.write_bytes(b"chien\n\xe9t\xe9\n")
    message = (
        f"{path}:2: not UTF-8 (invalid continuation byte); UTF-8 is accepted, and UTF-16 with a "
        "byte order mark; save the file as UTF-8"
    )
    with pytest.raises(CorpusError, match=exactly(message)):
        read_corpus(tmp_path)
