"""The table of extractors: a name, and where it is opened."""

from importlib import import_module
from typing import cast

from indexing.errors import InputError
from indexing.extractors.base import Device, FeatureExtractor
from indexing.names import suggestion

__all__ = ["DEFAULT_EXTRACTOR", "EXTRACTORS", "extractor_names", "open_extractor"]

DEFAULT_EXTRACTOR = "efficientnet-lite2"

# A name as people write it -> function (what stands behind the colon, device) -> extractor.
EXTRACTORS = {
    "efficientnet-lite2": "indexing.extractors.efficientnet:open_lite2",
    "efficientnet-lite0": "indexing.extractors.efficientnet:open_lite0",
    "timm:NAME[@CHECKPOINT]": "indexing.extractors.zoo:open_timm",
    "open_clip:NAME[@CHECKPOINT]": "indexing.extractors.image_text:open_image_text",
    "compiled:PATH": "indexing.extractors.compiled:open_compiled",
    "bag-of-words:PATH": "indexing.extractors.visual_words:open_visual_words",
}


def extractor_names() -> tuple[str, ...]:
    """Return the names that `open_extractor` takes, as help texts show them."""
    return tuple(EXTRACTORS)


def open_extractor(name: str, device: Device | str = Device.AUTO) -> FeatureExtractor:
    """Open an extractor.

    The first time a network is opened on a CPU it is converted, which takes some seconds and
    imports torch; the result is kept in :func:`indexing.extractors.cache.cache_folder`.

    Parameters
    ----------
    name : str
        A name of :data:`EXTRACTORS`, such as ``"efficientnet-lite2"``,
        ``"timm:resnet18@weights.safetensors"`` or ``"compiled:my-network"``.
    device : Device or str, default="auto"
        Where it shall run.

    Raises
    ------
    InputError
        If the name or the device is unknown, or the device is not there.
    ArtifactError
        If weights are missing or do not fit.
    MissingDependencyError
        If a package that the extractor needs is not installed.
    """
    kind, _, argument = name.partition(":")
    for form, target in EXTRACTORS.items():
        form_kind, _, form_argument = form.partition(":")
        if form_kind == kind and bool(form_argument) == bool(argument):
            module, _, attribute = target.partition(":")
            opener = getattr(import_module(module), attribute)
            return cast(FeatureExtractor, opener(argument, device))
    hint = suggestion(kind, [form.partition(":")[0] for form in EXTRACTORS], n=1)
    raise InputError(
        f"the extractor {name!r} is unknown; accepted are {', '.join(EXTRACTORS)}; {hint}"
    )
