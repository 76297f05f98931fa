"""A workspace judged on pictures that it has not seen."""

import re

import numpy as np
import pytest

from benchmarks.unseen import judge, main
from engine import Workspace
from engine.building import BuildSettings
from engine.results import RankedTag
from indexing.extractors import EXTRACTORS
from tests.engine.conftest import COLORS, write_picture


def test_what_was_said_is_held_against_what_is_right():
    answers = [
        [RankedTag("Sea", 1.0, probability=0.9), RankedTag("sky", 0.5, probability=0.5)],
        [RankedTag("sky", 1.0, probability=0.5)],
        [],
    ]
    found = judge(answers, [{"sea"}, {"sky", "sun"}, {"moon"}])
    assert (found.n_images, found.n_said, found.n_right, found.n_true) == (3, 3, 2, 4)
    assert (found.precision, found.recall) == (2 / 3, 1 / 2)
    # Two of probability 0.5, of which one is right; one of 0.9, which is.
    assert found.expected_error == pytest.approx((2 * 0 + 1 * 0.1) / 3)
    assert "0.667   0.500  0.033" in str(found)
    assert judge([[RankedTag("sea", 1.0)]], [{"sea"}]).expected_error is None
    assert np.isnan(judge([[]], [set()]).precision)


@pytest.fixture
def colors(tmp_path, monkeypatch):
    """A workspace of tagged pictures in three colours, and a table of others."""
    monkeypatch.setitem(EXTRACTORS, "toy", "tests.toy_extractor:open_toy")
    folder = tmp_path / "library"
    folder.mkdir()
    lines = []
    for number, (name, color) in enumerate(COLORS.items()):
        for i in range(5):
            write_picture(folder / f"{name}{i}.png", color, seed=100 * number + i)
            (folder / f"{name}{i}.png.txt").write_text(name)
        new = write_picture(tmp_path / f"{name}.png", color, seed=5_000 + number)
        split = "test" if name == "red" else "validation"
        lines.append(f"{new},{name};colour,{split}")
    workspace = Workspace(tmp_path / "workspace")
    workspace.build(folder, BuildSettings(extractor="toy"))
    workspace.train("hybrid", {"members": "knn,tagvote"})
    table = tmp_path / "new.csv"
    table.write_text("image,tags,split\n" + "\n".join(lines) + "\n")
    return workspace.root, table


def test_a_line_a_way_of_answering(colors, capsys):
    main([*map(str, colors), "--learner", "hybrid", "--precision", "0.5"])
    first, _, *lines = capsys.readouterr().out.splitlines()
    assert first == "3 pictures, 2.00 tags each; hybrid"
    assert [line[:18].rstrip() for line in lines] == ["as predicted", "--top 5", "--precision 0.5"]
    # All three colours are said of each picture; the tag that no picture carries is not.
    assert lines[1].split()[2:5] == ["3.00", "0.333", "0.500"]
    main([*map(str, colors), "--split", "test", "--learner", "knn"])
    first, _, *lines = capsys.readouterr().out.splitlines()
    assert first == "1 pictures, 2.00 tags each; knn"
    assert lines[0].split()[-4:] == ["1.00", "1.000", "0.500", "-"]
    with pytest.raises(SystemExit, match="1"):
        main([*map(str, colors), "--split", "none"])
    told = capsys.readouterr().err
    assert told.startswith("Error: no picture of ")
    assert "is in the split 'none'; pictures to ask about are needed" in told


def test_what_a_picture_costs(colors, capsys, monkeypatch):
    monkeypatch.setattr("benchmarks.unseen._time_fresh", lambda *given: None)
    main([*map(str, colors), "--learner", "hybrid", "--times"])
    *_, each, against = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"CPU ms a picture from its vector: (?:(?:knn|tagvote) [\d.]+, )+hybrid [\d.]+; to the "
        r"vector [\d.]+",
        each,
    )
    assert re.fullmatch(
        r"against the slowest member: [\d.]+ times from the vector, [\d.]+ times in all", against
    )
