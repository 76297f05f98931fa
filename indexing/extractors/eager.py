"""Networks run by torch itself, in batches: what serves a GPU.

This has not been run on a GPU yet, only on torch's CPU device.
"""

from collections.abc import Generator, Iterator
from copy import deepcopy
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from indexing.extractors.base import Key
from indexing.extractors.modules import Network
from indexing.extractors.network import NetworkExtractor

__all__ = ["EagerExtractor"]

BATCH = 32


class EagerExtractor(NetworkExtractor):
    """A network on a device of torch, in half precision where the device is a GPU.

    Parameters
    ----------
    name : str
        The name it was opened by.
    network : Network
        The network.
    device : str
        A device of torch.
    """

    def __init__(self, name: str, network: Network, *, device: str) -> None:
        self._device = torch.device(device)
        self._half: torch.dtype | None = None
        arithmetic = "f32"
        if self._device.type == "cuda":
            bf16 = torch.cuda.is_bf16_supported()
            self._half, arithmetic = (torch.bfloat16, "bf16") if bf16 else (torch.float16, "f16")
        super().__init__(name, network.spec, f"torch {torch.__version__} {device} {arithmetic}")
        self.network = network
        # A copy: the network itself stays on the CPU, where it can be exported.
        self._module = deepcopy(network.module).eval().to(self._device)

    def _outputs(
        self, pictures: Iterator[tuple[Key, NDArray[np.uint8]]]
    ) -> Generator[tuple[Key, NDArray[np.float32], NDArray[np.float32]], None, None]:
        while batch := list(islice(pictures, BATCH)):
            features, probabilities = self._run(np.stack([picture for _, picture in batch]))
            for (key, _), feature, probability in zip(batch, features, probabilities, strict=True):
                yield key, feature, probability

    def _run(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return features and probabilities of one batch."""
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, self._half, enabled=self._half is not None),
        ):
            output = self._module(torch.from_numpy(pixels).to(self._device))
        if not self.n_classes:
            return output.cpu().numpy(), np.empty((len(pixels), 0), np.float32)
        features, probabilities = output
        return features.cpu().numpy(), probabilities.cpu().numpy()
