"""Words scored by an image-text model, where a workspace was built with one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from indexing.extractors import FeatureExtractor
from indexing.extractors.text_tower import TextTower, open_text_tower
from learners.words import direction_scores
from learners.words.prompts import prompted_vectors

__all__ = ["TowerWords", "has_text_side"]

_PREFIX = "open_clip:"


def has_text_side(extractor: str) -> bool:
    """Return whether the network of a name puts words where it puts pictures."""
    return extractor.startswith(_PREFIX)


class TowerWords:
    """Scores words by the cosine of a picture and of sentences that hold the word.

    The model is opened when the first word is scored: it takes seconds, and torch.

    Parameters
    ----------
    extractor : FeatureExtractor
        One for which :func:`has_text_side`.
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._extractor = extractor
        self._tower: TextTower | None = None
        self._known: dict[str, NDArray[np.float32]] = {}

    def scores(self, words: Sequence[str], features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return cosines, float32 (n_pictures, n_words).

        Parameters
        ----------
        words : sequence of str
        features : ndarray of float32, shape (n_pictures, n_dims)
            As the extractor gave them.
        """
        new = [word for word in dict.fromkeys(words) if word not in self._known]
        if new:
            if self._tower is None:
                self._tower = open_text_tower(self._extractor)
            self._known.update(zip(new, prompted_vectors(new, self._tower.embed), strict=True))
        return direction_scores(features, np.stack([self._known[word] for word in words]))
