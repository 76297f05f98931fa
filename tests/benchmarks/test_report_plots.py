import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve

from benchmarks.report.curves import (
    average_precision_by_tag,
    means_by_octave,
    precision_recall,
)
from benchmarks.report.sheet import find_picture
from benchmarks.report.svg import Axis, Curve, Drawn, legend, plot
from benchmarks.report.tables import Cell, Row, Table
from learners.metrics import Judged

SHARE = Axis(label="share", low=0, high=1, percent=True)


def curve(x, y, **options):
    values = {"name": "a & b", "color": 1} | options
    return Curve(x=np.array(x, float), y=np.array(y, float), **values)


def test_two_points_lie_where_they_belong():
    # The frame is 58 .. 544 across and 312 .. 14 up: 0.5 of 486 is 243, 0.25 of 298 is 74.5.
    svg = plot("t", SHARE, SHARE, [curve([0, 0.5], [0.25, 1], drawn=Drawn.BOTH)])
    assert '<path d="M58.0 237.5L301.0 14.0" stroke-dasharray="7 3"/>' in svg
    assert '<circle cx="301.0" cy="14.0" r="2.5">' in svg
    assert '<g class="c1"><title>a &amp; b</title>' in svg


def test_a_logarithmic_axis_halves_at_the_root():
    across = Axis(label="n", low=1, high=100, log=True)
    svg = plot("t", across, SHARE, [curve([10], [1], drawn=Drawn.DOTS)])
    assert '<circle cx="301.0" cy="14.0"' in svg
    assert across.ticks == [1, 2, 5, 10, 20, 50, 100]


def test_bars_go_from_low_to_high_and_are_cut_at_the_frame():
    bars = curve([0.5], [0.5], low=np.array([0.25]), high=np.array([1.5]))
    assert '<path class="bars" d="M301.0 237.5V14.0"/>' in plot("t", SHARE, SHARE, [bars])


def test_points_outside_or_unknown_are_not_drawn():
    svg = plot("t", SHARE, SHARE, [curve([0, 2, 1], [0, 0.5, np.nan], drawn=Drawn.DOTS)])
    assert svg.count("<circle") == 1


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 0.42, [0, 0.1, 0.2, 0.3, 0.4]),
        (3, 47, [10, 20, 30, 40]),
    ],
)
def test_ticks_are_round(low, high, ticks):
    np.testing.assert_allclose(Axis(label="", low=low, high=high).ticks, ticks)


def test_the_legend_names_what_is_not_faint():
    shown = legend([curve([], []), curve([], [], name="dots", faint=True)])
    assert "a &amp; b" in shown
    assert "dots" not in shown


def test_precision_and_recall_are_those_of_scikit_learn_with_ties():
    rng = np.random.default_rng(3)
    scores = rng.integers(0, 12, size=(40, 9)) / 12
    truth = rng.random((40, 9)) < 0.2
    recall, precision = precision_recall(Judged(scores, truth), n_points=1000)
    expected = precision_recall_curve(truth.ravel(), scores.ravel(), drop_intermediate=False)
    # Theirs runs the other way, and adds the point (recall 0, precision 1).
    np.testing.assert_allclose(recall, np.unique(expected[1][:-1]))
    for r, p in zip(recall, precision, strict=True):
        assert np.isclose(p, expected[0][:-1][np.isclose(expected[1][:-1], r)]).any()


def test_what_is_no_candidate_is_never_reached():
    scores, truth = np.array([[0.9, -np.inf]]), np.array([[True, True]])
    recall, precision = precision_recall(Judged(scores, truth))
    assert recall.tolist() == [0.5]
    assert precision.tolist() == [1]


def test_thinning_keeps_the_ends():
    scores = np.linspace(1, 0, 5000)[:, None]
    truth = np.zeros((5000, 1), bool)
    truth[::2] = True
    recall, precision = precision_recall(Judged(scores, truth), n_points=50)
    assert len(recall) <= 51
    assert (recall[0], precision[0]) == (1 / 2500, 1)
    assert (recall[-1], precision[-1]) == (1, 2500 / 4999)


def test_a_tag_has_its_frequency_and_average_precision():
    scores = np.array([[0.9, 0.1, 0.5], [0.8, 0.9, 0.5], [0.7, 0.2, 0.5]])
    truth = np.array([[1, 1, 0], [0, 1, 0], [1, 0, 0]], bool)
    frequencies, values = average_precision_by_tag(Judged(scores, truth))
    assert frequencies.tolist() == [2, 2, 0]
    np.testing.assert_allclose(values, [(1 + 2 / 3) / 2, (1 + 2 / 3) / 2, np.nan])


def test_octaves_hold_their_lower_end():
    x, y = means_by_octave(np.array([1, 2, 3, 4, 8]), np.array([0.0, 0.2, 0.4, 0.6, 0.8]))
    np.testing.assert_allclose(x, [1, np.sqrt(6), 4, 8])
    np.testing.assert_allclose(y, [0, 0.3, 0.6, 0.8])


def test_an_id_does_not_lead_out_of_the_folder(tmp_path):
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    for path in (tmp_path / "x.jpg", root / "y.jpg", root / "sub" / "z.png"):
        path.write_bytes(b"")
    assert find_picture("y", root) == root / "y.jpg"
    assert find_picture("sub/z.png", root) == root / "sub" / "z.png"
    assert find_picture("../x.jpg", root) is None
    assert find_picture(str(tmp_path / "x.jpg"), root) is None
    assert find_picture("y", None) is None


def test_html_cells_are_escaped_and_marked():
    row = Row((Cell("<i>"), Cell("1", "0–2", best=True, worse=True)), ours=True)  # noqa: RUF001
    assert (
        '<tr class="ours"><th scope="row" class="words">&lt;i&gt;</th>'
        '<td><b class="less">1</b><small>0–2</small></td></tr>'  # noqa: RUF001
    ) in Table(("a", "b"), [row]).html()


def test_nothing_has_a_place_of_its_own_on_a_logarithmic_scale() -> None:
    axis = Axis(label="n", low=0.25, high=64, log=True, zero=0.5)
    np.testing.assert_allclose(axis.place(np.array([0.0, 0.5, 4.0]), 0, 80), [10, 10, 40])
    assert axis.ticks == [0, 1, 2, 5, 10, 20, 50]
