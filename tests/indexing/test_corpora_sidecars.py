"""Sidecars: which file belongs to which picture, and what it may say."""

from pathlib import Path

import pytest

from indexing.corpora.folder import read
from indexing.corpora.sidecars import MAX_SIDECAR_BYTES, match_sidecars
from indexing.errors import RefusalReason
from indexing.records import Corpus, ImageRecord, Refusal

XMP = """\
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">{}</rdf:Description>
 </rdf:RDF>
</x:xmpmeta>"""
BAG = "<dc:subject><rdf:Bag>{}</rdf:Bag></dc:subject>"


def read_with(root: Path, files: dict[str, str | bytes], *pictures: str) -> Corpus:
    for picture in pictures or ("a.jpg",):
        (root / picture).touch()
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (root / name).write_bytes(data)
    return read(root)


def only(corpus: Corpus) -> ImageRecord:
    (record,) = corpus.records
    return record


SAY_NOTHING: dict[str, str] = {
    "a.json": '{"title": "a.jpg", "owner": {"nsid": 7}}',  # such as Google Takeout writes
    "a.jpg.json": '{"tags": null}',
    "a.xmp": XMP.format("<dc:title>Sea</dc:title>"),
    "a.jpeg.txt": "another picture's",
    "b.txt": "another picture's",
    "A.txt": "another picture's",
}


@pytest.mark.parametrize(
    ("name", "content", "tags"),
    [
        ("a.jpg.txt", "sea\nNew  York\r\n\nsea\n", ("sea", "New York")),
        ("a.txt", "sea, Sky ,sea,,sand", ("sea", "Sky", "sand")),
        ("a.txt", "sea, sky\nsand", ("sea", "sky", "sand")),
        ("a.TXT", "sea", ("sea",)),
        ("a.txt", b"\xef\xbb\xbfmer", ("mer",)),
        ("a.txt", "été".encode("utf-16"), ("été",)),
        ("a.txt", "", ()),
        ("a.txt", " \n,\n", ()),
        ("a.jpg.json", '["sea", "New York, NY"]', ("sea", "New York, NY")),
        ("a.json", '{"tags": ["sea"], "keywords": ["sky"]}', ("sea",)),
        ("a.json", '{"tags": null, "keywords": "sea, sky"}', ("sea", "sky")),
        ("a.json", '{"tags": "sea, sky"}', ("sea", "sky")),
        ("a.json", b'\xef\xbb\xbf{"tags": "mer"}', ("mer",)),
        ("a.json", "[]", ()),
        ("a.json", '{"tags": []}', ()),
        ("a.json", '{"tags": ""}', ()),
        ("a.xmp", XMP.format(BAG.format("<rdf:li>sea</rdf:li>")), ("sea",)),
        ("a.jpg.XMP", XMP.format(BAG.format("")), ()),
        *((name, content, None) for name, content in SAY_NOTHING.items()),
    ],
)
def test_what_one_sidecar_says(
    tmp_path: Path, name: str, content: str | bytes, tags: tuple[str, ...] | None
) -> None:
    corpus = read_with(tmp_path, {name: content})
    assert only(corpus).tags == tags
    assert corpus.refusals == ()


def test_a_picture_without_sidecar_is_untagged(tmp_path: Path) -> None:
    assert only(read_with(tmp_path, {})).tags is None


@pytest.mark.parametrize(
    ("owner", "expected"), [('"Ann "', "Ann"), ("51035", "51035"), ('""', None), ("null", None)]
)
def test_a_json_sidecar_may_name_the_owner(
    tmp_path: Path, owner: str, expected: str | None
) -> None:
    content = f'{{"tags": ["sea"], "owner": {owner}}}'
    assert only(read_with(tmp_path, {"a.json": content})).owner == expected


def test_the_kinds_are_merged(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "a.xmp": XMP.format(BAG.format("<rdf:li>SEA</rdf:li><rdf:li>sand</rdf:li>")),
        "a.jpg.json": '{"tags": ["sky", "Sea"], "owner": "Ann"}',
        "a.txt": "sea",
    }
    record = only(read_with(tmp_path, files))
    assert (record.tags, record.owner) == (("sea", "sky", "sand"), "Ann")


def test_the_full_name_wins_over_the_stem_kind_by_kind(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "a.txt": "stem",
        "a.png.txt": "png",
        "a.json": '["shared"]',
    }
    corpus = read_with(tmp_path, files, "a.jpg", "a.png")
    assert {record.image_id: record.tags for record in corpus.records} == {
        "a.jpg": ("stem", "shared"),
        "a.png": ("png", "shared"),
    }


def test_a_stem_that_is_itself_a_picture_keeps_its_sidecar() -> None:
    assert match_sidecars(["a.jpg", "a.jpg.png"], ["a.jpg.txt"]) == {"a.jpg": ["a.jpg.txt"]}


