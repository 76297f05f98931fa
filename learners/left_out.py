"""What a closed form says of each training picture, had it been fitted without it: no refits."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from learners.least_squares import LeastSquares
from learners.radial import RadialUnits, bent_log_odds
from learners.tag_matrix import TagMatrix

__all__ = ["LeftOut", "estimates_without", "left_out_scores"]

# Pairs of pictures, times tags: some ten seconds of work. With more pictures a fit on four fifths
# of them says nearly what one on all but one says.
_MOST_WORK = 1 << 30


class LeftOut(NamedTuple):
    """What is said of each training picture by the others that are no copies of it.

    Parameters
    ----------
    estimates : ndarray of float64, shape (n_images, n_tags)
        Of whether the tags are there.
    counts : ndarray of int64, shape (n_images, n_tags)
        How many of the others carry the tag.
    n_others : ndarray of int64, shape (n_images,)
        How many others there are.
    """

    estimates: NDArray[np.float64]
    counts: NDArray[np.int64]
    n_others: NDArray[np.int64]


def left_out_scores(
    units: RadialUnits,
    tags: TagMatrix,
    groups: NDArray[np.int64] | None,
    regularization: float,
    completion: float,
    prior_correction: float,
) -> NDArray[np.float32] | None:
    """Return what heads score each picture that they were fitted on, without it and its copies.

    Parameters
    ----------
    units : RadialUnits
        As :class:`learners.heads.Heads` has them.
    tags : TagMatrix
        The pictures that it was fitted on.
    groups : ndarray of int64, shape (n_images,), or None
        Pictures of equal bytes share a number; -1, or None = nothing is known of the bytes.
    regularization, completion, prior_correction : float
        Its hyper-parameters.

    Returns
    -------
    ndarray of float32, shape (n_images, n_tags), or None
        None where not every picture is a centre, or there are so many that it takes long.
    """
    n_images = tags.n_images
    if units.n_units != n_images or n_images**2 * tags.n_tags > _MOST_WORK:
        return None
    system = LeastSquares(units, units.centers, regularization)
    estimates, counts, n_others = estimates_without(system, tags.toarray(), groups, completion)
    scores = bent_log_odds(estimates)
    scores -= prior_correction * np.log((counts + 0.5) / (n_others[:, None] + 1))
    return np.where(counts > 0, scores, -np.log(2 * n_others[:, None] + 1)).astype(np.float32)


def estimates_without(
    system: LeastSquares,
    present: NDArray[np.bool_],
    groups: NDArray[np.int64] | None,
    completion: float = 0.0,
) -> LeftOut:
    r"""Return what :meth:`LeastSquares.fit_tags` estimates without a picture and its copies.

    With :math:`P` the inverse of the system over all pictures, that over the pictures :math:`R`
    without the copies :math:`G` is

    .. math:: P' = P_{RR} - P_{RG} P_{GG}^{-1} P_{GR} ,

    from which come the estimates of each of :math:`R` by the others and so the completed targets
    :math:`Y'`, of mean :math:`\mu`; those of the pictures left out are

    .. math:: f(x_G) = \mu - P_{GG}^{-1} P_{GR} (Y' - \mu) .

    Parameters
    ----------
    system : LeastSquares
        Whose centres are the training pictures, in order.
    present : ndarray of bool, shape (n_images, n_tags)
    groups : ndarray of int64, shape (n_images,), or None
        Pictures of equal bytes share a number; -1, or None = nothing is known of the bytes.
    completion : float, default=0
        As :meth:`LeastSquares.fit_tags` takes it.

    Raises
    ------
    InputError
        If the centres are not the training pictures.

    Notes
    -----
    As fits on the others say it, but that the units keep the width that they have by all
    pictures. The completion is taken back too: a picture speaks for its tags at its neighbours,
    whose targets would speak for them in turn where the picture is asked. That makes it
    pictures squared times tags of work, in float32.
    """
    inverse = system.inverse()  # (n_images, n_images)
    n_images, n_tags = present.shape
    targets = present.astype(np.float64)
    solved, of_ones = inverse @ targets, inverse.sum(axis=1)
    diagonal = np.diagonal(inverse)
    absent, solved32 = (~present).astype(np.float32), solved.astype(np.float32)
    said = np.empty((n_images, n_tags), np.float32)
    estimates = np.empty((n_images, n_tags))
    counts = np.empty((n_images, n_tags), np.int64)
    n_others = np.empty(n_images, np.int64)
    total = present.sum(axis=0)
    for out in _copies(n_images, groups):
        n_left = n_images - len(out)
        left = total - present[out].sum(axis=0)
        counts[out], n_others[out] = left, n_left
        if not n_left:
            estimates[out] = 0.0
            continue
        mean = left / n_left
        across, own = inverse[out], np.linalg.inv(inverse[np.ix_(out, out)])
        others = across.copy()
        others[:, out] = 0.0
        # Of the targets as they are, and of ones, over the pictures that are left.
        of_targets = solved[out] - across[:, out] @ targets[out]  # (n_out, n_tags)
        of_left = others.sum(axis=1)
        if completion:
            moved = own @ across  # (n_out, n_images)
            leverage = diagonal - np.einsum("gi,gi->i", across, moved)
            leverage[out] = 1.0
            scale = -1 / leverage
            scale[out] = 0.0
            # Estimates of absent tags by the other pictures that are left, from both solutions.
            np.multiply(solved32, scale.astype(np.float32)[:, None], out=said)
            added = np.vstack([-moved, -of_ones + of_ones[out] @ moved]) * scale
            what = np.vstack([solved[out], mean])
            said += added.T.astype(np.float32) @ what.astype(np.float32)
            np.clip(said, 0, 1, out=said)
            said *= absent
            gained = np.vstack([others, np.ones(n_images)]).astype(np.float32) @ said
            of_targets += completion * gained[:-1]
            mean = mean + completion * gained[-1].astype(np.float64) / n_left
        estimates[out] = mean - own @ (of_targets - of_left[:, None] * mean)
    return LeftOut(estimates, counts, n_others)


def _copies(n_images: int, groups: NDArray[np.int64] | None) -> list[NDArray[np.int64]]:
    """Return the places of each group of copies; a picture without any is one of its own."""
    known = np.full(n_images, -1) if groups is None else groups
    alone = known.max(initial=-1) + 1 + np.arange(n_images)
    _, number = np.unique(np.where(known < 0, alone, known), return_inverse=True)
    order = np.argsort(number, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(number[order])) + 1) if n_images else []
