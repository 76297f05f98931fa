"""Tables: the four formats say the same, and the first bad line is named."""

import csv
import json
import os
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from indexing.corpora.layouts import TABLE_EXTENSIONS
from indexing.corpora.rows import read_rows
from indexing.corpora.table import COLUMNS, read, split_cell
from indexing.errors import CorpusError
from indexing.records import Corpus, ImageRecord
from indexing.tags import merge_tags


def exactly(text: str) -> str:
    return rf"\A{re.escape(text)}\Z"


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def by_id(corpus: Corpus) -> dict[str, ImageRecord]:
    return {record.image_id: record for record in corpus.records}


def test_a_row_becomes_a_record(tmp_path: Path) -> None:
    path = written(
        tmp_path / "photos.csv",
        "image,caption,tags,owner,labels,split\n"
        'sub/b.jpg,unread,"Sea, sky,sea",Ann,"boat;sail, red",validation\n'
        "/elsewhere/a.jpg,,,,,\n",
    )
    assert read(path) == Corpus(
        root=path,
        format="table",
        records=(
            ImageRecord(
                image_id="/elsewhere/a.jpg", path=Path("/elsewhere/a.jpg"), tags=(), labels=()
            ),
            ImageRecord(
                image_id="sub/b.jpg",
                path=tmp_path / "sub" / "b.jpg",
                owner="Ann",
                tags=("Sea", "sky"),
                labels=("boat", "sail, red"),
                split="val",
            ),
        ),
        embedded_keywords=False,
    )


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("", [""]),
        ("sea", ["sea"]),
        ("sea,sky", ["sea", "sky"]),
        ("Nice, France;sea", ["Nice, France", "sea"]),
        ("Nice, France; Nizza|sea", ["Nice, France; Nizza", "sea"]),
    ],
)
def test_the_strongest_separator_of_a_cell_counts(text: str, tags: list[str]) -> None:
    assert split_cell(text) == tags


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        (None, None),
        ([], ()),
        ("", ()),
        (" , ", ()),
        (["New York, NY", "sea"], ("New York, NY", "sea")),
        ("sea, sky", ("sea", "sky")),
    ],
)
def test_tags_of_json_lines(tmp_path: Path, value: Any, tags: tuple[str, ...] | None) -> None:
    line = json.dumps({"image": "a.jpg", "tags": value, "labels": value})
    (record,) = read(written(tmp_path / "a.jsonl", line)).records
    assert (record.tags, record.labels) == (tags, tags)


def test_without_a_column_or_key_nobody_has_tagged(tmp_path: Path) -> None:
    corpora = [
        read(written(tmp_path / "a.csv", "image\na.jpg\n")),
        read(written(tmp_path / "a.tsv", "image\towner\na.jpg\t\n")),
        read(written(tmp_path / "a.jsonl", '{"image": "a.jpg"}')),
    ]
    parquet.write_table(pa.table({"image": ["a.jpg"]}), tmp_path / "a.parquet")
    for corpus in [*corpora, read(tmp_path / "a.parquet")]:
        assert corpus.records == (ImageRecord(image_id="a.jpg", path=tmp_path / "a.jpg"),)


@pytest.mark.parametrize(
    ("written_as", "split"),
    [("train", "train"), ("val", "val"), ("validation", "val"), ("test", "test"), (" ", None)],
)
def test_splits(tmp_path: Path, written_as: str, split: str | None) -> None:
    path = written(tmp_path / "a.csv", f"image,split\na.jpg,{written_as}\n")
    assert read(path).records[0].split == split


words = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Z"], exclude_characters=",;|"), min_size=1
)
fields = st.fixed_dictionaries(
    {
        "tags": st.lists(words, max_size=3),
        "owner": st.none() | words,
        "labels": st.lists(words, max_size=3),
        "split": st.sampled_from([None, "train", "val", "test"]),
    }
)


