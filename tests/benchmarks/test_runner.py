"""The runner: resumed runs, and numbers that anybody can compute again."""

import json
import math

import numpy as np
import pytest
import pytrec_eval

from benchmarks.cases import Results
from benchmarks.datasets import exercises
from benchmarks.features import Features
from benchmarks.opening import Wanted, open_data
from benchmarks.planted import planted
from benchmarks.protocols import Completion, Emission, Emit, Protocol
from benchmarks.runner import run_suite
from benchmarks.solving import solve
from benchmarks.suites import SUITES, FeatureKind, Method, Suite
from indexing.errors import ArtifactError, InputError
from indexing.index import Neighbors
from learners.base import Batch, TagMatrix
from learners.metrics import LabelCounts, parse_measure
from learners.ranking import rank_tags
from learners.table import learner_class, make_learner

KEYS = {
    "case", "suite", "dataset", "method", "params", "seed", "measures", "scores", "n_images",
    "n_labels", "fit_seconds", "predict_seconds", "peak_rss_mb", "versions", "protocol",
    "image_root",
}  # fmt: skip
# What two runs of one case may differ in.
MEASURED = {"fit_seconds", "predict_seconds", "peak_rss_mb"}


def small_suite(**changes) -> Suite:
    protocol = Protocol(**changes)
    return Suite(
        name="small", about="", reader=None, folder="", methods=("knn",), protocols=(protocol,)
    )


def run(folder, methods=("knn", "tagvote"), suite=None, fresh=False, on_progress=None):
    dataset, vectors = planted(n_train=120, n_test=40)
    features = Features(name="planted", digest="", vectors=vectors)
    more = {} if on_progress is None else {"on_progress": on_progress}
    return run_suite(
        suite or small_suite(),
        [Method.of(name) for name in methods],
        dataset,
        {FeatureKind.DEEP: features},
        folder,
        fresh=fresh,
        **more,
    )


def without_times(lines):
    return [{k: v for k, v in line.items() if k not in MEASURED} for line in lines]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("done")
    return folder, run(folder, suite=small_suite(n_folds=2))


def test_a_line_has_the_keys_of_the_format(done):
    folder, lines = done
    assert [(line["dataset"], line["method"]) for line in lines] == [
        ("planted fold 1/2", "knn"),
        ("planted fold 1/2", "tagvote"),
        ("planted fold 2/2", "knn"),
        ("planted fold 2/2", "tagvote"),
    ]
    written = [json.loads(text) for text in (folder / "results.jsonl").read_text().splitlines()]
    assert written == lines
    for line in lines:
        assert set(line) == KEYS
        assert set(line["measures"]) == set(map(str, Emission().measures()))
        for entry in line["measures"].values():
            assert set(entry) == {"value", "n", "low", "high"}
            assert entry["low"] <= entry["value"] <= entry["high"]
        assert line["peak_rss_mb"] > 10
        assert line["params"]["n_neighbors"] >= 1
        assert line["protocol"] == str(Protocol(n_folds=2))
    assert len({line["case"] for line in lines}) == 4


def saved(folder, line):
    with np.load(folder / line["scores"], allow_pickle=False) as arrays:
        return dict(arrays)


def test_map_is_what_trec_eval_makes_of_the_saved_scores(done):
    folder, lines = done
    for line in lines:
        arrays = saved(folder, line)
        ids = arrays["image_ids"].tolist()
        truth, scores = arrays["truth"], arrays["scores"]
        relevance, ranking = {}, {}
        for column, tag in enumerate(arrays["tags"].tolist()):
            if truth[:, column].any():
                relevance[tag] = {i: int(t) for i, t in zip(ids, truth[:, column], strict=True)}
                ranking[tag] = {i: float(s) for i, s in zip(ids, scores[:, column], strict=True)}
        found = pytrec_eval.RelevanceEvaluator(relevance, {"map"}).evaluate(ranking)
        entry = line["measures"]["map"]
        assert entry["n"] == len(relevance)
        assert math.isclose(
            entry["value"], sum(one["map"] for one in found.values()) / len(found), abs_tol=1e-12
        )


