"""The last layer of a network: class probabilities of features that are stored already."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.errors import ArtifactError, InputError
from indexing.extractors.base import FeatureExtractor
from indexing.extractors.cache import cache_folder, staged
from indexing.extractors.compiled import GRAPH_FILES, CompiledExtractor
from indexing.extractors.runtime import inference_runtime
from indexing.records import printable_path

__all__ = ["Classifier", "open_classifier"]

logger = logging.getLogger(__name__)

_FILE = "classifier.npz"


@dataclass(frozen=True, eq=False)
class Classifier:
    """Class probabilities from the first block of a raw feature.

    Parameters
    ----------
    weights : ndarray of float32, shape (n_classes, n_dims)
    biases : ndarray of float32, shape (n_classes,)

    Examples
    --------
    >>> classifier = Classifier(np.eye(2, dtype=np.float32), np.zeros(2, np.float32))
    >>> classifier(np.array([[np.log(3), 0, 9]], np.float32)).round(2)
    array([[0.75, 0.25]], dtype=float32)
    """

    weights: NDArray[np.float32]
    biases: NDArray[np.float32]

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return probabilities, float32 (n_images, n_classes), of raw features.

        Parameters
        ----------
        features : ndarray of float32, shape (n_images, n_dims or more)
            As the extractor gave them; blocks behind the first are not read.

        Raises
        ------
        InputError
            If they are narrower than what the layer reads.
        """
        n_dims = self.weights.shape[1]
        if features.ndim != 2 or features.shape[1] < n_dims:
            raise InputError(
                f"features of shape {features.shape} for a classifier of {n_dims} values; "
                f"(n, {n_dims}) or wider is accepted; give raw features of its network"
            )
        logits = features[:, :n_dims] @ self.weights.T + self.biases
        logits -= logits.max(axis=1, keepdims=True)
        shares = np.exp(logits)
        probabilities: NDArray[np.float32] = shares / shares.sum(axis=1, keepdims=True)
        return probabilities


def open_classifier(extractor: FeatureExtractor) -> Classifier | None:
    """Return the last layer of an extractor's network, without torch where it is compiled.

    It is read from the network once and kept in the cache folder.

    Parameters
    ----------
    extractor : FeatureExtractor

    Returns
    -------
    Classifier or None
        None where the network tells no classes apart, or its classes are no linear layer on
        the first block of its features.
    """
    if not extractor.n_classes:
        return None
    folder = cache_folder() / "classifiers" / extractor.fingerprint.digest
    if folder.is_dir():
        try:
            return _load(folder / _FILE)
        except ArtifactError as error:
            logger.warning("%s: reading it again", error)
    if isinstance(extractor, CompiledExtractor):
        classifier = _of_graph(extractor.folder / GRAPH_FILES[0])
    else:
        classifier = _of_module(extractor)
    if classifier is None or not _agrees(classifier, extractor):
        return None
    try:
        with staged(folder, replace=True) as fresh:
            np.savez(
                fresh / _FILE,
                allow_pickle=False,
                weights=classifier.weights,
                biases=classifier.biases,
            )
    except OSError as error:
        logger.warning("%s cannot be used (%s): the classifier is not kept", folder, error)
    return classifier


def _load(path: Path) -> Classifier:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return Classifier(arrays["weights"], arrays["biases"])
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError(
            f"{printable_path(path)} is no classifier ({error}); one that this program wrote is "
            "accepted; delete it"
        ) from error


def _of_graph(graph: Path) -> Classifier | None:
    """Find softmax(W f + b) at the end of a compiled network."""
    core = inference_runtime().Core()
    node = core.read_model(str(graph)).outputs[1].get_node()

    def before(node: Any, place: int = 0) -> Any:
        return node.input(place).get_source_output().get_node()

    for kind in ("Result", "Softmax"):
        if node.get_type_name() != kind:
            return None
        node = before(node)
    if node.get_type_name() == "Convert":
        node = before(node)
    if node.get_type_name() != "Add":
        return None
    product, biases = before(node), before(node, 1)
    if product.get_type_name() != "MatMul" or biases.get_type_name() != "Constant":
        return None
    weights = before(product, 1)
    if weights.get_type_name() != "Constant":
        return None
    matrix = np.array(weights.get_data(), dtype=np.float32)
    if not product.get_attributes()["transpose_b"]:
        matrix = np.ascontiguousarray(matrix.T)
    return Classifier(matrix, np.array(biases.get_data(), dtype=np.float32).reshape(-1))


def _of_module(extractor: FeatureExtractor) -> Classifier | None:
    """Take the layer of a network of timm that torch runs."""
    tower = getattr(getattr(extractor, "network", None), "module", None)
    net: Any = getattr(getattr(tower, "tower", None), "net", None)
    layer: Any = net.get_classifier() if hasattr(net, "get_classifier") else None
    if getattr(layer, "bias", None) is None or getattr(layer, "weight", None) is None:
        return None
    weights, biases = layer.weight.detach().float().cpu(), layer.bias.detach().float().cpu()
    return Classifier(weights.numpy().copy(), biases.numpy().copy()) if weights.ndim == 2 else None


def _agrees(classifier: Classifier, extractor: FeatureExtractor) -> bool:
    """Tell by a picture of noise whether it is the layer, and reads the first block."""
    if classifier.weights.shape != (extractor.n_classes, extractor.blocks[0]):
        return False
    size = extractor.framing.size

    noise = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), dtype=np.uint8)
    features, expected = extractor.infer(noise)
    # Half precision inside the network leaves this much.
    return bool(np.abs(classifier(features) - expected).max() < 0.02)
