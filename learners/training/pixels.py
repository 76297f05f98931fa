"""Pictures as training material, each a little different every time it is seen."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.parameters import real_number, true_or_false

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Augmentation", "PixelExamples", "seen_through"]


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

    def views(
        self, picture: NDArray[np.uint8], n_views: int, rng: np.random.Generator
    ) -> Iterator[NDArray[np.uint8]]:
        """Yield a picture as it is, then mirrored where there are flips, then as it is drawn.

        Parameters
        ----------
        picture : ndarray of uint8, shape (size, size, 3)
        n_views : int
            So many, at least 1.
        rng : Generator
        """
        yield picture
        n_drawn = n_views - 1
        if self.flips and n_drawn:
            yield picture[:, ::-1]
            n_drawn -= 1
        if n_drawn > 0:
            pixels = np.repeat(picture[None], n_drawn, axis=0)  # (n_drawn, size, size, 3)
            drawn = seen_through(pixels, self.windows(n_drawn, rng))
            yield from drawn.round_().clamp_(0, 255).byte().numpy()

    def n_views(self, wanted: int) -> int:
        """Return how many of so many views differ from each other."""
        return wanted if self.crop else min(wanted, 2 if self.flips else 1)


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

        pixels = torch.from_numpy(self.pixels[positions])  # (n, size, size, 3)
        targets = torch.from_numpy(self.targets[positions].astype(np.float32))
        if rng is None or self.augmentation is None:
            return (pixels,), targets
        maps = self.augmentation.windows(len(positions), rng)
        return (seen_through(self.pixels[positions], maps),), targets


def seen_through(pixels: NDArray[np.uint8], maps: NDArray[np.float32]) -> "Tensor":
    """Return pictures as windows show them, float32 (n, size, size, 3), in 0 .. 255.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (n, size, size, 3)
    maps : ndarray of float32, shape (n, 2, 3)
        Of :meth:`Augmentation.windows`.
    """
    import torch
    from torch.nn import functional

    channels_first = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()  # (n, 3, size, size)
    grid = functional.affine_grid(
        torch.from_numpy(maps), list(channels_first.shape), align_corners=False
    )
    drawn = functional.grid_sample(
        channels_first, grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return drawn.permute(0, 2, 3, 1)
