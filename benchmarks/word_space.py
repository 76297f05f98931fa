"""Word space, as the harness opens it: once a process, with the vectors of the installation."""

from collections.abc import Iterable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from indexing.words.class_names import imagenet_names
from learners.words import ClassWords, WordVectors, open_word_vectors

__all__ = ["imagenet_words", "tag_vectors"]


@cache
def _words() -> WordVectors:
    return open_word_vectors()


@cache
def imagenet_words() -> ClassWords:
    """Return the 1,000 classes of ImageNet in word space."""
    return ClassWords.of(imagenet_names(), _words())


def tag_vectors(vocabulary: Iterable[str]) -> NDArray[np.float32]:
    """Return the vector of each tag, float32 (n_tags, n_word_dims); zeros where it has none."""
    return _words().matrix([str(tag) for tag in vocabulary])[0]
