"""Maps of frozen parts, kept on disk: their values, how they go on, and that they go away."""

import logging
import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from torch import nn

from learners.base import TagMatrix
from learners.multiscale.backbones import Backbone, open_backbone
from learners.multiscale.frozen import FrozenPart
from learners.multiscale.network import MultiScaleTower
from learners.multiscale.splitting import BehindTheCut, split_backbone
from learners.multiscale.training import train_multiscale
from learners.training import Augmentation, seeded, training_plan
from learners.training.stored import StoredExamples, StoredMaps, fits_on_disk, maps_identity

SHAPES = ((2, 3, 3), (4, 1, 1))
N_IMAGES, N_VIEWS = 150, 2


def value(picture: int, view: int, number: int) -> np.ndarray:
    return np.full(SHAPES[number], picture + view / 4 + number / 8, np.float32)


class Source:
    """Counts from where maps were computed, and can stop."""

    def __init__(self, stops_at: int | None = None) -> None:
        self.begun: list[int] = []
        self.stops_at = stops_at

    def __call__(self, first: int):
        self.begun.append(first)
        for picture in range(first, N_IMAGES):
            if picture == self.stops_at:
                raise KeyboardInterrupt
            for view in range(N_VIEWS):
                yield tuple(value(picture, view, number) for number in range(len(SHAPES)))


def stored(folder: Path, source: Source, identity: str = "one", told=None) -> StoredMaps:
    def tell(*facts):
        if told is not None:
            told.append(facts)

    return StoredMaps(folder, "cnn", identity, SHAPES, N_IMAGES, N_VIEWS, source, tell)


def check(maps: StoredMaps) -> None:
    positions, views = np.array([149, 0, 70]), np.array([1, 0, 1])
    for number, one in enumerate(maps.read(positions, views)):
        expected = [value(p, v, number) for p, v in zip([149, 0, 70], [1, 0, 1], strict=True)]
        np.testing.assert_array_equal(one, expected)
        assert one.dtype == np.float32


def test_maps_are_computed_once_when_they_are_asked_for(tmp_path):
    source, told = Source(), []
    maps = stored(tmp_path / "new", source, told=told)
    assert source.begun == []
    check(maps)
    check(maps)
    assert source.begun == [0]
    assert told[0] == ("frozen maps for cnn", 1, 150)
    assert told[-1] == ("frozen maps for cnn", 150, 150)
    again = Source()
    check(stored(tmp_path / "new", again))
    assert again.begun == []
    maps.remove()
    assert list((tmp_path / "new").iterdir()) == []


