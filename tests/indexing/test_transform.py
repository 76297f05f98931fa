"""The transform from features to vectors, against a loop over its formula."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from indexing.errors import ArtifactError, IndexingError
from indexing.index import VectorTransform, transform

WIDTHS = (3, 1, 4)


def reference(line: list[float], widths: tuple[int, ...]) -> list[float]:
    """One vector, as the literature says it: square root, length of the block, weight."""
    result, start = [], 0
    for width in widths:
        block = [math.copysign(math.sqrt(abs(x)), x) for x in line[start : start + width]]
        length = math.sqrt(sum(z * z for z in block))
        result += [z / length / math.sqrt(len(widths)) if length else 0.0 for z in block]
        start += width
    return result


def features() -> NDArray[np.float32]:
    random = np.random.default_rng(0)
    values = random.normal(size=(50, 8)) * np.array([1, 1, 1, 1e4, 1e-6, 1e-6, 1e-6, 1e-6])
    values[random.random(values.shape) < 0.2] = 0.0
    values[3, :3] = 0.0
    values[4] = 0.0
    return values.astype(np.float32)


def test_the_formula() -> None:
    given = features()
    kept = given.copy()
    made = VectorTransform(widths=WIDTHS)(given)
    expected = [reference([float(x) for x in line], WIDTHS) for line in given]
    np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-7)
    assert made.dtype == np.float32
    assert (given == kept).all()
    full = (np.add.reduceat(np.abs(given), [0, 3, 4], axis=1) > 0).all(axis=1)
    assert full.any()
    np.testing.assert_allclose(np.linalg.norm(made[full], axis=1), 1.0, rtol=1e-5)
    assert (made[4] == 0.0).all()
    assert (made[3, :3] == 0.0).all()


def test_in_place_and_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = VectorTransform(widths=WIDTHS)(features())
    monkeypatch.setattr(transform, "CHUNK_VALUES", 24)
    given = features()
    made = VectorTransform(widths=WIDTHS)(given, in_place=True)
    assert made is given
    assert (made == whole).all()
    assert VectorTransform(widths=WIDTHS)(features()[:0]).shape == (0, 8)


@pytest.mark.parametrize("size", [1e-38, 1e38])
def test_values_at_the_ends_of_float32(size: float) -> None:
    given = np.full((1, 8), size, dtype=np.float32)
    made = VectorTransform(widths=(8,))(given)
    np.testing.assert_allclose(made, 1 / math.sqrt(8), rtol=1e-5)


def projected() -> VectorTransform:
    random = np.random.default_rng(1)
    return VectorTransform(
        widths=WIDTHS,
        mean=random.normal(size=8).astype(np.float32),
        matrix=random.normal(size=(8, 5)).astype(np.float32),
    )


def test_the_projection_comes_after(monkeypatch: pytest.MonkeyPatch) -> None:
    made = projected()
    assert (made.n_in, made.n_out) == (8, 5)
    assert made.mean is not None
    assert made.matrix is not None
    expected = []
    for line in features():
        z = reference([float(x) for x in line], WIDTHS)
        expected.append(
            [
                sum((z[i] - float(made.mean[i])) * float(made.matrix[i, j]) for i in range(8))
                for j in range(5)
            ]
        )
    for chunk in (1 << 18, 24):
        monkeypatch.setattr(transform, "CHUNK_VALUES", chunk)
        given = features()
        np.testing.assert_allclose(made(given), expected, rtol=0, atol=1e-5)
        assert (given == features()).all()
        np.testing.assert_allclose(made(given, in_place=True), expected, rtol=0, atol=1e-5)


def test_identity() -> None:
    made = VectorTransform.identity(8)
    given = features()
    assert made(given) is given
    assert (made.n_in, made.n_out) == (8, 8)


def test_a_projection_alone() -> None:
    eye = np.eye(2, dtype=np.float32)
    made = VectorTransform(
        widths=(2,), normalize=False, mean=np.ones(2, np.float32), matrix=2 * eye
    )
    given = np.array([[1.0, 4.0]], dtype=np.float32)
    assert made(given, in_place=True).tolist() == [[0.0, 6.0]]
    assert given.tolist() == [[1.0, 4.0]]


@pytest.mark.parametrize(
    "made",
    [VectorTransform(widths=WIDTHS), VectorTransform.identity(8), projected()],
    ids=["normalized", "identity", "projected"],
)
def test_save_and_load(made: VectorTransform, tmp_path: Path) -> None:
    made.save(tmp_path / "new")
    loaded = VectorTransform.load(tmp_path / "new")
    assert (loaded.widths, loaded.normalize) == (made.widths, made.normalize)
    assert (loaded(features()) == made(features())).all()
    assert (loaded.matrix is None) == (made.matrix is None)


def test_damaged_transforms_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"holds no vector transform .*No such file"):
        VectorTransform.load(tmp_path)
    projected().save(tmp_path)
    record = tmp_path / "transform.json"
    good = record.read_text()
    for change in (
        {"format_version": 2},
        {"kind": "other"},
        {"widths": [3, 1]},
        {"widths": []},
        {"widths": "abc"},
        {"widths": None},
    ):
        record.write_text(json.dumps(json.loads(good) | change))
        with pytest.raises(ArtifactError, match="holds no vector transform"):
            VectorTransform.load(tmp_path)
    for text in ("", "[]", "{}", good[:-9]):
        record.write_text(text)
        with pytest.raises(ArtifactError, match="holds no vector transform"):
            VectorTransform.load(tmp_path)
    record.write_text(good)
    arrays = tmp_path / "transform.npz"
    content = arrays.read_bytes()
    for damaged in (b"", b"x" * 100, content[: len(content) // 2]):
        arrays.write_bytes(damaged)
        with pytest.raises(ArtifactError, match="holds no vector transform"):
            VectorTransform.load(tmp_path)
    np.savez(arrays, mean=np.array([object()]), matrix=np.eye(8))  # a pickle inside
    with pytest.raises(ArtifactError, match=r"holds no vector transform .*allow_pickle"):
        VectorTransform.load(tmp_path)


def test_what_does_not_fit_is_refused() -> None:
    made = VectorTransform(widths=WIDTHS)
    with pytest.raises(IndexingError, match=r"float32 of shape \(2, 7\); float32 of shape \(n, 8"):
        made(np.ones((2, 7), np.float32))
    with pytest.raises(IndexingError, match=r"^the features are float64 of shape \(2, 8\); "):
        made(np.ones((2, 8)))  # type: ignore[arg-type]
    for widths in ((), (3, 0), (3, -1)):
        with pytest.raises(IndexingError, match=r"^the block widths are "):
            VectorTransform(widths=widths)
    mean, matrix = np.ones(8, np.float32), np.ones((8, 2), np.float32)
    for mean_, matrix_ in (
        (None, matrix),
        (mean, None),
        (mean[:7], matrix),
        (mean, matrix[:7]),
        (mean.astype(float), matrix),
        (mean, matrix.astype(float)),
        (mean, mean),
    ):
        with pytest.raises(IndexingError, match=r"^the projection does not fit 8 values; "):
            VectorTransform(widths=WIDTHS, mean=mean_, matrix=matrix_)
