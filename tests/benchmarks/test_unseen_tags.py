"""Unseen tags: taken off what is learned from, asked for all the same."""

import numpy as np
import pytest

from benchmarks.datasets import Dataset, exercises
from benchmarks.draws import unseen_tags
from benchmarks.protocols import JudgedTags, Protocol, Unseen
from benchmarks.report.folds import without_fold
from benchmarks.solving import solve
from benchmarks.suites import Method, open_suite
from benchmarks.table import tables
from indexing.errors import InputError
from indexing.records import Corpus, ImageRecord

TAGS = ("beach", "cat", "dog", "horse", "sky", "tiger")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("pictures")
    records = tuple(
        ImageRecord(
            image_id=f"{i}.jpg",
            path=root / f"{i}.jpg",
            tags=tuple(rng.choice(TAGS, size=2, replace=False)),
            split="train" if i < 40 else "test",
        )
        for i in range(60)
    )
    corpus = Corpus(root=root, records=records, format="made up")
    return Dataset(name="made up", corpus=corpus, groups=np.full(60, -1))


def posed_by(dataset: Dataset, judged: JudgedTags, **changes):
    features = np.random.default_rng(1).normal(size=(60, 4)).astype(np.float32)
    directions = np.random.default_rng(2).normal(size=(60, 50)).astype(np.float32)
    protocol = Protocol(unseen=Unseen(n_tags=2, judged=judged, n_draws=3), **changes)
    return exercises(protocol, dataset, features, None, directions)[0]


@pytest.mark.parametrize("judged", list(JudgedTags))
@pytest.mark.parametrize("n_folds", [None, 3])
def test_unseen_tags_are_on_no_training_picture_and_only_judged_tags_count(
    judged: JudgedTags, n_folds: int | None, dataset: Dataset
) -> None:
    posed = posed_by(dataset, judged, n_folds=n_folds)
    assert len(posed) == 3
    by_id = {record.image_id: record for record in dataset.corpus.records}
    for draw, one in enumerate(posed):
        taken = unseen_tags(6, 2, draw)
        training, answers = one.exercise.training, one.answers
        assert answers.vocabulary.tolist() == list(TAGS)
        for image, present in zip(training.image_ids, training.tags.toarray(), strict=True):
            expected = {tag for tag, gone in zip(TAGS, taken, strict=True) if not gone}
            assert set(np.array(TAGS)[present]) == expected & set(by_id[image].tags)
        counted = {"unseen": taken, "seen": ~taken, "all": np.ones(6, bool)}[judged]
        for image, true in zip(answers.image_ids, answers.truth, strict=True):
            assert set(np.array(TAGS)[true]) == set(np.array(TAGS)[counted]) & set(
                by_id[image].tags
            )
        scores = answers.candidates_only(np.zeros(answers.truth.shape, np.float32))
        np.testing.assert_array_equal(np.isfinite(scores), np.tile(counted, (len(scores), 1)))
        assert one.exercise.questions.given is None


def test_draws_differ_and_are_drawn_again_alike(dataset: Dataset) -> None:
    first, again = (posed_by(dataset, JudgedTags.UNSEEN) for _ in range(2))
    drawn = [tuple(one.answers.given[0].tolist()) for one in first]
    assert len(set(drawn)) == 3
    assert drawn == [tuple(one.answers.given[0].tolist()) for one in again]
    assert [dict(one.where)["draw"] for one in first] == [1, 2, 3]


def test_words_and_expansion_score_tags_that_no_picture_carries(dataset: Dataset) -> None:
    one = posed_by(dataset, JudgedTags.UNSEEN)[0]
    unseen = unseen_tags(6, 2, 0)
    for learner in ("words", "expansion"):
        scores = solve(learner, {}, one.exercise, seed=0).scores
        assert scores[:, unseen].std() > 0, learner
    assert not solve("knn", {}, one.exercise, seed=0).scores[:, unseen].any()


def test_the_classes_of_the_network_have_their_say(dataset: Dataset) -> None:
    one = posed_by(dataset, JudgedTags.UNSEEN)[0]
    with_classes, without = (
        solve("words", {"class_weight": weight}, one.exercise, seed=0).scores for weight in (1, 0)
    )
    assert np.abs(with_classes - without).max() > 0.01


def test_all_tags_can_be_unseen(dataset: Dataset) -> None:
    features = np.random.default_rng(1).normal(size=(60, 4)).astype(np.float32)
    directions = np.random.default_rng(2).normal(size=(60, 50)).astype(np.float32)
    unseen = Unseen(n_tags=None, judged=JudgedTags.ALL, n_draws=1)
    (one,), _ = exercises(Protocol(unseen=unseen), dataset, features, None, directions)
    assert one.exercise.training.n_images == 40
    assert not one.exercise.training.tags.counts.any()
    assert one.answers.truth.sum() == 40
    assert solve("words", {}, one.exercise, seed=0).scores.std() > 0


def test_bad_numbers_of_unseen_tags_are_refused() -> None:
    with pytest.raises(InputError, match="draws of 0 unseen tags"):
        Unseen(n_tags=0, judged=JudgedTags.ALL)
    with pytest.raises(InputError, match="6 unseen tags of 6"):
        unseen_tags(6, 6, 0)


def test_draws_are_averaged_as_folds_are() -> None:
    assert without_fold("corel5k, unseen tags draw 2/5") == "corel5k, unseen tags"
    assert without_fold("corel5k, seen tags fold 1/5") == "corel5k, seen tags"
    measures = {"miap": {"value": 0.5, "n": 9, "low": 0.4, "high": 0.6}}
    lines = [
        {
            "dataset": f"corel5k, unseen tags draw {draw}/2",
            "method": "words",
            "params": {"draw": draw},
            "n_images": 9,
            "n_labels": 6,
            "measures": measures,
            "fit_seconds": 1.0,
            "predict_seconds": 1.0,
            "peak_rss_mb": 1.0,
        }
        for draw in (1, 2)
    ]
    assert "corel5k, unseen tags: 18 pictures, 6 labels, mean of 2 draws" in tables(lines)


def test_methods_say_whether_they_read_words() -> None:
    assert [Method.of(name).reads_words for name in ("knn", "words", "expansion")] == [
        *(False, True, True)
    ]
    mixed = [Method.of(f"hybrid:members={names}") for names in ("knn,words", "knn,heads")]
    assert [one.reads_words for one in mixed] == [True, False]
    suite = open_suite("corel5k-unseen")
    assert {one.unseen.judged for one in suite.protocols} == set(JudgedTags)
