"""Noisy tags of a picture as a vector: which there are, and what that says."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.dense import DenseLayers
from learners.tag_matrix import TagMatrix, locate

__all__ = ["TagInput", "TextualFeature"]


@dataclass(frozen=True, eq=False)
class TagInput:
    """The tags that are read, and one value more that says there is none of them.

    Parameters
    ----------
    columns : ndarray of int64, shape (n_inputs,)
        Positions in the vocabulary, ascending.
    n_tags : int
        Size of the vocabulary.
    """

    columns: NDArray[np.int64]
    n_tags: int

    @classmethod
    def of(cls, tags: TagMatrix, n_most: int) -> "TagInput":
        """Choose the `n_most` tags that most pictures carry; equal ones by position.

        Examples
        --------
        >>> tags = TagMatrix.from_lists([0, 1], [[2], [0, 2]], n_tags=4)
        >>> TagInput.of(tags, 2).columns, TagInput.of(tags, 9).columns
        (array([0, 2]), array([0, 2]))
        """
        order = np.argsort(-tags.counts, kind="stable")[:n_most]
        return cls(np.sort(order[tags.counts[order] > 0]), tags.n_tags)

    @property
    def n_values(self) -> int:
        """Width of the vector."""
        return len(self.columns) + 1

    @property
    def nothing(self) -> NDArray[np.float32]:
        """What a picture without tags becomes, float32 (n_values,)."""
        values = np.zeros(self.n_values, np.float32)
        values[-1] = 1
        return values

    def __call__(self, tags: TagMatrix) -> NDArray[np.float32]:
        """Return 0 or 1 a tag that is read, and a 1 at the end where all are 0.

        Returns
        -------
        ndarray of float32, shape (tags.n_images, n_values)

        Raises
        ------
        InputError
            If the tags are of another vocabulary.

        Examples
        --------
        >>> TagInput(np.array([0, 2]), 4)(TagMatrix.from_lists([0, 1], [[2], [3]], n_tags=4))
        array([[0., 1., 0.],
               [0., 0., 1.]], dtype=float32)
        """
        if tags.n_tags != self.n_tags:
            raise InputError(
                f"tags of a vocabulary of {tags.n_tags} as input of a learner that was fitted on "
                f"{self.n_tags}; the same vocabulary is accepted; look the tags up in it"
            )
        place = np.full(self.n_tags, -1, np.int64)
        place[self.columns] = np.arange(len(self.columns))
        values = np.zeros((tags.n_images, self.n_values), np.float32)
        image = np.repeat(np.arange(tags.n_images), np.diff(tags.indptr))
        column = place[tags.indices]
        values[image[column >= 0], column[column >= 0]] = 1
        values[:, -1] = ~values.any(axis=1)
        return values


@dataclass(frozen=True, eq=False)
class TextualFeature:
    r"""The :math:`f_t` of a picture: its noisy tags through two layers with ``max(x, 0)``.

    Parameters
    ----------
    tags : TagInput
    layers : DenseLayers
        Two.

    References
    ----------
    Y. Niu et al., "Multi-Modal Multi-Scale Deep Learning for Large-Scale Image Annotation",
    section III-B.
    """

    tags: TagInput
    layers: DenseLayers

    def __call__(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 (n_images, n_dims) of what :class:`TagInput` makes of tags."""
        values: NDArray[np.float32] = np.maximum(self.layers(inputs), 0).astype(np.float32)
        return values

    def reading(self, columns: NDArray[np.int64]) -> "TextualFeature":
        """Return the same of tags of another vocabulary.

        Parameters
        ----------
        columns : ndarray of int64, shape (n_tags,)
            Which tag of the present vocabulary each of the other one is; -1 = none of them,
            which is not read.
        """
        place = locate(columns, self.tags.columns)  # among the tags that are read
        read = np.flatnonzero(place >= 0)
        first, *others = self.layers.weights
        rows = np.append(place[read], len(self.tags.columns))  # the last says: none of them
        return TextualFeature(
            TagInput(read, len(columns)),
            DenseLayers((first[rows], *others), self.layers.biases),
        )

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays that :meth:`from_arrays` takes."""
        return {
            "input_tags": self.tags.columns,
            "n_input_tags": np.asarray(self.tags.n_tags, np.int64),
            **self.layers.to_arrays("textual_"),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "TextualFeature":
        """Rebuild it.

        Raises
        ------
        KeyError
            If an array is missing.
        """
        columns = np.asarray(arrays["input_tags"], np.int64)
        tags = TagInput(columns, int(arrays["n_input_tags"]))
        return cls(tags, DenseLayers.from_arrays(arrays, "textual_", 2))
