"""JSON annotation files of data sets: an object of lists of objects, checked as it is read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexing.corpora.fields import kind_of, parse_json, read_text, valid_text
from indexing.errors import CorpusError, InputError
from indexing.records import printable_path

__all__ = ["Entry", "read_annotations"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of an annotation file; every method raises CorpusError for a wrong field.

    Parameters
    ----------
    where : str
        File, list and position, for messages.
    fields : dict
        The object.
    """

    where: str
    fields: dict[str, Any]

    def text(self, key: str) -> str:
        """Return a field that must be a text."""
        value = self.fields.get(key)
        if not isinstance(value, str):
            raise self._fault(key, kind_of(value), "a text")
        return self._valid(key, value)

    def number(self, key: str) -> int:
        """Return a field that must be a whole number."""
        value = self.fields.get(key)
        if type(value) is not int:
            raise self._fault(key, kind_of(value), "a whole number")
        return value

    def texts(self, key: str) -> list[str]:
        """Return a field that must be a list of texts."""
        return [self._valid(key, text) for text in self._list(key, str, "a list of texts")]

    def entries(self, key: str) -> list["Entry"]:
        """Return a field that must be a list of objects."""
        objects = self._list(key, dict, "a list of objects")
        return [Entry(f"{self.where}: {key}[{i}]", fields) for i, fields in enumerate(objects)]

    def _list(self, key: str, kind: type, accepted: str) -> list[Any]:
        values = self.fields.get(key)
        if not isinstance(values, list):
            raise self._fault(key, kind_of(values), accepted)
        for value in values:
            if not isinstance(value, kind):
                raise self._fault(key, f"a list with {kind_of(value)} in it", accepted)
        return values

    def _valid(self, key: str, text: str) -> str:
        try:
            return valid_text(key, text)
        except InputError as error:
            raise CorpusError(f"{self.where}: {error}") from None

    def _fault(self, key: str, found: str, accepted: str) -> CorpusError:
        found = found if key in self.fields else "missing"
        return CorpusError(
            f"{self.where}: {key} is {found}; {accepted} is accepted; correct the file"
        )


def read_annotations(path: Path) -> Entry:
    """Return the object that an annotation file holds.

    Raises
    ------
    CorpusError
        If the file cannot be read, or is no JSON object.
    """
    where = printable_path(path)
    try:
        document = parse_json(read_text(path))
    except InputError as error:
        raise CorpusError(f"{where}: {error}") from None
    if not isinstance(document, dict):
        raise CorpusError(
            f"{where}: {kind_of(document)}; a JSON object is accepted; correct the file"
        )
    return Entry(where, document)
