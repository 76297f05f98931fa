import io
import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from indexing.errors import ArtifactError, InputError, NotFittedError
from indexing.extractors import open_extractor
from indexing.index import VectorTransform
from indexing.pixels import Framing
from learners.base import Batch, TagLearner, TagMatrix
from learners.metrics import Measure
from learners.multiscale import MSCNN
from learners.table import make_learner
from learners.training import hold_out
from tests.reference import multimodal as reference

SMALL = {
    "backbone": "timm:test_efficientnet",
    "pretrained": False,
    "n_trained_scales": None,
    "epochs": 2,
    "learning_rate": 0.003,
    "held_out": 0.0,
    "quantity": False,
    "loss": "logistic",
    "dropout": 0.0,
    "classifier": "linear",
}


@pytest.fixture(autouse=True)
def _shared_cache(extractor_cache) -> None:
    """Networks are compiled into a folder of the test run."""


def drawn(n_images: int = 24, seed: int = 0, size: int = 16) -> tuple[Batch, TagMatrix]:
    """Noise; a red cast is the first tag, a bright left half the second; nobody has the third."""
    rng = np.random.default_rng(seed)
    present = rng.random((n_images, 3)) < (0.5, 0.5, 0.0)
    pixels = rng.integers(0, 120, (n_images, size, size, 3), dtype=np.uint8)
    pixels[present[:, 0], :, :, 0] += 100
    pixels[present[:, 1], :, : size // 2] += 35
    tags = TagMatrix.from_lists(range(n_images), [np.flatnonzero(row) for row in present], 3)
    return Batch(pixels=pixels), tags


@pytest.fixture(scope="module")
def fitted(extractor_cache) -> MSCNN:
    return MSCNN(**{**SMALL, "quantity": True, "flips": False}).fit(*drawn())


RADIAL = {**SMALL, "classifier": "radial", "n_trained_scales": 0, "loss": "asymmetric"}


def test_a_frozen_plain_network_is_the_learner_heads_on_what_it_extracts() -> None:
    batch, tags = drawn(60)
    asked, _ = drawn(30, seed=1)
    learner = MSCNN(**{**RADIAL, "fusion": False}).fit(batch, tags)
    extractor = learner.extractor()
    assert extractor.blocks == (256, 16, 24, 32, 48, 64)
    transform = VectorTransform.of_blocks(extractor.blocks)
    given, seen = (transform(extractor.extract(some.pixels)) for some in (batch, asked))
    expected = make_learner("heads").fit(Batch(features=given), tags)
    np.testing.assert_array_equal(
        learner.predict_scores(asked), expected.predict_scores(Batch(features=seen))
    )


def test_stages_behind_the_feature_are_those_of_the_backbone_before_training() -> None:
    batch, tags = drawn()
    asked, _ = drawn(8, seed=1)
    features = {
        n_scales: MSCNN(**{**RADIAL, "n_trained_scales": n_scales})
        .fit(batch, tags)
        .extractor()
        .extract(asked.pixels)
        for n_scales in (0, 1, None)
    }
    for n_scales in (1, None):
        np.testing.assert_allclose(
            features[n_scales][:, 256:], features[0][:, 256:], rtol=1e-3, atol=1e-3
        )
        assert np.abs(features[n_scales][:, :256] - features[0][:, :256]).max() > 0.01


def test_the_radial_one_learns_what_pixels_say_too() -> None:
    params = {**RADIAL, "n_trained_scales": 1, "epochs": 8, "quantity": True, "flips": False}
    learner = MSCNN(**params).fit(*drawn(120))
    batch, tags = drawn(60, seed=1)
    scores, truth = learner.predict_scores(batch), tags.toarray()
    for tag in range(2):
        assert Measure("map").compute(scores[:, [tag]], truth[:, [tag]]).value > 0.9
    true = np.diff(tags.indptr)
    assert np.mean((learner.predict_quantities(batch) - true) ** 2) < true.var()
    again = TagLearner.from_state(*learner.state())
    np.testing.assert_array_equal(again.predict_scores(batch), scores)
    np.testing.assert_array_equal(
        again.predict_quantities(batch), learner.predict_quantities(batch)
    )


def test_the_preset_of_the_paper_is_what_it_tells() -> None:
    learner = make_learner("mscnn", **MSCNN.NIU2017)
    assert learner.params()["plan"] == "niu2017"
    assert learner.framing.size == 224
    assert (learner.n_trained_scales, learner.classifier) == (None, "linear")


def test_it_says_which_squares_it_wants(fitted: MSCNN) -> None:
    assert MSCNN().framing == Framing(size=260)
    assert MSCNN(backbone="efficientnet-lite0", size=96).framing == Framing(size=96)
    assert MSCNN(backbone="timm:resnet50").framing.size == 224
    assert fitted.framing.size == 16
    assert fitted.framing.resample is MSCNN(**SMALL).framing.resample


def test_overfits_32_pictures() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (32, 16, 16, 3), dtype=np.uint8)
    present = rng.random((32, 6)) < 0.3
    tags = TagMatrix.from_lists(range(32), [np.flatnonzero(row) for row in present], 6)
    still = {"flips": False, "crop": 0.0, "epochs": 60, "precision": "full"}
    learner = MSCNN(**{**SMALL, **still}).fit(Batch(pixels=pixels), tags)
    scores = learner.predict_scores(Batch(pixels=pixels))
    assert Measure("map").compute(scores, present).value == 1.0


