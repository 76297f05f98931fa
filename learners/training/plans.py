"""Trainings in stages: what is trained after what, and with which settings."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from indexing.errors import InputError
from learners.training.settings import Optimizer, Schedule, StopBy, TrainingSettings

__all__ = ["PLANS", "TrainingPlan", "training_plan"]


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """The stages of a multi-modal multi-scale network, in their order.

    Each stage leaves what the earlier ones trained as it is.

    Parameters
    ----------
    cnn : TrainingSettings
        The backbone, without fusion.
    fusion : TrainingSettings
        The fusion blocks, behind the backbone.
    tags : TrainingSettings
        The layers that read noisy tags, apart from the pictures.
    classifier : TrainingSettings
        The scores, from the visual and the textual feature.
    quantity : TrainingSettings
        The number of tags, from the same features.

    References
    ----------
    Y. Niu et al., "Multi-Modal Multi-Scale Deep Learning for Large-Scale Image Annotation",
    algorithm 1.
    """

    cnn: TrainingSettings
    fusion: TrainingSettings
    tags: TrainingSettings
    classifier: TrainingSettings
    quantity: TrainingSettings

    def changed(
        self, *, seed: int, epochs: int | None = None, learning_rate: float | None = None
    ) -> "TrainingPlan":
        """Return the plan with a seed in all its stages, and with what else is told.

        Examples
        --------
        >>> training_plan("niu2017").changed(seed=3, epochs=2).tags.epochs
        2
        """
        told = {"seed": seed, "epochs": epochs, "learning_rate": learning_rate}
        changes: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
        return TrainingPlan(**{name: replace(getattr(self, name), **changes) for name in _STAGES})


_STAGES = ("cnn", "fusion", "tags", "classifier", "quantity")


def _niu(visual: float, textual: float) -> TrainingPlan:
    slow, fast = (
        TrainingSettings(
            optimizer=Optimizer.SGD,
            momentum=0.9,
            learning_rate=rate,
            longest_gradient=1.0,
            schedule=Schedule.CONSTANT,
            epochs=epochs,
            batch_size=32,
            patience=5,
        )
        for rate, epochs in ((visual, 20), (textual, 30))
    )
    return TrainingPlan(
        cnn=slow,
        fusion=slow,
        tags=fast,
        classifier=slow,
        quantity=replace(fast, stop_by=StopBy.LOSS),
    )


_GENTLE = TrainingSettings(learning_rate=3e-4, weight_decay=0.05, epochs=12, batch_size=32)
_DENSE = TrainingSettings(
    learning_rate=1e-3, weight_decay=0.05, epochs=20, batch_size=64, patience=5
)

PLANS: Mapping[str, TrainingPlan] = {
    "adamw": TrainingPlan(
        cnn=_GENTLE,
        fusion=replace(_GENTLE, learning_rate=1e-3),
        tags=_DENSE,
        classifier=_DENSE,
        quantity=replace(_DENSE, epochs=30, weight_decay=0.01, stop_by=StopBy.LOSS),
    ),
    "niu2017": _niu(visual=0.001, textual=0.1),
    "niu2017-coco": _niu(visual=0.002, textual=0.0001),
}
"""Name of each plan -> the plan.

``adamw`` is ours. ``niu2017`` and ``niu2017-coco`` hold the rates that Niu et al. (section
IV-A) tell for NUS-WIDE and for MSCOCO, with momentum 0.9: one for backbone, fusion and
classifier, one for tags and quantity. Epochs and batches are ours, because the paper tells
none; so are Nesterov's form of the momentum, and gradients that are no longer than 1: without
that, quantities diverge at a rate of 0.1. Their "decay rate of batch normalization and
weight decay" of 0.9997 cannot be a weight decay, and is left out.
"""


def training_plan(name: str) -> TrainingPlan:
    """Return a plan by name.

    Raises
    ------
    InputError
        If there is none of that name.

    Examples
    --------
    >>> plan = training_plan("niu2017")
    >>> plan.cnn.learning_rate, plan.tags.learning_rate
    (0.001, 0.1)
    """
    if name not in PLANS:
        raise InputError(f"plan is {name!r}; it is one of {', '.join(PLANS)}; choose one")
    return PLANS[name]
