import pytest

from indexing.errors import InputError
from learners.settings import parse_setting, parse_settings
from learners.table import make_learner


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("n_neighbors=5", "n_neighbors", 5),
        ("weight_decay=5.0", "weight_decay", 5.0),
        ("rate=1e-3", "rate", 0.001),
        ("low=-2", "low", -2),
        ("unique_owner=false", "unique_owner", False),
        ("unique_owner=true", "unique_owner", True),
        ("n_dims=null", "n_dims", None),
        ("weights=metric", "weights", "metric"),
        ("hidden=[512, 256]", "hidden", [512, 256]),
        ('word="5"', "word", "5"),
        (" key = two words ", "key", "two words"),
        ("path=a=b", "path", "a=b"),
        ("unique_owner=False", "unique_owner", "False"),
        ("decay=NaN", "decay", "NaN"),
        ("decay=-Infinity", "decay", "-Infinity"),
        ("version=1.2.3", "version", "1.2.3"),
        ("deep=" + 100_000 * "[", "deep", 100_000 * "["),
    ],
)
def test_a_value_is_what_json_says_or_else_text(text, name, value):
    found = parse_setting(text)
    assert found == (name, value)
    assert type(found[1]) is type(value)


@pytest.mark.parametrize("text", ["", "n_neighbors", "=5", "n_neighbors=", "n neighbors=5", "2=3"])
def test_what_is_no_setting_is_refused(text):
    with pytest.raises(InputError) as caught:
        parse_setting(text)
    assert str(caught.value) == (
        f"{text!r} is no setting; name=value is accepted, such as n_neighbors=5; correct it"
    )


def test_the_learner_judges_the_value():
    def made(text):
        return make_learner("knn", **dict([parse_setting(text)]))

    assert made("weights=similarity").params()["weights"] == "similarity"
    with pytest.raises(InputError, match="n_neighbors is '5'; it is a whole number"):
        made('n_neighbors="5"')
    with pytest.raises(InputError, match="the learner 'knn' has no parameter 'neighbors'"):
        made("neighbors=5")


def test_a_name_is_set_once():
    assert parse_settings(["a=1", "b=x"]) == {"a": 1, "b": "x"}
    with pytest.raises(InputError, match="a is set twice; once is accepted"):
        parse_settings(["a=1", "b=x", "a=2"])
