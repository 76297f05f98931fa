"""The own index of a trained learner: the voting pictures in the learner's space."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.serving import metric_of
from engine.vectors import SpaceVectors, StoredVectors
from indexing.errors import ArtifactError, IndexingError
from indexing.index import Index, build_index, load_index
from indexing.index.automatic import automatic_forms
from learners.base import Space

__all__ = ["build_own_index", "described", "save_index", "updated_index"]

logger = logging.getLogger(__name__)

_ADDED_AT_ONCE = 4_096


def build_own_index(
    space: Space, rows: NDArray[np.int64], vectors: StoredVectors, factory: str, device: str
) -> Index:
    """Build the index of pictures in the space of a learner.

    Parameters
    ----------
    space : Space
    rows : ndarray of int64, shape (n_images,)
        Pictures that vote.
    vectors : StoredVectors
        Their vectors, not in the learner's space.
    factory : str
        That of the workspace; where it does not fit the width of the space, ``auto``.
    device : {"auto", "cpu", "cuda"}
    """
    source = SpaceVectors(space, vectors)
    n_dims = source(rows[:1]).shape[1]
    try:
        return build_index(factory, n_dims, metric_of(space), rows, source, device=device)
    except IndexingError as error:
        if factory == "auto":
            raise
        logger.warning("the index of the learned space is made by auto (%s)", error)
        return build_index("auto", n_dims, metric_of(space), rows, source, device=device)


def updated_index(
    folder: Path,
    rows: NDArray[np.int64],
    source: StoredVectors | SpaceVectors,
    device: str,
) -> Index | None:
    """Return the index of ``folder`` brought to ``rows``; None where building is better.

    Parameters
    ----------
    folder : Path
        An index that was saved.
    rows : ndarray of int64, shape (n_images,)
        What it shall hold, ascending.
    source : StoredVectors or SpaceVectors
        Vectors in its space, by row.
    device : {"auto", "cpu", "cuda"}
    """
    index = load_index(folder, device=device, source=source)
    gone = np.setdiff1d(index.rows, rows, assume_unique=True)
    new = np.setdiff1d(rows, index.rows, assume_unique=True)
    # A trained index fits the vectors it was trained on; after a large change it is trained anew.
    if len(gone) + len(new) > len(index.rows) // 2:
        return None
    if index.description.factory == "auto" and (
        automatic_forms(len(rows), index.n_dims) != automatic_forms(len(index.rows), index.n_dims)
    ):
        return None
    if len(gone):
        index.remove(gone)
    for start in range(0, len(new), _ADDED_AT_ONCE):
        chunk = new[start : start + _ADDED_AT_ONCE]
        index.add(chunk, source(chunk))
    return index


def save_index(index: Index, folder: Path) -> None:
    """Write an index into a new folder.

    Raises
    ------
    ArtifactError
        It cannot be written.
    """
    try:
        index.save(folder)
    except (OSError, RuntimeError) as error:  # FAISS has one error for everything
        raise ArtifactError(
            f"{folder} cannot be written ({error}); a disk with free space is needed; what was "
            "finished before is kept: free some and try again"
        ) from error


def described(index: Index | None) -> dict[str, Any] | None:
    """Return what a manifest says of a learner's own index, if there is one."""
    if index is None:
        return None
    description = index.description
    return {
        "form": description.form,
        "n_dims": description.n_dims,
        "bytes_per_image": description.bytes_per_image,
        "recall": description.recall,
        "recall_queries": description.recall_queries,
    }
