r"""What a network is trained to make small: functions of scores and targets.

All take raw scores ("logits"), never probabilities, and return the mean over the pictures of
a batch; none holds state or draws anything. Throughout, :math:`z_t` is the score of tag
:math:`t`, :math:`y_t` its target, and :math:`\sigma(z) = 1 / (1 + e^{-z})`.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING

from indexing.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "Loss",
    "asymmetric_loss",
    "logistic_loss",
    "loss_function",
    "softmax_loss",
    "squared_loss",
    "warp_loss",
]


class Loss(StrEnum):
    """What the scores of tags are trained with."""

    LOGISTIC = "logistic"
    SOFTMAX = "softmax"
    WARP = "warp"
    ASYMMETRIC = "asymmetric"
    SQUARED = "squared"


def logistic_loss(logits: "Tensor", targets: "Tensor") -> "Tensor":
    r"""Return the sigmoid cross-entropy: every tag is a question of its own.

    .. math:: L = -\sum_t y_t \log \sigma(z_t) + (1 - y_t) \log(1 - \sigma(z_t))

    Parameters
    ----------
    logits : Tensor of float, shape (n_images, n_tags)
    targets : Tensor of float, shape (n_images, n_tags)
        In [0, 1]; between them where labels are smoothed or mixed.

    Returns
    -------
    Tensor of float, scalar

    References
    ----------
    Y. Niu et al., "Multi-Modal Multi-Scale Deep Learning for Large-Scale Image Annotation",
    equation 4.
    """
    from torch.nn import functional

    errors = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return errors.sum(dim=1).mean()  # (n_images, n_tags) -> ()


def softmax_loss(logits: "Tensor", targets: "Tensor") -> "Tensor":
    r"""Return the cross-entropy with the tags of a picture as one distribution.

    .. math:: L = -\sum_t \frac{y_t}{\sum_s y_s} \log \frac{e^{z_t}}{\sum_s e^{z_s}}

    Parameters
    ----------
    logits : Tensor of float, shape (n_images, n_tags)
    targets : Tensor of float, shape (n_images, n_tags)
        At least 0; a picture without tags adds nothing.

    Returns
    -------
    Tensor of float, scalar

    References
    ----------
    Y. Gong et al., "Deep Convolutional Ranking for Multilabel Image Annotation", ICLR 2014
    (the softmax loss).
    """
    from torch.nn import functional

    totals = targets.sum(dim=1, keepdim=True)  # (n_images, 1)
    shares = targets / totals.where(totals > 0, 1)  # (n_images, n_tags)
    return -(shares * functional.log_softmax(logits, dim=1)).sum(dim=1).mean()


def warp_loss(logits: "Tensor", targets: "Tensor") -> "Tensor":
    r"""Return the ranking loss that minds the top: the exact mean of sampled WARP.

    With :math:`V_t = \{s : y_s = 0, 1 - z_t + z_s > 0\}` the absent tags that come too close
    to a present tag :math:`t`, and :math:`\mathcal L(r) = \sum_{i=1}^{r} 1/i`,

    .. math:: L = \sum_{t : y_t = 1} \frac{\mathcal L(|V_t|)}{|V_t|}
              \sum_{s \in V_t} (1 - z_t + z_s) .

    Parameters
    ----------
    logits : Tensor of float, shape (n_images, n_tags)
    targets : Tensor of float, shape (n_images, n_tags)
        Above 0.5 = present.

    Returns
    -------
    Tensor of float, scalar
        The weight of a rank is a constant where gradients are taken.

    Notes
    -----
    The papers draw absent tags until one comes too close, and estimate :math:`|V_t|` from the
    number of draws, because their vocabularies make counting dear. Here all are counted: the
    mean over the draw with the true rank, nothing random. The cost is that of present tags
    times vocabulary.

    References
    ----------
    J. Weston, S. Bengio, N. Usunier, "Large scale image annotation: learning to rank with
    joint word-image embeddings", Machine Learning 81, 2010; Y. Gong et al., "Deep
    Convolutional Ranking for Multilabel Image Annotation", ICLR 2014 (for networks).
    """
    import torch

    present = targets > 0.5
    picture, tag = present.nonzero(as_tuple=True)  # (n_present,) each
    gaps = 1 - logits[picture, tag][:, None] + logits[picture]  # (n_present, n_tags)
    hinges = gaps.clamp(min=0).masked_fill(present[picture], 0)  # (n_present, n_tags)
    ranks = (hinges > 0).sum(dim=1)  # (n_present,)
    steps = 1 / torch.arange(1, logits.shape[1] + 1, dtype=logits.dtype, device=logits.device)
    weights = torch.cat([steps.new_zeros(1), steps.cumsum(dim=0)])[ranks] / ranks.clamp(min=1)
    return (weights * hinges.sum(dim=1)).sum() / max(len(logits), 1)


def asymmetric_loss(
    logits: "Tensor",
    targets: "Tensor",
    *,
    gamma_positive: float = 0.0,
    gamma_negative: float = 4.0,
    margin: float = 0.05,
) -> "Tensor":
    r"""Return the cross-entropy that lets go of absent tags once they are easy.

    With :math:`p_t = \sigma(z_t)` and :math:`p^m_t = \max(p_t - m, 0)`,

    .. math:: L = -\sum_t y_t (1 - p_t)^{\gamma_+} \log p_t
              + (1 - y_t) (p^m_t)^{\gamma_-} \log(1 - p^m_t) .

    Parameters
    ----------
    logits : Tensor of float, shape (n_images, n_tags)
    targets : Tensor of float, shape (n_images, n_tags)
        In [0, 1].
    gamma_positive, gamma_negative : float, default=0, 4
        How fast easy tags fade, present and absent; 0 (not at all), or at least 1.
    margin : float, default=0.05
        The :math:`m`, in [0, 1): absent tags below it count for nothing.

    Returns
    -------
    Tensor of float, scalar

    Raises
    ------
    InputError
        If a number lies outside its range.

    Notes
    -----
    Powers between 0 and 1 have no slope at 0, and are refused. With both powers and the
    margin at 0 this is :func:`logistic_loss`. Logarithms are taken of the complement
    :math:`\sigma(-z)`, so that scores however large give no infinity.

    References
    ----------
    T. Ridnik et al., "Asymmetric Loss For Multi-Label Classification", ICCV 2021.
    """
    import torch
    from torch.nn import functional

    for name, power in (("gamma_positive", gamma_positive), ("gamma_negative", gamma_negative)):
        if power != 0 and not 1 <= power < float("inf"):
            raise InputError(f"{name} is {power:g}; it is 0 or a number of at least 1; change it")
    if not 0 <= margin < 1:
        raise InputError(f"margin is {margin:g}; it is at least 0 and below 1; change it")
    complement = torch.sigmoid(-logits)  # (n_images, n_tags)
    shifted = (torch.sigmoid(logits) - margin).clamp(min=0)
    if margin > 0:
        log_absent = torch.log((complement + margin).clamp(max=1))
    else:
        log_absent = functional.logsigmoid(-logits)
    present = targets * complement**gamma_positive * functional.logsigmoid(logits)
    absent = (1 - targets) * shifted**gamma_negative * log_absent
    return -(present + absent).sum(dim=1).mean()  # (n_images, n_tags) -> ()


def squared_loss(predictions: "Tensor", targets: "Tensor") -> "Tensor":
    r"""Return the squared error of numbers: of label quantities, or of tags as 0 and 1.

    .. math:: L = \sum_t (\hat y_t - y_t)^2

    Parameters
    ----------
    predictions, targets : Tensor of float, shape (n_images, n_numbers)

    Returns
    -------
    Tensor of float, scalar

    References
    ----------
    Y. Niu et al., "Multi-Modal Multi-Scale Deep Learning for Large-Scale Image Annotation",
    equation 5 (of one number).
    """
    return (predictions - targets).square().sum(dim=1).mean()  # (n_images, n_numbers) -> ()


def loss_function(loss: Loss) -> Callable[["Tensor", "Tensor"], "Tensor"]:
    """Return the function of a loss, with its defaults."""
    return _FUNCTIONS[loss]


_FUNCTIONS: dict[Loss, Callable[["Tensor", "Tensor"], "Tensor"]] = {
    Loss.LOGISTIC: logistic_loss,
    Loss.SOFTMAX: softmax_loss,
    Loss.WARP: warp_loss,
    Loss.ASYMMETRIC: asymmetric_loss,
    Loss.SQUARED: squared_loss,
}
