"""Tags that somebody gave, as votes: what they add to what pixels say."""

import subprocess
import sys
from dataclasses import replace
from math import log

import numpy as np
import pytest

from indexing.errors import InputError
from learners.base import Batch, TagLearner, TagMatrix
from learners.heads import Heads
from learners.metrics import Measure
from learners.multimodal import Multimodal
from learners.multimodal.conditional import ConditionalVotes
from learners.radial import central_pictures, fit_radial_units


def of_lists(lists: list, n_tags: int) -> TagMatrix:
    return TagMatrix.from_lists(range(len(lists)), lists, n_tags)


def of_array(present: np.ndarray) -> TagMatrix:
    return of_lists([np.flatnonzero(row) for row in present], present.shape[1])


def drawn(n_images: int, seed: int = 0) -> tuple[Batch, np.ndarray]:
    """Scenes that pixels tell, each with two tags of three; pixels do not tell which two.

    The first tag of a scene goes with the second or the third; a last tag is nobody's.
    """
    rng = np.random.default_rng(seed)
    scene, is_second = rng.integers(0, 4, n_images), rng.random(n_images) < 0.5
    features = (3 * np.eye(4)[scene] + rng.normal(0, 0.4, (n_images, 4))).astype(np.float32)
    present = np.zeros((n_images, 17), bool)
    for offset, has in ((0, is_second), (1, is_second), (2, ~is_second), (3, ~is_second)):
        present[np.arange(n_images), 4 * scene + offset] = has
    return Batch(features=features), present


def asked(batch: Batch, given: np.ndarray) -> Batch:
    return replace(batch, tags=of_array(given))


def test_conditional_votes_by_hand() -> None:
    # Weights 0.8 and 0.2 of a picture; voter 0 carries 0 and 1, voter 1 carries 1 and 2.
    voters = of_lists([[0, 1], [1, 2]], 4)
    votes = ConditionalVotes(voters=voters, claims=voters, sharpness=2.0, trust=1.5, noise=0.5)
    nearness = np.array([[0.8, 0.4]] * 4)  # squared 0.64 and 0.16
    added = votes(nearness, of_lists([[2], [1], [], [0, 2]], 4))
    # Tag 2: belief 1.5 / (0.5 + 1/2) = 1.5, so voter 1 weighs 0.2 * 2.5 = 0.5 of 1.3.
    expected = [log(0.8 / 1.3 + 0.003) - log(0.803), 0, log(0.5 / 1.3 + 0.003) - log(0.203), 0]
    np.testing.assert_allclose(added[0], expected, atol=1e-12)
    np.testing.assert_allclose(added[1], 0, atol=1e-12)  # both carry it: nothing is told
    np.testing.assert_array_equal(added[2], 0)
    # Tag 0: voter 0 weighs 0.8 * 2.5 = 2 of 2.2; given together, both are heard alone.
    first = [log(2 / 2.2 + 0.003) - log(0.803), 0, log(0.2 / 2.2 + 0.003) - log(0.203), 0]
    np.testing.assert_allclose(added[3], np.add(expected, first), atol=1e-12)


def test_a_picture_gets_no_vote_of_itself_and_far_ones_hear_nothing() -> None:
    voters = of_lists([[0, 1], [1], [0]], 2)
    votes = ConditionalVotes(voters=voters, claims=voters, sharpness=1.0, trust=1.0, noise=0.1)
    given = of_lists([[0]], 2)
    nearness = np.array([[1.0, 0.5, 0.2]])
    others = votes(np.array([[0.0, 0.5, 0.2]]), given)
    np.testing.assert_array_equal(votes(nearness, given), others)
    # Tag 0: of 0.5 and 0.2 the second carries it, with belief 1 / (0.1 + 2/3).
    belief = 1 / (0.1 + 2 / 3)
    expected = log(0.2 / 0.7 * (1 + belief) / (1 + belief * 0.2 / 0.7) + 0.003)
    assert others[0, 0] == pytest.approx(expected - log(0.2 / 0.7 + 0.003), abs=1e-12)
    np.testing.assert_array_equal(votes(np.zeros((1, 3)), given), 0)


