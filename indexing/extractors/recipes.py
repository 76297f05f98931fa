"""How a network of the table is opened: compiled on a CPU, by torch on a GPU."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from indexing.errors import ArtifactError
from indexing.extractors.base import Device, FeatureExtractor
from indexing.extractors.cache import cache_folder, staged
from indexing.extractors.compiled import CompiledExtractor, open_folder
from indexing.extractors.device import resolve_device
from indexing.extractors.runtime import inference_runtime
from indexing.pixels import Framing

if TYPE_CHECKING:
    from indexing.extractors.modules import Network

__all__ = ["Recipe", "open_recipe"]

logger = logging.getLogger(__name__)

LAYOUT = 1  # to be raised when the modules of a recipe compute something else than before


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Where a network comes from; making one loads nothing.

    Parameters
    ----------
    name : str
        The name it is opened by.
    identity : mapping of str to str
        What decides the network, as far as it is known without loading it.
    load : callable
        Imports torch and builds the network.
    """

    name: str
    identity: Mapping[str, str]
    load: "Callable[[], Network]"


def open_recipe(recipe: Recipe, device: Device | str) -> FeatureExtractor:
    """Open a network on a device.

    Raises
    ------
    ArtifactError
        If its weights cannot be had, or the cache folder cannot be written.
    InputError
        If the device cannot be used.
    """
    if resolve_device(device) is Device.CUDA:
        from indexing.extractors.eager import EagerExtractor

        return EagerExtractor(recipe.name, recipe.load(), device="cuda")
    return _open_on_cpu(recipe)


def _open_on_cpu(recipe: Recipe) -> CompiledExtractor:
    """Open the converted network; convert it where that has not been done yet."""
    # Not the fingerprint itself: what a network needs of a picture is known to its library,
    # and asking that would import torch.
    key = {
        **recipe.identity,
        "layout": LAYOUT,
        "framing": repr(Framing(size=1)),  # its defaults
        "converter": inference_runtime().get_version(),
    }
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    folder = cache_folder() / "networks" / digest
    damaged = False
    if folder.is_dir():
        try:
            return open_folder(recipe.name, folder, verify=False)
        except ArtifactError as error:
            logger.warning("%s; converting %s again", error, recipe.name)
            damaged = True
    logger.info("converting %s for this CPU, once; it is kept in %s", recipe.name, folder)
    network = recipe.load()
    from indexing.extractors.conversion import write_network

    try:
        with staged(folder, replace=damaged) as fresh:
            write_network(network, fresh)
    except OSError as error:
        raise ArtifactError(
            f"the compiled network cannot be written to {folder} ({error}); a folder that "
            "can be written is wanted; set ENGINE_CACHE"
        ) from error
    return open_folder(recipe.name, folder, verify=False)
