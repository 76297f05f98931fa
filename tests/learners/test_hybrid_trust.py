"""What the hybrid expects of its members: before anything is read, with few pictures, of words."""

import numpy as np
import pytest

from indexing.index import Neighbors
from learners.base import Batch
from learners.hybrid import Hybrid
from learners.hybrid.decisions import label_f1
from learners.hybrid.evidence import fit_evidence
from learners.hybrid.mixing import Blend, choose_mixture, worth
from learners.hybrid.stacking import StackProblem, fit_stack
from learners.hybrid.trust import Trust, trust_in
from learners.tag_matrix import TagMatrix

_N_TAGS = 6


def nobody(n: int) -> Neighbors:
    return Neighbors(np.full((n, 1), -1, np.int64), np.full((n, 1), np.inf, np.float32))


def planted(n: int, seed: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Log-odds z of tags; heads and tagprop know them with noise, words cosines of them."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, _N_TAGS)) * 2 - 1.5
    present = rng.random(z.shape) < 1 / (1 + np.exp(-z))
    noisy = {name: z + rng.normal(size=z.shape) * 1.5 for name in ("heads", "tagprop", "words")}
    noisy["words"] = np.tanh(noisy["words"] / 4)
    return {name: scores.astype(np.float32) for name, scores in noisy.items()}, present


def matrix(present: np.ndarray) -> TagMatrix:
    return TagMatrix.from_lists(
        np.arange(len(present)), [np.flatnonzero(row) for row in present], present.shape[1]
    )


def fitted(scores: dict[str, np.ndarray], present: np.ndarray) -> Hybrid:
    batch = Batch(scores=scores, neighbors=nobody(len(present)))
    return Hybrid(members=",".join(scores)).fit(batch, matrix(present))


def test_members_that_do_not_fade_weigh_one_together() -> None:
    assert [one.weight for one in trust_in(["heads", "knn"])] == [1.0, 0.0]
    assert [one.weight for one in trust_in(["knn", "tagvote"])] == [0.0, 1.0]
    assert [one.weight for one in trust_in(["mscnn", "tagvote"])] == [0.5, 0.5]
    assert trust_in(["words", "heads"])[0] == Trust(0.3, fades_at=5)
    np.testing.assert_allclose(Trust(0.3, fades_at=5).share_of(np.array([0, 5, 45])), [1, 0.5, 0.1])


def test_few_pictures_do_not_overrule_what_is_expected_and_many_do() -> None:
    rng = np.random.default_rng(0)
    found = {}
    for n in (20, 20_000):
        z = rng.normal(size=(n, 90))
        present = rng.random(z.shape) < 1 / (1 + np.exp(-2 * z))
        nothing = rng.normal(size=z.shape)
        found[n] = fit_stack(
            StackProblem(
                np.stack([z, nothing]).astype(np.float32),
                np.zeros((n, 0), np.float32),
                present,
                np.log(np.full(90, 0.5)),
                np.ones(90),
                20.0,
                np.array([0.5, 0.5]),
            )
        ).shared
    np.testing.assert_allclose(found[20], [0.5, 0.5], atol=0.25)
    assert found[20_000][0] > 1.2
    assert found[20_000][1] < 0.2


def test_who_is_left_alone_is_expected_to_say_it_all() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(2, 12, 90)).astype(np.float32)
    present = rng.random(z.shape[1:]) < 0.3
    blend = Blend(
        evidence=z,
        signals=np.zeros((12, 2), np.float32),
        present=present,
        log_prior=np.log(np.full(90, 0.3)),
        counts=present.sum(axis=0),
        folds=np.arange(12) % 3,
        shrinkage=20.0,
        names=("knn", "heads"),
        left=np.ones((2, 90)),
    )
    both, knn = (blend.fit(members, is_gated=False).shared for members in ((0, 1), (0,)))
    np.testing.assert_allclose(both, [0, 1], atol=0.3)
    np.testing.assert_allclose(knn, [1, 0], atol=0.3)


