"""WordNet's files: a dozen nouns whose answers are known, and the real ones where they are."""

import re
import shutil

import pytest

from indexing.errors import ArtifactError
from indexing.words import WordNet, open_wordnet
from tests.indexing.wordnet_files import SYNSETS, write_wordnet


@pytest.fixture
def wordnet(tmp_path):
    return WordNet(write_wordnet(tmp_path))


def glosses(senses):
    return [sense.synset.gloss for sense in senses]


def test_senses_come_in_the_order_of_their_frequency(wordnet):
    assert glosses(wordnet.senses("tiger")) == [
        "a fierce or audacious person",
        "a large striped feline of forests",
    ]
    assert [sense.n_tagged for sense in wordnet.senses("tiger")] == [1, 1]
    assert [sense.n_tagged for sense in wordnet.senses("lion")] == [0]


@pytest.mark.parametrize(
    ("word", "gloss"),
    [
        ("Cats", "a feline with thick fur"),
        ("TIGER", "a fierce or audacious person"),
        ("sea lions", "an eared seal"),
        (" sea  lion ", "an eared seal"),
        ("leaves", "it is green"),
        ("true cat", "a feline with thick fur"),
    ],
)
def test_a_word_is_found_in_any_form(wordnet, word, gloss):
    assert glosses(wordnet.senses(word))[0] == gloss


@pytest.mark.parametrize("word", ["zebra", "", "ca", "tigers of bengal", "entit", "zz"])
def test_a_word_that_is_not_there_has_no_sense(wordnet, word):
    assert wordnet.senses(word) == ()


def test_every_word_is_found(wordnet):
    for _, words, _, gloss in SYNSETS.values():
        for word in words:
            assert gloss in glosses(wordnet.senses(word.replace("_", " "))), word


def test_a_synset_is_read_whole(wordnet):
    tiger = wordnet.senses("panthera tigris")[0].synset
    assert tiger.words == ("tiger", "Panthera tigris")
    assert tiger.domain == 5
    assert [wordnet.synset(above).words[0] for above in tiger.hypernyms] == ["feline"]
    assert wordnet.synset(tiger.offset) == tiger


def test_ancestors_are_told_with_their_distance(wordnet):
    tabby = wordnet.senses("tabby")[0].synset.offset
    above = {wordnet.synset(offset).words[0]: n for offset, n in wordnet.ancestors(tabby).items()}
    assert above == {"tabby": 0, "cat": 1, "feline": 2, "animal": 3, "entity": 4}
    assert next(iter(wordnet.ancestors(tabby))) == tabby


@pytest.mark.parametrize("offset", [0, 5, -1, 10**9])
def test_an_offset_where_nothing_begins_is_refused(wordnet, offset):
    with pytest.raises(ArtifactError, match=re.escape(f"no synset begins at {offset} in ")):
        wordnet.synset(offset)


def test_a_folder_that_lacks_a_file_is_refused(tmp_path):
    write_wordnet(tmp_path)
    (tmp_path / "cntlist.rev").unlink()
    with pytest.raises(ArtifactError, match=r"cntlist\.rev cannot be read .*--wordnet DIR"):
        WordNet(tmp_path)


def test_the_folder_is_named_by_wordnets_own_variable(tmp_path, monkeypatch):
    write_wordnet(tmp_path)
    monkeypatch.setenv("WNSEARCHDIR", str(tmp_path))
    assert open_wordnet().folder == tmp_path


def test_where_none_is_installed_people_are_told_how_to(tmp_path, monkeypatch):
    monkeypatch.delenv("WNSEARCHDIR", raising=False)
    monkeypatch.setattr("indexing.words.wordnet.WORDNET_FOLDERS", (tmp_path / "none",))
    with pytest.raises(ArtifactError, match=r"WordNet is not installed .*apt-get install wordnet"):
        open_wordnet()
    shutil.copytree(write_wordnet(tmp_path), tmp_path / "none", dirs_exist_ok=True)
    assert open_wordnet().folder == tmp_path / "none"


def test_the_installed_wordnet_is_read():
    try:
        wordnet = open_wordnet()
    except ArtifactError:
        pytest.skip("WordNet is not installed here")
    tiger = wordnet.synset(2129604)  # ImageNet's n02129604
    assert tiger.words == ("tiger", "Panthera tigris")
    words = [wordnet.synset(offset).words[0] for offset in wordnet.ancestors(tiger.offset)]
    assert words[:3] == ["tiger", "big cat", "feline"]
    assert words[-1] == "entity"
    assert wordnet.senses("geese")[0].synset.words[0] == "goose"
