import numpy as np
import pytest
import torch
from torch import nn

from indexing.errors import InputError
from learners.losses import logistic_loss, squared_loss
from learners.quantity import LabelQuantity
from learners.training import (
    PLANS,
    ArrayExamples,
    Augmentation,
    Optimizer,
    PixelExamples,
    Schedule,
    StopBy,
    TrainingSettings,
    seeded,
    train,
    training_plan,
)

STAGES = ("cnn", "fusion", "tags", "classifier", "quantity")


def test_the_presets_hold_what_the_paper_tells() -> None:
    rates = {
        name: [getattr(PLANS[name], stage).learning_rate for stage in STAGES]
        for name in ("niu2017", "niu2017-coco")
    }
    assert rates["niu2017"] == [0.001, 0.001, 0.1, 0.001, 0.1]
    assert rates["niu2017-coco"] == [0.002, 0.002, 0.0001, 0.002, 0.0001]
    for name in rates:
        for stage in STAGES:
            settings = getattr(PLANS[name], stage)
            assert settings.optimizer is Optimizer.SGD
            assert settings.momentum == 0.9
            assert settings.schedule is Schedule.CONSTANT
    assert {plan.quantity.stop_by for plan in PLANS.values()} == {StopBy.LOSS}


def test_a_plan_is_changed_in_all_its_stages() -> None:
    changed = training_plan("niu2017").changed(seed=4, epochs=3)
    assert [getattr(changed, stage).seed for stage in STAGES] == [4] * 5
    assert [getattr(changed, stage).epochs for stage in STAGES] == [3] * 5
    assert changed.tags.learning_rate == 0.1
    assert training_plan("adamw").changed(seed=0) == PLANS["adamw"]
    faster = PLANS["adamw"].changed(seed=0, learning_rate=0.5)
    assert {getattr(faster, stage).learning_rate for stage in STAGES} == {0.5}
    with pytest.raises(InputError, match="plan is 'sgd'; it is one of adamw, niu2017"):
        training_plan("sgd")


def test_a_long_gradient_is_shortened_and_a_short_one_is_not() -> None:
    # At a weight of 2 the gradient of w**2 is 4, at 0.4 it is 0.8.
    for start, expected in ((2.0, 2.0 - 0.1), (0.4, 0.4 - 0.08)):
        model = nn.Linear(1, 1, bias=False)
        nn.init.constant_(model.weight, start)
        examples = ArrayExamples(np.ones((1, 1), np.float32), np.zeros((1, 1), np.float32))
        settings = TrainingSettings(
            optimizer=Optimizer.SGD,
            momentum=0.0,
            learning_rate=0.1,
            longest_gradient=1.0,
            schedule=Schedule.CONSTANT,
            epochs=1,
        )
        train(model, examples, squared_loss, settings)
        assert model.weight.item() == pytest.approx(expected, abs=1e-5)
    with pytest.raises(InputError, match="longest_gradient is 0; it is a number above 0"):
        TrainingSettings(longest_gradient=0)


def test_quantities_take_the_settings_of_a_plan() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 4)).astype(np.float32)
    counts = rng.integers(0, 6, 60)
    told: list[int] = []
    settings = TrainingSettings(epochs=3, batch_size=30, stop_by=StopBy.MAP)
    quantity = LabelQuantity(training=settings, held_out=0.0)
    quantity.fit(features, counts, on_progress=lambda stage, done, total: told.append(done))
    assert told == [30, 60, 90, 120, 150, 180]


def pictures(n_images: int = 6, size: int = 8) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (n_images, size, size, 3), dtype=np.uint8)


def seen(pixels: np.ndarray, augmentation: Augmentation | None, seed: int | None) -> np.ndarray:
    examples = PixelExamples(pixels, np.zeros((len(pixels), 2), bool), augmentation)
    rng = None if seed is None else np.random.default_rng(seed)
    (inputs,), targets = examples.batch(np.arange(len(pixels)), rng)
    assert targets.dtype is torch.float32
    return inputs.numpy()


def test_pictures_that_judge_are_seen_as_they_are() -> None:
    pixels = pictures()
    for augmentation, seed in ((Augmentation(), None), (None, 0)):
        given = seen(pixels, augmentation, seed)
        assert given.dtype == np.uint8
        np.testing.assert_array_equal(given, pixels)
    still = seen(pixels, Augmentation(flips=False, crop=0.0), 0)
    np.testing.assert_allclose(still, pixels, atol=1e-3)


def test_half_of_the_pictures_are_mirrored() -> None:
    pixels = pictures(400)
    given = seen(pixels, Augmentation(crop=0.0), 0)
    same, mirrored = (
        np.isclose(given, other, atol=1e-3).all(axis=(1, 2, 3))
        for other in (pixels, pixels[:, :, ::-1])
    )
    assert (same ^ mirrored).all()
    assert mirrored.mean() == pytest.approx(0.5, abs=0.07)


def test_windows_lie_inside_the_picture_wherever_they_can() -> None:
    maps = Augmentation(crop=0.5).windows(4_000, np.random.default_rng(0))
    side = np.abs(maps[:, 0, 0])
    np.testing.assert_array_equal(side, maps[:, 1, 1])
    assert side.min() == pytest.approx(0.5, abs=0.01)
    assert side.max() == pytest.approx(1.0, abs=0.01)
    for axis in (0, 1):
        low, high = maps[:, axis, 2] - side, maps[:, axis, 2] + side
        assert low.min() >= -1 - 1e-6
        assert high.max() <= 1 + 1e-6
        assert (low < -0.9).any()
        assert (high > 0.9).any()
    np.testing.assert_array_equal(maps[:, 0, 1], 0)


def test_a_window_shows_its_part_of_the_picture(monkeypatch) -> None:
    # The upper right quarter, each of its places twice as wide.
    maps = np.array([[[0.5, 0, 0.5], [0, 0.5, -0.5]]], np.float32)
    monkeypatch.setattr(Augmentation, "windows", lambda *_: maps)
    ramp = np.zeros((1, 8, 8, 3), np.uint8)
    ramp[0, :, :, 0] = 20 * np.arange(8)  # red grows to the right
    ramp[0, :, :, 1] = 20 * np.arange(8)[:, None]  # green grows downwards
    given = seen(ramp, Augmentation(), 0)[0]
    middle = np.arange(8) / 2 - 0.25  # of the places, as seen in the quarter
    np.testing.assert_allclose(given[3, 1:-1, 0], 20 * (4 + middle[1:-1]), atol=1e-3)
    np.testing.assert_allclose(given[1:-1, 3, 1], 20 * middle[1:-1], atol=1e-3)


def test_what_is_drawn_depends_on_the_seed_alone() -> None:
    one, same, other = (seen(pictures(), Augmentation(), seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_pictures_train_a_network() -> None:
    pixels = pictures(16)
    with seeded(0):
        model = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    model.register_forward_pre_hook(lambda module, inputs: (inputs[0].float() / 255 - 0.5,))
    examples = PixelExamples(pixels, pixels[:, :2, 0, 0] > 127, Augmentation(crop=0.1))
    training = train(model, examples, logistic_loss, TrainingSettings(epochs=10))
    assert training.epochs[-1].loss < training.epochs[0].loss


def test_what_is_not_accepted() -> None:
    with pytest.raises(InputError, match="crop is 1; it is a share below 1"):
        Augmentation(crop=1)
    with pytest.raises(InputError, match="flips is 1; it is True or False"):
        Augmentation(flips=1)
    with pytest.raises(InputError, match="pixels of 2 pictures with targets of 3"):
        PixelExamples(pictures(2), np.zeros((3, 1), bool))
