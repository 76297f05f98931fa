"""Names, fingerprints, devices, the cache folder and the probe: all without a network."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from indexing.errors import ArtifactError, InputError
from indexing.extractors import (
    EXTRACTORS,
    Device,
    Fingerprint,
    cache_folder,
    device,
    extractor_names,
    open_extractor,
)
from indexing.extractors.cache import file_sha256, staged
from indexing.extractors.network import NetworkSpec, describe_preprocessing, framing_for
from indexing.extractors.probe import check_probe, probe_picture
from indexing.pixels import Framing, Resample

FINGERPRINT = Fingerprint(model="m", weights="w", preprocessing="p")


class TestNames:
    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("efficientnet-lite3", "did you mean 'efficientnet-lite2'"),
            ("efficientnet", "did you mean 'efficientnet-lite"),
            ("tim:resnet18", r"did you mean 'timm'\?"),
            ("timm", r"did you mean 'timm'\?"),
            ("timm:", r"did you mean 'timm'\?"),
            ("efficientnet-lite2:x", "did you mean 'efficientnet-lite2'"),
            ("zzz", "choose one"),
            ("", "choose one"),
        ],
    )
    def test_unknown_names_are_refused_with_what_is_accepted(self, name, hint):
        with pytest.raises(InputError, match=f"is unknown; accepted are efficient.*; {hint}"):
            open_extractor(name)

    def test_a_new_row_is_found(self, monkeypatch):
        monkeypatch.setitem(EXTRACTORS, "pair:A", "builtins:divmod")
        assert extractor_names()[-1] == "pair:A"
        with pytest.raises(TypeError, match="unsupported operand"):  # divmod("x:y", "cpu")
            open_extractor("pair:x:y", "cpu")


class TestFingerprint:
    @pytest.mark.parametrize("field", ["model", "weights", "preprocessing"])
    def test_every_field_counts(self, field):
        assert replace(FINGERPRINT, **{field: "other"}).digest != FINGERPRINT.digest

    def test_digest_is_that_of_the_canonical_json(self):
        # printf '{"model":"m","preprocessing":"p","weights":"w"}' | sha256sum
        assert FINGERPRINT.digest == "3a7b2ee2532ec68e"

    @pytest.mark.parametrize(
        "value", [None, [], {}, {"model": "m"}, {"model": 1, "weights": "w", "preprocessing": "p"}]
    )
    def test_foreign_json_is_refused(self, value):
        with pytest.raises(ArtifactError, match="holds the texts model, preprocessing, weights"):
            Fingerprint.from_json(value)

    def test_preprocessing_names_all_that_decides(self):
        base = (Framing(size=8), (1.0, 2.0, 3.0), (4.0, 5.0, 6.0), (7, 8))
        assert describe_preprocessing(*base) == (
            "8 px, trim 0.5, bicubic; pixels less (1, 2, 3) over (4, 5, 6); blocks 7+8"
        )
        others = [
            (Framing(size=9), *base[1:]),
            (Framing(size=8, trim=0.25), *base[1:]),
            (Framing(size=8, resample=Resample.BILINEAR), *base[1:]),
            (base[0], (1.0, 2.0, 3.5), *base[2:]),
            (*base[:2], (4.0, 5.0, 6.5), base[3]),
            (*base[:3], (15,)),
        ]
        assert len({describe_preprocessing(*other) for other in [base, *others]}) == 7


class TestNetworkSpec:
    SPEC = NetworkSpec(
        fingerprint=FINGERPRINT,
        framing=Framing(size=99, trim=0.25, resample=Resample.BILINEAR),
        blocks=(3, 2),
        n_classes=4,
    )

    def test_round_trip(self):
        assert NetworkSpec.from_json(self.SPEC.to_json()) == self.SPEC

    @pytest.mark.parametrize("field", ["fingerprint", "framing", "blocks", "n_classes"])
    def test_a_missing_field_is_refused(self, field):
        value = self.SPEC.to_json()
        del value[field]
        with pytest.raises(ArtifactError, match="export the network again"):
            NetworkSpec.from_json(value)

    @pytest.mark.parametrize(
        ("field", "value"), [("framing", {"size": 0}), ("framing", 3), ("blocks", "x")]
    )
    def test_a_field_of_another_kind_is_refused(self, field, value):
        with pytest.raises(ArtifactError, match="export the network again"):
            NetworkSpec.from_json({**self.SPEC.to_json(), field: value})


def test_a_filter_we_do_not_have_becomes_the_default():
    assert framing_for(32, "bilinear").resample is Resample.BILINEAR
    assert framing_for(32, "lanczos") == Framing(size=32)


class TestDevice:
    def test_cpu_asks_nobody(self, monkeypatch):
        monkeypatch.setattr(device, "_cuda_obstacle", lambda: pytest.fail("was asked"))
        assert device.resolve_device("cpu") is Device.CPU

    def test_auto_takes_what_is_there(self, monkeypatch):
        monkeypatch.setattr(device, "_cuda_obstacle", lambda: None)
        assert device.resolve_device("auto") is Device.CUDA
        monkeypatch.setattr(device, "_cuda_obstacle", lambda: "no CUDA device is visible")
        assert device.resolve_device(Device.AUTO) is Device.CPU

    def test_cuda_where_there_is_none(self, monkeypatch):
        monkeypatch.setattr(device, "_n_driver_devices", lambda: 0)
        with pytest.raises(InputError, match=r"no CUDA device is visible; .*; use the device auto"):
            open_extractor("efficientnet-lite2", "cuda")

    def test_cuda_where_torch_cannot_use_it(self, monkeypatch):
        import torch

        monkeypatch.setattr(device, "_n_driver_devices", lambda: 1)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        with pytest.raises(InputError, match=r"torch .* cannot use the CUDA device; "):
            device.resolve_device("cuda")
        assert device.resolve_device("auto") is Device.CPU

    def test_unknown(self):
        with pytest.raises(InputError, match="'gpu' is unknown; accepted are auto, cpu, cuda"):
            device.resolve_device("gpu")


class TestCacheFolder:
    @pytest.mark.parametrize(
        ("own", "shared", "expected"),
        [
            ("/a", "/b", "/a"),
            ("", "/b", "/b/tag-engine"),
            (None, "/b", "/b/tag-engine"),
            (None, None, "/home/me/.cache/tag-engine"),
            ("", "", "/home/me/.cache/tag-engine"),
        ],
    )
    def test_order(self, monkeypatch, own, shared, expected):
        monkeypatch.setenv("HOME", "/home/me")
        for name, value in (("ENGINE_CACHE", own), ("XDG_CACHE_HOME", shared)):
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        assert cache_folder() == Path(expected)

    def test_a_relative_folder_stays_where_it_is(self, monkeypatch, tmp_path):
        monkeypatch.setenv("ENGINE_CACHE", "here")
        monkeypatch.chdir(tmp_path)
        assert cache_folder() == tmp_path / "here"


def names_in(folder):
    return [path.name for path in folder.iterdir()]


class TestStaged:
    def test_appears_whole(self, tmp_path):
        place = tmp_path / "deep" / "place"
        with staged(place) as fresh:
            (fresh / "a").write_text("1")
            assert not place.exists()
        assert (place / "a").read_text() == "1"
        assert names_in(place.parent) == ["place"]

    def test_a_failure_leaves_nothing(self, tmp_path):
        def fail():
            with staged(tmp_path / "place") as fresh:
                (fresh / "a").write_text("1")
                raise KeyError("half way")

        with pytest.raises(KeyError, match="half way"):
            fail()
        assert names_in(tmp_path) == []

    def test_the_first_of_two_wins(self, tmp_path):
        place = tmp_path / "place"
        with staged(place) as late:
            (late / "a").write_text("late")
            with staged(place) as early:
                (early / "a").write_text("early")
        assert (place / "a").read_text() == "early"
        assert names_in(tmp_path) == ["place"]

    def test_what_is_damaged_is_replaced(self, tmp_path):
        place = tmp_path / "place"
        place.mkdir()
        (place / "b").write_text("damaged")
        with staged(place, replace=True) as fresh:
            (fresh / "a").write_text("new")
        assert names_in(place) == ["a"]
        assert names_in(tmp_path) == ["place"]


def test_sha256_of_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert file_sha256(tmp_path / "a").startswith("ba7816bf8f01cfea414140de5dae2223")
    with pytest.raises(ArtifactError, match=r"/b cannot be read \(No such file or directory\); "):
        file_sha256(tmp_path / "b")


class FlatExtractor:
    """Two dims: the mean red and the mean blue."""

    name = "flat"
    runtime = "numpy"
    framing = Framing(size=40)

    def extract(self, pixels):
        return pixels.mean(axis=(1, 2), dtype=np.float32)[:, [0, 2]]


class TestProbe:
    def test_picture_is_the_same_everywhere(self):
        picture = probe_picture(Framing(size=64))
        assert picture.dtype == np.uint8
        assert picture.shape == (64, 64, 3)
        # Worked by hand at the place (0, 0): the rings are at 524288 // 300 = 1747, 67 into a
        # period of 80; x * y and x and y are 0.
        assert picture[0, 0].tolist() == [140 + (13 * 320 // 80 - 80) - 30, 110 - 70 - 30, 70 - 60]
        assert int(picture.sum(dtype=np.int64)) == 1_292_974
        assert (picture.std(axis=(0, 1)) > 30).all()

    def test_agreement(self):
        extractor = FlatExtractor()
        vector = extractor.extract(probe_picture(extractor.framing)[None])[0]
        check_probe(extractor, vector)
        check_probe(extractor, 3 * vector)
        check_probe(extractor, vector[::-1], min_cosine=0.5)

    def test_disagreement(self):
        extractor = FlatExtractor()
        vector = extractor.extract(probe_picture(extractor.framing)[None])[0]
        for wrong in (vector[::-1], 0 * vector, np.nan * vector, np.inf * vector):
            with pytest.raises(ArtifactError, match=r"flat on numpy sees .* at cosine .* build it"):
                check_probe(extractor, wrong)
        with pytest.raises(ArtifactError, match=r"shape \(1,\); flat gives \(2,\)"):
            check_probe(extractor, vector[:1])

    def test_cosine_is_compared_with_the_limit(self):
        extractor = FlatExtractor()
        vector = extractor.extract(probe_picture(extractor.framing)[None])[0]
        across = np.array([-vector[1], vector[0]])
        check_probe(extractor, vector + 0.04 * across)  # cosine 0.9992
        with pytest.raises(ArtifactError, match=r"at cosine 0\.9988 to"):
            check_probe(extractor, vector + 0.05 * across)


def test_importing_the_package_is_light():
    code = (
        "import sys; import indexing.extractors as e; e.cache_folder(); "
        "heavy = {'numpy', 'torch', 'openvino', 'PIL', 'timm'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
