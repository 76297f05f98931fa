"""The last layer of a network, applied to stored features."""

import logging
from pathlib import Path

import numpy as np
import pytest

from indexing.errors import InputError
from indexing.extractors import open_extractor
from indexing.extractors.cache import file_sha256
from indexing.extractors.classifier import Classifier, open_classifier
from indexing.extractors.eager import EagerExtractor
from indexing.extractors.zoo import load_network


@pytest.fixture
def opened(timm_checkpoint: Path, extractor_cache: Path):
    return open_extractor(f"timm:test_resnet@{timm_checkpoint}", "cpu")


def check_probabilities(extractor) -> None:
    classifier = open_classifier(extractor)
    assert classifier is not None
    size = extractor.framing.size
    squares = np.random.default_rng(4).integers(0, 256, (3, size, size, 3), dtype=np.uint8)
    features, expected = extractor.infer(squares)
    assert expected.std() > 0
    np.testing.assert_allclose(classifier(features), expected, rtol=0.1, atol=1e-4)


def test_probabilities_of_stored_features_are_those_of_the_network(opened) -> None:
    check_probabilities(opened)


def test_a_network_that_torch_runs_has_the_same_layer(
    opened, timm_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGINE_CACHE", str(tmp_path))
    network = load_network("test_resnet", timm_checkpoint, file_sha256(timm_checkpoint))
    check_probabilities(EagerExtractor("timm:test_resnet", network, device="cpu"))


def test_it_is_read_once_and_again_where_it_is_damaged(
    opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ENGINE_CACHE", str(tmp_path))
    first = open_classifier(opened)
    [file] = tmp_path.glob("classifiers/*/classifier.npz")
    with monkeypatch.context() as patch:
        patch.setattr("indexing.extractors.classifier._of_graph", lambda graph: None)
        again = open_classifier(opened)
    assert first is not None
    assert again is not None
    np.testing.assert_array_equal(first.weights, again.weights)
    file.write_bytes(b"damaged")
    with caplog.at_level(logging.WARNING):
        assert open_classifier(opened) is not None
    assert "reading it again" in caplog.text


def test_a_layer_that_does_not_agree_with_its_network_is_none(
    opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGINE_CACHE", str(tmp_path))
    layer = open_classifier(opened)
    assert layer is not None
    monkeypatch.setenv("ENGINE_CACHE", str(tmp_path / "other"))
    for wrong in (
        Classifier(
            layer.weights, layer.biases + 5 * np.arange(len(layer.biases), dtype=np.float32)
        ),
        Classifier(layer.weights[:, :-1], layer.biases),
    ):
        monkeypatch.setattr("indexing.extractors.classifier._of_graph", lambda graph, w=wrong: w)
        assert open_classifier(opened) is None


def test_a_network_without_classes_has_none(
    open_clip_checkpoint: Path, extractor_cache: Path
) -> None:
    extractor = open_extractor(f"open_clip:tiny-test@{open_clip_checkpoint}", "cpu")
    assert open_classifier(extractor) is None


def test_features_of_another_network_are_refused() -> None:
    classifier = Classifier(np.zeros((3, 4), np.float32), np.zeros(3, np.float32))
    np.testing.assert_allclose(classifier(np.ones((2, 9), np.float32)), 1 / 3)
    with pytest.raises(InputError, match=r"\(n, 4\) or wider"):
        classifier(np.ones((2, 3), np.float32))
