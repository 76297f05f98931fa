import subprocess
import sys

import numpy as np
import pytest

from indexing.errors import ArtifactError, InputError
from indexing.extractors import open_extractor
from indexing.extractors.gradients import gradient_histograms
from indexing.extractors.visual_words import (
    CELLS,
    FAINTEST,
    FRAMING,
    VisualWords,
    learn_words,
    save_words,
)
from tests.reference import gradients as reference

SIZE = FRAMING.size


def noise(seed=0, size=SIZE):
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


def stripes(period, across=True, size=SIZE):
    """Return waves of grey along the columns, or along the rows."""
    wave = np.rint(128 + 100 * np.sin(2 * np.pi * np.arange(size) / period)).astype(np.uint8)
    grey = np.tile(wave, (size, 1)) if across else np.tile(wave[:, None], (1, size))
    return np.repeat(grey[..., None], 3, axis=2)


def random_words(n_words, seed=0):
    words = np.random.default_rng(seed).random((n_words, 128), dtype=np.float32)
    return words / np.linalg.norm(words, axis=1, keepdims=True)


@pytest.mark.parametrize(("cell", "faintest"), [(4, 0.0), (4, 0.08), (8, 0.0), (8, 0.04)])
def test_histograms_equal_the_literal_loop(cell, faintest):
    picture = noise(size=48)
    picture[:, 10:] //= 16  # most of it is dark and faint
    actual = gradient_histograms(picture, cell, faintest)
    expected = reference.gradient_histograms(picture, cell, faintest)
    assert actual.dtype == np.float32
    assert actual.shape == (48 // cell - 3,) * 2 + (128,)
    assert expected.any(axis=2).all() == (faintest == 0)
    assert expected.any()
    np.testing.assert_allclose(actual, expected, atol=2e-6)


def test_directions_are_those_of_the_gradient():
    ramp = np.repeat(np.tile(np.arange(40, dtype=np.uint8) * 6, (40, 1))[..., None], 3, axis=2)
    turned = {0: ramp, 2: ramp.swapaxes(0, 1), 4: ramp[:, ::-1], 6: ramp.swapaxes(0, 1)[::-1]}
    for direction, picture in turned.items():
        cells = gradient_histograms(picture, 4, 0.01).reshape(7, 7, 16, 8)
        assert np.all(cells.argmax(axis=3) == direction)
        inner = cells[1:-1, 1:-1, :, direction]  # 16 equal values away from the edges
        np.testing.assert_allclose(inner, 0.25, atol=1e-6)


def test_mirroring_a_picture_mirrors_its_descriptors():
    picture = noise(size=48)
    upright = gradient_histograms(picture, 8, 0.0).reshape(3, 3, 4, 4, 8)
    mirrored = gradient_histograms(picture[:, ::-1], 8, 0.0).reshape(3, 3, 4, 4, 8)
    directions = [4, 3, 2, 1, 0, 7, 6, 5]  # right becomes left, down stays down
    expected = upright[:, ::-1, :, ::-1][..., directions]
    np.testing.assert_allclose(mirrored, expected, atol=1e-5)


def test_contrast_and_brightness_change_nothing():
    picture = noise(size=48) // 4 * 2
    brighter = picture // 2 + 60
    a, b = (gradient_histograms(one, 4, 0.0) for one in (picture, brighter))
    np.testing.assert_allclose(a, b, atol=1e-4)


def test_counts_equal_the_literal_loop():
    words, picture = random_words(7), noise()
    picture[40:80, 100:180] = 77  # nothing to describe here
    extractor = VisualWords("bag-of-words:here", words)
    actual = extractor.extract(picture[None])[0]
    grids = [gradient_histograms(picture, cell, FAINTEST) for cell in CELLS]
    assert not all(grid.any(axis=2).all() for grid in grids)
    np.testing.assert_array_equal(actual, reference.word_counts(grids, words))
    # Words of unequal length: the nearest is not the one with the largest product.
    uneven = words * np.linspace(0.4, 1.4, 7, dtype=np.float32)[:, None]
    counted = VisualWords("bag-of-words:here", uneven).extract(picture[None])[0]
    np.testing.assert_array_equal(counted, reference.word_counts(grids, uneven))
    whole, quarters = np.split(actual, [7])
    np.testing.assert_array_equal(whole, quarters.reshape(4, 7).sum(axis=0))


def test_one_colour_says_nothing():
    extractor = VisualWords("bag-of-words:here", random_words(7))
    pictures = np.full((1, SIZE, SIZE, 3), 200, np.uint8)
    np.testing.assert_array_equal(extractor.extract(pictures), np.zeros((1, 35)))


def test_learned_words_tell_textures_apart():
    textures = [stripes(12), stripes(12, across=False), stripes(30), stripes(30, across=False)]
    words = learn_words(textures * 3, n_words=40)
    assert words.dtype == np.float32
    assert words.shape == (40, 128)
    counts = VisualWords("words", words).extract(np.stack(textures))[:, :40]
    shared = np.minimum(counts[:, None], counts[None]).sum(axis=2) / counts.sum(axis=1)
    assert np.all(shared[~np.eye(4, dtype=bool)] < 0.2)
    assert words.min() >= 0
    lengths = np.linalg.norm(words, axis=1)
    assert np.all((lengths > 0.5) & (lengths < 1 + 1e-5))


def test_words_are_learned_from_late_pictures_as_much_as_from_early_ones():
    # Each picture gives 60 descriptors; 4 words hold a sample of 1,024, of 17 pictures.
    frames = [stripes(12)] * 40 + [stripes(12, across=False)] * 40
    words = learn_words(iter(frames), n_words=4)
    counts = VisualWords("words", words).extract(np.stack([frames[0], frames[-1]]))[:, :4]
    assert np.minimum(*counts).sum() < 0.1 * counts[0].sum()


def test_learning_is_seeded():
    frames = [noise(seed) for seed in range(3)]
    words = learn_words(frames, n_words=5, seed=1)
    np.testing.assert_array_equal(words, learn_words(iter(frames), n_words=5, seed=1))
    assert not np.array_equal(words, learn_words(frames, n_words=5, seed=2))


def test_what_cannot_be_learned_from():
    with pytest.raises(InputError, match="60 descriptors for 61 visual words; as many as"):
        learn_words([noise()], n_words=61)
    with pytest.raises(InputError, match="0 descriptors for 1 visual words"):
        learn_words([np.zeros((SIZE, SIZE, 3), np.uint8)], n_words=1)
    with pytest.raises(InputError, match="0 visual words were asked for; at least 1"):
        learn_words([noise()], n_words=0)
    with pytest.raises(InputError, match=rf"uint8 \(64, 64, 3\); uint8 \({SIZE}, {SIZE}, 3\) is"):
        learn_words([noise(size=64)], n_words=1)


def test_saved_words_open_as_the_same_extractor(tmp_path):
    words = random_words(6)
    for name in ("a.npz", "folder/b"):
        save_words(words, tmp_path / name)
    first, second = (open_extractor(f"bag-of-words:{tmp_path / n}") for n in ("a.npz", "folder/b"))
    assert isinstance(first, VisualWords)
    assert first.name == f"bag-of-words:{tmp_path / 'a.npz'}"
    assert first.blocks == (6, 24)
    assert first.n_classes == 0
    assert first.fingerprint == second.fingerprint
    np.testing.assert_array_equal(first.words, words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "folder"]


def test_other_words_are_another_extractor():
    words = random_words(6)
    nudged = words.copy()
    nudged[3, 5] = np.nextafter(nudged[3, 5], np.float32(1))
    digests = {VisualWords("words", one).fingerprint.digest for one in (words, nudged, words[:5])}
    assert len(digests) == 3


def test_a_file_that_is_none_is_refused(tmp_path):
    path = tmp_path / "words.npz"
    name = f"bag-of-words:{path}"
    with pytest.raises(ArtifactError, match="cannot be read"):
        open_extractor(name)
    path.write_bytes(b"hello")
    with pytest.raises(ArtifactError, match="holds no visual words"):
        open_extractor(name)
    good = {"format": "tag-engine visual words", "version": 1, "words": random_words(3)}
    with path.open("wb") as file:
        np.save(file, good["words"])
    with pytest.raises(ArtifactError, match="holds no visual words"):
        open_extractor(name)
    wrong = {
        "is not a file in the archive": {"words": None},
        "allow_pickle=False": {"words": np.array([{}], dtype=object)},
        "holds 'music' of version 1; 'tag-engine visual words' of": {"format": "music"},
        "of version 2; 'tag-engine visual words' of version 1 is accepted": {"version": 2},
        r"visual words of float64 \(3, 128\); finite": {"words": random_words(3).astype(float)},
        r"float32 \(3, 127\); finite float32 \(n_words, 128\) is": {
            "words": random_words(3)[:, 1:]
        },
        r"float32 \(0, 128\)": {"words": random_words(3)[:0]},
        r"float32 \(2, 128\); finite": {"words": np.full((2, 128), np.nan, np.float32)},
    }
    for message, change in wrong.items():
        np.savez(path, **{k: v for k, v in {**good, **change}.items() if v is not None})
        with pytest.raises(ArtifactError, match=message):
            open_extractor(name)
    np.savez(path, **good)
    assert open_extractor(name).n_dims == 15


def test_what_is_no_words_is_not_saved(tmp_path):
    with pytest.raises(InputError, match=r"visual words of float32 \(3,\)"):
        save_words(np.zeros(3, np.float32), tmp_path / "words.npz")
    assert not any(tmp_path.iterdir())


def test_cuda_is_refused(tmp_path):
    save_words(random_words(3), tmp_path / "words.npz")
    with pytest.raises(InputError, match="counted on the CPU; use the device auto or cpu"):
        open_extractor(f"bag-of-words:{tmp_path / 'words.npz'}", "cuda")


def test_counting_words_imports_no_network(tmp_path):
    save_words(random_words(3), tmp_path / "words.npz")
    program = (
        "import sys, numpy as np\n"
        "from indexing.extractors import open_extractor\n"
        f"extractor = open_extractor({f'bag-of-words:{tmp_path}/words.npz'!r})\n"
        f"extractor.extract(np.zeros((1, {SIZE}, {SIZE}, 3), np.uint8))\n"
        "print([name for name in ('torch', 'faiss', 'openvino', 'scipy') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
