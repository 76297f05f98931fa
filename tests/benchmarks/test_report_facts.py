"""The report says what people must know of the data."""

import json

import pytest

from benchmarks.report import write_report
from indexing.errors import ArtifactError
from tests.benchmarks import report_files as files

FACTS = {
    "dataset": "corel5k",
    "protocol": "ask kindly",
    "labels_outside_vocabulary": [],
    "copies_across_splits": [],
    "left_out_of_training_as_copies": 0,
}
COPY = [{"image_id": "1.jpg", "split": None}, {"image_id": "2.jpg", "split": "test"}]


def written(folder, *facts):
    files.write_lines(folder, files.line("knn", protocol="ask kindly"))
    (folder / "data.json").write_text(json.dumps(facts), encoding="utf-8")
    write_report(folder)
    return (folder / "report.html").read_text(encoding="utf-8")


def test_copies_and_strange_labels_are_told(tmp_path):
    many = [f"w{i}" for i in range(7)]
    page = written(
        tmp_path,
        {**FACTS, "copies_across_splits": [COPY], "left_out_of_training_as_copies": 1,
         "labels_outside_vocabulary": many},
    )  # fmt: skip
    assert (
        "Of equal bytes in two splits: 1.jpg (no split) = 2.jpg (test); 1 left out of training "
        "for it. Labels that no training picture has: w0, w1, w2, w3, w4 and 2 more."
    ) in page
    assert "Of equal bytes in two splits" in (tmp_path / "report.md").read_text()


def test_their_absence_is_told_too(tmp_path):
    page = written(tmp_path, FACTS)
    assert "Protocol: ask kindly. No picture is in two splits.</p>" in page


def test_facts_of_other_data_are_not_told(tmp_path):
    page = written(
        tmp_path, FACTS, {**FACTS, "dataset": "coco", "labels_outside_vocabulary": ["moon"]},
        {**FACTS, "protocol": "ask twice", "labels_outside_vocabulary": ["moon"]},
    )  # fmt: skip
    assert "moon" not in page


def test_a_broken_file_is_named(tmp_path):
    files.write_lines(tmp_path, files.line("knn"))
    for text in ("{", "{}", "[1]"):
        (tmp_path / "data.json").write_text(text)
        with pytest.raises(ArtifactError, match=r"data\.json: .*; remove it and run again"):
            write_report(tmp_path)
