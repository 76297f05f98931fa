"""Networks as torch modules that take pixels and give features and class probabilities."""

import hashlib
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from indexing.extractors.base import Fingerprint
from indexing.extractors.network import NetworkSpec, describe_preprocessing
from indexing.pixels import Framing

__all__ = [
    "ImageTower",
    "LiteTower",
    "Network",
    "PixelNetwork",
    "TimmTower",
    "assemble",
    "pool",
    "state_sha256",
]


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network that can be run by torch, or converted.

    Parameters
    ----------
    spec : NetworkSpec
        What is known of it.
    module : torch.nn.Module
        In evaluation mode. Takes uint8 (n_images, size, size, 3); returns features, float32
        (n_images, n_dims), and where ``spec.n_classes`` is not 0 a pair of them and class
        probabilities, float32 (n_images, n_classes).
    """

    spec: NetworkSpec
    module: nn.Module


def assemble(
    tower: nn.Module,
    *,
    model: str,
    sha256: str | None,
    framing: Framing,
    mean: tuple[float, ...],
    scale: tuple[float, ...],
    blocks: tuple[int, ...],
    n_classes: int,
) -> Network:
    """Put a network together from its tower and what is known of it.

    Parameters
    ----------
    tower : torch.nn.Module
        Takes float32 (n_images, 3, size, size), scaled; returns as ``Network.module`` does.
    model : str
        Name of the network.
    sha256 : str or None
        SHA-256 of the file of weights; None = there is no file: that of the tower's state.
    framing : Framing
        How a picture is cut and scaled for it.
    mean, scale : tuple of float
        The tower sees ``(pixel - mean) / scale``, a channel, pixels in 0 .. 255.
    blocks : tuple of int
        Widths of the parts of a vector.
    n_classes : int
        Classes of its classifier; 0 = it has none.
    """
    spec = NetworkSpec(
        fingerprint=Fingerprint(
            model=model,
            weights=sha256 or state_sha256(tower),
            preprocessing=describe_preprocessing(framing, mean, scale, blocks),
        ),
        framing=framing,
        blocks=blocks,
        n_classes=n_classes,
    )
    return Network(spec=spec, module=PixelNetwork(tower, mean, scale).eval())


class PixelNetwork(nn.Module):
    """A network behind its pixel scaling, so that both runtimes take the bytes of a picture.

    Parameters
    ----------
    tower : torch.nn.Module
        Takes float32 (n_images, 3, size, size).
    mean, scale : tuple of float
        The tower sees ``(pixel - mean) / scale``, a channel, pixels in 0 .. 255.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, tower: nn.Module, mean: tuple[float, ...], scale: tuple[float, ...]) -> None:
        super().__init__()
        self.tower = tower
        self.register_buffer("mean", torch.tensor(mean).reshape(1, -1, 1, 1))
        self.register_buffer("scale", torch.tensor(scale).reshape(1, -1, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return what the tower makes of uint8 (n_images, size, size, 3)."""
        channels_first = pixels.permute(0, 3, 1, 2).float()  # (n_images, 3, size, size)
        output: Tensor | tuple[Tensor, Tensor]
        output = self.tower((channels_first - self.mean) / self.scale)
        return output


class LiteTower(nn.Module):
    """An EfficientNet of timm: its feature, and the pooled last map of each of its stages."""

    net: Any  # nn.Module says that its children's attributes may be tensors

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and class probabilities of float32 (n_images, 3, size, size)."""
        net = self.net
        x = net.bn1(net.conv_stem(x))  # (n_images, 32, size / 2, size / 2)
        pooled = []
        for stage in net.blocks:
            x = stage(x)
            pooled.append(pool(x))  # (n_images, channels of the stage)
        feature = pool(net.bn2(net.conv_head(x)))  # (n_images, 1280)
        logits = net.classifier(feature)  # (n_images, 1000)
        return torch.cat([feature, *pooled], dim=1), logits.float().softmax(dim=1)


class TimmTower(nn.Module):
    """Any network of timm: its feature, and the pooled last map of each of its stages.

    Parameters
    ----------
    net : torch.nn.Module
        A classifier of timm.
    stages : list of int
        Which of the maps that ``forward_intermediates`` gives are pooled.
    """

    net: Any

    def __init__(self, net: nn.Module, stages: list[int]) -> None:
        super().__init__()
        self.net = net
        self.stages = stages

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return features and class probabilities of float32 (n_images, 3, size, size)."""
        feature, maps, last = self.maps(x)
        features = torch.cat([feature, *map(pool, maps)], dim=1)  # (n_images, n_dims)
        if not self.net.num_classes:
            return features
        return features, self.net.forward_head(last).float().softmax(dim=1)

    def maps(self, x: Tensor) -> tuple[Tensor, list[Tensor], Tensor]:
        """Return the feature (n_images, channels), the stages' maps and the last map."""
        maps: list[Tensor] = []
        if self.stages:
            last, maps = self.net.forward_intermediates(x, indices=self.stages)
        else:
            last = self.net.forward_features(x)
        return self.net.forward_head(last, pre_logits=True).flatten(1).float(), maps, last


class ImageTower(nn.Module):
    """The picture side of an image-text model: its embedding, not normalised."""

    model: Any

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """Return embeddings of float32 (n_images, 3, size, size)."""
        embedding: Tensor = self.model.encode_image(x, normalize=False)
        return embedding.float()  # (n_images, n_dims)


def pool(feature_map: Tensor) -> Tensor:
    """Return the mean over the places of a map (n_images, channels, height, width)."""
    # In float32 also where autocast made the map half precision.
    return feature_map.float().mean(dim=(2, 3))


def state_sha256(module: nn.Module) -> str:
    """Return the SHA-256 in hex of a module's state: names, types, shapes and values."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
