"""What answers behind the features: textual feature, classifier and label quantity."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from learners.base import Progress
from learners.dense import DenseLayers, Standardization, dense_network, trained_layers
from learners.losses import Loss, loss_function
from learners.multimodal.textual import TagInput, TextualFeature
from learners.quantity import LabelQuantity
from learners.tag_matrix import TagMatrix
from learners.training import Examples, TrainingPlan, TrainingSettings, hold_out, seeded, train

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["JointExamples", "JointHead"]


class JointExamples:
    """Visual features beside what tags say, which is left out of some pictures each time.

    Parameters
    ----------
    visual : ndarray of float32, shape (n_images, n_visual)
    textual : ndarray of float32, shape (n_images, n_textual)
    absent : ndarray of float32, shape (n_textual,)
        What takes its place where tags are left out.
    targets : ndarray of bool, shape (n_images, n_tags)
    tag_dropout : float
        How probable that is, in [0, 1).
    """

    def __init__(
        self,
        visual: NDArray[np.float32],
        textual: NDArray[np.float32],
        absent: NDArray[np.float32],
        targets: NDArray[np.bool_],
        tag_dropout: float,
    ) -> None:
        self._visual, self._textual, self._absent = visual, textual, absent
        self._targets, self._tag_dropout = targets, tag_dropout

    @property
    def n_images(self) -> int:
        """Number of pictures."""
        return len(self._targets)

    def batch(
        self, positions: NDArray[np.int64], rng: np.random.Generator | None
    ) -> tuple[tuple["Tensor", ...], "Tensor"]:
        """Return some of the pictures; see :meth:`learners.training.Examples.batch`."""
        import torch

        textual = self._textual[positions]
        if rng is not None:
            dropped = rng.random(len(positions)) < self._tag_dropout
            textual[dropped] = self._absent
        inputs = np.concatenate([self._visual[positions], textual], axis=1)
        targets = self._targets[positions].astype(np.float32)
        return (torch.from_numpy(inputs),), torch.from_numpy(targets)


@dataclass(kw_only=True, eq=False)
class JointHead:
    r"""Scores and quantities from a visual feature, and from noisy tags where they are read.

    With :math:`f_v` the visual and :math:`f_t` the textual feature, as wide as it, the
    classifier and the quantity see :math:`f = [f_v, f_t]`, standardised. The textual layers
    are trained first, behind a classifier of their own that is thrown away.

    Parameters
    ----------
    plan : TrainingPlan
    loss : Loss
    held_out : float
        Share of the pictures, in [0, 1), that say which epoch was the best.
    quantity : bool
        Whether the number of tags is learned.
    hidden : tuple of int, default=()
        Widths of the classifier's hidden layers.
    dropout : float, default=0.5
        Of hidden layers, in [0, 1).
    n_input_tags : int, default=1000
        Noisy tags that are read, at most: the most frequent ones.
    n_tag_units : int, default=2048
        Width of the first textual layer.
    tag_dropout : float, default=0.3
        Share of the pictures, in [0, 1), whose tags are left out in training.

    Attributes
    ----------
    inputs_ : Standardization
    textual_ : TextualFeature or None
        None where no tags are read.
    classifier_ : DenseLayers
    quantity_ : LabelQuantity or None

    References
    ----------
    Y. Niu et al., "Multi-Modal Multi-Scale Deep Learning for Large-Scale Image Annotation",
    sections III-B to III-D.
    """

    plan: TrainingPlan
    loss: Loss
    held_out: float
    quantity: bool
    hidden: tuple[int, ...] = ()
    dropout: float = 0.5
    n_input_tags: int = 1_000
    n_tag_units: int = 2_048
    tag_dropout: float = 0.3

    inputs_: Standardization = field(init=False, repr=False)
    textual_: TextualFeature | None = field(init=False, repr=False, default=None)
    classifier_: DenseLayers = field(init=False, repr=False)
    quantity_: LabelQuantity | None = field(init=False, repr=False, default=None)

    def fit(
        self,
        visual: NDArray[np.float32],
        noisy: TagMatrix | None,
        tags: TagMatrix,
        groups: NDArray[np.int64] | None = None,
        *,
        checkpoints: Path | None = None,
        on_progress: Progress | None = None,
    ) -> Self:
        """Learn from one picture or more, and one tag or more.

        Parameters
        ----------
        visual : ndarray of float32, shape (n_images, n_visual)
        noisy : TagMatrix or None
            The tags that the pictures came with; None = tags are not read.
        tags : TagMatrix
            The tags that are to be learned.
        groups : ndarray of int64, shape (n_images,), optional
            As :func:`learners.training.hold_out` takes them.
        checkpoints, on_progress
            As :func:`learners.training.train` takes them.
        """
        present = tags.toarray()  # (n_images, n_tags)
        prior = (tags.counts + 0.5) / (tags.n_images + 1)
        start = np.log(prior / (1 - prior)).astype(np.float32)
        aside = hold_out(tags.n_images, self.held_out, self.plan.classifier.seed, groups)

        def trained(
            stage: str,
            settings: TrainingSettings,
            hidden: tuple[int, ...],
            visual: NDArray[np.float32],
            textual: NDArray[np.float32],
            absent: NDArray[np.float32],
        ) -> DenseLayers:
            def examples(chosen: NDArray[np.bool_]) -> Examples:
                return JointExamples(
                    visual[chosen], textual[chosen], absent, present[chosen], self.tag_dropout
                )

            with seeded(settings.seed):
                n_in = visual.shape[1] + textual.shape[1]
                network = dense_network(n_in, hidden, start, dropout=self.dropout)
            train(
                network,
                examples(~aside),
                loss_function(self.loss),
                settings,
                held_out=examples(aside) if aside.any() else None,
                checkpoints=checkpoints,
                stage=stage,
                on_progress=on_progress,
            )
            return trained_layers(network)

        textual = np.zeros((len(visual), 0), np.float32)
        absent = np.zeros(0, np.float32)
        self.textual_, self.quantity_ = None, None
        if noisy is not None:
            chosen = TagInput.of(noisy, self.n_input_tags)
            given = chosen(noisy)  # (n_images, n_values)
            widths = (self.n_tag_units, visual.shape[1])
            layers = trained("tags", self.plan.tags, widths, textual, given, chosen.nothing)
            self.textual_ = TextualFeature(
                chosen, DenseLayers(layers.weights[:2], layers.biases[:2])
            )
            textual = self.textual_(given)  # (n_images, n_visual)
            absent = self.textual_(chosen.nothing[None])[0]
        self.inputs_ = Standardization.of(np.concatenate([visual, textual], axis=1))
        standard = self.inputs_(np.concatenate([visual, textual], axis=1))
        of_none = self.inputs_(np.concatenate([visual[0], absent])[None])[0]
        n_visual = visual.shape[1]
        self.classifier_ = trained(
            "classifier",
            self.plan.classifier,
            self.hidden,
            standard[:, :n_visual],
            standard[:, n_visual:],
            of_none[n_visual:],
        )
        if self.quantity:
            # Drawn once: quantities have no use for many guises of a picture.
            rng = np.random.default_rng(self.plan.quantity.seed)
            textual[rng.random(len(textual)) < self.tag_dropout] = absent
            self.quantity_ = self._quantity().fit(
                np.concatenate([visual, textual], axis=1),
                np.diff(tags.indptr),
                groups,
                checkpoints=checkpoints,
                on_progress=on_progress,
            )
        return self

    def joined(self, visual: NDArray[np.float32], noisy: TagMatrix | None) -> NDArray[np.float32]:
        """Return visual and textual features, float32 (n_images, n_dims).

        Raises
        ------
        InputError
            If the tags are of another vocabulary than those of the fitting.
        """
        if self.textual_ is None or noisy is None:
            return visual
        return np.concatenate([visual, self.textual_(self.textual_.tags(noisy))], axis=1)

    def scores(self, joined: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return log-odds, float32 (n_images, n_tags), of what :meth:`joined` returns.

        Raises
        ------
        InputError
            If the features are of another width than those of the fitting.
        """
        return self.classifier_(self.inputs_(joined)).astype(np.float32, copy=False)

    def scores_of(
        self, visual: NDArray[np.float32], noisy: TagMatrix | None
    ) -> NDArray[np.float32]:
        """Return log-odds, float32 (n_images, n_tags), of features and the tags beside them.

        Raises
        ------
        InputError
            As :meth:`joined` and :meth:`scores`.
        """
        return self.scores(self.joined(visual, noisy))

    def quantities(
        self, visual: NDArray[np.float32], noisy: TagMatrix | None
    ) -> NDArray[np.float64]:
        """Return the number of tags, unrounded, float64 (n_images,), where it was learned.

        Raises
        ------
        NotFittedError
            If it was not.
        InputError
            As :meth:`joined`, and if the features are of another width.
        """
        quantity = self._quantity() if self.quantity_ is None else self.quantity_
        return quantity.predict(self.joined(visual, noisy))

    @property
    def n_read(self) -> int:
        """Size of the vocabulary of the tags that are read; 0 where none are."""
        return 0 if self.textual_ is None else self.textual_.tags.n_tags

    def reading(self, columns: NDArray[np.int64]) -> "JointHead":
        """Return a head that reads tags of another vocabulary; -1 = a tag that is not read.

        Parameters
        ----------
        columns : ndarray of int64, shape (n_tags,)
            Which tag of the present vocabulary each tag of the other one is.
        """
        other = copy.copy(self)
        other.textual_ = None if self.textual_ is None else self.textual_.reading(columns)
        return other

    def taking(self, columns: NDArray[np.int64]) -> "JointHead":
        """Return a head with some of the tags, -1 = one that always scores 0."""
        other = copy.copy(self)
        other.classifier_ = self.classifier_.taking(columns)
        return other

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return what was learned, ready for ``numpy.savez``."""
        return {
            "mean": self.inputs_.mean,
            "scale": self.inputs_.scale,
            **self.classifier_.to_arrays("classifier_"),
            **({} if self.textual_ is None else self.textual_.to_arrays()),
            **({} if self.quantity_ is None else self.quantity_.to_arrays("quantity_")),
        }

    def restore(self, arrays: Mapping[str, NDArray[np.generic]], *, reads_tags: bool) -> Self:
        """Take back what :meth:`to_arrays` returned.

        Raises
        ------
        KeyError
            If an array is missing.
        """
        mean, scale = (np.asarray(arrays[name], np.float32) for name in ("mean", "scale"))
        self.inputs_ = Standardization(mean, scale)
        self.classifier_ = DenseLayers.from_arrays(arrays, "classifier_", len(self.hidden) + 1)
        self.textual_ = TextualFeature.from_arrays(arrays) if reads_tags else None
        self.quantity_ = None
        if self.quantity:
            self.quantity_ = self._quantity()
            self.quantity_.restore(arrays, "quantity_")
        return self

    def _quantity(self) -> LabelQuantity:
        return LabelQuantity(training=self.plan.quantity, held_out=self.held_out)
