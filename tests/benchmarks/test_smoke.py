"""``engine bench smoke`` as anybody runs it, and every number of it computed again."""

import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.suites import SUITES
from learners.base import Needs
from learners.table import LEARNERS, learner_class, make_learner

CPU_SECONDS = 30
METHODS = sorted(SUITES["smoke"].methods)


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """What the command left, and the processor time that it took."""
    folder = tmp_path_factory.mktemp("smoke") / "out"
    command = [sys.executable, "-m", "engine", "bench", "smoke", "--out", str(folder)]
    before = os.times()
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    after = os.times()
    assert result.returncode == 0, result.stderr
    used = (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )
    return folder, result, used


def lines(folder):
    return [json.loads(text) for text in (folder / "results.jsonl").read_text().splitlines()]


def test_only_learners_that_read_more_than_there_is_are_left_out():
    more = Needs.TAGS | Needs.PIXELS | Needs.WORDS
    read = {name: learner_class(name).needs | make_learner(name).fit_needs for name in LEARNERS}
    assert [name for name in sorted(LEARNERS) if not read[name] & more] == METHODS


def test_it_takes_seconds_and_leaves_results_and_a_report(smoke):
    folder, result, seconds = smoke
    assert seconds < CPU_SECONDS
    assert [line["method"] for line in lines(folder)] == METHODS
    assert len({line["case"] for line in lines(folder)}) == len(METHODS)
    pages = [(folder / name).read_text(encoding="utf-8") for name in ("report.md", "report.html")]
    for line in lines(folder):
        for text in (result.stdout, *pages):
            assert line["method"] in text
            assert f"{100 * line['measures']['map']['value']:.1f}" in text


def saved(folder, line):
    """Load scores, truth, image ids and tags as plain lists; nothing in the file is pickled."""
    with np.load(folder / line["scores"], allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    assert not any(array.dtype.hasobject for array in arrays.values())
    names = ("scores", "truth", "image_ids", "tags")
    scores, truth, image_ids, tags = (arrays[name].tolist() for name in names)
    assert (len(scores), len(scores[0])) == (line["n_images"], line["n_labels"])
    return scores, truth, image_ids, tags


def descending(scores, names):
    """Return the places by (score, name), both descending."""
    return sorted(range(len(scores)), key=lambda i: (scores[i], names[i]), reverse=True)


def average_precision(ranking, relevant):
    found, total = 0, 0.0
    for rank, place in enumerate(ranking, start=1):
        if relevant[place]:
            found += 1
            total += found / rank
    return total / sum(relevant)


def discounted(gains):
    return sum((2**gain - 1) / math.log2(1 + i) for i, gain in enumerate(gains, start=1))


def measured(scores, truth, image_ids, tags):
    """Return the measures by their definitions, and how many each is a mean of."""
    pictures, labels = range(len(image_ids)), range(len(tags))
    rankings = [descending(row, tags) for row in scores]
    true_of_tag = [[truth[i][t] for i in pictures] for t in labels]
    judged_tags = [t for t in labels if any(true_of_tag[t])]
    judged_pictures = [i for i in pictures if any(truth[i])]
    by_tag = [
        average_precision(descending([row[t] for row in scores], image_ids), true_of_tag[t])
        for t in judged_tags
    ]
    by_picture = [average_precision(rankings[i], truth[i]) for i in judged_pictures]
    gains = [
        discounted([int(truth[i][t]) for t in rankings[i][:5]])
        / discounted(sorted(map(int, truth[i]), reverse=True)[:5])
        for i in judged_pictures
    ]
    emitted = [set(ranking[:5]) for ranking in rankings]
    precision = recall = 0.0
    n_recalled = 0
    for t in judged_tags:
        n_emitted = sum(t in found for found in emitted)
        n_right = sum(t in found and truth[i][t] for i, found in enumerate(emitted))
        precision += n_right / n_emitted / len(judged_tags) if n_emitted else 0
        recall += n_right / sum(true_of_tag[t]) / len(judged_tags)
        n_recalled += n_right > 0
    f1 = 2 * precision * recall / (precision + recall)
    return {
        "map": (sum(by_tag) / len(by_tag), len(by_tag)),
        "miap": (sum(by_picture) / len(by_picture), len(by_picture)),
        "ndcg@5": (sum(gains) / len(gains), len(gains)),
        "c-f1@5": (f1, len(judged_tags)),
        "n+@5": (n_recalled, len(judged_tags)),
    }


@pytest.mark.parametrize("method", METHODS)
def test_an_independent_program_finds_the_printed_numbers(smoke, method):
    folder, _, _ = smoke
    (line,) = [one for one in lines(folder) if one["method"] == method]
    for name, (value, n) in measured(*saved(folder, line)).items():
        entry = line["measures"][name]
        assert entry["n"] == n, name
        assert math.isclose(entry["value"], value, rel_tol=0, abs_tol=1e-12), name