@given(st.dictionaries(words.map(lambda word: word.replace("/", "-")), fields, max_size=4))
@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_formats_say_the_same(tmp_path: Path, rows: dict[str, dict[str, Any]]) -> None:
    table = [{"image": image, **row} for image, row in rows.items()]
    for extension, delimiter in ((".csv", ","), (".tsv", "\t")):
        path = tmp_path / f"photos{extension}"
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, delimiter=delimiter)
            writer.writeheader()
            for row in table:
                writer.writerow(
                    {key: "|".join(v) if isinstance(v, list) else v for key, v in row.items()}
                )
    for extension in (".jsonl", ".ndjson"):
        with (tmp_path / f"photos{extension}").open("w", encoding="utf-8") as file:
            for row in table:
                file.write(json.dumps(row, ensure_ascii=extension == ".jsonl") + "\r\n\n")
    strings = pa.list_(pa.string())
    schema = pa.schema(
        [
            ("image", pa.string()),
            ("tags", strings),
            ("owner", pa.string()),
            ("labels", strings),
            ("split", pa.string()),
        ]
    )
    parquet.write_table(pa.Table.from_pylist(table, schema), tmp_path / "photos.parquet")
    expected = {
        image: (row["owner"], merge_tags(row["tags"]), merge_tags(row["labels"]), row["split"])
        for image, row in rows.items()
    }
    corpora = [read(tmp_path / f"photos{extension}") for extension in TABLE_EXTENSIONS]
    for corpus in corpora:
        assert corpus.records == corpora[0].records
        assert {
            image: (record.owner, record.tags, record.labels, record.split)
            for image, record in by_id(corpus).items()
        } == expected


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks_and_line_ends_of_windows(tmp_path: Path, encoding: str) -> None:
    content = "image,tags\r\n\r\na.jpg,été\r\nb.jpg,\r\n".encode(encoding)
    records = by_id(read(written(tmp_path / "a.csv", content)))
    assert {name: record.tags for name, record in records.items()} == {
        "a.jpg": ("été",),
        "b.jpg": (),
    }


def test_lines_are_counted_through_cells_of_several_lines(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.csv", 'image,tags\n\na.jpg,"sea,\nsky"\r\n\n"b.jpg","x\r\ny"\nc.jpg,\n'
    )
    assert [line for line, _ in read_rows(path, COLUMNS)] == [3, 6, 8]


def test_lines_may_end_as_on_an_old_mac(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "image,tags\ra.jpg,sea\rb.jpg,sky\r")
    assert [line for line, _ in read_rows(path, COLUMNS)] == [2, 3]