def test_maps_go_on_where_they_were_stopped(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        check(stored(tmp_path, Source(stops_at=140)))
    source = Source()
    check(stored(tmp_path, source))
    assert source.begun == [128]  # noted every 64 pictures


@pytest.mark.parametrize("damage", ["identity", "record", "gone", "other"])
def test_maps_of_no_use_are_computed_anew(tmp_path, damage):
    check(stored(tmp_path, Source()))
    record = tmp_path / "cnn-maps.json"
    if damage == "record":
        record.write_text("{")
    elif damage == "gone":
        (tmp_path / "cnn-maps-1.npy").unlink()
    elif damage == "other":
        np.save(tmp_path / "cnn-maps-1.npy", np.zeros(3, np.float16))
    source = Source()
    check(stored(tmp_path, source, "another" if damage == "identity" else "one"))
    assert source.begun == [0]


def test_what_is_too_large_for_half_precision_is_cut_off(tmp_path):
    shapes = ((1, 1, 1),)
    values = iter([np.full((1, 1, 1), 1e9, np.float32), np.full((1, 1, 1), -1e9, np.float32)])
    maps = StoredMaps(
        tmp_path, "cnn", "one", shapes, 1, 2, lambda first: ((v,) for v in values), lambda *_: None
    )
    (one,) = maps.read(np.array([0, 0]), np.array([0, 1]))
    assert one.ravel().tolist() == [65504.0, -65504.0]


def test_the_identity_changes_with_any_pixel_and_fact():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
    other = pixels.copy()
    other[2, 3, 3, 2] ^= 1
    found = {maps_identity(pixels, 2), maps_identity(other, 2), maps_identity(pixels, 3)}
    assert len(found) == 3
    assert maps_identity(pixels, 2) == maps_identity(pixels.copy(), 2)


Usage = namedtuple("Usage", "total used free")


def test_half_of_the_free_disk_is_the_limit(tmp_path, monkeypatch, caplog):
    n_bytes = 2 * 10 * (18 + 4)
    for free, fits in ((2 * n_bytes, True), (2 * n_bytes - 1, False)):
        monkeypatch.setattr("shutil.disk_usage", lambda folder, free=free: Usage(0, 0, free))
        assert fits_on_disk(tmp_path / "not" / "there", SHAPES, 10) == fits
    assert "frozen maps of 10 pictures take 0.0 GB, more than half" in caplog.text


def test_a_view_is_drawn_in_training_and_the_first_one_judges(tmp_path):
    chosen = np.arange(N_IMAGES) % 3 == 0
    targets = np.arange(N_IMAGES)[:, None] % 2 == 0
    examples = StoredExamples(stored(tmp_path, Source()), chosen, targets)
    assert examples.n_images == 50
    positions = np.arange(50)
    (first, second), given = examples.batch(positions, None)
    np.testing.assert_array_equal(first[:, 0, 0, 0], np.arange(0, 150, 3))
    np.testing.assert_array_equal(second[:, 0, 0, 0], np.arange(0, 150, 3) + 1 / 8)
    np.testing.assert_array_equal(given, targets[chosen])
    drawn, same, other = (
        examples.batch(positions, np.random.default_rng(seed))[0][0][:, 0, 0, 0] % 1
        for seed in (0, 0, 1)
    )
    assert set(drawn.tolist()) == {0.0, 0.25}
    assert torch.equal(drawn, same)
    assert not torch.equal(drawn, other)


def test_views_of_a_picture():
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)

    def seen(n_views: int, **params: object) -> list[np.ndarray]:
        rng = np.random.default_rng(1)
        return list(Augmentation(**params).views(picture, n_views, rng))

    whole, mirrored, *drawn = seen(4)
    np.testing.assert_array_equal(whole, picture)
    np.testing.assert_array_equal(mirrored, picture[:, ::-1])
    assert [one.dtype for one in drawn] == [np.uint8] * 2
    assert (drawn[0] != drawn[1]).any()
    assert len(seen(1)) == 1
    np.testing.assert_array_equal(seen(2, flips=False, crop=0.0)[1], picture)
    for params, wanted, worth in (
        ({}, 5, 5),
        ({"crop": 0.0}, 5, 2),
        ({"crop": 0.0, "flips": False}, 5, 1),
        ({"crop": 0.0}, 1, 1),
    ):
        assert Augmentation(**params).n_views(wanted) == worth


def tower(name: str = "test_resnet", size: int = 33) -> MultiScaleTower:
    with seeded(0):
        return MultiScaleTower(timm.create_model(name, pretrained=False), size)


@pytest.mark.parametrize(
    ("name", "size"),
    [("test_resnet", 33), ("test_efficientnet", 64), ("test_convnext", 64)],
)
@pytest.mark.parametrize("n_scales", [0, 1, 2])
def test_both_parts_of_a_backbone_make_the_whole(name, size, n_scales):
    network = tower(name, size)
    split = split_backbone(network, n_scales)
    assert split is not None
    x = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        maps, kept = network.maps(x), split.head(x)
        if n_scales:
            assert len(kept) == 1
            torch.testing.assert_close(kept[0], maps[-n_scales - 1], rtol=0, atol=0)
            network.fuses = False
        else:
            assert split.tail is None
            assert len(kept) == len(maps)
        behind = BehindTheCut(network, split.tail)
        torch.testing.assert_close(behind(*kept), network(x), rtol=0, atol=0)
    # The tail is the tower's: what trains one trains the other, and it is counted once.
    assert {id(w) for w in behind.parameters()} == {id(w) for w in network.parameters()}
    if split.tail is not None:
        network.training_only(n_scales=n_scales)
        of_tail = {id(weights) for weights in split.tail.parameters()}
        trained = {name for name, w in network.net.named_parameters() if id(w) in of_tail}
        chosen = {name for name, w in network.net.named_parameters() if w.requires_grad}
        # What no map depends on, as the normalisation of a head that is gone, is of no scale.
        assert trained <= chosen
        assert all(name.startswith("head.") for name in chosen - trained)


class Skipping(nn.Module):
    """Its last scale sees the picture itself."""

    def __init__(self) -> None:
        super().__init__()
        self.feature_info = [{"reduction": r} for r in (1, 2, 4)]
        self.one, self.two = (nn.Conv2d(3, 3, 2, stride=2) for _ in range(2))

    def forward_intermediates(self, x: torch.Tensor, indices: list[int]):
        first = self.one(x)
        second = self.two(first) + x[:, :, ::4, ::4]
        return second, [x, first, second]


