"""The build pipeline: every file ends as a vector or a reason, and nothing is done twice."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexing import ingest as ingest_module
from indexing.errors import RefusalReason
from indexing.ingest import ingest, unchanged_facts
from indexing.pixels import decode
from indexing.records import Corpus, ImageRecord
from indexing.store import WorkspaceStore
from tests.toy_extractor import ToyExtractor


def write_pictures(folder: Path, n: int, seed: int = 0) -> list[Path]:
    random = np.random.default_rng(seed)
    paths = []
    for i in range(n):
        path = folder / f"{i:03d}.png"
        Image.fromarray(random.integers(0, 255, (40, 50, 3), np.uint8)).save(path)
        paths.append(path)
    return paths


def corpus_of(root: Path) -> Corpus:
    paths = sorted(path for path in root.iterdir() if path.suffix in (".png", ".jpg"))
    records = tuple(ImageRecord(image_id=path.name, path=path) for path in paths)
    return Corpus(root=root, format="folder", records=records)


def run(corpus, store, extractor=None):
    extractor = extractor or ToyExtractor()
    features = store.features(extractor.fingerprint.digest, extractor.n_dims)
    known = unchanged_facts(corpus, store, features.contents())
    return ingest(corpus, known, features, extractor), features


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    return folder


@pytest.fixture
def store(tmp_path):
    with WorkspaceStore(tmp_path / "store") as opened:
        yield opened


def test_every_picture_gets_the_vector_of_its_own_pixels(pictures, store):
    paths = write_pictures(pictures, 30)
    result, features = run(corpus_of(pictures), store)
    extractor = ToyExtractor()
    expected = [
        extractor.extract(decode(p.read_bytes(), extractor.framing)[None])[0] for p in paths
    ]
    np.testing.assert_array_equal(features.fetch([fact.content for fact in result.facts]), expected)
    assert (result.n_extracted, result.n_read) == (30, 30)


def test_a_second_pass_opens_nothing(pictures, store):
    write_pictures(pictures, 5)
    run(corpus_of(pictures), store)
    result, _ = run(corpus_of(pictures), store)
    assert (result.n_extracted, result.n_read) == (0, 0)
    assert len(result.facts) == 5


def test_a_moved_file_is_read_but_not_decoded(pictures, store, monkeypatch):
    paths = write_pictures(pictures, 3)
    run(corpus_of(pictures), store)
    paths[0].rename(pictures / "moved.png")
    monkeypatch.setattr(ingest_module, "decode", lambda *_: pytest.fail("decoded again"))
    result, _ = run(corpus_of(pictures), store)
    assert (result.n_extracted, result.n_read) == (0, 1)


def test_an_edited_file_is_read_again(pictures, store):
    paths = write_pictures(pictures, 3)
    first, _ = run(corpus_of(pictures), store)
    Image.new("RGB", (20, 20), "red").save(paths[1])
    second, _ = run(corpus_of(pictures), store)
    assert second.n_extracted == 1
    assert [a.content == b.content for a, b in zip(first.facts, second.facts, strict=True)] == [
        True,
        False,
        True,
    ]


def test_copies_are_extracted_once_and_share_the_outcome(pictures, store):
    good = write_pictures(pictures, 1)[0].read_bytes()
    for i in range(20):
        (pictures / f"copy{i:02d}.png").write_bytes(good)
        (pictures / f"cut{i:02d}.png").write_bytes(good[: len(good) // 2])
    extractor = ToyExtractor()
    result, features = run(corpus_of(pictures), store, extractor)
    assert len(features.contents()) == 1
    refused = [fact.refusal for fact in result.facts if fact.refusal]
    assert [reason for reason, _ in refused] == [RefusalReason.TRUNCATED] * 20
    assert len(result.facts) == 41
    # Two threads may both meet a content before either has claimed it; never more.
    assert extractor.n_seen <= 2


def test_a_bad_file_is_not_opened_again_until_it_changes(pictures, store):
    path = pictures / "bad.png"
    path.write_bytes(b"no picture at all")
    result, _ = run(corpus_of(pictures), store)
    assert result.facts[0].refusal[0] is RefusalReason.NOT_A_PICTURE
    result, _ = run(corpus_of(pictures), store)
    assert result.n_read == 0
    write_pictures(pictures, 1)[0].replace(path)
    result, _ = run(corpus_of(pictures), store)
    assert result.facts[0].refusal is None


def test_a_file_that_could_not_be_opened_is_tried_again(pictures, store):
    path = pictures / "a.png"
    corpus = Corpus(
        root=pictures, format="folder", records=(ImageRecord(image_id="a.png", path=path),)
    )
    result, _ = run(corpus, store)
    assert result.facts[0].refusal[0] is RefusalReason.VANISHED
    write_pictures(pictures, 1)[0].replace(path)
    result, _ = run(corpus, store)
    assert result.facts[0].refusal is None


def test_another_extractor_decodes_again(pictures, store):
    write_pictures(pictures, 2)
    run(corpus_of(pictures), store)
    result, _ = run(corpus_of(pictures), store, ToyExtractor(weights="1"))
    assert (result.n_extracted, result.n_read) == (2, 2)


def test_what_is_finished_before_an_interrupt_is_kept(pictures, store):
    write_pictures(pictures, 10)

    class Interrupted(ToyExtractor):
        def stream(self, pictures):
            for number, item in enumerate(super().stream(pictures)):
                if number == 6:
                    raise KeyboardInterrupt
                yield item

    with pytest.raises(KeyboardInterrupt):
        run(corpus_of(pictures), store, Interrupted())
    extractor = ToyExtractor()
    result, _ = run(corpus_of(pictures), store, extractor)
    assert extractor.n_seen == 4
    assert len(result.facts) == 10


def test_a_feature_that_is_not_finite_is_a_refusal(pictures, store):
    write_pictures(pictures, 2)

    class Broken(ToyExtractor):
        def extract(self, pixels):
            return super().extract(pixels) * np.nan

    result, features = run(corpus_of(pictures), store, Broken())
    assert {fact.refusal for fact in result.facts} == {
        (RefusalReason.UNREADABLE, "the network gives no finite feature for it")
    }
    assert not features.contents()


def test_progress_counts_every_file_once(pictures, store):
    good = write_pictures(pictures, 4)[0].read_bytes()
    (pictures / "copy.png").write_bytes(good)
    (pictures / "bad.png").write_bytes(b"x")
    corpus = corpus_of(pictures)
    extractor = ToyExtractor()
    features = store.features(extractor.fingerprint.digest, extractor.n_dims)
    seen = []
    ingest(corpus, [None] * 6, features, extractor, lambda *counts: seen.append(counts))
    assert seen == [(i, 6) for i in range(1, 7)]
