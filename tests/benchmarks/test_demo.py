"""The demo: it runs from nothing, shows only what it says, and changes no picture of a user."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.demo.__main__ import demo
from benchmarks.demo.photographs import installed_photographs
from engine import Workspace
from engine.emission import Emission
from indexing.extractors import EXTRACTORS
from tests.engine.conftest import COLORS, write_picture


@pytest.fixture
def run_whole(tmp_path, monkeypatch):
    """Run the demo in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        result = CliRunner().invoke(demo, [str(argument) for argument in arguments])
        assert result.exit_code == 0, result.output
        return result.output

    return call


@pytest.fixture
def run(run_whole, monkeypatch):
    """Run the demo with an extractor that needs no network."""
    monkeypatch.setitem(EXTRACTORS, "efficientnet-lite2", "tests.toy_extractor:open_toy")
    return run_whole


def folder_state(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_crops_of_installed_photographs_are_tagged_and_the_page_says_what_they_are(run, tmp_path):
    output = run()
    photographs = installed_photographs()
    assert len(photographs) >= 14
    page = (tmp_path / "demo-output" / "contact-sheet.html").read_text(encoding="utf-8")
    assert "A demonstration, not a measurement" in page
    assert f"{10 * len(photographs)} overlapping crops of {len(photographs)} photographs" in page
    assert page.count("<article>") == len(photographs)
    assert "contact-sheet.html" in output


def test_every_tag_shown_has_three_voters_that_carry_it(run_whole, extractor_cache, tmp_path):
    run_whole()
    truth = {photo.path.stem: set(photo.tags) for photo in installed_photographs()}
    workspace = Workspace(tmp_path / "demo-output" / "workspace")
    new = sorted((tmp_path / "demo-output" / "new").glob("*.jpg"))
    n_tags = 0
    for answer in workspace.tag(new, emission=Emission(min_voters=3), explain=True):
        shown = {ranked.tag for ranked in answer.tags}
        assert shown & truth[Path(answer.image).stem[:-3]]
        for ranked in answer.tags:
            n_tags += 1
            carriers = [v for v in ranked.voters if ranked.tag in truth[v.image_id[:-7]]]
            assert len(carriers) >= 3
    assert n_tags >= len(new)


def test_a_folder_of_ones_own_is_held_out_and_left_as_it_was(run, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    for number, (name, color) in enumerate(COLORS.items()):
        for i in range(8):
            write_picture(folder / f"{name}{i}.png", color, seed=100 * number + i)
            (folder / f"{name}{i}.png.txt").write_text(name)
    before = folder_state(folder)
    output = run(folder)
    assert "6 tagged pictures of" in output
    assert folder_state(folder) == before
    indexed = Workspace(tmp_path / "demo-output" / "workspace").info()["counts"]["indexed"]
    assert indexed == 18


def test_a_folder_without_tags_is_searched(run, tmp_path):
    folder = tmp_path / "plain"
    folder.mkdir()
    write_picture(folder / "a.png", COLORS["red"], 1)
    output = run(folder)
    assert "nothing can be tagged yet" in output
    assert "engine search" in output


def test_the_manifest_names_subjects_that_differ():
    manifest = Path(__file__).resolve().parents[2] / "benchmarks" / "demo" / "photographs.json"
    rows = json.loads(manifest.read_text(encoding="utf-8"))
    assert len(rows) >= 16
    assert all(len(set(row["tags"])) == len(row["tags"]) >= 3 for row in rows)