def test_without_tags_it_is_heads() -> None:
    batch, present = drawn(60)
    tags = of_array(present)
    params = {"n_units": 40, "prior_correction": 0.3, "seed": 3}
    learner = Multimodal(**params).fit(asked(batch, present), tags)
    heads = Heads(**params).fit(batch, tags)
    other, _ = drawn(30, seed=1)
    untold = asked(other, np.zeros((30, 17), bool))
    np.testing.assert_array_equal(learner.predict_scores(untold), heads.predict_scores(other))
    np.testing.assert_array_equal(
        learner.predict_quantities(untold), heads.predict_quantities(other)
    )
    plain = (
        Multimodal(**params, quantity=False)
        .fit(asked(batch, present), tags)
        .predict_quantities(untold)
    )
    np.testing.assert_allclose(plain, present.sum(axis=1).mean())


def test_a_given_tag_tells_its_companion() -> None:
    batch, present = drawn(200)
    other, truth = drawn(100, seed=1)
    learner = Multimodal().fit(asked(batch, present), of_array(present))
    given = truth & (np.cumsum(truth, axis=1) == 1)  # the first tag of each
    left = truth & ~given
    values = []
    for told in (np.zeros_like(given), given):
        scores = np.where(given, -np.inf, learner.predict_scores(asked(other, told)))
        values.append(Measure("miap").compute(scores, left).value)
    assert values[1] > values[0] + 0.1


def test_a_wrong_tag_that_no_near_picture_carries_says_next_to_nothing() -> None:
    batch, present = drawn(200)
    other, truth = drawn(100, seed=1)
    learner = Multimodal().fit(asked(batch, present), of_array(present))
    scene = truth.argmax(axis=1) // 4
    wrong = np.zeros_like(truth)
    wrong[np.arange(100), 4 * ((scene + 1) % 4)] = True  # of another scene
    nobodys = np.zeros_like(truth)
    nobodys[:, -1] = True
    untold = learner.predict_scores(asked(other, np.zeros_like(truth)))
    np.testing.assert_allclose(learner.predict_scores(asked(other, wrong)), untold, atol=0.05)
    np.testing.assert_allclose(learner.predict_scores(asked(other, nobodys)), untold, atol=1e-6)


def test_tags_of_a_vocabulary_of_their_own_speak_for_who_came_with_them() -> None:
    batch, present = drawn(200)
    typed = np.column_stack([present[:, :16:4].any(axis=1), present[:, 2:16:4].any(axis=1)])
    learner = Multimodal(trust=2.0, tag_weight=1.0)
    learner.fit(replace(batch, tags=of_array(typed)), of_array(present))
    assert learner.head_.claims_.n_tags == 2
    other, truth = drawn(100, seed=1)
    told = np.column_stack([truth[:, :16:4].any(axis=1), truth[:, 2:16:4].any(axis=1)])
    values = []
    for given in (np.zeros_like(told), told):
        scores = learner.predict_scores(asked(other, given))
        values.append(Measure("miap").compute(scores, truth).value)
    assert values[1] > values[0] + 0.1
    columns = np.array([5, *range(5), *range(6, 17)])
    again = learner.rebased(of_lists([[0]], 17), columns)
    np.testing.assert_allclose(
        again.predict_scores(asked(other, told)), scores[:, columns], atol=1e-6
    )
    restored = TagLearner.from_state(*again.state())
    np.testing.assert_array_equal(
        restored.predict_scores(asked(other, told)), again.predict_scores(asked(other, told))
    )


def test_what_input_tags_stand_for_is_said_or_seen() -> None:
    batch, present = drawn(20)
    tags = of_array(present)
    none = replace(batch, tags=of_lists([[]] * 20, 17))
    assert Multimodal().fit(none, tags).head_.claims_.indices.size == present.sum()
    assert not Multimodal(claims="tags").fit(none, tags).head_.claims_.indices.size
    with pytest.raises(InputError, match=r"3 input tags that are to be claims of 17 labels"):
        Multimodal(claims="labels").fit(replace(batch, tags=of_lists([[]] * 20, 3)), tags)
    learner = Multimodal().fit(none, tags)
    with pytest.raises(InputError, match=r"'multimodal' got features; it needs tags"):
        learner.predict_scores(batch)
    with pytest.raises(InputError, match=r"vocabulary of 3 as input .* fitted on 17; the same"):
        learner.predict_scores(replace(batch, tags=of_lists([[]] * 20, 3)))


