"""Fixtures for tests that run real networks: one cache folder, and weights made on the spot."""

import json
import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def extractor_cache(tmp_path_factory):
    """Folder of converted networks that all tests of a run share, as ``ENGINE_CACHE``.

    Converting a network takes some seconds. The workers of pytest-xdist share the folder.
    """
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / "engine-cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENGINE_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def timm_checkpoint(tmp_path_factory) -> Path:
    """Random weights of timm's ``test_resnet``: 160 px, 0.5 million weights."""
    import timm
    import torch
    from safetensors.torch import save_file

    path = tmp_path_factory.mktemp("timm") / "test_resnet.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_file(timm.create_model("test_resnet").state_dict(), path)
    return path


@pytest.fixture(scope="session")
def open_clip_checkpoint(tmp_path_factory) -> Path:
    """Random weights of ``tiny-test``, an image-text model that is made known to open_clip."""
    import open_clip
    import torch

    folder = tmp_path_factory.mktemp("open_clip")
    config = {
        "embed_dim": 24,
        "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "patch_size": 16},
        "text_cfg": {"context_length": 8, "vocab_size": 16, "width": 16, "heads": 2, "layers": 1},
    }
    (folder / "tiny-test.json").write_text(json.dumps(config), encoding="utf-8")
    open_clip.add_model_config(folder / "tiny-test.json")
    path = folder / "tiny.pt"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(open_clip.create_model("tiny-test").state_dict(), path)
    return path
