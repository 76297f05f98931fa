"""What people said of the very pictures that are asked about."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.corrected import CorrectedPictures

__all__ = ["Facts"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Facts:
    """What is known of pictures that are asked about, because they, or copies of them, are here.

    Parameters
    ----------
    own_groups : ndarray of int64, shape (n_queries,)
        Content group of each: it does not vote for itself, nor do its copies; -1 = none.
    known : ndarray of bool, shape (n_queries, n_tags)
        Tags that people gave it, corrected.
    added, removed : ndarray of bool, shape (n_queries, n_tags)
        What was corrected there.
    """

    own_groups: NDArray[np.int64]
    known: NDArray[np.bool_]
    added: NDArray[np.bool_]
    removed: NDArray[np.bool_]

    @classmethod
    def of(cls, pictures: CorrectedPictures, contents: Sequence[bytes]) -> "Facts":
        """Look pictures up by their contents, sha256 of each."""
        tagged = pictures.tagged
        own_places = [tagged.places_of(content) for content in contents]
        added, removed = pictures.facts(contents)
        known = added.copy()
        for query, places in enumerate(own_places):
            for place in places:
                known[query, tagged.tags.tags_of(place)] = True
        return cls(
            own_groups=np.array(
                [tagged.groups[places[0]] if places else -1 for places in own_places], np.int64
            ),
            known=known,
            added=added,
            removed=removed,
        )

    def unscored(
        self,
        n_voters: NDArray[np.float32] | None,
        uncorrected: NDArray[np.float32],
        scores: NDArray[np.float32],
    ) -> NDArray[np.bool_]:
        """Return the facts that no other picture speaks for: their number is none of the learner's.

        No vote is cast, or what the picture itself was taught has moved the score.

        Parameters
        ----------
        n_voters : ndarray of float32, shape (n_queries, n_tags), or None
            How many voters carry each tag; None where there are no voters.
        uncorrected, scores : ndarray of float32, shape (n_queries, n_tags)
            What the learner says, before and after corrections are heard.

        Returns
        -------
        ndarray of bool, shape (n_queries, n_tags)
        """
        is_moved: NDArray[np.bool_] = self.added & (scores != uncorrected)
        return self.known & (is_moved if n_voters is None else n_voters == 0)
