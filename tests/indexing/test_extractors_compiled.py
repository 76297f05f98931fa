"""Compiled networks on disk: converted once, privately, whole or not at all."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from indexing.errors import ArtifactError, InputError
from indexing.extractors import compiled, open_extractor, zoo
from indexing.extractors.eager import EagerExtractor
from indexing.extractors.export import export
from indexing.extractors.probe import probe_picture


@pytest.fixture
def own_cache(name, extractor_cache, tmp_path, monkeypatch):
    """A cache folder of this test alone: the network is converted, but not compiled."""
    open_extractor(name, "cpu")
    folder = tmp_path / "cache"
    shutil.copytree(extractor_cache / "networks", folder / "networks")
    monkeypatch.setenv("ENGINE_CACHE", str(folder))
    return folder


@pytest.fixture
def no_conversion(monkeypatch):
    """Let a test fail that loads a network of timm."""
    monkeypatch.setattr(zoo, "load_network", lambda *_: pytest.fail("a network was loaded"))


@pytest.fixture
def name(timm_checkpoint):
    return f"timm:test_resnet@{timm_checkpoint}"


def probe_vector(extractor):
    return extractor.extract(probe_picture(extractor.framing)[None])[0]


class TestCache:
    def test_the_second_open_converts_nothing(self, name, extractor_cache, request):
        first = open_extractor(name, "cpu")
        request.getfixturevalue("no_conversion")
        second = open_extractor(name, "cpu")
        assert second.folder == first.folder
        assert second.folder.is_relative_to(extractor_cache)
        np.testing.assert_array_equal(probe_vector(second), probe_vector(first))

    def test_the_second_open_compiles_nothing(self, name, own_cache, no_conversion):
        assert not open_extractor(name, "cpu")._compiled.get_property("LOADED_FROM_CACHE")
        assert open_extractor(name, "cpu")._compiled.get_property("LOADED_FROM_CACHE")

    def test_other_weights_are_another_network(
        self,
        name,
        timm_checkpoint,
        tmp_path,
        extractor_cache,
    ):
        from safetensors.torch import load_file, save_file

        # The same name, overwritten: the path must not stand for the content.
        copy = tmp_path / "weights.safetensors"
        shutil.copy(timm_checkpoint, copy)
        before = open_extractor(f"timm:test_resnet@{copy}", "cpu")
        state = {key: -value for key, value in load_file(copy).items()}
        stat = copy.stat()
        save_file(state, copy)
        os.utime(copy, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        after = open_extractor(f"timm:test_resnet@{copy}", "cpu")
        assert after.fingerprint != before.fingerprint
        assert not np.array_equal(probe_vector(after), probe_vector(before))

    @pytest.mark.parametrize(
        ("file", "share"), [("network.xml", 0), ("network.bin", 0.5), ("extractor.json", 0.5)]
    )
    def test_a_cut_file_is_made_again(self, file, share, name, own_cache, caplog, request):
        extractor = open_extractor(name, "cpu")
        vector = probe_vector(extractor)
        content = (extractor.folder / file).read_bytes()
        (extractor.folder / file).write_bytes(content[: int(share * len(content))])
        again = open_extractor(name, "cpu")
        assert f"converting {name} again" in caplog.text
        np.testing.assert_array_equal(probe_vector(again), vector)
        assert (again.folder / file).read_bytes()
        request.getfixturevalue("no_conversion")
        np.testing.assert_array_equal(probe_vector(open_extractor(name, "cpu")), vector)

    @pytest.mark.parametrize("size", [0, 100, 50_000, -1000, "foreign"])
    def test_a_cut_blob_is_made_again(self, size, name, own_cache, no_conversion):
        vector = probe_vector(open_extractor(name, "cpu"))
        (blob,) = (own_cache / "compiled").glob("*/*.blob")
        content = b"\x7f" * 80_000 if size == "foreign" else blob.read_bytes()[:size]
        blob.unlink()
        blob.write_bytes(content)
        np.testing.assert_array_equal(probe_vector(open_extractor(name, "cpu")), vector)

    def test_nothing_can_be_written(self, name, tmp_path, monkeypatch):
        (tmp_path / "file").write_text("in the way")
        monkeypatch.setenv("ENGINE_CACHE", str(tmp_path / "file"))
        with pytest.raises(ArtifactError, match=r"cannot be written to .*; set ENGINE_CACHE"):
            open_extractor(name, "cpu")

    def test_blobs_cannot_be_written(self, name, own_cache, no_conversion, caplog):
        (own_cache / "compiled").write_text("in the way")
        assert np.isfinite(probe_vector(open_extractor(name, "cpu"))).all()
        assert "compiling without it" in caplog.text


class TestExport:
    @pytest.fixture
    def folder(self, name, extractor_cache, tmp_path):
        export(open_extractor(name, "cpu"), tmp_path / "network")
        return tmp_path / "network"

    def test_it_is_the_same_network(self, name, folder):
        original, copy = open_extractor(name, "cpu"), open_extractor(f"compiled:{folder}")
        assert copy.name == f"compiled:{folder}"
        assert copy.fingerprint == original.fingerprint
        assert copy.blocks == original.blocks
        assert copy.n_classes == original.n_classes == 1000
        np.testing.assert_array_equal(probe_vector(copy), probe_vector(original))

    def test_from_torch(self, timm_checkpoint, tmp_path, extractor_cache):
        network = zoo.load_network("test_resnet", timm_checkpoint, "0")
        eager = EagerExtractor("eager", network, device="cpu")
        export(eager, tmp_path / "network")
        copy = open_extractor(f"compiled:{tmp_path / 'network'}")
        assert copy.fingerprint == eager.fingerprint
        np.testing.assert_allclose(probe_vector(copy), probe_vector(eager), rtol=0.05, atol=0.02)

    def test_a_retrained_network_in_the_same_place(self, folder, timm_checkpoint, tmp_path):
        """Same architecture, same names, same sizes, same times: not the same network."""
        old = probe_vector(open_extractor(f"compiled:{folder}"))
        times = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
        network = zoo.load_network("test_resnet", timm_checkpoint, "1")
        for parameter in network.module.parameters():
            parameter.data *= 1.5
        export(EagerExtractor("eager", network, device="cpu"), tmp_path / "other")
        expected = probe_vector(open_extractor(f"compiled:{tmp_path / 'other'}"))
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "other", folder)
        for path, time in times.items():
            os.utime(path, ns=(time, time))
        actual = probe_vector(open_extractor(f"compiled:{folder}"))
        np.testing.assert_array_equal(actual, expected)
        assert not np.allclose(actual, old)

    def test_a_folder_with_content_is_left_alone(self, name, folder):
        with pytest.raises(InputError, match="network has content; a new or an empty folder"):
            export(open_extractor(name, "cpu"), folder)

    def test_what_is_no_network(self, tmp_path):
        class Flat:
            name = "flat"

        with pytest.raises(InputError, match="flat is no network; "):
            export(Flat(), tmp_path / "flat")

    def test_cuda_is_refused(self, folder):
        with pytest.raises(InputError, match=r"on cuda; compiled networks run on the CPU"):
            open_extractor(f"compiled:{folder}", "cuda")
        with pytest.raises(InputError, match="the device 'gpu' is unknown"):
            open_extractor(f"compiled:{folder}", "gpu")


class TestForeignFolders:
    @pytest.fixture
    def folder(self, name, extractor_cache, tmp_path):
        export(open_extractor(name, "cpu"), tmp_path / "network")
        return tmp_path / "network"

    def assert_refused(self, folder, match):
        with pytest.raises(ArtifactError, match=match):
            open_extractor(f"compiled:{folder}")

    def test_missing(self, tmp_path):
        self.assert_refused(tmp_path / "none", r"none has no extractor.json \(No such file")

    def test_a_file(self, tmp_path):
        (tmp_path / "file").write_text("x")
        self.assert_refused(tmp_path / "file", r"file has no extractor.json \(Not a directory")

    def test_no_json(self, folder):
        (folder / "extractor.json").write_bytes(b"\xff\xfe{")
        self.assert_refused(folder, "extractor.json is no JSON")

    @pytest.mark.parametrize(
        ("change", "match"),
        [
            ({"format": "other"}, "is of another program"),
            ({"version": 2}, "has version 2; version 1 is accepted"),
            ({"network": {}}, "export the network again"),
            ({"files": {}}, "network.xml is missing, damaged or of another network"),
            ({"files": None}, "network.xml is missing, damaged or of another network"),
        ],
    )
    def test_another_manifest(self, folder, change, match):
        content = json.loads((folder / "extractor.json").read_text())
        (folder / "extractor.json").write_text(json.dumps({**content, **change}))
        self.assert_refused(folder, match)

    def test_weights_of_another_network(self, folder):
        """The same size, so that only the content tells."""
        weights = bytearray((folder / "network.bin").read_bytes())
        weights[len(weights) // 2] ^= 1
        (folder / "network.bin").write_bytes(weights)
        self.assert_refused(folder, "network.bin is missing, damaged or of another network")

    def test_no_graph(self, folder):
        (folder / "network.xml").unlink()
        self.assert_refused(folder, "network.xml is missing, damaged or of another network")

    def test_a_graph_that_cannot_be_read(self, folder):
        spec, _ = compiled._read_manifest(folder, verify=False)
        (folder / "network.xml").write_text("<net/>")
        compiled.write_manifest(folder, spec)
        self.assert_refused(folder, r"holds a network that OpenVINO \d+.* cannot read")


def run(code, **environment):
    """Run Python code in a process of its own; warnings are errors."""
    subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        check=True,
        env={**os.environ, **environment},
    )


SILENT = """
import socket, sys
def refuse(*args, **kwargs):
    print("a connection was attempted", args, file=sys.stderr, flush=True)
    import os
    os._exit(3)
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
"""


def test_a_conversion_sends_nothing(name, tmp_path):
    """Not even where nobody has opted out of OpenVINO's telemetry."""
    code = f"""
{SILENT}
from indexing.extractors import open_extractor
open_extractor({name!r}, "cpu")
assert "torch" in sys.modules
loaded = [module for module in sys.modules if "telemetry" in module]
assert not loaded, loaded
"""
    home = tmp_path / "home"
    home.mkdir()
    ci = {variable: "" for variable in ("CI", "TF_BUILD", "JENKINS_URL", "GITHUB_ACTIONS")}
    run(code, HOME=str(home), ENGINE_CACHE=str(tmp_path / "cache"), **ci)
    assert not (home / "intel").exists()  # where the telemetry keeps its state


