"""Search by words: tags in any form, words nobody has used, pictures beside words, exclusions."""

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

from engine.cli import cli
from engine.general import load_general_words
from engine.generations import GenerationFolders
from engine.picture_scores import IndexedPictures
from engine.tagger import Tagger
from engine.unseen_words import UnseenWords
from engine.wording import TagNames, terms_of
from indexing.errors import InputError
from indexing.words.table import make_word_table
from learners.words import WordVectors
from tests.engine.conftest import COLORS, PARAMS, write_picture

WORDS = {"red": [1, 0, 0], "green": [0, 1, 0], "blue": [0, 0, 1], "colour": [1, 1, 1]}
WORDS |= {"crimson": [0.9, 0.1, 0], "sea": [0, 0.2, 1], "of": [1, 1, 0]}


def vectors():
    return WordVectors(make_word_table(list(WORDS), np.array(list(WORDS.values()), float), "toy"))


@pytest.fixture(autouse=True)
def toy_words(monkeypatch):
    monkeypatch.setattr("engine.text_search.open_word_vectors", vectors)


@pytest.fixture
def plain(library):
    """Two pictures of each colour that nobody has tagged, in the library."""
    for number, (name, color) in enumerate(COLORS.items()):
        for i in range(2):
            write_picture(library / f"plain-{name}{i}.png", color, seed=900 + 10 * number + i)
    return library


@pytest.fixture
def built(workspace, plain, settings):
    workspace.build(plain, settings)
    return workspace


def ids(answer):
    return [found.image_id for found in answer.results]


def test_pictures_that_carry_a_tag_come_before_those_that_would_get_it(built):
    answer = built.search_text("red", k=30)
    assert answer.tags == {"red": "Red"}
    assert answer.learner == "knn"
    assert set(ids(answer)[:8]) == {f"red{i}.png" for i in range(8)}
    assert set(ids(answer)[8:10]) == {"plain-red0.png", "plain-red1.png"}
    assert [found.confirmed for found in answer.results[:10]] == 8 * [("red",)] + 2 * [()]
    assert answer.results[8].scores["red"] == 1
    assert len(answer.results) == 30
    assert answer.results[-1].scores["red"] == 0


def test_a_picture_is_scored_without_its_own_vote(built, library):
    (library / "green0.png.txt").write_text("Odd")
    built.build(library)
    answer = built.search_text("odd", k=1)
    assert ids(answer) == ["green0.png"]
    assert answer.results[0].scores["odd"] == 0


def test_a_word_that_nobody_has_tagged_with_is_found(built):
    answer = built.search_text("the crimson", k=10)
    assert (answer.tags, answer.unseen, answer.unknown) == ({}, ("crimson",), ())
    assert all("red" in image_id for image_id in ids(answer))
    # All votes are for Red and colour: cos(red + 0.58 colour, crimson), whatever the share.
    red, colour = np.array([1, 0, 0]), np.ones(3) / np.sqrt(3)
    direction, crimson = red + colour, np.array([0.9, 0.1, 0])
    cosine = direction @ crimson / np.linalg.norm(direction) / np.linalg.norm(crimson)
    assert answer.results[0].scores["crimson"] == pytest.approx(cosine, abs=1e-3)


def test_what_nothing_is_known_of_is_left_out_and_named(built):
    answer = built.search_text("red xyzzy", k=1)
    assert (answer.tags, answer.unknown) == ({"red": "Red"}, ("xyzzy",))
    with pytest.raises(InputError, match=r"nothing is known of 'xyzzy', 'plugh'; tags of"):
        built.search_text("xyzzy plugh")
    with pytest.raises(InputError, match="nothing is known of 'xyzzy'"):
        built.search_text("red", without=["xyzzy"])
    with pytest.raises(InputError, match="'of the' says nothing of what pictures show; words"):
        built.search_text("of the")
    with pytest.raises(InputError, match="0 pictures were asked for"):
        built.search_text("red", k=0)


def test_several_words_are_found_together(built):
    answer = built.search_text("colour of sea", k=10)
    assert answer.tags == {"colour": "colour"}
    assert answer.unseen == ("sea",)
    assert all("blue" in image_id for image_id in ids(answer)[:8])


