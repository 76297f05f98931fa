"""The command line: what people see, exit codes, one line for every known fault."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from engine.cli import cli
from indexing.errors import EngineError
from tests.engine.conftest import COLORS, write_picture


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """Run a command in an empty folder, as ``engine`` does but without a new process."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)

    def run(*arguments):
        return CliRunner().invoke(cli, [str(argument) for argument in arguments])

    return run


@pytest.fixture
def new(tmp_path):
    return write_picture(tmp_path / "new.png", COLORS["green"], seed=5_000)


def test_the_main_job(engine, library, new):
    (library / "bad.jpg").write_bytes(b"")
    result = engine("build", library, "--extractor", "toy")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0] == ("24 indexed, 1 refused: 1 empty (engine info --refused lists them)")
    assert lines[1] == "24 new, 0 gone, 0 moved, 0 retagged; 24 went through the network"
    assert lines[2].startswith("24 tagged, 24 vote, 4 tags; knn asks ")
    result = engine("tag", new)
    assert result.output.splitlines()[:3] == [
        f"{new}  (knn)",
        "  colour   1.000",
        "  Green    1.000",
    ]
    result = engine("search", new, "-k", 2)
    assert len(result.output.splitlines()) == 3
    assert "(Green, colour)" in result.output
    assert engine("build").output.splitlines()[1] == "nothing has changed"


def test_json_lines(engine, library, new):
    built = json.loads(engine("build", library, "--extractor", "toy", "--json").output)
    assert (built["indexed"], built["tags"], built["refused"]) == (24, 4, {})
    answer = json.loads(engine("tag", new, "--json", "--top", 3, "--explain").output)
    assert [tag["tag"] for tag in answer["tags"]][:2] == ["colour", "Green"]
    found = json.loads(engine("search", new, "--json").output)
    assert set(found["results"][0]) == {"image_id", "path", "distance", "tags"}
    info = json.loads(engine("info", "--json", "--refused").output)
    assert info["counts"]["indexed"] == 24
    assert info["refused"] == []
    assert info["index"]["form"] == "Flat"


def test_info_for_people(engine, library):
    engine("build", library, "--extractor", "toy")
    assert engine("info", "--refused").output == "no file was refused\n"
    (library / "bad.jpg").write_bytes(b"text")
    engine("build")
    output = engine("info").output
    assert "24 indexed, 24 tagged, 24 vote, 1 refused" in output
    assert "Flat, cosine" in output
    assert engine("info", "--refused").output.startswith("bad.jpg  not a picture: ")


def test_a_sidecar_that_is_not_read_is_no_picture_refused(engine, library):
    (library / "bad.jpg").write_bytes(b"text")
    (library / "empty.jpg").write_bytes(b"")
    (library / "red1.png.json").write_text("{")
    said = engine("build", library, "--extractor", "toy").output.splitlines()[0]
    assert said == (
        "24 indexed, 2 refused: 1 empty, 1 not a picture; 1 sidecar not read (engine info "
        "--refused lists them)"
    )
    assert "24 vote, 2 refused; 1 sidecar not read\n" in engine("info").output
    built = json.loads(engine("build", "--json").output)
    assert built["refused"] == {"empty": 1, "not a picture": 1}
    assert built["sidecars_not_read"] == 1
    info = json.loads(engine("info", "--json", "--refused").output)
    assert (info["counts"]["refused"], info["counts"]["sidecars_not_read"]) == (2, 1)
    assert len(info["refused"]) == 3


def test_explain_shows_voters(engine, library, new):
    engine("build", library, "--extractor", "toy")
    lines = engine("tag", new, "--explain").output.splitlines()
    assert any(line.startswith("      ") and ".png  (distance" in line for line in lines)


def test_one_bad_picture_is_answered_and_the_exit_code_is_1(engine, library, new):
    engine("build", library, "--extractor", "toy")
    result = engine("tag", library / "gone.png", new)
    assert result.exit_code == 1
    assert "not tagged: no such file" in result.output
    assert "Green" in result.output


def test_a_sheet_is_one_file_that_needs_no_other(engine, library, new, tmp_path):
    engine("build", library, "--extractor", "toy")
    sheet = tmp_path / "sheet.html"
    result = engine("tag", new, library / "gone.png", "--sheet", sheet)
    page = sheet.read_text(encoding="utf-8")
    assert result.exit_code == 1
    assert "Green" in page
    assert page.count('src="data:image/jpeg;base64,') >= 2
    assert "http" not in page
    assert "no such file" in page
    assert [path.name for path in tmp_path.glob("sheet*")] == ["sheet.html"]


