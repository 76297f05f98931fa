"""From a catalogue and stored features to a generation: tagged, index, chosen learners."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.carrying import Earlier, carry_over, changed_votes
from engine.neighborhood import leave_one_out_neighbors
from engine.own_index import save_index, updated_index
from engine.tagged import TaggedPictures
from engine.trained import is_trained
from engine.vectors import StoredVectors
from indexing.catalogue import Catalogue, save_catalogue
from indexing.index import Index, Metric, VectorTransform, build_index
from indexing.store import FeatureStore
from learners.selection import choose_n_neighbors

__all__ = ["Assembled", "assemble"]

# Leave-one-out costs a search a picture: more would take longer than they tell.
_ASKED_FOR_SELECTION = 5_000
_NEIGHBORS_FOR_SELECTION = 50
# The choice is stable: it is made anew once this share of the votes has changed.
_CHANGES_BEFORE_SELECTION = 0.02


@dataclass(frozen=True)
class Assembled:
    """What was made of a catalogue, beside the files.

    Parameters
    ----------
    learners, counts : dict
        For the manifest.
    dropped : dict of str to str
        Trained learners of the generation before that could not be carried over, and why.
    """

    learners: dict[str, dict[str, Any]]
    counts: dict[str, int]
    dropped: dict[str, str]


def assemble(
    folder: Path,
    catalogue: Catalogue,
    features: FeatureStore,
    blocks: Sequence[int],
    *,
    factory: str,
    device: str,
    earlier: Earlier | None,
) -> Assembled:
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
    Assembled
    """
    tagged = TaggedPictures.of(catalogue.entries)
    transform = VectorTransform.of_blocks(blocks)
    contents = {entry.row: entry.content for entry in catalogue.entries}
    vectors = StoredVectors(contents, features, transform)
    rows = np.array(sorted(entry.row for entry in catalogue.entries), np.int64)
    index = None
    if earlier is not None and earlier.factory == factory:
        index = updated_index(earlier.folder / "index", rows, vectors, device)
    if index is None:
        index = build_index(factory, transform.n_out, Metric.COSINE, rows, vectors, device=device)
    save_catalogue(catalogue, folder)
    tagged.save(folder)
    transform.save(folder / "transform")
    save_index(index, folder / "index")
    n_changed = 0 if earlier is None else changed_votes(earlier, catalogue.entries)
    learners = None
    if earlier is not None and earlier.factory == factory:
        learners = _kept_choices(earlier, tagged, n_changed)
    if learners is None:
        learners = _chosen_learners(index, tagged, vectors)
    dropped: dict[str, str] = {}
    if earlier is not None:
        carried, dropped = carry_over(
            folder, earlier, tagged, vectors, n_changed=n_changed, factory=factory, device=device
        )
        learners |= carried
    counts = {
        "indexed": len(catalogue.entries),
        "tagged": catalogue.n_tagged,
        "voters": tagged.tags.n_images,
        "tags": len(tagged.vocabulary),
        "refused": len(catalogue.refusals),
    }
    return Assembled(learners, counts, dropped)


def _kept_choices(
    earlier: Earlier, tagged: TaggedPictures, n_changed: int
) -> dict[str, dict[str, Any]] | None:
    """Return the learners that need no training as they were; None after many changes."""
    n_changed += earlier.learners["knn"]["n_changed"]
    if n_changed > _CHANGES_BEFORE_SELECTION * tagged.tags.n_images:
        return None
    return {
        name: {**entry, "n_changed": n_changed}
        for name, entry in earlier.learners.items()
        if not is_trained(entry)
    }


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
