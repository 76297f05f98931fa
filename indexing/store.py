"""Features and file facts of a workspace, in one LMDB environment.

Two tables. ``features:<fingerprint>`` maps the content hash of a picture (sha256, 32 bytes) to
its raw float32 feature vector, so a moved, renamed or duplicated file costs nothing and a
second extractor does not disturb the first. ``files`` maps a path to what was last seen there
(:class:`FileFacts`), so a file that has not changed is not opened again.

Every write is one LMDB transaction: after a crash the store holds whole batches or nothing.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import lmdb
import numpy as np
from numpy.typing import NDArray

from indexing.errors import ArtifactError, RefusalReason

__all__ = ["FeatureStore", "FileFacts", "FileSignature", "WorkspaceStore"]

_INITIAL_MAP_BYTES = 1 << 28
# Pages of the memory map that were read count as memory of the process until it is closed.
_MAPPED_BYTES_BEFORE_REOPEN = 1 << 25


@dataclass(frozen=True, slots=True)
class FileSignature:
    """What the file system says of a file; a file whose signature is equal is not reopened.

    ``ctime_ns`` is part of it because tools that write keywords into a picture often restore
    its modification time.
    """

    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, path: Path) -> "FileSignature | None":
        """Return the signature of ``path``, links followed; None where it cannot be read."""
        try:
            status = os.stat(path)  # noqa: PTH116 - Path.stat costs twice as much, a file
        except OSError:
            return None
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a build learned from one file.

    Parameters
    ----------
    signature : FileSignature
        The file as it was then.
    content : bytes or None
        sha256 of its bytes; None where they could not be read.
    keywords : tuple of str or None
        Tags embedded in the file; None where it carries none.
    refusal : tuple of (RefusalReason, str) or None
        Why the file is not indexed.
    """

    signature: FileSignature
    content: bytes | None
    keywords: tuple[str, ...] | None = None
    refusal: tuple[RefusalReason, str] | None = None

    def to_bytes(self) -> bytes:
        """Return the compact JSON that the store keeps."""
        signature = self.signature
        fields = [
            [signature.size, signature.mtime_ns, signature.ctime_ns],
            self.content.hex() if self.content is not None else None,
            self.keywords,
            self.refusal,
        ]
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "FileFacts":
        """Read what :meth:`to_bytes` wrote."""
        signature, content, keywords, refusal = json.loads(data)
        return cls(
            FileSignature(*signature),
            bytes.fromhex(content) if content is not None else None,
            tuple(keywords) if keywords is not None else None,
            (RefusalReason(refusal[0]), refusal[1]) if refusal is not None else None,
        )


def _path_key(path: Path) -> bytes:
    # LMDB keys end at 511 bytes and paths do not.
    return hashlib.blake2b(os.fsencode(path), digest_size=16).digest()