def test_what_is_not_wanted_is_left_out_tagged_or_not(built):
    answer = built.search_text("colour", k=30, without=["Reds", "green"])
    assert answer.excluded == 20
    assert sorted(ids(answer)) == sorted(
        [f"blue{i}.png" for i in range(8)] + ["plain-blue0.png", "plain-blue1.png"]
    )


@pytest.mark.usefixtures("mixing")
@pytest.mark.parametrize("learner", ["fading", "means", "hybrid"])
def test_a_tag_that_nothing_speaks_for_leaves_no_picture_out(built, learner):
    """All four tags are among the five best of every picture."""
    built.train(learner, PARAMS if learner == "hybrid" else None)
    answer = built.search_text("colour", k=30, without=["green"], learner=learner)
    assert answer.learner == learner
    assert answer.excluded == 10
    assert not [image_id for image_id in ids(answer) if "green" in image_id]


@pytest.mark.usefixtures("stand_ins")
def test_a_picture_that_has_a_tag_with_one_in_four_is_left_out_of_those_without_it(built):
    # Green scores 1 on green pictures, 0.81 on blue ones and 0.73 to 0.74 on red ones; the
    # probabilities are the squares of 0.64 times that: 0.41, 0.27 and 0.22.
    built.train("certain", {"scale": 0.64})
    answer = built.search_text("colour", k=30, without=["green"], learner="certain")
    assert answer.excluded == 20
    assert sorted(ids(answer)) == sorted(
        [f"red{i}.png" for i in range(8)] + ["plain-red0.png", "plain-red1.png"]
    )


def test_a_picture_that_a_tag_was_taken_from_is_not_left_out_for_it(built, library):
    built.teach(library / "red3.png", remove=["Red"])
    # Its neighbours all give it the tag.
    (red3,) = [one for one in built.search_text("red", k=30).results if one.image_id == "red3.png"]
    assert red3.scores["red"] == 1
    answer = built.search_text("colour", k=30, without=["red"])
    assert answer.excluded == 9
    assert [image_id for image_id in ids(answer) if "red" in image_id] == ["red3.png"]


def test_of_a_tag_that_no_indexed_picture_carries_the_best_are_left_out(built, tmp_path):
    built.teach(write_picture(tmp_path / "new.png", COLORS["green"], seed=77), add=["Meadow"])
    answer = built.search_text("colour", k=30, without=["meadow"])
    assert 0 < answer.excluded <= 10
    assert {"red0.png", "blue0.png", "plain-red0.png"} < set(ids(answer))


def test_a_picture_and_words_find_what_is_like_both(built, tmp_path):
    new = write_picture(tmp_path / "new.png", COLORS["blue"], seed=77)
    answer = built.search_text("", k=10, like=new, without=["red"])
    assert all("blue" in image_id for image_id in ids(answer))
    assert answer.results[0].scores == {}
    both = built.search_text("green", k=30, like=new)
    assert both.query == f"{new} + green"
    far = {found.image_id: found.distance for found in both.results}
    alone = {found.image_id: found.distance for found in next(built.search([new], k=30)).results}
    assert far == pytest.approx(alone, abs=1e-6)
    assert far["blue0.png"] < far["green0.png"]
    assert {found.distance for found in built.search_text("green").results} == {None}
    with pytest.raises(InputError, match="no such file"):
        built.search_text("green", like=tmp_path / "gone.png")


@pytest.fixture
def lines(built):
    def run(*arguments):
        command = ["search", *map(str, arguments), "-k", "30", "-w", str(built.root)]
        return CliRunner().invoke(cli, command, catch_exceptions=False).stdout.splitlines()[1:]

    return run


def test_the_table_tells_distances_from_scores(built, library, lines, tmp_path):
    new = write_picture(tmp_path / "new.png", COLORS["blue"], seed=77)
    far = r"  distance \d\.\d{3}"
    assert all(re.fullmatch(far + r"  \S+.png  \(.*\)", line) for line in lines(new))
    both = lines(new, "--text", "blue")
    assert all(re.fullmatch(far + r"  blue \d\.\d{3}\*?  \S+.png  \(.*\)", line) for line in both)
    # A word of that name is a word.
    (library / "blue0.png.txt").write_text("Picture")
    built.build()
    (named,) = [line for line in lines(new, "--text", "picture") if "  blue0.png" in line]
    assert re.fullmatch(far + r"  picture     -\*  blue0.png  \(Picture\)", named)


