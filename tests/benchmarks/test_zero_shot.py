"""What is counted of brought words and of searches by text."""

from pathlib import Path

import numpy as np
import pytest

import benchmarks.zero_shot
from benchmarks.zero_shot import BroughtCounts, count_brought, main, precision_at


def test_a_brought_word_is_right_in_any_form() -> None:
    truth = frozenset({"Leaf", "skies", "tiger"})
    counts = count_brought(["leaves", "sky", "lion"], truth) + count_brought([], truth)
    assert counts == BroughtCounts(3, 2)
    assert counts.precision == pytest.approx(2 / 3)
    assert BroughtCounts().precision == 0


def test_precision_at_ten_counts_the_best() -> None:
    rng = np.random.default_rng(0)
    scores, truth = rng.normal(size=50), rng.random(50) < 0.4
    best = sorted(range(50), key=lambda i: -scores[i])[:10]
    assert precision_at(scores, truth, 10) == sum(bool(truth[i]) for i in best) / 10


def test_figures_are_printed_a_line_each_of_folds_unless_the_test_split_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(
        benchmarks.zero_shot._MEASURED, "search", lambda data, folds: iter([f"{folds} {data.name}"])
    )
    main(["search", "--data", str(tmp_path)])
    main(["search", "--data", str(tmp_path), "--test"])
    assert capsys.readouterr().out == f"search: 5 {tmp_path.name}\nsearch: None {tmp_path.name}\n"