def test_once_converted_it_is_opened_without_torch(name, extractor_cache):
    open_extractor(name, "cpu")
    code = f"""
{SILENT}
import numpy as np
from indexing.extractors import open_extractor
from indexing.extractors.probe import probe_picture
extractor = open_extractor({name!r}, "auto" if {not has_cuda()} else "cpu")
extractor.extract(probe_picture(extractor.framing)[None])
heavy = {{"torch", "timm", "openvino_telemetry", "openvino.tools.ovc", "scipy"}} & set(sys.modules)
assert not heavy, heavy
assert "http.client" not in sys.modules
"""
    run(code)


def has_cuda():
    import torch

    return torch.cuda.is_available()


def test_a_runtime_that_needs_its_converter(tmp_path):
    """Some version might; its telemetry stays out all the same."""
    package = tmp_path / "openvino"
    (package / "tools" / "ovc").mkdir(parents=True)
    (package / "__init__.py").write_text("from openvino.tools.ovc import convert_model\n")
    (package / "tools" / "__init__.py").touch()
    (package / "tools" / "ovc" / "__init__.py").write_text(
        "try:\n    import openvino_telemetry\nexcept ImportError:\n    convert_model = None\n"
    )
    (tmp_path / "openvino_telemetry.py").touch()
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from indexing.extractors.runtime import inference_runtime
assert inference_runtime().convert_model is None
assert inference_runtime() is sys.modules["openvino"]
import openvino_telemetry
"""
    run(code)