@pytest.mark.usefixtures("stand_ins")
def test_a_fact_that_no_other_picture_speaks_for_has_no_score_in_the_table(built, library, lines):
    (library / "green0.png.txt").write_text("Odd")
    built.build()
    built.train("means")
    built.teach(library / "green1.png", add=["Even"])
    for text, learner, name, shown in (
        ("odd", "knn", "green0.png", "    -*"),
        ("even", "knn", "green1.png", "    -*"),
        # One that does not vote scores its own all the same, unless it was taught.
        ("odd", "means", "green0.png", "1.000*"),
        ("even", "means", "green1.png", "    -*"),
    ):
        first, *others = lines("--text", text, "--learner", learner)
        assert first.startswith(f"  {text} {shown}  {name}  (")
        assert not [line for line in others if " -" in line]
        # As engine tag has it.
        (answer,) = built.tag([library / name], learner=learner)
        (fact,) = [ranked for ranked in answer.tags if ranked.tag.casefold() == text]
        assert fact.is_scored == ("-" not in shown)
    command = ["search", "--text", "odd red", "--learner", "knn", "-w", str(built.root)]
    assert CliRunner().invoke(cli, command).stderr.splitlines() == [
        "odd: your tag 'Odd', scored by knn; * = people gave it, -* = and no other picture speaks "
        "for it",
        "red: your tag 'Red', scored by knn; * = people gave it",
    ]
    found = built.search_text("odd", k=1, learner="knn").results[0].to_json()
    assert found["scores"] == {"odd": 0.0}


def test_scores_are_kept_and_go_with_their_generation(built, library, monkeypatch):
    first = built.search_text("red", k=5)
    kept = list((built.root / "scores").glob("*/*/*.npy"))
    assert len({path.parents[1] for path in kept}) == 1

    def fails(*_):
        raise AssertionError("asked again")

    with monkeypatch.context() as patch:
        patch.setattr(IndexedPictures, "features", fails)
        assert built.search_text("red", k=5) == first
    write_picture(library / "one-more.png", COLORS["red"], seed=4321)
    built.build(library)
    answer = built.search_text("red", k=30)
    assert "one-more.png" in ids(answer)[8:11]
    assert len(list((built.root / "scores").iterdir())) == 1


def test_what_cannot_be_kept_is_made_again(built):
    (built.root / "scores").write_text("a file where the folder would be")
    assert built.search_text("red", k=1).tags == {"red": "Red"}


def test_corrections_are_heard(built, library):
    built.search_text("red", k=1)
    built.teach(library / "plain-blue0.png", add=["Red"])
    assert "plain-blue0.png" in ids(built.search_text("red", k=9))


def test_a_library_without_tags_cannot_be_searched_by_words_alone(workspace, tmp_path, settings):
    folder = tmp_path / "plain"
    folder.mkdir()
    write_picture(folder / "a.png", COLORS["red"], 1)
    workspace.build(folder, settings)
    with pytest.raises(InputError, match="this workspace can score tags alone"):
        workspace.search_text("red")


def test_the_command(built, tmp_path):
    run = CliRunner().invoke
    result = run(cli, ["search", "--text", "reds xyzzy crimson", "-k", "2", "-w", str(built.root)])
    parts = ["--text", "reds xyzzy", "--text", "crimson"]
    assert run(cli, ["search", *parts, "-k", "2", "-w", str(built.root)]).stdout == result.stdout
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "reds xyzzy crimson"
    assert lines[1].startswith("  reds 1.000*  crimson 0.")
    assert lines[1].endswith("(Red, colour)")
    assert result.stderr.splitlines() == [
        "reds: your tag 'Red', scored by knn; * = people gave it",
        "crimson: nobody has tagged with it; scored by what network and word vectors know of it",
        "xyzzy: nothing is known of it, left out",
    ]
    found = json.loads(
        run(cli, ["search", "--text", "red", "--json", "-w", str(built.root)]).stdout
    )
    assert set(found) == {
        *("query", "tags", "unseen", "unknown", "cancelled", "excluded", "learner", "results"),
    }
    new = write_picture(tmp_path / "new.png", COLORS["blue"], seed=77)
    arguments = ["search", str(new), str(tmp_path / "gone.png"), "--not", "red"]
    result = run(cli, [*arguments, "-w", str(built.root)])
    assert result.exit_code == 1
    assert "10 pictures left out by --not" in result.stderr
    assert "gone.png\n  not searched: no such file" in result.stdout
    result = run(cli, ["search", "-w", str(built.root)])
    assert result.exit_code == 2


