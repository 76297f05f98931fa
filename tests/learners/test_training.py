import logging
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from indexing.errors import ArtifactError, InputError
from learners.losses import logistic_loss, squared_loss
from learners.training import (
    ArrayExamples,
    Optimizer,
    Precision,
    Schedule,
    StopBy,
    Training,
    TrainingSettings,
    seeded,
    train,
)
from learners.training.checkpoints import Checkpoints


def pictures(n_images: int = 24, seed: int = 0) -> ArrayExamples:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(n_images, 5)).astype(np.float32)
    return ArrayExamples(inputs, inputs @ rng.normal(size=(5, 3)) > 0.5)


def network(seed: int = 0) -> nn.Sequential:
    with seeded(seed):
        return nn.Sequential(
            nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3)
        )


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


SETTINGS = TrainingSettings(epochs=5, batch_size=10, learning_rate=0.05, weight_decay=0.01)


class KilledError(Exception):
    """Stands for a process that ends."""


def killer(after: int):
    def on_progress(stage: str, done: int, total: int) -> None:
        if done >= after:
            raise KilledError

    return on_progress


@pytest.mark.parametrize("optimizer", list(Optimizer))
@pytest.mark.parametrize("patience", [None, 2])
def test_a_resumed_training_equals_an_undisturbed_one(tmp_path, optimizer, patience) -> None:
    settings = TrainingSettings(
        epochs=5, batch_size=10, learning_rate=0.05, optimizer=optimizer, patience=patience
    )
    undisturbed, resumed = network(), network()
    expected = train(
        undisturbed, pictures(), logistic_loss, settings, held_out=pictures(12, seed=1)
    )
    with pytest.raises(KilledError):
        train(
            resumed,
            pictures(),
            logistic_loss,
            settings,
            held_out=pictures(12, seed=1),
            checkpoints=tmp_path,
            on_progress=killer(after=24 * 2 + 15),
        )
    torch.rand(7)  # what is drawn elsewhere does not matter
    resumed = network()
    training = train(
        resumed,
        pictures(),
        logistic_loss,
        settings,
        held_out=pictures(12, seed=1),
        checkpoints=tmp_path,
    )
    assert training.resumed_after == 2
    assert training.epochs == expected.epochs
    assert training.best_epoch == expected.best_epoch
    assert same(weights(undisturbed), weights(resumed))


def test_a_finished_training_is_not_done_again(tmp_path) -> None:
    first, again = network(), network()
    train(first, pictures(), logistic_loss, SETTINGS, checkpoints=tmp_path)
    training = train(
        again, pictures(), logistic_loss, SETTINGS, checkpoints=tmp_path, on_progress=killer(0)
    )
    assert training.resumed_after == 5
    assert same(weights(first), weights(again))


def test_training_is_reproducible_from_its_seed() -> None:
    models = [network(), network(), network()]
    for model, seed in zip(models, (3, 3, 4), strict=True):
        torch.rand(int(torch.randint(9, ())))
        train(model, pictures(), logistic_loss, TrainingSettings(epochs=2, seed=seed))
    assert same(weights(models[0]), weights(models[1]))
    assert not same(weights(models[0]), weights(models[2]))


def test_a_network_in_eval_mode_is_trained_alike() -> None:
    one, other = network(), network().eval()
    for model in (one, other):
        train(model, pictures(), logistic_loss, SETTINGS, held_out=pictures(12, seed=1))
    assert same(weights(one), weights(other))


def test_torch_draws_elsewhere_as_if_nothing_had_been_trained() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(network(), pictures(), logistic_loss, SETTINGS)
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)


