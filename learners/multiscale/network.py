"""The multi-scale network: a backbone whose maps are fused, scale by scale; torch inside."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor, nn

from indexing.errors import InputError
from indexing.extractors.modules import pool
from learners.multiscale.steps import BackboneSteps

__all__ = ["FusionBlock", "MultiScaleTower", "Scale"]

# What the fused maps begin with of what comes from the scale before.
_FIRST_SHARE = 0.1


@dataclass(frozen=True)
class Scale:
    """A level of maps.

    Parameters
    ----------
    n_channels : int
    side : int
        Height and width, in places.
    """

    n_channels: int
    side: int


class FusionBlock(nn.Sequential):
    r"""The :math:`F_l` that brings the fused maps of a scale to the next one.

    A 3 x 3 convolution that keeps the channels and takes as long steps as the next scale
    does, then a 1 x 1 convolution to the channels of the next; batch normalisation and
    :math:`\max(x, 0)` behind either.

    Parameters
    ----------
    n_in, n_out : int
        Channels of the scale, and of the next.
    stride : int
        Places of the scale that are one of the next, a side.

    References
    ----------
    Y. Niu et al., "Multi-Modal Multi-Scale Deep Learning for Large-Scale Image Annotation",
    equation 3.
    """

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        last = nn.BatchNorm2d(n_out)
        nn.init.constant_(last.weight, _FIRST_SHARE)
        super().__init__(
            nn.Conv2d(n_in, n_in, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(n_in),
            nn.ReLU(),
            nn.Conv2d(n_in, n_out, 1, bias=False),
            last,
            nn.ReLU(),
        )


class MultiScaleTower(nn.Module):
    r"""A backbone with fusion blocks, and the mean of the last fused maps.

    With :math:`M_1, \dots, M_K` the backbone's maps, its last ones at each resolution,

    .. math:: \tilde M_1 = M_1, \quad \tilde M_l = M_l + F_l(\tilde M_{l-1}) ,

    and the visual feature is the mean of :math:`\tilde M_K` over its places; without fusion,
    the mean of :math:`M_K`.

    Parameters
    ----------
    net : torch.nn.Module
        A network of timm that gives maps of several resolutions. It is taken over: it loses
        its classifier.
    size : int
        Side of the pictures, in pixels.
    fused : bool, default=True
        Whether there are fusion blocks; drawn from torch's generator.
    pools_stages : bool, default=False
        Whether the means of the maps behind every stage of the backbone are put behind the
        visual feature; of its scales, where its steps cannot be followed.

    Attributes
    ----------
    size : int
    scales : tuple of Scale
        Shapes of :math:`M_1, \dots, M_K`.
    original : torch.nn.Module or None
        The backbone as it was, once :meth:`keep_original` was called.
    fuses : bool
        Whether the blocks are used now; where they are not, they are not trained either.

    Raises
    ------
    InputError
        If the network gives no maps, maps of one resolution, or maps of sides that no stride
        leads to.

    Notes
    -----
    Where a backbone pools wider maps than those of its last stage, as the EfficientNets do
    (1,280 channels in place of 320), they are the last scale. The normalisation at the end of
    each block begins with a factor of 0.1, so that a backbone that was trained before is
    disturbed little; the paper does not say how its blocks begin. A factor of 0 would stay 0.

    References
    ----------
    Y. Niu et al., "Multi-Modal Multi-Scale Deep Learning for Large-Scale Image Annotation",
    section III-A, equations 1 to 3.
    """

    net: Any  # nn.Module says that its children's attributes may be tensors

    def __init__(
        self, net: nn.Module, size: int, *, fused: bool = True, pools_stages: bool = False
    ) -> None:
        super().__init__()
        self.net = net
        self._levels = _last_at_each_resolution(net)
        if hasattr(net, "reset_classifier"):
            self.net.reset_classifier(0)
        self.size = size
        self._pools_stages = pools_stages
        self._pools_wider = False
        with torch.no_grad():
            self.net.eval()
            last, maps = self.net.forward_intermediates(self._picture(), indices=self._levels)
            # Some networks hand their last map out with the channels at the end, or as a list
            # of places: then it is not what their stages gave.
            self._pools_wider = last.ndim == 4 and last.shape[2:] == maps[-1].shape[2:]
            maps = self.maps(self._picture())
            # Its modules are those of `net`, and shall not be counted twice.
            self._everything = (self._with_stages(net) if pools_stages else self.maps,)
            stages = self._everything[0](self._picture())[len(maps) :]
        self._stage_widths = tuple(stage.shape[1] for stage in stages)
        self.scales = tuple(Scale(level.shape[1], level.shape[2]) for level in maps)
        self.original: nn.Module | None = None
        self._behind: tuple[nn.Module | None, int] = (None, 0)
        self.fuses = fused
        self.blocks = nn.ModuleList()
        if fused:
            for one, following in zip(self.scales, self.scales[1:], strict=False):
                stride = _stride(one.side, following.side)
                self.blocks.append(FusionBlock(one.n_channels, following.n_channels, stride))
        self.eval()

    @property
    def n_dims(self) -> int:
        """Width of the visual feature."""
        return self.scales[-1].n_channels

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of what :meth:`forward` puts side by side: the visual feature first."""
        if not self._pools_stages:
            return (self.n_dims,)
        last = (self.n_dims,) if self.fuses or self.original is not None else ()
        return (self.n_dims, *self._stage_widths, *last)

    def maps(self, x: Tensor) -> list[Tensor]:
        r"""Return :math:`M_1, \dots, M_K` of float32 (n_images, 3, size, size), scaled."""
        return self._maps_of(self.net, x)

    def _maps_of(self, net: Any, x: Tensor) -> list[Tensor]:
        last: Tensor
        maps: list[Tensor]
        last, maps = net.forward_intermediates(x, indices=self._levels)
        return [*maps[:-1], last] if self._pools_wider else maps

    def keep_original(self, n_trained_scales: int | None) -> None:
        """Pool the stages of the backbone as it is now, whatever is trained of it later.

        Parameters
        ----------
        n_trained_scales : int or None
            The backbone's last scales that will change; None = all. Only these are computed
            twice, where the steps of the backbone can be followed.
        """
        original = copy.deepcopy(self.net).eval().requires_grad_(False)
        with torch.no_grad():
            self._everything = (self._with_stages(original),)
        self.original = original
        n_frozen = len(self.scales) - (n_trained_scales or len(self.scales))
        steps = BackboneSteps.of(self.net, self.maps) if n_frozen > 0 else None
        if steps is not None:
            tail = steps.between(steps.maps[n_frozen - 1 : n_frozen], steps.maps[n_frozen:])
            self._behind = (tail, n_frozen)

    def forward(self, x: Tensor) -> Tensor:
        """Return the blocks of float32 (n_images, 3, size, size), side by side."""
        if not self._pools_stages:
            return self.feature(self.maps(x))
        (everything,) = self._everything
        given = everything(x)
        levels, others = given[: len(self.scales)], given[len(self.scales) :]
        # Without fusion the last maps are in the feature already, unless they were trained.
        if self.fuses or self.original is not None:
            others = [*others, levels[-1]]
        if self.original is not None:
            tail, n_frozen = self._behind
            if tail is None:
                levels = self.maps(x)
            else:
                levels = [*levels[:n_frozen], *tail(levels[n_frozen - 1])]
        return torch.cat([self.feature(levels), *map(pool, others)], dim=1)

    def _with_stages(self, net: nn.Module) -> Callable[[Tensor], Sequence[Tensor]]:
        r"""Return what gives :math:`M_1, \dots, M_K` and, behind them, the maps of the stages.

        :math:`M_K` is not among these again. Where stages have their channels at the end, or
        cannot be followed, the scales take their place.
        """
        steps = BackboneSteps.of(net, partial(self._maps_of, net))
        if steps is not None:
            stages = [stage for stage in steps.stages if stage is not steps.maps[-1]]
            part = steps.between([steps.picture], [*steps.maps, *stages])
            if part is not None and all(
                one.ndim == 4 and one.shape[2] == one.shape[3] for one in part(self._picture())
            ):
                return part

        def of_scales(x: Tensor) -> Sequence[Tensor]:
            maps = self._maps_of(net, x)
            return [*maps, *maps[:-1]]

        return of_scales

    def feature(self, levels: Sequence[Tensor]) -> Tensor:
        r"""Return the visual feature (n_images, n_dims) of maps.

        Parameters
        ----------
        levels : sequence of Tensor
            :math:`M_1, \dots, M_K`; without fusion the last one is enough.
        """
        if not self.fuses:
            return pool(levels[-1])
        fused = levels[0]  # (n_images, channels, side, side)
        for block, level in zip(self.blocks, levels[1:], strict=True):
            fused = level + block(fused)
        return pool(fused)

    def training_only(self, *, n_scales: int | None = None, blocks: bool = False) -> Self:
        """Choose what is trained from now on; return the tower itself.

        Parameters
        ----------
        n_scales : int, optional
            The backbone's last scales that are trained: 0 = none, the backbone is frozen.
            None = all.
        blocks : bool, default=False
            Whether the fusion blocks are trained, and used.

        Notes
        -----
        What is frozen takes no gradient, and its normalisation keeps the means and deviations
        that it has. Which scale a weight belongs to is read off the gradients: it is the first
        whose maps depend on it.
        """
        self.fuses = blocks
        self.blocks.requires_grad_(blocks)
        self.net.requires_grad_(n_scales != 0)
        if n_scales:
            first = len(self.scales) - n_scales
            for weights, scale in zip(self.net.parameters(), self._scale_of_weights(), strict=True):
                weights.requires_grad_(scale >= first)
        return self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Switch to training or evaluation mode; what is frozen stays in evaluation."""
        super().train(mode)
        if mode:
            if self.original is not None:
                self.original.eval()
            for module in (*self.net.modules(), *self.blocks.modules()):
                weights = list(module.parameters())
                if weights and not any(one.requires_grad for one in weights):
                    module.eval()
        return self

    def _scale_of_weights(self) -> list[int]:
        """Return the first scale that depends on each weight of the backbone, from 0."""
        was_training = self.training
        self.eval()
        weights = list(self.net.parameters())
        scales = [len(self.scales)] * len(weights)
        with torch.enable_grad():
            maps = self.maps(self._picture().to(weights[0].device))
            for scale in reversed(range(len(maps))):
                gradients = torch.autograd.grad(
                    maps[scale].sum(), weights, allow_unused=True, retain_graph=True
                )
                for number, gradient in enumerate(gradients):
                    if gradient is not None:
                        scales[number] = scale
        self.train(was_training)
        return scales

    def _picture(self) -> Tensor:
        return torch.zeros(1, 3, self.size, self.size)


def _last_at_each_resolution(net: Any) -> list[int]:
    info = getattr(net, "feature_info", None) or []
    last_at = {entry["reduction"]: index for index, entry in enumerate(getattr(info, "info", info))}
    if len(last_at) < 2 or not hasattr(net, "forward_intermediates"):
        raise InputError(
            f"{type(net).__name__} gives maps of {len(last_at)} resolutions; two or more are "
            "accepted; choose a convolutional network, such as timm:resnet101"
        )
    return list(last_at.values())


def _stride(side: int, following: int) -> int:
    """Return the stride of a 3 x 3 convolution, a place added at every edge, between two sides."""
    for stride in range(1, side + 1):
        if (side - 1) // stride + 1 == following:
            return stride
    raise InputError(
        f"maps of {side} places a side before maps of {following}; a side that is a whole part of "
        "the one before, rounded up, is accepted; choose pictures of another size"
    )
