"""A trained network as arrays, and back to something that runs without torch."""

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from indexing.errors import ArtifactError
from indexing.extractors.cache import cache_folder, staged
from indexing.extractors.compiled import GRAPH_FILES, CompiledExtractor, open_folder
from indexing.extractors.network import NetworkSpec

if TYPE_CHECKING:
    from indexing.extractors.modules import Network

__all__ = ["ExportedNetwork"]

_MANIFEST = "extractor.json"
_FILES = (*GRAPH_FILES, _MANIFEST)


@dataclass(frozen=True, eq=False)
class ExportedNetwork:
    """The files of a network that was exported.

    Parameters
    ----------
    files : mapping of str to ndarray of uint8, each of shape (n_bytes,)
        Bytes by name.
    """

    files: Mapping[str, NDArray[np.uint8]]

    @classmethod
    def of(cls, network: "Network") -> "ExportedNetwork":
        """Convert a network of torch.

        Raises
        ------
        ArtifactError
            If it does something that cannot be converted.
        """
        from indexing.extractors.conversion import write_network

        with tempfile.TemporaryDirectory() as scratch:
            write_network(network, Path(scratch))
            return cls(
                {
                    name: np.frombuffer((Path(scratch) / name).read_bytes(), np.uint8)
                    for name in _FILES
                }
            )

    @property
    def spec(self) -> NetworkSpec:
        """What is known of the network."""
        return NetworkSpec.from_json(json.loads(self.files[_MANIFEST].tobytes())["network"])

    def to_arrays(self, prefix: str) -> dict[str, NDArray[np.generic]]:
        """Return the arrays that :meth:`from_arrays` takes, their names behind `prefix`."""
        return {f"{prefix}{name}": content for name, content in self.files.items()}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[np.generic]], prefix: str
    ) -> "ExportedNetwork":
        """Take the files back.

        Raises
        ------
        KeyError
            If one is missing.
        """
        return cls({name: np.asarray(arrays[f"{prefix}{name}"], np.uint8) for name in _FILES})

    def open(self, name: str) -> CompiledExtractor:
        """Open the network; its files are kept in the folder of compiled networks.

        Raises
        ------
        ArtifactError
            If the files are damaged, or that folder cannot be written.
        """
        digest = hashlib.sha256()
        for content in self.files.values():
            digest.update(content.tobytes())
        folder = cache_folder() / "networks" / f"trained-{digest.hexdigest()[:16]}"
        if folder.is_dir():
            try:
                return open_folder(name, folder, verify=False)
            except ArtifactError:
                pass  # damaged since: written again
        try:
            with staged(folder, replace=True) as fresh:
                for file, content in self.files.items():
                    (fresh / file).write_bytes(content.tobytes())
        except OSError as error:
            raise ArtifactError(
                f"the trained network cannot be written to {folder} ({error}); a folder that can "
                "be written is wanted; set ENGINE_CACHE"
            ) from error
        return open_folder(name, folder, verify=True)
