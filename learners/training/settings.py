"""How a network is trained, as a value: it prints, compares, and is stored in checkpoints."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from indexing.errors import InputError
from learners.parameters import real_number, whole_number

if TYPE_CHECKING:
    import torch

__all__ = ["Optimizer", "Precision", "Schedule", "StopBy", "TrainingSettings"]


class Optimizer(StrEnum):
    """How a gradient becomes a step."""

    SGD = "sgd"
    ADAM = "adam"
    ADAMW = "adamw"


class Schedule(StrEnum):
    """How the learning rate goes from the first step to the last."""

    CONSTANT = "constant"
    COSINE = "cosine"
    ONE_CYCLE = "one-cycle"


class StopBy(StrEnum):
    """What says on the held-out pictures which epoch was the best."""

    MAP = "map"
    LOSS = "loss"


class Precision(StrEnum):
    """Arithmetic of a training."""

    FULL = "full"
    MIXED = "mixed"


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How a network is trained.

    Parameters
    ----------
    optimizer : {"adamw", "adam", "sgd"}, default="adamw"
        SGD with Nesterov's momentum. AdamW decays weights apart from the gradient; the
        others add the decay to it.
    learning_rate : float, default=1e-3
        Largest one of the schedule, above 0.
    momentum : float, default=0.9
        Of SGD, in [0, 1).
    weight_decay : float, default=0
        At least 0; of matrices and kernels, not of vectors (biases, normalisation).
    longest_gradient : float or None, default=None
        Length, above 0, that a gradient of all weights is shortened to; None = none is.
    schedule : {"one-cycle", "cosine", "constant"}, default="one-cycle"
        One cycle climbs straight from a 25th of the rate, then falls along a cosine to 0.
    warmup : float, default=0.2
        Share of the steps that one cycle climbs, in (0, 1).
    epochs : int, default=20
        At most.
    batch_size : int, default=64
        Pictures a step, at most; the batches of an epoch are of equal size but for one picture.
    patience : int or None, default=None
        Stop after so many epochs without a better one on the held-out pictures; None = never.
    stop_by : {"map", "loss"}, default="map"
        What "better" means.
    seed : int, default=0
        Of the order of pictures, of dropout and of whatever examples draw.
    device : str, default="auto"
        ``"auto"`` = CUDA where torch sees it, else the CPU; or any device of torch.
    precision : {"full", "mixed"}, default="full"
        Mixed is bfloat16 beside float32 on devices that compute it, float16 on other CUDA
        devices, with scaled losses; on other CPUs it is full.
    """

    optimizer: Optimizer = Optimizer.ADAMW
    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 0.0
    longest_gradient: float | None = None
    schedule: Schedule = Schedule.ONE_CYCLE
    warmup: float = 0.2
    epochs: int = 20
    batch_size: int = 64
    patience: int | None = None
    stop_by: StopBy = StopBy.MAP
    seed: int = 0
    device: str = "auto"
    precision: Precision = Precision.FULL

    def __post_init__(self) -> None:
        for name, kind in _CHOICES.items():
            given = getattr(self, name)
            if given not in list(kind):
                raise InputError(f"{name} is {given!r}; it is one of {', '.join(kind)}; choose one")
            object.__setattr__(self, name, kind(given))
        real_number("learning_rate", self.learning_rate, above=0)
        real_number("weight_decay", self.weight_decay)
        if real_number("momentum", self.momentum) >= 1:
            raise InputError(f"momentum is {self.momentum:g}; it is below 1; lower it")
        if real_number("warmup", self.warmup, above=0) >= 1:
            raise InputError(f"warmup is {self.warmup:g}; it is a share below 1; lower it")
        if self.longest_gradient is not None:
            real_number("longest_gradient", self.longest_gradient, above=0)
        whole_number("epochs", self.epochs)
        whole_number("batch_size", self.batch_size)
        whole_number("seed", self.seed, 0)
        if self.patience is not None:
            whole_number("patience", self.patience)

    def rate(self, step: int, n_steps: int) -> float:
        """Return the learning rate of a step.

        Parameters
        ----------
        step : int
            From 0.
        n_steps : int
            Of the whole training.

        Examples
        --------
        >>> cosine = TrainingSettings(schedule=Schedule.COSINE, learning_rate=1.0)
        >>> [round(cosine.rate(step, 4), 3) for step in range(4)]
        [1.0, 0.854, 0.5, 0.146]
        """
        done = step / n_steps
        if self.schedule is Schedule.CONSTANT:
            return self.learning_rate
        if self.schedule is Schedule.ONE_CYCLE:
            if done < self.warmup:
                return self.learning_rate * (0.04 + 0.96 * done / self.warmup)
            done = (done - self.warmup) / (1 - self.warmup)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * done))

    def optimizer_of(self, model: "torch.nn.Module") -> "torch.optim.Optimizer":
        """Return the optimizer of those parameters of a network that are to be trained.

        Raises
        ------
        InputError
            If there are none.
        """
        import torch

        trained = [weights for weights in model.parameters() if weights.requires_grad]
        if not trained:
            raise InputError(
                "a network with nothing to train; some of its parameters require a gradient; "
                "unfreeze them"
            )
        groups = [
            {"params": [w for w in trained if w.ndim >= 2], "weight_decay": self.weight_decay},
            {"params": [w for w in trained if w.ndim < 2], "weight_decay": 0.0},
        ]
        groups = [group for group in groups if group["params"]]
        if self.optimizer is Optimizer.SGD:
            nesterov = self.momentum > 0
            return torch.optim.SGD(
                groups, lr=self.learning_rate, momentum=self.momentum, nesterov=nesterov
            )
        kind = torch.optim.Adam if self.optimizer is Optimizer.ADAM else torch.optim.AdamW
        return kind(groups, lr=self.learning_rate)

    def torch_device(self) -> "torch.device":
        """Return where the training runs.

        Raises
        ------
        InputError
            If torch does not know the device.
        """
        import torch

        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        try:
            device = torch.device(self.device)
        except RuntimeError as error:
            raise InputError(
                f"device is {self.device!r}; auto, cpu or cuda is accepted; choose one"
            ) from error
        if device.type == "cuda" and not torch.cuda.is_available():
            raise InputError("device is cuda, and torch sees none; cpu is accepted; choose it")
        return device


_CHOICES: dict[str, type[StrEnum]] = {
    "optimizer": Optimizer,
    "schedule": Schedule,
    "stop_by": StopBy,
    "precision": Precision,
}
