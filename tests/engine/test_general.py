"""General words, where nothing was built: what they are, and the first minute with the project."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from engine.cli import cli
from engine.emission import Emission
from engine.general import GENERAL, GeneralTagger, load_general_words
from engine.general.deriving import derive
from engine.general.texture import looks_the_same_everywhere, unevenness
from engine.general.vocabulary import WORDS_FILE, GeneralWords
from indexing.words import open_wordnet
from tests.engine.conftest import COLORS, write_picture
from tests.engine.general_network import N_CLASSES, ToyClassifier
from tests.indexing.wordnet_files import write_wordnet

TABBY, AMBULANCE, MILITARY_UNIFORM = 281, 407, 652


@pytest.fixture
def network(monkeypatch):
    """The default network is one that sees a cat in red, an ambulance in green, cloth in blue."""
    toy = ToyClassifier((TABBY, AMBULANCE, MILITARY_UNIFORM))
    monkeypatch.setattr("engine.general.tagging.open_extractor", lambda name, device: toy)
    return toy


@pytest.fixture
def engine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        return CliRunner().invoke(cli, [str(argument) for argument in arguments])

    return run


def picture(tmp_path, color, name="new.png"):
    """Write a picture that is of one colour above and darker below, so no texture."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:] = color
    pixels[20:] = np.array(color) // 2
    Image.fromarray(pixels).save(tmp_path / name)
    return tmp_path / name


def test_a_fresh_install_answers_and_says_what_comes_next(engine, network, tmp_path):
    result = engine("tag", picture(tmp_path, (250, 5, 5)))
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0].endswith("new.png  (general)")
    assert result.stdout.split()[2] == "cat"
    assert "engine build PICTURES" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / ".engine").exists()


def test_who_wears_something_is_there(network, tmp_path):
    (answer,) = GeneralTagger().tag([picture(tmp_path, (5, 5, 250))])
    assert answer.learner == GENERAL
    assert [ranked.tag for ranked in answer.tags][:2] == ["uniform", "person"]


def test_an_answer_says_as_much_as_is_asked_for(engine, network, tmp_path):
    path = picture(tmp_path, (250, 5, 5))
    few = json.loads(engine("tag", path, "--json").stdout)
    many = json.loads(engine("tag", path, "--json", "--top", 9).stdout)
    assert len(few["tags"]) <= 5 < len(many["tags"]) == 9
    assert [tag["score"] for tag in many["tags"]] == sorted(
        (tag["score"] for tag in many["tags"]), reverse=True
    )
    (answer,) = GeneralTagger().tag([path], Emission(threshold=2.0))
    assert answer.tags
    assert min(ranked.score for ranked in answer.tags) >= 2.0
    assert len(answer.tags) == sum(tag["score"] >= 2.0 for tag in many["tags"])


def test_an_unreadable_picture_stops_no_other(engine, network, tmp_path):
    result = engine("tag", tmp_path / "gone.png", picture(tmp_path, (250, 5, 5)))
    assert result.exit_code == 1
    assert "not tagged: no such file" in result.stdout
    assert "cat" in result.stdout


@pytest.mark.parametrize(
    "option",
    [["--learner", "knn"], ["--min-voters", "2"], ["--given", "sea"], ["--explain"]],
    ids=lambda o: o[0],
)
def test_what_only_tagged_pictures_can_answer_is_refused(engine, network, tmp_path, option):
    result = engine("tag", picture(tmp_path, (250, 5, 5)), *option)
    assert result.stdout == ""
    assert str(result.exception).startswith(f"{option[0]} was given and no workspace is here")


def test_where_a_build_was_not_finished_general_words_answer(engine, network, tmp_path):
    (tmp_path / ".engine" / "store").mkdir(parents=True)
    image = picture(tmp_path, (250, 5, 5))
    result = engine("tag", image)
    assert result.exit_code == 0
    assert result.stdout.split()[2] == "cat"
    assert result.stderr.startswith(
        f"{tmp_path / '.engine'} holds no finished build: general words answer, "
    )
    refused = engine("tag", image, "--explain")
    assert str(refused.exception).startswith(
        f"--explain was given and {tmp_path / '.engine'} holds no finished build; it is accepted "
    )
    # One that is named is meant.
    named = engine("tag", image, "-w", ".engine")
    assert ".engine holds no finished build; an indexed corpus" in str(named.exception)


def test_a_workspace_that_is_named_and_not_there_is_a_fault(engine, network, tmp_path):
    result = engine("tag", picture(tmp_path, (250, 5, 5)), "-w", "gone")
    assert "gone does not exist" in str(result.exception)


