"""Generations: readers see whole ones only, writers exclude each other."""

import json
import subprocess
import sys

import pytest

from engine.generations import GenerationFolders, find_workspace, workspace_for_build
from indexing.errors import ArtifactError, LockedError

FIELDS = {
    "source": {"shown": "Pictures", "format": "folder"},
    "settings": {"index": "auto", "extractor": "toy"},
    "extractor": {"name": "toy", "digest": "00", "n_dims": 3, "blocks": [3], "runtime": "numpy"},
    "counts": {"indexed": 0, "tagged": 0, "voters": 0, "tags": 0, "refused": 0},
    "learners": {},
}
"""What a build writes."""


@pytest.fixture
def folders(tmp_path):
    found = GenerationFolders(tmp_path / "w")
    found.root.mkdir()
    return found


def make(folders, text):
    with folders.new() as (folder, manifest):
        (folder / "part").write_text(text)
        manifest.update(FIELDS, text=text)


def test_the_pointer_names_the_newest_and_one_before_it_is_kept(folders):
    for text in ("a", "b", "c"):
        make(folders, text)
    folder, manifest = folders.current()
    assert (folder / "part").read_text() == "c" == manifest["text"]
    assert sorted(path.name for path in folder.parent.iterdir()) == ["000002", "000003"]


def test_a_generation_that_fails_leaves_the_one_before(folders):
    make(folders, "a")

    def interrupted():
        with folders.new() as (folder, _):
            (folder / "part").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert folders.current()[1]["text"] == "a"
    assert [path.name for path in folders.folder(1).parent.iterdir()] == ["000001"]


def test_who_stops_the_tidying_has_the_new_generation(folders, monkeypatch):
    for text in ("a", "b"):
        make(folders, text)

    def stop(path, ignore_errors):
        if path.name == "000001":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", stop)
        make(folders, "c")
    assert folders.current()[1]["text"] == "c"
    make(folders, "d")
    assert sorted(path.name for path in folders.folder(1).parent.iterdir()) == ["000003", "000004"]


def test_leftovers_of_a_killed_build_are_cleared(folders):
    make(folders, "a")
    partial = folders.folder(2).with_suffix(".partial")
    partial.mkdir()
    (partial / "half").write_text("x")
    folders.folder(2).mkdir()  # finished, but the pointer never moved
    make(folders, "b")
    assert folders.current()[1]["text"] == "b"
    assert not partial.exists()
    assert not (folders.folder(2) / "half").exists()


def test_a_workspace_that_is_not_there_is_named_as_people_make_it(tmp_path):
    with pytest.raises(ArtifactError) as fault:
        GenerationFolders(tmp_path / "library.engine").current()
    path = tmp_path / "library.engine"
    assert str(fault.value) == (
        f"{path} does not exist; the folder of a workspace is accepted; name another, or make "
        f"this one: engine build PICTURES -w {path}"
    )


def test_nothing_built_says_what_to_do(folders):
    with pytest.raises(ArtifactError, match=r"holds no finished build; .* 'engine build PICTURES'"):
        folders.current()


def test_the_folder_that_a_workspace_lies_in_points_at_it(tmp_path):
    inside = tmp_path / ".engine"
    inside.mkdir()
    (inside / "current").write_text("000001\n")
    with pytest.raises(ArtifactError) as fault:
        GenerationFolders(tmp_path).current()
    assert str(fault.value).endswith(f"; name the one that lies there: -w {inside}")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("current", "seven", "holds 'seven'"),
        ("generations/000001/generation.json", "{", "cannot be read"),
        (
            "generations/000001/generation.json",
            json.dumps({"format": 99}),
            "has format 99; this version of the engine reads format 1",
        ),
    ],
)
def test_damage_and_newer_formats_are_named(folders, name, text, message):
    make(folders, "a")
    (folders.root / name).write_text(text)
    with pytest.raises(ArtifactError, match=message):
        folders.current()


def test_two_writers_exclude_each_other_and_the_lock_dies_with_its_process(folders):
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from engine.generations import GenerationFolders\n"
        "with GenerationFolders(Path(sys.argv[1])).lock():\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(folders.root)], stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        with (
            pytest.raises(LockedError, match="being written by another process"),
            folders.lock(),
        ):
            pass
        other.kill()
    with folders.lock():
        pass


def test_a_workspace_is_found_like_git_finds_its_own(tmp_path, monkeypatch):
    monkeypatch.delenv("ENGINE_WORKSPACE", raising=False)
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    with pytest.raises(ArtifactError, match=r"no workspace found: there is no \.engine folder"):
        find_workspace()
    assert workspace_for_build() == deep / ".engine"
    (tmp_path / ".engine").mkdir()
    assert find_workspace() == workspace_for_build() == tmp_path / ".engine"
    monkeypatch.setenv("ENGINE_WORKSPACE", "")
    assert find_workspace() == tmp_path / ".engine"
    monkeypatch.setenv("ENGINE_WORKSPACE", str(tmp_path / "other"))
    assert find_workspace() == tmp_path / "other"
    assert find_workspace(tmp_path / "given") == tmp_path / "given"
