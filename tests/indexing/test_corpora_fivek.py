"""MIT-Adobe FiveK, in the layout of its archive."""

from pathlib import Path

import pytest

from indexing.corpora import read_corpus
from indexing.errors import CorpusError
from indexing.records import Corpus, ImageRecord
from tests.indexing.layout_files import by_id, exactly, unreadable, write, write_picture

ADOBE = ["a0700-dvf_095", "a1400-07-11-23-at-17h04m28s-_MG_6574", "a5000-kme 0204"]
ADOBE_MIT = ["a0701-IMG_4895", "a1401-_DGW0251"]
CATEGORIES = {
    "a0700-dvf_095": "outdoor,day,sun_sky,nature",
    "a0701-IMG_4895": "indoor,None,artificial,man_made",
    "a1400-07-11-23-at-17h04m28s-_MG_6574": "outdoor,dusk,mixed,people",
    "a1401-_DGW0251": "None,None,None,None",
    "a5000-kme 0204": "outdoor,night,artificial,abstract",
}
LABELS = {
    "a0700-dvf_095": ("outdoor", "day", "sun sky", "nature"),
    "a0701-IMG_4895": ("indoor", "artificial", "man made"),
    "a1400-07-11-23-at-17h04m28s-_MG_6574": ("outdoor", "dusk", "mixed", "people"),
    "a1401-_DGW0251": (),
    "a5000-kme 0204": ("outdoor", "night", "artificial", "abstract"),
}
RAW = {
    "a0700-dvf_095": "HQa1to700",
    "a0701-IMG_4895": "HQa701to1400",
    "a1400-07-11-23-at-17h04m28s-_MG_6574": "HQa701to1400",
    "a1401-_DGW0251": "HQa1400to2100",
    "a5000-kme 0204": "HQa4201to5000",
}


def make(root: Path, *folders: str) -> Path:
    write(root / "filesAdobe.txt", "\n".join(ADOBE) + "\n")
    write(root / "filesAdobeMIT.txt", "\n".join(ADOBE_MIT))
    write(
        root / "categories.txt",
        "".join(f"{name},{values}\n" for name, values in CATEGORIES.items()),
    )
    for folder in folders:
        for name in LABELS:
            write_picture(root / folder / f"{name}.tif")
    for name, folder in RAW.items():
        write(root / "raw_photos" / folder / "photos" / f"{name}.dng", "raw")
    return root


def test_what_is_read(tmp_path: Path) -> None:
    make(tmp_path, "tiff16_a", "tiff16_c")
    corpus = read_corpus(tmp_path)
    assert corpus == Corpus(
        root=tmp_path,
        format="fivek",
        records=tuple(
            ImageRecord(
                image_id=name,
                path=tmp_path / "tiff16_c" / f"{name}.tif",
                tags=labels,
                labels=labels,
            )
            for name, labels in LABELS.items()
        ),
    )
    assert all(record.path.is_file() for record in corpus.records)


def test_another_expert_in_another_format(tmp_path: Path) -> None:
    make(tmp_path)
    write_picture(tmp_path / "tiff16_e" / "a0700-dvf_095.jpg")
    write(tmp_path / "tiff16_e" / "a0700-dvf_095.txt", "no picture")
    records = by_id(read_corpus(tmp_path))
    assert records["a0700-dvf_095"].path == tmp_path / "tiff16_e" / "a0700-dvf_095.jpg"
    assert records["a1401-_DGW0251"].path == tmp_path / "tiff16_e" / "a1401-_DGW0251.tif"


def test_without_an_expert_the_raw_files_are_taken(tmp_path: Path) -> None:
    records = by_id(read_corpus(make(tmp_path)))
    assert {name: record.path for name, record in records.items()} == {
        name: tmp_path / "raw_photos" / folder / "photos" / f"{name}.dng"
        for name, folder in RAW.items()
    }
    assert all(record.path.is_file() for record in records.values())


@pytest.mark.parametrize("name", ["filesAdobe.txt", "filesAdobeMIT.txt", "categories.txt"])
def test_a_missing_list_is_named(tmp_path: Path, name: str) -> None:
    path = make(tmp_path) / name
    path.unlink()
    with pytest.raises(CorpusError, match=exactly(unreadable(path))):
        read_corpus(tmp_path, "fivek")


FIELDS = "name,location,time,light,subject"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "categories.txt",
            "a0700-dvf_095,outdoor,day,sun_sky,nature\na0701-IMG_4895,indoor\n",
            f":2: 2 fields; {FIELDS} are accepted; correct the line",
        ),
        (
            "categories.txt",
            "a0700-dvf_095,indoor,day,mixed,nature\na0700-dvf_095,indoor,day,mixed,nature\n",
            ":2: a0700-dvf_095 is there twice; a picture is accepted once; remove one of the two "
            "lines",
        ),
        (
            "filesAdobeMIT.txt",
            "a0701-IMG_4895\na0700-dvf_095\n",
            ":2: a0700-dvf_095 is already in filesAdobe.txt:1; a picture is accepted once; remove "
            "one of the two lines",
        ),
        (
            "filesAdobeMIT.txt",
            "\na5001-kme_0204\n",
            ":2: 'a5001-kme_0204' is no name of a picture; names from a0001- to a5000- are "
            "accepted; correct the line",
        ),
        (
            "filesAdobeMIT.txt",
            "b0001-kme_0204\n",
            ":1: 'b0001-kme_0204' is no name of a picture; names from a0001- to a5000- are "
            "accepted; correct the line",
        ),
        (
            "filesAdobeMIT.txt",
            "a0702-IMG_1\n",
            ":1: a0702-IMG_1 is not in categories.txt; a picture with categories is accepted; "
            "unpack the lists again",
        ),
    ],
)
def test_a_malformed_list_is_named(tmp_path: Path, name: str, content: str, said: str) -> None:
    path = make(tmp_path) / name
    path.write_text(content)
    with pytest.raises(CorpusError, match=exactly(f"{path}{said}")):
        read_corpus(tmp_path)


def test_empty_lists_are_an_error(tmp_path: Path) -> None:
    make(tmp_path)
    for name in ("filesAdobe.txt", "filesAdobeMIT.txt"):
        (tmp_path / name).write_text("\n")
    message = (
        f"{tmp_path / 'filesAdobe.txt'}: no picture; a name a line is accepted; unpack the lists "
        "again"
    )
    with pytest.raises(CorpusError, match=exactly(message)):
        read_corpus(tmp_path)
