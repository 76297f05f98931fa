"""From a catalogue and stored features to a generation: tagged, index, chosen learners."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.neighborhood import leave_one_out_neighbors
from engine.tagged import TaggedPictures, is_voter
from indexing.catalogue import Catalogue, Entry, save_catalogue
from indexing.errors import ArtifactError
from indexing.index import Index, Metric, VectorTransform, build_index, load_index
from indexing.index.automatic import automatic_forms
from indexing.store import FeatureStore
from learners.selection import choose_n_neighbors

__all__ = ["Earlier", "StoredVectors", "assemble"]

_ADDED_AT_ONCE = 4_096
# Leave-one-out costs a search a picture: more would take longer than they tell.
_ASKED_FOR_SELECTION = 5_000
_NEIGHBORS_FOR_SELECTION = 50
# The choice is stable: it is made anew once this share of the votes has changed.
_CHANGES_BEFORE_SELECTION = 0.02


class StoredVectors:
    """The vectors of indexed pictures, from the feature store through the index's transform.

    Parameters
    ----------
    entries : sequence of Entry
    features : FeatureStore
    transform : VectorTransform
    """

    def __init__(
        self, entries: Sequence[Entry], features: FeatureStore, transform: VectorTransform
    ) -> None:
        self._contents = {entry.row: entry.content for entry in entries}
        self._features = features
        self._transform = transform

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return float32 (n_rows, n_dims)."""
        return self._transform(self._features.fetch([self._contents[row] for row in rows.tolist()]))


@dataclass(frozen=True)
class Earlier:
    """A generation of the same space and kind of index, to start from.

    Parameters
    ----------
    index : Path
        Folder of its index.
    entries : sequence of Entry
        Its pictures.
    learners : dict
        Its learners, from the manifest.
    """

    index: Path
    entries: Sequence[Entry]
    learners: dict[str, dict[str, Any]]


def assemble(
    folder: Path,
    catalogue: Catalogue,
    features: FeatureStore,
    blocks: Sequence[int],
    *,
    factory: str,
    device: str,
    earlier: Earlier | None,
) -> dict[str, Any]:
    """Write everything that can be computed from a catalogue into the folder of a generation.

    Parameters
    ----------
    folder : Path
        An empty folder.
    catalogue : Catalogue
    features : FeatureStore
        Holds a vector for every entry.
    blocks : sequence of int
        Widths of the feature's blocks.
    factory : str
        FAISS factory string, ``auto`` or ``exact``.
    device : {"auto", "cpu", "cuda"}
    earlier : Earlier or None
        What to start from.

    Returns
    -------
    dict
        ``learners`` and ``counts``, for the manifest.
    """
    tagged = TaggedPictures.of(catalogue.entries)
    transform = VectorTransform.of_blocks(blocks)
    vectors = StoredVectors(catalogue.entries, features, transform)
    rows = np.array(sorted(entry.row for entry in catalogue.entries), np.int64)
    index = None
    if earlier is not None:
        index = _updated_index(earlier.index, rows, vectors, factory, device)
    if index is None:
        index = build_index(factory, transform.n_out, Metric.COSINE, rows, vectors, device=device)
    save_catalogue(catalogue, folder)
    tagged.save(folder)
    for name, part in (("transform", transform), ("index", index)):
        (folder / name).mkdir()
        try:
            part.save(folder / name)
        except (OSError, RuntimeError) as error:  # FAISS has one error for everything
            raise ArtifactError(
                f"{folder} cannot be written ({error}); a disk with free space is needed; what was "
                "finished before is kept: free some and build again"
            ) from error
    return {
        "learners": _learners(index, tagged, vectors, catalogue.entries, earlier),
        "counts": {
            "indexed": len(catalogue.entries),
            "tagged": catalogue.n_tagged,
            "voters": tagged.tags.n_images,
            "tags": len(tagged.vocabulary),
            "refused": len(catalogue.refusals),
        },
    }


def _updated_index(
    folder: Path, rows: NDArray[np.int64], vectors: StoredVectors, factory: str, device: str
) -> Index | None:
    """Return the index of ``folder`` brought to ``rows``; None where building is better."""
    index = load_index(folder, device=device, source=vectors)
    gone = np.setdiff1d(index.rows, rows, assume_unique=True)
    new = np.setdiff1d(rows, index.rows, assume_unique=True)
    # A trained index fits the vectors it was trained on; after a large change it is trained anew.
    if len(gone) + len(new) > len(index.rows) // 2:
        return None
    forms_then = automatic_forms(len(index.rows), index.n_dims)
    if factory == "auto" and automatic_forms(len(rows), index.n_dims) != forms_then:
        return None
    if len(gone):
        index.remove(gone)
    for start in range(0, len(new), _ADDED_AT_ONCE):
        chunk = new[start : start + _ADDED_AT_ONCE]
        index.add(chunk, vectors(chunk))
    return index


def _learners(
    index: Index,
    tagged: TaggedPictures,
    vectors: StoredVectors,
    entries: Sequence[Entry],
    earlier: Earlier | None,
) -> dict[str, dict[str, Any]]:
    """Return the learners of a generation: as they were, or chosen anew after many changes."""
    if earlier is not None and earlier.learners:
        votes_then, votes_now = (
            {(entry.row, entry.record.tags) for entry in some if is_voter(entry)}
            for some in (earlier.entries, entries)
        )
        n_changed = earlier.learners["knn"]["n_changed"] + len(votes_then ^ votes_now)
        if n_changed <= _CHANGES_BEFORE_SELECTION * tagged.tags.n_images:
            return {
                name: {**learner, "n_changed": n_changed}
                for name, learner in earlier.learners.items()
            }
    return _chosen_learners(index, tagged, vectors)


def _chosen_learners(
    index: Index, tagged: TaggedPictures, vectors: StoredVectors
) -> dict[str, dict[str, Any]]:
    """Choose how many neighbours vote, by leave-one-out on the tagged pictures."""
    rows = tagged.tags.rows
    if len(rows) > _ASKED_FOR_SELECTION:
        rows = np.random.default_rng(0).choice(rows, _ASKED_FOR_SELECTION, replace=False)
        rows.sort()
    neighbors = leave_one_out_neighbors(index, tagged, rows, vectors, _NEIGHBORS_FOR_SELECTION)
    truth = tagged.tags.take(tagged.tags.positions(rows))
    choice = choose_n_neighbors(neighbors, tagged.tags, truth)
    chosen = {
        "params": {"n_neighbors": choice.n_neighbors},
        "chosen_by": "leave-one-out c-f1@5 of knn",
        "n_pictures": len(rows),
        "n_changed": 0,
        "curve": {
            str(n_neighbors): None if np.isnan(value) else value  # JSON has no NaN
            for n_neighbors, value in choice.curve.items()
        },
    }
    # With the same voters the two differ by the prior alone, which no number of voters mends.
    return {"knn": chosen, "tagvote": dict(chosen)}
