"""The bytes of a picture file, from a file system that may hold anything."""

import errno
import os
import stat
from pathlib import Path

from indexing.errors import PictureError, RefusalReason
from indexing.pixels.limits import DecodeLimits
from indexing.records import printable_path

__all__ = ["read_picture"]

_DEFAULT_LIMITS = DecodeLimits()

# Opening a FIFO blocks until somebody writes to it unless O_NONBLOCK is given; the others keep
# the file from our children and a terminal from becoming ours. Absent on Windows.
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)

_REASONS = {
    errno.ENOENT: RefusalReason.VANISHED,
    errno.ENOTDIR: RefusalReason.VANISHED,
    errno.ESTALE: RefusalReason.VANISHED,
    errno.EACCES: RefusalReason.NO_PERMISSION,
    errno.EPERM: RefusalReason.NO_PERMISSION,
    errno.ELOOP: RefusalReason.NOT_A_FILE,
    errno.EISDIR: RefusalReason.NOT_A_FILE,
    errno.ENXIO: RefusalReason.NOT_A_FILE,
    errno.ENODEV: RefusalReason.NOT_A_FILE,
}

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


def read_picture(path: str | os.PathLike[str], limits: DecodeLimits = _DEFAULT_LIMITS) -> bytes:
    """Return the bytes of a file; never block, never read more than the limit.

    Parameters
    ----------
    path : str or path-like
        The file; links are followed.
    limits : DecodeLimits
        `max_file_bytes` is the one that counts here.

    Raises
    ------
    PictureError
        EMPTY, TOO_LARGE, NOT_A_FILE (a directory, a FIFO, a loop of links, ...), VANISHED (also
        a link to nothing), NO_PERMISSION, or UNREADABLE (any other error of the system).
    """
    try:
        data = _read(path, limits)
    except PictureError:  # before ValueError, which it is too
        raise
    except OSError as error:
        # An error of the system tells its number; the path is the caller's to name.
        reason = _REASONS.get(error.errno or 0, RefusalReason.UNREADABLE)
        detail = error.strerror or str(error)
        if reason is RefusalReason.VANISHED and Path(path).is_symlink():
            detail = f"a link to {printable_path(Path(path).readlink())}, which is not there"
        raise PictureError(reason, detail) from error
    except ValueError as error:  # a null character in the path
        raise PictureError(RefusalReason.UNREADABLE, str(error)) from error
    if not data:
        raise PictureError(RefusalReason.EMPTY, "0 bytes")
    return data


def _read(path: str | os.PathLike[str], limits: DecodeLimits) -> bytes:
    descriptor = os.open(path, _FLAGS)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            kind = _KINDS.get(stat.S_IFMT(found.st_mode), "a special file")
            raise PictureError(RefusalReason.NOT_A_FILE, kind)
        limits.check_file(found.st_size)
        with open(descriptor, "rb", buffering=0, closefd=False) as file:
            # One byte more than fits is asked for, so that a file that grows meanwhile shows.
            data = file.read(found.st_size + 1)
            while len(data) != found.st_size and (
                more := file.read(max(2**20, found.st_size - len(data)))
            ):
                data += more
                limits.check_file(len(data))
            return data
    finally:
        os.close(descriptor)
