"""The learner that trains a multi-scale network on pictures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from indexing.extractors.compiled import CompiledExtractor
from indexing.extractors.export import export
from learners.base import Batch, Needs
from learners.losses import Loss
from learners.multimodal.joint import JointHead
from learners.multiscale.exported import ExportedNetwork
from learners.network_learner import NetworkLearner
from learners.parameters import real_number, true_or_false, whole_number
from learners.tag_matrix import TagMatrix
from learners.training import Augmentation, Precision, training_plan

__all__ = ["MSCNN"]


@dataclass(kw_only=True, eq=False)
class MSCNN(NetworkLearner):
    r"""Score every tag from the pixels of a picture, by a network that fuses its scales.

    The backbone's maps are fused as :class:`learners.multiscale.network.MultiScaleTower`
    tells, and averaged over the picture: the visual feature. A linear classifier makes of it
    the log-odds of each tag, and :class:`learners.quantity.LabelQuantity` the number of tags.
    Training has the stages of :class:`learners.training.TrainingPlan`: the backbone (its last
    `n_trained_scales`), the fusion blocks behind the frozen backbone, then classifier and
    quantity on the features. A tag that no training picture carries scores
    :math:`-\log(2n + 1)` everywhere: half a picture's odds.

    Parameters
    ----------
    backbone : str, default="efficientnet-lite0"
        That, ``efficientnet-lite2`` or ``timm:NAME[@CHECKPOINT]``; the paper's is
        ``timm:resnet101``.
    pretrained : bool, default=True
        Whether the backbone begins with its weights; else they are drawn.
    fusion : bool, default=True
        False = the plain network: the mean of the last maps.
    n_trained_scales : int or None, default=1
        The backbone's last scales that are fine-tuned; 0 = none, None = all, as in the paper.
    plan : {"adamw", "niu2017", "niu2017-coco"}, default="adamw"
        Of :data:`learners.training.PLANS`.
    epochs : int or None, default=None
        Of each stage, at most; None = as the plan says.
    learning_rate : float or None, default=None
        Of each stage; None = as the plan says.
    loss : {"logistic", "asymmetric", "softmax", "warp"}, default="logistic"
    flips, crop : default=True, 0.3
        As :class:`learners.training.Augmentation` takes them.
    precision : {"mixed", "full"}, default="mixed"
        Arithmetic of the training of the network.
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
    network_ : ExportedNetwork or None
        Gives the visual feature; None where there was nothing to learn from.
    head_ : JointHead or None

    Notes
    -----
    Pictures are squares of any one size, the same in answering as in training. The network is
    exported once; answering needs OpenVINO and NumPy, no torch. Classifier and quantity are
    trained on the features of the exported network, whose arithmetic is that of answering.

    References
    ----------
    Y. Niu et al., "Multi-Modal Multi-Scale Deep Learning for Large-Scale Image Annotation".
    """

    name: ClassVar[str] = "mscnn"
    needs: ClassVar[Needs] = Needs.PIXELS

    backbone: str = "efficientnet-lite0"
    pretrained: bool = True
    fusion: bool = True
    n_trained_scales: int | None = 1
    plan: str = "adamw"
    epochs: int | None = None
    learning_rate: float | None = None
    loss: Loss = Loss.LOGISTIC
    flips: bool = True
    crop: float = 0.3
    precision: Precision = Precision.MIXED
    held_out: float = 0.1
    quantity: bool = True
    seed: int = 0

    network_: ExportedNetwork | None = field(init=False, repr=False)
    head_: JointHead | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        losses = [loss for loss in Loss if loss is not Loss.SQUARED]
        for name, choices in (("loss", losses), ("precision", list(Precision))):
            given = getattr(self, name)
            if given not in choices:
                raise InputError(
                    f"{name} is {given!r}; it is one of {', '.join(choices)}; choose one"
                )
        self.loss, self.precision = Loss(self.loss), Precision(self.precision)
        for name in ("pretrained", "fusion", "quantity"):
            true_or_false(name, getattr(self, name))
        if self.n_trained_scales is not None:
            whole_number("n_trained_scales", self.n_trained_scales, 0)
        if real_number("held_out", self.held_out) >= 1:
            raise InputError(f"held_out is {self.held_out:g}; it is below 1; lower it")
        Augmentation(flips=self.flips, crop=self.crop)
        self._head()
        self._opened: CompiledExtractor | None = None

    def extractor(self) -> CompiledExtractor:
        """Return what makes the visual feature of pictures.

        Raises
        ------
        NotFittedError
            If the learner has not been fitted.
        InputError
            If there was nothing to learn from.
        ArtifactError
            If the folder of compiled networks cannot be written.
        """
        self._check_fitted()
        return self._open()

    def export(self, folder: Path) -> None:
        """Write the network into a folder that opens as the extractor ``compiled:PATH``.

        So its visual feature can be indexed, and neighbours improve with it.

        Parameters
        ----------
        folder : Path
            Must not exist, or be empty.

        Raises
        ------
        NotFittedError, InputError, ArtifactError
            As :meth:`extractor`; InputError also where the folder has content.
        """
        export(self.extractor(), folder)

    def _predict_quantities(self, batch: Batch) -> NDArray[np.float64] | None:
        if self.head_ is None or self.head_.quantity_ is None:
            return None
        return self.head_.quantity_.predict(self._open().extract(_pixels(batch)))

    def _head(self) -> JointHead:
        return JointHead(
            plan=training_plan(self.plan).changed(
                seed=self.seed, epochs=self.epochs, learning_rate=self.learning_rate
            ),
            loss=self.loss,
            held_out=self.held_out,
            quantity=self.quantity,
        )

    def _fit(self, batch: Batch, tags: TagMatrix) -> None:
        self._count(tags)
        self.network_, self.head_, self._opened = None, None, None
        if not tags.n_images or not tags.n_tags:
            return
        from learners.multiscale.backbones import open_backbone
        from learners.multiscale.training import train_multiscale

        pixels, head = _pixels(batch), self._head()
        network = train_multiscale(
            open_backbone(self.backbone, pretrained=self.pretrained, seed=self.seed),
            pixels,
            tags,
            plan=head.plan,
            loss=self.loss,
            fusion=self.fusion,
            n_trained_scales=self.n_trained_scales,
            augmentation=Augmentation(flips=self.flips, crop=self.crop),
            held_out=self.held_out,
            groups=batch.groups,
            precision=self.precision,
            checkpoints=self._checkpoints,
            on_progress=self._report,
        )
        self.network_ = ExportedNetwork.of(network)
        self.head_ = head.fit(
            self._open().extract(pixels),
            None,
            tags,
            batch.groups,
            checkpoints=self._checkpoints,
            on_progress=self._report,
        )

    def _predict_scores(self, batch: Batch) -> NDArray[np.float32]:
        if self.head_ is None:
            return np.zeros((batch.n_queries, len(self.counts_)), np.float32)
        scores = self.head_.scores(self._open().extract(_pixels(batch)))
        scores[:, self.counts_ == 0] = -np.log(2 * self.n_images_ + 1)
        return scores

    def _open(self) -> CompiledExtractor:
        if self.network_ is None:
            raise InputError(
                "the learner 'mscnn' was fitted on nothing and has no network; one tagged picture "
                "at least is accepted; fit it on more"
            )
        if self._opened is None:
            self._opened = self.network_.open(f"multi-scale {self.backbone}")
        return self._opened

    def _rebase(self, tags: TagMatrix, columns: NDArray[np.int64]) -> None:
        self.counts_ = np.append(self.counts_, 0)[columns]
        self.head_ = None if self.head_ is None else self.head_.taking(columns)

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        facts = np.array([self.n_images_, self.mean_quantity_, self.head_ is not None])
        arrays: dict[str, NDArray[np.generic]] = {"counts": self.counts_, "facts": facts}
        if self.network_ is not None and self.head_ is not None:
            arrays |= {**self.network_.to_arrays("network_"), **self.head_.to_arrays()}
        return arrays

    def _restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        self.counts_ = np.asarray(arrays["counts"], dtype=np.int64)
        facts = np.asarray(arrays["facts"], dtype=np.float64)
        self.n_images_, self.mean_quantity_ = int(facts[0]), float(facts[1])
        self.network_, self.head_ = None, None
        if facts[2]:
            self.network_ = ExportedNetwork.from_arrays(arrays, "network_")
            self.head_ = self._head().restore(arrays, reads_tags=False)


def _pixels(batch: Batch) -> NDArray[np.uint8]:
    """Return the pixels of a batch, uint8 (n_queries, size, size, 3)."""
    pixels = np.asarray(batch.pixels)
    square = pixels.ndim == 4 and pixels.shape[1] == pixels.shape[2] and pixels.shape[3] == 3
    if not square or pixels.dtype != np.uint8:
        raise InputError(
            f"pixels are {pixels.dtype} {pixels.shape}; uint8 (n_images, size, size, 3) is "
            "accepted; decode pictures with indexing.pixels.decode"
        )
    return pixels
