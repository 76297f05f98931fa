"""NUS-WIDE, in the layout of its archives."""

from pathlib import Path

import pytest

from indexing.corpora import read_corpus
from indexing.errors import CorpusError
from indexing.records import Corpus, ImageRecord
from tests.indexing.layout_files import by_id, exactly, unreadable, write, write_picture

IMAGES = [
    r"actor\0001_2124494179.jpg",
    r"actor\0002_174174086.jpg",
    r"zebra\0003_2538627952.jpg",
    r"sky\0001_815043568.jpg",
    r"sky\0002_2124494179.jpg",  # the same photograph twice, as the data set has some
]
TRAIN = [IMAGES[3], IMAGES[0], IMAGES[4]]
TEST = [IMAGES[2], IMAGES[1]]
WORDS = ["nature", "sky", "animal", "nikon"]
FLAGS = [[0, 1, 0, 1], [0, 0, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0], [1, 1, 1, 1]]
CONCEPTS = ["animal", "sky", "zebra"]
CONCEPT_TAGS = [[0, 1, 0], [0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]]
TYPED = ["sky nikon d80 été", "", "nature animal Zoo zoo", "sky", "nature sky animal nikon"]
TRUTH = {"animal": [0, 0, 1, 0, 0], "sky": [1, 0, 0, 1, 1], "zebra": [0, 0, 1, 0, 0]}


def rows(flags: list[list[int]], separator: str) -> str:
    """Each flag is followed by the separator, the last one too, as in the published files."""
    return "".join("".join(f"{flag}{separator}" for flag in row) + "\r\n" for row in flags)


def make(root: Path) -> Path:
    for image in IMAGES:
        write_picture(root / "Flickr" / image.replace("\\", "/"))
    for name, images in {"": IMAGES, "Train": TRAIN, "Test": TEST}.items():
        list_name = f"{name}Imagelist.txt"
        write(root / "ImageList" / list_name, "".join(f"{image}\r\n" for image in images))
    tags = root / "NUS_WID_Tags"
    write(tags / "TagList1k.txt", "".join(f"{word}\r\n" for word in WORDS))
    write(tags / "AllTags1k.txt", rows(FLAGS, "\t"))
    write(tags / "AllTags81.txt", rows(CONCEPT_TAGS, " "))
    numbers = [image.rpartition("_")[2].removesuffix(".jpg") for image in IMAGES]
    typed = (f"{n}      {text}\r\n" for n, text in zip(numbers, TYPED, strict=True))
    write(tags / "All_Tags.txt", "".join(typed))
    write(root / "ConceptsList" / "Concepts81.txt", "\n".join(CONCEPTS))
    for concept, flags in TRUTH.items():
        file = root / "Groundtruth" / "AllLabels" / f"Labels_{concept}.txt"
        write(file, "".join(f"{flag}\n" for flag in flags))
    return root


def test_what_is_read(tmp_path: Path) -> None:
    make(tmp_path)
    expected = {
        "actor/0001_2124494179.jpg": (("sky", "nikon"), ("sky",), "train"),
        "actor/0002_174174086.jpg": ((), (), "test"),
        "sky/0001_815043568.jpg": (("sky",), ("sky",), "train"),
        "sky/0002_2124494179.jpg": (("nature", "sky", "animal", "nikon"), ("sky",), "train"),
        "zebra/0003_2538627952.jpg": (("nature", "animal"), ("animal", "zebra"), "test"),
    }
    assert read_corpus(tmp_path) == Corpus(
        root=tmp_path,
        format="nuswide",
        records=tuple(
            ImageRecord(
                image_id=name,
                path=tmp_path / "Flickr" / name,
                tags=tags,
                labels=labels,
                split=split,
            )
            for name, (tags, labels, split) in expected.items()
        ),
    )
    assert all(record.path.is_file() for record in read_corpus(tmp_path).records)


@pytest.mark.parametrize(
    ("format", "expected"),
    [
        ("nuswide-81", [("sky",), (), ("animal",), ("sky",), ("animal", "sky")]),
        (
            "nuswide-all",
            [
                ("sky", "nikon", "d80", "été"),
                (),
                ("nature", "animal", "Zoo"),
                ("sky",),
                ("nature", "sky", "animal", "nikon"),
            ],
        ),
    ],
)
def test_the_other_tags_are_formats_of_their_own(
    tmp_path: Path, format: str, expected: list[tuple[str, ...]]
) -> None:
    plain = by_id(read_corpus(make(tmp_path)))
    corpus = read_corpus(tmp_path, format)
    found = by_id(corpus)
    assert corpus.format == format
    assert [found[image.replace("\\", "/")].tags for image in IMAGES] == expected
    assert {name: (r.labels, r.split, r.path) for name, r in found.items()} == {
        name: (r.labels, r.split, r.path) for name, r in plain.items()
    }


def test_the_pictures_and_lists_may_lie_elsewhere(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "Flickr").rename(tmp_path / "images")
    words = tmp_path / "NUS_WID_Tags" / "TagList1k.txt"
    words.rename(tmp_path / "ConceptsList" / words.name)
    record = by_id(read_corpus(tmp_path))["sky/0001_815043568.jpg"]
    assert (record.path, record.tags) == (
        tmp_path / "images" / "sky" / "0001_815043568.jpg",
        ("sky",),
    )
    assert record.path.is_file()


