"""The picture side of an image-text model as an extractor: ``open_clip:NAME[@CHECKPOINT]``."""

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
    from indexing.extractors.modules import Network

__all__ = ["load_model", "load_network", "open_image_text"]


def open_image_text(argument: str, device: Device | str) -> FeatureExtractor:
    """Open a model of open_clip: the embedding of a picture, not normalised.

    Parameters
    ----------
    argument : str
        ``NAME`` or ``NAME@CHECKPOINT``. A checkpoint is a file of weights of the whole model,
        or one of the tags under which open_clip knows weights on the hub.
    device : Device or str
        Where it shall run.

    Raises
    ------
    InputError
        If open_clip knows no such model or tag, or several tags and none was chosen.
    ArtifactError
        If the weights cannot be had, or do not fit.
    """
    model, _, checkpoint = argument.partition("@")
    path = Path(checkpoint).expanduser()
    sha256 = file_sha256(path) if path.is_file() else None
    recipe = Recipe(
        name=f"open_clip:{argument}",
        identity={"model": f"open_clip:{model}", "weights": sha256 or f"hub {checkpoint}"},
        load=lambda: load_network(model, checkpoint, sha256),
    )
    return open_recipe(recipe, device)


def load_network(model: str, checkpoint: str, sha256: str | None) -> "Network":
    """Build the picture side of a model of open_clip with its weights.

    Parameters
    ----------
    model : str
        Its name there.
    checkpoint : str
        File of weights, or a tag of the hub.
    sha256 : str or None
        SHA-256 of the file in hex; None = there is no file.
    """
    import torch

    from indexing.extractors.modules import ImageTower, assemble

    name = f"open_clip:{model}"
    net = load_model(model, checkpoint, sha256)
    config = net.visual.preprocess_cfg
    size = config["size"] if isinstance(config["size"], int) else max(config["size"])
    tower = ImageTower(net)
    with torch.inference_mode():
        n_dims = tower(torch.zeros(1, 3, size, size)).shape[1]
    return assemble(
        tower,
        model=name,
        sha256=sha256,
        framing=framing_for(size, config["interpolation"]),
        mean=tuple(255 * value for value in config["mean"]),
        scale=tuple(255 * value for value in config["std"]),
        blocks=(n_dims,),
        n_classes=0,
    )


def load_model(model: str, checkpoint: str, sha256: str | None) -> Any:
    """Build both sides of a model of open_clip with its weights, in evaluation mode.

    Parameters and errors are those of :func:`load_network`.
    """
    try:
        import open_clip
    except ImportError as error:
        raise MissingDependencyError(
            "open_clip", f"open_clip:{model}", "pip install open-clip-torch"
        ) from error
    name = f"open_clip:{model}"
    if model not in open_clip.list_models():
        raise InputError(
            f"open_clip {open_clip.__version__} has no model {model!r}; accepted are the names "
            f"of open_clip.list_models(); {suggestion(model, open_clip.list_models())}"
        )
    if sha256 is not None:
        path = Path(checkpoint).expanduser()
        with from_file(name, path):
            net = open_clip.create_model(model, pretrained=str(path), pretrained_text=False)
    else:
        tag = _chosen_tag(open_clip, model, checkpoint)
        trained_with = open_clip.get_pretrained_cfg(model, tag)
        with from_hub(f"{name}@{tag}"):
            net = open_clip.create_model(
                model, pretrained=tag, force_quick_gelu=bool(trained_with.get("quick_gelu"))
            )
    return net.eval()


def _chosen_tag(open_clip: Any, model: str, tag: str) -> str:
    """Return the hub's tag that was asked for, or the only one there is."""
    tags: list[str] = open_clip.list_pretrained_tags_by_model(model)
    if not tag and len(tags) == 1:
        return tags[0]
    if tag in tags:
        return tag
    found = f"no file and no tag {tag!r}" if tag else f"{len(tags)} weights and no choice"
    choices = ", ".join(tags) or "none"
    raise InputError(
        f"open_clip:{model} has {found}; accepted are a file of weights and the tags {choices}; "
        f"write open_clip:{model}@path/to/checkpoint or @TAG"
    )
