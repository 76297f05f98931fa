"""Features that people bring themselves."""

from pathlib import Path

import numpy as np
import pytest

from indexing import ready_features
from indexing.errors import CorpusError, InputError
from indexing.ready_features import ReadyFeatures, read_ready_features
from tests.indexing.layout_files import exactly, unreadable

IDS = ["train/a.jpg", "b c.jpg", "été.jpg", " d", "5"]
MATRIX = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)


def save(root: Path, matrix: np.ndarray = MATRIX, ids: str | None = None) -> tuple[Path, Path]:
    np.save(root / "x.npy", matrix)
    text = "\n".join(IDS) + "\n" if ids is None else ids
    (root / "ids.txt").write_bytes(text.encode())
    return root / "x.npy", root / "ids.txt"


def test_float32_is_mapped_and_not_copied(tmp_path: Path) -> None:
    ready = read_ready_features(*save(tmp_path))
    assert ready.ids == tuple(IDS)
    np.testing.assert_array_equal(ready.features, MATRIX)
    assert ready.features.dtype == np.float32
    assert isinstance(ready.features, np.memmap)
    assert not ready.features.flags.writeable


@pytest.mark.parametrize("dtype", ["float64", "float16", ">f4", ">f8"])
@pytest.mark.parametrize("block", [1, 7, 1 << 22])
def test_other_floats_are_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str, block: int
) -> None:
    monkeypatch.setattr(ready_features, "_BLOCK_VALUES", block)
    stored = MATRIX.astype(dtype)
    ready = read_ready_features(*save(tmp_path, stored))
    assert ready.features.dtype == np.float32
    assert ready.features.dtype.isnative
    np.testing.assert_array_equal(ready.features, stored.astype(np.float32))


def test_column_order_is_read_by_value(tmp_path: Path) -> None:
    ready = read_ready_features(*save(tmp_path, np.asfortranarray(MATRIX)))
    np.testing.assert_array_equal(ready.features, MATRIX)


def test_rows_are_those_of_the_names(tmp_path: Path) -> None:
    ready = read_ready_features(*save(tmp_path))
    asked = ["5", "train/a.jpg", "5", " d"]
    rows = ready.rows_for(iter(asked))
    assert rows.dtype == np.int64
    np.testing.assert_array_equal(rows, [IDS.index(name) for name in asked])
    assert ready.rows_for([]).shape == (0,)


def test_a_picture_without_features_is_named() -> None:
    ready = ReadyFeatures(("a.jpg",), np.zeros((1, 2), np.float32))
    message = (
        "no features for 2 of 3 pictures, 'b.jpg' the first of them; a row a picture is accepted; "
        "add the rows, or leave the pictures out"
    )
    with pytest.raises(InputError, match=exactly(message)):
        ready.rows_for(["a.jpg", "b.jpg", "c.jpg"])


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_line_ends_are_no_part_of_a_name(tmp_path: Path, end: str) -> None:
    separator = end or "\n"
    ready = read_ready_features(*save(tmp_path, ids=separator.join(IDS) + end))
    assert ready.ids == tuple(IDS)


def test_names_of_another_number_are_an_error(tmp_path: Path) -> None:
    features, ids = save(tmp_path, MATRIX[:4])
    message = (
        f"{features}: 4 rows, and 5 names in {ids}; a name a row is accepted; write the two files "
        "together"
    )
    with pytest.raises(CorpusError, match=exactly(message)):
        read_ready_features(features, ids)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (
            "a\nb\nc\na\nd\n",
            ":4: the image 'a' is already on line 1; an image is accepted once; remove one of the "
            "two rows",
        ),
        ("a\nb\n \nc\nd\n", ":3: blank; the name of a picture is accepted; name each row"),
        ("a\nb\nc\nd\n\n", ":5: blank; the name of a picture is accepted; name each row"),
        ("", ":1: blank; the name of a picture is accepted; name each row"),
    ],
)
def test_malformed_names_are_named_with_their_line(tmp_path: Path, names: str, said: str) -> None:
    features, ids = save(tmp_path, ids=names)
    with pytest.raises(CorpusError, match=exactly(f"{ids}{said}")):
        read_ready_features(features, ids)


@pytest.mark.parametrize(
    ("dtype", "value"), [("float32", np.nan), ("float64", -np.inf), ("float64", 1e39)]
)
@pytest.mark.parametrize("block", [1, 6, 1 << 22])
def test_what_is_not_finite_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str, value: float, block: int
) -> None:
    monkeypatch.setattr(ready_features, "_BLOCK_VALUES", block)
    matrix = MATRIX.astype(dtype)
    matrix[3:, 2] = value
    features, ids = save(tmp_path, matrix)
    message = (
        f"{features}: row 3 (' d', {ids}:4) holds NaN, an infinity or what float32 cannot hold; "
        "finite numbers are accepted; compute it again, or leave it out"
    )
    with pytest.raises(CorpusError, match=exactly(message)):
        read_ready_features(features, ids)


@pytest.mark.parametrize(
    ("matrix", "found"),
    [
        (np.zeros(5, np.float32), "float32 of shape (5,)"),
        (np.zeros((5, 3), np.int64), "int64 of shape (5, 3)"),
        (np.zeros((5, 3), np.complex64), "complex64 of shape (5, 3)"),
        (np.zeros((0, 3), np.float32), "float32 of shape (0, 3)"),
        (np.zeros((5, 0), np.float32), "float32 of shape (5, 0)"),
    ],
)
def test_another_matrix_is_refused(tmp_path: Path, matrix: np.ndarray, found: str) -> None:
    features, ids = save(tmp_path, matrix)
    message = (
        f"{features}: {found}; float32, float64, float16 of shape (n_images, n_dims) are accepted; "
        "write one row a picture"
    )
    with pytest.raises(CorpusError, match=exactly(message)):
        read_ready_features(features, ids)


@pytest.mark.parametrize("kind", ["text", "empty", "cut", "objects"])
def test_what_is_no_matrix_is_refused(tmp_path: Path, kind: str) -> None:
    features, ids = save(tmp_path)
    if kind == "objects":
        np.save(features, np.array([{}], object), allow_pickle=True)
    else:
        whole = features.read_bytes()
        features.write_bytes({"text": b"1 2 3\n", "empty": b"", "cut": whole[:-4]}[kind])
    message = (
        f"{features}: no .npy file of numbers, or one cut short; float32, float64, float16 are "
        "accepted; write it with numpy.save"
    )
    with pytest.raises(CorpusError, match=exactly(message)):
        read_ready_features(features, ids)


def test_an_archive_is_refused(tmp_path: Path) -> None:
    features, ids = save(tmp_path)
    with features.open("wb") as file:
        np.savez(file, x=MATRIX)
    message = (
        f"{features}: an archive of arrays; a .npy file of one matrix is accepted; write it with "
        "numpy.save"
    )
    with pytest.raises(CorpusError, match=exactly(message)):
        read_ready_features(features, ids)


@pytest.mark.parametrize("name", ["x.npy", "ids.txt"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    features, ids = save(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(CorpusError, match=exactly(unreadable(tmp_path / name))):
        read_ready_features(features, ids)
