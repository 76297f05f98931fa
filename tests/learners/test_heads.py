import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from indexing.errors import ArtifactError, InputError
from learners.base import Batch, TagLearner, TagMatrix
from learners.dense import DenseLayers, dense_network, trained_layers
from learners.heads import Heads
from learners.losses import Loss
from learners.metrics import Measure
from learners.table import make_learner
from learners.training import hold_out, seeded
from tests.reference import heads as reference


def drawn(
    n_images: int = 60, n_tags: int = 5, n_dims: int = 8, seed: int = 0
) -> tuple[Batch, TagMatrix]:
    """Features of very different variances that say which tags there are; the last has nobody."""
    rng, same = np.random.default_rng(seed), np.random.default_rng(99)
    features = rng.normal(size=(n_images, n_dims))
    directions, scales = same.normal(size=(n_dims, n_tags)), same.uniform(0.1, 10, n_dims)
    present = features @ directions > 2.0
    present[:, n_tags - 1 :] = False
    tags = TagMatrix.from_lists(range(n_images), [np.flatnonzero(y) for y in present], n_tags)
    return Batch(features=(features * scales + 3).astype(np.float32)), tags


def average_precision(learner: TagLearner, batch: Batch, tags: TagMatrix) -> float:
    return Measure("map").compute(learner.predict_scores(batch), tags.toarray()).value


SMALL = {"hidden": (16,), "n_units": 0, "learning_rate": 0.01, "batch_size": 16, "epochs": 8}
WAYS = [
    {},
    {"loss": "asymmetric", "epochs": 5},
    {"loss": "logistic", **SMALL},
    {"loss": "squared", **SMALL},
    {"loss": "softmax", "hidden": [12, 6], "epochs": 4, "learning_rate": 0.01},
    {"loss": "warp", "n_units": 0, "epochs": 5, "n_members": 2},
    {"loss": "logistic", "n_units": 30, "held_out": 0.2, "patience": 2, "quantity": "network"},
]
every_way = pytest.mark.parametrize("params", WAYS, ids=str)


@every_way
def test_overfits_32_pictures(params: dict) -> None:
    rng = np.random.default_rng(0)
    batch = Batch(features=rng.normal(size=(32, 10)).astype(np.float32))
    present = rng.random((32, 6)) < 0.3
    tags = TagMatrix.from_lists(range(32), [np.flatnonzero(y) for y in present], 6)
    eager = {"epochs": 150, "dropout": 0.0, "held_out": 0.0, "weight_decay": 0.0}
    if params.get("hidden"):
        eager |= {"hidden": [64], "learning_rate": 0.02}
    eager["n_units"] = 0 if params.get("hidden") else 32
    learner = make_learner("heads", **{**params, **eager}).fit(batch, tags)
    # Softmax and WARP order the tags of a picture, not the pictures of a tag.
    within = params.get("loss") in ("softmax", "warp")
    measure = Measure("miap" if within else "map")
    assert measure.compute(learner.predict_scores(batch), present).value == 1.0


@every_way
def test_learns_what_features_say(params: dict) -> None:
    learner = make_learner("heads", **params).fit(*drawn(n_images=300))
    batch, tags = drawn(n_images=200, seed=1)
    chance = float(np.mean(tags.prior[:-1]))
    assert average_precision(learner, batch, tags) > chance + 0.3


@every_way
def test_one_batch_equals_the_pictures_one_by_one(params: dict) -> None:
    learner = make_learner("heads", **params).fit(*drawn())
    batch, _ = drawn(n_images=9, seed=1)
    assert batch.features is not None
    alone = [learner.predict_scores(Batch(features=x[None])) for x in batch.features]
    np.testing.assert_allclose(
        learner.predict_scores(batch), np.concatenate(alone), rtol=1e-5, atol=1e-5
    )


def test_the_size_of_the_parts_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    batch, tags = drawn()
    for params in ({}, {"loss": "logistic", "epochs": 3}):
        whole = make_learner("heads", **params).fit(batch, tags).predict_scores(batch)
        with monkeypatch.context() as patch:
            patch.setattr("learners.heads._CHUNK_VALUES", 7 * 60)
            parts = make_learner("heads", **params).fit(batch, tags).predict_scores(batch)
        np.testing.assert_allclose(parts, whole, rtol=1e-4, atol=1e-4)


