"""What makes two tags the same tag: the one place where tags are normalised.

Two spellings are one tag when their *keys* are equal. The key is the text in Unicode NFC,
case-folded, with every run of white space made one space and none at the ends. The spelling
that was typed is kept for display (:func:`clean_tag`); where people typed several, the most
frequent one is shown, among equals the one with fewest capitals, then the first in code-point
order.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable

# Control characters would reach the terminals and pages that tags are shown on.
_INVISIBLE = ("Cc", "Cs")

__all__ = ["clean_tag", "display_spellings", "merge_tags", "tag_key"]


def clean_tag(text: str) -> str:
    r"""Return the display form of a tag: NFC, white space collapsed, no control characters.

    Examples
    --------
    >>> clean_tag("  New\u00a0  York ")
    'New York'
    """
    visible = "".join(
        character
        for character in unicodedata.normalize("NFC", text)
        if character.isspace() or unicodedata.category(character) not in _INVISIBLE
    )
    return " ".join(visible.split())


def tag_key(text: str) -> str:
    r"""Return the key by which tags are compared: NFC, case-folded, white space collapsed.

    Examples
    --------
    >>> tag_key("Café") == tag_key("CAFE\u0301 ")
    True
    """
    # Case-folding can leave a text that is no longer NFC (U+0345 does), hence the second pass.
    folded = clean_tag(text).casefold()
    return " ".join(unicodedata.normalize("NFC", folded).split())


def merge_tags(texts: Iterable[str]) -> tuple[str, ...]:
    """Clean tags, drop the blank ones and keep the first spelling of each.

    Examples
    --------
    >>> merge_tags(["Beach", " beach", "", "Sea  side"])
    ('Beach', 'Sea side')
    """
    first: dict[str, str] = {}
    for text in texts:
        spelling = clean_tag(text)
        if spelling:
            first.setdefault(tag_key(spelling), spelling)
    return tuple(first.values())


def display_spellings(tag_lists: Iterable[Iterable[str]]) -> dict[str, str]:
    """Return for every key the spelling that people typed most often.

    Parameters
    ----------
    tag_lists : iterable of iterable of str
        The tags of each picture, as typed.

    Returns
    -------
    dict of str to str
        Key to spelling, sorted by key.

    Examples
    --------
    >>> display_spellings([["NASA"], ["nasa"], ["NASA", "Moon"]])
    {'moon': 'Moon', 'nasa': 'NASA'}
    """
    counts: dict[str, Counter[str]] = {}
    for tags in tag_lists:
        for text in tags:
            spelling = clean_tag(text)
            if spelling:
                counts.setdefault(tag_key(spelling), Counter())[spelling] += 1
    return {
        key: min(spellings, key=lambda text: (-spellings[text], _n_capitals(text), text))
        for key, spellings in sorted(counts.items())
    }


def _n_capitals(text: str) -> int:
    return sum(character.isupper() for character in text)
