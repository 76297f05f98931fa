import numpy as np
import pytest
from torch import nn

from indexing.errors import InputError
from learners.training import Schedule, TrainingSettings, hold_out


def test_weight_decay_spares_vectors() -> None:
    settings = TrainingSettings(weight_decay=0.3)
    matrices, vectors = settings.optimizer_of(
        nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8))
    ).param_groups
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.3, 0)
    assert {w.ndim for w in matrices["params"]} == {2}
    assert {w.ndim for w in vectors["params"]} == {1}


def test_schedules() -> None:
    def rates(schedule: Schedule) -> list[float]:
        settings = TrainingSettings(schedule=schedule, learning_rate=2.0, warmup=0.25)
        return [settings.rate(step, 8) for step in range(8)]

    assert rates(Schedule.CONSTANT) == [2.0] * 8
    assert rates(Schedule.COSINE) == pytest.approx(
        [1 + np.cos(np.pi * step / 8) for step in range(8)]
    )
    cycle = rates(Schedule.ONE_CYCLE)
    assert cycle[:3] == pytest.approx([0.08, 1.04, 2.0])
    assert cycle[2:] == pytest.approx([1 + np.cos(np.pi * step / 6) for step in range(6)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": "sdg"}, "optimizer is 'sdg'; it is one of sgd, adam, adamw"),
        ({"learning_rate": 0}, "learning_rate is 0; it is a number above 0"),
        ({"momentum": 1.0}, "momentum is 1; it is below 1"),
        ({"warmup": 1.0}, "warmup is 1; it is a share below 1"),
        ({"epochs": 0}, "epochs is 0; it is at least 1"),
        ({"patience": 0}, "patience is 0; it is at least 1"),
        ({"seed": -1}, "seed is -1; it is at least 0"),
    ],
)
def test_settings_that_are_not_accepted(changes, message) -> None:
    with pytest.raises(InputError, match=message):
        TrainingSettings(**changes)


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(InputError, match="device is 'gpu'; auto, cpu or cuda"):
        TrainingSettings(device="gpu").torch_device()


def test_held_out_pictures_are_a_share_and_the_same_for_a_seed() -> None:
    drawn = hold_out(100, 0.2, seed=1)
    assert drawn.sum() == 20
    np.testing.assert_array_equal(drawn, hold_out(100, 0.2, seed=1))
    assert (drawn != hold_out(100, 0.2, seed=2)).any()
    assert hold_out(4, 0.2, seed=0).sum() == 0
    assert hold_out(0, 0.2, seed=0).shape == (0,)
    with pytest.raises(InputError, match="held_out is 1; it is a share below 1"):
        hold_out(5, 1.0, seed=0)


@pytest.mark.parametrize("seed", range(5))
def test_copies_stay_on_one_side(seed: int) -> None:
    groups = np.random.default_rng(seed).integers(-1, 20, size=60)
    drawn = hold_out(60, 0.3, seed, groups)
    assert 0 < drawn.sum() <= 18
    for group in range(20):
        assert len(set(drawn[groups == group].tolist())) <= 1