def test_a_stack_is_where_no_step_lowers_the_loss() -> None:
    rng = np.random.default_rng(3)
    z = rng.normal(size=(200, 7)) * np.arange(1, 8)
    present = rng.random(z.shape) < 1 / (1 + np.exp(-z))
    evidence = np.stack([z + rng.normal(size=z.shape), rng.normal(size=z.shape)])
    of = StackProblem(
        evidence.astype(np.float32),
        np.zeros((200, 0), np.float32),
        present,
        np.log(np.full(7, 0.5)),
        np.array([1.0, 100, 1, 1, 1, 1, 1]),
        20.0,
        np.array([0.5, 0.5]),
    )
    found = of.packed(fit_stack(of))
    loss = of(found)[0]
    low, high = of.bounds().T
    for step in np.random.default_rng(4).normal(size=(40, found.size)):
        assert of(np.clip(found + 0.02 * step, low, high))[0] > loss - 1e-4 * loss


def test_words_fade_with_the_pictures_of_a_tag() -> None:
    # So few pictures leave what is expected, of which five pictures leave half.
    scores, present = planted(24)
    present[:, 0] &= np.arange(24) < 4
    hybrid = fitted(scores, present)
    counts, weights = hybrid.tags_.counts, hybrid.stack_.weights[2]
    assert counts[0] < 4 <= counts[1:].min()
    np.testing.assert_allclose(weights / (5 / (5 + counts)), 0.3, atol=0.15)


def test_words_say_nothing_of_a_tag_that_has_no_vector() -> None:
    scores, present = planted(300)
    scores["words"][:, 2] = -1.0
    hybrid = fitted(scores, present)
    assert hybrid.stack_.weights[2, 2] == 0
    asked = Batch(scores={k: v[:9] for k, v in scores.items()}, neighbors=nobody(9))
    other = {k: v[:9].copy() for k, v in scores.items()}
    other["words"][:, 2] = 0.7
    answers = [
        hybrid.predict_scores(one) for one in (asked, Batch(scores=other, neighbors=nobody(9)))
    ]
    np.testing.assert_array_equal(*answers)


def test_words_that_know_no_tag_are_not_asked() -> None:
    scores, present = planted(300)
    scores["words"][:] = -1.0
    hybrid = fitted(scores, present)
    assert not hybrid.hears("words")
    assert hybrid.hears("heads")


@pytest.mark.parametrize("members", ["heads,words", "knn,tagprop,heads,words"])
def test_with_no_example_words_alone_are_believed(members: str) -> None:
    names = members.split(",")
    rng = np.random.default_rng(0)
    known = {name: rng.normal(size=(12, _N_TAGS)).astype(np.float32) for name in names}
    nothing = TagMatrix.from_lists(range(12), [[]] * 12, _N_TAGS)
    hybrid = Hybrid(members=members).fit(Batch(scores=known, neighbors=nobody(12)), nothing)
    asked = {name: rng.uniform(-1, 1, (4, _N_TAGS)).astype(np.float32) for name in names}
    found = hybrid.predict_scores(Batch(scores=asked, neighbors=nobody(4)))
    np.testing.assert_array_equal(np.argsort(found), np.argsort(asked["words"]))
    assert [hybrid.hears(name) for name in names] == [name == "words" for name in names]


def test_a_new_tag_weighs_no_more_for_words_that_do_not_know_it() -> None:
    scores, present = planted(300)
    scores["knn"] = scores.pop("tagprop")
    hybrid = fitted(scores, present)
    tags = TagMatrix.from_lists(
        np.arange(300), [np.flatnonzero(row) for row in present], _N_TAGS + 1
    )
    wider = hybrid.rebased(tags, np.array([0, 1, 2, 3, 4, 5, -1]))
    new = dict(zip(wider.member_names, wider.stack_.weights[:, -1], strict=True))
    assert new["words"] == new["heads"] == 0
    lasting = hybrid.weights["heads"] + hybrid.weights["knn"]
    assert new["knn"] == pytest.approx(lasting)


def test_a_new_tag_is_no_rarer_than_any_that_was_there() -> None:
    scores, present = planted(300)
    hybrid = fitted(scores, present)
    tags = TagMatrix.from_lists(
        np.arange(300), [np.flatnonzero(row) for row in present], _N_TAGS + 1
    )
    wider = hybrid.rebased(tags, np.array([0, 1, 2, 3, 4, 5, -1]))
    assert wider.log_prior_[-1] == hybrid.log_prior_.min()
    np.testing.assert_array_equal(wider.log_prior_[:-1], hybrid.log_prior_)


