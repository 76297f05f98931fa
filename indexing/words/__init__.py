"""Words to vectors: any file of word vectors, read once into a form that opens at once.

Nothing here knows what a tag is; :mod:`learners.words` does.
"""

from indexing.words.opening import DEFAULT_SOURCE, open_word_table
from indexing.words.table import WordTable

__all__ = ["DEFAULT_SOURCE", "WordTable", "open_word_table"]
