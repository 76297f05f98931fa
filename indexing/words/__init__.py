"""Words: their vectors, read once into a form that opens at once, and what WordNet says of them.

Nothing here knows what a tag is; :mod:`learners.words` does.
"""

from indexing.words.opening import DEFAULT_SOURCE, open_word_table
from indexing.words.table import WordTable
from indexing.words.wordnet import Sense, Synset, WordNet, open_wordnet

__all__ = [
    "DEFAULT_SOURCE",
    "Sense",
    "Synset",
    "WordNet",
    "WordTable",
    "open_word_table",
    "open_wordnet",
]
