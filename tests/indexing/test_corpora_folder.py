"""A tree of pictures: what counts as one, what is refused, and how it is named."""

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexing.corpora.folder import read, unique_ids
from indexing.corpora.walk import OTHER_EXTENSIONS, PICTURE_EXTENSIONS
from indexing.errors import CorpusError, RefusalReason
from indexing.records import Corpus, ImageRecord, Refusal

BMP = b"BM" + bytes(12) + (40).to_bytes(4, "little")
HEADS = {
    "jpeg": b"\xff\xd8\xff\xe0",
    "png": b"\x89PNG\r\n\x1a\n",
    "webp": b"RIFF\x10\0\0\0WEBP",
    "gif87": b"GIF87a",
    "gif89": b"GIF89a",
    "bmp": BMP,
}


def write(path: Path, data: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def ids(corpus: Corpus) -> list[str]:
    return [record.image_id for record in corpus.records]


def test_a_tree_becomes_records_sorted_by_name(tmp_path: Path) -> None:
    for name in ("b.jpg", "a/z.PNG", "a/y/x.tiff", "C.Heic"):
        write(tmp_path / name)
    corpus = read(tmp_path)
    assert corpus == Corpus(
        root=tmp_path,
        format="folder",
        records=tuple(
            ImageRecord(image_id=name, path=tmp_path / name)
            for name in ("C.Heic", "a/y/x.tiff", "a/z.PNG", "b.jpg")
        ),
        embedded_keywords=True,
    )


@pytest.mark.parametrize("extension", sorted(PICTURE_EXTENSIONS))
def test_a_picture_extension_is_enough(tmp_path: Path, extension: str) -> None:
    write(tmp_path / f"a{extension}", b"no picture")
    write(tmp_path / f"b{extension.upper()}")
    assert len(read(tmp_path)) == 2


@pytest.mark.parametrize("kind", sorted(HEADS))
def test_an_unknown_extension_or_none_is_looked_into(tmp_path: Path, kind: str) -> None:
    for name in ("scan", "scan.dat", "scan.jpg_original"):
        write(tmp_path / name, HEADS[kind] + b"more")
    assert ids(read(tmp_path)) == ["scan", "scan.dat", "scan.jpg_original"]


@pytest.mark.parametrize(
    "data", [b"", b"BM, a note on bitmaps", b"RIFF\x10\0\0\0WAVE", b"\xff\xd8", b"GIF88a"]
)
def test_what_does_not_start_like_a_picture_is_none(tmp_path: Path, data: bytes) -> None:
    write(tmp_path / "notes", data)
    corpus = read(tmp_path)
    assert (corpus.records, corpus.refusals) == ((), ())


@pytest.mark.parametrize("extension", sorted(OTHER_EXTENSIONS))
def test_known_other_files_are_not_looked_into(tmp_path: Path, extension: str) -> None:
    write(tmp_path / f"picture{extension}", HEADS["jpeg"])
    assert ids(read(tmp_path)) == []


def test_hidden_things_and_thumbnail_folders_are_skipped(tmp_path: Path) -> None:
    for name in (".a.jpg", ".engine/b.jpg", "@eaDir/c.jpg", "d/.e/f.jpg", "d/@eaDir/g.jpg"):
        write(tmp_path / name)
    assert ids(read(tmp_path)) == []


def test_a_hidden_root_is_read(tmp_path: Path) -> None:
    write(tmp_path / ".photos" / "a.jpg")
    assert ids(read(tmp_path / ".photos")) == ["a.jpg"]


def test_links_to_files_are_followed_and_links_to_folders_are_not(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    inside = tmp_path / "inside"
    picture = write(outside / "a.jpg")
    inside.mkdir()
    (inside / "link.jpg").symlink_to(picture)
    (inside / "scan").symlink_to(write(outside / "scan", HEADS["png"]))
    (inside / "more").symlink_to(outside)
    (inside / "loop").symlink_to(inside)
    corpus = read(inside)
    assert ids(corpus) == ["link.jpg", "scan"]
    assert corpus.refusals == ()


def test_what_is_named_like_a_picture_and_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket may have 107 bytes at most
    write(tmp_path / "album.jpg" / "a.jpg")
    os.mkfifo("sub.jpg")
    Path("linked.jpg").symlink_to(tmp_path / "album.jpg")
    Path("gone.jpg").symlink_to(os.fsdecode(b"/gone/\xe9"))
    Path("loop.jpg").symlink_to("loop.jpg")
    Path("device.jpg").symlink_to(os.devnull)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.jpg")
        corpus = read(tmp_path)
    assert ids(corpus) == ["album.jpg/a.jpg"]
    assert corpus.refusals == (
        Refusal("album.jpg", RefusalReason.NOT_A_FILE, "a directory"),
        Refusal("device.jpg", RefusalReason.NOT_A_FILE, "a character device"),
        Refusal("gone.jpg", RefusalReason.VANISHED, "a link to /gone/\\xe9, which is not there"),
        Refusal("linked.jpg", RefusalReason.NOT_A_FILE, "a directory"),
        Refusal("loop.jpg", RefusalReason.NOT_A_FILE, "Too many levels of symbolic links"),
        Refusal("socket.jpg", RefusalReason.NOT_A_FILE, "a socket"),
        Refusal("sub.jpg", RefusalReason.NOT_A_FILE, "a FIFO"),
    )


def test_refusals_are_named_relative_to_the_root(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"\xe9t\xe9")
    folder.mkdir()
    (folder / "gone.jpg").symlink_to("nothing")
    assert [refusal.path for refusal in read(tmp_path).refusals] == ["\\xe9t\\xe9/gone.jpg"]


def test_a_fifo_that_no_one_writes_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "scan")  # opening it would wait for ever
    os.mkfifo(tmp_path / "a.txt")
    write(tmp_path / "a.jpg")
    corpus = read(tmp_path)
    assert ids(corpus) == ["a.jpg"]
    assert corpus.refusals == (
        Refusal(
            "a.txt",
            RefusalReason.BAD_SIDECAR,
            "not a regular file; a file is accepted; remove it",
        ),
    )


@pytest.mark.parametrize(
    ("error", "reason", "said"),
    [
        (
            PermissionError(13, "Permission denied"),
            RefusalReason.NO_PERMISSION,
            "Permission denied",
        ),
        (FileNotFoundError(2, "No such file"), RefusalReason.VANISHED, "No such file"),
        (OSError(5, "Input/output error"), RefusalReason.UNREADABLE, "Input/output error"),
    ],
)
def test_a_folder_that_cannot_be_listed_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: OSError,
    reason: RefusalReason,
    said: str,
) -> None:
    # By hand, because the superuser, who runs tests in containers, may list everything.
    write(tmp_path / "a" / "a.jpg")
    write(tmp_path / "b" / "closed" / "b.jpg")
    close(monkeypatch, tmp_path / "b" / "closed", error)
    corpus = read(tmp_path)
    assert ids(corpus) == ["a/a.jpg"]
    detail = f"the folder cannot be listed ({said})"
    assert corpus.refusals == (Refusal("b/closed", reason, detail),)


