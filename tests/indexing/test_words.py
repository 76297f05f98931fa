"""Word vectors: files of every format, what is kept of them, and look-up by value."""

import gzip
import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gensim.models import FastText, KeyedVectors
from gensim.models.fasttext import save_facebook_model

import indexing.words.opening
from indexing.errors import ArtifactError, InputError
from indexing.words import DEFAULT_SOURCE, open_word_table
from indexing.words.table import load_word_table, make_word_table, save_word_table
from indexing.words.vector_files import glove_package_files, read_vector_file

WORDS = ["the", "tiger", "zürich", "new_york", "a", "the_end"]
VECTORS = np.round(np.random.default_rng(0).normal(size=(len(WORDS), 5)), 3).astype(np.float32)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ENGINE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write(path: Path, kind: str) -> Path:
    lines = [
        " ".join([word, *(f"{value:.3f}" for value in vector)])
        for word, vector in zip(WORDS, VECTORS, strict=True)
    ]
    text = "\n".join(lines) + "\n"
    header = f"{len(WORDS)} 5\n"
    if kind == "glove":
        path.write_text(text, encoding="utf-8")
    elif kind == "glove.gz":
        path.write_bytes(gzip.compress(text.encode()))
    elif kind == "word2vec text":
        path.write_text(header + text, encoding="utf-8")
    else:
        body = b"".join(
            word.encode() + b" " + vector.tobytes()
            for word, vector in zip(WORDS, VECTORS, strict=True)
        )
        path.write_bytes(header.encode() + body)
    return path


@pytest.mark.parametrize("kind", ["glove", "glove.gz", "word2vec text", "word2vec binary"])
def test_formats_are_known_by_content_and_read_by_value(kind: str, tmp_path: Path) -> None:
    path = tmp_path / ("vectors.gz" if kind.endswith("gz") else "vectors")
    table = open_word_table(write(path, kind))
    assert [table.word(row) for row in range(table.n_words)] == WORDS
    assert [table.find(word) for word in WORDS] == list(range(len(WORDS)))
    assert table.vectors.dtype == np.float16
    np.testing.assert_allclose(table.rows(range(len(WORDS))), VECTORS, rtol=1e-3)


@pytest.mark.parametrize("is_packed", [False, True])
def test_words_with_spaces_in_a_glove_file_are_joined(is_packed: bool, tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    text = b"the 1 2 3\n. . . 4 5 6\nat name@domain.com 7 8 9\n"
    path.write_bytes(gzip.compress(text) if is_packed else text)
    words, vectors = read_vector_file(path)
    assert words == ["the", "._._.", "at_name@domain.com"]
    np.testing.assert_array_equal(vectors, np.arange(1, 10).reshape(3, 3))


def test_a_fasttext_model_is_read(tmp_path: Path) -> None:
    sentences = [["tiger", "jungle", "grass"], ["sky", "jet", "plane"]] * 5
    model = FastText(sentences, vector_size=6, min_count=1, epochs=1, bucket=50, seed=1, workers=1)
    path = tmp_path / "model.bin"
    save_facebook_model(model, str(path))
    words, vectors = read_vector_file(path)
    assert sorted(words) == sorted({word for line in sentences for word in line})
    for word, vector in zip(words, vectors, strict=True):
        np.testing.assert_allclose(vector, model.wv[word], atol=1e-6)


def test_a_file_is_read_once_and_again_when_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "vectors", "glove")
    reads = []

    def counted(file: Path) -> tuple[list[str], np.ndarray]:
        reads.append(file)
        return read_vector_file(file)

    monkeypatch.setattr(indexing.words.opening, "read_vector_file", counted)
    first, second = open_word_table(path), open_word_table(path)
    assert len(reads) == 1
    assert isinstance(second.vectors, np.memmap)
    np.testing.assert_array_equal(first.vectors, second.vectors)
    path.write_text("lion 1 2 3\n")
    assert open_word_table(path).find("lion") == 0
    assert len(reads) == 2


def test_what_is_kept_opens_without_gensim(tmp_path: Path) -> None:
    path = write(tmp_path / "vectors", "glove")
    open_word_table(path)
    program = (
        "import sys; from indexing.words import open_word_table; "
        f"print(open_word_table({str(path)!r}).find('tiger'), "
        "*[m for m in ('gensim', 'scipy', 'pyarrow', 'torch') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1"]


