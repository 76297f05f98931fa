"""What every row of the table of extractors keeps, whatever computes it."""

import os
import threading
from contextlib import closing

import numpy as np
import pytest

from indexing.errors import InputError
from indexing.extractors import EXTRACTORS, open_extractor, zoo
from indexing.extractors.eager import EagerExtractor
from indexing.extractors.export import export
from indexing.extractors.probe import probe_picture
from indexing.extractors.visual_words import learn_words, save_words

N_PICTURES = 14  # more than are in flight at once on the CPU of a laptop
IN_FLIGHT = max(64, 4 * (os.cpu_count() or 1))  # nobody may hold back more pictures


def name_of(form, request):
    """Return a name that opens a row of the table, making what stands behind its colon."""
    if form == "timm:NAME[@CHECKPOINT]":
        return f"timm:test_resnet@{request.getfixturevalue('timm_checkpoint')}"
    if form == "open_clip:NAME[@CHECKPOINT]":
        return f"open_clip:tiny-test@{request.getfixturevalue('open_clip_checkpoint')}"
    if form == "compiled:PATH":
        folder = request.getfixturevalue("tmp_path_factory").mktemp("exported") / "network"
        weights = request.getfixturevalue("timm_checkpoint")
        export(open_extractor(f"timm:test_resnet@{weights}", "cpu"), folder)
        return f"compiled:{folder}"
    if form == "bag-of-words:PATH":
        path = request.getfixturevalue("tmp_path_factory").mktemp("words") / "words.npz"
        frames = np.random.default_rng(1).integers(0, 256, (4, 192, 192, 3), dtype=np.uint8)
        save_words(learn_words(frames, n_words=30), path)
        return f"bag-of-words:{path}"
    if form in ("efficientnet-lite2", "efficientnet-lite0"):
        return form
    raise NotImplementedError(f"the contract does not cover {form!r} yet")


@pytest.fixture(scope="module", params=[*EXTRACTORS, "torch itself"])
def opener(request, extractor_cache):
    """Return what opens the extractor, again and again."""
    if request.param == "torch itself":
        checkpoint = request.getfixturevalue("timm_checkpoint")
        network = zoo.load_network("test_resnet", checkpoint, "0")
        return lambda: EagerExtractor("timm:test_resnet", network, device="cpu")
    name = name_of(request.param, request)
    return lambda: open_extractor(name, "cpu")


@pytest.fixture(scope="module")
def extractor(opener):
    return opener()


@pytest.fixture
def pictures(extractor):
    """Noise on colours, and one picture of waves: uint8 (N_PICTURES, size, size, 3)."""
    rng = np.random.default_rng(0)
    size = extractor.framing.size
    colors = rng.integers(0, 256, (N_PICTURES, 1, 1, 3))
    noise = rng.integers(-40, 41, (N_PICTURES, size, size, 3))
    noise = noise * rng.uniform(0.5, 1, (N_PICTURES, 1, 1, 1))
    pictures = (colors + noise).clip(0, 255).astype(np.uint8)
    pictures[7] = probe_picture(extractor.framing)
    return pictures


def assert_same(extractor, actual, expected):
    """Equal bit for bit, but that a batch of torch may round otherwise than one picture."""
    if isinstance(extractor, EagerExtractor):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)
    else:
        np.testing.assert_array_equal(actual, expected)


def test_it_says_what_it_is(extractor):
    assert extractor.n_dims == sum(extractor.blocks)
    assert all(width > 0 for width in extractor.blocks)
    assert 0.0 <= extractor.framing.trim <= 1.0
    assert str(extractor.framing.size) in extractor.fingerprint.preprocessing
    assert "cpu" in extractor.runtime


def test_opened_again_it_is_the_same(extractor, opener, pictures):
    again = opener()
    assert again.fingerprint == extractor.fingerprint
    assert again.framing == extractor.framing
    assert again.blocks == extractor.blocks
    assert again.name == extractor.name
    np.testing.assert_array_equal(again.extract(pictures[:2]), extractor.extract(pictures[:2]))