def test_learns_what_pixels_say() -> None:
    more = {"epochs": 15, "flips": False, "quantity": True}
    learner = MSCNN(**{**SMALL, **more}).fit(*drawn(120))
    batch, tags = drawn(60, seed=1)
    scores, truth = learner.predict_scores(batch), tags.toarray()
    for tag in range(2):
        assert Measure("map").compute(scores[:, [tag]], truth[:, [tag]]).value > 0.9
    true = np.diff(tags.indptr)
    assert np.mean((learner.predict_quantities(batch) - true) ** 2) < 0.7 * true.var()


def test_scores_equal_the_literal_loop(fitted: MSCNN) -> None:
    batch, _ = drawn(8, seed=1)
    features = fitted.extractor().extract(batch.pixels)
    expected = reference.scores(fitted.state()[1], features)
    np.testing.assert_allclose(fitted.predict_scores(batch), expected, atol=1e-5)


def test_one_batch_equals_the_pictures_one_by_one(fitted: MSCNN) -> None:
    batch, _ = drawn(8, seed=1)
    assert batch.pixels is not None
    one_by_one = [Batch(pixels=picture[None]) for picture in batch.pixels]
    for answer in (fitted.predict_scores, fitted.predict_quantities):
        alone = np.concatenate([answer(one) for one in one_by_one])
        np.testing.assert_allclose(answer(batch), alone, atol=1e-5)


def test_a_tag_without_pictures_scores_low(fitted: MSCNN) -> None:
    batch, tags = drawn()
    scores = fitted.predict_scores(batch)
    assert tags.counts[-1] == 0
    np.testing.assert_allclose(scores[:, -1], -np.log(49), rtol=1e-6)
    assert np.all(scores[:, -1] < np.where(tags.toarray(), scores, np.inf).min(axis=1))


def test_a_saved_learner_answers_the_same(fitted: MSCNN, tmp_path, monkeypatch) -> None:
    batch, _ = drawn()
    head, arrays = fitted.state()
    file = io.BytesIO()
    np.savez(file, **arrays)
    file.seek(0)
    monkeypatch.setenv("ENGINE_CACHE", str(tmp_path / "another"))
    with np.load(file, allow_pickle=False) as saved:
        again = TagLearner.from_state(json.loads(json.dumps(head)), saved)
    assert isinstance(again, MSCNN)
    np.testing.assert_array_equal(again.predict_scores(batch), fitted.predict_scores(batch))
    np.testing.assert_array_equal(again.predict_quantities(batch), fitted.predict_quantities(batch))
    for name in arrays:
        rest = {key: value for key, value in arrays.items() if key != name}
        with pytest.raises(ArtifactError, match="lacks"):
            TagLearner.from_state(head, rest)


