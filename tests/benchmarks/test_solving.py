"""Any learner of the table is served what it needs, tuned over its grid, and shown no more."""

import dataclasses
import itertools
from typing import ClassVar

import numpy as np
import pytest

from benchmarks.datasets import exercises
from benchmarks.pictures import PictureFiles, Pictures
from benchmarks.planted import planted
from benchmarks.posing import folds_of
from benchmarks.protocols import Completion, Emission, Emit, Protocol
from benchmarks.scoring import scored
from benchmarks.solving import fit, solve
from benchmarks.tuning import Tuning, choose, grid_of
from indexing.errors import InputError
from indexing.index import Metric
from indexing.pixels import Framing, decode, read_picture
from learners.base import Batch, Needs, TagLearner
from learners.metrics import parse_measure
from learners.selection import choose_n_neighbors
from learners.table import LEARNERS, make_learner
from tests.engine.conftest import write_picture

SEEN: dict[str, object] = {}


@dataclasses.dataclass(kw_only=True, eq=False)
class Spy(TagLearner):
    """Remembers what it was given, and scores noise."""

    name: ClassVar[str] = "spy"
    needs: ClassVar[Needs] = Needs.NOTHING
    seed: int = 0
    level: float = 0.0

    def _fit(self, batch, tags):
        SEEN["fit"] = (batch, tags)

    def _predict_scores(self, batch):
        SEEN["asked"] = batch
        rng = np.random.default_rng(self.seed)
        return rng.random((batch.n_queries, SEEN["fit"][1].n_tags)).astype(np.float32)

    def _arrays(self):
        return {}

    def _restore(self, arrays):
        pass


class NeighborSpy(Spy):
    needs = Needs.NEIGHBORS | Needs.FEATURES
    fit_needs = Needs.NEIGHBORS


@dataclasses.dataclass(kw_only=True, eq=False)
class FewSpy(NeighborSpy):
    n_neighbors: int = 7


class FeatureSpy(Spy):
    needs = fit_needs = Needs.FEATURES


class Doubled:
    """Twice the first two values, compared by their squared distance."""

    metric = Metric.L2

    def __call__(self, vectors):
        return 2 * vectors[:, :2]


class SpaceSpy(Spy):
    needs = Needs.NEIGHBORS

    @property
    def space(self):
        # By its own metric, by the cosine, or none.
        return {0: None, 1: Doubled(), 2: lambda vectors: 2 * vectors[:, :2]}[int(self.level)]


class TagSpy(Spy):
    needs = Needs.TAGS
    fit_needs = Needs.TAGS


class PixelSpy(Spy):
    needs = fit_needs = Needs.PIXELS
    framing = Framing(size=8)


class Frequent(Spy):
    """Frequency, turned around where `level` says so: its best setting is known."""

    grid: ClassVar = {"level": (-1.0, 1.0, 2.0)}

    def _predict_scores(self, batch):
        counts = SEEN["fit"][1].counts.astype(np.float32)
        return np.tile(np.sign(self.level) * counts, (batch.n_queries, 1))


@dataclasses.dataclass(kw_only=True, eq=False)
class Leaning(Frequent):
    """Frequency that fitting turns around, and that asking turns around again."""

    predict_params: ClassVar = frozenset({"level"})
    grid: ClassVar = {"turn": (1.0, -1.0), "level": (-1.0, 1.0), "seed": (3, 4)}
    turn: float = 1.0

    def _fit(self, batch, tags):
        super()._fit(batch, tags)
        SEEN["fits"].append((self.turn, self.seed))
        self.learned_ = self.turn * tags.counts.astype(np.float32)

    def _predict_scores(self, batch):
        return np.tile(self.level * self.learned_, (batch.n_queries, 1))


class Quantities(Frequent):
    def predict_quantities(self, batch):
        return np.full(batch.n_queries, 2.0)