def test_label_measures_are_what_plain_loops_make_of_the_saved_scores(done):
    folder, lines = done
    for line in lines:
        arrays = saved(folder, line)
        truth, tags = arrays["truth"].tolist(), arrays["tags"].tolist()
        correct, emitted, relevant = ({tag: 0 for tag in tags} for _ in range(3))
        for row, scores in enumerate(arrays["scores"].tolist()):
            pairs = sorted(zip(scores, tags, strict=True), reverse=True)
            best = [tag for score, tag in pairs[:5] if score > -math.inf]
            for column, tag in enumerate(tags):
                emitted[tag] += tag in best
                relevant[tag] += truth[row][column]
                correct[tag] += tag in best and truth[row][column]
        judged = [tag for tag in tags if relevant[tag]]
        p = sum(correct[t] / emitted[t] if emitted[t] else 0 for t in judged) / len(judged)
        r = sum(correct[t] / relevant[t] for t in judged) / len(judged)
        ip = sum(correct.values()) / sum(emitted.values())
        ir = sum(correct.values()) / sum(relevant.values())
        c, i = 2 * p * r / (p + r), 2 * ip * ir / (ip + ir)
        expected = {
            "c-p@5": p, "c-r@5": r, "c-f1@5": c, "i-f1@5": i, "h-f1@5": 2 * c * i / (c + i),
            "n+@5": sum(correct[t] > 0 for t in judged),
        }  # fmt: skip
        for name, value in expected.items():
            assert math.isclose(line["measures"][name]["value"], value, abs_tol=1e-12), name


def test_every_measure_can_be_computed_again_from_the_saved_scores(done):
    folder, lines = done
    for line in lines:
        arrays = saved(folder, line)
        for name, entry in line["measures"].items():
            result = parse_measure(name).compute(
                arrays["scores"], arrays["truth"], arrays["image_ids"], tags=arrays["tags"]
            )
            assert (result.value, result.n) == (entry["value"], entry["n"])


class Killed(BaseException):
    pass


@pytest.mark.parametrize("n_done", [0, 1, 3])
def test_a_killed_run_goes_on_and_gives_the_same_lines(done, tmp_path, n_done):
    def kill(cases_done, total, what):
        if cases_done == n_done:
            raise Killed

    suite = small_suite(n_folds=2)
    with pytest.raises(Killed):
        run(tmp_path, suite=suite, on_progress=kill)
    with (tmp_path / "results.jsonl").open("a") as file:
        file.write('{"case": "torn')
    counted = []
    lines = run(tmp_path, suite=suite, on_progress=lambda *told: counted.append(told[:2]))
    assert counted[0] == (0, 4 - n_done)
    assert without_times(lines) == without_times(done[1])
    for line in lines:
        now, then = saved(tmp_path, line), saved(done[0], line)
        assert all(np.array_equal(now[name], then[name]) for name in then)


def test_a_second_run_does_nothing_and_a_fresh_one_everything(tmp_path):
    first = run(tmp_path, methods=["knn"])
    counted = []
    assert run(tmp_path, methods=["knn"], on_progress=lambda *t: counted.append(t)) == first
    assert counted == [(0, 0, "done")]
    (tmp_path / first[0]["scores"]).unlink()
    run(tmp_path, methods=["knn"], on_progress=lambda *t: counted.append(t))
    assert counted[1][:2] == (0, 1)
    run(tmp_path, methods=["tagvote"], fresh=True)
    assert [line["method"] for line in map(json.loads, open_lines(tmp_path))] == ["tagvote"]
    assert len(list(tmp_path.glob("scores/*.npz"))) == 1


def open_lines(folder):
    return (folder / "results.jsonl").read_text().splitlines()


