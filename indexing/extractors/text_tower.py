"""The text side of an image-text model: words where its picture side puts pictures."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from indexing.extractors.base import FeatureExtractor
from indexing.extractors.cache import file_sha256

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["TextTower", "open_text_tower"]

_PREFIX = "open_clip:"
_TEXTS_AT_ONCE = 64


class TextTower:
    """Embeds texts in the space of an extractor ``open_clip:NAME[@CHECKPOINT]``.

    Weights of real models have not been run here: none come with the installation. The tests
    run a small one with random weights.

    Parameters
    ----------
    model : torch.nn.Module
        A model of open_clip, in evaluation mode.
    tokenize : callable
        Gives the tokens of a list of texts.
    """

    def __init__(self, model: Any, tokenize: "Callable[[list[str]], Tensor]") -> None:
        self._model = model
        self._tokenize = tokenize

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return embeddings of unit length, float32 (n_texts, n_dims)."""
        import torch

        found = [np.zeros((0, 0), np.float32)]
        with torch.inference_mode():
            for start in range(0, len(texts), _TEXTS_AT_ONCE):
                tokens = self._tokenize(list(texts[start : start + _TEXTS_AT_ONCE]))
                embedding = self._model.encode_text(tokens, normalize=True)
                found.append(embedding.float().cpu().numpy())
        return np.concatenate(found[1:]) if len(found) > 1 else found[0]


def open_text_tower(extractor: FeatureExtractor) -> TextTower:
    """Open the text side of the model whose picture side an extractor is.

    It imports torch, and reads the weights again.

    Parameters
    ----------
    extractor : FeatureExtractor
        Opened as ``open_clip:NAME[@CHECKPOINT]``.

    Raises
    ------
    InputError
        If the extractor has no text side.
    ArtifactError, MissingDependencyError
        As for the extractor itself.
    """
    if not extractor.name.startswith(_PREFIX):
        raise InputError(
            f"{extractor.name} has no text side; extractors open_clip:NAME have one; build with "
            "--extractor open_clip:NAME"
        )
    from indexing.extractors.image_text import load_model

    model, _, checkpoint = extractor.name.removeprefix(_PREFIX).partition("@")
    path = Path(checkpoint).expanduser()
    net = load_model(model, checkpoint, file_sha256(path) if path.is_file() else None)
    import open_clip

    return TextTower(net, open_clip.get_tokenizer(model))