@pytest.fixture(autouse=True)
def table(monkeypatch):
    for kind in (
        Spy,
        NeighborSpy,
        FewSpy,
        FeatureSpy,
        SpaceSpy,
        TagSpy,
        PixelSpy,
        Frequent,
        Leaning,
        Quantities,
    ):
        name = kind.__name__.lower()
        monkeypatch.setattr(kind, "name", name)
        monkeypatch.setitem(LEARNERS, name, f"{__name__}:{kind.__name__}")


def posed(completion=None, blocks=None):
    dataset, features = planted(n_train=80, n_test=30)
    (one,), _ = exercises(
        Protocol(completion=completion), dataset, None if completion else features, blocks
    )
    return one


def test_a_learner_that_reads_nothing_still_answers_every_question():
    one = posed()
    solution = solve("spy", {}, one.exercise, seed=5)
    assert solution.scores.shape == one.answers.truth.shape
    assert solution.params == {"seed": 5, "level": 0.0}
    assert SEEN["asked"].n_queries == 30
    assert SEEN["fit"][1].n_images == 79


def test_neighbors_come_complete_and_without_the_picture_itself():
    one = posed()
    solution = solve("neighborspy", {}, one.exercise, seed=0)
    batch, tags = SEEN["fit"]
    assert batch.neighbors.rows.shape == (79, 79)
    assert not (batch.neighbors.rows == tags.rows[:, None]).any()
    assert (batch.neighbors.rows[:, -1] == -1).all()
    assert SEEN["asked"].neighbors.rows.shape == (30, 79)
    assert SEEN["asked"].features is one.exercise.questions.vectors
    assert solution.fit_seconds >= one.exercise.search.seconds["training"]
    assert solution.predict_seconds >= one.exercise.search.seconds["questions"]


@pytest.mark.parametrize(("asked", "given"), [(7, 7), (70, 70), (300, 79)])
def test_a_learner_that_names_a_number_gets_so_many_neighbors(asked, given):
    one = posed()
    solve("fewspy", {"n_neighbors": asked}, one.exercise, seed=0)
    every = one.exercise.neighbors(79).rows
    assert np.array_equal(SEEN["asked"].neighbors.rows, every[:, :given])
    batch, tags = SEEN["fit"]
    assert batch.neighbors.rows.shape == (79, given)
    own = batch.neighbors.rows == tags.rows[:, None]
    assert not own.any()


def test_neighbors_are_those_of_the_learners_own_space():
    exercise = posed().exercise
    solution = solve("spacespy", {"level": 1.0}, exercise, seed=0)
    found = SEEN["asked"].neighbors
    known, asked = (
        2 * one.vectors[:, :2].astype(np.float64) for one in (exercise.training, exercise.questions)
    )
    distances = np.square(asked[:, None] - known).sum(axis=2)
    np.testing.assert_allclose(found.distances, np.sort(distances, axis=1), rtol=1e-4, atol=1e-5)
    rows = exercise.training.tags.rows
    assert np.array_equal(found.rows, rows[np.argsort(distances, axis=1, kind="stable")])
    assert solution.predict_seconds > 0
    units = [one / np.linalg.norm(one, axis=1, keepdims=True) for one in (known, asked)]
    solve("spacespy", {"level": 2.0}, exercise, seed=0)
    cosines = np.sort(1 - units[1] @ units[0].T, axis=1)
    np.testing.assert_allclose(SEEN["asked"].neighbors.distances, cosines, atol=1e-6)
    solve("spacespy", {"level": 0.0}, exercise, seed=0)
    assert np.array_equal(SEEN["asked"].neighbors.rows, exercise.neighbors(79).rows)
    assert not np.array_equal(SEEN["asked"].neighbors.rows, found.rows)


def test_features_come_with_their_copies_and_their_layers():
    one = posed(blocks=(20, 12))
    known = one.exercise.training
    groups = np.arange(known.n_images) // 2
    training = dataclasses.replace(known, groups=groups)
    solve("featurespy", {}, dataclasses.replace(one.exercise, training=training), seed=0)
    batch, _ = SEEN["fit"]
    assert np.array_equal(batch.features, known.vectors)
    assert np.array_equal(batch.groups, groups)
    assert batch.blocks == SEEN["asked"].blocks == (20, 12)
    assert SEEN["asked"].groups is None
    assert known.take(np.arange(5)).blocks == (20, 12)


