"""Any network of timm as an extractor: ``timm:NAME[@CHECKPOINT]``.

Weights come from a checkpoint file, or where none is named from the hub, whose client keeps
them. Once a network has been converted, neither the hub nor torch is asked again.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexing.errors import InputError, MissingDependencyError
from indexing.extractors.base import Device, FeatureExtractor
from indexing.extractors.cache import file_sha256
from indexing.extractors.network import framing_for
from indexing.extractors.recipes import Recipe, open_recipe
from indexing.extractors.weights import from_file, from_hub
from indexing.names import suggestion

if TYPE_CHECKING:
    from indexing.extractors.modules import Network, TimmTower

__all__ = ["load_network", "open_timm", "tower_of"]


def open_timm(argument: str, device: Device | str) -> FeatureExtractor:
    """Open a network of timm: its feature, and the pooled last maps of its stages.

    Parameters
    ----------
    argument : str
        ``NAME`` or ``NAME@CHECKPOINT``; a checkpoint is a ``.safetensors`` file, or a state
        dict that torch saved.
    device : Device or str
        Where it shall run.

    Raises
    ------
    InputError
        If timm knows no such network.
    ArtifactError
        If the weights cannot be had, or do not fit.
    """
    model, _, checkpoint = argument.partition("@")
    path = Path(checkpoint).expanduser() if checkpoint else None
    sha256 = file_sha256(path) if path is not None else None
    recipe = Recipe(
        name=f"timm:{argument}",
        # Of weights from the hub nothing is known before they are here; the fingerprint of
        # what is converted then records them.
        identity={"model": f"timm:{model}", "weights": sha256 or "hub"},
        load=lambda: load_network(model, path, sha256),
    )
    return open_recipe(recipe, device)


def load_network(model: str, checkpoint: Path | None, sha256: str | None) -> "Network":
    """Build a network of timm with its weights.

    Parameters
    ----------
    model : str
        Its name there.
    checkpoint : Path or None
        File of weights; None = the hub's.
    sha256 : str or None
        SHA-256 of that file in hex; None = that of the weights in memory.
    """
    try:
        import timm
    except ImportError as error:
        raise MissingDependencyError("timm", f"timm:{model}", "pip install timm") from error
    from indexing.extractors.modules import assemble

    name = f"timm:{model}"
    if not timm.is_model(model):
        raise InputError(
            f"timm {timm.__version__} has no network {model!r}; accepted are the names of "
            f"timm.list_models(); {suggestion(model, timm.list_models())}"
        )
    if checkpoint is None:
        net: Any
        with from_hub(name):
            net = timm.create_model(model, pretrained=True)
    else:
        with from_file(name, checkpoint):
            state = timm.models.load_state_dict(str(checkpoint), weights_only=True)
            net = timm.create_model(model, pretrained=False, **_n_classes(timm, model, state))
            net.load_state_dict(state)
    config = net.pretrained_cfg
    _, height, width = config["input_size"]
    if height != width:
        raise InputError(
            f"{name} takes pictures of {width} x {height}; networks with a square input are "
            "accepted; choose another"
        )
    tower, blocks = tower_of(net.eval(), height)
    return assemble(
        tower,
        model=name,
        sha256=sha256,
        framing=framing_for(height, config["interpolation"]),
        mean=tuple(255 * value for value in config["mean"]),
        scale=tuple(255 * value for value in config["std"]),
        blocks=blocks,
        n_classes=net.num_classes,
    )


def _n_classes(timm: Any, model: str, state: dict[str, Any]) -> dict[str, Any]:
    """Return the classes of a checkpoint as timm's argument: fine-tuned ones have others."""
    config = timm.get_pretrained_cfg(model, allow_unregistered=True)
    weight = state.get(f"{config.classifier}.weight") if config is not None else None
    return {} if weight is None else {"num_classes": int(weight.shape[0])}


def tower_of(net: Any, size: int) -> tuple["TimmTower", tuple[int, ...]]:
    """Choose the maps that are pooled: the last one at each resolution.

    A transformer that keeps one resolution has no stages, nor has a network that does not
    hand its maps out. Where the feature is the mean of the last map, as in a ResNet, that
    map is not repeated.
    """
    import torch

    from indexing.extractors.modules import TimmTower, pool

    info = getattr(net, "feature_info", None) or []
    last_at = {entry["reduction"]: index for index, entry in enumerate(getattr(info, "info", info))}
    gives_maps = len(last_at) > 1 and hasattr(net, "forward_intermediates")
    stages = list(last_at.values()) if gives_maps else []
    picture = torch.linspace(-1, 1, 3 * size * size).reshape(1, 3, size, size)
    with torch.inference_mode():
        feature, maps, _ = TimmTower(net, stages).maps(picture)
        last = pool(maps[-1]) if maps else None
        if last is not None and last.shape == feature.shape and torch.allclose(last, feature):
            stages, maps = stages[:-1], maps[:-1]
    blocks = (feature.shape[1], *(stage_map.shape[1] for stage_map in maps))
    return TimmTower(net, stages), blocks