def test_a_root_that_cannot_be_listed_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close(monkeypatch, tmp_path, PermissionError(13, "Permission denied"))
    message = (
        f"{tmp_path}: the folder cannot be listed (Permission denied); a readable folder is "
        "accepted; check its permissions"
    )
    with pytest.raises(CorpusError, match=rf"\A{re.escape(message)}\Z"):
        read(tmp_path)


def close(monkeypatch: pytest.MonkeyPatch, folder: Path, error: OSError) -> None:
    scandir = os.scandir

    def closed(path: Any) -> Iterator[os.DirEntry[str]]:
        if Path(path) == folder:
            raise error
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)


def test_names_that_are_not_utf8_are_read_and_shown_escaped(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    write(tmp_path / name, b"x")
    write(tmp_path / "caf\\xe9.jpg", b"y")
    first, second = read(tmp_path).records
    assert (first.image_id, first.path.read_bytes()) == ("caf\\xe9.jpg", b"y")
    assert (second.image_id, second.path.read_bytes()) == ("caf\\xe9.jpg~2", b"x")


@given(st.lists(st.binary(min_size=1, max_size=4).map(os.fsdecode), unique=True), st.randoms())
def test_names_are_unique_valid_and_independent_of_order(paths: list[str], random: Any) -> None:
    named = unique_ids(paths)
    assert sorted(named) == sorted(paths)
    assert len(set(named.values())) == len(paths)
    for path, name in named.items():
        name.encode()
        escaped = any("\udc80" <= sign <= "\udcff" for sign in path)
        assert (name != path) == escaped
    random.shuffle(paths)
    assert unique_ids(paths) == named


def test_a_count_that_is_taken_is_passed_over() -> None:
    escaped = os.fsdecode(b"\xe9")
    named = unique_ids([escaped, "\\xe9", "\\xe9~2"])
    assert named[escaped] == "\\xe9~3"


def test_two_names_that_are_escaped_alike_are_counted_in_one_order() -> None:
    first, second = sorted([os.fsdecode(b"\xe9\\xff"), os.fsdecode(b"\\xe9\xff")])
    named = {first: "\\xe9\\xff", second: "\\xe9\\xff~2"}
    assert unique_ids([first, second]) == unique_ids([second, first]) == named