def test_tags_as_input_are_those_of_the_questions():
    one = posed(Completion())
    solve("tagspy", {}, one.exercise, seed=0)
    assert np.array_equal(SEEN["asked"].tags.toarray(), one.answers.given)
    batch, tags = SEEN["fit"]
    inputs, truth = batch.tags.toarray(), tags.toarray()
    share = (inputs & truth).sum() / truth.sum()
    assert 0.3 < share < 0.7
    assert (inputs & ~truth).any()


def test_pixels_are_squares_of_the_learners_own_framing(tmp_path):
    one = posed()
    n_images = one.exercise.training.n_images
    paths = tuple(
        write_picture(tmp_path / f"{i}.png", (i, 2 * i, 90), seed=i) for i in range(n_images + 30)
    )
    files = PictureFiles(
        name="spied", paths=paths, used=np.ones(len(paths), np.bool_), folder=tmp_path / "cache"
    )
    every = Pictures(files=files, positions=np.arange(len(paths)))
    exercise = dataclasses.replace(
        one.exercise,
        training=dataclasses.replace(
            one.exercise.training, pictures=every.take(np.arange(n_images))
        ),
        questions=dataclasses.replace(
            one.exercise.questions, pictures=every.take(np.arange(n_images, len(paths)))
        ),
    )
    told = []
    solve("pixelspy", {}, exercise, seed=0, on_progress=lambda *what: told.append(what))
    frames = np.stack([decode(read_picture(path), Framing(size=8)) for path in paths])
    assert np.array_equal(SEEN["fit"][0].pixels, frames[:n_images])
    assert SEEN["fit"][0].features is None
    assert np.array_equal(SEEN["fit"][0].groups, one.exercise.training.groups)
    assert np.array_equal(SEEN["asked"].pixels, frames[n_images:])
    assert told[-1] == ("decoding pictures", len(paths), len(paths))


def test_what_cannot_be_served_is_said():
    with pytest.raises(InputError, match="'pixelspy' looks at pictures, and this data set has"):
        solve("pixelspy", {}, posed().exercise, seed=0)
    with pytest.raises(InputError, match="this protocol gives none; protocols of tag completion"):
        solve("tagspy", {}, posed().exercise, seed=0)


def test_the_grid_of_a_learner_is_searched_inside_the_training_pictures():
    one = posed()

    def folds():
        found = folds_of(one.exercise.training, 3)
        for fold in found:
            asked = set(fold.answers.image_ids.tolist())
            assert asked <= set(one.exercise.training.image_ids.tolist())
        return found

    for measure in ("c-f1@5", "map", "miap"):
        tuning = Tuning(measure=parse_measure(measure), n_folds=3)
        choice = choose("frequent", {}, one.exercise, folds, tuning, seed=0)
        assert [params for params, _ in choice.curve] == [{"level": v} for v in (-1.0, 1.0, 2.0)]
        if measure != "map":  # which a constant a tag does not change
            assert choice.params == {"level": 1.0}  # the first of two equals
        for params, value in choice.curve:
            expected = np.mean(
                [
                    tuning.measure.apply(
                        scored(solve("frequent", params, f.exercise, seed=0), f.answers).judged
                    ).value
                    for f in folds()
                ]
            )
            assert value == pytest.approx(expected, abs=1e-12)


def test_what_is_fitted_alike_is_fitted_once():
    one = posed()
    folds = folds_of(one.exercise.training, 2)
    SEEN["fits"] = []
    choice = choose("leaning", {}, one.exercise, lambda: folds, Tuning(), seed=0)
    assert SEEN["fits"] == [(t, s) for t in (1.0, -1.0) for s in (3, 4) for _ in folds]
    assert [tuple(params.values()) for params, _ in choice.curve] == [
        (turn, level, seed) for turn in (1.0, -1.0) for level in (-1.0, 1.0) for seed in (3, 4)
    ]
    assert choice.params == {"turn": 1.0, "level": 1.0, "seed": 3}  # the first of four equals


