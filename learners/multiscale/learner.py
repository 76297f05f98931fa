"""The learner that trains a multi-scale network on pictures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from indexing.extractors.compiled import CompiledExtractor
from indexing.extractors.export import export
from indexing.pixels import Framing
from learners.base import Batch, Needs
from learners.losses import Loss, asymmetric_loss, loss_function
from learners.multimodal.joint import JointHead
from learners.multiscale.classifiers import Classifier, FeatureHead, LinearHead, RadialHead
from learners.multiscale.exported import ExportedNetwork
from learners.multiscale.names import framing_of
from learners.network_learner import NetworkLearner
from learners.parameters import real_number, true_or_false, whole_number
from learners.tag_matrix import TagMatrix
from learners.training import Augmentation, Precision, TrainingPlan, training_plan

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["MSCNN"]


@dataclass(kw_only=True, eq=False)
class MSCNN(NetworkLearner):
    r"""Score every tag from the pixels of a picture, by a network that fuses its scales.

    The backbone's maps are fused as :class:`learners.multiscale.network.MultiScaleTower`
    tells, and averaged over the picture: the visual feature. Behind it stand the means of the
    maps of all stages of the backbone, as they were before training. `classifier` makes of that
    the log-odds of each tag, and :class:`learners.quantity.LabelQuantity` the number of tags.
    Training has the stages of :class:`learners.training.TrainingPlan`: the backbone (its last
    `n_trained_scales`), the fusion blocks behind the frozen backbone, then classifier and
    quantity on the features. A tag that no training picture carries scores
    :math:`-\log(2n + 1)` everywhere: half a picture's odds.

    Parameters
    ----------
    backbone : str, default="efficientnet-lite2"
        That, ``efficientnet-lite0`` or ``timm:NAME[@CHECKPOINT]``; the paper's is
        ``timm:resnet101``.
    size : int or None, default=None
        Side of the squares that :attr:`framing` asks for; None = that of the backbone's own
        training.
    pretrained : bool, default=True
        Whether the backbone begins with its weights; else they are drawn.
    fusion : bool, default=True
        False = the plain network: the mean of the last maps.
    n_trained_scales : int or None, default=0
        The backbone's last scales that are fine-tuned; 0 = none, None = all, as in the paper.
    classifier : {"radial", "linear"}, default="radial"
        What makes scores of the feature. Radial: the closed form of
        :class:`learners.heads.Heads`. Linear: the paper's, trained, on the visual feature alone.
    prior_correction : float, default=0.2
        Of the radial one; as :class:`learners.heads.Heads` takes it.
    views : int, default=2
        Views of each training picture whose maps of the frozen scales are kept on disk while
        the others are trained: as it is, mirrored, and drawn. Only those are trained on. 0 =
        none are kept: the whole network runs every time, on pictures that are drawn anew.
    plan : {"adamw", "niu2017", "niu2017-coco"}, default="adamw"
        Of :data:`learners.training.PLANS`.
    epochs : int or None, default=None
        Of each stage, at most; None = as the plan says.
    learning_rate : float or None, default=None
        Of each stage; None = as the plan says.
    loss : {"asymmetric", "logistic", "softmax", "warp"}, default="asymmetric"
    gamma_negative, margin : float, default=4, 0.05
        Of the asymmetric loss (:func:`learners.losses.asymmetric_loss`).
    dropout : float, default=0.3
        Of the visual feature, in the training of the network; in [0, 1).
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
    head_ : RadialHead, LinearHead or None

    Notes
    -----
    Pictures are squares of any one size, the same in answering as in training. The network is
    exported once; answering needs OpenVINO and NumPy, no torch. Classifier and quantity are
    trained on the features of the exported network, whose arithmetic is that of answering.

    What is frozen runs once a view of a picture, on the CPU; its maps lie on disk as float16
    while the rest is trained, unless they take more than half of what is free there. They are
    deleted when the stage is done.

    On two folds of the training split of Corel-5K (900 pictures asked, 3,600 trained on) neither
    part pays for certain. The means of the stages of the frozen network give C-F1@5 46.3 and
    45.7, MAP 54.5 and 54.6; fusion blocks that were trained for 8 and 5 epochs, 46.3 and 45.3,
    55.0 and 54.5; the last stage fine-tuned for 8 epochs without fusion, on the first fold, 47.0
    and 54.9. Paired 95 % intervals of all these differences hold 0. What pays is that the stages
    are pooled (without them MAP 52.7) and the closed form (the linear classifier that is trained
    with the blocks: MAP 45). Where time matters, :class:`learners.heads.Heads` on stored
    features is the same without fusion and fine-tuning, in seconds.

    References
    ----------
    Y. Niu et al., "Multi-Modal Multi-Scale Deep Learning for Large-Scale Image Annotation".
    """

    name: ClassVar[str] = "mscnn"
    needs: ClassVar[Needs] = Needs.PIXELS

    NIU2017: ClassVar[Mapping[str, Any]] = {
        "backbone": "timm:resnet101",
        "size": 224,
        "n_trained_scales": None,
        "classifier": "linear",
        "plan": "niu2017",
        "loss": "logistic",
        "dropout": 0.0,
        "views": 0,
    }
    """The network of the paper and its training: all of ResNet-101 is fine-tuned."""

    backbone: str = "efficientnet-lite2"
    size: int | None = None
    pretrained: bool = True
    fusion: bool = True
    n_trained_scales: int | None = 0
    classifier: Classifier = Classifier.RADIAL
    prior_correction: float = 0.2
    views: int = 2
    plan: str = "adamw"
    epochs: int | None = None
    learning_rate: float | None = None
    loss: Loss = Loss.ASYMMETRIC
    gamma_negative: float = 4.0
    margin: float = 0.05
    dropout: float = 0.3
    flips: bool = True
    crop: float = 0.3
    precision: Precision = Precision.MIXED
    held_out: float = 0.1
    quantity: bool = True
    seed: int = 0

    network_: ExportedNetwork | None = field(init=False, repr=False)
    head_: FeatureHead | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        losses = [loss for loss in Loss if loss is not Loss.SQUARED]
        for name, choices in (
            ("loss", losses),
            ("precision", list(Precision)),
            ("classifier", list(Classifier)),
        ):
            given = getattr(self, name)
            if given not in choices:
                raise InputError(
                    f"{name} is {given!r}; it is one of {', '.join(choices)}; choose one"
                )
        self.loss, self.precision = Loss(self.loss), Precision(self.precision)
        self.classifier = Classifier(self.classifier)
        for name in ("pretrained", "fusion", "quantity"):
            true_or_false(name, getattr(self, name))
        if self.size is not None:
            whole_number("size", self.size)
        if self.n_trained_scales is not None:
            whole_number("n_trained_scales", self.n_trained_scales, 0)
        for name in ("held_out", "dropout", "margin"):
            if real_number(name, getattr(self, name)) >= 1:
                raise InputError(f"{name} is {getattr(self, name):g}; it is below 1; lower it")
        if 0 < real_number("gamma_negative", self.gamma_negative) < 1:
            raise InputError(
                f"gamma_negative is {self.gamma_negative:g}; it is 0, or at least 1; change it"
            )
        real_number("prior_correction", self.prior_correction)
        Augmentation(flips=self.flips, crop=self.crop)
        whole_number("views", self.views, 0)
        self._plan()
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

    @property
    def framing(self) -> Framing:
        """How pictures become the squares that the learner sees.

        Raises
        ------
        InputError, ArtifactError, MissingDependencyError
            If there is no such backbone.
        """
        if getattr(self, "network_", None) is not None:
            return self._open().framing
        framing = framing_of(self.backbone)
        return framing if self.size is None else replace(framing, size=self.size)

    def _predict_quantities(self, batch: Batch) -> NDArray[np.float64] | None:
        return None if self.head_ is None else self.head_.quantities(self._features(batch))

    def _plan(self) -> TrainingPlan:
        return training_plan(self.plan).changed(
            seed=self.seed, epochs=self.epochs, learning_rate=self.learning_rate
        )

    def _head(self, blocks: tuple[int, ...]) -> FeatureHead:
        plan = self._plan()
        if self.classifier is Classifier.RADIAL:
            return RadialHead(
                blocks=blocks,
                prior_correction=self.prior_correction,
                seed=self.seed,
                quantity=plan.quantity if self.quantity else None,
                held_out=self.held_out,
            )
        return LinearHead(
            JointHead(plan=plan, loss=self.loss, held_out=self.held_out, quantity=self.quantity)
        )

    def _loss(self) -> "Callable[[Tensor, Tensor], Tensor]":
        if self.loss is Loss.ASYMMETRIC:
            return partial(asymmetric_loss, gamma_negative=self.gamma_negative, margin=self.margin)
        return loss_function(self.loss)

    def _fit(self, batch: Batch, tags: TagMatrix) -> None:
        self._count(tags)
        self.network_, self.head_, self._opened = None, None, None
        if not tags.n_images or not tags.n_tags:
            return
        from learners.multiscale.backbones import open_backbone
        from learners.multiscale.training import train_multiscale

        pixels = _pixels(batch)
        network = train_multiscale(
            open_backbone(self.backbone, pretrained=self.pretrained, seed=self.seed),
            pixels,
            tags,
            plan=self._plan(),
            loss=self._loss(),
            fusion=self.fusion,
            pools_stages=self.classifier is Classifier.RADIAL,
            n_trained_scales=self.n_trained_scales,
            augmentation=Augmentation(flips=self.flips, crop=self.crop),
            n_views=self.views,
            dropout=self.dropout,
            held_out=self.held_out,
            groups=batch.groups,
            precision=self.precision,
            checkpoints=self._checkpoints,
            on_progress=self._report,
        )
        self.network_ = ExportedNetwork.of(network)
        opened = self._open()
        self._report("features of the trained network", 0, 0)
        self.head_ = self._head(opened.blocks).fit(
            opened.extract(pixels),
            tags,
            batch.groups,
            checkpoints=self._checkpoints,
            on_progress=self._report,
        )

    def _features(self, batch: Batch) -> NDArray[np.float32]:
        return self._open().extract(_pixels(batch))

    def _predict_scores(self, batch: Batch) -> NDArray[np.float32]:
        if self.head_ is None:
            return np.zeros((batch.n_queries, len(self.counts_)), np.float32)
        scores = self.head_.scores(self._features(batch))
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
        self.head_ = None if self.head_ is None else self.head_.taking(tags, columns)

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
            self.head_ = self._head(self.network_.spec.blocks).restore(arrays)


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