def test_voters_are_the_centres_where_pictures_are_drawn(monkeypatch) -> None:
    batch, present = drawn(50)
    learner = Multimodal(n_units=20, seed=5).fit(asked(batch, present), of_array(present))
    chosen = central_pictures(50, 20, seed=5)
    assert len(set(chosen.tolist())) == 20
    np.testing.assert_array_equal(learner.head_.voters_.toarray(), present[chosen])
    typed = np.random.default_rng(0).random((50, 3)) < 0.5
    own = Multimodal(n_units=20, seed=5).fit(asked(batch, typed), of_array(present))
    np.testing.assert_array_equal(own.head_.claims_.toarray(), typed[chosen])
    units = fit_radial_units(batch.features, 20, seed=5)
    np.testing.assert_array_equal(units.centers, batch.features[chosen])
    other, truth = drawn(9, seed=1)
    whole = learner.predict_scores(asked(other, truth))
    monkeypatch.setattr("learners.multimodal.learner._CHUNK", 1)
    np.testing.assert_allclose(learner.predict_scores(asked(other, truth)), whole, atol=1e-5)


def test_other_pictures_and_tags_need_no_training() -> None:
    batch, present = drawn(40)
    learner = Multimodal().fit(asked(batch, present), of_array(present))
    other, truth = drawn(15, seed=1)
    before = learner.predict_scores(asked(other, truth))
    columns = np.array([5, -1, *range(5), *range(6, 17), -1])  # one goes to the front, two are new
    again = learner.rebased(of_lists([[0]], len(columns)), columns)
    known = columns >= 0
    given = np.zeros((15, len(columns)), bool)
    given[:, known] = truth[:, columns[known]]
    given[:, 1] = True  # a tag that was not there tells nothing
    scores = again.predict_scores(asked(other, given))
    np.testing.assert_allclose(scores[:, known], before[:, columns[known]], atol=1e-6)
    np.testing.assert_allclose(scores[:, ~known], -np.log(81), rtol=1e-6)
    np.testing.assert_array_equal(learner.predict_scores(asked(other, truth)), before)
    restored = TagLearner.from_state(*again.state())
    np.testing.assert_array_equal(restored.predict_scores(asked(other, given)), scores)


def test_layers_that_read_the_vocabulary_that_they_answer_follow_it() -> None:
    batch, present = drawn(40)
    tags = of_array(present)
    learner = Multimodal(
        form="layers", n_tag_units=8, epochs=2, quantity=False, n_input_tags=12
    ).fit(replace(batch, tags=tags), tags)
    other, truth = drawn(15, seed=1)
    before = learner.predict_scores(asked(other, truth))
    columns = np.array([5, -1, *range(5), *range(6, 17)])
    again = learner.rebased(of_lists([[0]], len(columns)), columns)
    known = columns >= 0
    given = np.zeros((15, len(columns)), bool)
    given[:, known] = truth[:, columns[known]]
    scores = again.predict_scores(asked(other, given))
    np.testing.assert_allclose(scores[:, known], before[:, columns[known]], atol=1e-5)
    restored = TagLearner.from_state(*again.state())
    np.testing.assert_array_equal(restored.predict_scores(asked(other, given)), scores)


@pytest.mark.parametrize(("n_images", "n_tags"), [(0, 3), (1, 3), (2, 1), (3, 0), (0, 0)])
@pytest.mark.parametrize("quantity", [True, False])
def test_next_to_nothing_to_learn_from(n_images: int, n_tags: int, quantity: bool) -> None:
    features = np.random.default_rng(0).normal(size=(n_images, 5)).astype(np.float32)
    tags = of_lists([list(range(n_tags))] * n_images, n_tags)
    learner = Multimodal(quantity=quantity).fit(Batch(features=features, tags=tags), tags)
    told = of_lists([list(range(n_tags)), []], n_tags)
    batch = Batch(features=np.ones((2, 5), np.float32), tags=told)
    scores = learner.predict_scores(batch)
    assert scores.shape == (2, n_tags)
    assert np.isfinite(scores).all()
    assert np.isfinite(learner.predict_quantities(batch)).all()
    again = TagLearner.from_state(*learner.state())
    np.testing.assert_array_equal(again.predict_scores(batch), scores)


def test_answering_imports_neither_torch_nor_scipy(tmp_path) -> None:
    batch, present = drawn(20)
    head, arrays = Multimodal(quantity=False).fit(asked(batch, present), of_array(present)).state()
    np.savez(tmp_path / "saved.npz", **arrays)
    program = (
        "import sys, numpy as np; from learners.base import *;"
        f"arrays = dict(np.load({str(tmp_path / 'saved.npz')!r}));"
        f"learner = TagLearner.from_state({head!r}, arrays);"
        "tags = TagMatrix.from_lists([0], [[0]], 17);"
        "learner.predict_scores(Batch(features=np.ones((1, 4), np.float32), tags=tags));"
        "print([name for name in ('torch', 'scipy') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
