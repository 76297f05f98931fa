"""The catalogue: Parquet round trip, and row ids that are stable and never reused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexing.catalogue import Catalogue, Entry, assign_rows, load_catalogue, save_catalogue
from indexing.errors import ArtifactError, RefusalReason
from indexing.records import ImageRecord, Refusal


def record(name, **fields):
    return ImageRecord(image_id=name, path=Path("/root") / name, **fields)


def test_everything_survives_the_file(tmp_path):
    catalogue = Catalogue(
        (
            Entry(7, b"\x00\xff" * 16, record("a.jpg", owner="Ann", tags=("Bär", "sea"))),
            Entry(2, b"\x01" * 32, record("caf\udce9.jpg".encode("utf-8", "replace").decode())),
            Entry(3, b"\x02" * 32, ImageRecord(image_id="x", path=Path("/r/caf\udce9.jpg"))),
            Entry(4, b"\x03" * 32, record("n", tags=(), labels=("l",), split="test")),
        ),
        (Refusal("bad.jpg", RefusalReason.TRUNCATED, "ends early"),),
    )
    save_catalogue(catalogue, tmp_path)
    assert load_catalogue(tmp_path) == catalogue


def test_an_empty_catalogue_survives_too(tmp_path):
    save_catalogue(Catalogue(), tmp_path)
    assert load_catalogue(tmp_path) == Catalogue()


@pytest.mark.parametrize("damage", [None, b"", b"PAR1 no parquet"])
def test_a_missing_or_damaged_file_is_an_error(tmp_path, damage):
    save_catalogue(Catalogue(), tmp_path)
    path = tmp_path / "catalogue.parquet"
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)
    with pytest.raises(ArtifactError, match=r"catalogue.parquet cannot be read .* build again"):
        load_catalogue(tmp_path)


def rows(records, contents, previous=(), next_row=0):
    entries, following = assign_rows(records, contents, previous, next_row)
    return [entry.row for entry in entries], entries, following


def test_a_renamed_picture_keeps_its_row_and_a_changed_one_does_not():
    names = [record("a"), record("b"), record("c")]
    before, entries, n = rows(names, [b"1", b"2", b"3"])
    assert before == [0, 1, 2]
    # a is renamed to z, b is edited, c stays.
    after, _, n = rows([record("b"), record("c"), record("z")], [b"9", b"3", b"1"], entries, n)
    assert after == [3, 2, 0]
    assert n == 4


def test_a_row_that_went_is_never_handed_out_again():
    _, entries, n = rows([record("a"), record("b")], [b"1", b"2"])
    _, entries, n = rows([record("a")], [b"1"], entries, n)
    after, _, _ = rows([record("a"), record("b")], [b"1", b"2"], entries, n)
    assert after == [0, 2]


def test_two_names_that_swap_their_pictures_swap_their_rows():
    _, entries, n = rows([record("a"), record("b")], [b"1", b"2"])
    after, _, following = rows([record("a"), record("b")], [b"2", b"1"], entries, n)
    assert after == [1, 0]
    assert following == n


names = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from([b"1", b"2", b"3"]))


@given(st.lists(names, max_size=6))
def test_rows_are_unique_and_follow_their_content(folders):
    entries, next_row = (), 0
    content_of_row = {}
    for folder in folders:
        files = sorted(folder.items())
        entries, next_row = assign_rows(
            [record(name) for name, _ in files], [c for _, c in files], entries, next_row
        )
        assigned = [entry.row for entry in entries]
        assert len(set(assigned)) == len(assigned)
        assert all(row < next_row for row in assigned)
        for entry in entries:
            assert content_of_row.setdefault(entry.row, entry.content) == entry.content