@every_way
def test_training_is_reproducible_from_its_seed(params: dict) -> None:
    batch, tags = drawn()
    scores = []
    for seed in (1, 1, 2):
        torch.rand(3)
        scores.append(
            make_learner("heads", seed=seed, **params).fit(batch, tags).predict_scores(batch)
        )
    np.testing.assert_array_equal(scores[0], scores[1])
    if params:
        assert (scores[0] != scores[2]).any()


@every_way
def test_a_saved_head_answers_the_same(params: dict) -> None:
    batch, tags = drawn()
    learner = make_learner("heads", **params).fit(batch, tags)
    head, arrays = learner.state()
    file = io.BytesIO()
    np.savez(file, **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as saved:
        again = TagLearner.from_state(json.loads(json.dumps(head)), saved)
    assert isinstance(again, Heads)
    assert isinstance(learner, Heads)
    np.testing.assert_array_equal(again.predict_scores(batch), learner.predict_scores(batch))
    np.testing.assert_array_equal(
        again.predict_quantities(batch), learner.predict_quantities(batch)
    )
    for name in arrays:
        rest = {key: value for key, value in arrays.items() if key != name}
        with pytest.raises(ArtifactError, match="lacks"):
            TagLearner.from_state(head, rest)


@every_way
def test_a_tag_without_pictures_scores_low(params: dict) -> None:
    batch, tags = drawn()
    scores = make_learner("heads", **params).fit(batch, tags).predict_scores(batch)
    assert tags.counts[-1] == 0
    np.testing.assert_allclose(scores[:, -1], -np.log(121), rtol=1e-6)
    carried = tags.toarray()
    own = np.where(carried, scores, np.inf).min(axis=1)
    assert np.all(scores[:, -1] < own)


@every_way
@pytest.mark.parametrize(("n_images", "n_tags"), [(0, 3), (1, 3), (2, 1), (3, 0), (0, 0)])
def test_next_to_nothing_to_learn_from(params: dict, n_images: int, n_tags: int) -> None:
    features = np.random.default_rng(0).normal(size=(n_images, 8)).astype(np.float32)
    tags = TagMatrix.from_lists(range(n_images), [list(range(n_tags))] * n_images, n_tags)
    learner = make_learner("heads", **params)
    asked, _ = drawn()
    scores = learner.fit(Batch(features=features), tags).predict_scores(asked)
    assert scores.shape == (60, n_tags)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    if not n_images:
        assert not scores.any()
    again = TagLearner.from_state(*learner.state())
    np.testing.assert_array_equal(again.predict_scores(asked), scores)


@pytest.mark.parametrize("hidden", [(), (7,), (7, 5)])
def test_numpy_answers_as_torch_does_and_as_the_literal_loop(hidden: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    with seeded(3):
        network = dense_network(6, hidden, rng.normal(size=4).astype(np.float32), dropout=0.5)
        torch.nn.init.normal_(network[-1].weight)
    inputs = rng.normal(size=(20, 6)).astype(np.float32)
    layers = trained_layers(network)
    with torch.no_grad():
        expected = network.eval()(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(layers(inputs), expected, atol=1e-5)
    by_hand = [reference.dense(x, layers.weights, layers.biases) for x in inputs.tolist()]
    np.testing.assert_allclose(layers(inputs), by_hand, atol=1e-5)


def test_a_network_is_turned_back_to_the_units_it_was_trained_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch, tags = drawn()
    trained: list[np.ndarray] = []

    def drawn_layers(inputs: np.ndarray, *others: object, **settings: object):
        rng = np.random.default_rng(0)
        shapes = ((inputs.shape[1], 7), (7, 5))
        matrices = tuple(rng.normal(size=shape).astype(np.float32) for shape in shapes)
        layers = DenseLayers(matrices, (np.ones(7, np.float32), np.ones(5, np.float32)))
        trained.extend((inputs, layers(inputs)))
        return (layers,)

    monkeypatch.setattr("learners.heads.train_dense", drawn_layers)
    learner = Heads(loss="logistic", hidden=(7,), n_units=40, prior_correction=0.0)
    scores = learner.fit(batch, tags).predict_scores(batch)
    inputs, outputs = trained
    assert inputs.dtype == np.float32
    np.testing.assert_allclose(inputs.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(scores[:, :-1], outputs[:, :-1], atol=1e-4)


@pytest.mark.parametrize("n_units", [0, 20])
def test_copies_are_kept_together_when_pictures_are_held_out(
    monkeypatch: pytest.MonkeyPatch, n_units: int
) -> None:
    batch, tags = drawn()
    groups = np.repeat(np.arange(20), 3)
    drawn_for: list[np.ndarray] = []

    def watched(n_images: int, share: float, seed: int, groups: np.ndarray) -> np.ndarray:
        drawn_for.append(groups)
        return hold_out(n_images, share, seed, groups)

    monkeypatch.setattr("learners.dense.hold_out", watched)
    Heads(loss="logistic", n_units=n_units, epochs=1, held_out=0.2, quantity="network").fit(
        replace(batch, groups=groups), tags
    )
    assert len(drawn_for) == 2
    for given in drawn_for:
        np.testing.assert_array_equal(given, groups)


@pytest.mark.parametrize("loss", list(Loss))
def test_the_first_scores_of_a_network_are_the_priors(loss: Loss) -> None:
    batch, tags = drawn()
    learner = Heads(
        loss=loss, n_units=0, hidden=(4,), learning_rate=1e-12, epochs=1, prior_correction=0.0
    )
    prior = (tags.counts[:-1] + 0.5) / 61
    scores = learner.fit(batch, tags).predict_scores(batch)[:, :-1]
    np.testing.assert_allclose(
        scores, np.broadcast_to(np.log(prior / (1 - prior)), scores.shape), atol=1e-3
    )


def test_the_correction_helps_rare_tags_and_changes_no_column() -> None:
    batch, tags = drawn()
    learner = Heads(prior_correction=0.0).fit(batch, tags)
    plain, corrected = (
        one.predict_scores(batch)[:, :-1]
        for one in (learner, learner.with_params(prior_correction=0.5))
    )
    bonus = -0.5 * np.log((tags.counts[:-1] + 0.5) / 61)
    np.testing.assert_allclose(corrected - plain, np.tile(bonus, (60, 1)), atol=1e-5)


def test_members_are_averaged() -> None:
    batch, tags = drawn()
    ways = {"loss": "logistic", **SMALL}
    alone = [make_learner("heads", seed=s, **ways).fit(batch, tags) for s in (4, 5)]
    both = make_learner("heads", seed=4, n_members=2, **ways).fit(batch, tags)
    expected = np.mean([one.predict_scores(batch) for one in alone], axis=0)
    np.testing.assert_allclose(both.predict_scores(batch), expected, atol=1e-5)


@pytest.mark.parametrize("jitter", [0, 1e-3])
def test_a_value_that_never_changes_decides_nothing(jitter: float) -> None:
    batch, tags = drawn()
    assert batch.features is not None
    values = 1000 + np.random.default_rng(0).uniform(0, jitter, 60)
    constant = np.column_stack([batch.features, values.astype(np.float32)])
    learner = make_learner("heads", loss="logistic", **SMALL).fit(Batch(features=constant), tags)
    changed = constant.copy()
    changed[:, -1] = 1e6
    np.testing.assert_array_equal(
        learner.predict_scores(Batch(features=changed)),
        learner.predict_scores(Batch(features=constant)),
    )


def test_held_out_pictures_are_not_trained_on() -> None:
    batch, tags = drawn()
    told: list[tuple[str, int, int]] = []
    learner = Heads(loss="logistic", epochs=3, batch_size=48, held_out=0.2, quantity="none")
    learner.fit(batch, tags, lambda *facts: told.append(facts))
    assert told == [("heads", done, 3 * 48) for done in (48, 96, 144)]


def test_a_training_that_was_stopped_goes_on(tmp_path) -> None:
    batch, tags = drawn()
    params = {"loss": "asymmetric", "epochs": 4, "n_members": 2, "quantity": "network"}

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "heads 2" and done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Heads(**params).keeping(tmp_path).fit(batch, tags, stop)
    stages = set()
    resumed = Heads(**params).keeping(tmp_path)
    resumed.fit(batch, tags, lambda stage, done, total: stages.add(stage))
    assert stages == {"heads 2"}
    np.testing.assert_array_equal(
        resumed.predict_scores(batch), Heads(**params).fit(batch, tags).predict_scores(batch)
    )


@every_way
def test_other_pictures_and_tags_need_no_training(params: dict) -> None:
    batch, tags = drawn()
    learner = make_learner("heads", **params).fit(batch, tags)
    before = learner.predict_scores(batch)
    now = TagMatrix.from_lists([3, 5], [[0], [3]], n_tags=4)
    again = learner.rebased(now, np.array([2, -1, 4, 0]))
    scores = again.predict_scores(batch)
    np.testing.assert_allclose(scores[:, [0, 3]], before[:, [2, 0]], atol=1e-5)
    np.testing.assert_allclose(scores[:, [1, 2]], -np.log(121), rtol=1e-6)
    np.testing.assert_array_equal(learner.predict_scores(batch), before)
    restored = TagLearner.from_state(*again.state())
    np.testing.assert_array_equal(restored.predict_scores(batch), scores)


def test_tags_that_come_where_there_were_none() -> None:
    batch, _ = drawn()
    nothing = TagMatrix.from_lists(range(60), [[]] * 60, n_tags=0)
    learner = Heads().fit(batch, nothing)
    again = learner.rebased(TagMatrix.from_lists([0], [[0]], n_tags=2), np.array([-1, -1]))
    assert not again.predict_scores(batch).any()
    assert not TagLearner.from_state(*again.state()).predict_scores(batch).any()


def test_a_loss_that_is_not_finite_stops_with_a_message() -> None:
    batch, tags = drawn()
    with pytest.raises(InputError, match=r"loss of heads became (nan|inf) .* lower learning_rate"):
        Heads(loss="logistic", n_units=0, hidden=(64, 64), learning_rate=1e30).fit(batch, tags)


@pytest.mark.parametrize("preset", [Heads.TAGGERNET, Heads.NETWORK])
def test_presets_are_parameters(preset: dict) -> None:
    learner = make_learner("heads", **preset)
    quick = replace(learner, hidden=(16,), learning_rate=0.01)
    quick.fit(*drawn(n_images=200))
    batch, tags = drawn(n_images=200, seed=1)
    assert average_precision(quick, batch, tags) > 0.5
    assert learner.params() == make_learner("heads", **learner.params()).params()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"loss": "hinge"}, "loss is 'hinge'; it is one of logistic, softmax, warp"),
        ({"hidden": "512"}, r"hidden is '512'; it is a list of widths, such as \[512\]"),
        ({"hidden": [0]}, "a width of hidden is 0; it is at least 1"),
        ({"n_units": -1}, "n_units is -1; it is at least 0"),
        ({"completion": 2}, r"completion is 2; it is in \[0, 1\]"),
        ({"dropout": 1.0}, "dropout is 1; it is below 1"),
        ({"gamma_negative": 0.5}, r"gamma_negative is 0\.5; it is 0, or at least 1"),
        ({"quantity": 1}, "quantity is 1; it is one of auto, network, none"),
        ({"learning_rate": -1}, "learning_rate is -1; it is a number above 0"),
        ({"n_members": 0}, "n_members is 0; it is at least 1"),
        ({"seed": -1}, "seed is -1; it is at least 0"),
    ],
)
def test_parameters_that_are_not_accepted(params: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_learner("heads", **params)


@pytest.mark.parametrize("params", [{}, {"loss": "logistic", **SMALL}])
def test_features_of_another_width_are_refused(params: dict) -> None:
    batch, tags = drawn()
    learner = make_learner("heads", **params).fit(batch, tags)
    assert batch.features is not None
    with pytest.raises(InputError, match=r"shape \(60, 7\) for .* of 8 values"):
        learner.predict_scores(Batch(features=batch.features[:, :7]))


def test_the_closed_form_and_every_answer_need_no_torch(tmp_path: Path) -> None:
    batch, tags = drawn()
    head, arrays = make_learner("heads", loss="logistic", epochs=2).fit(batch, tags).state()
    np.savez(tmp_path / "state.npz", features=batch.features, **arrays)
    (tmp_path / "head.json").write_text(json.dumps(head))
    program = f"""
import json, sys
from pathlib import Path
import numpy as np
from learners.base import Batch, TagLearner, TagMatrix
from learners.table import make_learner

folder = Path({str(tmp_path)!r})
arrays = dict(np.load(folder / "state.npz"))
batch = Batch(features=arrays.pop("features"))
trained = TagLearner.from_state(json.loads((folder / "head.json").read_text()), arrays)
assert trained.predict_scores(batch).shape == (60, 5)
tags = TagMatrix.from_lists(range(60), [[0], [1]] * 30, 2)
assert make_learner("heads").fit(batch, tags).predict_scores(batch).shape == (60, 2)
sys.exit("torch" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
