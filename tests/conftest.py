"""Fixtures that every test folder shares."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the benchmark data sets; the test is skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the data sets of ../shared/data are not here")
    return SHARED_DATA
