"""Tags that the pictures that are asked about have been given already."""

import logging
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.wording import TagNames
from indexing.names import did_you_mean
from indexing.tags import tag_key
from learners.base import TagMatrix

__all__ = ["given_columns", "half_of", "told"]

logger = logging.getLogger(__name__)


def given_columns(tags: Iterable[str], vocabulary: Sequence[str]) -> NDArray[np.bool_]:
    """Return which tags of a vocabulary are given, bool (n_tags,), however they are spelled.

    Those that are not in it are told of in the log: nothing is known that goes with them.

    Parameters
    ----------
    tags : iterable of str
    vocabulary : sequence of str
    """
    columns = {tag_key(tag): column for column, tag in enumerate(vocabulary)}
    given = np.zeros(len(vocabulary), bool)
    for tag in tags:
        column = columns.get(tag_key(tag))
        if column is None:
            near = TagNames(vocabulary).near(tag)
            logger.warning(
                "no picture here is tagged %s: it says nothing of other tags%s",
                tag,
                "" if near is None else f"; {did_you_mean([near])}",
            )
        else:
            given[column] = True
    return given


def told(given: NDArray[np.bool_]) -> TagMatrix:
    """Return given tags, bool (n_images, n_tags), as the input of a learner."""
    lists = [np.flatnonzero(row) for row in given]
    return TagMatrix.from_lists(np.arange(len(given)), lists, given.shape[1])


def half_of(tags: TagMatrix, seed: int = 0) -> TagMatrix:
    """Draw tags of tagged pictures as somebody might have given them: each one or not.

    So a learner that reads tags and learns them is not told all that it is to learn.

    Parameters
    ----------
    tags : TagMatrix
    seed : int, default=0
    """
    rng = np.random.default_rng(seed)
    drawn = [own[rng.random(len(own)) < 0.5] for own in map(tags.tags_of, range(tags.n_images))]
    return TagMatrix.from_lists(tags.rows, drawn, tags.n_tags, tags.owners)
