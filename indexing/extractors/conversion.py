"""From a torch network to a folder that opens without torch."""

import warnings
from pathlib import Path
from typing import Any

import torch

from indexing.errors import ArtifactError
from indexing.extractors.compiled import GRAPH_FILES, write_manifest
from indexing.extractors.modules import Network
from indexing.extractors.runtime import inference_runtime

__all__ = ["write_network"]


def write_network(network: Network, folder: Path) -> None:
    """Convert a network and write it into an empty folder.

    Parameters
    ----------
    network : Network
        A network in evaluation mode on the CPU.
    folder : Path
        An empty folder.

    Raises
    ------
    ArtifactError
        If the network does something that cannot be converted.
    """
    openvino = inference_runtime()
    try:
        graph = _graph(network, openvino)
        size = network.spec.framing.size
        graph.reshape([1, size, size, 3])
    except RuntimeError as error:
        raise ArtifactError(
            f"{network.spec.fingerprint.model} cannot be converted for the CPU "
            f"({str(error).strip().splitlines()[-1]}); most convolutional networks and "
            "transformers can; choose another, or a GPU"
        ) from error
    openvino.save_model(graph, str(folder / GRAPH_FILES[0]), compress_to_fp16=False)
    write_manifest(folder, network.spec)


def _graph(network: Network, openvino: Any) -> Any:
    """Return the network as an OpenVINO model.

    The frontend is called directly: ``openvino.convert_model`` does the same and reports it
    to an analytics server.
    """
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    size = network.spec.framing.size
    example = torch.zeros(1, size, size, 3, dtype=torch.uint8)
    with warnings.catch_warnings(), torch.no_grad():
        # Deprecated since torch 2.14 in favour of torch.export, through which OpenVINO takes
        # twice as long and logs errors of its own.
        warnings.filterwarnings("ignore", r"`torch\.jit\.trace")
        # Sizes that a module computes become constants, which is wanted: they are fixed.
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # type: ignore[attr-defined]
        traced = torch.jit.trace(  # type: ignore[no-untyped-call]
            network.module, example, check_trace=False
        )
        decoder = TorchScriptPythonDecoder(traced)  # must outlive the conversion
        frontend = openvino.frontend.FrontEndManager().load_by_framework("pytorch")
        return frontend.convert(frontend.load(decoder))