@pytest.mark.parametrize(
    ("format", "name"),
    [
        ("nuswide", "ImageList/Imagelist.txt"),
        ("nuswide", "ImageList/TrainImagelist.txt"),
        ("nuswide", "ImageList/TestImagelist.txt"),
        ("nuswide", "NUS_WID_Tags/TagList1k.txt"),
        ("nuswide", "NUS_WID_Tags/AllTags1k.txt"),
        ("nuswide", "ConceptsList/Concepts81.txt"),
        ("nuswide", "Groundtruth/AllLabels/Labels_sky.txt"),
        ("nuswide-81", "NUS_WID_Tags/AllTags81.txt"),
        ("nuswide-all", "NUS_WID_Tags/All_Tags.txt"),
    ],
)
def test_a_missing_file_is_named(tmp_path: Path, format: str, name: str) -> None:
    path = make(tmp_path) / name
    path.unlink()
    with pytest.raises(CorpusError, match=exactly(unreadable(path))):
        read_corpus(tmp_path, format)


UNPACK = "unpack the file again"
TWICE = "an image is accepted once; remove one of the two lines"
CORRECT = "an image of Imagelist.txt is accepted, in one of the splits; correct the lists"


@pytest.mark.parametrize(
    ("format", "name", "content", "said"),
    [
        (
            "nuswide",
            "NUS_WID_Tags/AllTags1k.txt",
            "0 1 0 1\n0 0 2 0\n",
            f":2: '2' in a row of flags; 4 zeros and ones are accepted; {UNPACK}",
        ),
        (
            "nuswide",
            "NUS_WID_Tags/AllTags1k.txt",
            "0 1 0\n",
            f":1: 3 flags; 4 zeros and ones are accepted; {UNPACK}",
        ),
        (
            "nuswide",
            "NUS_WID_Tags/TagList1k.txt",
            "nature\nsky\n\nSky\n",
            ":4: the word 'Sky' is already on line 2; a word is accepted once; remove one of the "
            "two lines",
        ),
        (
            "nuswide",
            "NUS_WID_Tags/TagList1k.txt",
            "\n",
            f": no word; a word a line is accepted; {UNPACK}",
        ),
        (
            "nuswide",
            "Groundtruth/AllLabels/Labels_sky.txt",
            "1\n0\n-1130179\n1\n0\n",
            f":3: '-1130179' is no flag; 0 or 1 is accepted; {UNPACK}",
        ),
        (
            "nuswide",
            "Groundtruth/AllLabels/Labels_sky.txt",
            "1\n0\n1\n",
            f": 3 flags; 5 are accepted, one a picture; {UNPACK}",
        ),
        (
            "nuswide",
            "ImageList/Imagelist.txt",
            "a\\1_1.jpg\na\\2_2.jpg\na/1_1.jpg\n",
            f":3: the image 'a/1_1.jpg' is already on line 1; {TWICE}",
        ),
        (
            "nuswide",
            "ImageList/TrainImagelist.txt",
            f"{IMAGES[0]}\nsky\\0009_1.jpg\n",
            f":2: the image 'sky/0009_1.jpg' is not in Imagelist.txt; {CORRECT}",
        ),
        (
            "nuswide",
            "ImageList/TestImagelist.txt",
            f"{IMAGES[2]}\n{IMAGES[0]}\n",
            ":2: the image 'actor/0001_2124494179.jpg' is in the training split too; " + CORRECT,
        ),
        (
            "nuswide-all",
            "NUS_WID_Tags/All_Tags.txt",
            "2124494179 sky\n2538627952 zoo\n",
            ":2: the Flickr number 2538627952 where Imagelist.txt has "
            "'actor/0002_174174086.jpg'; the order of Imagelist.txt is accepted; unpack both "
            "again",
        ),
    ],
)
def test_a_malformed_file_is_named(
    tmp_path: Path, format: str, name: str, content: str, said: str
) -> None:
    path = make(tmp_path) / name
    path.write_text(content)
    with pytest.raises(CorpusError, match=exactly(f"{path}{said}")):
        read_corpus(tmp_path, format)


def test_a_picture_of_no_split_is_named(tmp_path: Path) -> None:
    folder = make(tmp_path) / "ImageList"
    write(folder / "TestImagelist.txt", f"{IMAGES[2]}\n")
    message = (
        f"{folder / 'Imagelist.txt'}:2: the image 'actor/0002_174174086.jpg' is in neither "
        "TrainImagelist.txt nor TestImagelist.txt; one of the splits is accepted; add it to one "
        "of them"
    )
    with pytest.raises(CorpusError, match=exactly(message)):
        read_corpus(tmp_path)


@pytest.mark.parametrize("change", [-1, 1])
@pytest.mark.parametrize(
    ("format", "name"),
    [
        ("nuswide", "AllTags1k.txt"),
        ("nuswide-81", "AllTags81.txt"),
        ("nuswide-all", "All_Tags.txt"),
    ],
)
def test_tags_of_more_or_fewer_pictures_are_an_error(
    tmp_path: Path, format: str, name: str, change: int
) -> None:
    path = make(tmp_path) / "NUS_WID_Tags" / name
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-1] if change < 0 else [*lines, lines[-1]]))
    message = (
        f"{path.parent}: {5 + change} pictures in the tags of {format}, 5 in "
        "ImageList/Imagelist.txt; as many are accepted; unpack both again"
    )
    with pytest.raises(CorpusError, match=exactly(message)):
        read_corpus(tmp_path, format)
