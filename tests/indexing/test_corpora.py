"""Which reader a path needs, and what is said of a path that no reader takes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from indexing.corpora import READERS, detect_format, read_corpus
from indexing.corpora.fields import decode_text, kind_of, parse_json, tags_field, text_field
from indexing.corpora.layouts import TABLE_EXTENSIONS
from indexing.errors import CorpusError, InputError

ADVICE = (
    "accepted: a folder of pictures, or a table (.csv .tsv .jsonl .ndjson .parquet); check the path"
)


def exactly(text: str) -> str:
    return rf"\A{re.escape(text)}\Z"


def make(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("{}")
    return root


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], "folder"),
        (["a.jpg", "photos.csv"], "folder"),
        (["train.json", "test.json", "images/"], "corel5k"),
        (["train.json", "test.json"], "folder"),
        (["train.json", "images/"], "folder"),
        (["annotations/instances_val2017.json"], "coco"),
        (["annotations/instances_train2014.json"], "coco"),
        (["annotations/instances_train.json"], "coco"),
        (["annotations/instances_test2017.json"], "folder"),
        (["annotations/captions_val2017.json"], "folder"),
        (
            ["train.json", "test.json", "images/", "annotations/instances_val2017.json"],
            "corel5k",
        ),
        (["train.json", "test.json", "images/", "espgame_vocabulary.txt"], "espgame"),
        (["train.json", "test.json", "iaprtc12_vocabulary.txt"], "iaprtc12"),
        (["train.json", "iaprtc12_vocabulary.txt"], "folder"),
        (["meta/tags/tags1.txt", "im1.jpg"], "mirflickr"),
        (["meta/tags/", "im1.jpg"], "folder"),
        (["ImageList/Imagelist.txt", "NUS_WID_Tags/"], "nuswide"),
        (["ImageList/Imagelist.txt"], "folder"),
        (["categories.txt", "filesAdobe.txt", "filesAdobeMIT.txt"], "fivek"),
        (["categories.txt", "filesAdobe.txt"], "folder"),
        (["LOC_synset_mapping.txt"], "imagenet"),
        (["ILSVRC/Data/CLS-LOC/"], "imagenet"),
        (["train/n01440764/"], "imagenet"),
        (["train/n0144076/", "train/a.jpg"], "folder"),
        (["val/n01440764/"], "folder"),
    ],
)
def test_the_first_layout_that_fits_a_folder(
    tmp_path: Path, names: list[str], expected: str
) -> None:
    assert detect_format(make(tmp_path, *names)) == expected


@pytest.mark.parametrize("extension", [*TABLE_EXTENSIONS, ".CSV", ".Parquet"])
def test_a_file_of_a_table_extension_is_a_table(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"photos{extension}"
    path.touch()
    assert detect_format(str(path)) == "table"


def test_a_folder_of_a_table_extension_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "photos.csv").mkdir()
    assert detect_format(tmp_path / "photos.csv") == "folder"


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere"
    with pytest.raises(CorpusError, match=exactly(f"{path}: no such file or folder; {ADVICE}")):
        detect_format(path)


def test_a_path_through_a_file_is_missing(tmp_path: Path) -> None:
    path = make(tmp_path, "photos.txt") / "photos.txt" / "more"
    with pytest.raises(CorpusError, match=exactly(f"{path}: no such file or folder; {ADVICE}")):
        detect_format(path)


def test_a_path_that_cannot_be_looked_at_is_named(tmp_path: Path) -> None:
    path = tmp_path / "loop"
    path.symlink_to(path)
    message = f"{path}: cannot be looked at (Too many levels of symbolic links); {ADVICE}"
    with pytest.raises(CorpusError, match=exactly(message)):
        detect_format(path)


def test_a_file_that_is_no_table_is_named(tmp_path: Path) -> None:
    path = make(tmp_path, "photo.jpg") / "photo.jpg"
    with pytest.raises(CorpusError, match=exactly(f"{path}: a file that is no table; {ADVICE}")):
        detect_format(path)


@pytest.mark.parametrize(
    ("format", "name", "found", "taken"),
    [
        ("folder", "photos.csv", "table", "folder"),
        *[(format, "photo.jpg", "file", "folder") for format in READERS if format != "table"],
        ("table", "photo.jpg", "file", "table"),
        ("table", "photos/", "folder", "table"),
    ],
)
def test_a_named_format_refuses_another_kind_of_path(
    tmp_path: Path, format: str, name: str, found: str, taken: str
) -> None:
    path = make(tmp_path, name) / name
    message = f"{path}: a {found} where this format takes a {taken}; {ADVICE}"
    with pytest.raises(CorpusError, match=exactly(message)):
        read_corpus(path, format)


def test_an_unknown_format_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    message = (
        "no corpus format is called 'flickr'; accepted: folder, table, corel5k, coco, "
        "coco-captions, espgame, iaprtc12, mirflickr, mirflickr-r1, nuswide, nuswide-81, "
        "nuswide-all, fivek, imagenet; choose one of them, or name none to have it detected"
    )
    with pytest.raises(CorpusError, match=exactly(message)):
        read_corpus(tmp_path, "flickr")


def test_a_corpus_carries_the_name_of_its_reader(tmp_path: Path) -> None:
    make(tmp_path, "annotations/instances_val.json", "a.jpg")
    assert read_corpus(tmp_path, "folder").format == "folder"
    (tmp_path / "photos.csv").write_text("image,tags\na.jpg,sea\n")
    corpus = read_corpus(tmp_path / "photos.csv")
    assert (corpus.format, corpus.root) == ("table", tmp_path / "photos.csv")


def test_a_choice_imports_only_its_own_reader(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg")
    program = (
        "import sys; from indexing.corpora import read_corpus; read_corpus(sys.argv[1]);"
        "print(*sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True
    )
    imported = set(done.stdout.split())
    readers = {module.partition(":")[0] for module in READERS.values()}
    assert imported & readers == {"indexing.corpora.folder"}
    assert not imported & {"pyarrow", "numpy", "PIL", "csv", "scipy"}


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (b"\xef\xbb\xbf", "utf-8"),
        (b"\xff\xfe", "utf-16-le"),
        (b"\xfe\xff", "utf-16-be"),
    ],
)
def test_text_is_decoded_by_its_mark(mark: bytes, encoding: str) -> None:
    assert decode_text(mark + "mer, été, 海".encode(encoding)) == "mer, été, 海"


@pytest.mark.parametrize(
    ("data", "start"), [(b"sea\n\xe9t\xe9", 4), (b"s\0e\0a\0", 1), (b"\xff\xfea\0\0\0", 4)]
)
def test_bytes_that_are_no_text_are_refused_where_they_stand(data: bytes, start: int) -> None:
    with pytest.raises(UnicodeDecodeError) as caught:
        decode_text(data)
    assert caught.value.start == start


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[1,", "Expecting value at character 4"),
        ("1" * 5000, "a number with too many digits"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_text_that_is_no_json_is_refused(text: str, found: str) -> None:
    message = f"not JSON ({found}); valid JSON is accepted; correct it"
    with pytest.raises(InputError, match=exactly(message)):
        parse_json(text)


def test_fields_of_wrong_types_are_refused() -> None:
    with pytest.raises(
        InputError,
        match=exactly("owner is true or false; a text is accepted; write it as a text"),
    ):
        text_field("owner", True)
    with pytest.raises(
        InputError,
        match=exactly(
            "tags is an object; a list of texts or one text is accepted; write it as one"
        ),
    ):
        tags_field("tags", {"sea": 1}, str.split)
    with pytest.raises(
        InputError,
        match=exactly("tags holds a number; a list of texts is accepted; write it as a text"),
    ):
        tags_field("tags", ["sea", 7], str.split)


@pytest.mark.parametrize("text", ["sea\ud83d", "se\0a"])
def test_what_no_store_takes_is_refused(text: str) -> None:
    message = (
        "tags holds a NUL or half a surrogate pair; valid Unicode is accepted; "
        "write the character whole"
    )
    for value in (text, [text]):
        with pytest.raises(InputError, match=exactly(message)):
            tags_field("tags", value, str.split)


def test_values_are_called_what_people_call_them() -> None:
    values = [{}, [], "", True, 1, 1.5, None, b""]
    assert [kind_of(value) for value in values] == [
        "an object",
        "a list",
        "a text",
        "true or false",
        "a number",
        "a number",
        "null",
        "a value of type bytes",
    ]
