"""The stages that train a multi-scale network: backbone, then fusion blocks; torch inside."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from indexing.extractors.cache import cache_folder
from indexing.extractors.modules import Network, PixelNetwork, assemble
from learners.base import Progress
from learners.losses import logistic_loss
from learners.multiscale.backbones import Backbone
from learners.multiscale.frozen import FrozenPart
from learners.multiscale.network import MultiScaleTower
from learners.multiscale.splitting import BehindTheCut, SplitBackbone, split_backbone
from learners.tag_matrix import TagMatrix
from learners.training import (
    Augmentation,
    Examples,
    PixelExamples,
    Precision,
    TrainingPlan,
    hold_out,
    seeded,
    train,
)
from learners.training.checkpoints import weights_digest
from learners.training.stored import StoredExamples, StoredMaps, fits_on_disk, maps_identity

__all__ = ["train_multiscale"]

# Of the windows that views are drawn through, whatever the seed of the training.
_VIEWS_SEED = 0
# What folders begin with that maps lie in while there are no checkpoints.
_FOR_NOW = "training-"


def train_multiscale(
    backbone: Backbone,
    pixels: NDArray[np.uint8],
    tags: TagMatrix,
    *,
    plan: TrainingPlan,
    loss: Callable[[Tensor, Tensor], Tensor] = logistic_loss,
    fusion: bool = True,
    pools_stages: bool = False,
    n_trained_scales: int | None = None,
    augmentation: Augmentation | None = None,
    n_views: int = 0,
    dropout: float = 0.0,
    held_out: float = 0.0,
    groups: NDArray[np.int64] | None = None,
    precision: Precision = Precision.FULL,
    checkpoints: Path | None = None,
    on_progress: Progress | None = None,
) -> Network:
    """Train a network whose output begins with the pooled multi-scale feature.

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
    loss : callable, default=logistic_loss
        Of (outputs, targets), the mean over the pictures.
    fusion : bool, default=True
        Whether there are fusion blocks.
    pools_stages : bool, default=False
        Whether the output ends in the means of the maps of the backbone's stages, as they were
        before anything was trained.
    n_trained_scales : int or None, default=None
        The backbone's last scales that are fine-tuned; 0 = none, None = all.
    augmentation : Augmentation, optional
    n_views : int, default=0
        Views of each picture of which the maps of the frozen part are kept on disk, computed
        once: as it is, mirrored, and drawn. 0 = none: pictures are drawn anew each time.
    dropout : float, default=0
        Share of the visual feature's values, in [0, 1), left out before the classifier.
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
        tower = MultiScaleTower(backbone.net, size, fused=fusion, pools_stages=pools_stages)
        classifier = nn.Linear(tower.n_dims, tags.n_tags)
    if pools_stages and n_trained_scales != 0:
        tower.keep_original(n_trained_scales)
    prior = (tags.counts + 0.5) / (tags.n_images + 1)
    with torch.no_grad():
        classifier.weight.zero_()
        classifier.bias.copy_(torch.from_numpy(np.log(prior / (1 - prior))))
    pictures = _Pictures(
        pixels=pixels,
        present=tags.toarray(),
        aside=hold_out(tags.n_images, held_out, plan.cnn.seed, groups),
        augmentation=augmentation,
    )
    stages = [("cnn", plan.cnn, False)] if n_trained_scales != 0 else []
    stages += [("fusion", plan.fusion, True)] if fusion else []
    # Normalisation by batch needs two pictures.
    for stage, settings, fuses in stages if pictures.n_trained_on > 1 else []:
        n_scales = 0 if fuses else n_trained_scales
        tower.training_only(n_scales=n_scales, blocks=fuses)
        with _material(
            tower, backbone, pictures, stage, n_scales, n_views, checkpoints, on_progress
        ) as (body, examples, judged):
            train(
                _Judged(body, dropout, classifier),
                examples,
                loss,
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
        framing=replace(backbone.framing, size=size),
        mean=backbone.mean,
        scale=backbone.scale,
        blocks=tower.widths,
        n_classes=0,
    )


