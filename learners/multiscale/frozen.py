"""The frozen part of a network, compiled for the CPU: it runs once a picture, not once an epoch."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from indexing.extractors.conversion import convert
from indexing.extractors.modules import PixelNetwork
from indexing.extractors.runtime import inference_runtime
from learners.multiscale.backbones import Backbone

__all__ = ["FrozenPart"]

# One runs on each stream, one waits for it: pictures are drawn meanwhile.
_REQUESTS_A_STREAM = 2


class FrozenPart:
    """Map pictures to the maps of a network that does not change.

    Parameters
    ----------
    head : torch.nn.Module
        Takes float32 (n_images, 3, size, size), scaled; returns a tuple of maps.
    backbone : Backbone
        Says how pixels are scaled, and what it is called.
    size : int
        Side of the pictures, in pixels.

    Attributes
    ----------
    shapes : tuple of tuple of int
        Of the maps of one picture: (channels, height, width).

    Raises
    ------
    ArtifactError
        If the network cannot be converted.
    """

    def __init__(self, head: nn.Module, backbone: Backbone, size: int) -> None:
        network = PixelNetwork(head, backbone.mean, backbone.scale).eval()
        core = inference_runtime().Core()
        graph = convert(network, size, backbone.name)
        self._compiled = core.compile_model(graph, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT"})
        self.shapes = tuple(tuple(map(int, out.shape))[1:] for out in self._compiled.outputs)
        n_streams = int(self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self._n_requests = _REQUESTS_A_STREAM * n_streams

    def __call__(
        self, pictures: Iterable[NDArray[np.uint8]]
    ) -> Iterator[tuple[NDArray[np.float32], ...]]:
        """Yield the maps of each picture, uint8 (size, size, 3), in order."""
        running: deque[Any] = deque()
        try:
            for picture in pictures:
                if len(running) < self._n_requests:
                    request = self._compiled.create_infer_request()
                else:
                    request = running.popleft()
                    yield self._finished(request)
                request.start_async([np.ascontiguousarray(picture)[None]])
                running.append(request)
            while running:
                yield self._finished(running.popleft())
        finally:
            for request in running:
                request.wait()

    def _finished(self, request: Any) -> tuple[NDArray[np.float32], ...]:
        request.wait()
        places = range(len(self.shapes))
        return tuple(request.get_output_tensor(place).data[0].copy() for place in places)
