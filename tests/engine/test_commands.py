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
    assert lines[1] == "24 new, 0 gone, 0 moved; 24 went through the network"
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
    (library / "bad.jpg").write_bytes(b"text")
    engine("build", library, "--extractor", "toy")
    output = engine("info").output
    assert "24 indexed, 24 tagged, 24 vote, 1 refused" in output
    assert "Flat, cosine" in output
    assert engine("info", "--refused").output.startswith("bad.jpg  not a picture: ")


def test_explain_shows_voters(engine, library, new):
    engine("build", library, "--extractor", "toy")
    lines = engine("tag", new, "--explain").output.splitlines()
    assert any(line.startswith("      ") and ".png  (distance" in line for line in lines)


def test_one_bad_picture_is_answered_and_the_exit_code_is_1(engine, library, new):
    engine("build", library, "--extractor", "toy")
    result = engine("tag", library / "gone.png", new)
    assert result.exit_code == 1
    assert "not tagged: vanished" in result.output
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
    assert "vanished" in page
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
        (["tag", "a.jpg"], 1, "Error: no workspace found: there is no .engine folder in "),
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