def test_its_feature_is_an_extractor(fitted: MSCNN, tmp_path) -> None:
    batch, _ = drawn()
    fitted.export(tmp_path / "network")
    opened = open_extractor(f"compiled:{tmp_path / 'network'}")
    assert opened.fingerprint == fitted.extractor().fingerprint
    assert opened.blocks == (256,)
    np.testing.assert_array_equal(
        opened.extract(batch.pixels), fitted.extractor().extract(batch.pixels)
    )
    with pytest.raises(InputError, match="has content"):
        fitted.export(tmp_path / "network")
    with pytest.raises(NotFittedError, match="has not been fitted"):
        MSCNN(**SMALL).extractor()


def test_training_is_reproducible_from_its_seed() -> None:
    batch, tags = drawn()
    answers = []
    for seed in (1, 1, 2):
        torch.rand(3)
        learner = MSCNN(**SMALL, seed=seed).fit(batch, tags)
        answers.append(learner.predict_scores(batch))
    np.testing.assert_array_equal(answers[0], answers[1])
    assert (answers[0] != answers[2]).any()


EXPORTED = "features of the trained network"
STAGES = ["cnn", "fusion", "classifier", "label quantity"]


def test_a_training_that_was_stopped_goes_on(tmp_path) -> None:
    batch, tags = drawn()
    params = {**SMALL, "quantity": True, "held_out": 0.2}
    undisturbed = MSCNN(**params).fit(batch, tags)
    for stopped in STAGES:

        def stop(stage: str, done: int, total: int, stopped: str = stopped) -> None:
            if stage == stopped and done > total / 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            MSCNN(**params).keeping(tmp_path).fit(batch, tags, stop)
    stages = []
    resumed = MSCNN(**params).keeping(tmp_path)
    resumed.fit(batch, tags, lambda stage, done, total: stages.append((stage, done)))
    assert {stage for stage, _ in stages} == {EXPORTED, "label quantity"}
    for answer in ("predict_scores", "predict_quantities"):
        np.testing.assert_array_equal(
            getattr(resumed, answer)(batch), getattr(undisturbed, answer)(batch)
        )


def test_the_plain_network_is_the_ablation() -> None:
    stages: list[str] = []
    params = {**SMALL, "fusion": False, "quantity": True}
    MSCNN(**params).fit(*drawn(), lambda stage, done, total: stages.append(stage))
    assert list(dict.fromkeys(stages)) == ["cnn", EXPORTED, "classifier", "label quantity"]


def test_copies_are_kept_together_when_pictures_are_held_out(monkeypatch) -> None:
    batch, tags = drawn()
    groups = np.repeat(np.arange(6), 4)
    given = []

    def watched(n_images: int, share: float, seed: int, groups: np.ndarray) -> np.ndarray:
        given.append((share, groups))
        return hold_out(n_images, share, seed, groups)

    for module in ("multiscale.training", "multimodal.joint", "dense"):
        monkeypatch.setattr(f"learners.{module}.hold_out", watched)
    params = {**SMALL, "epochs": 1, "held_out": 0.2, "quantity": True}
    MSCNN(**params).fit(Batch(pixels=batch.pixels, groups=groups), tags)
    assert [share for share, _ in given] == [0.2] * 3
    for _, one in given:
        np.testing.assert_array_equal(one, groups)


def test_other_pictures_and_tags_need_no_training(fitted: MSCNN) -> None:
    batch, _ = drawn()
    before = fitted.predict_scores(batch)
    now = TagMatrix.from_lists([3, 5], [[0], [3]], n_tags=4)
    again = fitted.rebased(now, np.array([1, -1, 2, 0]))
    scores = again.predict_scores(batch)
    np.testing.assert_allclose(scores[:, [0, 3]], before[:, [1, 0]], atol=1e-5)
    np.testing.assert_allclose(scores[:, [1, 2]], -np.log(49), rtol=1e-6)
    np.testing.assert_array_equal(fitted.predict_scores(batch), before)
    restored = TagLearner.from_state(*again.state())
    np.testing.assert_array_equal(restored.predict_scores(batch), scores)


