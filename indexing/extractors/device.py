"""Which device a network runs on, found out without importing torch."""

import ctypes
import logging
import sys

from indexing.errors import InputError
from indexing.extractors.base import Device

__all__ = ["as_device", "resolve_device"]

logger = logging.getLogger(__name__)


def as_device(device: Device | str) -> Device:
    """Return a device by its name.

    Raises
    ------
    InputError
        If there is no such device.
    """
    try:
        return Device(device)
    except ValueError:
        raise InputError(
            f"the device {device!r} is unknown; accepted are {', '.join(Device)}; choose one"
        ) from None


def resolve_device(device: Device | str) -> Device:
    """Return ``CPU`` or ``CUDA``.

    Parameters
    ----------
    device : Device or str
        ``AUTO`` takes CUDA where the driver shows a device and torch can use it.

    Raises
    ------
    InputError
        If the device is unknown, or CUDA is asked for where there is none.
    """
    wanted = as_device(device)
    if wanted is Device.CPU:
        return wanted
    obstacle = _cuda_obstacle()
    if obstacle is None:
        return Device.CUDA
    if wanted is Device.CUDA:
        raise InputError(
            f"{obstacle}; the device cuda needs an NVIDIA GPU, its driver and a torch built "
            "for CUDA; use the device auto or cpu"
        )
    logger.debug("%s: networks run on the CPU", obstacle)
    return Device.CPU


def _cuda_obstacle() -> str | None:
    """Return why torch cannot use a CUDA device, or None."""
    # Importing torch takes over a second: ask the driver first.
    if _n_driver_devices() == 0:
        return "no CUDA device is visible"
    import torch

    if not torch.cuda.is_available():
        return f"torch {torch.__version__} cannot use the CUDA device"
    return None


def _n_driver_devices() -> int:
    """Return how many devices the CUDA driver shows; 0 where there is no driver."""
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value