def test_a_picture_without_extension_has_sidecars_too(tmp_path: Path) -> None:
    (tmp_path / "scan").write_bytes(b"GIF89a")
    (tmp_path / "scan.txt").write_text("sea")
    assert only(read(tmp_path)).tags == ("sea",)


def test_of_two_spellings_of_an_extension_the_first_in_order_counts() -> None:
    assert match_sidecars(["a.jpg"], ["a.TXT", "a.txt"]) == {"a.jpg": ["a.TXT"]}


BAD: list[tuple[str, str | bytes, str]] = [
    (
        "a.txt",
        b"\xe9t\xe9",
        "not UTF-8 (byte 1: invalid continuation byte); UTF-8 is accepted, and UTF-16 with a "
        "byte order mark; save it as UTF-8",
    ),
    (
        "a.jpg.txt",
        "sea".encode("utf-16-le"),
        "not UTF-8 (byte 2: a NUL is no text); UTF-8 is accepted, and UTF-16 with a byte order "
        "mark; save it as UTF-8",
    ),
    (
        "a.json",
        '{"tags": [',
        "not JSON (Expecting value at character 11); valid JSON is accepted; correct it",
    ),
    (
        "a.json",
        "",
        "not JSON (Expecting value at character 1); valid JSON is accepted; correct it",
    ),
    (
        "a.json",
        '"sea"',
        "a text; a list of texts, or an object with tags, is accepted; write it as one of them",
    ),
    (
        "a.json",
        '{"tags": 7}',
        "tags is a number; a list of texts or one text is accepted; write it as one",
    ),
    (
        "a.json",
        '{"keywords": ["sea", null]}',
        "keywords holds null; a list of texts is accepted; write it as a text",
    ),
    (
        "a.json",
        '{"tags": ["sea"], "owner": ["Ann"]}',
        "owner is a list; a text is accepted; write it as a text",
    ),
    (
        "a.json",
        '["\\ud83d"]',
        "tags holds a NUL or half a surrogate pair; valid Unicode is accepted; write the "
        "character whole",
    ),
    (
        "a.xmp",
        "sea",
        "not XML (syntax error: line 1, column 0); an XMP packet is accepted; write it anew",
    ),
    (
        "a.xmp",
        "<!DOCTYPE x [<!ENTITY a 'sea'>]><x>&a;</x>",
        "a document type declaration; XMP without one is accepted; remove the DOCTYPE",
    ),
    (
        "a.txt",
        b"a" * (MAX_SIDECAR_BYTES + 1),
        "1048577 bytes; at most 1048576 are accepted; shorten it",
    ),
]


@pytest.mark.parametrize(("name", "content", "detail"), BAD)
def test_a_bad_sidecar_is_refused_and_its_picture_kept(
    tmp_path: Path, name: str, content: str | bytes, detail: str
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.jpg").touch()
    data = content.encode() if isinstance(content, str) else content
    (tmp_path / "sub" / name).write_bytes(data)
    corpus = read(tmp_path)
    assert only(corpus) == ImageRecord(image_id="sub/a.jpg", path=tmp_path / "sub" / "a.jpg")
    assert corpus.refusals == (Refusal(f"sub/{name}", RefusalReason.BAD_SIDECAR, detail),)


def test_a_sidecar_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").symlink_to("nothing")
    corpus = read_with(tmp_path, {})
    assert only(corpus).tags is None
    assert corpus.refusals == (
        Refusal(
            "a.txt",
            RefusalReason.BAD_SIDECAR,
            "cannot be read (No such file or directory); a readable file is accepted; repair or "
            "remove it",
        ),
    )


def test_the_largest_sidecar_that_is_accepted(tmp_path: Path) -> None:
    corpus = read_with(tmp_path, {"a.txt": "sea".ljust(MAX_SIDECAR_BYTES)})
    assert (only(corpus).tags, corpus.refusals) == (("sea",), ())


def test_a_bad_sidecar_takes_nothing_from_a_good_one(tmp_path: Path) -> None:
    corpus = read_with(tmp_path, {"a.json": "{", "a.txt": "sea"})
    assert only(corpus).tags == ("sea",)
    assert [refusal.path for refusal in corpus.refusals] == ["a.json"]


def test_a_bad_sidecar_of_two_pictures_is_refused_once(tmp_path: Path) -> None:
    corpus = read_with(tmp_path, {"a.json": "{"}, "a.jpg", "a.png")
    assert [record.tags for record in corpus.records] == [None, None]
    assert len(corpus.refusals) == 1


def test_a_folder_named_like_a_sidecar_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    corpus = read_with(tmp_path, {})
    assert (only(corpus).tags, corpus.refusals) == (None, ())
