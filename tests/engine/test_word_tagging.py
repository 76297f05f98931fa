"""Any words scored for pictures, and near words that tags bring: with a workspace and without."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from engine.cli import cli
from engine.general import load_general_words
from engine.unseen_words import UnseenWords
from engine.word_tagging import ExpansionRule, WordTagger
from indexing.errors import InputError
from indexing.extractors.classifier import Classifier
from indexing.words.table import make_word_table
from learners.words import ClassWords, WordVectors
from learners.words.expansion import Chance
from tests.engine.conftest import COLORS, write_picture
from tests.engine.general_network import N_CLASSES, ToyClassifier

TABBY, AMBULANCE, MILITARY_UNIFORM = 281, 407, 652
WORDS = {"cat": [1, 0, 0], "truck": [0, 1, 0], "cloth": [0, 0, 1], "kitten": [0.9, 0.1, 0.1]}
WORDS |= {"lorry": [0.1, 0.9, 0], "fur": [0.8, 0, 0.3], "red": [0.5, 0.4, 0.4]}
WORDS |= {"dark": [-1, -1, -1], "dim": [-1, -1, -0.9], "tabby": [1, 0, 0.1], "ambulance": [0, 1, 0]}
WORDS |= {"uniform": [0, 0.1, 1]}


def vectors(_source=None):
    return WordVectors(make_word_table(list(WORDS), np.array(list(WORDS.values()), float), "toy"))


@pytest.fixture
def network(monkeypatch):
    """A network that sees a cat in red, an ambulance in green, cloth in blue."""
    toy = ToyClassifier((TABBY, AMBULANCE, MILITARY_UNIFORM))
    layer = np.zeros((N_CLASSES, 3), np.float32)
    layer[list(toy.seen)] = 0.05 * np.eye(3)
    biases = np.full(N_CLASSES, -30, np.float32)
    biases[list(toy.seen)] = 0
    for module in ("engine.word_tagging", "engine.general.tagging"):
        monkeypatch.setattr(f"{module}.open_extractor", lambda name, device: toy)
    monkeypatch.setattr(
        "engine.word_tagging.open_classifier", lambda extractor: Classifier(layer, biases)
    )
    monkeypatch.setattr("learners.words.open_word_vectors", vectors)
    return toy


@pytest.fixture
def picture(tmp_path):
    """A picture of one colour, darker below, so no texture."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:] = (250, 5, 5)
    pixels[20:] //= 2
    Image.fromarray(pixels).save(tmp_path / "new.png")
    return tmp_path / "new.png"


def test_words_are_scored_by_where_they_lie_and_by_what_the_classes_say(network, picture):
    tagger = WordTagger(vectors())
    (answer,) = tagger.tag([picture], ["cloth", "Kittens", "cats", "cats", "qqqq"])
    assert answer.learner == "words"
    assert [ranked.tag for ranked in answer.tags] == ["cats", "Kittens", "cloth"]
    feature = network.extract(np.asarray(Image.open(picture).resize((96, 96)))[None])[0]
    shares = np.exp(0.05 * feature.astype(float))
    shares /= shares.sum()
    names = ClassWords.of([["tabby"], ["ambulance"], ["uniform"]], vectors()).vectors
    direction = shares @ names
    kitten = np.array(WORDS["kitten"])
    cosine = direction @ kitten / np.linalg.norm(direction) / np.linalg.norm(kitten)
    assert answer.tags[1].score == pytest.approx(cosine, abs=0.02)
    # A cat is a general word, and nearly sure: that comes on top of its cosine.
    assert answer.tags[0].score > 1.8
    (best,) = tagger.tag([picture], ["cloth", "kitten"], top=1)
    assert [ranked.tag for ranked in best.tags] == ["kitten"]


def test_what_nothing_is_known_of_is_named(network):
    tagger = WordTagger(vectors())
    assert tagger.missing(["kitten", "qqqq", "violin"]) == ("qqqq",)  # a violin is a general word
    assert "violin" in load_general_words().words
    with pytest.raises(
        InputError, match=r"nothing is known of 'qqqq', 'zzzz'; words that toy hold"
    ):
        next(tagger.tag(["a.png"], ["qqqq", "zzzz"]))


def test_the_command_without_a_workspace(network, picture, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke
    result = run(cli, ["tag", str(picture), "gone.png", "--words", "kitten, qqqq,lorry"])
    assert result.exit_code == 1
    assert "qqqq: nothing is known of it in toy, left out" in result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == f"{picture}  (words)"
    assert [line.split()[0] for line in lines[1:3]] == ["kitten", "lorry"]
    assert lines[-1] == "  not tagged: no such file"
    again = run(cli, ["tag", str(picture), "--words", "kitten", "--words", "lorry"])
    assert again.stdout.splitlines() == lines[:3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--words", "a", "--expand"], "--words and --expand were given"),
        (["--words", "a", "--threshold", "0"], "--words and --threshold were given"),
        (["--words", "a", "--hierarchy"], "--words and --hierarchy were given"),
        (["--words", "a", "--explain"], "--words and --explain were given"),
        (["--words", " ,"], "Invalid value for '--words': ' ,' names none; words with commas"),
        (["--unchecked"], "--unchecked was given without --expand"),
    ],
)
def test_what_does_not_go_together_is_refused(
    network, picture, tmp_path, monkeypatch, options, message
):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["tag", str(picture), *options])
    assert result.exit_code == 2
    assert f"Error: {message}" in result.stderr


