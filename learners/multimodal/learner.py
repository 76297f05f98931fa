"""The learner that reads stored features and the tags that pictures came with."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.base import Batch, Needs
from learners.batch import features_of
from learners.heads import Heads
from learners.losses import Loss
from learners.multimodal.joint import JointHead
from learners.multimodal.voted import VotedHead
from learners.network_learner import NetworkLearner
from learners.parameters import real_number, true_or_false, whole_number
from learners.tag_matrix import TagMatrix
from learners.training import training_plan

__all__ = ["Claims", "Form", "Multimodal"]

# Pictures whose layers, or nearness to all voters, are held at a time.
_CHUNK = 512


class Form(StrEnum):
    """How tags are read."""

    VOTES = "votes"
    LAYERS = "layers"


class Claims(StrEnum):
    """What votes take an input tag for."""

    AUTO = "auto"
    LABELS = "labels"
    TAGS = "tags"


@dataclass(kw_only=True, eq=False)
class Multimodal(NetworkLearner):
    r"""Score every tag from the stored feature of a picture and the tags it came with.

    A picture that comes with no tags is answered too, by the same learner. How tags are read is
    the `form`:

    - *votes*: the score of a picture without tags is that of :class:`learners.heads.Heads`, in
      closed form. What tags add to it is told by how the training pictures vote, and how they
      vote where those that carry a given tag count for more
      vote where those that a given tag speaks for count for more
      (:class:`learners.multimodal.conditional.ConditionalVotes`).
    - *layers*: the form of Niu et al. The noisy tags, one value each, go through two layers of
      `n_tag_units` and of as many values as the feature has, with :math:`\max(x, 0)`; beside
      the feature they make

      .. math:: f = [f_v, f_t], \quad score(x, t) = w_t \cdot f + b_t ,

      the log-odds of the tag, and the number of tags (:class:`learners.quantity.LabelQuantity`).
      One value more says that a picture has no noisy tag. In training they are left out of a
      share of the pictures, so that the learner answers with and without them.

    A tag that no training picture carries scores :math:`-\log(2n + 1)` everywhere: half a
    picture's odds.

    Parameters
    ----------
    form : {"votes", "layers"}, default="votes"
    claims : {"auto", "labels", "tags"}, default="auto"
        Of the votes: an input tag speaks for the training pictures that carry the label of the
        same place in the vocabulary, whether they came with it or not; or for those that came
        with it. "auto" = labels, where there are as many input tags as labels, else tags.
    n_units : int, default=8192
        Of the votes, at least 1: training pictures that are radial units and voters, at most.
    prior_correction : float, default=0.2
        Of the votes, at least 0: how much rare tags are helped.
    sharpness : float, default=9
        Of the votes, above 0: how fast a vote fades with the distance.
    trust : float, default=0.6
        Of the votes, at least 0: how much a given tag is believed.
    noise : float, default=0.04
        Of the votes, above 0: how often tags are given that are wrong.
    tag_weight : float, default=0.5
        Of the votes, at least 0: how much of what they add is added.
    plan : {"adamw", "niu2017", "niu2017-coco"}, default="adamw"
        Of the layers, as is all that follows but the last two: one of
        :data:`learners.training.PLANS`; its stages tags, classifier and quantity.
    epochs : int or None, default=None
        Of each stage, at most; None = as the plan says.
    learning_rate : float or None, default=None
        Of each stage; None = as the plan says.
    loss : {"logistic", "asymmetric", "softmax", "warp"}, default="logistic"
    hidden : tuple of int, default=()
        Widths of hidden layers between the joint feature and the scores.
    dropout : float, default=0.5
        Of hidden layers in training, in [0, 1).
    n_input_tags : int, default=1000
        Noisy tags that are read, at most: the most frequent ones.
    n_tag_units : int, default=2048
        Width of the first layer behind them.
    tag_dropout : float, default=0.3
        Share of the pictures, in [0, 1), whose tags are left out in training.
    held_out : float, default=0.1
        Share of the pictures, in [0, 1), that say by their MAP which epoch was the best.
    quantity : bool, default=True
        Whether the number of tags is learned.
    seed : int, default=0

    Attributes
    ----------
    counts_ : ndarray of int64, shape (n_tags,)
        Training pictures of each tag.
    n_images_, mean_quantity_ : int, float
        Training pictures, and their mean number of tags.
    head_ : VotedHead, JointHead or None
        None where there was nothing to learn from.

    Notes
    -----
    Answering needs NumPy alone. Where input tags are of the vocabulary that is learned,
    :meth:`rebased` changes both; input tags of another vocabulary, which is one of another size
    for the layers, stay those of the fitting.

    On Corel-5K (five folds of the training split, half of the tags given among wrong ones and
    the others asked) votes have a MiAP of 70.3 with the given tags and of 68.8 without, which is
    that of :class:`learners.heads.Heads`, and a MAP of 52.7 and 50.6. Kernel ridge on features
    and tags together, a network on out-of-fold scores and tags, a pairwise model of tags, and
    voters that carry all of the given tags were not better, alone or beside it.

    The paper has no input for absent tags, leaves pictures without tags out, tells of no dropout
    in the textual layers, and does not standardise. It has 94,570 pictures; on few thousands the
    layers know their own pictures too well for the classifier behind them: on a fold as above
    MiAP is 64.5 with the tags and 64.1 without.

    References
    ----------
    Y. Niu et al., "Multi-Modal Multi-Scale Deep Learning for Large-Scale Image Annotation",
    sections III-B and III-C (the layers).
    """

    name: ClassVar[str] = "multimodal"
    needs: ClassVar[Needs] = Needs.FEATURES | Needs.TAGS

    NIU2017: ClassVar[Mapping[str, Any]] = {"form": "layers", "plan": "niu2017"}
    """The tag network and the joint head as the paper trains them."""

    form: Form = Form.VOTES
    claims: Claims = Claims.AUTO
    n_units: int = Heads.n_units
    prior_correction: float = Heads.prior_correction
    sharpness: float = 9.0
    trust: float = 0.6
    noise: float = 0.04
    tag_weight: float = 0.5
    plan: str = "adamw"
    epochs: int | None = None
    learning_rate: float | None = None
    loss: Loss = Loss.LOGISTIC
    hidden: tuple[int, ...] = JointHead.hidden
    dropout: float = JointHead.dropout
    n_input_tags: int = JointHead.n_input_tags
    n_tag_units: int = JointHead.n_tag_units
    tag_dropout: float = JointHead.tag_dropout
    held_out: float = 0.1
    quantity: bool = True
    seed: int = 0

    head_: VotedHead | JointHead | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.form not in list(Form):
            raise InputError(f"form is {self.form!r}; it is one of {', '.join(Form)}; choose one")
        self.form = Form(self.form)
        if self.claims not in list(Claims):
            raise InputError(
                f"claims is {self.claims!r}; it is one of {', '.join(Claims)}; choose one"
            )
        self.claims = Claims(self.claims)
        losses = [loss for loss in Loss if loss is not Loss.SQUARED]
        if self.loss not in losses:
            raise InputError(f"loss is {self.loss!r}; it is one of {', '.join(losses)}; choose one")
        self.loss = Loss(self.loss)
        if isinstance(self.hidden, str) or not isinstance(self.hidden, list | tuple):
            raise InputError(f"hidden is {self.hidden!r}; it is a list of widths, such as [512]")
        self.hidden = tuple(whole_number("a width of hidden", width) for width in self.hidden)
        for name in ("n_units", "n_input_tags", "n_tag_units"):
            setattr(self, name, whole_number(name, getattr(self, name)))
        for name in ("sharpness", "noise"):
            setattr(self, name, real_number(name, getattr(self, name), above=0))
        for name in ("prior_correction", "trust", "tag_weight"):
            setattr(self, name, real_number(name, getattr(self, name)))
        for name in ("dropout", "tag_dropout", "held_out"):
            if real_number(name, getattr(self, name)) >= 1:
                raise InputError(f"{name} is {getattr(self, name):g}; it is below 1; lower it")
        true_or_false("quantity", self.quantity)
        self._joint_head()
        self._voted_head()

    def params(self) -> dict[str, Any]:
        """Return the hyper-parameters as JSON knows them."""
        return {**super().params(), "hidden": list(self.hidden)}

    def _predict_quantities(self, batch: Batch) -> NDArray[np.float64] | None:
        if self.head_ is None or not self.quantity:
            return None
        quantities = np.empty(batch.n_queries)
        for part in _parts(batch.n_queries):
            features, given = _cut(batch, part)
            quantities[part] = self.head_.quantities(features, given)
        return quantities

    def _joint_head(self) -> JointHead:
        return JointHead(
            plan=training_plan(self.plan).changed(
                seed=self.seed, epochs=self.epochs, learning_rate=self.learning_rate
            ),
            loss=self.loss,
            hidden=self.hidden,
            dropout=self.dropout,
            n_input_tags=self.n_input_tags,
            n_tag_units=self.n_tag_units,
            tag_dropout=self.tag_dropout,
            held_out=self.held_out,
            quantity=self.quantity,
        )

    def _voted_head(self) -> VotedHead:
        return VotedHead(
            n_units=self.n_units,
            prior_correction=self.prior_correction,
            sharpness=self.sharpness,
            trust=self.trust,
            noise=self.noise,
            tag_weight=self.tag_weight,
            quantity=self.quantity,
            seed=self.seed,
        )

    def _fit(self, batch: Batch, tags: TagMatrix) -> None:
        self._count(tags)
        self.head_ = None
        if not tags.n_images or not tags.n_tags:
            return
        features = features_of(batch)
        if self.form is Form.VOTES:
            noisy = self._own_vocabulary(batch.tags, tags)
            self.head_ = self._voted_head().fit(features, noisy, tags, batch.groups, self._report)
            return
        self.head_ = self._joint_head().fit(
            features,
            batch.tags,
            tags,
            batch.groups,
            checkpoints=self._checkpoints,
            on_progress=self._report,
        )

    def _sources(self, batch: Batch) -> dict[str, NDArray[np.float32]]:
        whole = self._predict_scores(batch)
        if batch.tags is None:
            return {"pixels": whole}
        rows = batch.tags.rows
        untold = TagMatrix.from_lists(rows, [()] * len(rows), batch.tags.n_tags)
        pixels = self._predict_scores(replace(batch, tags=untold))
        return {"pixels": pixels, "given tags": whole - pixels}

    def _own_vocabulary(self, noisy: TagMatrix | None, tags: TagMatrix) -> TagMatrix | None:
        """Return the input tags where they do not stand for labels."""
        if noisy is None or self.claims is Claims.TAGS:
            return noisy
        if noisy.n_tags == tags.n_tags:
            return None
        if self.claims is Claims.LABELS:
            raise InputError(
                f"{noisy.n_tags} input tags that are to be claims of {tags.n_tags} labels; as "
                "many of both are accepted; look them up in one vocabulary, or take claims=tags"
            )
        return noisy

    def _predict_scores(self, batch: Batch) -> NDArray[np.float32]:
        scores = np.zeros((batch.n_queries, len(self.counts_)), np.float32)
        if self.head_ is None:
            return scores
        for part in _parts(batch.n_queries):
            features, given = _cut(batch, part)
            scores[part] = self.head_.scores_of(features, given)
        scores[:, self.counts_ == 0] = -np.log(2 * self.n_images_ + 1)
        return scores

    def _rebase(self, tags: TagMatrix, columns: NDArray[np.int64]) -> None:
        head = self.head_
        if isinstance(head, JointHead):
            reads_the_same = head.n_read == len(self.counts_)
            head = head.taking(columns)
            self.head_ = head.reading(columns) if reads_the_same else head
        elif head is not None:
            self.head_ = head.taking(tags, columns)
        self.counts_ = np.append(self.counts_, 0)[columns]

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        facts = np.array([self.n_images_, self.mean_quantity_, self.head_ is not None])
        learned = {} if self.head_ is None else self.head_.to_arrays()
        return {"counts": self.counts_, "facts": facts, **learned}

    def _restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        self.counts_ = np.asarray(arrays["counts"], dtype=np.int64)
        facts = np.asarray(arrays["facts"], dtype=np.float64)
        self.n_images_, self.mean_quantity_ = int(facts[0]), float(facts[1])
        if not facts[2]:
            self.head_ = None
        elif self.form is Form.VOTES:
            self.head_ = self._voted_head().restore(arrays)
        else:
            self.head_ = self._joint_head().restore(arrays, reads_tags=True)


def _parts(n_images: int) -> list[range]:
    return [range(start, min(start + _CHUNK, n_images)) for start in range(0, n_images, _CHUNK)]


def _cut(batch: Batch, part: range) -> tuple[NDArray[np.float32], TagMatrix | None]:
    given = None if batch.tags is None else batch.tags.take(part)
    return features_of(batch)[part.start : part.stop], given