def test_line_ends_of_unicode_inside_json_do_not_count(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", '{"image": "a\u2028b.jpg"}\n{"image": "c.jpg"}\n')
    assert [line for line, _ in read_rows(path, COLUMNS)] == [1, 2]


def test_a_path_that_is_not_utf8_can_be_named_in_json(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    (record,) = read(written(tmp_path / "a.jsonl", json.dumps({"image": name}))).records
    assert (record.image_id, record.path) == ("caf\\xe9.jpg", tmp_path / name)


def test_a_parquet_table_in_a_folder_named_like_a_partition(tmp_path: Path) -> None:
    folder = tmp_path / "split=train" / os.fsdecode(b"\xe9")
    folder.mkdir(parents=True)
    with (folder / "a.parquet").open("wb") as file:
        parquet.write_table(pa.table({"image": ["a.jpg"], "tags": ["sea|sky"]}), file)
    (record,) = read(folder / "a.parquet").records
    assert (record.tags, record.split) == (("sea", "sky"), None)


BAD: list[tuple[str, str | bytes, str]] = [
    (
        "a.csv",
        "",
        ":1: no column 'image' among []; accepted: image, tags, owner, labels, split; name the "
        "columns",
    ),
    (
        "a.csv",
        "\nimage;tags\na.jpg;sea\n",
        ":2: no column 'image' among ['image;tags']; accepted: image, tags, owner, labels, split; "
        "name the columns",
    ),
    (
        "a.csv",
        "image,tags, tags\n",
        ":1: the column 'tags' occurs twice; a column is accepted once; rename one of them",
    ),
    (
        "a.csv",
        "image,tags\na.jpg,sea\nb.jpg,sea,sky\nc.jpg\n",
        ":3: 3 cells; the header has 2; correct the line, and quote cells that hold the separator",
    ),
    (
        "a.tsv",
        "image\ttags\na.jpg,sea\n",
        ":2: 1 cells; the header has 2; correct the line, and quote cells that hold the separator",
    ),
    (
        "a.csv",
        'image,tags\na.jpg,"sea\nsky"\nb.jpg,"sea\nc.jpg,\n',
        ":4: unexpected end of data; a cell in quotes ends with a quote, and a quote inside it is "
        "doubled; correct the quotes",
    ),
    (
        "a.csv",
        'image,tags\na.jpg,"s"ea\n',
        ":2: ',' expected after '\"'; a cell in quotes ends with a quote, and a quote inside it is "
        "doubled; correct the quotes",
    ),
    (
        "a.csv",
        "image,tags\n,sea\n",
        ":2: no image; a row names its picture; fill in the field image",
    ),
    (
        "a.csv",
        'image,tags\na.jpg,"x\ny"\nb.jpg,\na.jpg,\n',
        ":5: the image 'a.jpg' is already on line 2; an image is accepted once; remove one of the "
        "two lines",
    ),
    (
        "a.csv",
        "image,split\na.jpg,dev\n",
        ":2: the split 'dev' is unknown; accepted: train, val, validation, test; use one of them",
    ),
    (
        "a.csv",
        b"image,tags\na.jpg,sea\nb.jpg,\xe9t\xe9\n",
        ":3: not UTF-8 (invalid continuation byte); UTF-8 is accepted, and UTF-16 with a byte "
        "order mark; save the file as UTF-8",
    ),
    (
        "a.jsonl",
        '{"image": "a.jpg"}\n\n{"image": "b.jpg"\n',
        ":3: not JSON (Expecting ',' delimiter at character 18); valid JSON is accepted; "
        "correct it",
    ),
    (
        "a.jsonl",
        '["a.jpg"]\n',
        ':1: a list; an object a line is accepted; write {"image": ...}',
    ),
    (
        "a.jsonl",
        '{"tags": []}\n',
        ":1: no image; a row names its picture; fill in the field image",
    ),
    (
        "a.ndjson",
        '{"image": ["a.jpg"]}\n',
        ":1: image is a list; a path is accepted; write it as a text",
    ),
    (
        "a.jsonl",
        '{"image": "a.jpg", "tags": {"sea": 1}}\n',
        ":1: tags is an object; a list of texts or one text is accepted; write it as one",
    ),
    (
        "a.jsonl",
        '{"image": "a.jpg", "labels": ["sea", 7]}\n',
        ":1: labels holds a number; a list of texts is accepted; write it as a text",
    ),
    (
        "a.jsonl",
        '{"image": "a.jpg", "owner": 1.5}\n',
        ":1: owner is a number; a text is accepted; write it as a text",
    ),
    (
        "a.jsonl",
        '{"image": "a\\u0000.jpg"}\n',
        ":1: image holds a NUL or half a surrogate pair; valid Unicode is accepted; write the "
        "character whole",
    ),
    (
        "a.jsonl",
        '{"image": "a\\ud800.jpg"}\n',
        ":1: image holds a NUL or half a surrogate pair; valid Unicode is accepted; write the "
        "character whole",
    ),
    (
        "a.parquet",
        "image,tags\n",
        ": cannot be read after row 0 (Parquet magic bytes not found in footer. Either the file is "
        "corrupted or this is not a parquet file.); a Parquet file is accepted; write it anew",
    ),
]


@pytest.mark.parametrize(("name", "content", "said"), BAD)
def test_the_first_bad_line_is_named(
    tmp_path: Path, name: str, content: str | bytes, said: str
) -> None:
    path = written(tmp_path / name, content)
    with pytest.raises(CorpusError, match=exactly(f"{path}{said}")):
        read(path)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (
            {"file": ["a.jpg"]},
            ": no column 'image' among ['file']; accepted: image, tags, owner, labels, split; "
            "name the columns",
        ),
        (
            {"image": ["a.jpg", None]},
            ":2: no image; a row names its picture; fill in the field image",
        ),
        (
            {"image": [b"a.jpg"]},
            ":1: image is a value of type bytes; a path is accepted; write it as a text",
        ),
        (
            {"image": ["a.jpg", "b.jpg", "a.jpg"]},
            ":3: the image 'a.jpg' is already on line 1; an image is accepted once; remove one of "
            "the two lines",
        ),
        (
            {"image": ["a.jpg"], "tags": [7]},
            ":1: tags is a number; a list of texts or one text is accepted; write it as one",
        ),
    ],
)
def test_the_first_bad_row_of_a_parquet_file_is_named(
    tmp_path: Path, columns: dict[str, list[Any]], said: str
) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table(columns), path)
    with pytest.raises(CorpusError, match=exactly(f"{path}{said}")):
        read(path)


def test_a_table_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.csv", "image\n")

    def closed(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", closed)
    message = (
        f"{path}: cannot be read (Permission denied); a readable file is accepted; check "
        "that it is there and that you may read it"
    )
    with pytest.raises(CorpusError, match=exactly(message)):
        read(path)
