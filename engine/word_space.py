"""Where every indexed picture lies among words."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.picture_scores import IndexedPictures
from engine.unseen_words import UnseenWords
from indexing.errors import InputError

__all__ = ["indexed_directions"]


def indexed_directions(
    pictures: IndexedPictures, unseen: UnseenWords, tags: Sequence[str], learner: str | None
) -> NDArray[np.float32]:
    """Return where pictures lie, float32 (n_pictures, n_dims); found once, and kept.

    Parameters
    ----------
    pictures : IndexedPictures
    unseen : UnseenWords
    tags : sequence of str
        The vocabulary of the workspace; it may be empty.
    learner : str or None
        Who says which tags a picture would get; None = the best there is.

    Raises
    ------
    InputError
        Nothing is known by which they could be placed.
    """

    def found() -> NDArray[np.float32]:
        classes, shares = pictures.class_probabilities(), None
        if tags:
            scored = pictures.tag_scores(learner)
            shares = scored.scores if scored.probabilities is None else scored.probabilities
            # Scores of another scale than a share say nothing of how much is there.
            if shares.size and (shares.min() < 0 or shares.max() > 1):
                shares = None
        if classes is None and shares is None:
            raise InputError(
                "words that nobody has tagged with were asked for, and this workspace can score "
                "tags alone (its network tells no classes of ImageNet, and its learner knows no "
                "probabilities); tags are accepted; name one, or another learner with --learner knn"
            )
        return unseen.directions(classes, tags, None if shares is None else shares.T)

    return pictures.directions(f"{learner} {unseen.words.source}", found)
