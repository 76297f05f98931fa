"""What a reader may hand over."""

import dataclasses
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexing.errors import CorpusError
from indexing.records import Corpus, ImageRecord, printable_path


def test_a_record_knows_nothing_unless_told() -> None:
    record = ImageRecord(image_id="a", path=Path("a.jpg"))
    assert (record.owner, record.tags, record.labels, record.split) == (None, None, None, None)


def test_a_record_cannot_be_changed() -> None:
    record = ImageRecord(image_id="a", path=Path("a.jpg"))
    with pytest.raises(dataclasses.FrozenInstanceError, match="image_id"):
        record.image_id = "b"  # type: ignore[misc]


def test_a_name_occurs_once_in_a_corpus() -> None:
    records = tuple(ImageRecord(image_id=name, path=Path(name)) for name in "aba")
    message = "/p: the image 'a' occurs twice; an image may occur once; remove one of them"
    with pytest.raises(CorpusError, match=rf"\A{re.escape(message)}\Z"):
        Corpus(root=Path("/p"), format="folder", records=records)
    assert len(Corpus(root=Path("/p"), format="folder", records=records[:2])) == 2


@given(st.binary().map(os.fsdecode))
def test_a_printable_path_is_valid_and_keeps_what_is(path: str) -> None:
    printable = printable_path(path)
    printable.encode()
    escaped = any("\udc80" <= sign <= "\udcff" for sign in path)
    assert (printable != path) == escaped
