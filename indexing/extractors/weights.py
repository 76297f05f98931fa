"""Weights that others keep: a checkpoint file, or a hub that may be out of reach."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from indexing.errors import ArtifactError
from indexing.records import printable_path

__all__ = ["from_file", "from_hub"]

TIMEOUT_S = 3.0


@contextmanager
def from_file(name: str, checkpoint: Path) -> Iterator[None]:
    """Turn what goes wrong when weights are read into one kind of error.

    Raises
    ------
    ArtifactError
        If the file holds no weights, or those of another network.
    """
    try:
        yield
    except Exception as error:  # whatever the readers of the formats raise
        raise ArtifactError(
            f"{printable_path(checkpoint)} holds no weights of {name} ({_first_line(error)}); "
            "a .safetensors file or a state dict saved by torch is accepted; check name and file"
        ) from error


@contextmanager
def from_hub(name: str) -> Iterator[None]:
    """Let a library fetch weights, quickly giving up where there is no network.

    Files that the hub's cache holds are found without a network, too.

    Raises
    ------
    ArtifactError
        If the hub has no such weights or cannot be reached.
    """
    from huggingface_hub import constants

    # Without a network the hub's client tries again and again, for 46 s in all (measured).
    unreachable = not constants.HF_HUB_OFFLINE and not _reachable(constants.ENDPOINT)
    if unreachable:
        constants.HF_HUB_OFFLINE = True
    try:
        yield
    except Exception as error:  # whatever the client and its transport raise
        found = (
            f"{constants.ENDPOINT} cannot be reached and its cache has no such file"
            if unreachable
            else _first_line(error)
        )
        raise ArtifactError(
            f"the weights of {name} cannot be had from the hub ({found}); a network, or a "
            f"file of weights is wanted; name the file: {name.partition('@')[0]}@path/to/checkpoint"
        ) from error
    finally:
        if unreachable:
            constants.HF_HUB_OFFLINE = False


def _reachable(endpoint: str) -> bool:
    """Return whether a connection to a server can be opened; a proxy is trusted to do it."""
    from urllib.request import getproxies  # imports an HTTP client

    if {"http", "https", "all"} & set(getproxies()):
        return True
    address = urlsplit(endpoint)
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        with socket.create_connection((address.hostname, port), timeout=TIMEOUT_S):
            return True
    except OSError:
        return False


def _first_line(error: Exception) -> str:
    """Return the head of a message; some libraries append every key of a state dict."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(lines[:2]) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
