import json
from collections import Counter

import pytest

from benchmarks.published import load_published, with_rule
from indexing.errors import ArtifactError
from learners.metrics import parse_measure

PUBLISHED = load_published()


def one(source, table, dataset, method, features=None):
    (row,) = [
        row
        for row in PUBLISHED.results
        if (row.source.key, row.table, row.dataset, row.method) == (source, table, dataset, method)
        and features in (None, row.features)
    ]
    return row


def test_every_table_has_its_rows():
    assert Counter((row.source.key, row.table, row.dataset) for row in PUBLISHED.results) == {
        ("survey", "3", "mirflickr"): 6,
        ("survey", "3", "nuswide"): 6,
        ("survey", "4", "nuswide"): 5,
        ("niu", "I", "nuswide"): 6,
        ("niu", "II", "coco"): 6,
        ("niu", "III", "nuswide"): 10,
        ("niu", "IV", "coco"): 8,
        ("niu", "V", "nuswide"): 2,
        ("niu", "VI", "coco"): 2,
        ("jvsp", "1", "nuswide"): 6,
        ("jvsp", "2", "coco"): 6,
        ("jvsp", "3", "espgame"): 9,
        ("corel-collected", "Corel-5K", "corel5k"): 8,
        ("corel-repositories", "Corel-5K", "corel5k"): 5,
    }


@pytest.mark.parametrize(
    ("place", "measure", "value", "printed"),
    [
        (("survey", "3", "mirflickr", "CNN+TagProp"), "map", 0.65, "65"),
        (("survey", "3", "nuswide", "CNN+TagVoting"), "map", 0.40, "40"),
        (("survey", "3", "nuswide", "BoW+TagVoting"), "map", 0.18, "18"),
        (("survey", "4", "nuswide", "RPCA+CNN"), "ndcg@1", 0.23, "23"),
        (("survey", "4", "nuswide", "NR+CNN"), "map", 0.53, "53"),
        (("niu", "I", "nuswide", "MS-CNN+Tags+LQP"), "i-r", 0.768, "76.80"),
        (("niu", "I", "nuswide", "CNN"), "h-f1", 0.5704, "57.04"),
        (("niu", "II", "coco", "MS-CNN+LQP"), "c-p", 0.6748, "67.48"),
        (("niu", "II", "coco", "MS-CNN"), "i-r", 0.6215, "62.15"),
        (("niu", "III", "nuswide", "SINN"), "i-r", 0.7912, "79.12"),
        (("niu", "III", "nuswide", "CNN+logistic"), "h-f1", 0.5144, "51.44"),
        (("niu", "IV", "coco", "SR-CNN-RNN"), "i-p", 0.7741, "77.41"),
        (("niu", "V", "nuswide", "MS-CNN+Tags"), "lqp-mse", 0.437, "0.437"),
        (("niu", "VI", "coco", "MS-CNN"), "lqp-accuracy", 0.4627, "46.27"),
        (("jvsp", "1", "nuswide", "JVSP"), "map", 0.685, "68.5"),
        (("jvsp", "2", "coco", "WARP"), "c-p", 0.593, "59.3"),
        (("jvsp", "3", "espgame", "2PKNN", "VGG-16"), "n+", 250, "250"),
        (("jvsp", "3", "espgame", "2PKNN", "hand-crafted"), "c-f1", 0.317, "31.7"),
        (("corel-collected", "Corel-5K", "corel5k", "AWD-IKNN 2016"), "n+", 198, "198"),
        (
            ("corel-repositories", "Corel-5K", "corel5k", "Salar & Ahmadi 2024"),
            "c-r",
            0.611,
            "61.1",
        ),
    ],
)
def test_cells_are_those_of_the_papers(place, measure, value, printed):
    row = one(*place)
    assert row.measures[measure] == value
    assert row.printed[measure] == printed


def test_a_dash_is_no_cell():
    assert set(one("jvsp", "1", "nuswide", "Multi-edge graph").measures) == {"i-p", "i-r", "i-f1"}


