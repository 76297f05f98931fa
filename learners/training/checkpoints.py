"""Where a training stood when it was stopped, on disk."""

import hashlib
import os
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexing.errors import ArtifactError
from indexing.records import printable_path

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Checkpoints", "weights_digest"]

_FORMAT = 1


class Checkpoints:
    """The last state of one stage of a training, in a folder.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    stage : str
        Names the file.
    identity : str
        Of the training; the state of another one is refused.
    """

    def __init__(self, folder: Path, stage: str, identity: str) -> None:
        self._path = folder / f"{'-'.join(stage.split())}.pt"
        self._identity = identity

    def save(self, state: dict[str, Any]) -> None:
        """Replace the state at once: a reader finds the old one or the new one, whole."""
        import torch

        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_name(f"{self._path.name}.{os.getpid()}.part")
        try:
            with unfinished.open("wb") as file:
                torch.save({"format": _FORMAT, "identity": self._identity, **state}, file)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self._path)
        finally:
            unfinished.unlink(missing_ok=True)

    def load(self) -> dict[str, Any] | None:
        """Return the state, on the CPU; None where there is none.

        Raises
        ------
        ArtifactError
            If it is damaged, or of another training.
        """
        import torch

        if not self._path.exists():
            return None
        name = printable_path(self._path)
        try:
            state: dict[str, Any] = torch.load(self._path, map_location="cpu", weights_only=True)
            identity = (state["format"], state["identity"])
        except (
            pickle.UnpicklingError,
            RuntimeError,
            EOFError,
            OSError,
            LookupError,
            TypeError,
        ) as error:
            raise ArtifactError(
                f"{name} cannot be read as the state of a training ({type(error).__name__}); "
                "what training wrote is accepted; delete it to begin again"
            ) from error
        if identity != (_FORMAT, self._identity):
            raise ArtifactError(
                f"{name} is of another training (other settings, pictures or network); only the "
                "same training goes on; delete it to begin again, or name another folder"
            )
        return state


def weights_digest(model: "nn.Module") -> str:
    """Return what changes with any weight of a network, hexadecimal."""
    digest = hashlib.sha256()
    tensor: Tensor
    for name, tensor in model.state_dict().items():
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(_bytes()).numpy().tobytes())
    return digest.hexdigest()


def _bytes() -> Any:
    import torch

    return torch.uint8
