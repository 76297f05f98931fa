"""The tables of a mixture beside its members."""

import numpy as np

from benchmarks.report.groups import groups_of
from benchmarks.report.mixed import less_best_member, less_mixture
from benchmarks.report.results import read_results
from benchmarks.report.writing import write_report
from tests.benchmarks.report_files import GOOD, POOR, line, write_lines, write_scores


def measured(value):
    return {"measures": {"map": (value, value, value, 3)}}


def folder_of(tmp_path):
    rows = []
    for fold in (1, 2):
        dataset = f"corel5k fold {fold}/2"
        best = ("knn", "heads") if fold == 1 else ("heads", "knn")
        values = {best[0]: (GOOD, 0.8), best[1]: (POOR, 0.4)}
        for method, (scores, value) in {
            **values,
            "hybrid": (GOOD, 0.9),
            "hybrid:members=knn": (POOR, 0.5),
            "copy": (GOOD, 1.0),
        }.items():
            name = f"{method.replace(':', '-')}{fold}.npz"
            ids = np.array([f"{fold}{image}.jpg" for image in "abc"])
            write_scores(tmp_path, name, scores, image_ids=ids)
            params = {"members": "knn,heads"} if method == "hybrid" else {}
            case = f"{method} {fold}"
            more = measured(value) | {"dataset": dataset, "params": params, "case": case}
            rows.append(line(method, name, **more))
    write_lines(tmp_path, *rows)
    return tmp_path


def test_each_split_has_its_own_best_member(tmp_path):
    (group,) = groups_of(read_results(folder_of(tmp_path)))
    table = less_best_member(group, 20)
    texts = [[cell.text for cell in row.cells] for row in table.rows]
    assert [text[:3] for text in texts] == [
        ["corel5k fold 1/2", "hybrid", "knn"],
        ["corel5k fold 2/2", "hybrid", "heads"],
    ]
    # Both scored alike: no difference at all.
    assert {text[3] for text in texts} == {"0.0"}


def test_what_is_left_out_is_compared_with_the_whole(tmp_path):
    (group,) = groups_of(read_results(folder_of(tmp_path)))
    compared = {one.line.method: one for one in less_mixture(group, 20)}
    assert set(compared) == {"knn", "heads", "hybrid:members=knn", "copy"}
    (found,) = compared["hybrid:members=knn"].differences.values()
    assert found.value < 0
    assert compared["copy"].reference.method == "hybrid"
    assert next(iter(compared["copy"].differences.values())).value == 0


def test_the_report_shows_both_and_no_other_suite_does(tmp_path):
    folder_of(tmp_path)
    write_report(tmp_path, n_replicates=20)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "A mixture less its best member, split by split" in text
    assert "mixtures without one, less the mixture" in text
    other = tmp_path / "other"
    other.mkdir()
    name = write_scores(other, "knn.npz", np.asarray(GOOD))
    write_lines(other, line("knn", name, **measured(0.5)))
    write_report(other, n_replicates=20)
    assert "best member" not in (other / "report.md").read_text(encoding="utf-8")
