"""The dictionary form of English nouns: "skies" is "sky", "leaves" is "leaf"."""

from functools import lru_cache

__all__ = ["noun_lemma"]


@lru_cache(maxsize=1 << 16)
def noun_lemma(word: str) -> str:
    """Return the dictionary form of a noun; a word that the lexicon does not know stays.

    A word that is a dictionary form itself stays ("glasses", "ruins"). Where a form belongs to
    several nouns, one in *-ves* is that of a noun in *-f* or *-fe* ("leaves" is "leaf", not
    "leave"), and any other that of the first noun the lexicon names.

    Parameters
    ----------
    word : str
        Case-folded.

    Notes
    -----
    The lexicon is that of LemmInflect, made from the SPECIALIST Lexicon of the US National
    Library of Medicine. What it does not list is not guessed at: names ("Athens", "Paris") would
    lose their last letter.

    Examples
    --------
    >>> [noun_lemma(word) for word in ("skies", "leaves", "geese", "glasses", "paris")]
    ['sky', 'leaf', 'goose', 'glasses', 'paris']
    """
    # Read on first use, 0.2 s: a command that needs no words pays nothing.
    from lemminflect import getLemma

    lemmas: tuple[str, ...] = getLemma(word, upos="NOUN", lemmatize_oov=False)
    if not lemmas or word in lemmas:
        return word
    if word.endswith("ves"):
        for lemma in lemmas:
            if lemma.endswith(("f", "fe")):
                return lemma
    return lemmas[0]
