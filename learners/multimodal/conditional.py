"""What the tags that somebody gave say of the others: votes of the pictures that carry them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.tag_matrix import TagMatrix

__all__ = ["ConditionalVotes"]

# A share of the votes that changes nothing: what fewer voters say is hearsay.
_LEAST_VOTE = 0.003

# How near a voter is to itself, but for rounding: it would only repeat what is known of it.
_ITSELF = 1 - 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class ConditionalVotes:
    r"""Compare how pictures vote with how they vote where those with a given tag count for more.

    With :math:`k_i` the nearness of voter :math:`i`, :math:`y_{it}` whether it carries tag
    :math:`t`, :math:`a_{is}` whether a given tag :math:`s` speaks for it, and :math:`\pi_s` the
    share of the voters that it speaks for,

    .. math::

        w_i = k_i^\gamma \Big/ \sum_j k_j^\gamma , \qquad v_t = \sum_i w_i y_{it} , \qquad
        v_{t|s} = \frac{v_t + b_s \sum_i w_i a_{is} y_{it}}{1 + b_s \sum_i w_i a_{is}} , \qquad
        b_s = \frac{\textit{trust}}{\textit{noise} + \pi_s} ,

    and the given tags :math:`G` add :math:`\sum_{s \in G} \log v_{t|s} - \log v_t`.

    Parameters
    ----------
    voters : TagMatrix
        The tags of the voters: what they vote for.
    claims : TagMatrix
        The given tags that speak for each voter; those that it carries, where given tags are
        of one vocabulary with them.
    sharpness : float
        The :math:`\gamma`, above 0: how fast a vote fades with the distance.
    trust : float
        At least 0: how much a given tag is believed.
    noise : float
        Above 0: how often tags are given that are wrong.

    Notes
    -----
    This is Bayes' rule for the question which of the voters the picture is like, where a tag
    :math:`s` is given of a voter that it speaks for :math:`1 + b_s` times as often as of another.
    A wrong tag that speaks for no near voter finds nothing to strengthen, and adds next to
    nothing. Votes below 0.3 % are told apart from nothing only
    gradually, by adding as much to every vote. Each given tag is heard alone: voters that carry
    all of them together are too few. A picture that is a voter itself, or a copy of one, gets no
    vote of it.
    """

    voters: TagMatrix
    claims: TagMatrix
    sharpness: float
    trust: float
    noise: float

    def __call__(self, nearness: NDArray[np.float64], given: TagMatrix) -> NDArray[np.float64]:
        """Return what given tags add to log-odds, float64 (n_images, n_tags); 0 without any.

        Parameters
        ----------
        nearness : ndarray of float64, shape (n_images, n_voters)
            In [0, 1].
        given : TagMatrix
            Of the same pictures and the vocabulary of the claims.

        Raises
        ------
        InputError
            If the tags are of another vocabulary.
        """
        self.check(given)
        added = np.zeros((given.n_images, self.voters.n_tags))
        if not given.indices.size:
            return added
        weights = np.where(nearness < _ITSELF, nearness, 0) ** self.sharpness
        total = weights.sum(axis=1, keepdims=True)
        shares = np.divide(weights, total, out=weights, where=total > 0)
        carried = self.voters.toarray().astype(np.float64)  # (n_voters, n_tags)
        votes = shares @ carried  # (n_images, n_tags)
        plain = np.log(votes + _LEAST_VOTE)
        claimed = carried if self.claims is self.voters else self.claims.toarray()
        image_of = np.repeat(np.arange(given.n_images), np.diff(given.indptr))
        for tag in np.unique(given.indices):
            images = image_of[given.indices == tag]
            meant = np.flatnonzero(claimed[:, tag])
            theirs = shares[np.ix_(images, meant)]
            belief = self.trust / (self.noise + len(meant) / self.voters.n_images)
            raised = votes[images] + belief * theirs @ carried[meant]
            raised /= 1 + belief * theirs.sum(axis=1, keepdims=True)
            added[images] += np.log(raised + _LEAST_VOTE) - plain[images]
        return added

    def check(self, given: TagMatrix) -> None:
        """Refuse tags of another vocabulary.

        Raises
        ------
        InputError
            They are.
        """
        if given.n_tags != self.claims.n_tags:
            raise InputError(
                f"tags of a vocabulary of {given.n_tags} as input of a learner that was fitted on "
                f"{self.claims.n_tags}; the same vocabulary is accepted; look the tags up in it"
            )
