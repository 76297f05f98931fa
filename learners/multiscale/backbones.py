"""Backbones of multi-scale networks, by the names that extractors have; torch inside."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
from torch import nn

from indexing.extractors import efficientnet, zoo
from indexing.extractors.cache import file_sha256
from indexing.extractors.modules import Network
from indexing.pixels import Framing
from learners.multiscale.names import LITE, framing_of, timm_name
from learners.training import seeded

__all__ = ["Backbone", "open_backbone"]


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A network that gives maps, and what it wants pictures to be like.

    Parameters
    ----------
    name : str
    net : torch.nn.Module
        Of timm.
    mean, scale : tuple of float
        It takes ``(pixel - mean) / scale``, a channel, pixels in 0 .. 255.
    framing : Framing
        Size and filter of its own training.
    """

    name: str
    net: nn.Module
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    framing: Framing


def open_backbone(name: str, *, pretrained: bool = True, seed: int = 0) -> Backbone:
    """Open a backbone.

    Parameters
    ----------
    name : str
        ``efficientnet-lite0``, ``efficientnet-lite2`` or ``timm:NAME[@CHECKPOINT]``, as
        :func:`indexing.extractors.open_extractor` takes them.
    pretrained : bool, default=True
        Whether it has weights; else they are drawn.
    seed : int, default=0
        Of that draw.

    Raises
    ------
    InputError
        If there is no such network.
    ArtifactError, MissingDependencyError
        If its weights cannot be had.
    """
    model, checkpoint = timm_name(name)
    if not pretrained:
        return _drawn(name, model or f"tf_efficientnet_lite{LITE[name]}", seed)
    if not model:
        return _of_extractor(name, efficientnet.load_network(LITE[name]))
    path = Path(checkpoint).expanduser() if checkpoint else None
    sha256 = None if path is None else file_sha256(path)
    return _of_extractor(name, zoo.load_network(model, path, sha256))


def _of_extractor(name: str, network: Network) -> Backbone:
    pixels: Any = network.module  # a PixelNetwork before a tower, whose `net` is timm's
    return Backbone(
        name=name,
        net=pixels.tower.net,
        mean=tuple(pixels.mean.flatten().tolist()),
        scale=tuple(pixels.scale.flatten().tolist()),
        framing=network.spec.framing,
    )


def _drawn(name: str, model: str, seed: int) -> Backbone:
    framing = framing_of(f"timm:{model}")
    with seeded(seed):
        net: Any = timm.create_model(model, pretrained=False)
    config = net.pretrained_cfg
    return Backbone(
        name=name,
        net=net,
        mean=tuple(255 * value for value in config["mean"]),
        scale=tuple(255 * value for value in config["std"]),
        framing=framing,
    )