@pytest.mark.parametrize("learner", ["2pknn", "cca-knn", "copy", "tagvote"])
def test_the_choice_is_that_of_fitting_every_cell_anew(learner):
    one = posed()
    folds = folds_of(one.exercise.training, 2)
    tuning = Tuning(measure=parse_measure("miap"))
    choice = choose(learner, {}, one.exercise, lambda: folds, tuning, seed=0)
    cells = list(itertools.product(*grid_of(learner).values()))
    assert len(choice.curve) == len(cells)
    assert len({value for _, value in choice.curve}) > 1
    for (params, value), cell in zip(choice.curve, cells, strict=True):
        assert tuple(params.values()) == cell
        anew = [
            tuning.measure.apply(
                scored(solve(learner, params, f.exercise, seed=0), f.answers).judged
            ).value
            for f in folds
        ]
        assert value == pytest.approx(np.mean(anew), abs=1e-12)
    assert choice.params == max(choice.curve, key=lambda tried: tried[1])[0]


def test_what_is_fixed_is_not_tuned():
    def no_folds():
        raise AssertionError("nothing is to be chosen")

    choice = choose("frequent", {"level": -1.0}, posed().exercise, no_folds, Tuning(), seed=0)
    assert choice.params == {"level": -1.0}
    assert grid_of("spy") == {}


def test_knn_has_the_neighbors_that_the_engine_would_choose():
    one = posed()
    choice = choose("knn", {}, one.exercise, list, Tuning(), seed=0)
    training = one.exercise.training
    expected = choose_n_neighbors(one.exercise.training_neighbors(50), training.tags, training.tags)
    assert choice.params == {"n_neighbors": expected.n_neighbors}
    assert dict((p["n_neighbors"], v) for p, v in choice.curve) == expected.curve


def test_a_voter_an_owner_is_looked_for_until_all_have_enough():
    exercise = posed().exercise
    tags = exercise.training.tags
    n = len(set(tags.owners.tolist())) - 1
    answered = solve("tagvote", {"n_neighbors": n}, exercise, seed=0).scores
    tagvote = make_learner("tagvote", n_neighbors=n).fit(Batch(), tags)
    everybody = Batch(neighbors=exercise.neighbors(tags.n_images))
    assert np.array_equal(answered, tagvote.predict_scores(everybody))
    first = Batch(neighbors=exercise.neighbors(n))
    assert not np.array_equal(answered, tagvote.predict_scores(first))


def test_a_learner_is_fitted_with_as_many_voters_as_it_is_asked_with():
    exercise = posed().exercise
    tags = exercise.training.tags
    n = len(set(tags.owners.tolist())) - 1
    params = {"n_neighbors": n, "unique_owner": True}
    fitted = fit("tagprop", params, exercise, seed=0).learner
    everybody = Batch(neighbors=exercise.training_neighbors(tags.n_images))
    expected = make_learner("tagprop", **params).fit(everybody, tags)
    assert np.array_equal(fitted.slopes_, expected.slopes_)
    first = Batch(neighbors=exercise.training_neighbors(n))
    lacking = make_learner("tagprop", **params).fit(first, tags)
    assert not np.array_equal(fitted.slopes_, lacking.slopes_)


def test_what_a_learner_chose_itself_is_told():
    params = {"weights": "metric", "n_dims": 4, "n_neighbors": 9, "n_rounds": 0}
    answered = solve("tagprop", params, posed().exercise, seed=0).params
    assert answered["n_rounds"] == 0
    assert answered["regularization"] in (0.1, 0.3, 1.0)
    assert answered["n_supervised"] in (2, 3, 4)


def test_predicted_quantities_are_judged():
    one = posed()
    result = scored(solve("quantities", {"level": 1.0}, one.exercise, seed=0), one.answers)
    for measure in Emission(Emit.PREDICTED_QUANTITY).measures():
        assert np.isfinite(measure.apply(result.judged).value), measure
    counts = one.answers.truth.sum(axis=1)
    accuracy = parse_measure("lqp-accuracy").apply(result.judged).value
    assert accuracy == np.mean(counts == 2)
