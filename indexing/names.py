"""What a mistyped name was meant to be."""

from collections.abc import Iterable, Sequence

__all__ = ["did_you_mean", "meant", "suggestion"]

_LIKENESS = 0.6


def meant(name: str, names: Iterable[str], *, n: int = 1, likeness: float = _LIKENESS) -> list[str]:
    """Return the names that are most like one that was typed, the likest first, case aside.

    Parameters
    ----------
    name : str
    names : iterable of str
        Those that there are.
    n : int, default=1
        So many at most.
    likeness : float, default=0.6
        How like they are at least: 0 is not at all, 1 the same (``difflib``).

    Examples
    --------
    >>> meant("Sunst", ["beach", "sunset"])
    ['sunset']
    """
    import difflib

    by_folded = {one.casefold(): one for one in names}
    close = difflib.get_close_matches(name.casefold(), list(by_folded), n=n, cutoff=likeness)
    return [by_folded[one] for one in close]


def did_you_mean(names: Sequence[str]) -> str:
    """Return the question after names that were meant, one or more.

    Examples
    --------
    >>> did_you_mean(["sunset", "beach"])
    "did you mean 'sunset' or 'beach'?"
    """
    return f"did you mean {' or '.join(map(repr, names))}?"


def suggestion(
    name: str, names: Iterable[str], *, n: int = 3, otherwise: str = "choose one"
) -> str:
    """Return the end of a message: the names that are like `name`, or what else is to be done.

    Examples
    --------
    >>> suggestion("resnet8", ["resnet18", "vgg11"])
    "did you mean 'resnet18'?"
    >>> suggestion("x", ["resnet18", "vgg11"])
    'choose one'
    """
    close = meant(name, names, n=n)
    return did_you_mean(close) if close else otherwise
