"""What a mistyped name was meant to be."""

import difflib
from collections.abc import Iterable

__all__ = ["suggestion"]


def suggestion(name: str, names: Iterable[str], *, n: int = 3) -> str:
    """Return the end of a message: the names that are like `name`, or that one is to be chosen.

    Examples
    --------
    >>> suggestion("resnet8", ["resnet18", "vgg11"])
    'did you mean resnet18?'
    >>> suggestion("x", ["resnet18", "vgg11"])
    'choose one'
    """
    close = difflib.get_close_matches(name, list(names), n=n)
    return f"did you mean {' or '.join(close)}?" if close else "choose one"
