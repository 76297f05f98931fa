"""The folder of compiled networks and word vectors, and how something gets into it whole."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from indexing.errors import ArtifactError
from indexing.records import printable_path

__all__ = ["cache_folder", "file_sha256", "staged"]


def cache_folder() -> Path:
    """Return where compiled networks and word vectors are kept: they can be deleted at any time.

    ``$ENGINE_CACHE``, else ``$XDG_CACHE_HOME/tag-engine``, else ``~/.cache/tag-engine``; a
    variable that is empty counts as unset.
    """
    if own := os.environ.get("ENGINE_CACHE"):
        return Path(own).absolute()
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared).absolute() / "tag-engine"
    return Path.home() / ".cache" / "tag-engine"


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hex; 25 MB take some 20 ms.

    Raises
    ------
    ArtifactError
        If the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ArtifactError(
            f"{printable_path(path)} cannot be read ({error.strerror}); "
            "a file of weights is wanted; check the path"
        ) from error


@contextmanager
def staged(destination: Path, *, replace: bool = False) -> Iterator[Path]:
    """Give an empty folder to fill, and move it to `destination` when it is complete.

    Readers see the whole folder or none. Of several processes that race, the first one's
    folder stays; the others' are thrown away.

    Parameters
    ----------
    destination : Path
        Where the folder shall be.
    replace : bool, default=False
        Whether a folder that is there already is known to be damaged and goes away.

    Raises
    ------
    OSError
        If nothing can be written beside `destination`.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=destination.parent) as scratch:
        fresh = Path(scratch) / "fresh"
        fresh.mkdir()
        yield fresh
        if replace and destination.exists():
            with suppress(OSError):  # another process was first
                destination.rename(Path(scratch) / "damaged")
        try:
            fresh.rename(destination)
        except OSError:
            if not destination.is_dir():
                raise
            shutil.rmtree(fresh)