class Scripted(nn.Module):
    """Scores that are its one weight; each epoch adds 1 to it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, 1))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.weight.expand(len(inputs), 1)


def scripted(best_at: int, settings: TrainingSettings) -> tuple[Scripted, Training]:
    """Train with a gradient of -1; the held-out loss is least when the weight is `best_at`."""
    model = Scripted()
    nothing = np.zeros((1, 1), np.float32)

    def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if outputs.requires_grad:
            return -outputs.mean()
        return (outputs - targets).square().mean()

    examples = ArrayExamples(nothing, nothing)
    held_out = ArrayExamples(nothing, np.full((1, 1), best_at, np.float32))
    return model, train(model, examples, loss, settings, held_out=held_out)


ONE_A_STEP = {
    "optimizer": Optimizer.SGD,
    "momentum": 0.0,
    "learning_rate": 1.0,
    "schedule": Schedule.CONSTANT,
    "stop_by": StopBy.LOSS,
}


def test_the_best_epoch_is_kept_and_patience_ends_the_training() -> None:
    model, training = scripted(3, TrainingSettings(epochs=20, patience=4, **ONE_A_STEP))
    assert [report.held_out for report in training.epochs] == [4, 1, 0, 1, 4, 9, 16]
    assert training.best_epoch == 3
    assert model.weight.item() == 3


def test_without_patience_all_epochs_are_done_and_the_best_is_kept() -> None:
    model, training = scripted(3, TrainingSettings(epochs=9, **ONE_A_STEP))
    assert len(training.epochs) == 9
    assert (training.best_epoch, model.weight.item()) == (3, 3)


def test_without_held_out_pictures_the_last_epoch_is_kept() -> None:
    model = network()
    training = train(model, pictures(), logistic_loss, SETTINGS)
    assert training.best_epoch == 5
    assert [report.held_out for report in training.epochs] == [None] * 5
    assert not model.training


def test_held_out_map_is_that_of_the_kept_network() -> None:
    model, held_out = network(), pictures(12, seed=1)
    training = train(model, pictures(), logistic_loss, SETTINGS, held_out=held_out)
    with torch.no_grad():
        scores = model(torch.from_numpy(held_out.inputs)).numpy()
    from learners.metrics import Measure

    value = Measure("map").compute(scores, held_out.targets).value
    best = training.epochs[training.best_epoch - 1].held_out
    assert value == pytest.approx(best, rel=1e-6)
    assert best == max(report.held_out for report in training.epochs)


def test_held_out_pictures_without_tags_decide_nothing() -> None:
    held_out = ArrayExamples(np.ones((2, 5), np.float32), np.zeros((2, 3), bool))
    training = train(network(), pictures(), logistic_loss, SETTINGS, held_out=held_out)
    assert training.best_epoch == 5
    assert all(np.isnan(report.held_out) for report in training.epochs)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_stops_with_a_message(bad) -> None:
    examples = pictures()
    examples.inputs[7, 2] = bad
    message = r"loss of heads became nan in epoch 1 at a learning rate of .*; lower learning_rate"
    with pytest.raises(InputError, match=message):
        train(network(), examples, logistic_loss, SETTINGS, stage="heads")


def test_a_learning_rate_that_explodes_stops_with_a_message() -> None:
    settings = TrainingSettings(optimizer=Optimizer.SGD, learning_rate=1e9, epochs=9, batch_size=4)
    model = nn.Sequential(nn.Linear(5, 3))
    with pytest.raises(InputError, match=r"became (nan|inf) in epoch"):
        train(model, pictures(), squared_loss, settings)


def test_sgd_steps_by_hand() -> None:
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(2)
    examples = ArrayExamples(np.ones((1, 1), np.float32), np.zeros((1, 1), np.float32))
    settings = TrainingSettings(
        optimizer=Optimizer.SGD,
        momentum=0.0,
        learning_rate=0.1,
        weight_decay=0.5,
        schedule=Schedule.CONSTANT,
        epochs=2,
    )
    train(model, examples, squared_loss, settings)
    # w <- w - 0.1 (2 w + 0.5 w), twice.
    assert model.weight.item() == pytest.approx(2 * 0.75**2)


def test_only_what_requires_a_gradient_is_trained() -> None:
    model = network()
    model[0].requires_grad_(False)
    before = weights(model)
    train(model, pictures(), logistic_loss, SETTINGS)
    after = weights(model)
    assert torch.equal(before["0.weight"], after["0.weight"])
    assert not torch.equal(before["4.weight"], after["4.weight"])
    model.requires_grad_(False)
    with pytest.raises(InputError, match="nothing to train"):
        train(model, pictures(), logistic_loss, SETTINGS)


def test_each_picture_is_seen_once_an_epoch_in_batches_of_equal_size() -> None:
    seen = []

    class Watched(ArrayExamples):
        def batch(self, positions, rng):
            seen.append(positions)
            return super().batch(positions, rng)

    plain = pictures(21)
    train(
        network(),
        Watched(plain.inputs, plain.targets),
        logistic_loss,
        TrainingSettings(epochs=2, batch_size=10),
    )
    assert [len(batch) for batch in seen] == [7] * 6
    first, second = np.concatenate(seen[:3]), np.concatenate(seen[3:])
    for epoch in (first, second):
        np.testing.assert_array_equal(np.sort(epoch), range(21))
    assert (first != second).any()


def test_progress_and_log(caplog) -> None:
    told = []
    with caplog.at_level(logging.INFO, "learners.training"):
        train(
            network(),
            pictures(),
            logistic_loss,
            TrainingSettings(epochs=2, batch_size=12),
            held_out=pictures(12, seed=1),
            stage="heads",
            on_progress=lambda *facts: told.append(facts),
        )
    assert told == [("heads", done, 48) for done in (12, 24, 36, 48)]
    assert len(caplog.messages) == 2
    assert caplog.messages[1].startswith("heads: epoch 2 of 2, loss ")
    for part in ("held-out MAP 0.", "images/s", "0 s left"):
        assert part in caplog.messages[1]


def test_a_checkpoint_of_another_training_is_refused(tmp_path) -> None:
    train(network(), pictures(), logistic_loss, SETTINGS, checkpoints=tmp_path)
    for model, examples, settings in (
        (network(), pictures(), TrainingSettings(epochs=6)),
        (network(1), pictures(), SETTINGS),
        (network(), pictures(23), SETTINGS),
    ):
        with pytest.raises(ArtifactError, match=r"training\.pt is of another training .* delete"):
            train(model, examples, logistic_loss, settings, checkpoints=tmp_path)


@pytest.mark.parametrize("damage", [b"", b"no zip", "half", {"format": 1}])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, damage) -> None:
    train(network(), pictures(), logistic_loss, SETTINGS, checkpoints=tmp_path)
    path = tmp_path / "training.pt"
    if damage == "half":
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif isinstance(damage, bytes):
        path.write_bytes(damage)
    else:
        torch.save(damage, path)
    with pytest.raises(ArtifactError, match=r"training\.pt cannot be read .* delete it"):
        train(network(), pictures(), logistic_loss, SETTINGS, checkpoints=tmp_path)


def test_a_checkpoint_that_was_not_finished_replaces_nothing(tmp_path, monkeypatch) -> None:
    checkpoints = Checkpoints(tmp_path, "label quantity", "same")
    checkpoints.save({"epoch": 1})

    def full_disk(descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="no space"):
        checkpoints.save({"epoch": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["label-quantity.pt"]
    saved = checkpoints.load()
    assert saved is not None
    assert saved["epoch"] == 1


def test_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(InputError, match="no pictures for training; one at least"):
        train(network(), pictures(0), logistic_loss, SETTINGS)
    with pytest.raises(InputError, match="inputs of 2 pictures with targets of 3"):
        ArrayExamples(np.zeros((2, 5), np.float32), np.zeros((3, 3)))


def test_mixed_precision_learns_too() -> None:
    model = network()
    settings = TrainingSettings(epochs=8, learning_rate=0.05, precision=Precision.MIXED)
    training = train(model, pictures(), logistic_loss, settings)
    assert training.epochs[-1].loss < training.epochs[0].loss
    assert {tensor.dtype for tensor in model.parameters()} == {torch.float32}


def test_bfloat16_where_the_cpu_computes_it(monkeypatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    model, of_network, of_loss = network(), [], []
    model.register_forward_hook(lambda module, inputs, output: of_network.append(output.dtype))

    def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        of_loss.append(outputs.dtype)
        return logistic_loss(outputs, targets)

    train(model, pictures(), loss, TrainingSettings(epochs=1, precision=Precision.MIXED))
    assert set(of_network) == {torch.bfloat16}
    assert set(of_loss) == {torch.float32}


@pytest.mark.gpu
def test_training_on_a_gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("torch sees no CUDA device")
    for precision in Precision:
        model = network()
        settings = TrainingSettings(
            epochs=8, learning_rate=0.05, device="cuda", precision=precision
        )
        training = train(model, pictures(), logistic_loss, settings, held_out=pictures(12, 1))
        assert training.epochs[-1].loss < training.epochs[0].loss
        assert {tensor.device.type for tensor in model.parameters()} == {"cpu"}
