"""The text side of an image-text model, on a small one with random weights."""

from pathlib import Path

import numpy as np
import pytest

from indexing.errors import InputError
from indexing.extractors import open_extractor
from indexing.extractors.text_tower import open_text_tower
from learners.words import direction_scores
from learners.words.prompts import PROMPTS, prompted_vectors


def letters(texts: list[str]):
    """Tokens of the small model: 16 of them, 8 a text."""
    import torch

    rows = [[1 + ord(letter) % 14 for letter in text[:7].ljust(7)] + [15] for text in texts]
    return torch.tensor(rows)


@pytest.fixture
def opened(open_clip_checkpoint: Path, extractor_cache: Path, monkeypatch: pytest.MonkeyPatch):
    import open_clip

    monkeypatch.setattr(open_clip, "get_tokenizer", lambda name: letters)
    extractor = open_extractor(f"open_clip:tiny-test@{open_clip_checkpoint}", "cpu")
    return extractor, open_text_tower(extractor)


def test_texts_are_embedded_as_open_clip_does(opened, open_clip_checkpoint: Path) -> None:
    import open_clip
    import torch

    _, tower = opened
    texts = [f"text {i}" for i in range(70)]
    model = open_clip.create_model("tiny-test", pretrained=str(open_clip_checkpoint)).eval()
    with torch.inference_mode():
        expected = model.encode_text(letters(texts)).numpy()
    expected = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(tower.embed(texts), expected, atol=1e-5)
    assert tower.embed([]).shape == (0, 0)


def test_words_score_pictures_as_the_model_itself_does(opened, open_clip_checkpoint: Path) -> None:
    import open_clip
    import torch

    extractor, tower = opened
    words = ["pagoda", "kitten", "wedding"]
    squares = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    scores = direction_scores(extractor.extract(squares), prompted_vectors(words, tower.embed))
    model = open_clip.create_model("tiny-test", pretrained=str(open_clip_checkpoint)).eval()
    mean, std = (torch.tensor(model.visual.preprocess_cfg[key]) for key in ("mean", "std"))
    with torch.inference_mode():
        pixels = (torch.from_numpy(squares).float() / 255 - mean) / std
        pictures = model.encode_image(pixels.permute(0, 3, 1, 2), normalize=True).numpy()
        for column, word in enumerate(words):
            texts = letters([prompt.format(word) for prompt in PROMPTS])
            mean_text = model.encode_text(texts, normalize=True).numpy().mean(axis=0)
            expected = pictures @ mean_text / np.linalg.norm(mean_text)
            np.testing.assert_allclose(scores[:, column], expected, atol=0.02)


def test_an_extractor_without_a_text_side_says_so(
    timm_checkpoint: Path, extractor_cache: Path
) -> None:
    extractor = open_extractor(f"timm:test_resnet@{timm_checkpoint}", "cpu")
    with pytest.raises(InputError, match="has no text side; extractors open_clip:NAME have one"):
        open_text_tower(extractor)
