"""Networks compiled for the CPU: the folder they are kept in, and what runs them.

A folder holds ``network.xml`` and ``network.bin`` (OpenVINO's portable form: pixels uint8
(1, size, size, 3) in, features and class probabilities out) and ``extractor.json``, which says
what they are. The form that fits one kind of CPU is made from it on first use and kept in
:func:`indexing.extractors.cache.cache_folder`.
"""

import hashlib
import json
import logging
from collections import deque
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.errors import ArtifactError, InputError
from indexing.extractors.base import Device, Key
from indexing.extractors.cache import cache_folder, file_sha256, staged
from indexing.extractors.device import as_device
from indexing.extractors.network import NetworkExtractor, NetworkSpec
from indexing.extractors.runtime import inference_runtime
from indexing.records import printable_path

__all__ = [
    "FORMAT",
    "FORMAT_VERSION",
    "GRAPH_FILES",
    "CompiledExtractor",
    "open_compiled",
    "open_folder",
    "write_manifest",
]

logger = logging.getLogger(__name__)

FORMAT = "tag-engine extractor"
FORMAT_VERSION = 1
MANIFEST = "extractor.json"
GRAPH_FILES = ("network.xml", "network.bin")
REQUESTS_A_STREAM = 4  # one runs, the others bridge pauses of the source and the consumer


