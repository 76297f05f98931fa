# ruff: noqa: RUF001 -- en dashes and minus signs, as the report prints them
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from benchmarks.report import read_results, write_report
from benchmarks.report.folds import mean_interval, pooled_scores
from benchmarks.report.results import Scores
from indexing.errors import ArtifactError
from learners.metrics import Judged
from tests.benchmarks import report_files as files

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Checks that elements close in order; collects addresses and texts."""

    def __init__(self, text):
        super().__init__()
        self.open, self.addresses, self.texts, self.seen = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        self.addresses += [v for k, v in attrs if k in ("src", "href", "srcset", "action", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture
def results(tmp_path):
    both = {"c-f1@2": (0.4, 0.375, 0.425, 3), "n+@2": (2, 1, 3, 3), "lqp-mse": (0.5, 0.4, 0.6, 3)}
    files.write_lines(
        tmp_path,
        files.line("knn", files.write_scores(tmp_path, "k.npz", files.POOR), measures=both),
        files.line(
            "new|<b>&",
            files.write_scores(tmp_path, "n.npz", files.GOOD),
            measures=both | {"c-f1@2": (0.6, 0.5512, 0.6488, 3), "lqp-mse": (0.75, None, None, 3)},
            params={"alpha": 0.5},
            image_root=str(tmp_path / "pictures"),
        ),
    )
    return tmp_path


def written(folder, **options):
    write_report(folder, n_replicates=20, **options)
    return [(folder / name).read_text(encoding="utf-8") for name in ("report.md", "report.html")]


def test_the_table_of_methods_is_the_hand_worked_one(results):
    markdown, _ = written(results)
    assert "## toy on corel5k\n\n2 methods, 3 pictures, 3 labels.\n\n### Methods\n" in markdown
    assert (
        "| method | c-f1@2 | n+@2 | lqp-mse |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| new\\|&lt;b&gt;&amp; | **60.0** (55.1–64.9) | **2** (1–3) | 0.750 |\n"
        "| knn | 40.0 (37.5–42.5) | **2** (1–3) | **0.500** (0.400–0.600) |\n\n"
    ) in markdown
    assert "| knn | 0.50 | 1.25 | 1,200 |  |\n" in markdown
    assert "alpha 0.5 |\n" in markdown


def test_every_measure_is_explained_with_what_it_averages(results):
    markdown, page = written(results)
    assert "- **n+@2**: number of labels with recall above 0; tied tags by id" in markdown
    assert "Here n = 3 in toy." in markdown
    assert "Here n = 3 in toy." in page


def test_methods_are_compared_with_the_best_baseline_on_the_same_pictures(results):
    # Two tags each. The good one: precisions 1, 1, 2/3 and recalls 1, so C-F1 16/17; the poor
    # one: precisions 1/3, 1/2, 0 and recalls 1, 1/2, 0, so C-F1 5/14.
    markdown, _ = written(results)
    (row,) = [r for r in markdown.splitlines() if r.startswith("| new") and "| knn |" in r]
    assert f"+{100 * (16 / 17 - 5 / 14):.1f}" in row
    no_baseline, page = written(results, baselines=())
    (row,) = [r for r in no_baseline.splitlines() if r.startswith("| knn | new")]
    assert "−58.4" in row
    assert '<b class="less">−58.4</b>' in page


def test_a_baseline_with_settings_is_one(tmp_path):
    for name, scores in {"new": files.GOOD, "knn": files.POOR}.items():
        files.write_scores(tmp_path, f"{name}.npz", scores)
    files.write_lines(
        tmp_path, files.line("new", "new.npz"), files.line("knn:n_neighbors=3", "knn.npz")
    )
    markdown, _ = written(tmp_path)
    assert "| new | knn:n\\_neighbors=3 |" in markdown


def test_the_protocol_is_told_where_it_is_one(tmp_path):
    measures = {"c-f1@5": (0.5, 0.4, 0.6, 3)}
    alike = [files.line(name, protocol="ask kindly", measures=measures) for name in ("a", "b")]
    files.write_lines(tmp_path, *alike)
    markdown, text = written(tmp_path)
    assert "2 methods, 3 pictures, 3 labels. Protocol: ask kindly.\n" in markdown
    assert "Protocol: ask kindly." in text
    assert "ours: ask kindly, 3 pictures, 3 labels\n" in markdown
    other = files.line("c", protocol="ask twice", measures=measures)
    files.write_lines(tmp_path, *alike, other)
    markdown, _ = written(tmp_path)
    assert "3 methods, 3 pictures, 3 labels.\n" in markdown


def test_other_pictures_are_not_compared(tmp_path):
    ids = np.array(["a.jpg", "b.jpg", "d.jpg"])
    files.write_lines(
        tmp_path,
        files.line("knn", files.write_scores(tmp_path, "k.npz", files.POOR)),
        files.line("new", files.write_scores(tmp_path, "n.npz", files.GOOD, image_ids=ids)),
    )
    markdown, _ = written(tmp_path)
    assert "Differences" not in markdown


def test_the_page_is_well_formed_self_contained_and_escaped(results):
    _, text = written(results)
    page = Page(text)
    assert page.addresses
    assert all(address.startswith(("#", "data:image/jpeg;base64,")) for address in page.addresses)
    assert "@import" not in text
    assert "url(" not in text
    assert not {tag for tag, _ in page.seen} & {"script", "link", "iframe", "object", "use"}
    assert "<b>&<" not in text
    assert text.count("&lt;b&gt;&amp;") >= 4
    assert "<b>&" in page.texts  # the tag, as people read it
    targets = {attrs["id"] for _, attrs in page.seen if "id" in attrs}
    assert {a[1:] for a in page.addresses if a.startswith("#")} <= targets


def test_published_numbers_stand_beside_ours_of_the_same_measure(tmp_path):
    ours = {"c-p@5": (0.4, 0.3, 0.5, 3), "c-r@5": (0.6, 0.5, 0.7, 3), "c-f1@5": (0.48, 0, 1, 3)}
    files.write_lines(tmp_path, files.line("knn", measures=ours))
    markdown, _ = written(tmp_path)
    rows = [r for r in markdown.splitlines() if "| this run |" in r]
    assert rows == ["| → knn | – | 5 | 40.0 | 60.0 | 48.0 | – | this run | c |"]
    # Sorted by C-F1 among them: below 50.0, above 47.7.
    lines = markdown.splitlines()
    at = lines.index(rows[0])
    assert lines[at - 1].startswith("| TResNet-M, asymmetric loss | fine-tuned | not stated | 48.0")
    assert (
        lines[at + 1]
        == "| AWD-IKNN 2016 | VGG-16 | 5 | 42 | 55 | 47.7 | 198 | collected 2015 | a |"
    )
    assert "- (c) ours: suite toy, 3 pictures, 3 labels\n" in markdown
    assert "- (b) tuned on the 499 test pictures" in markdown


def test_another_number_of_emitted_labels_is_another_measure(tmp_path):
    files.write_lines(tmp_path, files.line("knn", measures={"c-f1@3": (0.48, 0, 1, 3)}))
    markdown, _ = written(tmp_path)
    assert [r for r in markdown.splitlines() if "| this run |" in r] == [
        "| → knn | – | 3 | – | – | 48.0 | – | this run | c |"
    ]


def test_pictures_are_embedded_where_they_are_found(results):
    _, text = written(results)
    assert "<img" not in text
    folder = results / "pictures"
    folder.mkdir()
    Image.new("RGB", (600, 400), (200, 30, 30)).save(folder / "a.jpg")
    (folder / "b.jpg").write_bytes(b"no picture")
    _, text = written(results)
    assert [a["alt"] for t, a in Page(text).seen if t == "img"] == ["picture a.jpg"]
    assert len(text) < 200_000
    _, text = written(results, images={"b.jpg": folder / "a.jpg"})
    assert {a["alt"] for t, a in Page(text).seen if t == "img"} == {
        "picture a.jpg",
        "picture b.jpg",
    }


def test_tags_of_the_contact_sheet_are_right_wrong_or_missing(tmp_path):
    # Emitted are two: of a, <b>& (right) and sky (wrong); sea|x is missing.
    measures = {"c-f1@2": (0.4, 0.3, 0.5, 3)}
    scores = files.write_scores(tmp_path, "k.npz", files.POOR)
    files.write_lines(tmp_path, files.line("knn", scores, measures=measures))
    _, text = written(tmp_path)
    sheet = text[text.index('class="sheet"') :]
    assert (
        '<ul class="chips"><li class="right">&lt;b&gt;&amp;</li><li class="wrong">sky</li>'
        '<li class="lost">sea|x</li></ul><p>a.jpg · AP 83</p>'
    ) in sheet


def test_few_examples_give_a_learning_curve_and_no_published_rows(tmp_path):
    lines = [
        files.line(
            "knn",
            case=f"knn-{n}",
            params={"examples": n},
            measures={"c-f1@5": (0.1 * (i + 1), 0.05, 0.5, 3)},
        )
        for i, n in enumerate((1, 2, 5))
    ]
    files.write_lines(tmp_path, *lines)
    markdown, text = written(tmp_path)
    assert "Learning from few pictures: c-f1@5" in text
    assert "published numbers" not in markdown.replace("Sources of the published numbers", "")
    table = markdown[markdown.index("| method") :].splitlines()
    assert [r.split(" | ")[0] for r in table[2:5]] == [
        "| knn (5 a tag)",
        "| knn (2 a tag)",
        "| knn (1 a tag)",
    ]


def test_a_case_that_was_run_twice_counts_once(tmp_path):
    later = files.line("knn", measures={"map": (0.75, 0.7, 0.8, 3)})
    files.write_lines(tmp_path, files.line("knn"), files.line("other"), later)
    assert [(r.method, next(iter(r.measures.values())).value) for r in read_results(tmp_path)] == [
        ("other", 0.5),
        ("knn", 0.75),
    ]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ('{"case": "x", ', r"results\.jsonl:2: Expecting property name.*remove it and run"),
        ("[1]", r"results\.jsonl:2: list instead of an object"),
        ("{}", r"results\.jsonl:2: 'case' is missing"),
    ],
)
def test_a_broken_line_is_named(tmp_path, broken, message):
    files.write_lines(tmp_path, files.line("knn"))
    with (tmp_path / "results.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(broken + "\n")
    with pytest.raises(ArtifactError, match=message):
        write_report(tmp_path)
    assert not (tmp_path / "report.md").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_images": "many"}, r":1: 'n_images' is 'many'"),
        ({"measures": {"goodness": (1, 0, 1, 3)}}, r":1: measures: no measure is called 'good"),
        ({"scores": "gone.npz"}, r":1: scores .*gone\.npz.*run the case again"),
    ],
)
def test_what_a_line_says_must_hold(tmp_path, change, message):
    files.write_lines(tmp_path, files.line("knn", **change))
    with pytest.raises(ArtifactError, match=message):
        write_report(tmp_path)


def test_scores_that_do_not_fit_are_named(tmp_path):
    scores = files.write_scores(tmp_path, "k.npz", files.POOR, tags=files.TAGS[:2])
    files.write_lines(tmp_path, files.line("knn", scores))
    with pytest.raises(ArtifactError, match=r":1: scores .*k\.npz: 2 tags for 3"):
        write_report(tmp_path)


def test_no_results_are_an_error(tmp_path):
    with pytest.raises(ArtifactError, match=r"results\.jsonl.*`engine bench"):
        write_report(tmp_path)
    (tmp_path / "results.jsonl").write_text("\n", encoding="utf-8")
    with pytest.raises(ArtifactError, match="no result; a report needs one"):
        write_report(tmp_path)


def test_folds_of_a_method_are_one_row_and_all_their_pictures_are_shown(tmp_path):
    lines = []
    for fold, value in ((1, 0.5), (2, 0.7)):
        ids = np.array([f"{fold}{name}" for name in files.IDS])
        for method, scores in (("knn", files.POOR), ("new", files.GOOD)):
            name = files.write_scores(tmp_path, f"{method}{fold}.npz", scores, image_ids=ids)
            lines.append(
                files.line(
                    method,
                    name,
                    case=f"{method}{fold}",
                    dataset=f"corel5k fold {fold}/2",
                    params={"n_neighbors": 4 + fold, "fold": fold, "n_folds": 2},
                    measures={"map": (value, 0.1, 0.9, 3)},
                )
            )
    files.write_lines(tmp_path, *lines)
    markdown, text = written(tmp_path)
    # Mean 60, standard error of the two 10, of which 12.706 would make -67 to 187.
    assert "| knn | **60.0** (0.0–100.0) |\n" in markdown
    assert "n\\_neighbors 5/6, n\\_folds 2 |\n" in markdown
    assert "## toy on corel5k\n\n2 methods, 6 pictures, 3 labels." in markdown
    assert "| new | knn |" in markdown
    for image_id in ("1a.jpg", "2c.jpg"):
        assert f"<p>{image_id} · AP" in text


@pytest.mark.parametrize(("n", "quantile"), [(2, 12.706), (3, 4.303), (5, 2.776), (11, 2.228)])
def test_intervals_over_folds_have_the_quantiles_of_students_table(n, quantile):
    values = np.random.default_rng(n).normal(size=n) + 50
    mean = sum(values) / n
    error = (sum((value - mean) ** 2 for value in values) / (n - 1) / n) ** 0.5
    expected = (mean, mean - quantile * error, mean + quantile * error)
    assert mean_interval(values) == pytest.approx(expected, abs=5e-4 * error)
    assert mean_interval(values, most=mean + error)[2] == pytest.approx(mean + error)
    assert mean_interval(values - mean)[1] == 0


def test_ranks_of_folds_are_not_compared_with_each_other():
    # In both folds the first two tags tie; the ranks say that the second goes first.
    def fold(raw, ranks, name):
        truth = np.array([[True, False, False]])
        judged = Judged(np.array([ranks], float), truth, [name], list("abc"))
        return Scores(judged, np.array([raw]), np.array(list("abc")), np.array([name]))

    pooled = pooled_scores(
        [fold([0.5, 0.5, 0.1], [1, 2, 0], "x"), fold([0.4, 0.4, 0.2], [10, 20, 0], "y")]
    )
    assert pooled.judged.tag_order.tolist() == [[1, 0, 2], [1, 0, 2]]
    assert pooled.judged.image_order.tolist() == [[0, 1], [0, 1], [1, 0]]
    assert pooled.image_ids.tolist() == ["x", "y"]


def test_draws_may_ask_about_the_same_pictures():
    def draw(raw):
        judged = Judged(np.array([raw]), np.array([[True, False]]), ["x"], list("ab"))
        return Scores(judged, np.array([raw]), np.array(list("ab")), np.array(["x"]))

    pooled = pooled_scores([draw([2.0, 1.0]), draw([1.0, 2.0])])
    assert pooled.judged.tag_order.tolist() == [[0, 1], [1, 0]]
    assert pooled.judged.image_ids.tolist() == ["x#0", "x#1"]
    assert pooled.image_ids.tolist() == ["x", "x"]


def test_reliability_reads_the_own_scores_not_the_ranks(tmp_path):
    ranks = np.argsort(np.argsort(files.POOR, axis=None)).reshape(3, 3).astype(np.float32)
    arrays = {"scores": ranks, "truth": files.TRUTH, "tags": files.TAGS, "image_ids": files.IDS}
    np.savez(tmp_path / "k.npz", **arrays)
    files.write_lines(tmp_path, files.line("knn", "k.npz"))
    assert "<h3>Reliability</h3>" not in written(tmp_path)[1]
    np.savez(tmp_path / "k.npz", raw_scores=files.POOR, **arrays)
    assert "<h3>Reliability</h3>" in written(tmp_path)[1]
