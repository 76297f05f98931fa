"""House rules: what no linter knows."""

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import benchmarks
import engine
import indexing
import learners
from benchmarks.suites import SUITES
from engine.cli import cli
from indexing.extractors import EXTRACTORS
from tests.engine.conftest import COLORS, write_picture

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (indexing, learners, engine, benchmarks)
MODULES = sorted(
    name
    for package in PACKAGES
    for _, name, _ in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not name.endswith("__main__")
)
PAGES = {
    path.relative_to(ROOT): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted(ROOT.glob("*/README.md")))
}
README = PAGES[Path("README.md")]


@pytest.mark.parametrize("name", MODULES)
def test_all_names_exist_and_no_public_definition_is_missing(name):
    module = importlib.import_module(name)
    exported = getattr(module, "__all__", None)
    if exported is None:
        assert Path(module.__file__).name == "__init__.py"
        return
    assert len(set(exported)) == len(exported)
    for attribute in exported:
        assert hasattr(module, attribute), f"{name}.{attribute}"
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    defined = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    }
    assert defined <= set(exported), f"{name} defines {defined - set(exported)} without exporting"


def test_no_module_is_long():
    for folder in ("engine", "indexing", "learners", "benchmarks", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            n_lines = len(path.read_text(encoding="utf-8").splitlines())
            assert n_lines <= 400, f"{path.relative_to(ROOT)} has {n_lines} lines"


def test_no_module_is_a_drawer_or_carries_a_dependency_name():
    forbidden = {"utils", "helpers", "common", "misc", "faiss", "torch", "openvino", "lmdb"}
    assert not {name.rpartition(".")[2] for name in MODULES} & forbidden


def test_every_command_is_in_the_readme():
    for command in cli.list_commands(None):
        assert f"engine {command}" in README, command


def test_every_make_target_of_the_readme_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make ([a-z-]+)`", "".join(PAGES.values())):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize(
    "modules",
    ["engine.cli", "engine.tagger", "engine.building", "engine.training", "engine.teaching"],
)
def test_imports_stay_light(modules):
    heavy = "torch", "timm", "open_clip", "sklearn", "scipy", "gensim", "pandas", "matplotlib"
    heavy += ("numba",)
    program = f"import sys, {modules}; print(*[m for m in {heavy!r} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == []


def python_blocks():
    return re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("number", range(len(python_blocks())))
def test_the_python_of_the_readme_runs(number, tmp_path, monkeypatch, capsys):
    pictures = tmp_path / "Pictures"
    pictures.mkdir()
    for i in range(4):
        write_picture(pictures / f"{i}.png", COLORS["red"], seed=i)
        (pictures / f"{i}.png.txt").write_text("Sunset")
    write_picture(tmp_path / "image.jpg", COLORS["red"], seed=9)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(EXTRACTORS, "efficientnet-lite2", "tests.toy_extractor:open_toy")
    exec(compile(python_blocks()[number], "README.md", "exec"), {})
    assert "Sunset 1.0" in capsys.readouterr().out


def test_links_of_the_pages_lead_somewhere():
    for page, text in PAGES.items():
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (ROOT / page.parent / target).is_file(), f"{page}: {target}"


def test_every_suite_is_on_the_page_of_benchmarks():
    for name in SUITES:
        assert f"`{name}`" in PAGES[Path("benchmarks/README.md")], name


def test_the_commands_of_the_readme_are_accepted():
    for block in re.findall(r"```console\n(.*?)```", "".join(PAGES.values()), re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ engine "):
                _, _, name, *arguments = line.split()
                command = cli.get_command(None, name)
                command.make_context(name, list(arguments), resilient_parsing=False)
