"""The learner that reads stored features and the noisy tags that pictures came with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.base import Batch, Needs
from learners.batch import features_of
from learners.losses import Loss
from learners.multimodal.joint import JointHead
from learners.network_learner import NetworkLearner
from learners.parameters import real_number, true_or_false, whole_number
from learners.tag_matrix import TagMatrix
from learners.training import training_plan

__all__ = ["Multimodal"]

# Pictures whose layers are held at a time.
_CHUNK = 4_096


@dataclass(kw_only=True, eq=False)
class Multimodal(NetworkLearner):
    r"""Score every tag from the stored feature of a picture and the noisy tags it came with.

    The noisy tags, one value each, go through two layers of `n_tag_units` and of as many
    values as the feature has, with :math:`\max(x, 0)`; beside the feature they make

    .. math:: f = [f_v, f_t], \quad score(x, t) = w_t \cdot f + b_t ,

    the log-odds of the tag, and the number of tags (:class:`learners.quantity.LabelQuantity`).
    One value more says that a picture has no noisy tag. In training they are left out of a
    share of the pictures, so that the same learner answers with and without them. A tag that
    no training picture carries scores :math:`-\log(2n + 1)` everywhere: half a picture's odds.

    Parameters
    ----------
    plan : {"adamw", "niu2017", "niu2017-coco"}, default="adamw"
        Of :data:`learners.training.PLANS`; its stages tags, classifier and quantity.
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
    head_ : JointHead or None
        None where there was nothing to learn from.

    Notes
    -----
    Answering needs NumPy alone. Input tags are of the vocabulary that the learner was fitted
    with, also after :meth:`rebased`, which changes what is scored and not what is read. The
    paper has no input for absent tags, leaves pictures without tags out, tells of no dropout
    in the textual layers, and does not standardise. It has 94,570 pictures; on few thousands
    the textual layers know their own pictures too well for the classifier behind them: on a
    fold of Corel-5K's training split, half of the tags given among wrong ones and the others
    asked, MiAP is 64.5 with the tags, 64.1 without, and 69.6 of :class:`learners.heads.Heads`.

    References
    ----------
    Y. Niu et al., "Multi-Modal Multi-Scale Deep Learning for Large-Scale Image Annotation",
    sections III-B and III-C.
    """

    name: ClassVar[str] = "multimodal"
    needs: ClassVar[Needs] = Needs.FEATURES | Needs.TAGS

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

    head_: JointHead | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        losses = [loss for loss in Loss if loss is not Loss.SQUARED]
        if self.loss not in losses:
            raise InputError(f"loss is {self.loss!r}; it is one of {', '.join(losses)}; choose one")
        self.loss = Loss(self.loss)
        if isinstance(self.hidden, str) or not isinstance(self.hidden, list | tuple):
            raise InputError(f"hidden is {self.hidden!r}; it is a list of widths, such as [512]")
        self.hidden = tuple(whole_number("a width of hidden", width) for width in self.hidden)
        self.n_input_tags = whole_number("n_input_tags", self.n_input_tags)
        self.n_tag_units = whole_number("n_tag_units", self.n_tag_units)
        for name in ("dropout", "tag_dropout", "held_out"):
            if real_number(name, getattr(self, name)) >= 1:
                raise InputError(f"{name} is {getattr(self, name):g}; it is below 1; lower it")
        true_or_false("quantity", self.quantity)
        self._head()

    def params(self) -> dict[str, Any]:
        """Return the hyper-parameters as JSON knows them."""
        return {**super().params(), "hidden": list(self.hidden)}

    def _predict_quantities(self, batch: Batch) -> NDArray[np.float64] | None:
        if self.head_ is None or self.head_.quantity_ is None:
            return None
        quantities = np.empty(batch.n_queries)
        for part in _parts(batch.n_queries):
            quantities[part] = self.head_.quantity_.predict(self._joined(batch, part))
        return quantities

    def _head(self) -> JointHead:
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

    def _fit(self, batch: Batch, tags: TagMatrix) -> None:
        self._count(tags)
        self.head_ = None
        if not tags.n_images or not tags.n_tags:
            return
        self.head_ = self._head().fit(
            features_of(batch),
            batch.tags,
            tags,
            batch.groups,
            checkpoints=self._checkpoints,
            on_progress=self._report,
        )

    def _predict_scores(self, batch: Batch) -> NDArray[np.float32]:
        scores = np.zeros((batch.n_queries, len(self.counts_)), np.float32)
        if self.head_ is None:
            return scores
        for part in _parts(batch.n_queries):
            scores[part] = self.head_.scores(self._joined(batch, part))
        scores[:, self.counts_ == 0] = -np.log(2 * self.n_images_ + 1)
        return scores

    def _joined(self, batch: Batch, part: range) -> NDArray[np.float32]:
        noisy = None if batch.tags is None else batch.tags.take(part)
        features = features_of(batch)[part.start : part.stop]
        return features if self.head_ is None else self.head_.joined(features, noisy)

    def _rebase(self, tags: TagMatrix, columns: NDArray[np.int64]) -> None:
        self.counts_ = np.append(self.counts_, 0)[columns]
        self.head_ = None if self.head_ is None else self.head_.taking(columns)

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        facts = np.array([self.n_images_, self.mean_quantity_, self.head_ is not None])
        learned = {} if self.head_ is None else self.head_.to_arrays()
        return {"counts": self.counts_, "facts": facts, **learned}

    def _restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        self.counts_ = np.asarray(arrays["counts"], dtype=np.int64)
        facts = np.asarray(arrays["facts"], dtype=np.float64)
        self.n_images_, self.mean_quantity_ = int(facts[0]), float(facts[1])
        self.head_ = self._head().restore(arrays, reads_tags=True) if facts[2] else None


def _parts(n_images: int) -> list[range]:
    return [range(start, min(start + _CHUNK, n_images)) for start in range(0, n_images, _CHUNK)]
