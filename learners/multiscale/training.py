"""The stages that train a multi-scale network: backbone, then fusion blocks; torch inside."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from indexing.extractors.modules import Network, PixelNetwork, assemble
from indexing.pixels import Framing
from learners.base import Progress
from learners.losses import Loss, loss_function
from learners.multiscale.backbones import Backbone
from learners.multiscale.network import MultiScaleTower
from learners.tag_matrix import TagMatrix
from learners.training import (
    Augmentation,
    PixelExamples,
    Precision,
    TrainingPlan,
    hold_out,
    seeded,
    train,
)

__all__ = ["train_multiscale"]


def train_multiscale(
    backbone: Backbone,
    pixels: NDArray[np.uint8],
    tags: TagMatrix,
    *,
    plan: TrainingPlan,
    loss: Loss = Loss.LOGISTIC,
    fusion: bool = True,
    n_trained_scales: int | None = None,
    augmentation: Augmentation | None = None,
    held_out: float = 0.0,
    groups: NDArray[np.int64] | None = None,
    precision: Precision = Precision.FULL,
    checkpoints: Path | None = None,
    on_progress: Progress | None = None,
) -> Network:
    """Train a network whose output is the pooled multi-scale feature.

    Parameters
    ----------
    backbone : Backbone
        Its network is changed.
    pixels : ndarray of uint8, shape (n_images, size, size, 3)
        Where there is but one picture, nothing is trained.
    tags : TagMatrix
        Of the same pictures, one tag at least.
    plan : TrainingPlan
        Its stages cnn and fusion; both are judged by a linear classifier that goes from one to
        the other and is thrown away at the end.
    loss : Loss, default="logistic"
    fusion : bool, default=True
        Whether there are fusion blocks.
    n_trained_scales : int or None, default=None
        The backbone's last scales that are fine-tuned; 0 = none, None = all.
    augmentation : Augmentation, optional
    held_out : float, default=0
        Share of the pictures, in [0, 1), that say which epoch was the best.
    groups : ndarray of int64, shape (n_images,), optional
        As :func:`learners.training.hold_out` takes them.
    precision : Precision, default="full"
        Of both stages.
    checkpoints, on_progress
        As :func:`learners.training.train` takes them.

    Returns
    -------
    Network
        For :func:`indexing.extractors.conversion.write_network`.

    References
    ----------
    Y. Niu et al., "Multi-Modal Multi-Scale Deep Learning for Large-Scale Image Annotation",
    algorithm 1, steps 1 to 3.
    """
    size = pixels.shape[1]
    with seeded(plan.fusion.seed):
        tower = MultiScaleTower(backbone.net, size, fused=fusion)
        classifier = nn.Linear(tower.n_dims, tags.n_tags)
    prior = (tags.counts + 0.5) / (tags.n_images + 1)
    with torch.no_grad():
        classifier.weight.zero_()
        classifier.bias.copy_(torch.from_numpy(np.log(prior / (1 - prior))))
    model = nn.Sequential(PixelNetwork(tower, backbone.mean, backbone.scale), classifier)
    present = tags.toarray()  # (n_images, n_tags)
    aside = hold_out(tags.n_images, held_out, plan.cnn.seed, groups)
    examples = PixelExamples(pixels[~aside], present[~aside], augmentation)
    judged = PixelExamples(pixels[aside], present[aside]) if aside.any() else None
    stages = [("cnn", plan.cnn, False)] if n_trained_scales != 0 else []
    stages += [("fusion", plan.fusion, True)] if fusion else []
    # Normalisation by batch needs two pictures.
    for stage, settings, fuses in stages if examples.n_images > 1 else []:
        tower.training_only(n_scales=0 if fuses else n_trained_scales, blocks=fuses)
        train(
            model,
            examples,
            loss_function(loss),
            replace(settings, precision=precision),
            held_out=judged,
            checkpoints=checkpoints,
            stage=stage,
            on_progress=on_progress,
        )
    tower.training_only(n_scales=0, blocks=fusion).requires_grad_(False)
    return assemble(
        tower,
        model=f"multi-scale {backbone.name}",
        sha256=None,
        framing=Framing(size=size, resample=backbone.framing.resample),
        mean=backbone.mean,
        scale=backbone.scale,
        blocks=(tower.n_dims,),
        n_classes=0,
    )