def test_vectors_are_finite_and_tell_pictures_apart(extractor, pictures):
    features = extractor.extract(pictures)
    assert features.shape == (N_PICTURES, extractor.n_dims)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert len(np.unique(features, axis=0)) == N_PICTURES


def test_stream_gives_what_extract_gives(extractor, pictures):
    keys = [f"picture {i}" for i in range(N_PICTURES)]
    streamed = dict(extractor.stream(zip(keys, pictures, strict=True)))
    assert set(streamed) == set(keys)
    # Kept until the end: a vector must not be a view of a buffer that is used again.
    actual = np.stack([streamed[key] for key in keys])
    assert actual.dtype == np.float32
    assert_same(extractor, actual, extractor.extract(pictures))


def test_a_picture_does_not_depend_on_its_company(extractor, pictures):
    together = extractor.extract(pictures)
    for i in (0, 7, N_PICTURES - 1):
        assert_same(extractor, extractor.extract(pictures[i : i + 1])[0], together[i])
    assert_same(extractor, extractor.extract(pictures[::-1]), together[::-1])


def test_class_probabilities(extractor, pictures):
    features, probabilities = extractor.infer(pictures)
    assert probabilities.shape == (N_PICTURES, extractor.n_classes)
    assert probabilities.dtype == np.float32
    assert_same(extractor, features, extractor.extract(pictures))
    assert_same(extractor, probabilities, extractor.classify(pictures))
    if extractor.n_classes:
        assert (probabilities >= 0).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-3)


def test_no_pictures(extractor):
    size = extractor.framing.size
    none = np.empty((0, size, size, 3), np.uint8)
    assert extractor.extract(none).shape == (0, extractor.n_dims)
    assert extractor.classify(none).shape == (0, extractor.n_classes)
    assert list(extractor.stream(iter([]))) == []


def test_pulls_lazily(extractor, pictures):
    pulled = 0

    def source():
        nonlocal pulled
        for i in range(200):
            pulled += 1
            yield i, pictures[i % N_PICTURES]

    with closing(extractor.stream(source())) as stream:
        assert pulled == 0
        for n_yielded in (1, 2, 3):
            next(stream)
            assert pulled <= n_yielded + IN_FLIGHT


def test_a_consumer_may_stop_early(extractor, pictures):
    n_threads = threading.active_count()
    expected = extractor.extract(pictures[:1])
    for n_wanted in (1, 9):
        with closing(extractor.stream(enumerate(pictures))) as stream:
            for n_yielded, _ in enumerate(stream, start=1):
                if n_yielded == n_wanted:
                    break
    assert threading.active_count() == n_threads
    assert_same(extractor, extractor.extract(pictures[:1]), expected)


def test_an_exception_of_the_source_passes_through(extractor, pictures):
    def source():
        yield from enumerate(pictures[:10])
        raise ConnectionResetError("the disk went away")

    with pytest.raises(ConnectionResetError, match="the disk went away"):
        list(extractor.stream(source()))
    assert extractor.extract(pictures[:1]).shape == (1, extractor.n_dims)


def test_two_streams_at_once(extractor, pictures):
    expected = extractor.extract(pictures)
    first = extractor.stream(enumerate(pictures[:7]))
    second = extractor.stream(enumerate(pictures[7:], start=7))
    actual = np.empty_like(expected)
    for pair in zip(first, second, strict=True):
        for key, vector in pair:
            actual[key] = vector
    assert_same(extractor, actual, expected)


@pytest.mark.parametrize(
    "wrong", [np.zeros((8, 8, 3), np.uint8), "float", "one channel"], ids=["size", "type", "grey"]
)
def test_wrong_pictures_are_refused(extractor, pictures, wrong):
    if isinstance(wrong, str):
        wrong = pictures[0].astype(np.float32) if wrong == "float" else pictures[0][..., :1]
    with pytest.raises(InputError, match=r"a picture for .* is .*; it takes uint8 \(\d+, \d+, 3\)"):
        extractor.extract(wrong[None])