def test_two_tags_do_not_say_what_the_prior_is_worth_for_all_others() -> None:
    # Two tags are on every picture, and every picture has a title of its own.
    n = 60
    present = np.concatenate([np.ones((n, 2), bool), np.eye(n, dtype=bool)], axis=1)
    rng = np.random.default_rng(0)
    scores = {
        name: np.where(np.arange(n + 2) < 2, 3.0, -3.0) + rng.normal(size=present.shape) / 4
        for name in ("heads", "tagprop")
    }
    hybrid = fitted({k: v.astype(np.float32) for k, v in scores.items()}, present)
    asked = Batch(
        scores={k: v[:5].astype(np.float32) for k, v in scores.items()}, neighbors=nobody(5)
    )
    found = hybrid.predict_scores(asked)
    assert (found[:, :2].min(axis=1) > found[:, 2:].max(axis=1)).all()


def test_of_whom_nothing_is_expected_stays_only_where_it_helps_for_sure() -> None:
    # Heads know the tags with noise; knn knows a little that they do not, or nothing at all.
    def hears_knn(n: int, noise: float) -> bool:
        rng = np.random.default_rng(1)
        z = rng.normal(size=(n, _N_TAGS)) * 2 - 1.5
        present = rng.random(z.shape) < 1 / (1 + np.exp(-z))
        heads, knn = z + rng.normal(size=z.shape) * 2, z + rng.normal(size=z.shape) * noise
        scores = {"heads": heads.astype(np.float32), "knn": knn.astype(np.float32)}
        return fitted(scores, present).hears("knn")

    assert hears_knn(2_000, 3)
    assert not hears_knn(120, 5)
    assert not hears_knn(2_000, 500)


def test_of_whom_something_is_expected_goes_only_where_it_harms_for_sure() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(120, _N_TAGS)) * 2 - 1.5
    present = rng.random(z.shape) < 1 / (1 + np.exp(-z))
    scores = {
        "heads": (z + rng.normal(size=z.shape)).astype(np.float32),
        "tagprop": (z + rng.normal(size=z.shape) * 8).astype(np.float32),
    }
    without: list[float] = []

    def spy(blend: Blend, report: object) -> object:
        values = [
            worth(blend.unseen(members, is_gated=False), present) for members in ((0, 1), (0,))
        ]
        without.append(values[1] - values[0])
        return choose_mixture(blend, report)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("learners.hybrid.training.choose_mixture", spy)
        hybrid = fitted(scores, present)
    assert without[0] > 0
    assert hybrid.hears("tagprop")


def test_where_members_are_as_good_the_one_of_least_trust_goes() -> None:
    # One tag on every picture: whoever is left out, nothing changes.
    present = np.ones((40, 1), bool)
    rng = np.random.default_rng(0)
    names = ("heads", "tagprop", "words", "knn")
    scores = {name: rng.normal(size=(40, 1)).astype(np.float32) for name in names}
    hybrid = fitted(scores, present)
    assert [name for name in names if hybrid.hears(name)] == ["heads"]
    tags = TagMatrix.from_lists(range(40), [[0]] * 40, 2)
    wider = hybrid.rebased(tags, np.array([0, -1]))
    new = dict(zip(wider.member_names, wider.stack_.weights[:, 1], strict=True))
    assert new["knn"] > 0


def test_a_new_tag_that_no_member_answers_is_as_likely_as_its_share() -> None:
    scores, present = planted(300)
    hybrid = fitted({"heads": scores["heads"]}, present)
    lists = [[*np.flatnonzero(row), *([_N_TAGS] if place < 3 else [])]
             for place, row in enumerate(present)]  # fmt: skip
    wider = hybrid.rebased(
        TagMatrix.from_lists(range(300), lists, _N_TAGS + 1), np.array([*range(_N_TAGS), -1])
    )
    asked = np.concatenate([scores["heads"], np.zeros((300, 1), np.float32)], axis=1)
    batch = Batch(scores={"heads": asked}, neighbors=nobody(300))
    of_new = wider.predict_probabilities(batch)[:, -1]
    assert np.ptp(of_new) == 0
    assert of_new[0] < 0.04


