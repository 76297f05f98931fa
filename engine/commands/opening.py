"""Open the workspace that a command answers from."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.tagger import Tagger

__all__ = ["open_tagger"]


def open_tagger(
    root: Path, device: str, learner: str | None, *, opens_network: bool = True
) -> "Tagger":
    """Open a workspace, unless a learner is named that it does not have: that takes no network.

    Parameters
    ----------
    root : Path
        The workspace folder.
    device : {"auto", "cpu", "cuda"}
    learner : str or None
        Who is to answer; None = the best there is.
    opens_network : bool, default=True
        As :class:`engine.tagger.Tagger` has it.

    Raises
    ------
    InputError
        No learner here has that name.
    ArtifactError
        Nothing was built here, or what was is damaged.
    """
    from engine.generations import GenerationFolders
    from engine.progress import waiting
    from engine.tagger import Tagger
    from engine.trained import check_known

    folders = GenerationFolders(root)
    if learner is not None:
        _, manifest = folders.current()
        check_known(manifest["learners"], learner)
    return Tagger(folders, device, waiting, opens_network=opens_network)