def test_other_methods_of_earlier_runs_stay_and_replaced_cases_go(tmp_path, monkeypatch):
    run(tmp_path, methods=["tagvote"])
    old = json.loads(open_lines(tmp_path)[0])["case"]
    run(tmp_path, methods=["knn"])
    assert [json.loads(t)["method"] for t in open_lines(tmp_path)] == ["knn", "tagvote"]
    monkeypatch.setattr(learner_class("tagvote"), "grid", {"n_neighbors": (3,)}, raising=False)
    lines = run(tmp_path, methods=["tagvote", "knn"])
    assert [json.loads(t)["method"] for t in open_lines(tmp_path)] == ["tagvote", "knn"]
    assert lines[0]["params"]["n_neighbors"] == 3
    assert lines[0]["case"] != old


def test_a_line_after_a_torn_one_can_be_read(tmp_path):
    line = run(tmp_path, methods=["knn"])[0]
    with (tmp_path / "results.jsonl").open("a") as file:
        file.write('{"case": "torn')
    Results(tmp_path).append({**line, "case": "next"})
    assert [json.loads(text)["case"] for text in open_lines(tmp_path)] == [line["case"], "next"]


def test_the_number_printed_is_of_the_tags_that_the_engine_would_emit(tmp_path):
    line = run(tmp_path, methods=["knn"])[0]
    dataset, features = planted(n_train=120, n_test=40)
    records, vectors = dataset.corpus.records, features.astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    arrays = saved(tmp_path, line)
    column = {tag: number for number, tag in enumerate(arrays["tags"].tolist())}
    voting = range(119)  # the last one is a copy of a test picture
    tags = TagMatrix.from_lists(voting, [[column[t] for t in records[i].tags] for i in voting], 24)
    distances = 1 - vectors[120:] @ vectors[:119].T
    rows = np.argsort(distances, axis=1)
    near = Neighbors(rows, np.take_along_axis(distances, rows, axis=1).astype(np.float32))
    knn = make_learner("knn", n_neighbors=line["params"]["n_neighbors"]).fit(Batch(), tags)
    batch = Batch(neighbors=near)
    top = rank_tags(knn.predict_scores(batch), 5, knn.tie_breaks(batch))
    emitted = np.zeros((40, 24), dtype=bool)
    np.put_along_axis(emitted, top, True, axis=1)
    counts = LabelCounts.of(emitted, arrays["truth"])
    assert float(counts.c_f1()) == pytest.approx(line["measures"]["c-f1@5"]["value"], abs=1e-12)


def test_a_foreign_results_file_is_refused(tmp_path):
    (tmp_path / "results.jsonl").write_text("hello\n")
    with pytest.raises(ArtifactError, match=r"results\.jsonl:1: no result of a case"):
        Results(tmp_path)


@pytest.mark.parametrize("folds", [None, 3])
def test_completion_runs_on_tags_alone(tmp_path, folds):
    dataset, _ = planted(n_train=150, n_test=40)
    suite = small_suite(completion=Completion(), n_folds=folds)
    features = {FeatureKind.DEEP: Features(name="tags", digest="", vectors=None)}
    lines = run_suite(suite, [Method.of("knn")], dataset, features, tmp_path)
    scores = saved(tmp_path, lines[0])["scores"]
    assert (scores == -np.inf).any()
    assert lines[0]["params"]["chosen_by"].startswith("mean c-f1@5 of 5 folds")


def test_a_learner_is_told_of_the_layers_of_the_features(tmp_path, monkeypatch):
    given = []
    fit = learner_class("cca-knn").fit
    monkeypatch.setattr(
        learner_class("cca-knn"),
        "fit",
        lambda self, batch, *more: (given.append(batch.blocks), fit(self, batch, *more))[1],
    )
    dataset, vectors = planted(n_train=60, n_test=10)
    features = Features(name="planted", digest="", vectors=vectors, blocks=(30, 2))
    methods = [Method.of("cca-knn:n_neighbors=5")]
    run_suite(small_suite(), methods, dataset, {FeatureKind.DEEP: features}, tmp_path)
    assert set(given) == {(30, 2)}