@pytest.mark.parametrize(
    ("text", "without", "cancelled"),
    [
        ("reds", ["Red"], ("reds",)),
        ("red blue", ["green", "blue"], ("blue",)),
        ("crimson", ["CRIMSON"], ("crimson",)),
        ("crimson", ["red"], ()),
        ("red", ["sea"], ()),
    ],
)
def test_words_that_are_wanted_and_not_wanted_are_named(built, text, without, cancelled):
    assert built.search_text(text, without=without).cancelled == cancelled
    arguments = ["search", "--text", text, "-w", str(built.root)]
    arguments += [part for word in without for part in ("--not", word)]
    lines = CliRunner().invoke(cli, arguments).stderr.splitlines()
    says = "asked for and left out by --not at once, the two cancel out: what is left is not of it"
    assert [line for line in lines if "cancel" in line] == [f"{w}: {says}" for w in cancelled]


def test_terms_are_cut_at_the_longest_tags():
    names = TagNames(["york", "New York", "Palm tree", "of"])
    cut = [(term.text, term.column) for term in terms_of("Palm trees of new york at NIGHT", names)]
    assert cut == [("Palm trees", 2), ("of", 3), ("new york", 1), ("NIGHT", None)]
    assert [term.text for term in terms_of("night and night", names)] == ["night"]
    assert terms_of("  ", names) == []


def test_classes_say_words_outright():
    scoring = UnseenWords(vectors())
    classes = np.zeros((2, 1000), np.float32)
    classes[0, 281], classes[1, 407] = 0.9, 0.9  # tabby cat, ambulance
    general = load_general_words()
    expected = general.probabilities(classes)[:, general.words.index("cat")]
    np.testing.assert_allclose(scoring.outright(["Cats", "xyzzy"], classes)[:, 0], expected)
    assert (scoring.outright(["Cats", "xyzzy"], classes)[:, 1] == 0).all()
    assert scoring.is_known("people")
    assert not scoring.is_known("xyzzy")


def test_directions_are_mixtures_of_classes_and_tags():
    scoring = UnseenWords(vectors())
    shares = np.array([[1.0, 0.0], [0.5, 0.5]])
    found = scoring.directions(None, ["red", "blue"], shares)
    np.testing.assert_allclose(found, 0.25 * shares @ np.array([[1, 0, 0], [0, 0, 1]]))


class Tower:
    """Puts a text where the toy extractor puts the colour that it names."""

    def embed(self, texts):
        vectors = np.zeros((len(texts), 51), np.float32)
        for row, text in enumerate(texts):
            gems = {"ruby": "red", "emerald": "green", "sapphire": "blue"}
            (color,) = [color for gem, color in gems.items() if gem in text]
            vectors[row] = np.tile(COLORS[color], 17)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_an_image_text_model_scores_words_itself(built, library, monkeypatch):
    for module in ("engine.text_search", "engine.word_tagging"):
        monkeypatch.setattr(f"{module}.has_text_side", lambda name: True)
    monkeypatch.setattr("engine.tower_words.open_text_tower", lambda extractor: Tower())
    answer = built.search_text("sapphire", k=10)
    assert (answer.unseen, answer.unknown) == (("sapphire",), ())
    assert all("blue" in image_id for image_id in ids(answer))
    (scored,) = built.score_words([library / "green0.png"], ["ruby", "emerald", "sapphire"])
    assert scored.tags[0].tag == "emerald"
    tagger = Tagger(GenerationFolders(built.root), opens_network=False)
    places = {entry.record.image_id: i for i, entry in enumerate(IndexedPictures(tagger).entries)}
    features = np.concatenate(list(IndexedPictures(tagger).features()))
    feature = features[places["blue0.png"]]
    text = np.tile(COLORS["blue"], 17)
    cosine = feature @ text / np.linalg.norm(feature) / np.linalg.norm(text)
    found = {one.image_id: one.scores["sapphire"] for one in answer.results}
    assert found["blue0.png"] == pytest.approx(cosine, abs=1e-4)