class CompiledExtractor(NetworkExtractor):
    """A network compiled for this CPU.

    It is compiled for one picture at a time and as many at once as the CPU likes: as fast as
    batches of 2 to 32 within a few per cent (measured), with no vector depending on its
    neighbours in a batch, and the same network serves one picture and a million.

    Parameters
    ----------
    name : str
        The name it was opened by.
    spec : NetworkSpec
        What is known of the network.
    folder : Path
        Where its files are.
    compiled : openvino.CompiledModel
        The network; calls from several threads may overlap.
    runtime : str
        What computes, and in which arithmetic.
    """

    def __init__(
        self, name: str, spec: NetworkSpec, folder: Path, compiled: Any, runtime: str
    ) -> None:
        super().__init__(name, spec, runtime)
        self.folder = folder
        self._compiled = compiled
        streams = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self._n_requests = REQUESTS_A_STREAM * streams

    def _outputs(
        self, pictures: Iterator[tuple[Key, NDArray[np.uint8]]]
    ) -> Generator[tuple[Key, NDArray[np.float32], NDArray[np.float32]], None, None]:
        # Requests are made anew (0.1 ms each), so that calls from several threads may overlap.
        running: deque[tuple[Key, Any]] = deque()
        try:
            for key, picture in pictures:
                result = None
                if len(running) < self._n_requests:
                    request = self._compiled.create_infer_request()
                else:
                    done, request = running.popleft()
                    result = done, *self._finish(request)
                request.start_async([picture[None]])
                running.append((key, request))
                if result is not None:
                    yield result
            while running:
                done, request = running.popleft()
                yield done, *self._finish(request)
        finally:
            for _, request in running:
                request.wait()

    def _finish(self, request: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Wait for a request and copy its results out, so that it can be used again."""
        request.wait()
        features: NDArray[np.float32] = request.get_output_tensor(0).data[0].copy()
        if not self.n_classes:
            return features, np.empty(0, np.float32)
        return features, request.get_output_tensor(1).data[0].copy()


def open_compiled(argument: str, device: Device | str) -> CompiledExtractor:
    """Open ``compiled:PATH``: a folder that :func:`indexing.extractors.export.export` wrote.

    Parameters
    ----------
    argument : str
        Path of the folder.
    device : Device or str
        ``auto`` or ``cpu``.

    Raises
    ------
    ArtifactError
        If the folder is missing, foreign, damaged or of another version.
    InputError
        If CUDA is asked for.
    """
    if as_device(device) is Device.CUDA:
        raise InputError(
            f"compiled:{argument} was asked for on cuda; compiled networks run on the CPU; "
            "use the device auto or cpu"
        )
    return open_folder(f"compiled:{argument}", Path(argument).expanduser(), verify=True)


def open_folder(name: str, folder: Path, *, verify: bool) -> CompiledExtractor:
    """Open a folder that holds a network.

    Parameters
    ----------
    name : str
        What the extractor shall be called.
    folder : Path
        Where the files are.
    verify : bool
        Whether the graph's bytes are compared with their recorded SHA-256 and not only
        counted.

    Raises
    ------
    ArtifactError
        If the folder is missing, foreign, damaged or of another version.
    """
    spec, files = _read_manifest(folder, verify=verify)
    openvino = inference_runtime()
    core = openvino.Core()
    capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    precision = "bf16" if "BF16" in capabilities else "f32"
    version = openvino.get_version()
    identity = (files, version, core.get_property("CPU", "FULL_DEVICE_NAME"), capabilities)
    try:
        compiled = _compile(core, folder.resolve() / GRAPH_FILES[0], precision, identity)
    except RuntimeError as error:
        raise ArtifactError(
            f"{printable_path(folder)} holds a network that OpenVINO {version} cannot read "
            f"({str(error).splitlines()[0]}); export it again"
        ) from error
    runtime = f"openvino {version.split('-')[0]} cpu {precision}"
    return CompiledExtractor(name, spec, folder, compiled, runtime)


def write_manifest(folder: Path, spec: NetworkSpec) -> None:
    """Complete a folder that holds the graph: say what it is."""
    content = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "network": spec.to_json(),
        "files": {
            file: {"bytes": (folder / file).stat().st_size, "sha256": file_sha256(folder / file)}
            for file in GRAPH_FILES
        },
    }
    (folder / MANIFEST).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _read_manifest(folder: Path, *, verify: bool) -> tuple[NetworkSpec, dict[str, Any]]:
    """Return what the folder holds and the identity of its files, which were checked."""
    place = printable_path(folder)
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except OSError as error:
        raise ArtifactError(
            f"{place} has no {MANIFEST} ({error.strerror}); a folder that an export wrote is "
            "wanted; check the path"
        ) from error
    except ValueError as error:
        raise ArtifactError(
            f"{place}/{MANIFEST} is no JSON ({error}); export the network again"
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ArtifactError(
            f"{place}/{MANIFEST} is of another program; the format {FORMAT!r} is accepted; "
            "check the path"
        )
    if content.get("version") != FORMAT_VERSION:
        raise ArtifactError(
            f"{place} has version {content.get('version')!r}; version {FORMAT_VERSION} is "
            "accepted; export the network again with this version"
        )
    spec = NetworkSpec.from_json(content.get("network"))
    files: dict[str, Any] = content.get("files", {})
    for file in GRAPH_FILES:
        try:
            recorded = files[file]
            sound = (folder / file).stat().st_size == recorded["bytes"] and (
                not verify or file_sha256(folder / file) == recorded["sha256"]
            )
        except (KeyError, TypeError, OSError):
            sound = False
        if not sound:
            raise ArtifactError(
                f"{place}/{file} is missing, damaged or of another network; the file that "
                f"{MANIFEST} records is wanted; export the network again"
            )
    return spec, files


def _compile(core: Any, graph: Path, precision: str, identity: tuple[Any, ...]) -> Any:
    """Compile a graph for this CPU, or load what an earlier run compiled.

    OpenVINO checks what it finds in its cache and compiles again where it does not fit, but
    it writes there in place, and processes that start together crash on each other's half
    (seen: 4 of 100, one of them by SIGBUS). So a cache that is not there yet is filled in
    private and published whole, a folder for every graph, CPU and version.
    """
    settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": precision}
    # The file's time is in the key because OpenVINO looks at it, too.
    key = json.dumps([str(graph), graph.stat().st_mtime_ns, settings, *identity], sort_keys=True)
    digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    cache = cache_folder() / "compiled" / digest

    def compile_into(folder: Path) -> Any:
        return core.compile_model(str(graph), "CPU", {**settings, "CACHE_DIR": str(folder)})

    try:
        if cache.is_dir():
            return compile_into(cache)
        with staged(cache) as fresh:
            return compile_into(fresh)
    except (OSError, RuntimeError) as error:
        logger.warning("%s cannot be used (%s): compiling without it", cache, error)
        return core.compile_model(str(graph), "CPU", settings)