def test_copies_of_one_picture_teach_a_tag_once() -> None:
    scores, present = planted(120)
    present[:, 0] = np.arange(120) < 6
    batch = Batch(
        scores=scores,
        neighbors=nobody(120),
        groups=np.where(np.arange(120) < 6, 0, np.arange(120)),
    )
    blended: list[np.ndarray] = []

    def spy(blend: Blend, report: object) -> object:
        blended.append(blend.counts)
        return choose_mixture(blend, report)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("learners.hybrid.training.choose_mixture", spy)
        Hybrid(members=",".join(scores)).fit(batch, matrix(present))
    assert blended[0][0] == 1
    np.testing.assert_array_equal(
        blended[0][1:],
        present.sum(axis=0)[1:] - (present[:6, 1:].sum(axis=0) - present[:6, 1:].any(axis=0)),
    )


def test_scores_that_differ_by_rounding_say_nothing() -> None:
    scores = np.float32(1) - np.random.default_rng(0).integers(0, 3, (50, 1)) * np.float32(1e-7)
    evidence = fit_evidence(scores, np.ones((50, 1), bool))
    np.testing.assert_array_equal(evidence(np.array([-5.0, 0.0, 1.0])), 0)


def test_rounding_moves_no_answer() -> None:
    # Half of the votes lie within a millionth of 1, those of present tags nearer to it.
    rng = np.random.default_rng(0)
    present = rng.random((400, 1)) < 0.5
    near = 1 - np.where(present, 1e-7, 2e-7) * rng.integers(1, 5, present.shape)
    votes = np.where(rng.random(present.shape) < 0.5, near, rng.random(present.shape))
    evidence = fit_evidence(votes.astype(np.float32), present)
    nudged = np.nextafter(votes.astype(np.float32), np.float32(0))
    moved = np.abs(evidence(nudged) - evidence(votes.astype(np.float32)))
    assert moved.max() < 1e-3


def test_one_stays_that_knows_tags_by_their_pictures() -> None:
    scores, present = planted(300)
    noise = np.random.default_rng(1).random(present.shape).astype(np.float32)
    hybrid = fitted({"knn": noise, "words": scores["words"]}, present)
    assert hybrid.hears("knn")
    alone = fitted({"words": scores["words"]}, present)
    assert alone.hears("words")


def test_frequent_and_rare_tags_do_not_wait_for_one_another() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(150, 60))
    present = rng.random(z.shape) < 1 / (1 + np.exp(-z))
    asked = 0

    class Counted(StackProblem):
        def __call__(self, vector: np.ndarray) -> tuple[float, np.ndarray]:
            nonlocal asked
            asked += 1
            return super().__call__(vector)

    fit_stack(
        Counted(
            np.stack([z, rng.normal(size=z.shape)]).astype(np.float32),
            np.zeros((150, 0), np.float32),
            present,
            np.log(np.full(60, 0.5)),
            np.logspace(-1, 3, 60),
            20.0,
            np.array([0.5, 0.5]),
        )
    )
    assert asked < 30


def test_f1_of_the_means_is_read_of_as_many_as_are_asked_together() -> None:
    rng = np.random.default_rng(0)
    present = rng.random((1000, 8)) < np.geomspace(0.5, 0.002, 8)
    scores = rng.normal(size=present.shape) + present
    halves = [label_f1(scores[start::2], present[start::2]) for start in range(2)]
    assert label_f1(scores, present) == pytest.approx(np.mean(halves))
    shares = []
    for start in range(2):
        said = np.argsort(-scores[start::2], axis=1)[:, :5]
        emitted = np.zeros(present[start::2].shape, bool)
        np.put_along_axis(emitted, said, True, axis=1)
        right = (emitted & present[start::2]).sum(axis=0)
        precision = (right / np.maximum(emitted.sum(axis=0), 1)).mean()
        recall = (right / present[start::2].sum(axis=0)).mean()
        shares.append(2 * precision * recall / (precision + recall))
    assert label_f1(scores, present) == pytest.approx(np.mean(shares))
