"""WordNet's nouns, read where they lie: the files that WordNet's own installation writes.

Nothing is loaded: the files are sorted, so that a word is found by halving, and a synset's id is
where its line begins.

References
----------
G. A. Miller, "WordNet: A Lexical Database for English", Communications of the ACM 38(11), 1995;
the formats are those of the manual pages wndb(5WN), cntlist(5WN) and morphy(7WN) of version 3.0.
"""

import mmap
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from indexing.errors import ArtifactError
from indexing.records import printable_path

__all__ = ["WORDNET_FOLDERS", "Sense", "Synset", "WordNet", "open_wordnet"]

WORDNET_FOLDERS = (Path("/usr/share/wordnet"), Path("/usr/local/WordNet-3.0/dict"))
"""Where Debian's package and WordNet's own installation put the files."""

_VARIABLE = "WNSEARCHDIR"  # WordNet's own, see wnintro(1WN)
_FILES = ("index.noun", "data.noun", "noun.exc", "cntlist.rev")
_NOUN_KEY = "%1:"
_HYPERNYMS = ("@", "@i")
# Endings of plurals and what stands in their place in the dictionary form: morphy(7WN).
_ENDINGS = (
    ("s", ""),
    ("ses", "s"),
    ("xes", "x"),
    ("zes", "z"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("men", "man"),
    ("ies", "y"),
)


@dataclass(frozen=True, slots=True)
class Synset:
    """What several words mean in one of their senses.

    Parameters
    ----------
    offset : int
        Its id: where its line begins in ``data.noun``. ImageNet's ``n02129604`` is 2129604.
    domain : int
        Number of its lexicographer file: 5 = animals, 6 = artefacts, 18 = people, ...; see
        lexnames(5WN).
    words : tuple of str
        The usual one first, as people write them.
    hypernyms : tuple of int
        Offsets of what it is a kind of, or an instance of.
    gloss : str
        Its definition, with examples.
    """

    offset: int
    domain: int
    words: tuple[str, ...]
    hypernyms: tuple[int, ...]
    gloss: str


@dataclass(frozen=True, slots=True)
class Sense:
    """One meaning of a word, and how often the word was found to mean it in tagged texts."""

    synset: Synset
    n_tagged: int


class WordNet:
    """The nouns of an installed WordNet.

    Parameters
    ----------
    folder : Path
        With ``index.noun``, ``data.noun``, ``noun.exc`` and ``cntlist.rev``.

    Raises
    ------
    ArtifactError
        A file is missing or cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        index, data, exceptions, counts = (_mapped(folder / name) for name in _FILES)
        self._index, self._data, self._counts = index, data, counts
        self._exceptions = exceptions
        self._synset = lru_cache(maxsize=1 << 14)(self._read_synset)

    def synset(self, offset: int) -> Synset:
        """Return a synset by its id.

        Raises
        ------
        ArtifactError
            No synset begins there.
        """
        return self._synset(offset)

    def senses(self, word: str) -> tuple[Sense, ...]:
        """Return what a noun means, its most frequent sense first.

        Parameters
        ----------
        word : str
            In any case, singular or plural, one word or several ("polar bears").

        Returns
        -------
        tuple of Sense
            Empty where WordNet does not know the word.
        """
        joined = "_".join(word.lower().split())
        for form in self._forms(joined) if joined else ():
            line = _line_of(self._index, form, " ")
            if line:
                offsets = _offsets(line)
                counts = self._tagged(form)
                return tuple(
                    Sense(self._synset(offset), counts.get(number, 0))
                    for number, offset in enumerate(offsets, start=1)
                )
        return ()

    def ancestors(self, offset: int) -> dict[int, int]:
        """Return what a synset is a kind of, with the steps to it; itself first, with 0 steps.

        By steps, then in WordNet's order.
        """
        steps = {offset: 0}
        level = [offset]
        while level:
            above = dict.fromkeys(
                parent for child in level for parent in self._synset(child).hypernyms
            )
            level = [parent for parent in above if parent not in steps]
            steps.update(dict.fromkeys(level, max(steps.values()) + 1))
        return steps

    def _forms(self, form: str) -> list[str]:
        """Return a form and the dictionary forms it may be of."""
        forms = [form]
        exception = _line_of(self._exceptions, form, " ")
        if exception:
            forms += exception.split()[1:]
        for ending, instead in _ENDINGS:
            if form.endswith(ending) and len(form) > len(ending):
                forms.append(form[: -len(ending)] + instead)
        return forms

    def _tagged(self, form: str) -> dict[int, int]:
        """Return how often each sense of a noun was found, by its number."""
        found = {}
        key = form + _NOUN_KEY
        place = _first_line(self._counts, key)
        while place < len(self._counts):
            end = _line_end(self._counts, place)
            line = self._counts[place:end].decode("ascii")
            if not line.startswith(key):
                break
            _, number, count = line.split()
            found[int(number)] = int(count)
            place = end + 1
        return found

    def _read_synset(self, offset: int) -> Synset:
        line = self._data[offset : _line_end(self._data, offset)].decode("utf-8", "replace")
        head, _, gloss = line.partition("|")
        fields = head.split()
        if not 0 <= offset < len(self._data) or not fields or fields[0] != f"{offset:08d}":
            raise ArtifactError(
                f"no synset begins at {offset} in {printable_path(self.folder / 'data.noun')}; "
                "WordNet 3.0, whole, is accepted; install it again"
            )
        n_words = int(fields[3], 16)
        pointers = fields[4 + 2 * n_words :]
        hypernyms = tuple(
            int(pointers[place + 1])
            for place in range(1, 4 * int(pointers[0]), 4)
            if pointers[place] in _HYPERNYMS
        )
        words = tuple(word.replace("_", " ") for word in fields[4 : 4 + 2 * n_words : 2])
        return Synset(offset, int(fields[1]), words, hypernyms, gloss.strip())


def open_wordnet(folder: str | Path | None = None) -> WordNet:
    """Open an installed WordNet.

    Parameters
    ----------
    folder : path, optional
        Where its files are; else ``$WNSEARCHDIR``, else :data:`WORDNET_FOLDERS`.

    Raises
    ------
    ArtifactError
        None is installed, or the folder named holds none.
    """
    named = folder or os.environ.get(_VARIABLE)
    if named:
        return WordNet(Path(named).expanduser())
    for place in WORDNET_FOLDERS:
        if (place / _FILES[1]).is_file():
            return WordNet(place)
    raise ArtifactError(
        f"WordNet is not installed ({' and '.join(map(str, WORDNET_FOLDERS))} hold none); its noun "
        "files are accepted, wherever they are; install them with 'apt-get install wordnet-base', "
        f"or name their folder with --wordnet DIR or ${_VARIABLE}"
    )


def _mapped(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        fault = getattr(error, "strerror", None) or error
        raise ArtifactError(
            f"{printable_path(path)} cannot be read ({fault}); the folder with WordNet's files "
            f"{', '.join(_FILES)} is accepted; name it with --wordnet DIR, or install them with "
            "'apt-get install wordnet-base'"
        ) from error


def _line_end(text: mmap.mmap, place: int) -> int:
    end = text.find(b"\n", place)
    return len(text) if end < 0 else end


def _first_line(text: mmap.mmap, key: str) -> int:
    """Return where the first line begins that is not before a key."""
    wanted = key.encode("utf-8")
    low, high = 0, len(text)
    while low < high:
        middle = (low + high) // 2
        start = text.rfind(b"\n", 0, middle) + 1
        if text[start : start + len(wanted)] < wanted:
            low = _line_end(text, middle) + 1
        else:
            high = start
    return low


def _line_of(text: mmap.mmap, word: str, separator: str) -> str:
    """Return the line whose first field is a word, "" where there is none."""
    key = word + separator
    place = _first_line(text, key)
    line = text[place : _line_end(text, place)].decode("utf-8", "replace")
    return line if line.startswith(key) else ""


def _offsets(line: str) -> list[int]:
    """Return the synsets of a line of ``index.noun``, most frequent sense first."""
    fields = line.split()
    n_synsets = int(fields[2])
    return [int(field) for field in fields[-n_synsets:]]