class Reading(Skipping):
    """Looks at the values."""

    def forward_intermediates(self, x: torch.Tensor, indices: list[int]):
        if x.sum() > 1e9:
            raise ValueError
        first = self.one(x)
        return self.two(first), [x, first, self.two(first)]


def test_what_cannot_be_cut_is_left_whole():
    assert split_backbone(MultiScaleTower(Skipping(), 8), 0) is not None
    assert split_backbone(MultiScaleTower(Skipping(), 8), 1) is None
    assert split_backbone(MultiScaleTower(Reading(), 8), 1) is None
    # Its maps are turned before they are handed out; the next stage wants them as they were.
    assert split_backbone(tower("test_mambaout", 64), 0) is not None
    assert split_backbone(tower("test_mambaout", 64), 1) is None
    network = tower()
    assert split_backbone(network, len(network.scales)) is None
    assert split_backbone(network, 9) is None


def backbone() -> Backbone:
    return open_backbone("timm:test_resnet", pretrained=False, seed=3)


def pictures() -> tuple[np.ndarray, TagMatrix]:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (12, 33, 33, 3), dtype=np.uint8)
    return pixels, TagMatrix.from_lists(range(12), rng.integers(0, 3, (12, 1)), 4)


def test_the_compiled_frozen_part_gives_the_maps_of_torch():
    pixels, _ = pictures()
    one = backbone()
    network = MultiScaleTower(one.net, 33)
    split = split_backbone(network, 0)
    assert split is not None
    frozen = FrozenPart(split.head, one, 33)
    assert frozen.shapes == tuple((s.n_channels, s.side, s.side) for s in network.scales)
    mean, scale = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (one.mean, one.scale))
    x = (torch.from_numpy(pixels).permute(0, 3, 1, 2) - mean) / scale
    with torch.no_grad():
        expected = [level.numpy() for level in network.maps(x)]
    found = list(frozen(iter(pixels)))
    assert len(found) == 12
    for number, level in enumerate(expected):
        got = np.stack([maps[number] for maps in found])
        assert np.abs(got - level).max() < 0.02 * np.abs(level).max()


PLAN = training_plan("adamw").changed(seed=0, epochs=3, learning_rate=0.01)


def feature(folder: Path | None = None, on_progress=None, **params: object) -> np.ndarray:
    """Train as told, and return what the network makes of the pictures."""
    pixels, tags = pictures()
    told = {"plan": PLAN, "n_trained_scales": 1, "checkpoints": folder, "held_out": 0.2, **params}
    network = train_multiscale(backbone(), pixels, tags, on_progress=on_progress, **told)
    with torch.no_grad():
        return network.module(torch.from_numpy(pixels)).numpy()


def test_training_on_kept_maps_is_training_on_pictures(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGINE_CACHE", str(tmp_path / "cache"))
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], stdout=-1)
    of_killed = tmp_path / "cache" / f"training-{int(ended.stdout)}-abc"
    of_living = tmp_path / "cache" / f"training-{os.getppid()}-abc"
    for folder in (of_killed, of_living):
        folder.mkdir(parents=True)
    stages: list[str] = []
    kept = feature(n_views=2, on_progress=lambda stage, done, total: stages.append(stage))
    whole = feature()
    assert list(dict.fromkeys(stages)) == [
        "frozen maps for cnn",
        "cnn",
        "frozen maps for fusion",
        "fusion",
    ]
    assert stages.count("frozen maps for cnn") == 12
    untrained = feature(plan=training_plan("adamw").changed(seed=0, epochs=1, learning_rate=1e-9))
    change = np.abs(whole - untrained).max()
    assert np.abs(kept - whole).max() < 0.1 * change
    assert list((tmp_path / "cache").glob("training-*")) == [of_living]


def test_maps_lie_beside_the_checkpoints_while_they_are_needed(tmp_path):
    def stop(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("fusion", total):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        feature(tmp_path, stop, n_views=2)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"cnn.pt", "fusion.pt", "fusion-maps.json"} | {
        f"fusion-maps-{number}.npy" for number in range(5)
    }
    stages: list[str] = []
    resumed = feature(tmp_path, lambda stage, *_: stages.append(stage), n_views=2)
    assert set(stages) == {"fusion"}
    assert {path.name for path in tmp_path.iterdir()} == {"cnn.pt", "fusion.pt"}
    np.testing.assert_array_equal(resumed, feature(n_views=2))


def test_without_room_the_whole_network_runs(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: Usage(0, 0, 1))
    with caplog.at_level(logging.WARNING):
        found = feature(tmp_path, n_views=2)
    assert "the whole network runs in every epoch" in caplog.text
    np.testing.assert_array_equal(found, feature())