def test_probabilities_are_those_of_the_classes_added_up():
    words = GeneralWords(
        words=("cat", "animal", "person"),
        classes=(np.array([1]), np.array([0, 1, 2]), np.array([5, 6])),
        weights=np.ones(3, np.float32),
        person="person",
    )
    of_classes = np.zeros((2, 100), np.float32)
    of_classes[0, [0, 1, 5]] = 0.2, 0.3, 0.04
    of_classes[1, 40:90] = 0.01  # fifty classes as likely as each other
    of_classes[1, [1, 6]] = 0.001, 0.5
    found = words.probabilities(of_classes)
    np.testing.assert_allclose(found[0], [0.3, 0.5, 0.5], rtol=1e-5)
    # The second picture's class 1 is not among its 40 most probable ones.
    np.testing.assert_allclose(found[1], [0, 0, 0.25 / (0.25 + 0.0016)], rtol=1e-5)


def test_the_vocabulary_that_comes_with_the_project_is_sound():
    words = load_general_words()
    assert len(set(words.words)) == len(words.words) > 1000
    assert {"dog", "cat", "boat", "beach", "flower", "person"} <= set(words.words)
    assert not {"artifact", "instrumentality", "n02099601", "whole"} & set(words.words)
    assert words.words[-1] == words.person == "person"
    assert all(places.min() >= 0 and places.max() < N_CLASSES for places in words.classes)
    assert len(np.unique(np.concatenate(words.classes))) == N_CLASSES  # every class says something
    assert (words.weights > 0).all()
    by_word = dict(zip(words.words, words.weights, strict=True))
    assert by_word["dog"] > by_word["animal"] >= by_word["golden retriever"]


def test_words_are_derived_by_the_rule(tmp_path):
    wordnet = open_wordnet(write_wordnet(tmp_path))
    by_name = {
        name: wordnet.senses(name)[0].synset.offset for name in ("tabby", "sea lion", "helmet")
    }
    ranks = {"animal": 100, "feline": 90_000, "cat": 300, "helmet": 3000, "tabby": 40_000}
    ranks |= {"lion": 200, "clothing": 1500, "person": 10, "seal": 30_000}
    names = ["Tabby cat", "sea lion", "helmet"]
    content = derive(wordnet, list(by_name.values()), names, lambda word: ranks.get(word, -1))
    said = {word: entry["classes"] for word, entry in content["words"].items()}
    # "feline" is rare, "lion" is no word for what a sea lion is, "entity" no tag.
    assert said == {
        "tabby cat": [0],
        "cat": [0],
        "animal": [0, 1],
        "sea lion": [1],
        "helmet": [2],
        "clothing": [2],
    }
    assert content["worn"]["classes"] == [2]
    weights = {word: entry["weight"] for word, entry in content["words"].items()}
    # -log2(2/3) - 1.5 log2(1.1) = 0.585 - 0.206; -log2(1/3) - 1.5 log2(1.3) = 1.585 - 0.568
    assert (weights["animal"], weights["cat"]) == (0.38, 1.02)
    assert weights["tabby cat"] == 0.1


def test_the_vocabulary_is_what_the_installed_wordnet_gives(tmp_path, monkeypatch):
    from engine.general import deriving
    from indexing.errors import ArtifactError

    try:
        open_wordnet()
    except ArtifactError:
        pytest.skip("WordNet is not installed here")
    monkeypatch.setattr(deriving, "WORDS_FILE", tmp_path / "words.json")
    deriving.main()
    made = json.loads((tmp_path / "words.json").read_text(encoding="utf-8"))
    assert made == json.loads(WORDS_FILE.read_text(encoding="utf-8"))


def noise(seed=0, size=96):
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3)).astype(np.uint8)


def test_noise_is_a_texture_and_a_gradient_is_none():
    assert looks_the_same_everywhere(noise())
    slope = (np.linspace(0, 1, 96)[:, None, None] * noise()).astype(np.uint8)
    assert not looks_the_same_everywhere(slope)
    half = noise()
    half[:, :48] = 128  # as bright, and plain
    assert not looks_the_same_everywhere(half)


def test_a_plain_picture_is_no_texture():
    assert unevenness(np.full((96, 96, 3), 200, np.uint8)) == (np.inf, np.inf)


def test_unevenness_is_what_it_says():
    pixels = noise(1)
    gray = pixels.astype(float) @ [0.299, 0.587, 0.114]
    half = np.array(
        [[gray[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].mean() for x in range(48)] for y in range(48)]
    )
    cells = [half[8 * y : 8 * y + 8, 8 * x : 8 * x + 8] for y in range(6) for x in range(6)]
    means, deviations = [c.mean() for c in cells], [c.std() for c in cells]
    expected = np.std(means) / half.std(), np.std(deviations) / np.mean(deviations)
    np.testing.assert_allclose(unevenness(pixels), expected, rtol=1e-4)


def test_a_texture_is_called_one(network, tmp_path):
    path = write_picture(tmp_path / "red.png", COLORS["red"], seed=1)
    Image.fromarray(noise(2, 200)).save(path)
    (answer,) = GeneralTagger().tag([path])
    assert answer.tags[0].tag == "texture"
