"""What protocols draw, seeded: folds, tags that are given, few examples."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.protocols import Completion
from indexing.errors import InputError
from learners.tag_matrix import TagMatrix

__all__ = ["albums_of", "few_examples", "fold_numbers", "given_tags", "unseen_tags"]


def fold_numbers(n_images: int, n_folds: int, seed: int) -> NDArray[np.int64]:
    """Return which fold each picture is in, int64 (n_images,); folds differ by one at most.

    Raises
    ------
    InputError
        If there are fewer pictures than folds.

    Examples
    --------
    >>> np.bincount(fold_numbers(7, 3, seed=0))
    array([3, 2, 2])
    """
    if n_images < n_folds:
        raise InputError(
            f"{n_folds} folds of {n_images} pictures; a picture a fold at least is accepted; "
            "ask for fewer folds"
        )
    order = np.random.default_rng(seed).permutation(n_images)
    numbers = np.empty(n_images, dtype=np.int64)
    numbers[order] = np.arange(n_images) % n_folds
    return numbers


def albums_of(image_ids: Sequence[str], size: int, seed: int) -> NDArray[np.int64]:
    """Put pictures of one series into albums, drawn.

    Parameters
    ----------
    image_ids : sequence of str
        As Corel numbers its pictures: ``161092.jpeg`` is picture 92 of series 161.
    size : int
        Pictures of an album; one album of a series may have fewer.
    seed : int

    Returns
    -------
    ndarray of int64, shape (n_images,)
        Number of the album of each picture.

    Raises
    ------
    InputError
        If a name holds no number.

    Examples
    --------
    >>> albums_of(["161092.jpeg", "1000.jpeg", "161001.jpeg", "1003.jpeg"], size=2, seed=0)
    array([1, 0, 1, 0])
    """
    numbers = [re.search(r"(\d+)\D*$", str(image_id)) for image_id in image_ids]
    for image_id, number in zip(image_ids, numbers, strict=True):
        if number is None:
            raise InputError(
                f"the picture {str(image_id)!r} is of no series; albums are made of pictures that "
                "are numbered as Corel's are; choose a suite without albums"
            )
    series = np.array([int(number[1]) // 1000 for number in numbers if number], np.int64)
    order = np.random.default_rng(seed).permutation(len(series))
    albums = np.empty(len(series), np.int64)
    n_albums = 0
    for one in np.unique(series):
        members = order[series[order] == one]
        albums[members] = n_albums + np.arange(len(members)) // size
        n_albums = int(albums[members[-1]]) + 1
    return albums


def given_tags(truth: NDArray[np.bool_], completion: Completion, seed: int) -> NDArray[np.bool_]:
    """Draw what a picture's question tells: some of its true tags, and some wrong ones.

    Parameters
    ----------
    truth : ndarray of bool, shape (n_images, n_tags)
    completion : Completion
    seed : int

    Returns
    -------
    ndarray of bool, shape (n_images, n_tags)
        Input of the question; neither candidate nor truth.
    """
    rng = np.random.default_rng(seed)
    given: NDArray[np.bool_] = truth & (rng.random(truth.shape) < completion.share)
    n_wrong = rng.integers(0, completion.max_wrong + 1, size=len(truth))
    # The n_wrong smallest of random numbers, which true tags do not have.
    draws = np.where(truth, np.inf, rng.random(truth.shape))
    rank = np.argsort(np.argsort(draws, axis=1), axis=1)
    return given | ((rank < n_wrong[:, None]) & ~truth)


def unseen_tags(n_tags: int, n_unseen: int | None, seed: int) -> NDArray[np.bool_]:
    """Draw the tags that no training picture shall carry, bool (n_tags,); None = all.

    Raises
    ------
    InputError
        If there are not more tags than that.

    Examples
    --------
    >>> int(unseen_tags(260, 52, seed=0).sum())
    52
    """
    if n_unseen is None:
        return np.ones(n_tags, dtype=np.bool_)
    if n_unseen >= n_tags:
        raise InputError(
            f"{n_unseen} unseen tags of {n_tags}; fewer than there are is accepted; lower it"
        )
    unseen = np.zeros(n_tags, dtype=np.bool_)
    unseen[np.random.default_rng(seed).permutation(n_tags)[:n_unseen]] = True
    return unseen


def few_examples(tags: TagMatrix, n_examples: int, seed: int) -> NDArray[np.int64]:
    """Choose training pictures so that every tag has so many, or all that there are.

    Parameters
    ----------
    tags : TagMatrix
        The training split.
    n_examples : int
        Pictures a tag.
    seed : int

    Returns
    -------
    ndarray of int64, shape (n_chosen,)
        Positions in the matrix, ascending.

    Notes
    -----
    Pictures carry several tags, so frequent tags get more than `n_examples`. To keep that
    small, tags are served from the rarest on, one picture a tag a round, and a tag that has
    enough already takes none. The rounds before are the choice of fewer examples: a larger
    number of examples chooses all pictures of a smaller one, and more.
    """
    rng = np.random.default_rng(seed)
    image_of = np.repeat(np.arange(tags.n_images), np.diff(tags.indptr))
    carriers = [rng.permutation(image_of[tags.indices == t]) for t in range(tags.n_tags)]
    rarest_first = np.argsort(tags.counts, kind="stable")
    chosen = np.zeros(tags.n_images, dtype=bool)
    counts = np.zeros(tags.n_tags, dtype=np.int64)
    for n_wanted in range(1, n_examples + 1):
        for tag in rarest_first:
            if counts[tag] < min(n_wanted, carriers[tag].size):
                picture = carriers[tag][~chosen[carriers[tag]]][0]
                chosen[picture] = True
                counts[tags.tags_of(picture)] += 1
    return np.flatnonzero(chosen)
