"""How good a learner is on tagged pictures that it has not seen."""

import hashlib
import math
from functools import partial

import numpy as np
from numpy.typing import NDArray

from engine.pixels import StoredPixels
from engine.serving import Questions, Served
from engine.tagged import TaggedPictures
from engine.vectors import StoredVectors
from learners.metrics import Judged, parse_measure
from learners.ties import folded

__all__ = ["MEASURES", "hold_out", "measure"]

MEASURES = ("map", "miap", "c-f1@5")
"""What is measured, as :func:`learners.metrics.parse_measure` reads it."""

_SHARE = 0.1
# A tenth of a small library tells nothing: so many are held out, of which a share is enough.
_ENOUGH_PICTURES = 200
_LARGEST_SHARE = 0.3
# More pictures, or more pictures times tags, would tell little more and cost memory.
_MOST_PICTURES = 5_000
_MOST_CELLS = 1 << 23
_FEWEST_PICTURES = 100
_ASKED_AT_ONCE = 1_024


def hold_out(tagged: TaggedPictures, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose pictures to measure on; pictures of the same bytes stay together.

    Parameters
    ----------
    tagged : TaggedPictures
    seed : int, default=0

    Returns
    -------
    kept, held : ndarray of int64
        Ascending positions that partition the pictures. A tenth is held out, or up to 30 % where
        that is below 200 pictures; at least one, at most 5,000, and of those above 100 no more
        than make 8 million pairs of picture and tag.

    Notes
    -----
    The draw goes by what pictures hold: where some come or go, the others stay held out or not,
    but for a few, so that what is measured tomorrow can be compared with today.
    """
    n_images = tagged.tags.n_images
    most = min(_MOST_PICTURES, max(_FEWEST_PICTURES, _MOST_CELLS // max(1, tagged.tags.n_tags)))
    share = max(_SHARE * n_images, min(_ENOUGH_PICTURES, _LARGEST_SHARE * n_images))
    wanted = max(1, min(round(share), most))
    sizes = np.bincount(tagged.groups)
    is_held = np.zeros(len(sizes), bool)
    n_held = 0
    for group in _drawn(tagged, seed):
        if n_held + sizes[group] <= wanted:
            is_held[group] = True
            n_held += int(sizes[group])
    if not n_held and len(sizes):
        is_held[np.argmin(sizes)] = True
    held = is_held[tagged.groups]
    return np.flatnonzero(~held), np.flatnonzero(held)


def _drawn(tagged: TaggedPictures, seed: int) -> list[int]:
    """Return the groups of copies in an order that hangs on nothing but their own bytes."""
    groups, firsts = np.unique(tagged.groups, return_index=True)
    salt = seed.to_bytes(8, "big")
    places = {
        hashlib.sha256(salt + tagged.contents[first].tobytes()).digest(): group
        for group, first in zip(groups.tolist(), firsts.tolist(), strict=True)
    }
    return [places[digest] for digest in sorted(places)]


def measure(
    served: Served,
    kept: TaggedPictures,
    held: TaggedPictures,
    vectors: StoredVectors,
    blocks: tuple[int, ...],
    pixels: StoredPixels | None = None,
) -> dict[str, float | None]:
    """Measure a learner on pictures that it has not seen.

    Parameters
    ----------
    served : Served
        Its learner was fitted on `kept`.
    kept, held : TaggedPictures
        Of one vocabulary; no picture of `held` has a copy in `kept`.
    vectors : StoredVectors
    blocks : tuple of int
        Widths of the layers that the vectors are made of.
    pixels : StoredPixels, optional
        For learners that look at pictures.

    Returns
    -------
    dict of str to float or None
        Value of each of :data:`MEASURES`, in [0, 1]; None where no held-out picture has a tag.
        Ties are broken as in an answer.
    """
    learner = served.learner
    rows = held.tags.rows
    scores = []
    tie_breaks: list[tuple[NDArray[np.generic], ...]] = []
    for start in range(0, len(rows), _ASKED_AT_ONCE):
        asked = rows[start : start + _ASKED_AT_ONCE]
        squares = None if pixels is None else partial(pixels, asked)
        nobody = np.full(len(asked), -1, np.int64)
        batch = Questions(kept, vectors(asked), nobody, blocks, squares=squares).batch(served)
        part = learner.predict_scores(batch)
        scores.append(part)
        tie_breaks.append(
            tuple(np.broadcast_to(key, part.shape) for key in learner.tie_breaks(batch))
        )
    keys = [np.concatenate(parts) for parts in zip(*tie_breaks, strict=True)]
    judged = Judged(scores=folded(np.concatenate(scores), keys), truth=held.tags.toarray())
    values = {name: parse_measure(name).apply(judged).value for name in MEASURES}
    return {name: None if math.isnan(value) else float(value) for name, value in values.items()}
