"""What people type to find pictures, taken for tags and other words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from indexing.names import meant
from indexing.tags import tag_key
from learners.words.lemmas import noun_lemma

__all__ = ["TagNames", "Term", "terms_of"]

# How like a tag a text must be to be a slip of it, from 0 to 1: "cat" is none of "car".
_LIKENESS = 0.75
_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_SAID_OF_NOTHING = """
a about above across after along among an and are around as at be been before behind below beneath
beside between beyond but by down during each few for from had has have he her here him his how i if
in inside into is it its like me more most my near no nor of off on onto or our out outside over own
past she so some such than that the their them then there these they this those through to together
too toward towards under until up upon us very was we were what when where which while who whom
whose why with within without you your
"""
_FUNCTION_WORDS = frozenset(_SAID_OF_NOTHING.split())


@dataclass(frozen=True)
class Term:
    """A part of what was typed.

    Parameters
    ----------
    text : str
        As it was typed.
    column : int or None
        The tag that it is; None = it is no tag of the workspace.
    """

    text: str
    column: int | None

    def means_the_same(self, other: "Term") -> bool:
        """Return whether another part is the same tag, or another form of the same word.

        Examples
        --------
        >>> Term("Skies", None).means_the_same(Term("sky", None))
        True
        """
        if self.column is None and other.column is None:
            return _lemma(tag_key(self.text)) == _lemma(tag_key(other.text))
        return self.column == other.column


class TagNames:
    """The tags of a vocabulary, found in any form: "Beaches" is the tag "beach".

    Parameters
    ----------
    vocabulary : sequence of str
    """

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._vocabulary = tuple(vocabulary)
        self._by_key: Mapping[str, int] = {tag_key(tag): i for i, tag in enumerate(vocabulary)}
        self.n_words = max((len(_words(key)) for key in self._by_key), default=0)

    @cached_property
    def _by_lemma(self) -> dict[str, int]:
        # Looked at only where no tag is spelled so: the dictionary takes a while to open.
        lemmas: dict[str, int] = {}
        for key, column in self._by_key.items():
            lemmas.setdefault(_lemma(key), column)
        return lemmas

    def column(self, text: str) -> int | None:
        """Return the column of a tag, as it is spelled before any other form; None = no tag."""
        key = tag_key(text)
        found = self._by_key.get(key)
        return self._by_lemma.get(_lemma(key)) if found is None else found

    def near(self, text: str) -> str | None:
        """Return the tag that a mistyped one was perhaps meant to be; None = none is like it.

        Examples
        --------
        >>> names = TagNames(["Sunset", "beach"])
        >>> names.near("sunst"), names.near("kite")
        ('Sunset', None)
        """
        close = meant(tag_key(text), self._by_key, likeness=_LIKENESS)
        return self._vocabulary[self._by_key[close[0]]] if close else None


def terms_of(text: str, names: TagNames) -> list[Term]:
    """Cut a text into tags, the longest first, and other words, without function words.

    Parameters
    ----------
    text : str
    names : TagNames

    Examples
    --------
    >>> names = TagNames(["sunset", "New York", "beach"])
    >>> [(term.text, term.column) for term in terms_of("Sunsets on the kite of New York", names)]
    [('Sunsets', 0), ('kite', None), ('New York', 1)]
    """
    whole = names.column(text)
    if whole is not None:
        return [Term(text.strip(), whole)]
    words = _words(text)
    terms: list[Term] = []
    place = 0
    while place < len(words):
        for n_words in range(min(max(names.n_words, 1), len(words) - place), 0, -1):
            part = " ".join(words[place : place + n_words])
            column = names.column(part)
            if column is not None or n_words == 1:
                break
        if column is not None or part.casefold() not in _FUNCTION_WORDS:
            terms.append(Term(part, column))
        place += n_words
    return list({term.text.casefold(): term for term in terms}.values())


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _lemma(key: str) -> str:
    first, space, last = key.rpartition(" ")
    return first + space + noun_lemma(last)