class _Judged(nn.Module):
    """What makes the visual feature, and the linear classifier that judges it."""

    def __init__(self, body: nn.Module, dropout: float, classifier: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.classifier = nn.Sequential(nn.Dropout(dropout), classifier)

    def forward(self, *given: Tensor) -> Tensor:
        scores: Tensor = self.classifier(self.body(*given))  # (n_images, n_tags)
        return scores


@dataclass(frozen=True, kw_only=True, eq=False)
class _Pictures:
    pixels: NDArray[np.uint8]
    present: NDArray[np.bool_]
    aside: NDArray[np.bool_]
    augmentation: Augmentation | None

    @property
    def n_trained_on(self) -> int:
        return int(np.count_nonzero(~self.aside))


@contextmanager
def _material(
    tower: MultiScaleTower,
    backbone: Backbone,
    pictures: _Pictures,
    stage: str,
    n_trained_scales: int | None,
    n_views: int,
    checkpoints: Path | None,
    on_progress: Progress | None,
) -> Iterator[tuple[nn.Module, Examples, Examples | None]]:
    """Give what makes the feature in a stage, and the pictures as it takes them.

    They are maps of the frozen part, where there is one and the disk has room for them: in the
    folder of the checkpoints, or in one that goes with the stage. They are deleted when the
    stage is done, and stay when it is stopped.
    """
    aside = pictures.aside
    split = None
    if n_views and n_trained_scales is not None:
        split = split_backbone(tower, n_trained_scales)
    with ExitStack() as scratch:
        maps = None
        if split is not None:
            folder = checkpoints
            if folder is None:
                folder = scratch.enter_context(_folder_for_now())
            maps = _stored(split, backbone, pictures, stage, n_views, folder, on_progress)
        if split is None or maps is None:
            body = BehindTheCut(tower, tower.maps)
            whole = PixelNetwork(body, backbone.mean, backbone.scale)
            pixels, present = pictures.pixels, pictures.present
            judged = PixelExamples(pixels[aside], present[aside]) if aside.any() else None
            trained = PixelExamples(pixels[~aside], present[~aside], pictures.augmentation)
            yield whole, trained, judged
            return
        judged_maps = StoredExamples(maps, aside, pictures.present) if aside.any() else None
        trained_maps = StoredExamples(maps, ~aside, pictures.present)
        yield BehindTheCut(tower, split.tail), trained_maps, judged_maps
        maps.remove()


@contextmanager
def _folder_for_now() -> Iterator[Path]:
    """Give a folder that goes with the context; those of processes that were killed go too."""
    within = cache_folder()
    within.mkdir(parents=True, exist_ok=True)
    for left in within.glob(f"{_FOR_NOW}*"):
        process = left.name.removeprefix(_FOR_NOW).partition("-")[0]
        if process.isdecimal() and not _is_running(int(process)):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"{_FOR_NOW}{os.getpid()}-", dir=within) as folder:
        yield Path(folder)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # of somebody else
    return True


def _stored(
    split: SplitBackbone,
    backbone: Backbone,
    pictures: _Pictures,
    stage: str,
    n_views: int,
    folder: Path,
    on_progress: Progress | None,
) -> StoredMaps | None:
    """Return the maps of the frozen part, not computed yet; None where there is no room."""
    pixels = pictures.pixels
    augmentation = pictures.augmentation or Augmentation(flips=False, crop=0.0)
    n_kept = augmentation.n_views(n_views)
    frozen = FrozenPart(split.head, backbone, pixels.shape[1])
    if not fits_on_disk(folder, frozen.shapes, len(pixels) * n_kept):
        return None

    def compute(first: int) -> Iterator[tuple[NDArray[np.float32], ...]]:
        return frozen(
            view
            for picture in range(first, len(pixels))
            for view in augmentation.views(
                pixels[picture], n_kept, np.random.default_rng([_VIEWS_SEED, picture])
            )
        )

    return StoredMaps(
        folder,
        stage,
        maps_identity(pixels, weights_digest(split.head), augmentation, n_kept),
        frozen.shapes,
        len(pixels),
        n_kept,
        compute,
        on_progress or (lambda stage, done, total: None),
    )
