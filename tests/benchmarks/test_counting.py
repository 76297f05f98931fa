"""How many tags a picture is given: fixed, predicted, true; by hand and by brute force."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from benchmarks.counting import Count, best_fixed_number, counts_of, left_to_predict, row_name
from benchmarks.datasets import Dataset, exercises
from benchmarks.features import Features
from benchmarks.planted import planted
from benchmarks.posing import folds_of
from benchmarks.protocols import Completion, Emission, Emit, Protocol
from benchmarks.report import read_results, write_report
from benchmarks.report.counted import predicted_less_fixed, rankings_less_first
from benchmarks.report.groups import groups_of
from benchmarks.runner import run_suite
from benchmarks.solving import Solution, fit, solve
from benchmarks.suites import SUITES, FeatureKind, Method, Suite
from benchmarks.table import tables
from indexing.errors import InputError
from indexing.records import Corpus, ImageRecord
from learners.metrics import compare, parse_measure
from learners.table import LEARNERS

EACH_WAY = Emission(Emit.EACH_WAY)


def posed(**changes):
    dataset, features = planted(n_train=120, n_test=40)
    features = None if changes.get("completion") else features
    (one,), _ = exercises(Protocol(**changes), dataset, features)
    return one


def f1(right, emitted, true):
    return 2 * right / (emitted + true) if emitted + true else 0.0


def h_f1(top, truth):
    """Literally: the harmonic mean of C-F1 and I-F1 of lists of tags."""
    n_tags = truth.shape[1]
    right, given, true = [0] * n_tags, [0] * n_tags, truth.sum(axis=0).tolist()
    for row, tags in enumerate(top):
        for tag in tags:
            given[tag] += 1
            right[tag] += int(truth[row, tag])
    judged = [tag for tag in range(n_tags) if true[tag]]
    precision = np.mean([right[t] / given[t] if given[t] else 0 for t in judged])
    recall = np.mean([right[t] / true[t] for t in judged])
    c_f1 = 2 * precision * recall / (precision + recall)
    i_f1 = f1(sum(right), sum(given), sum(true))
    return 2 * c_f1 * i_f1 / (c_f1 + i_f1)


def test_rows_are_those_that_a_learner_can_have():
    assert counts_of("knn") == (Count.FIXED, Count.TRUE)
    assert counts_of("heads") == tuple(Count)
    assert [row_name("A", count) for count in Count] == ["A", "A+LQP", "A upper bound"]


def test_the_fixed_number_is_the_best_of_the_folds():
    dataset, features = planted(n_train=120, n_test=40, seed=1)
    (one,), _ = exercises(Protocol(), dataset, features)
    folds = folds_of(one.exercise.training, 3, seed=0)
    values = np.zeros(15)
    for fold in folds:
        solution = solve("heads", {"n_units": 2048, "quantity": "none"}, fold.exercise, seed=0)
        order = np.argsort(-solution.scores, axis=1)
        values += [h_f1(order[:, :k].tolist(), fold.answers.truth) for k in range(1, 16)]
    # By I-F1 alone it would be 3.
    assert best_fixed_number(folds, seed=0) == np.argmax(values) + 1 == 5


def solution(quantities, **changes):
    scores = np.zeros((len(quantities), 24), np.float32)
    return Solution(scores=scores, tie_breaks=(), quantities=np.array(quantities, float),
                    params={}, fit_seconds=0, predict_seconds=0, **changes)  # fmt: skip


def test_what_was_given_is_taken_off_what_was_predicted():
    exercise = posed(completion=Completion(share=0.25)).exercise
    n_given = exercise.questions.given.toarray().sum(axis=1)
    total = solution(np.full(len(n_given), 4.0))
    blind = left_to_predict(total, exercise, reads_tags=False)
    np.testing.assert_allclose(blind, 3.0)
    inputs, tags = exercise.training_inputs.toarray(), exercise.training.tags.toarray()
    known = np.column_stack([np.ones(len(tags)), inputs.sum(axis=1), tags.sum(axis=1)])
    a, b, c = np.linalg.solve(known.T @ known, known.T @ (inputs & tags).sum(axis=1))
    right = np.clip(a + b * n_given + c * 4, 0, n_given)
    seen = left_to_predict(total, exercise, reads_tags=True)
    np.testing.assert_allclose(seen, np.maximum(4 - right, 0))
    of_the_rest = dataclasses.replace(total, is_of_the_rest=True)
    assert left_to_predict(of_the_rest, exercise, reads_tags=False) is of_the_rest.quantities
    assert left_to_predict(total, posed().exercise, reads_tags=False) is total.quantities


def test_where_tags_are_all_there_is_heads_learn_what_is_left(monkeypatch):
    exercise = posed(completion=Completion()).exercise
    seen = {}

    def spying(self, batch, tags):
        seen["batch"], seen["tags"] = batch, tags
        return original(self, batch, tags)

    from learners.heads import Heads

    original = Heads._fit
    monkeypatch.setattr(Heads, "_fit", spying)
    fitted = fit("heads", {}, exercise, seed=0)
    inputs, tags = exercise.training_inputs.toarray(), exercise.training.tags.toarray()
    np.testing.assert_array_equal(seen["batch"].features, inputs)
    np.testing.assert_array_equal(seen["tags"].toarray(), tags & ~inputs)
    assert fitted.answer().is_of_the_rest
    assert not fit("knn", {}, exercise, seed=0).answer().is_of_the_rest


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("counted")
    dataset, vectors = planted(n_train=120, n_test=40)
    suite = Suite(
        name="counted",
        about="",
        reader=None,
        folder="",
        methods=("heads", "knn:n_neighbors=5"),
        labels={"heads": "Heads"},
        protocols=(Protocol(emission=EACH_WAY),),
    )
    features = {FeatureKind.DEEP: Features(name="planted", digest="", vectors=vectors)}
    lines = run_suite(suite, suite.chosen(None)[0], dataset, features, folder)
    return folder, lines, suite, dataset, features


def test_one_fit_gives_a_row_for_each_way(done):
    folder, lines, _, _, _ = done
    rows = {line["method"]: line for line in lines}
    assert list(rows) == [
        *("Heads", "Heads+LQP", "Heads upper bound"),
        *("knn:n_neighbors=5", "knn:n_neighbors=5 upper bound"),
    ]
    assert len({line["fit_seconds"] for line in lines[:3]}) == 1
    saved = {name: np.load(folder / line["scores"]) for name, line in rows.items()}
    truth = saved["Heads"]["truth"]
    fixed = rows["Heads"]["params"]["emits"]
    assert set(saved["Heads"]["quantities"]) == {float(fixed)}
    np.testing.assert_array_equal(saved["Heads upper bound"]["quantities"], truth.sum(axis=1))
    dataset, vectors = planted(n_train=120, n_test=40)
    (one,), _ = exercises(Protocol(), dataset, vectors)
    own = solve("heads", {}, one.exercise, seed=0)
    np.testing.assert_array_equal(saved["Heads+LQP"]["quantities"], own.quantities)
    for name, line in rows.items():
        n_tags = np.floor(saved[name]["quantities"] + 0.5).astype(int)
        order = np.argsort(-saved[name]["scores"], axis=1)
        top = [row[:n].tolist() for row, n in zip(order, n_tags, strict=True)]
        assert line["measures"]["h-f1@lqp"]["value"] == pytest.approx(h_f1(top, truth))
        right = np.mean(n_tags == truth.sum(axis=1))
        assert line["measures"]["lqp-accuracy"]["value"] == pytest.approx(right)
    bound = rows["Heads upper bound"]["measures"]
    assert bound["lqp-mse"]["value"] == 0
    assert bound["i-p@lqp"]["value"] == pytest.approx(bound["i-r@lqp"]["value"])


def test_a_row_that_is_gone_is_made_again_and_a_second_run_does_nothing(done, monkeypatch):
    folder, lines, suite, dataset, features = done
    again = run_suite(suite, suite.chosen(None)[0], dataset, features, folder)
    assert again == lines
    (folder / lines[1]["scores"]).unlink()
    made = run_suite(suite, suite.chosen(None)[0], dataset, features, folder)
    assert [line["measures"] for line in made] == [line["measures"] for line in lines]
    assert (folder / lines[1]["scores"]).is_file()


def test_the_report_compares_rows_of_one_ranking_in_pairs(done):
    folder, lines, _, _, _ = done
    (group,) = groups_of(read_results(folder))
    scores = group.read_scores()
    (one,) = predicted_less_fixed(group, scores)
    assert (one.line.method, one.reference.method) == ("Heads+LQP", "Heads")
    measure = parse_measure("i-f1@lqp")
    values = {line["method"]: line["measures"]["i-f1@lqp"]["value"] for line in lines}
    expected = compare(
        measure, scores[one.reference.case].judged, scores[one.line.case].judged, n_replicates=200
    )
    assert one.differences[measure].value == pytest.approx(values["Heads+LQP"] - values["Heads"])
    assert (one.differences[measure].low, one.differences[measure].high) == (
        expected.low,
        expected.high,
    )
    (other,) = rankings_less_first(group, scores)
    assert (other.line.method, other.reference.method) == ("knn:n_neighbors=5", "Heads")
    write_report(folder)
    text = (folder / "report.md").read_text()
    assert "As many tags as predicted, less a fixed number" in text
    assert "Differences to the best baseline" not in text
    head = tables(lines).splitlines()[1]
    assert head.split()[1:9] == [
        *("c-p@lqp", "c-r@lqp", "c-f1@lqp", "i-p@lqp", "i-r@lqp", "i-f1@lqp", "h-f1@lqp"),
        "lqp-accuracy",
    ]
    assert " 0.000 [0.000, 0.000]" in tables(lines)


def test_suites_of_the_paper_name_methods_that_there_are():
    for name in ("corel5k-niu", "coco-mini", "nuswide", "coco"):
        methods, missing = SUITES[name].chosen(None)
        assert missing == ()
        assert {method.learner for method in methods} <= set(LEARNERS)
        labels = [method.shown for method in methods]
        assert labels[:2] == ["CNN", "MS-CNN"]
        assert {"CNN+logistic", "CNN+softmax", "CNN+WARP"} <= set(labels)
        assert [count for method in methods for count in counts_of(method.learner)] == (
            list(Count) * len(methods)
        )
    assert Method.of("mscnn").shown == "mscnn"


def typed_corpus():
    def record(number, split, labels, tags):
        return ImageRecord(image_id=f"{number}", path=Path(f"{number}"), split=split,
                           labels=labels, tags=tags)  # fmt: skip

    records = (
        record(0, "train", ("dog",), ("dog", "holiday")),
        record(1, "train", ("dog", "cat"), ("2019",)),
        record(2, "train", ("cat",), ()),
        record(3, "train", None, ("dog",)),
        record(4, "val", ("cat",), ("holiday", "new")),
        record(5, "val", ("dog", "cat"), None),
    )
    corpus = Corpus(root=Path(), format="table", records=records)
    return Dataset(name="typed", corpus=corpus, groups=np.full(6, -1))


@pytest.mark.parametrize("n_folds", [None, 3])
def test_typed_tags_are_input_and_labels_are_learned(n_folds):
    protocol = Protocol(evaluation="val", reads_tags=True, n_folds=n_folds)
    features = np.eye(6, dtype=np.float32)
    for one in exercises(protocol, typed_corpus(), features)[0]:
        assert one.answers.vocabulary.tolist() == ["cat", "dog"]
        assert not one.answers.given.any()
        known, asked = one.exercise.training, one.answers
        labels = {"0": "dog", "1": "cat dog", "2": "cat", "4": "cat", "5": "cat dog"}
        for ids, truth in (
            (known.image_ids, known.tags.toarray()),
            (asked.image_ids, asked.truth),
        ):
            found = [" ".join(asked.vocabulary[row]) for row in truth]
            assert found == [labels[image_id] for image_id in ids]
        # "new" is typed of no training picture, and so nothing that can be read.
        typed = {"0": [1, 2], "1": [0], "2": [], "4": [2], "5": []}
        for ids, inputs in (
            (known.image_ids, one.exercise.training_inputs),
            (asked.image_ids, one.exercise.questions.given),
        ):
            assert inputs.n_tags == 3
            assert [np.flatnonzero(row).tolist() for row in inputs.toarray()] == [
                typed[image_id] for image_id in ids
            ]
        multimodal = solve("multimodal", {"epochs": 1, "n_tag_units": 4}, one.exercise, seed=0)
        assert multimodal.scores.shape == asked.truth.shape


def test_typed_tags_and_drawn_ones_are_not_given_both():
    with pytest.raises(InputError, match="typed tags as input, and part of the tags given"):
        Protocol(reads_tags=True, completion=Completion())
    assert str(Protocol(reads_tags=True)).endswith("labels learned, typed tags as input, seed 0")
