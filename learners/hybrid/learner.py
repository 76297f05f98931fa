"""The hybrid scorer: learners with examples and learners of parameters, mixed and calibrated."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from indexing.errors import ArtifactError, InputError
from learners.base import Batch, Needs, TagLearner
from learners.batch import neighbors_of, scores_of
from learners.calibration import PlattScaling, sigmoid
from learners.hybrid.decisions import Goal, PrecisionCurve, PrecisionCut, help_for_rare
from learners.hybrid.evidence import Evidence
from learners.hybrid.gate import SIGNALS, Gate
from learners.hybrid.members import member_names, member_settings
from learners.hybrid.stacking import Stack, log_prior_of
from learners.hybrid.trust import trust_in
from learners.metrics.calibration import ReliabilityCurve
from learners.parameters import real_number, whole_number
from learners.tag_matrix import TagMatrix

__all__ = ["Goal", "Hybrid"]


@dataclass(kw_only=True, eq=False)
class Hybrid(TagLearner):
    r"""Mix what other learners say of a picture into one calibrated answer.

    The members' scores become log-odds :math:`z_{mit}` (:mod:`learners.hybrid.evidence`), which a
    stacked model sums with a weight a member and tag, moved by what the picture's neighbours
    are like (:mod:`learners.hybrid.stacking`). With :math:`\ell_{it}` its log-odds and
    :math:`\pi_t` the share of the tagged pictures that carry the tag,

    .. math:: score(i, t) = \ell_{it} + \log(1 + \rho / \pi_t) .

    Equal scores are ordered by those of the members that it heeds, the heaviest first, then by
    tag frequency (:meth:`tie_breaks`).

    Parameters
    ----------
    members : str, default="knn,tagprop,heads,words"
        Learners that are mixed, by name, with commas between them.
    settings : mapping of str to mapping, optional
        Hyper-parameters of members; :func:`member_params` says what each is made with.
    goal : Goal, default=Goal.F1
        What the :math:`\rho` is chosen for (:func:`learners.hybrid.decisions.help_for_rare`).
    shrinkage : float, default=20
        How many tagged pictures it takes to pull a tag's weights away from those that all tags
        share; above 0.
    n_neighbors : int, default=10
        Neighbours that the gate reads.
    seed : int, default=0
        For the folds that corrections and probabilities are read across.

    Attributes
    ----------
    tags_ : TagMatrix
        The tagged pictures.
    evidence_ : dict of str to Evidence
        What a score of each member says.
    gate_ : Gate
    stack_ : Stack
    log_prior_ : ndarray of float64, shape (n_tags,)
        Logarithm of the share of the pictures with each tag, drawn towards a half.
    corrections_ : dict of Goal to float
        The :math:`\rho` of each goal.
    calibration_ : PlattScaling
        Log-odds to probabilities, fitted on pictures that the mixture was fitted without.
    curve_ : PrecisionCurve
        What thresholds on the probability cost, on pictures that nothing was fitted on.
    reliability_ : ReliabilityCurve
        Of the five best tags a picture, there.
    """

    name: ClassVar[str] = "hybrid"
    needs: ClassVar[Needs] = Needs.SCORES | Needs.NEIGHBORS
    answers_new_tags: ClassVar[bool] = True
    predict_params: ClassVar[frozenset[str]] = frozenset({"goal"})

    members: str = "knn,tagprop,heads,words"
    settings: Mapping[str, Mapping[str, Any]] | None = None
    goal: Goal = Goal.F1
    shrinkage: float = 20.0
    n_neighbors: int = 10
    seed: int = 0

    tags_: TagMatrix = field(init=False, repr=False)
    evidence_: dict[str, Evidence] = field(init=False, repr=False)
    gate_: Gate = field(init=False, repr=False)
    stack_: Stack = field(init=False, repr=False)
    log_prior_: NDArray[np.float64] = field(init=False, repr=False)
    corrections_: dict[Goal, float] = field(init=False, repr=False)
    calibration_: PlattScaling = field(init=False, repr=False)
    curve_: PrecisionCurve = field(init=False, repr=False)
    reliability_: ReliabilityCurve = field(init=False, repr=False)

    def __post_init__(self) -> None:
        member_settings(self.members, self.settings)
        try:
            self.goal = Goal(self.goal)
        except ValueError:
            raise InputError(
                f"goal is {self.goal!r}; it is one of {', '.join(Goal)}; choose one"
            ) from None
        self.shrinkage = real_number("shrinkage", self.shrinkage, above=0)
        self.n_neighbors = whole_number("n_neighbors", self.n_neighbors)
        self.seed = whole_number("seed", self.seed, least=0)

    @property
    def fit_needs(self) -> Needs:
        """Out-of-fold scores of the members, and the pictures' neighbours."""
        return self.needs

    @property
    def member_names(self) -> tuple[str, ...]:
        """Names of the members, in order."""
        return member_names(self.members)

    def member_params(self) -> dict[str, dict[str, Any]]:
        """Return what each member is to be made with, by name, in order."""
        return member_settings(self.members, self.settings)

    @property
    def weights(self) -> dict[str, float]:
        """What each member's log-odds weigh where nothing is known of tag and neighbours."""
        self._check_fitted()
        return dict(zip(self.member_names, self.stack_.shared.tolist(), strict=True))

    def heeds_neighbors(self) -> bool:
        """Return whether neighbours move a weight: else an empty list of them will do."""
        self._check_fitted()
        return bool(self.stack_.gates.any())

    def hears(self, member: str) -> bool:
        """Return whether a member has a weight on any tag: else its scores do not matter."""
        self._check_fitted()
        return bool(self.stack_.weights[self.member_names.index(member)].any())

    @property
    def correction(self) -> float:
        """The share of the pictures at which a tag's odds are doubled."""
        self._check_fitted()
        return self.corrections_[self.goal]

    @property
    def _help(self) -> NDArray[np.float64]:
        """What rare tags are helped, float64 (n_tags,)."""
        return help_for_rare(self.log_prior_, self.correction)

    def predict_probabilities(self, batch: Batch) -> NDArray[np.float32]:
        """Return the probability of every tag, float32 (n_queries, n_tags), in [0, 1].

        It does not depend on the goal.

        Raises
        ------
        NotFittedError, InputError
            As :meth:`predict_scores`.
        """
        self._check_fitted()
        self._check(batch, self.needs)
        log_odds = self.calibration_.log_odds(self._log_odds(batch))
        return sigmoid(log_odds).astype(np.float32)

    def predict_quantities(self, batch: Batch) -> NDArray[np.float64]:
        """Return the number of tags of each picture, unrounded, float64 (n_queries,).

        That is the sum of the probabilities.

        Raises
        ------
        NotFittedError, InputError
            As :meth:`predict_scores`.
        """
        return np.asarray(self.predict_probabilities(batch).sum(axis=1), np.float64)

    def cut_for_precision(self, precision: float) -> PrecisionCut | None:
        """Return the probability from which on tags are right so often; None = there is none.

        Parameters
        ----------
        precision : float
            In (0, 1].

        Raises
        ------
        InputError
            If the precision is no share.
        NotFittedError
            If the learner has not been fitted.
        """
        self._check_fitted()
        if not 0 < precision <= 1:
            raise InputError(
                f"precision is {precision:g}; it is above 0 and at most 1, such as 0.9; change it"
            )
        return self.curve_.cut(precision)

    def _fit(self, batch: Batch, tags: TagMatrix) -> None:
        # scipy: only training waits for it.
        from learners.hybrid.training import learn

        learned = learn(self, batch, tags, self._report)
        self.tags_ = tags
        self.log_prior_ = log_prior_of(tags)
        self.evidence_ = learned.evidence
        self.gate_ = learned.gate
        self.stack_ = learned.stack
        self.corrections_ = learned.corrections
        self.calibration_ = learned.calibration
        self.curve_ = learned.curve
        self.reliability_ = learned.reliability

    def _parts(self, batch: Batch) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what members add, (n_members, n_queries, n_tags), and the prior, (n_tags,)."""
        names = self.member_names
        scores = scores_of(batch, names, len(self.log_prior_))
        signals = self.gate_(neighbors_of(batch), self.tags_)
        evidence = np.stack([self.evidence_[name](scores[name]) for name in names])
        return self.stack_.parts(evidence, signals, self.log_prior_)

    def _log_odds(self, batch: Batch) -> NDArray[np.float64]:
        of_members, of_prior = self._parts(batch)
        return np.asarray(of_members.sum(axis=0) + of_prior, np.float64)

    def _sources(self, batch: Batch) -> dict[str, NDArray[np.float32]]:
        of_members, of_prior = self._parts(batch)
        corrected = (of_prior + self._help).astype(np.float32)
        shares = dict(zip(self.member_names, of_members.astype(np.float32), strict=True))
        return {**shares, "prior": np.broadcast_to(corrected, of_members.shape[1:])}

    def _predict_scores(self, batch: Batch) -> NDArray[np.float32]:
        return (self._log_odds(batch) + self._help).astype(np.float32)

    def _tie_breaks(self, batch: Batch) -> tuple[NDArray[np.generic], ...]:
        # Where no score tells which tags are true, as where every picture has tags of its own, all
        # log-odds are alike; the order of the members still has first what is most like it.
        weights = self.weights
        heeded = sorted(filter(self.hears, self.member_names), key=lambda name: -weights[name])
        scores = scores_of(batch, heeded, len(self.log_prior_))
        return (*scores.values(), self.tags_.counts)

    def _rebase(self, tags: TagMatrix, columns: NDArray[np.int64]) -> None:
        known = columns >= 0
        stack = self.stack_
        weights = np.repeat(self._weights_of_new_tags()[:, None], tags.n_tags, axis=1)
        weights[:, known] = stack.weights[:, columns[known]]
        offsets = np.zeros(tags.n_tags)
        offsets[known] = stack.offsets[columns[known]]
        # A tag's prior stays that which its weights were fitted beside; what the prior weighs was
        # read of such as there were.
        log_prior = log_prior_of(tags)
        if self.log_prior_.size:
            log_prior = log_prior.clip(self.log_prior_.min(), self.log_prior_.max())
        log_prior[known] = self.log_prior_[columns[known]]
        # Of a tag that no member answers, its share of the pictures is all that is known.
        share = np.exp(log_prior_of(tags))
        unanswered = ~known & ~weights.any(axis=0)
        prior = stack.prior[0] + stack.prior[1] * log_prior
        offsets[unanswered] = (np.log(share / (1 - share)) - prior)[unanswered]
        self.stack_ = Stack(weights, stack.shared, stack.gates, offsets, stack.prior)
        self.log_prior_ = log_prior
        self.calibration_ = self.calibration_.taking(columns)
        self.tags_ = tags

    def _weights_of_new_tags(self) -> NDArray[np.float64]:
        """Return the weights of a tag that members may not know, float64 (n_members,).

        Those that do not answer new tags are left out, and the others weigh what all did; where
        these did not help with the tags there were, they weigh alike.
        """
        from learners.table import learner_class

        names = self.member_names
        # What fades the more pictures a tag has is no part of the weight of those that do not.
        lasts = np.array([trust.fades_at is None for trust in trust_in(names)])
        shared = np.where(lasts, self.stack_.shared, 0.0)
        answers = np.array([learner_class(name).answers_new_tags for name in names])
        weights = np.where(answers, shared, 0.0)
        if not weights.any():
            weights = answers.astype(np.float64)
        total = weights.sum()
        whole = shared.sum() or 1.0
        return np.asarray(weights * (whole / total if total > 0 else 0.0), np.float64)

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        arrays: dict[str, NDArray[np.generic]] = {
            f"tags_{name}": array for name, array in self.tags_.to_arrays().items()
        }
        for name in self.member_names:
            arrays[f"evidence_{name}_knots"] = self.evidence_[name].knots
            arrays[f"evidence_{name}_values"] = self.evidence_[name].values
        curve, reliability = self.curve_, self.reliability_
        return arrays | {
            "gate_quantiles": self.gate_.quantiles,
            "stack_weights": self.stack_.weights,
            "stack_shared": self.stack_.shared,
            "stack_gates": self.stack_.gates,
            "stack_offsets": self.stack_.offsets,
            "stack_prior": self.stack_.prior,
            "log_prior": self.log_prior_,
            "rarities": np.array([self.corrections_[goal] for goal in Goal]),
            "calibration_slopes": self.calibration_.slopes,
            "calibration_offsets": self.calibration_.offsets,
            "calibration_shared": np.array(self.calibration_.shared),
            "curve_thresholds": curve.thresholds,
            "curve_emitted": curve.n_emitted,
            "curve_right": curve.n_right,
            "curve_true": np.array([curve.n_true]),
            "reliability_confidence": reliability.confidence,
            "reliability_frequency": reliability.frequency,
            "reliability_count": reliability.count,
        }

    def _restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        prefix = "tags_"
        self.tags_ = TagMatrix.from_arrays(
            {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
        )
        n_tags, n_members = self.tags_.n_tags, len(self.member_names)

        def real(name: str, *shape: int | None) -> NDArray[np.float64]:
            return _checked(name, np.asarray(arrays[name], np.float64), shape)

        def whole(name: str, *shape: int | None) -> NDArray[np.int64]:
            return np.asarray(real(name, *shape), np.int64)

        self.evidence_ = {}
        for name in self.member_names:
            knots, values = (
                real(f"evidence_{name}_knots", None),
                real(f"evidence_{name}_values", None),
            )
            self.evidence_[name] = Evidence(knots, values)
        self.gate_ = Gate(self.n_neighbors, real("gate_quantiles", len(SIGNALS), None))
        self.stack_ = Stack(
            weights=real("stack_weights", n_members, n_tags),
            shared=real("stack_shared", n_members),
            gates=real("stack_gates", n_members, len(SIGNALS)),
            offsets=real("stack_offsets", n_tags),
            prior=real("stack_prior", 2),
        )
        self.log_prior_ = real("log_prior", n_tags)
        corrections = real("rarities", len(Goal)).tolist()
        self.corrections_ = dict(zip(Goal, corrections, strict=True))
        slope, offset = real("calibration_shared", 2).tolist()
        self.calibration_ = PlattScaling(
            real("calibration_slopes", n_tags), real("calibration_offsets", n_tags), (slope, offset)
        )
        self.curve_ = PrecisionCurve(
            thresholds=real("curve_thresholds", None),
            n_emitted=whole("curve_emitted", None),
            n_right=whole("curve_right", None),
            n_true=int(whole("curve_true", 1)[0]),
        )
        self.reliability_ = ReliabilityCurve(
            confidence=real("reliability_confidence", None),
            frequency=real("reliability_frequency", None),
            count=whole("reliability_count", None),
        )


def _checked(
    name: str, array: NDArray[np.float64], shape: tuple[int | None, ...]
) -> NDArray[np.float64]:
    fits = array.ndim == len(shape) and all(
        wanted is None or found == wanted for found, wanted in zip(array.shape, shape, strict=False)
    )
    if not fits or not np.isfinite(array).all():
        wanted = ", ".join("n" if size is None else str(size) for size in shape)
        raise ArtifactError(
            f"a saved learner 'hybrid' whose {name} is of shape {array.shape} or not finite; "
            f"finite numbers of shape ({wanted}) are accepted; train the learner again"
        )
    return array