def test_help_of_every_command_ends_with_an_example(engine):
    for command in sorted(cli.list_commands(None)):
        result = engine(command, "--help")
        assert result.exit_code == 0
        assert "Example:" in result.output, command


def run_process(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "engine", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["search", "a.jpg"], 1, "Error: no workspace found: there is no .engine folder in "),
        (["build", "nowhere"], 1, "Error: "),
        (["tag"], 2, "Missing argument 'IMAGE ...'"),
        (["paint"], 2, "No such command 'paint'"),
    ],
)
def test_faults_are_one_line_and_an_exit_code(tmp_path, arguments, code, message):
    result = run_process(*arguments, cwd=tmp_path)
    assert result.returncode == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    if code == 1:
        assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / ".engine").exists()


def test_a_reader_that_goes_away_is_no_fault(tmp_path):
    command = f"{sys.executable} -m engine --help | head -n 1"
    result = subprocess.run(
        command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.stderr == ""


def test_every_engine_error_is_caught_by_its_root():
    import indexing.errors as errors

    kinds = [value for value in vars(errors).values() if isinstance(value, type)]
    raised = [kind for kind in kinds if issubclass(kind, Exception)]
    assert len(raised) >= 9
    assert all(issubclass(kind, EngineError) for kind in raised)


def test_help_keeps_its_examples_on_lines_of_their_own(engine):
    for command in ("build", "info", "search", "tag"):
        lines = engine(command, "--help").output.splitlines()
        assert not any("\\b" in line for line in lines)
        assert any(line.startswith("    engine ") for line in lines), command


def test_an_unreadable_picture_among_others_is_an_answer(engine, library, new, tmp_path):
    engine("build", library, "--extractor", "toy")
    result = engine("tag", tmp_path, new)
    assert result.exit_code == 1
    assert "not tagged: a folder; pictures are accepted: " in result.output
    assert "Green" in result.output


def test_a_sheet_where_none_can_be_written_is_refused_before_any_work(engine, library, new):
    engine("build", library, "--extractor", "toy")
    result = engine("tag", new, "--sheet", "nowhere/sheet.html")
    assert result.output == ""
    assert str(result.exception).startswith("nowhere is no folder; a sheet is written")


def test_a_sheet_does_not_explain_what_was_not_asked_for(engine, library, new, tmp_path):
    engine("build", library, "--extractor", "toy")
    with_sheet = engine("tag", new, "--sheet", tmp_path / "s.html", "--json").stdout
    assert set(json.loads(with_sheet)["tags"][0]) == {"tag", "score", "probability"}


def test_a_library_without_tags_is_told_how_to_tag(engine, tmp_path):
    folder = tmp_path / "plain"
    folder.mkdir()
    write_picture(folder / "a.png", COLORS["red"], 1)
    (folder / "a.png.json").write_text("{")
    lines = engine("build", folder, "--extractor", "toy").output.splitlines()
    assert lines[0] == "1 indexed; 1 sidecar not read (engine info --refused lists them)"
    assert lines[3].startswith("no tag to vote with: 'engine search' works; to tag, write tags")


@pytest.mark.parametrize("name", ["a-file", "a-file/below"])
def test_a_workspace_that_is_a_file_is_not_called_damaged(engine, library, name, tmp_path):
    (tmp_path / "here" / "a-file").write_text("mine")
    for command in (["info"], ["build", library]):
        result = engine(*command, "-w", name)
        assert "is a file, or lies in one; the folder of a workspace is" in str(result.exception)
    assert (tmp_path / "here" / "a-file").read_text() == "mine"


def test_a_folder_of_other_things_does_not_become_a_workspace(engine, library):
    result = engine("build", library, "-w", library)
    assert "holds files and is no workspace" in str(result.exception)
    assert not (library / "store").exists()


def test_a_broken_command_of_another_package_breaks_no_other(monkeypatch):
    class Broken:
        def load(self):
            raise ImportError("no module named x")

    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: [Broken()])
    command = cli.get_command(None, "theirs")
    with pytest.raises(EngineError, match=r"'theirs' cannot be loaded \(no module named x\)"):
        command.callback(())


def test_one_path_instead_of_a_list_is_an_error(built, new):
    with pytest.raises(EngineError, match=r"one path was given, .* a list of paths is accepted"):
        built.tag(str(new))
    with pytest.raises(EngineError, match=r"gone\.png: no such file"):
        built.tag_one(new.parent / "gone.png")
