"""Write a network into a folder that opens as ``compiled:PATH``."""

import shutil
from pathlib import Path

from indexing.errors import InputError
from indexing.extractors.base import FeatureExtractor
from indexing.extractors.cache import staged
from indexing.extractors.compiled import CompiledExtractor
from indexing.records import printable_path

__all__ = ["export"]


def export(extractor: FeatureExtractor, folder: Path) -> None:
    """Export an extractor; the copy has the same fingerprint and needs no torch.

    A network that was trained is exported by
    :func:`indexing.extractors.conversion.write_network`.

    Parameters
    ----------
    extractor : FeatureExtractor
        A network that `open_extractor` opened, on whatever device.
    folder : Path
        Where it shall be; must not exist, or be empty.

    Raises
    ------
    InputError
        If the folder has content, or the extractor is no network.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            f"{printable_path(folder)} has content; a new or an empty folder is accepted; "
            "choose another"
        )
    if isinstance(extractor, CompiledExtractor):
        with staged(folder) as fresh:
            shutil.copytree(extractor.folder, fresh, dirs_exist_ok=True)
        return
    from indexing.extractors.conversion import write_network
    from indexing.extractors.eager import EagerExtractor

    if not isinstance(extractor, EagerExtractor):
        raise InputError(
            f"{extractor.name} is no network; the networks that open_extractor opens are "
            "accepted; choose one of them"
        )
    with staged(folder) as fresh:
        write_network(extractor.network, fresh)
