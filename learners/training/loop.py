"""The training loop: epochs over pictures, the best kept, the last state on disk."""

import json
import logging
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from indexing.errors import InputError
from learners.base import Progress
from learners.metrics import Measure
from learners.training.checkpoints import Checkpoints, weights_digest
from learners.training.material import Examples, predict, seeded
from learners.training.settings import Precision, StopBy, TrainingSettings

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["EpochReport", "Training", "train"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class EpochReport:
    """What an epoch came to.

    Parameters
    ----------
    epoch : int
        From 1.
    loss : float
        Mean over the pictures trained on.
    held_out : float or None
        MAP (in [0, 1]) or loss of the held-out pictures; None where there are none.
    """

    epoch: int
    loss: float
    held_out: float | None


@dataclass(frozen=True, kw_only=True)
class Training:
    """What a training came to.

    Parameters
    ----------
    epochs : tuple of EpochReport
    best_epoch : int
        Whose weights the network has, from 1: the best on the held-out pictures, else the last.
    resumed_after : int
        Epochs that an earlier process had done; 0 = none.
    """

    epochs: tuple[EpochReport, ...]
    best_epoch: int
    resumed_after: int = 0


def train(
    model: "torch.nn.Module",
    examples: Examples,
    loss: Callable[["Tensor", "Tensor"], "Tensor"],
    settings: TrainingSettings,
    *,
    held_out: Examples | None = None,
    checkpoints: Path | None = None,
    stage: str = "training",
    on_progress: Progress | None = None,
) -> Training:
    """Train a network.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place, and left in eval mode on the CPU. Parameters that require no gradient
        stay as they are.
    examples : Examples
        At least one picture.
    loss : callable
        Of (outputs, targets), the mean over the pictures.
    settings : TrainingSettings
    held_out : Examples, optional
        Pictures that judge each epoch; the weights of the best one are what is left at the end.
    checkpoints : Path, optional
        Folder where the state is kept after each epoch. Where the state of the same training
        lies there, it goes on.
    stage : str, default="training"
        Name for messages, progress and the file of the state.
    on_progress : callable, optional
        Called with the stage, and with pictures done and to do, counted over all epochs.

    Returns
    -------
    Training

    Raises
    ------
    InputError
        If there are no pictures, nothing to train, or the loss is no longer finite.
    ArtifactError
        If the state on disk is damaged or of another training.

    Notes
    -----
    Each epoch draws from its own seed, made of the training's and of its number, so a training
    that was stopped and goes on equals an undisturbed one bit by bit, on the same machine with
    the same number of threads. An epoch that was cut off is done again.
    """
    if not examples.n_images:
        raise InputError(f"no pictures for {stage}; one at least is accepted; give tagged pictures")
    return _Run(model, examples, loss, settings, held_out, stage, on_progress).run(checkpoints)


class _Run:
    def __init__(
        self,
        model: "torch.nn.Module",
        examples: Examples,
        loss: Callable[["Tensor", "Tensor"], "Tensor"],
        settings: TrainingSettings,
        held_out: Examples | None,
        stage: str,
        on_progress: Progress | None,
    ) -> None:
        self._device = settings.torch_device()
        self._model = model.to(self._device)
        self._examples, self._loss, self._held_out = examples, loss, held_out
        self._settings, self._stage = settings, stage
        self._on_progress = on_progress or (lambda stage, done, total: None)
        self._optimizer = settings.optimizer_of(model)
        self._context, self._scaler = _arithmetic(settings.precision, self._device)
        self._n_batches = math.ceil(examples.n_images / settings.batch_size)
        self._reports: list[EpochReport] = []
        self._best: dict[str, Tensor] | None = None
        self._best_epoch = 0

    def run(self, folder: Path | None) -> Training:
        saved = None if folder is None else Checkpoints(folder, self._stage, self._identity())
        self._resume(None if saved is None else saved.load())
        n_before = len(self._reports)
        started = time.perf_counter()
        while not self._finished():
            loss = self._epoch(len(self._reports) + 1)
            self._judge(loss)
            if saved is not None:
                saved.save(self._state())
            self._log(time.perf_counter() - started, len(self._reports) - n_before)
        if self._best is not None:
            self._model.load_state_dict(self._best)
        self._model.eval().cpu()
        return Training(
            epochs=tuple(self._reports),
            best_epoch=self._best_epoch or len(self._reports),
            resumed_after=n_before,
        )

    def _epoch(self, epoch: int) -> float:
        """Train on each picture once and return the mean loss."""
        settings, n_images = self._settings, self._examples.n_images
        self._model.train()
        total = 0.0
        done = (epoch - 1) * n_images
        with seeded(_seed(settings.seed, epoch), self._device) as rng:
            order = rng.permutation(n_images)
            for number, positions in enumerate(np.array_split(order, self._n_batches)):
                step = (epoch - 1) * self._n_batches + number
                rate = settings.rate(step, settings.epochs * self._n_batches)
                for group in self._optimizer.param_groups:
                    group["lr"] = rate
                total += self._step(positions, rng, epoch) * len(positions)
                done += len(positions)
                self._on_progress(self._stage, done, settings.epochs * n_images)
        return total / n_images

    def _step(self, positions: Any, rng: np.random.Generator, epoch: int) -> float:
        inputs, targets = self._examples.batch(positions, rng)
        with self._context():
            outputs = self._model(*(tensor.to(self._device) for tensor in inputs))
            # Losses sum many small numbers: never in half precision.
            outputs = outputs.float() if outputs.itemsize < 4 else outputs
            loss = self._loss(outputs, targets.to(self._device))
        value = float(loss.detach())
        if not math.isfinite(value):
            raise InputError(
                f"the loss of {self._stage} became {value} in epoch {epoch} at a learning rate of "
                f"{self._optimizer.param_groups[0]['lr']:.3g}; finite losses are accepted; lower "
                "learning_rate, or look for features that are not finite"
            )
        self._optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._shorten()
        self._scaler.step(self._optimizer)
        self._scaler.update()
        return value

    def _shorten(self) -> None:
        import torch

        if self._settings.longest_gradient is not None:
            self._scaler.unscale_(self._optimizer)
            torch.nn.utils.clip_grad_norm_(
                self._model.parameters(), self._settings.longest_gradient
            )

    def _judge(self, loss: float) -> None:
        """Report an epoch, and keep its weights where it is the best so far."""
        epoch = len(self._reports) + 1
        value = None
        if self._held_out is not None:
            value = self._value(self._held_out)
            sign = 1 if self._settings.stop_by is StopBy.MAP else -1
            known = [r.held_out for r in self._reports if r.held_out is not None]
            # NaN, where no held-out picture has a tag, is never better.
            best = max((sign * v for v in known if not math.isnan(v)), default=-math.inf)
            if sign * value > best:
                self._best_epoch = epoch
                state = self._model.state_dict()
                self._best = {name: t.detach().cpu().clone() for name, t in state.items()}
        self._reports.append(EpochReport(epoch=epoch, loss=loss, held_out=value))

    def _value(self, held_out: Examples) -> float:
        outputs, targets = predict(
            self._model, held_out, self._settings.batch_size, self._device, self._context
        )
        if self._settings.stop_by is StopBy.LOSS:
            return float(self._loss(outputs, targets).detach())
        if not outputs.isfinite().all():
            return math.nan
        return float(Measure("map").compute(outputs.numpy(), targets.numpy() > 0.5).value)

    def _finished(self) -> bool:
        n_done, patience = len(self._reports), self._settings.patience
        if n_done >= self._settings.epochs:
            return True
        judged = self._held_out is not None and patience is not None
        return judged and n_done - self._best_epoch >= (patience or 0)

    def _identity(self) -> str:
        facts = {
            "settings": asdict(self._settings),
            "n_images": self._examples.n_images,
            "n_held_out": None if self._held_out is None else self._held_out.n_images,
            "initial": weights_digest(self._model),
        }
        return json.dumps(facts, sort_keys=True)

    def _state(self) -> dict[str, Any]:
        return {
            "model": self._model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "best": self._best,
            "best_epoch": self._best_epoch,
            "epochs": [asdict(report) for report in self._reports],
        }

    def _resume(self, state: dict[str, Any] | None) -> None:
        if state is None:
            return
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
        self._best, self._best_epoch = state["best"], state["best_epoch"]
        self._reports = [EpochReport(**report) for report in state["epochs"]]
        _log.info("%s goes on after epoch %d", self._stage, len(self._reports))

    def _log(self, seconds: float, n_epochs: int) -> None:
        report, epochs = self._reports[-1], self._settings.epochs
        name = "MAP" if self._settings.stop_by is StopBy.MAP else "loss"
        judged = "" if report.held_out is None else f", held-out {name} {report.held_out:.4g}"
        _log.info(
            "%s: epoch %d of %d, loss %.4g%s, %.0f images/s, at most %.0f s left",
            self._stage,
            report.epoch,
            epochs,
            report.loss,
            judged,
            n_epochs * self._examples.n_images / max(seconds, 1e-9),
            seconds / n_epochs * (epochs - report.epoch),
        )


def _seed(seed: int, epoch: int) -> int:
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])


def _arithmetic(
    precision: Precision, device: "torch.device"
) -> tuple[Callable[[], AbstractContextManager[Any]], "torch.amp.GradScaler"]:
    """Return the context of a forward pass, and what keeps small gradients in sight."""
    import torch

    no_scaler = torch.amp.GradScaler(device.type, enabled=False)
    if precision is Precision.FULL:
        return nullcontext, no_scaler
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported():
            return lambda: torch.autocast("cuda", torch.bfloat16), no_scaler
        return lambda: torch.autocast("cuda", torch.float16), torch.amp.GradScaler("cuda")
    # Other CPUs imitate bfloat16, slower than float32.
    if device.type == "cpu" and torch.cpu._is_avx512_bf16_supported():
        return lambda: torch.autocast(device.type, torch.bfloat16), no_scaler
    return nullcontext, no_scaler