def test_every_f1_is_that_of_its_precision_and_recall_but_those_the_notes_name():
    misprinted = set()
    for row in PUBLISHED.results:
        pairs = [("c-p", "c-r", "c-f1"), ("i-p", "i-r", "i-f1"), ("c-f1", "i-f1", "h-f1")]
        for a, b, mean in pairs:
            if not {a, b, mean} <= set(row.measures):
                continue
            p, r = row.measures[a], row.measures[b]
            # Table 3 of JVSP rounds to whole percent.
            slack = 0.003 if row.table == "3" else 0.0012
            if abs(2 * p * r / (p + r) - row.measures[mean]) > slack:
                misprinted.add((row.source.key, row.table, row.method, mean))
    assert misprinted == {
        ("niu", "II", "MS-CNN", "i-f1"),
        ("niu", "III", "SINN", "c-f1"),
        ("jvsp", "2", "No RNN", "i-f1"),
        ("jvsp", "3", "RIA", "c-f1"),
    }
    for _, _, method, _ in misprinted:
        assert any(method in note for note in PUBLISHED.notes)


def test_values_lie_where_their_measures_do_and_sources_are_known():
    assert {source.key for source in PUBLISHED.sources} == {
        "survey",
        "niu",
        "jvsp",
        "corel-collected",
        "corel-repositories",
    }
    for row in PUBLISHED.results:
        assert row.protocol
        assert row.measures
        for name, value in row.measures.items():
            top = {"n+": 268, "lqp-mse": 1}.get(name, 0.9)
            assert 0 < value <= top, (row, name)
            assert value == int(value) or name != "n+"


def test_tables_of_a_data_set_put_alike_rows_together_and_drop_reprints():
    (corel,) = PUBLISHED.tables("corel5k")
    assert corel.columns == ("c-p", "c-r", "c-f1", "n+")
    assert len(corel.results) == 13
    components = next(t for t in PUBLISHED.tables("nuswide-81") if t.columns[-1] == "h-f1")
    # 6 of table I and 10 of III, of which the upper bound and the whole model are reprints.
    assert len(components.results) == 14
    assert PUBLISHED.tables("holiday") == []


def test_a_cell_is_of_one_measure_only():
    assert with_rule("c-f1", "5") == parse_measure("c-f1@5")
    assert with_rule("c-f1", None) is None
    assert with_rule("map", None) == parse_measure("map")
    assert with_rule("ndcg@3", "5") == parse_measure("ndcg@3")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": "hearsay"}, r"table 9: source 'hearsay' is unknown; there are survey"),
        ({"unit": "permille"}, "unit 'permille' is unknown; there are fraction, percent"),
        ({"columns": ["goodness"]}, "no measure is called 'goodness'"),
        ({"emits": "many"}, "table 9: KNN: 'c-p@many'"),
        ({"columns": ["map", "miap"]}, "table 9: KNN: 1 values for 2 columns; null stands"),
        ({"rows": [{"method": "KNN", "values": [101]}]}, "KNN: map is 101; it is a number"),
        ({"rows": [{"method": "KNN", "values": ["x"]}]}, "published numbers are JSON"),
        ({"rows": [{"values": [1]}]}, "'method' is missing"),
    ],
)
def test_a_faulty_file_is_refused(tmp_path, change, message):
    table = {
        "source": "survey",
        "table": "9",
        "dataset": "corel5k",
        "unit": "percent",
        "protocol": "none",
        "columns": ["map"],
        "rows": [{"method": "KNN", "values": [12.5]}],
    }
    source = {"short": "s", "title": "t", "where": "w"}
    path = tmp_path / "published.json"

    def write(block):
        content = {"sources": {"survey": source}, "tables": [block], "notes": []}
        path.write_text(json.dumps(content), encoding="utf-8")

    write(table)
    assert load_published(path).results[0].measures == {"map": 0.125}
    write(table | change)
    with pytest.raises(ArtifactError, match=message):
        load_published(path)
