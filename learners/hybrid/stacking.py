r"""The stacked model: how much each learner's evidence weighs, a tag.

With :math:`z_{mit}` the log-odds that learner :math:`m` gives tag :math:`t` of picture
:math:`i`, :math:`h_{ki}` signal :math:`k` of the picture's neighbours (:mod:`learners.hybrid.gate`)
and :math:`\pi_t` the share of the tagged pictures that carry the tag,

.. math:: \ell_{it} = \sum_m w_{mt} e^{\sum_k g_{mk} h_{ki}} z_{mit}
          + b_0 + b_1 \log \pi_t + b_{2t} , \qquad \sum_m g_{mk} = 0 :

the gates move weight from one learner to another, and make nobody louder on the whole. All is
fitted to the likelihood of the tags, where a tag of :math:`n_t` pictures counts
:math:`n_t^{-1/2}`, so that the many frequent pairs do not speak for the rare tags too. What all
tags share is drawn to what is expected of each learner (:mod:`learners.hybrid.trust`), which
few pictures cannot overrule.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learners.tag_matrix import TagMatrix

__all__ = ["Stack", "StackProblem", "fit_stack", "log_prior_of", "tag_importance"]

# What a gate may do at most: e^(1.5) = 4.5 times the weight, or a part of it.
_MOST_GATE = 1.5
# The gates are drawn to nothing as if so many pictures had said so. What tags share is drawn to
# what is expected as if there were so many more tags, whose weights are just that, and of which
# the members' log-odds say all: two tags do not tell what the prior says of the others.
_GATE_PULL = 300.0
_EXPECTED_TAGS = 50.0
# How much less a tag counts the more pictures carry it.
_RARITY = 0.5
# Values of one member worked on at a time: 256 KB.
_BLOCK_VALUES = 1 << 16
_MAX_STEPS = 200
_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Stack:
    """A fitted stacked model.

    Parameters
    ----------
    weights : ndarray of float64, shape (n_members, n_tags)
        At least 0; exactly 0 for all tags where a member does not help.
    shared : ndarray of float64, shape (n_members,)
        What the weights of all tags are drawn towards; that of a tag which is new.
    gates : ndarray of float64, shape (n_members, n_signals)
        Columns sum to 0.
    offsets : ndarray of float64, shape (n_tags,)
        What is there without any evidence, the prior's part left out.
    prior : ndarray of float64, shape (2,)
        The offset that all tags share, and what weighs the logarithm of the prior.
    """

    weights: NDArray[np.float64]
    shared: NDArray[np.float64]
    gates: NDArray[np.float64]
    offsets: NDArray[np.float64]
    prior: NDArray[np.float64]

    def parts(
        self,
        evidence: NDArray[np.floating],
        signals: NDArray[np.floating],
        log_prior: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what the log-odds are summed from.

        Parameters
        ----------
        evidence : ndarray of float, shape (n_members, n_queries, n_tags)
        signals : ndarray of float, shape (n_queries, n_signals)
        log_prior : ndarray of float64, shape (n_tags,)

        Returns
        -------
        of_members : ndarray of float64, shape (n_members, n_queries, n_tags)
        of_prior : ndarray of float64, shape (n_tags,)
        """
        gained = np.exp(self.gates @ signals.T)  # (n_members, n_queries)
        of_members = evidence * self.weights[:, None, :] * gained[:, :, None]
        return of_members, self.prior[0] + self.prior[1] * log_prior + self.offsets

    def log_odds(
        self,
        evidence: NDArray[np.floating],
        signals: NDArray[np.floating],
        log_prior: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Return the log-odds, float64 (n_queries, n_tags)."""
        of_members, of_prior = self.parts(evidence, signals, log_prior)
        return np.asarray(of_members.sum(axis=0) + of_prior, np.float64)


def log_prior_of(tags: TagMatrix) -> NDArray[np.float64]:
    """Return the logarithm of the share of pictures with each tag, drawn towards a half."""
    return np.asarray(np.log((tags.counts + 0.5) / (tags.n_images + 1)), np.float64)


def tag_importance(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what each tag counts in the likelihood, float64 (n_tags,); 1 in the mean of pairs.

    A tag of one picture counts nothing: who has not seen that picture knows nothing of the tag,
    and so tells nothing of who knows it best. Where there is no other, all count alike.
    """
    counted = counts + 1.0
    weights = np.where(counts > 1, counted**-_RARITY, 0.0)
    if not weights.any():
        return np.ones(len(counts))
    return np.asarray(weights * counted.sum() / max((weights * counted).sum(), 1e-12), np.float64)


class StackProblem:
    """The negative log-likelihood, penalised, as a function of one vector.

    Parameters
    ----------
    evidence : ndarray of float32, shape (n_members, n_images, n_tags)
        Of pictures that the members have not seen.
    signals : ndarray of float32, shape (n_images, n_signals)
        No column = there is no gate.
    present : ndarray of bool, shape (n_images, n_tags)
    log_prior : ndarray of float64, shape (n_tags,)
    importance : ndarray of float64, shape (n_tags,)
        What each tag counts.
    shrinkage : float
        What draws a tag's weights and offset to those of all tags, in pictures.
    expected : ndarray of float64, shape (n_members,)
        What the shared weights are drawn to.
    """

    def __init__(
        self,
        evidence: NDArray[np.float32],
        signals: NDArray[np.float32],
        present: NDArray[np.bool_],
        log_prior: NDArray[np.float64],
        importance: NDArray[np.float64],
        shrinkage: float,
        expected: NDArray[np.float64],
    ) -> None:
        self._evidence = evidence
        self._signals = signals
        self._present = present.astype(np.float32)
        self._log_prior = log_prior
        self._importance = importance.astype(np.float32)
        self._shrinkage = shrinkage
        self._expected = expected
        self._trust = _EXPECTED_TAGS * shrinkage
        self.n_members, self.n_tags = len(evidence), int(evidence.shape[2])
        self.n_signals = int(signals.shape[1])

    def first(self) -> NDArray[np.float64]:
        """Return where to begin: what is expected."""
        gates = np.zeros((self.n_members, self.n_signals))
        own = np.repeat(self._expected[:, None], self.n_tags, axis=1)
        return self.packed(Stack(own, self._expected, gates, np.zeros(self.n_tags), np.zeros(2)))

    def packed(self, stack: Stack) -> NDArray[np.float64]:
        """Return a model as a vector."""
        parts = (stack.shared, stack.gates, stack.prior, stack.weights, stack.offsets)
        return np.concatenate([part.ravel() for part in parts])

    def unpacked(self, vector: NDArray[np.float64]) -> Stack:
        """Return the model of a vector, whose gates may be any."""
        m, k, t = self.n_members, self.n_signals, self.n_tags
        shared, gates, prior, weights, offsets = np.split(vector, np.cumsum([m, m * k, 2, m * t]))
        gates = gates.reshape(m, k)
        return Stack(weights.reshape(m, t), shared, gates - gates.mean(axis=0), offsets, prior)

    def bounds(self) -> NDArray[np.float64]:
        """Return the least and the largest value of each place of the vector."""
        m, k, t = self.n_members, self.n_signals, self.n_tags
        widths = [m, m * k, 2, m * t, t]
        least = np.repeat([0.0, -_MOST_GATE, -np.inf, 0.0, -np.inf], widths)
        most = np.repeat([np.inf, _MOST_GATE, np.inf, np.inf, np.inf], widths)
        return np.stack([least, most], axis=1)

    def curvatures(self) -> NDArray[np.float64]:
        """Return about how the loss bends along each place of the vector, where it begins."""
        stack = self.unpacked(self.first())
        logits = np.einsum("mit,m->it", self._evidence, self._expected.astype(np.float32))
        small = np.exp(-np.abs(logits))
        bend = small / (1 + small) ** 2 * self._importance  # (n_images, n_tags)
        of_tags = bend.sum(axis=0, dtype=np.float64)
        prior = np.array([of_tags.sum(), of_tags @ self._log_prior**2])
        known = Stack(
            weights=np.stack([(bend * one**2).sum(axis=0) for one in self._evidence])
            + self._shrinkage,
            shared=np.full(self.n_members, self._shrinkage * self.n_tags + self._trust),
            gates=np.full_like(stack.gates, _GATE_PULL),
            offsets=of_tags + self._shrinkage,
            prior=prior + self._trust,
        )
        return self.packed(known)

    def __call__(self, vector: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the loss and its gradient."""
        stack = self.unpacked(vector)
        gained = np.exp(self._signals @ stack.gates.T).astype(np.float32)  # (n_images, n_members)
        base = stack.prior[0] + stack.prior[1] * self._log_prior + stack.offsets
        weights = stack.weights.astype(np.float32)
        loss, by_offset = 0.0, np.zeros(self.n_tags)
        by_weight, by_gate = np.zeros(stack.weights.shape), np.zeros(stack.gates.shape)
        for rows in self._blocks:
            lost, error = self._of_block(rows, base.astype(np.float32), weights, gained[rows])
            loss += lost
            by_offset += error.sum(axis=0, dtype=np.float64)
            for m in range(self.n_members):
                pulled = error * self._evidence[m, rows]
                by_weight[m] += gained[rows, m] @ pulled
                if self.n_signals:
                    by_picture = (pulled @ weights[m]) * gained[rows, m]
                    by_gate[m] += by_picture @ self._signals[rows]
        away, pull = stack.weights - stack.shared[:, None], self._shrinkage
        loss += 0.5 * pull * float((away**2).sum() + (stack.offsets**2).sum())
        loss += 0.5 * _GATE_PULL * float((stack.gates**2).sum())
        unexpected = stack.shared - self._expected
        loss += 0.5 * self._trust * float((unexpected**2).sum() + (stack.prior**2).sum())
        by_gate += _GATE_PULL * stack.gates
        gradient = Stack(
            weights=by_weight + pull * away,
            shared=self._trust * unexpected - pull * away.sum(axis=1),
            gates=by_gate - by_gate.mean(axis=0),
            offsets=by_offset + pull * stack.offsets,
            prior=np.array([by_offset.sum(), by_offset @ self._log_prior])
            + self._trust * stack.prior,
        )
        return loss, self.packed(gradient)

    @property
    def _blocks(self) -> Iterator[slice]:
        """Yield some pictures at a time, few enough for the processor's cache."""
        step = max(1, _BLOCK_VALUES // max(1, self.n_tags))
        for start in range(0, len(self._present), step):
            yield slice(start, start + step)

    def _of_block(
        self,
        rows: slice,
        base: NDArray[np.float32],
        weights: NDArray[np.float32],
        gained: NDArray[np.float32],
    ) -> tuple[float, NDArray[np.float32]]:
        """Return the loss of some pictures, and its derivative by their logits."""
        present = self._present[rows]
        logits = np.repeat(base[None], len(present), axis=0)
        for m in range(self.n_members):
            weighed = self._evidence[m, rows] * weights[m]
            if self.n_signals:
                weighed *= gained[:, m, None]
            logits += weighed
        # One exponential and one logarithm in float32 serve both the loss and its gradient.
        small = np.exp(-np.abs(logits))
        above = 1 + small
        lost = np.log(above)
        lost += np.maximum(logits, 0)
        lost -= present * logits
        error = np.where(logits >= 0, np.float32(1), small)
        error /= above
        error -= present
        error *= self._importance
        return float(lost.sum(axis=0, dtype=np.float64) @ self._importance), error


def fit_stack(problem: StackProblem) -> Stack:
    """Fit the model: all of it at once, weights kept at 0 or above.

    Each place is measured in units of its own curvature: frequent tags bend the loss a hundred
    times as much as rare ones, and steps that suit both are ten times as many.
    """
    from scipy.optimize import minimize

    units = np.sqrt(problem.curvatures())

    def scaled(vector: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        loss, gradient = problem(vector / units)
        return loss, gradient / units

    found = minimize(
        scaled,
        problem.first() * units,
        jac=True,
        method="L-BFGS-B",
        bounds=problem.bounds() * units[:, None],
        options={"maxiter": _MAX_STEPS, "ftol": _TOLERANCE, "maxcor": 20},
    )
    return problem.unpacked(found.x / units)
