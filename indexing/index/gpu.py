"""Searching on GPUs that FAISS sees: a copy of the index there, the original stays here.

This has not been run on a GPU yet; the tests marked ``gpu`` compare it with exact search where
there is one. The copy only answers plain searches: adding, removing, saving and searching among
some rows go to the original, which FAISS's classic GPU indexes could not do.
"""

import logging
from typing import Any

import faiss

from indexing.errors import IndexingError
from indexing.index.forms import Family, Form

__all__ = ["GPU_NEIGHBORS", "copied", "gpu_wanted"]

# FAISS searches for no more neighbours than this on a GPU.
GPU_NEIGHBORS = 2048

logger = logging.getLogger(__name__)


def gpu_wanted(device: str) -> bool:
    """Return whether to search on a GPU: there is one, and the device does not forbid it.

    Raises
    ------
    IndexingError
        Where ``"cuda"`` is asked for and FAISS sees no GPU.
    """
    n_gpus = faiss.get_num_gpus() if device != "cpu" else 0
    if device == "cuda" and not n_gpus:
        raise IndexingError(
            "the device 'cuda' was asked for and FAISS sees no GPU; 'auto' and 'cpu' are "
            "accepted here; use one of them, or install faiss-gpu and the driver"
        )
    return n_gpus > 0


def copied(form: Form) -> Any | None:
    """Return a copy of a form's core on the GPUs, or None where it stays on the CPU.

    Several GPUs get a copy each, or share one where a GPU is too small for it.
    """
    if form.family is Family.GRAPH:
        logger.info("a graph index is searched on the CPU: FAISS has no GPU form of it")
        return None
    reason: RuntimeError | None = None
    for shard in (False, True) if faiss.get_num_gpus() > 1 else (False,):
        options = faiss.GpuMultipleClonerOptions()
        options.shard = shard
        try:
            return faiss.index_cpu_to_all_gpus(form.core, co=options)
        except RuntimeError as error:
            reason = error
    logger.warning(
        "the index does not fit on a GPU or has no form there, so it is searched on the CPU (%s)",
        str(reason).rsplit(": ", 1)[-1],
    )
    return None
