"""A backbone cut in two at one of its scales: what is frozen, and what is trained behind it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from learners.multiscale.network import MultiScaleTower
from learners.multiscale.steps import BackboneSteps

__all__ = ["BehindTheCut", "SplitBackbone", "split_backbone"]


@dataclass(frozen=True, eq=False)
class SplitBackbone:
    """Two networks that share their modules with the backbone they were cut from.

    Parameters
    ----------
    head : torch.nn.Module
        Takes float32 (n_images, 3, size, size), scaled; returns a tuple of maps, its last ones
        first to be kept.
    tail : torch.nn.Module or None
        Takes those maps; returns the maps of all later scales. None = there are none.
    """

    head: nn.Module
    tail: nn.Module | None


def split_backbone(tower: MultiScaleTower, n_trained_scales: int) -> SplitBackbone | None:
    r"""Cut the backbone of a tower before its last scales.

    Parameters
    ----------
    tower : MultiScaleTower
    n_trained_scales : int
        Scales behind the cut. With 0 the head returns :math:`M_1, \dots, M_K`, which is what
        fusion blocks read; else :math:`M_{K-n}` alone, from which the tail goes on.

    Returns
    -------
    SplitBackbone or None
        None where nothing is before the cut, where the backbone does something that cannot be
        followed, or where a later scale sees more of an earlier one than its maps.

    Notes
    -----
    The two parts are compared with the whole on a picture before they are trusted.
    """
    n_frozen = len(tower.scales) - n_trained_scales
    if n_frozen < 1:
        return None
    steps = BackboneSteps.of(tower.net, tower.maps)
    if steps is None:
        return None
    kept = steps.maps if not n_trained_scales else steps.maps[n_frozen - 1 : n_frozen]
    head = steps.between([steps.picture], kept)
    tail = steps.between(kept, steps.maps[n_frozen:]) if n_trained_scales else None
    if head is None or (n_trained_scales and tail is None):
        return None
    split = SplitBackbone(head, tail)
    return split if _is_whole(split, tower) else None


class BehindTheCut(nn.Module):
    """What is trained, from what is frozen to the visual feature.

    Parameters
    ----------
    tower : MultiScaleTower
    tail : callable or None
        Makes maps of what is given: the tail of :class:`SplitBackbone`, or ``tower.maps``
        where nothing was cut off. None = maps are given.
    """

    def __init__(
        self, tower: MultiScaleTower, tail: Callable[..., Sequence[Tensor]] | None
    ) -> None:
        super().__init__()
        self.tower = tower
        # A tail's modules are the tower's, and shall not be counted twice.
        self._tail = (tail,)

    def forward(self, *given: Tensor) -> Tensor:
        """Return the visual feature (n_images, n_dims)."""
        (tail,) = self._tail
        return self.tower.feature(given if tail is None else tail(*given))


def _is_whole(split: SplitBackbone, tower: MultiScaleTower) -> bool:
    """Return whether the parts, one behind the other, give the maps of the backbone."""
    was_training = tower.training
    tower.eval()
    with torch.no_grad():
        picture = torch.linspace(-1, 1, 3 * tower.size**2).reshape(1, 3, tower.size, tower.size)
        expected = tower.maps(picture)
        maps = split.head(picture)
        maps = maps if split.tail is None else split.tail(*maps)
        later = expected[len(expected) - len(maps) :]
        same = all(torch.equal(one, other) for one, other in zip(maps, later, strict=True))
    tower.train(was_training)
    return same