@pytest.mark.parametrize(("n_images", "n_tags"), [(0, 3), (1, 3), (2, 1), (3, 0)])
def test_next_to_nothing_to_learn_from(n_images: int, n_tags: int) -> None:
    batch, _ = drawn(n_images)
    tags = TagMatrix.from_lists(range(n_images), [list(range(n_tags))] * n_images, n_tags)
    learner = MSCNN(**{**SMALL, "held_out": 0.1}).fit(batch, tags)
    asked, _ = drawn()
    scores = learner.predict_scores(asked)
    assert scores.shape == (24, n_tags)
    assert np.isfinite(scores).all()
    assert np.isfinite(learner.predict_quantities(asked)).all()
    again = TagLearner.from_state(*learner.state())
    np.testing.assert_array_equal(again.predict_scores(asked), scores)
    if not n_images or not n_tags:
        with pytest.raises(InputError, match="fitted on nothing and has no network"):
            learner.extractor()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"backbone": "resnet18", "epochs": 1}, "backbone is 'resnet18'; it is efficientnet-lite0"),
        ({"plan": "magic"}, "plan is 'magic'; it is one of adamw, niu2017"),
        ({"loss": "squared"}, "loss is 'squared'; it is one of logistic, softmax, warp, asym"),
        ({"precision": "half"}, "precision is 'half'; it is one of full, mixed"),
        ({"fusion": 1}, "fusion is 1; it is True or False"),
        ({"n_trained_scales": -1}, "n_trained_scales is -1; it is at least 0"),
        ({"crop": 1.0}, "crop is 1; it is a share below 1"),
        ({"held_out": 1.0}, "held_out is 1; it is below 1"),
        ({"classifier": "deep"}, "classifier is 'deep'; it is one of radial, linear; choose one"),
        ({"views": -1}, "views is -1; it is at least 0"),
        ({"size": 0}, "size is 0; it is at least 1"),
        ({"dropout": 1.0}, "dropout is 1; it is below 1"),
        ({"gamma_negative": 0.5}, "gamma_negative is 0.5; it is 0, or at least 1"),
        ({"learning_rate": 0}, "learning_rate is 0; it is a number above 0"),
    ],
)
def test_what_is_not_accepted(params: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_learner("mscnn", **params).fit(*drawn())


@pytest.mark.parametrize("shape", [(4, 16, 16), (4, 16, 12, 3), (4, 16, 16, 1)])
def test_pixels_of_another_form_are_refused(fitted: MSCNN, shape: tuple[int, ...]) -> None:
    batch = Batch(pixels=np.zeros(shape, np.uint8))
    with pytest.raises(InputError, match=r"pixels are uint8 .*; uint8 .* is accepted; decode"):
        fitted.predict_scores(batch)
    with pytest.raises(InputError, match=r"pixels are float32 .* accepted; decode"):
        fitted.predict_scores(Batch(pixels=np.zeros((2, 16, 16, 3), np.float32)))
    with pytest.raises(InputError, match=r"is uint8 \(17, 17, 3\); it takes uint8 \(16, 16, 3\)"):
        fitted.predict_scores(drawn(2, size=17)[0])


def test_importing_and_answering_import_no_torch(fitted: MSCNN, tmp_path) -> None:
    head, arrays = fitted.state()
    np.savez(tmp_path / "arrays.npz", **arrays)
    (tmp_path / "head.json").write_text(json.dumps(head))
    program = (
        "import sys, json, numpy as np; from learners.base import *; import learners.multiscale;"
        "head = json.load(open('head.json')); arrays = dict(np.load('arrays.npz'));"
        "batch = Batch(pixels=np.zeros((1, 16, 16, 3), np.uint8));"
        "scores = TagLearner.from_state(head, arrays).predict_scores(batch);"
        "print(scores.shape, 'torch' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert result.stdout.strip() == "(1, 3) False"
