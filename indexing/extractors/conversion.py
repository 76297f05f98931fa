"""From a torch network to a folder that opens without torch."""

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from indexing.errors import ArtifactError
from indexing.extractors.compiled import GRAPH_FILES, write_manifest
from indexing.extractors.modules import Network
from indexing.extractors.runtime import inference_runtime

__all__ = ["convert", "write_network"]


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
    graph = convert(network.module, network.spec.framing.size, network.spec.fingerprint.model)
    openvino.save_model(graph, str(folder / GRAPH_FILES[0]), compress_to_fp16=False)
    write_manifest(folder, network.spec)


def convert(module: nn.Module, size: int, name: str) -> Any:
    """Return a network as an OpenVINO model for one picture at a time.

    Parameters
    ----------
    module : torch.nn.Module
        In evaluation mode on the CPU. Takes uint8 (1, size, size, 3).
    size : int
    name : str
        What it is called where it cannot be converted.

    Returns
    -------
    openvino.Model
        With an output for each tensor that the module returns.

    Raises
    ------
    ArtifactError
        If the network does something that cannot be converted.

    Notes
    -----
    The frontend is called directly: ``openvino.convert_model`` does the same and reports it
    to an analytics server.
    """
    openvino = inference_runtime()
    try:
        graph = _graph(module, size, openvino)
        graph.reshape([1, size, size, 3])
    except RuntimeError as error:
        raise ArtifactError(
            f"{name} cannot be converted for the CPU "
            f"({str(error).strip().splitlines()[-1]}); most convolutional networks and "
            "transformers can; choose another, or a GPU"
        ) from error
    return graph


def _graph(module: nn.Module, size: int, openvino: Any) -> Any:
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    example = torch.zeros(1, size, size, 3, dtype=torch.uint8)
    with warnings.catch_warnings(), torch.no_grad():
        # Deprecated since torch 2.14 in favour of torch.export, through which OpenVINO takes
        # twice as long and logs errors of its own.
        warnings.filterwarnings("ignore", r"`torch\.jit\.trace")
        # Sizes that a module computes become constants, which is wanted: they are fixed.
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # type: ignore[attr-defined]
        traced = torch.jit.trace(module, example, check_trace=False)  # type: ignore[no-untyped-call]
        decoder = TorchScriptPythonDecoder(traced)  # must outlive the conversion
        frontend = openvino.frontend.FrontEndManager().load_by_framework("pytorch")
        return frontend.convert(frontend.load(decoder))