def test_a_damaged_cache_is_read_again(tmp_path: Path, cache: Path) -> None:
    path = write(tmp_path / "vectors", "glove")
    open_word_table(path)
    [folder] = (cache / "words").iterdir()
    (folder / "vectors.npy").write_bytes(b"half of it")
    assert open_word_table(path).find("tiger") == 1
    assert load_word_table(folder).find("tiger") == 1


def test_a_cache_that_cannot_be_written_is_done_without(
    tmp_path: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "vectors", "glove")
    cache.write_text("a file where a folder should be")
    assert open_word_table(path).find("tiger") == 1
    assert "is not kept" in caplog.text


def test_a_folder_opens_as_it_was_saved_and_a_foreign_one_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    table = make_word_table(WORDS, VECTORS, "here")
    save_word_table(table, folder)
    opened = open_word_table(folder)
    assert opened.source == "here"
    np.testing.assert_array_equal(opened.vectors, table.vectors)
    manifest = json.loads((folder / "words.json").read_text())
    for key, value in ("format", "other"), ("version", 99), ("n_dims", 4):
        (folder / "words.json").write_text(json.dumps({**manifest, key: value}))
        with pytest.raises(ArtifactError, match="accepted"):
            open_word_table(folder)


def test_values_too_large_for_half_precision_keep_single() -> None:
    table = make_word_table(["a"], np.array([[1e6, 1]]), "here")
    assert table.vectors.dtype == np.float32
    assert table.rows([0])[0, 0] == 1e6


@pytest.mark.parametrize("is_mapped", [False, True])
def test_chunks_are_the_rows(
    is_mapped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexing.words.table._CHUNK_VALUES", 10)
    # As numpy writes it, a transposed array lies in Fortran order.
    table = make_word_table(WORDS, np.asfortranarray(VECTORS), "here")
    if is_mapped:
        save_word_table(table, tmp_path)
        table = load_word_table(tmp_path)
    parts = list(table.chunks(5))
    assert [start for start, _ in parts] == [0, 2, 4]
    np.testing.assert_array_equal(np.vstack([part for _, part in parts]), table.rows(range(5)))


def test_unusable_vectors_are_refused(tmp_path: Path) -> None:
    for words, vectors, found in (
        (["a", "b", "a"], np.ones((3, 2)), "'a' occurs twice"),
        (["a"], np.ones((2, 2)), "one vector a word"),
        (["a"], np.array([[np.nan]]), "not finite"),
        ([], np.ones((0, 2)), "one word at least"),
    ):
        with pytest.raises(InputError, match=found):
            make_word_table(words, vectors, "here")
    path = tmp_path / "vectors"
    for content in (b"", b"\x80\x04pickle", b"some text\nof no vectors\n", b"<html>\n"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="holds no word vectors; GloVe text"):
            open_word_table(path)
    path.write_bytes(b"3 2\na 1 2\n")
    with pytest.raises(InputError, match="looks like word2vec text and cannot be read"):
        open_word_table(path)
    with pytest.raises(ArtifactError, match="cannot be read"):
        open_word_table(tmp_path / "nothing")


def test_the_default_is_glove_as_its_package_gives_it(cache: Path) -> None:
    table = open_word_table()
    vectors_file, _ = glove_package_files()
    assert (table.source, table.n_words, table.n_dims) == (DEFAULT_SOURCE, 400_000, 50)
    whole = np.load(vectors_file, mmap_mode="r")
    for row in (0, 1, 12_345, 399_999):
        assert table.find(table.word(row)) == row
        np.testing.assert_allclose(table.rows([row])[0], whole[row], rtol=1e-3, atol=1e-6)
    assert table.word(0) == "the"
    assert table.find("no such word") == table.find("") == -1


def test_word2vec_text_is_what_gensim_writes(tmp_path: Path) -> None:
    keyed = KeyedVectors(5)
    keyed.add_vectors(WORDS, VECTORS)
    keyed.save_word2vec_format(str(tmp_path / "vectors.bin"), binary=True)
    magic = struct.pack("<i", 793712314)
    assert not (tmp_path / "vectors.bin").read_bytes().startswith(magic)
    np.testing.assert_allclose(
        open_word_table(tmp_path / "vectors.bin").rows(range(6)), VECTORS, rtol=1e-3
    )