def test_near_words_are_added_if_the_picture_supports_them(network, picture, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def tags(*options):
        result = CliRunner().invoke(cli, ["tag", str(picture), "--json", *options])
        return json.loads(result.stdout)["tags"]

    plain, paper = tags(), tags("--expand", "--unchecked")
    assert paper[: len(plain)] == plain
    brought = paper[len(plain) :]
    assert {tag["relation"] for tag in brought} == {"near"}
    of_cat = [tag for tag in brought if tag["brought_by"] == "cat"]
    assert [tag["tag"] for tag in of_cat] == ["tabby", "kitten"]
    checked = tags("--expand")
    assert {tag["tag"] for tag in checked[len(plain) :]} <= {tag["tag"] for tag in brought}


def test_the_check_leaves_out_what_a_picture_does_not_show(network, picture):
    tagger = WordTagger(vectors())
    # Chance is read from a thousand classes, of which these dozen words name a few.
    vars(tagger)["_chance"] = Chance(0.5)
    (answer,) = tagger.tag([picture], ["cat", "dark"])
    (paper,) = tagger.expanded(iter([answer]), [picture], ExpansionRule.PAPER)
    (checked,) = tagger.expanded(iter([answer]), [picture], ExpansionRule.CHECKED)
    assert {ranked.tag for ranked in paper.tags} >= {"tabby", "kitten", "dim"}
    assert "dim" not in {ranked.tag for ranked in checked.tags}
    assert "tabby" in {ranked.tag for ranked in checked.tags}


def test_a_network_without_classes_says_so(built, library):
    run = CliRunner().invoke
    picture = str(library / "red0.png")
    result = run(cli, ["tag", picture, "--words", "kitten", "-w", str(built.root)])
    assert str(result.exception).startswith("the network toy tells no classes of ImageNet")


def test_a_tag_of_the_workspace_is_as_likely_as_its_learner_says(built, tmp_path, monkeypatch):
    layer = Classifier(np.zeros((N_CLASSES, 51), np.float32), np.zeros(N_CLASSES, np.float32))
    monkeypatch.setattr("engine.word_tagging.open_classifier", lambda extractor: layer)
    monkeypatch.setattr("learners.words.open_word_vectors", vectors)
    new = write_picture(tmp_path / "new.png", COLORS["red"], seed=5)
    asked = ["reds", "kitten", "cloth"]
    (answer,) = built.score_words([new], asked)
    scores = {ranked.tag: ranked.score for ranked in answer.tags}
    assert answer.tags[0].tag == "reds"
    # All neighbours carry Red: a share of 1 on top of the cosine, and nothing elsewhere.
    classes = np.full((1, N_CLASSES), 1 / N_CLASSES, np.float32)
    scoring = UnseenWords(vectors())
    votes = {tag.tag: tag.score for tag in built.tag_one(new).tags}
    tags = ["Blue", "Green", "Red", "colour"]
    shares = np.array([[votes.get(tag, 0.0) for tag in tags]], np.float32)
    assert shares[0, 2] == 1
    directions = scoring.directions(classes, tags, shares)
    plain = scoring.scores(asked, directions, classes)[0]
    np.testing.assert_allclose(
        [scores[word] for word in asked], plain + np.array([1, 0, 0]), atol=1e-5
    )


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize("learner", ["knn", "certain", "means"])
def test_a_learner_that_is_named_and_says_nothing_of_words_is_told(
    built, library, monkeypatch, learner
):
    layer = Classifier(np.zeros((N_CLASSES, 51), np.float32), np.zeros(N_CLASSES, np.float32))
    monkeypatch.setattr("engine.word_tagging.open_classifier", lambda extractor: layer)
    monkeypatch.setattr("learners.words.open_word_vectors", vectors)
    for name in ("certain", "means"):
        built.train(name)
    ask = ["tag", str(library / "red0.png"), "--words", "red", "-w", str(built.root)]
    told = CliRunner().invoke(cli, [*ask, "--learner", learner])
    assert told.exit_code == 0, told.exception
    says = (
        "means is not heard with --words: it knows no probabilities, as a calibrated learner does, "
        "such as hybrid, and knn\n"
    )
    assert told.stderr == says * (learner == "means")
    assert CliRunner().invoke(cli, ask).stderr == ""


@pytest.mark.parametrize("options", [(), ("--unchecked",)])
def test_near_words_where_nothing_is_tagged_are_refused_for_want_of_tags(
    workspace, tmp_path, settings, monkeypatch, options
):
    layer = Classifier(np.ones((N_CLASSES, 51), np.float32), np.zeros(N_CLASSES, np.float32))
    for module in ("engine.word_tagging", "indexing.extractors.classifier"):
        monkeypatch.setattr(f"{module}.open_classifier", lambda extractor: layer)
    monkeypatch.setattr("learners.words.open_word_vectors", vectors)
    folder = tmp_path / "untagged"
    folder.mkdir()
    image = write_picture(folder / "a.png", COLORS["red"], 1)
    workspace.build(folder, settings)
    arguments = ["tag", str(image), "--expand", *options, "-w", str(workspace.root)]
    result = CliRunner().invoke(cli, arguments)
    assert str(result.exception).startswith(
        "none of the 1 indexed pictures has a tag to vote with; tags come from sidecars"
    )
