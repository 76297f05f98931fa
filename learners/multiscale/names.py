"""Names of backbones, and what pictures each wants; no torch unless timm must be asked."""

from indexing.errors import InputError, MissingDependencyError
from indexing.extractors import efficientnet
from indexing.extractors.network import framing_for
from indexing.pixels import Framing

__all__ = ["LITE", "framing_of", "timm_name"]

LITE = {"efficientnet-lite0": 0, "efficientnet-lite2": 2}
"""Names of the networks whose weights come with the installation -> their variants."""


def timm_name(backbone: str) -> tuple[str, str]:
    """Return model and checkpoint of ``timm:NAME[@CHECKPOINT]``; of the others, two blanks.

    Raises
    ------
    InputError
        If it is no name of a backbone.

    Examples
    --------
    >>> timm_name("timm:resnet101"), timm_name("efficientnet-lite2")
    (('resnet101', ''), ('', ''))
    """
    kind, _, argument = backbone.partition(":")
    model, _, checkpoint = argument.partition("@")
    if backbone in LITE:
        return "", ""
    if kind != "timm" or not model:
        raise InputError(
            f"backbone is {backbone!r}; it is {', '.join(LITE)} or timm:NAME[@CHECKPOINT]; choose "
            "one"
        )
    return model, checkpoint


def framing_of(backbone: str) -> Framing:
    """Return how pictures become the squares that a backbone was trained on.

    Raises
    ------
    InputError
        If there is no such network.
    MissingDependencyError
        If it is timm's, and timm is not installed.

    Examples
    --------
    >>> framing_of("efficientnet-lite2").size
    260
    """
    model, _ = timm_name(backbone)
    if not model:
        return Framing(size=efficientnet.VARIANTS[LITE[backbone]][0])
    try:
        import timm
    except ImportError as error:
        raise MissingDependencyError("timm", backbone, "pip install timm") from error
    if not timm.is_model(model):
        raise InputError(
            f"timm {timm.__version__} has no network {model!r}; accepted are the names of "
            "timm.list_models(); choose one"
        )
    config = timm.get_pretrained_cfg(model)
    # A network that nobody has published weights of says nothing.
    return (
        Framing(size=224)
        if config is None
        else framing_for(config.input_size[-1], config.interpolation)
    )
