"""The feature store: what goes in comes out, in whole transactions, in bounded memory."""

from pathlib import Path

import numpy as np
import pytest

from indexing import store as store_module
from indexing.errors import ArtifactError, RefusalReason
from indexing.store import FileFacts, FileSignature, WorkspaceStore


def contents(n):
    return [bytes([i % 256, i // 256]) * 16 for i in range(n)]


def test_vectors_come_back_bit_for_bit_in_the_order_asked(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32)
    with WorkspaceStore(tmp_path) as store:
        store.features("a", 7).put(zip(contents(50), vectors, strict=True), {})
    with WorkspaceStore(tmp_path) as store:
        features = store.features("a", 7)
        assert features.contents() == set(contents(50))
        order = [3, 49, 0, 3]
        np.testing.assert_array_equal(
            features.fetch([contents(50)[i] for i in order]), vectors[order]
        )


def test_extractors_do_not_disturb_each_other(tmp_path):
    key = contents(1)[0]
    with WorkspaceStore(tmp_path) as store:
        store.features("a", 1).put([(key, np.float32([1]))], {})
        store.features("b", 1).put([(key, np.float32([2]))], {})
        assert store.features("a", 1).fetch([key]).tolist() == [[1]]
        assert store.features("b", 1).fetch([key]).tolist() == [[2]]


@pytest.mark.parametrize("n_dims", [3, 5])
def test_a_missing_vector_or_one_of_another_length_is_an_error(tmp_path, n_dims):
    key = contents(1)[0]
    with WorkspaceStore(tmp_path) as store:
        if n_dims == 5:
            store.features("a", 4).put([(key, np.zeros(4, np.float32))], {})
        with pytest.raises(ArtifactError, match=f"has no {n_dims}-d feature for 000000"):
            store.features("a", n_dims).fetch([key])


def test_the_map_grows_when_it_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "_INITIAL_MAP_BYTES", 1 << 16)
    vectors = np.random.default_rng(0).normal(size=(200, 500)).astype(np.float32)
    with WorkspaceStore(tmp_path) as store:
        features = store.features("a", 500)
        features.put(zip(contents(200), vectors, strict=True), {})
        np.testing.assert_array_equal(features.fetch(contents(200)), vectors)


def test_reading_everything_lets_go_of_the_map(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "_MAPPED_BYTES_BEFORE_REOPEN", 4_000)
    vectors = np.random.default_rng(0).normal(size=(100, 10)).astype(np.float32)
    opened = []
    original = WorkspaceStore._open
    monkeypatch.setattr(WorkspaceStore, "_open", lambda self: (opened.append(1), original(self))[1])
    with WorkspaceStore(tmp_path) as store:
        features = store.features("a", 10)
        features.put(zip(contents(100), vectors, strict=True), {})
        for start in range(0, 100, 50):
            keys = contents(100)[start : start + 50]
            np.testing.assert_array_equal(features.fetch(keys), vectors[start : start + 50])
    assert len(opened) == 2


def test_facts_come_back_and_forgotten_paths_go(tmp_path):
    kept, gone = Path("/p/caf\udce9.jpg"), Path("/p/" + "long" * 200)
    facts = {
        kept: FileFacts(FileSignature(1, 2, 3), b"\x01" * 32, ("Bär", "sea")),
        gone: FileFacts(FileSignature(4, 5, 6), None, None, (RefusalReason.EMPTY, "0 bytes")),
    }
    with WorkspaceStore(tmp_path) as store:
        store.features("a", 1).put([], facts)
        assert store.known_files([gone, kept, Path("/other")]) == [facts[gone], facts[kept], None]
        store.forget_files([kept])
        assert store.known_files([gone, kept]) == [None, facts[kept]]


def test_prune_keeps_what_it_is_told_to(tmp_path):
    with WorkspaceStore(tmp_path) as store:
        features = store.features("a", 1)
        features.put([(key, np.float32([1])) for key in contents(5)], {})
        assert features.prune(set(contents(2))) == 3
        assert features.contents() == set(contents(2))


def test_a_store_that_is_none_is_refused(tmp_path):
    (tmp_path / "data.mdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(ArtifactError, match=r"cannot be opened .* delete that folder and build"):
        WorkspaceStore(tmp_path)


def test_the_signature_sees_an_edit_that_restores_the_modification_time(tmp_path):
    import os

    file = tmp_path / "a.jpg"
    file.write_bytes(b"abc")
    before = FileSignature.of(file)
    file.write_bytes(b"xyz")
    os.utime(file, ns=(before.mtime_ns, before.mtime_ns))
    assert FileSignature.of(file) != before
    assert FileSignature.of(tmp_path / "missing") is None


def test_one_vector_is_found_or_not_there(tmp_path):
    with WorkspaceStore(tmp_path) as store:
        features = store.features("abc", 3)
        vector = np.array([1.5, -2.0, 0.25], np.float32)
        features.put([(b"1" * 32, vector)], facts={})
        np.testing.assert_array_equal(features.find(b"1" * 32), vector)
        assert features.find(b"2" * 32) is None
        assert store.features("abc", 4).find(b"1" * 32) is None
        assert store.features("abd", 3).find(b"1" * 32) is None