class WorkspaceStore:
    """The LMDB environment of one workspace. One writer at a time: hold the workspace's lock.

    Parameters
    ----------
    folder : Path
        Where it lies; made where it is missing.

    Examples
    --------
    >>> import tempfile
    >>> with WorkspaceStore(Path(tempfile.mkdtemp())) as store:
    ...     features = store.features("abc", n_dims=2)
    ...     features.put([(b"1" * 32, np.array([1.0, 2.0], np.float32))], facts={})
    ...     features.fetch([b"1" * 32]).tolist()
    [[1.0, 2.0]]
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._map_bytes = _INITIAL_MAP_BYTES
        self._mapped_bytes_read = 0
        self._environment: Any = None
        self._tables: dict[bytes, Any] = {}
        self._open()

    def _open(self) -> None:
        try:
            self._environment = lmdb.open(
                str(self.folder), map_size=self._map_bytes, max_dbs=64, metasync=False
            )
        except lmdb.Error as error:
            raise ArtifactError(
                f"{self.folder} cannot be opened ({error}); a feature store of this project is "
                "accepted; delete that folder and build again"
            ) from error
        self._map_bytes = max(self._map_bytes, self._environment.info()["map_size"])

    def table(self, name: bytes) -> Any:
        """Return the handle of one table, made where it is missing."""
        if name not in self._tables:
            self._tables[name] = self._environment.open_db(name)
        return self._tables[name]

    def close(self) -> None:
        """Close the environment; the store cannot be used afterwards."""
        self._tables.clear()
        self._environment.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def release_memory(self, n_bytes_read: int) -> None:
        """Count bytes read through the memory map, and let go of it once they are many.

        The pages of a map stay resident until it is closed; without this a pass over all
        features would cost memory in proportion to the corpus.
        """
        self._mapped_bytes_read += n_bytes_read
        if self._mapped_bytes_read >= _MAPPED_BYTES_BEFORE_REOPEN:
            self._mapped_bytes_read = 0
            self.close()
            self._open()

    def write(
        self, puts: Iterable[tuple[bytes, bytes, bytes]], deletes: Iterable[tuple[bytes, bytes]]
    ) -> None:
        """Apply changes in one transaction.

        Parameters
        ----------
        puts : iterable of (table, key, value)
        deletes : iterable of (table, key)
        """
        puts, deletes = list(puts), list(deletes)
        tables = {name for name, *_ in puts} | {name for name, *_ in deletes}
        handles = {name: self.table(name) for name in tables}
        while True:
            try:
                with self._environment.begin(write=True) as transaction:
                    for name, key, value in puts:
                        transaction.put(key, value, db=handles[name])
                    for name, key in deletes:
                        transaction.delete(key, db=handles[name])
                return
            except lmdb.MapFullError:
                self._map_bytes *= 2
                self._environment.set_mapsize(self._map_bytes)
            except lmdb.Error as error:
                raise ArtifactError(
                    f"{self.folder} cannot be written ({error}); a disk with free space that may "
                    "be written is needed; what was stored before is kept: free some and go on"
                ) from error

    def read(self, name: bytes, keys: Iterable[bytes]) -> list[bytes | None]:
        """Return the values of ``keys`` in one table, None where there is none."""
        handle = self.table(name)
        with self._environment.begin(db=handle) as transaction:
            return [transaction.get(key) for key in keys]

    def keys(self, name: bytes) -> set[bytes]:
        """Return all keys of one table."""
        handle = self.table(name)
        with self._environment.begin(db=handle) as transaction:
            return set(transaction.cursor().iternext(keys=True, values=False))

    def known_files(self, paths: Sequence[Path]) -> list[FileFacts | None]:
        """Return what was last seen at each path, None where nothing was."""
        values = self.read(b"files", map(_path_key, paths))
        return [FileFacts.from_bytes(value) if value else None for value in values]

    def forget_files(self, keep: Iterable[Path]) -> None:
        """Drop the facts of every path that is not in ``keep``."""
        gone = self.keys(b"files") - set(map(_path_key, keep))
        if gone:
            self.write([], [(b"files", key) for key in gone])

    def features(self, fingerprint: str, n_dims: int) -> "FeatureStore":
        """Return the features of one extractor.

        Parameters
        ----------
        fingerprint : str
            Digest of the extractor's fingerprint.
        n_dims : int
            Length of its vectors.
        """
        return FeatureStore(self, f"features:{fingerprint}".encode(), n_dims)


class FeatureStore:
    """Feature vectors of one extractor by content hash; see :meth:`WorkspaceStore.features`."""

    def __init__(self, store: WorkspaceStore, table: bytes, n_dims: int) -> None:
        self._store = store
        self._table = table
        self.n_dims = n_dims

    def contents(self) -> set[bytes]:
        """Return the content hashes that have a vector."""
        return self._store.keys(self._table)

    def put(
        self,
        vectors: Iterable[tuple[bytes, NDArray[np.float32]]],
        facts: Mapping[Path, FileFacts],
    ) -> None:
        """Store vectors, and the facts of the files they came from, in one transaction.

        Parameters
        ----------
        vectors : iterable of (content hash, float32 (n_dims,))
        facts : mapping of path to FileFacts
        """
        puts = [(self._table, content, vector.tobytes()) for content, vector in vectors]
        puts += [(b"files", _path_key(path), fact.to_bytes()) for path, fact in facts.items()]
        self._store.write(puts, [])

    def find(self, content: bytes) -> NDArray[np.float32] | None:
        """Return the vector of one content hash, float32 (n_dims,); None where there is none."""
        (value,) = self._store.read(self._table, [content])
        if value is None or len(value) != 4 * self.n_dims:
            return None
        return np.frombuffer(value, np.float32)

    def fetch(self, contents: Sequence[bytes]) -> NDArray[np.float32]:
        """Return the vectors of ``contents``, float32 (n, n_dims), in that order.

        Raises
        ------
        ArtifactError
            A content hash has no vector, or one of another length.
        """
        out = np.empty((len(contents), self.n_dims), np.float32)
        n_bytes = 4 * self.n_dims
        for row, value in enumerate(self._store.read(self._table, contents)):
            if value is None or len(value) != n_bytes:
                raise ArtifactError(
                    f"{self._store.folder} has no {self.n_dims}-d feature for "
                    f"{contents[row].hex()[:12]}; every indexed picture needs one; build again"
                )
            out[row] = np.frombuffer(value, np.float32)
        self._store.release_memory(out.nbytes)
        return out

    def prune(self, keep: set[bytes]) -> int:
        """Drop every vector whose content hash is not in ``keep``; return how many went."""
        gone = self.contents() - keep
        if gone:
            self._store.write([], [(self._table, content) for content in gone])
        return len(gone)
