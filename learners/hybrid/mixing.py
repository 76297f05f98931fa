"""Which members are mixed, and whether the gate moves them: read from pictures left out in turn."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from learners.base import Progress
from learners.hybrid.decisions import image_precision, label_f1
from learners.hybrid.gate import SIGNALS
from learners.hybrid.stacking import Stack, StackProblem, fit_stack, tag_importance
from learners.hybrid.trust import trust_in

__all__ = ["Blend", "Mixture", "choose_mixture", "worth"]

# What a member must bring: less is what the draw of the folds moves.
_LEAST_GAIN = 0.001
# Parts of the pictures, in which a gain is read again to see how sure it is.
_N_PARTS = 10


@dataclass(frozen=True, eq=False)
class Blend:
    """What mixtures are fitted to.

    Parameters
    ----------
    evidence : ndarray of float32, shape (n_members, n_images, n_tags)
        Of pictures that the members have not seen.
    signals : ndarray of float32, shape (n_images, n_signals)
    present : ndarray of bool, shape (n_images, n_tags)
    log_prior : ndarray of float64, shape (n_tags,)
    counts : ndarray of int64, shape (n_tags,)
        Different pictures of each tag.
    folds : ndarray of int64, shape (n_images,)
        Fold of each picture; copies lie in one.
    shrinkage : float
        As :class:`learners.hybrid.stacking.StackProblem` takes it.
    names : tuple of n_members str
        The members.
    left : ndarray of float64, shape (n_members, n_tags)
        Share of what is expected of each member that is left for each tag.
    """

    evidence: NDArray[np.float32]
    signals: NDArray[np.float32]
    present: NDArray[np.bool_]
    log_prior: NDArray[np.float64]
    counts: NDArray[np.int64]
    folds: NDArray[np.int64]
    shrinkage: float
    names: tuple[str, ...]
    left: NDArray[np.float64]

    def fit(
        self, members: tuple[int, ...], is_gated: bool, places: NDArray[np.bool_] | None = None
    ) -> Stack:
        """Fit some members on some pictures, or all; the others have weight 0, exactly."""
        chosen = np.ones(len(self.present), bool) if places is None else places
        signals = self.signals[chosen]
        places_of_members = np.array(members)
        trust = trust_in([self.names[member] for member in members])
        left = self.left[places_of_members]
        evidence = self.evidence[places_of_members][:, chosen]
        problem = StackProblem(
            evidence * left[:, None].astype(np.float32),
            signals if is_gated else signals[:, :0],
            self.present[chosen],
            self.log_prior,
            tag_importance(self.counts),
            self.shrinkage,
            np.array([one.weight for one in trust]),
        )
        fitted = fit_stack(problem)
        n_members, _, n_tags = self.evidence.shape
        weights, shared = np.zeros((n_members, n_tags)), np.zeros(n_members)
        gates = np.zeros((n_members, len(SIGNALS)))
        for place, member in enumerate(members):
            weights[member] = fitted.weights[place] * left[place]
            shared[member] = fitted.shared[place]
            if is_gated:
                gates[member] = fitted.gates[place]
        return replace(fitted, weights=weights, shared=shared, gates=gates)

    def unseen(
        self,
        members: tuple[int, ...],
        is_gated: bool,
        on_fit: Callable[[], None] = lambda: None,
    ) -> NDArray[np.float32]:
        """Return the log-odds of each picture by a mixture that was fitted without its fold.

        Before each fit `on_fit` is called.
        """
        found = np.zeros(self.present.shape, np.float32)
        for fold in np.unique(self.folds):
            asked = self.folds == fold
            if asked.all():
                continue
            on_fit()
            stack = self.fit(members, is_gated, ~asked)
            found[asked] = stack.log_odds(
                self.evidence[:, asked], self.signals[asked], self.log_prior
            )
        return found


@dataclass(frozen=True, eq=False)
class Mixture:
    """A mixture that was chosen.

    Parameters
    ----------
    members : tuple of int
        Those that have a weight.
    is_gated : bool
        Whether the gate moves them.
    unseen : ndarray of float32, shape (n_images, n_tags)
        Log-odds of pictures by mixtures that were fitted without them.
    """

    members: tuple[int, ...]
    is_gated: bool
    unseen: NDArray[np.float32]


def choose_mixture(blend: Blend, report: Progress) -> Mixture:
    """Leave out members that do not help, one after the other, and the gate if it does not.

    A mixture is worth the mean of its MAP, MiAP and C-F1@5 on pictures that it was fitted
    without, and what is read of it is sure to two standard errors. A member of whom nothing is
    expected stays only if it is sure to bring a thousandth; one of whom something is expected
    goes if it changes nothing, or is sure to do harm. Of those who could go as well, the one goes
    of whom the least is expected; one stays of those that know tags by their pictures.

    Parameters
    ----------
    blend : Blend
    report : callable
        Called with (stage, done, total).
    """
    n_fitted = 0
    trust = trust_in(blend.names)
    lasts = [one.fades_at is None for one in trust]

    def count() -> None:
        nonlocal n_fitted
        report("mixing", n_fitted, 0)
        n_fitted += 1

    def tried(members: tuple[int, ...], is_gated: bool) -> _Tried:
        unseen = blend.unseen(members, is_gated, count)
        return _Tried.of(Mixture(members, is_gated, unseen), blend.present)

    best = tried(tuple(range(len(blend.evidence))), is_gated=False)
    while len(best.mixture.members) > 1:
        fewer: list[tuple[float, float, _Tried]] = []
        for member in best.mixture.members:
            others = tuple(one for one in best.mixture.members if one != member)
            if not any(lasts[one] for one in others):
                continue
            without = tried(others, is_gated=False)
            gain, doubt = best.gain_over(without)
            goes = gain + doubt < 0 if trust[member].weight else gain - doubt < _LEAST_GAIN
            if goes or gain == 0:
                fewer.append((round(without.value, 6), -trust[member].weight, without))
        if not fewer:
            break
        best = max(fewer, key=lambda one: one[:2])[2]
    if len(best.mixture.members) > 1:
        gated = tried(best.mixture.members, is_gated=True)
        if gated.value - best.value > _LEAST_GAIN:
            best = gated
    return best.mixture


@dataclass(frozen=True, eq=False)
class _Tried:
    """A mixture, and what it is worth on pictures that it was fitted without: all, and parts."""

    mixture: Mixture
    value: float
    of_parts: NDArray[np.float64]

    @classmethod
    def of(cls, mixture: Mixture, present: NDArray[np.bool_]) -> "_Tried":
        scores = mixture.unseen
        n_parts = min(_N_PARTS, max(1, len(present)))
        parts = [slice(start, None, n_parts) for start in range(n_parts)]
        of_parts = np.array([worth(scores[part], present[part]) for part in parts])
        return cls(mixture, worth(scores, present), of_parts)

    def gain_over(self, other: "_Tried") -> tuple[float, float]:
        """Return by how much it is worth more, and two standard errors of that.

        The error is what the gain differs by from part to part of the pictures.
        """
        gains = self.of_parts - other.of_parts
        error = gains.std(ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else np.inf
        return self.value - other.value, 2 * float(error)


def worth(scores: NDArray[np.floating], present: NDArray[np.bool_]) -> float:
    """Return the mean of MAP, MiAP and C-F1@5, in [0, 1]."""
    by_tag, by_picture = image_precision(scores.T, present.T), image_precision(scores, present)
    return (by_tag + by_picture + label_f1(scores, present)) / 3