def test_a_learner_that_takes_long_tells_how_far_it_is(tmp_path, monkeypatch):
    kind = learner_class("cca-knn")
    plain = kind._fit

    def told(self, batch, tags):
        self._report("turning", 2, 3)
        self._report("waiting", 1, 0)
        plain(self, batch, tags)

    monkeypatch.setattr(kind, "_fit", told)
    seen = []
    run(tmp_path, ["knn", "cca-knn"], on_progress=lambda *counts: seen.append(counts))
    what = "cca-knn on planted"
    n_fits = len(kind.grid["regularization"]) * 5 + 1  # on folds, and the choice
    assert seen == [
        (0, 2, "knn on planted"),
        (1, 2, what),
        *n_fits * [(1, 2, f"{what}: turning 2/3"), (1, 2, f"{what}: waiting 1")],
        (2, 2, "done"),
    ]


def test_thresholds_are_compared_with_the_learners_own_scores(tmp_path):
    suite = small_suite(emission=Emission(Emit.ABOVE, 0.4))
    lines = run(tmp_path, methods=["knn"], suite=suite)
    arrays = saved(tmp_path, lines[0])
    assert arrays["scores"].max() <= 1
    assert "raw_scores" not in arrays
    assert lines[0]["measures"]["c-r>0.4"]["value"] > 0


def test_the_smoke_suite_runs_every_method(tmp_path):
    suite = SUITES["smoke"]
    methods, missing = suite.chosen(None)
    assert {method.learner for method in methods} == set(suite.methods)
    assert missing == ()
    dataset, features = open_data(suite, {FeatureKind.DEEP}, Wanted())
    lines = run_suite(suite, methods, dataset, features, tmp_path)
    values = {line["method"]: line["measures"]["map"]["value"] for line in lines}
    assert set(values) == set(suite.methods)
    assert values["knn"] > 0.4


def test_a_method_is_named_by_its_learner_its_settings_and_its_features():
    assert Method.of("knn/bag-of-words").features is FeatureKind.BAG_OF_WORDS
    name = "tagvote:n_neighbors=7:unique_owner=false/bag-of-words"
    method = Method.of(name)
    assert (method.name, method.learner) == (name, "tagvote")
    assert method.fixed == (("n_neighbors", 7), ("unique_owner", False))
    assert method.features is FeatureKind.BAG_OF_WORDS
    assert Method.of("knn").features is Method.of("knn:n_neighbors=7").features is FeatureKind.DEEP


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("knn/shallow", "no method is called 'knn/shallow'; there are"),
        ("nearest", "no method is called 'nearest'"),
        ("knn:k=5", "the learner 'knn' has no parameter 'k'; it takes n_neighbors, weights;"),
        ("knn:n_neighbors=0", "n_neighbors is 0; it is at least 1"),
        ("knn:n_neighbors=many", "n_neighbors is 'many'; it is a whole number"),
        ("knn:n_neighbors", "'n_neighbors' is no setting; name=value is accepted"),
        ("knn:n_neighbors=5:n_neighbors=6", "is set twice; once is accepted"),
    ],
)
def test_what_is_no_method_is_said(name, message):
    with pytest.raises(InputError, match=message):
        SUITES["corel5k"].chosen(["knn", name])


def test_methods_of_one_learner_stand_side_by_side(tmp_path):
    lines = run(tmp_path, methods=["knn", "knn:n_neighbors=2", "knn:n_neighbors=9"])
    assert [line["method"] for line in lines] == ["knn", "knn:n_neighbors=2", "knn:n_neighbors=9"]
    assert [line["params"]["n_neighbors"] for line in lines[1:]] == [2, 9]
    assert len({line["scores"] for line in lines}) == 3
    for line, n in zip(lines[1:], (2, 9), strict=True):
        dataset, vectors = planted(n_train=120, n_test=40)
        (posed,), _ = exercises(Protocol(), dataset, vectors)
        expected = solve("knn", {"n_neighbors": n}, posed.exercise, seed=0)
        raw = saved(tmp_path, line).get("raw_scores", saved(tmp_path, line)["scores"])
        assert np.array_equal(raw, expected.scores)
        assert line["params"]["chosen_by"] == "nothing to choose"
