"""What word space says of tags that were held out of training, one at a time, in one fit."""

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.base import Batch
from learners.batch import features_of
from learners.least_squares import LeastSquares
from learners.radial import fit_radial_units
from learners.tag_matrix import TagMatrix
from learners.words.directions import direction_scores, unit_rows
from learners.words.fast0tag import Fast0Tag, principal_directions

__all__ = ["held_out_tag_scores"]


def held_out_tag_scores(
    learner: Fast0Tag,
    batch: Batch,
    tags: TagMatrix,
    columns: NDArray[np.integer],
    asked: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Score tags as learners would that were each fitted on pictures without that tag.

    The regression is factorised once, for it does not depend on the tags; so all tags together
    cost little more than one fit.

    Parameters
    ----------
    learner : Fast0Tag
        Its hyper-parameters are read.
    batch : Batch
        As it would be fitted on, with ``directions``: so every picture is learned from, whatever
        tags are taken off.
    tags : TagMatrix
        Of the same pictures.
    columns : ndarray of int, shape (n_held_out,)
        The tags.
    asked : ndarray of float32, shape (n_queries, n_dims)
        Features of other pictures.

    Returns
    -------
    ndarray of float32, shape (n_queries, n_held_out)

    Raises
    ------
    InputError
        If the batch lacks words, or directions of every picture.
    """
    features, words, directions = features_of(batch), batch.words, batch.directions
    if words is None or directions is None or not directions.any(axis=1).all():
        raise InputError(
            "a batch without words or without directions of every picture; both are needed to "
            "hold tags out together; fit one learner a tag"
        )
    unit = unit_rows(words)
    said = learner.class_weight * directions
    targets = [
        principal_directions(_without(tags, int(column)), unit, learner.ranking_ridge) + said
        for column in columns
    ]
    stacked = np.concatenate([np.zeros((len(features), 0)), *targets], axis=1)
    units = fit_radial_units(features, learner.n_units, scale=learner.width, seed=learner.seed)
    fitted = LeastSquares(units, features, learner.regularization).fit(stacked)
    found = (units(asked) @ fitted.weights + fitted.mean).reshape(
        len(asked), len(columns), unit.shape[1]
    )
    scores = [
        direction_scores(found[:, place], unit[[column]]) for place, column in enumerate(columns)
    ]
    return np.concatenate([np.zeros((len(asked), 0), np.float32), *scores], axis=1)


def _without(tags: TagMatrix, column: int) -> TagMatrix:
    """Take a tag off all pictures."""
    lists = [tags.tags_of(i)[tags.tags_of(i) != column] for i in range(tags.n_images)]
    return TagMatrix.from_lists(tags.rows, lists, tags.n_tags, tags.owners)
