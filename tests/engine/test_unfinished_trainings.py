"""What a training that was stopped leaves: a state that the next one takes up, or nothing."""

from pathlib import Path

import pytest

from engine.training.unfinished import UnfinishedTraining, forget_unfinished, is_unfinished
from tests.engine.stand_ins import Means


class Keeping(Means):
    """Means whose fit keeps a state before it is stopped."""

    def keeping(self, checkpoints):
        self.checkpoints = checkpoints

    def _fit(self, batch, tags):
        self._report("beginning", 0, 0)
        self.checkpoints.mkdir(parents=True)
        self._report("keeping", 0, 0)
        (self.checkpoints / "state").touch()
        super()._fit(batch, tags)


@pytest.fixture
def keeping(stand_ins, monkeypatch):
    """Let ``means`` be the learner that keeps a state."""
    monkeypatch.setattr("tests.engine.stand_ins.Means", Keeping)


def stopped_at(workspace, stage, params=None, learner="means"):
    """Train until a stage begins; return the stages that were told."""
    stages = []

    def stop(told, done, total):
        stages.append(told)
        if told == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        workspace.train(learner, params, on_progress=stop)
    return stages


@pytest.mark.usefixtures("mixing")
@pytest.mark.parametrize(
    ("learner", "params", "stage"),
    [
        ("hybrid", {"members": "fading,means"}, "training on everything: means: training"),
        ("fading", {}, "training on everything: steps"),
    ],
)
def test_who_keeps_no_state_leaves_nothing(built, learner, params, stage):
    before = {path for path in built.root.rglob("*") if "store" not in path.parts}
    stopped_at(built, stage, params, learner)
    assert {path for path in built.root.rglob("*") if "store" not in path.parts} == before
    assert not is_unfinished(built.root, learner)
    told = stopped_at(built, stage, params, learner)
    assert "going on where it was stopped" not in told


@pytest.mark.usefixtures("keeping")
def test_a_state_is_gone_on_from_and_said(built):
    held_out, everything = "measuring on held-out pictures", "training on everything"
    for stage in ("beginning", "keeping"):  # there is no state yet
        assert "going on where it was stopped" not in stopped_at(built, f"{held_out}: {stage}")
        assert not is_unfinished(built.root, "means")
    stopped_at(built, f"{everything}: beginning")
    assert is_unfinished(built.root, "means")
    assert not is_unfinished(built.root, "fading")
    again = stopped_at(built, f"{held_out}: training")
    assert "going on where it was stopped" in again


def test_the_state_of_another_training_goes_and_that_of_another_learner_stays(built):
    class Pictures:
        digest = "of these"

    def training(name, **params):
        return UnfinishedTraining(Path(built.root), name, params, Pictures())

    for one in (training("means", a=1), training("turned")):
        learner = Keeping()
        one.keep(learner, "held-out")
        learner.checkpoints.mkdir(parents=True)
        (learner.checkpoints / "state").touch()
    assert training("means", a=1).begin()
    assert not training("means", a=2).begin()
    assert not training("means", a=1).begin()
    assert training("turned").begin()
    training("turned").forget()
    assert not (built.root / "training").exists()
    forget_unfinished(built.root)
