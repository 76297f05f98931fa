"""The folder that people really have: every usable picture is indexed, every other listed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine import Workspace
from indexing.errors import RefusalReason
from tests.odd_pictures import write_bad, write_good, write_odd

ROOT = Path(__file__).resolve().parents[2]
N_GOOD = 200

PROGRAM = """
from indexing.extractors import EXTRACTORS
from engine.cli import main
EXTRACTORS["toy"] = "tests.toy_extractor:open_toy"
main()
"""


def unprivileged():
    """Return a command prefix under which root, too, obeys file permissions."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("root reads every file, and setpriv is not here to change that")
    return [setpriv, "--bounding-set=-dac_override,-dac_read_search"]


def test_every_good_picture_is_indexed_and_every_bad_one_listed(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    write_good(folder, N_GOOD)
    odd = write_odd(folder)
    bad = write_bad(folder)
    assert len(odd) >= 10
    assert len(bad) >= 15
    arguments = ["build", str(folder), "-w", str(tmp_path / "w"), "--extractor", "toy", "--json"]
    result = subprocess.run(
        [*unprivileged(), sys.executable, "-c", PROGRAM, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    workspace = Workspace(tmp_path / "w")
    refused = {refusal.path: refusal.reason for refusal in workspace.refusals()}
    indexed = {entry.record.image_id for entry in workspace.entries()}
    assert {name for name in bad if name not in refused} == set()
    assert {name: refused[name] for name in bad} == bad
    assert indexed & set(bad) == set()
    sidecars = {path for path, reason in refused.items() if reason is RefusalReason.BAD_SIDECAR}
    assert set(refused) - set(bad) == sidecars
    assert len(sidecars) == 2
    assert report["indexed"] == len(indexed) >= N_GOOD + len(odd)
