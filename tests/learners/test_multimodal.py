import io
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from indexing.errors import ArtifactError, InputError
from learners.base import Batch, TagLearner, TagMatrix
from learners.dense import DenseLayers
from learners.losses import Loss
from learners.metrics import Measure, quantities_to_emit
from learners.multimodal import Multimodal
from learners.multimodal.joint import JointExamples
from learners.multimodal.textual import TagInput, TextualFeature
from learners.table import make_learner
from learners.training import hold_out
from tests.reference import multimodal as reference

SMALL = {
    "form": "layers",
    "n_tag_units": 16,
    "epochs": 10,
    "learning_rate": 0.01,
    "held_out": 0.0,
    "quantity": False,
}


def of_lists(lists: list, n_tags: int) -> TagMatrix:
    return TagMatrix.from_lists(range(len(lists)), lists, n_tags)


def of_array(present: np.ndarray) -> TagMatrix:
    return of_lists([np.flatnonzero(row) for row in present], present.shape[1])


def untagged(n_images: int, n_tags: int = 6) -> TagMatrix:
    return of_lists([[]] * n_images, n_tags)


def drawn(n_images: int = 80, seed: int = 0) -> tuple[Batch, TagMatrix]:
    """Two labels that only pixels tell, two that only noisy tags tell, one that nobody has.

    Of the six noisy tags the last two say nothing.
    """
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n_images, 5)).astype(np.float32)
    noisy = rng.random((n_images, 6)) < 0.4
    noisy[: n_images // 8] = False
    labels = np.column_stack(
        [features[:, 0] > 0.3, features[:, 1] > 0.3, noisy[:, 2], noisy[:, 3], features[:, 0] > 99]
    )
    return Batch(features=features, tags=of_array(noisy)), of_array(labels)


def precision_by_tag(learner: TagLearner, batch: Batch, tags: TagMatrix) -> list[float]:
    scores, truth = learner.predict_scores(batch), tags.toarray()
    return [
        Measure("map").compute(scores[:, [t]], truth[:, [t]]).value
        for t in range(tags.n_tags)
        if truth[:, t].any()
    ]


def test_tags_become_a_vector_that_says_when_there_are_none() -> None:
    tags = of_lists([[1, 4], [0], [], [0, 1, 4], [3, 4]], 5)
    chosen = TagInput.of(tags, 3)
    assert chosen.columns.tolist() == [0, 1, 4]  # 4 has three pictures, 0 and 1 have two
    asked = of_lists([[4], [3], [], [0, 1, 2]], 5)
    assert chosen(asked).tolist() == [[0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [1, 1, 0, 0]]
    assert chosen.nothing.tolist() == [0, 0, 0, 1]
    assert TagInput.of(tags, 2).columns.tolist() == [0, 4]  # equal ones by position
    with pytest.raises(InputError, match=r"vocabulary of 4 as input .* fitted on 5; the same"):
        chosen(of_lists([[0]], 4))


def test_the_textual_feature_by_hand() -> None:
    first = np.array([[1, -1], [2, 1], [0, 5]], np.float32)
    second = np.array([[1], [-1]], np.float32)
    layers = DenseLayers((first, second), (np.zeros(2, np.float32), np.full(1, -1, np.float32)))
    feature = TextualFeature(TagInput(np.array([0, 2]), 3), layers)
    # [1, 1, 0] -> [3, 0] -> 3 - 1; [0, 1, 0] -> [2, 1] -> 2 - 1 - 1; [0, 0, 1] -> [0, 5] -> -6.
    values = feature(feature.tags(of_lists([[0, 2], [2], [1]], 3)))
    assert values.tolist() == [[2], [0], [0]]


def test_tags_are_left_out_of_their_share_of_the_pictures_in_training_alone() -> None:
    visual = np.arange(4_000, dtype=np.float32)[:, None]
    textual, absent = np.ones((4_000, 2), np.float32), np.array([0, 7], np.float32)
    examples = JointExamples(visual, textual, absent, np.ones((4_000, 1), bool), 0.3)
    positions = np.arange(3_999, -1, -1)
    (judged,), _ = examples.batch(positions, None)
    np.testing.assert_array_equal(judged, np.column_stack([visual[positions], textual]))
    shares = []
    for seed in range(2):
        (inputs,), targets = examples.batch(positions, np.random.default_rng(seed))
        assert targets.dtype == inputs.dtype == torch.float32
        np.testing.assert_array_equal(inputs[:, 0], visual[positions, 0])
        left_out = (inputs[:, 1:] == torch.tensor([0, 7])).all(dim=1).numpy()
        np.testing.assert_array_equal(inputs[:, 1:][~left_out], 1)
        shares.append(left_out)
    assert np.mean(shares) == pytest.approx(0.3, abs=0.02)
    assert (shares[0] != shares[1]).any()
    assert (textual == 1).all()


def test_reads_both_pixels_and_tags_and_does_without_tags() -> None:
    learner = Multimodal(**{**SMALL, "epochs": 40}).fit(*drawn(600))
    batch, tags = drawn(300, seed=1)
    with_tags = precision_by_tag(learner, batch, tags)
    without = precision_by_tag(learner, replace(batch, tags=untagged(300)), tags)
    assert min(with_tags) > 0.95
    assert min(without[:2]) > 0.95
    assert max(without[2:]) < 0.6


def test_what_takes_the_place_of_tags_is_what_an_untagged_picture_has(monkeypatch) -> None:
    batch, tags = drawn()
    given: list[np.ndarray] = []

    class Watched(JointExamples):
        def __init__(self, visual, textual, absent, *others) -> None:
            given.append(absent)
            super().__init__(visual, textual, absent, *others)

    monkeypatch.setattr("learners.multimodal.joint.JointExamples", Watched)
    head = Multimodal(**SMALL).fit(batch, tags).head_
    assert head is not None
    joined = head.inputs_(head.joined(batch.features, untagged(80)))
    assert len(given) == 2  # of the tags, and of the classifier
    assert given[0].tolist() == [0] * 6 + [1]
    np.testing.assert_allclose(joined[:, 5:], np.tile(given[1], (80, 1)), atol=1e-6)


def test_tag_dropout_is_what_lets_one_learner_do_both() -> None:
    # Each label is told by a pixel and by a tag: without dropout, tags are relied upon.
    def redundant(n_images: int, seed: int) -> tuple[Batch, TagMatrix]:
        rng = np.random.default_rng(seed)
        labels = rng.random((n_images, 4)) < 0.4
        features = (labels + rng.normal(0, 0.7, labels.shape)).astype(np.float32)
        return Batch(features=features, tags=of_array(labels)), of_array(labels)

    batch, tags = redundant(200, 1)
    asked = replace(batch, tags=untagged(200, 4))
    loss = {}
    for tag_dropout in (0.0, 0.8):
        learner = Multimodal(tag_dropout=tag_dropout, **{**SMALL, "epochs": 40})
        scores = learner.fit(*redundant(400, 0)).predict_scores(asked)
        signs = np.where(tags.toarray(), 1, -1)
        loss[tag_dropout] = float(np.log1p(np.exp(-scores * signs)).sum(axis=1).mean())
    assert loss[0.8] < loss[0.0] - 0.1


WAYS = [
    {},
    {"plan": "niu2017"},
    {"loss": "asymmetric", "hidden": [12]},
    {"n_input_tags": 2, "quantity": True},
]
every_way = pytest.mark.parametrize("params", WAYS, ids=str)


@every_way
def test_scores_equal_the_literal_loop(params: dict) -> None:
    learner = Multimodal(**{**SMALL, **params}).fit(*drawn())
    batch, _ = drawn(20, seed=1)
    assert batch.tags is not None
    carried = [batch.tags.tags_of(i).tolist() for i in range(20)]
    expected = reference.scores(learner.state()[1], batch.features, carried)
    np.testing.assert_allclose(learner.predict_scores(batch), expected, atol=1e-5)


@every_way
def test_one_batch_equals_the_pictures_one_by_one(params: dict, monkeypatch) -> None:
    learner = Multimodal(**{**SMALL, **params}).fit(*drawn())
    batch, _ = drawn(9, seed=1)
    whole, quantities = learner.predict_scores(batch), learner.predict_quantities(batch)
    monkeypatch.setattr("learners.multimodal.learner._CHUNK", 1)
    np.testing.assert_allclose(learner.predict_scores(batch), whole, atol=1e-5)
    np.testing.assert_allclose(learner.predict_quantities(batch), quantities, atol=1e-5)


@every_way
def test_overfits_32_pictures(params: dict) -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(32, 40)).astype(np.float32)
    batch = Batch(features=features, tags=of_array(rng.random((32, 8)) < 0.3))
    present = rng.random((32, 6)) < 0.3
    eager = {
        "epochs": 150,
        "learning_rate": 0.03,
        "quantity": False,
        "dropout": 0.0,
        "tag_dropout": 0.0,
    }
    learner = Multimodal(**{**SMALL, **params, **eager}).fit(batch, of_array(present))
    assert Measure("map").compute(learner.predict_scores(batch), present).value == 1.0


@every_way
def test_a_tag_without_pictures_scores_low(params: dict) -> None:
    batch, tags = drawn()
    scores = Multimodal(**{**SMALL, **params}).fit(batch, tags).predict_scores(batch)
    assert tags.counts[-1] == 0
    np.testing.assert_allclose(scores[:, -1], -np.log(161), rtol=1e-6)
    own = np.where(tags.toarray(), scores, np.inf).min(axis=1)
    assert np.all(scores[:, -1] < own)


@every_way
def test_a_saved_learner_answers_the_same(params: dict) -> None:
    batch, tags = drawn()
    learner = Multimodal(**{**SMALL, **params}).fit(batch, tags)
    head, arrays = learner.state()
    file = io.BytesIO()
    np.savez(file, **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as saved:
        again = TagLearner.from_state(json.loads(json.dumps(head)), saved)
    assert isinstance(again, Multimodal)
    np.testing.assert_array_equal(again.predict_scores(batch), learner.predict_scores(batch))
    np.testing.assert_array_equal(
        again.predict_quantities(batch), learner.predict_quantities(batch)
    )
    for name in arrays:
        rest = {key: value for key, value in arrays.items() if key != name}
        with pytest.raises(ArtifactError, match="lacks"):
            TagLearner.from_state(head, rest)


def test_training_is_reproducible_from_its_seed() -> None:
    batch, tags = drawn()
    answers = []
    for seed in (1, 1, 2):
        torch.rand(3)
        learner = Multimodal(**{**SMALL, "quantity": True}, seed=seed).fit(batch, tags)
        answers.append((learner.predict_scores(batch), learner.predict_quantities(batch)))
    for one, same, other in zip(*answers, strict=True):
        np.testing.assert_array_equal(one, same)
        assert (one != other).any()


@pytest.mark.parametrize("stopped", ["tags", "classifier", "label quantity"])
def test_a_training_that_was_stopped_goes_on(tmp_path, stopped: str) -> None:
    batch, tags = drawn()
    params = {**SMALL, "epochs": 4, "quantity": True, "held_out": 0.2}

    def stop(stage: str, done: int, total: int) -> None:
        if stage == stopped and done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Multimodal(**params).keeping(tmp_path).fit(batch, tags, stop)
    stages = []
    resumed = Multimodal(**params).keeping(tmp_path)
    resumed.fit(batch, tags, lambda stage, done, total: stages.append(stage))
    every = ["tags", "classifier", "label quantity"]
    assert list(dict.fromkeys(stages)) == every[every.index(stopped) :]
    undisturbed = Multimodal(**params).fit(batch, tags)
    np.testing.assert_array_equal(resumed.predict_scores(batch), undisturbed.predict_scores(batch))
    np.testing.assert_array_equal(
        resumed.predict_quantities(batch), undisturbed.predict_quantities(batch)
    )


def test_the_stages_leave_what_was_trained_before_as_it_is() -> None:
    batch, tags = drawn()
    few, many = (
        Multimodal(**SMALL, **more).fit(batch, tags).state()[1] for more in ({}, {"hidden": [9]})
    )
    for name in few:
        if name.startswith("textual"):
            np.testing.assert_array_equal(few[name], many[name])
    assert few["textual_weights_1"].shape == (16, 5)  # as wide as the visual feature
    assert few["mean"].shape == (10,)


def test_quantities_follow_what_pictures_and_tags_say() -> None:
    learner = Multimodal(form="layers", n_tag_units=16, epochs=30).fit(*drawn(800))
    batch, tags = drawn(300, seed=1)
    true = np.diff(tags.indptr)
    predicted = learner.predict_quantities(batch)
    without = learner.predict_quantities(replace(batch, tags=untagged(300)))
    errors = [np.mean((m - true) ** 2) for m in (predicted, without)]
    assert errors[0] < 0.35 * true.var()
    assert errors[0] < errors[1] < 0.9 * true.var()
    emitted = quantities_to_emit(predicted, tags.n_tags)
    assert np.mean(emitted == true) > 0.6
    mean = Multimodal(**SMALL).fit(*drawn(800)).predict_quantities(batch)
    np.testing.assert_allclose(mean, np.diff(drawn(800)[1].indptr).mean())


def test_copies_are_kept_together_when_pictures_are_held_out(monkeypatch) -> None:
    batch, tags = drawn()
    groups = np.repeat(np.arange(20), 4)
    given = []

    def watched(n_images: int, share: float, seed: int, groups: np.ndarray) -> np.ndarray:
        given.append((share, groups))
        return hold_out(n_images, share, seed, groups)

    monkeypatch.setattr("learners.multimodal.joint.hold_out", watched)
    monkeypatch.setattr("learners.dense.hold_out", watched)
    params = {**SMALL, "epochs": 1, "held_out": 0.2, "quantity": True}
    Multimodal(**params).fit(replace(batch, groups=groups), tags)
    assert [share for share, _ in given] == [0.2, 0.2]
    for _, one in given:
        np.testing.assert_array_equal(one, groups)


def test_other_pictures_and_tags_need_no_training() -> None:
    batch, tags = drawn()
    learner = Multimodal(**SMALL).fit(batch, tags)
    before = learner.predict_scores(batch)
    now = of_lists([[0], [3]], 4)
    again = learner.rebased(now, np.array([2, -1, 4, 0]))
    scores = again.predict_scores(batch)
    np.testing.assert_allclose(scores[:, [0, 3]], before[:, [2, 0]], atol=1e-5)
    np.testing.assert_allclose(scores[:, [1, 2]], -np.log(161), rtol=1e-6)
    np.testing.assert_array_equal(learner.predict_scores(batch), before)
    restored = TagLearner.from_state(*again.state())
    np.testing.assert_array_equal(restored.predict_scores(batch), scores)


@pytest.mark.parametrize(("n_images", "n_tags"), [(0, 3), (1, 3), (2, 1), (3, 0), (0, 0)])
@pytest.mark.parametrize("quantity", [True, False])
def test_next_to_nothing_to_learn_from(n_images: int, n_tags: int, quantity: bool) -> None:
    features = np.random.default_rng(0).normal(size=(n_images, 5)).astype(np.float32)
    tags = of_lists([list(range(n_tags))] * n_images, n_tags)
    learner = Multimodal(**{**SMALL, "quantity": quantity, "held_out": 0.1})
    asked, _ = drawn()
    learner.fit(Batch(features=features, tags=untagged(n_images)), tags)
    scores = learner.predict_scores(asked)
    assert scores.shape == (80, n_tags)
    assert np.isfinite(scores).all()
    assert np.isfinite(learner.predict_quantities(asked)).all()
    again = TagLearner.from_state(*learner.state())
    np.testing.assert_array_equal(again.predict_scores(asked), scores)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"form": "waves"}, "form is 'waves'; it is one of votes, layers; choose one"),
        ({"claims": "labels of"}, "claims is 'labels of'; it is one of auto, labels, tags; ch"),
        ({"n_units": 0}, "n_units is 0; it is at least 1"),
        ({"sharpness": 0}, "sharpness is 0; it is a number above 0"),
        ({"noise": 0}, "noise is 0; it is a number above 0"),
        ({"trust": -1}, "trust is -1; it is a number of at least 0"),
        ({"tag_weight": -1}, "tag_weight is -1; it is a number of at least 0"),
        ({"plan": "magic"}, "plan is 'magic'; it is one of adamw, niu2017, niu2017-coco"),
        ({"loss": "squared"}, "loss is 'squared'; it is one of logistic, softmax, warp, asym"),
        ({"hidden": "512"}, r"hidden is '512'; it is a list of widths, such as \[512\]"),
        ({"hidden": [0]}, "a width of hidden is 0; it is at least 1"),
        ({"tag_dropout": 1}, "tag_dropout is 1; it is below 1"),
        ({"dropout": 1.0}, "dropout is 1; it is below 1"),
        ({"held_out": 1.0}, "held_out is 1; it is below 1"),
        ({"n_input_tags": 0}, "n_input_tags is 0; it is at least 1"),
        ({"n_tag_units": 0}, "n_tag_units is 0; it is at least 1"),
        ({"learning_rate": 0}, "learning_rate is 0; it is a number above 0"),
        ({"epochs": 0}, "epochs is 0; it is at least 1"),
        ({"quantity": 1}, "quantity is 1; it is True or False"),
        ({"seed": -1}, "seed is -1; it is at least 0"),
    ],
)
def test_what_is_not_accepted(params: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_learner("multimodal", **params)


@pytest.mark.parametrize("loss", [loss for loss in Loss if loss is not Loss.SQUARED])
def test_every_loss_learns(loss: Loss) -> None:
    batch, tags = drawn(300)
    learner = Multimodal(**{**SMALL, "epochs": 20}, loss=loss).fit(batch, tags)
    assert Measure("miap").compute(learner.predict_scores(batch), tags.toarray()).value > 0.8


def test_answering_imports_no_torch() -> None:
    program = (
        "import sys, numpy as np; from learners.base import *; import learners.multimodal as m;"
        "arrays = dict(counts=np.ones(2), facts=np.array([1, 1, 1]), mean=np.zeros(2),"
        "scale=np.ones(2), classifier_weights_0=np.ones((2, 2)), classifier_bias_0=np.ones(2),"
        "input_tags=np.array([0]), n_input_tags=np.array(1), textual_weights_0=np.ones((2, 3)),"
        "textual_bias_0=np.ones(3), textual_weights_1=np.ones((3, 1)), textual_bias_1=np.ones(1));"
        "params = dict(form='layers', quantity=False);"
        "head = dict(format=1, learner='multimodal', n_tags=2, params=params);"
        "learner = TagLearner.from_state(head, arrays);"
        "tags = TagMatrix.from_lists([0], [[0]], 1);"
        "batch = Batch(features=np.ones((1, 1), np.float32), tags=tags);"
        "print(learner.predict_scores(batch).tolist(), 'torch' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.split("]] ")[1].strip() == "False"
