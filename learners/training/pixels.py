"""Pictures as training material, each a little different every time it is seen."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.parameters import real_number, true_or_false

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Augmentation", "PixelExamples"]


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """What is drawn for a picture each time that it is trained on.

    Parameters
    ----------
    flips : bool, default=True
        Whether half of the pictures are mirrored, left to right.
    crop : float, default=0.3
        In [0, 1): a square window is cut out somewhere, whose side is up to this share
        shorter than the picture's, and scaled to the picture's size, bilinearly.
    """

    flips: bool = True
    crop: float = 0.3

    def __post_init__(self) -> None:
        true_or_false("flips", self.flips)
        if real_number("crop", self.crop) >= 1:
            raise InputError(f"crop is {self.crop:g}; it is a share below 1; lower it")

    def windows(self, n_images: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Draw the windows: affine maps from places of the result to places of the picture.

        Returns
        -------
        ndarray of float32, shape (n_images, 2, 3)
            As torch's ``affine_grid`` takes them: both squares reach from -1 to 1.
        """
        side = 1 - self.crop * rng.random(n_images)
        mirror = np.where(rng.random(n_images) < 0.5, -1.0, 1.0) if self.flips else 1.0
        shift = (1 - side)[:, None] * rng.uniform(-1, 1, (n_images, 2))
        maps = np.zeros((n_images, 2, 3), np.float32)
        maps[:, 0, 0], maps[:, 1, 1] = side * mirror, side
        maps[:, :, 2] = shift
        return maps


class PixelExamples:
    """Pictures in memory with what is to be learned of them.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (n_images, size, size, 3)
    targets : ndarray of bool or float32, shape (n_images, n_tags)
    augmentation : Augmentation, optional
        None = every picture is always the same.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        targets: NDArray[np.generic],
        augmentation: Augmentation | None = None,
    ) -> None:
        if len(pixels) != len(targets):
            raise InputError(
                f"pixels of {len(pixels)} pictures with targets of {len(targets)}; one row a "
                "picture in both is accepted; cut them to the same pictures"
            )
        self.pixels, self.targets, self.augmentation = pixels, targets, augmentation

    @property
    def n_images(self) -> int:
        """Number of pictures."""
        return len(self.pixels)

    def batch(
        self, positions: NDArray[np.int64], rng: np.random.Generator | None
    ) -> tuple[tuple["Tensor", ...], "Tensor"]:
        """Return some of the pictures; see :meth:`learners.training.Examples.batch`.

        The input is uint8 (n, size, size, 3), float32 where something was drawn.
        """
        import torch
        from torch.nn import functional

        pixels = torch.from_numpy(self.pixels[positions])  # (n, size, size, 3)
        targets = torch.from_numpy(self.targets[positions].astype(np.float32))
        if rng is None or self.augmentation is None:
            return (pixels,), targets
        maps = torch.from_numpy(self.augmentation.windows(len(positions), rng))
        channels_first = pixels.permute(0, 3, 1, 2).float()  # (n, 3, size, size)
        grid = functional.affine_grid(maps, list(channels_first.shape), align_corners=False)
        drawn = functional.grid_sample(
            channels_first, grid, mode="bilinear", padding_mode="border", align_corners=False
        )
        return (drawn.permute(0, 2, 3, 1),), targets
