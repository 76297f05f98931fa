"""``engine bench`` as people call it."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.command import bench
from benchmarks.suites import SUITES
from indexing.errors import CorpusError, InputError


@pytest.fixture
def call(tmp_path):
    def called(*arguments, folder="out"):
        return CliRunner().invoke(
            bench, [*map(str, arguments), "--out", str(tmp_path / folder)], catch_exceptions=False
        )

    return called


@pytest.fixture
def data(tmp_path):
    """A data set of the corel5k layout without any picture, and ready-made features of it."""
    folder = tmp_path / "corel5k"
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(8)]
    directions = rng.normal(size=(8, 6))
    names, rows = [], []
    for split, n in (("train", 80), ("test", 20)):
        samples = []
        for i in range(n):
            present = rng.choice(8, 2, replace=False)
            names.append(f"{split}{i}.jpeg")
            rows.append(directions[present].sum(axis=0) + 0.2 * rng.normal(size=6))
            samples.append(
                {"image_name": names[-1], "image_labels": [words[tag] for tag in present]}
            )
        text = json.dumps({"samples": samples, "labels": words})
        (folder / f"{split}.json").write_text(text)
    np.save(tmp_path / "x.npy", np.array(rows, np.float32))
    (tmp_path / "ids.txt").write_text("\n".join(names) + "\n")
    ready = ("--features", tmp_path / "x.npy", "--ids", tmp_path / "ids.txt")
    return ("--data", folder, "--methods", "knn", *ready)


def test_the_command_is_registered_under_its_name():
    project = tomllib.loads(
        (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    )
    entries = project["project"]["entry-points"]["engine.commands"]
    assert entries == {"bench": "benchmarks.command:bench"}
    assert bench.name == "bench"


def test_help_names_every_suite():
    shown = CliRunner().invoke(bench, ["--help"]).stdout.splitlines()
    heads = {line.split()[0] for line in shown if line.startswith("  ") and line.strip()}
    assert set(SUITES) <= heads


def test_help_ends_with_an_example():
    _, _, example = bench.help.partition("Example:")
    assert all(line.strip().startswith("engine bench") for line in example.strip().splitlines())


def test_it_prints_a_table_and_writes_results(call, tmp_path):
    result = call("smoke", "--methods", "knn,tagvote")
    assert result.exit_code == 0
    title, head, knn, tagvote = result.stdout.splitlines()
    assert title == "planted: 120 pictures, 24 labels; 95 % intervals"
    shown = ["method", "c-p@5", "c-r@5", "c-f1@5", "n+@5", "map", "miap", "ndcg@5"]
    assert head.split() == shown
    line = json.loads((tmp_path / "out" / "results.jsonl").read_text().splitlines()[0])
    f1 = line["measures"]["c-f1@5"]
    assert f"{100 * f1['value']:.1f} [{100 * f1['low']:.1f}, {100 * f1['high']:.1f}]" in knn
    assert tagvote.startswith("tagvote")
    assert (tmp_path / "out" / "report.html").is_file()


def test_json_prints_the_lines(call, tmp_path):
    result = call("smoke", "--methods", "knn", "--json", "--seed", 2)
    line = json.loads(result.stdout)
    assert line == json.loads((tmp_path / "out" / "results.jsonl").read_text())
    assert line["seed"] == 2


def test_folds_are_of_the_training_split_and_are_averaged(call, data, tmp_path):
    result = call("corel5k", "--folds", 4, *data)
    assert result.stdout.startswith("corel5k: 80 pictures, 8 labels, mean of 4 folds; 95 % int")
    lines = [json.loads(t) for t in (tmp_path / "out" / "results.jsonl").read_text().splitlines()]
    values = [line["measures"]["c-f1@5"]["value"] for line in lines]
    assert len(values) == 4
    mean, error = np.mean(values), np.std(values, ddof=1) / 2
    low, high = mean - 3.18245 * error, mean + 3.18245 * error  # Student's, of four
    assert f"{100 * mean:.1f} [{100 * low:.1f}, {100 * high:.1f}]" in result.stdout
    asked = []
    for line in lines:
        with np.load(tmp_path / "out" / line["scores"]) as arrays:
            asked += arrays["image_ids"].tolist()
    assert sorted(asked) == sorted(f"train{i}.jpeg" for i in range(80))


def test_the_plain_suite_asks_about_the_test_split(call, data, tmp_path):
    assert call("corel5k", *data).exit_code == 0
    line = json.loads((tmp_path / "out" / "results.jsonl").read_text())
    assert line["n_images"] == 20
    with np.load(tmp_path / "out" / line["scores"], allow_pickle=False) as arrays:
        assert sorted(arrays["image_ids"]) == sorted(f"test{i}.jpeg" for i in range(20))


def test_few_examples_are_one_table_a_size(call, data, tmp_path):
    result = call("corel5k-few", *data)
    assert result.stdout.count("corel5k: 20 pictures, 8 labels, ") == 6
    lines = [json.loads(t) for t in (tmp_path / "out" / "results.jsonl").read_text().splitlines()]
    assert [line["params"]["examples"] for line in lines] == [0, 1, 2, 5, 10, 50]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("corel6k",), InputError, "no suite is called 'corel6k'; there are corel5k,"),
        (("smoke", "--methods", "knn:weights=heavy"), InputError, "weights is 'heavy'; it is one"),
        (("smoke", "--methods", "knn:hidden=[1,2]"), InputError, "has no parameter 'hidden'; it"),
        (("smoke", "--methods", "magic"), InputError, "no method is called 'magic'"),
        (
            ("smoke", "--methods", "knn/bag-of-words"),
            InputError,
            "no method is left for smoke; it runs 2pknn,",
        ),
        (("corel5k", "--data", "nowhere"), CorpusError, "nowhere is not there; corel5k needs"),
    ],
)
def test_what_is_not_there_is_said(call, arguments, error, message):
    with pytest.raises(error, match=message):
        call(*arguments)


def test_features_need_their_ids(call):
    result = call("smoke", "--features", "x.npy")
    assert result.exit_code == 2
    assert "--features and --ids go together" in result.output


def test_blocks_must_sum_to_the_width(call, data):
    with pytest.raises(InputError, match="blocks of 5 values for features of 6"):
        call("corel5k", *data, "--blocks", "3,2")
    assert call("corel5k", *data, "--blocks", "3,x").exit_code == 2
