"""The paper's expansion as a ranking of all tags: what zero-shot scores are compared with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.base import Batch, Needs
from learners.parameters import whole_number
from learners.ranking import rank_tags
from learners.tag_matrix import TagMatrix
from learners.voting import KNN
from learners.words.directions import unit_rows
from learners.words.expansion import N_NEAREST

__all__ = ["TopTwoExpansion"]


@dataclass(kw_only=True, eq=False)
class TopTwoExpansion(KNN):
    r"""The tags that neighbours carry, and those that the best of them bring along.

    With :math:`s_t` the score of :class:`learners.voting.KNN`, :math:`P` the tags predicted for
    a picture, and :math:`N_2(t)` the two tags of the vocabulary nearest to :math:`t` in word
    space,

    .. math:: score(x, u) = \max\Bigl(s_u, \max_{t \in P,\, u \in N_2(t)} s_t \cos(v_t, v_u)\Bigr).

    Parameters
    ----------
    n_neighbors, weights
        As :class:`learners.voting.KNN`.
    n_predicted : int, default=5
        Tags a picture that bring others along.

    Attributes
    ----------
    tags_ : TagMatrix
        The tagged pictures.
    words_ : ndarray of float32, shape (n_tags, n_word_dims)
        Vectors of the tags; one that is zero brings nothing and is not brought.

    References
    ----------
    "Image Tagging", section III.B and equation 6. The paper ranks nothing: it appends the words
    that are brought. The order here is that of the tags that bring them, and of their cosine.
    """

    name: ClassVar[str] = "expansion"
    answers_new_tags: ClassVar[bool] = False
    predict_params: ClassVar[frozenset[str]] = frozenset({"n_neighbors", "weights", "n_predicted"})
    grid: ClassVar[Mapping[str, tuple[Any, ...]]] = KNN.grid

    n_predicted: int = 5
    words_: NDArray[np.float32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.n_predicted = whole_number("n_predicted", self.n_predicted)

    @property
    def fit_needs(self) -> Needs:
        """The vectors of the tags."""
        return Needs.WORDS

    def _fit(self, batch: Batch, tags: TagMatrix) -> None:
        super()._fit(batch, tags)
        if batch.words is None or batch.words.ndim != 2 or len(batch.words) != tags.n_tags:
            raise InputError(
                f"{0 if batch.words is None else len(batch.words)} word vectors for {tags.n_tags} "
                "tags; one a tag is accepted; give zeros where a tag has none"
            )
        self.words_ = unit_rows(batch.words)

    def _predict_scores(self, batch: Batch) -> NDArray[np.float32]:
        own = super()._predict_scores(batch)  # (n_queries, n_tags)
        if own.shape[1] < 2:
            return own
        cosines = self.words_ @ self.words_.T
        has_vector = np.linalg.norm(self.words_, axis=1) > 0
        cosines[:, ~has_vector] = -np.inf
        np.fill_diagonal(cosines, -np.inf)
        nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :N_NEAREST]  # (n_tags, 2)
        scores = own.copy()
        queries = np.arange(len(own))
        predicted = rank_tags(own, self.n_predicted, self._tie_breaks(batch))
        for place in range(predicted.shape[1]):
            tag = predicted[:, place]
            for other in nearest[tag].T:
                cosine = np.where(has_vector[tag], cosines[tag, other], 0)
                brought = own[queries, tag] * np.clip(cosine, 0, 1)
                np.maximum.at(scores, (queries, other), brought.astype(np.float32))
        return scores

    def _rebase(self, tags: TagMatrix, columns: NDArray[np.int64]) -> None:
        super()._rebase(tags, columns)
        nothing = np.zeros((1, self.words_.shape[1]), dtype=np.float32)
        self.words_ = np.concatenate([self.words_, nothing])[columns]

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        return {**super()._arrays(), "words": self.words_}

    def _restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        super()._restore(arrays)
        self.words_ = np.asarray(arrays["words"], dtype=np.float32)
