"""Files that people asked for, written whole or not at all."""

from pathlib import Path

from indexing.errors import InputError

__all__ = ["check_writable", "write_whole"]


def check_writable(path: Path, option: str = "--sheet") -> None:
    """Refuse a file in a folder that does not exist, before any work.

    Parameters
    ----------
    path : Path
    option : str
        How people named it.

    Raises
    ------
    InputError
        There is no such folder.
    """
    if not path.absolute().parent.is_dir():
        raise InputError(
            f"{path.parent} is no folder; a sheet is written into one that exists; make it, or "
            f"name another with {option}"
        )


def write_whole(path: Path, text: str) -> None:
    """Write a file; it appears whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
