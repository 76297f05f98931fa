"""Rows of a table file, each with the line it starts on, whatever the format of the file."""

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from indexing.corpora.fields import kind_of, parse_json, read_text
from indexing.errors import CorpusError, InputError
from indexing.records import printable_path

__all__ = ["read_rows"]

Row = tuple[int, dict[str, Any]]


def read_rows(path: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    """Yield the rows of a CSV, TSV, JSON Lines or Parquet file.

    Parameters
    ----------
    path : Path
        The table; its extension says which of the four it is.
    columns : tuple of str
        The columns that count. The first of them must be there; what else the file has may be
        left out of the rows.

    Yields
    ------
    line : int
        The line that the row starts on, or its number in a Parquet file, from 1.
    row : dict of str to value
        Its fields. Those of CSV and TSV are texts.

    Raises
    ------
    CorpusError
        With ``path:line``, for the first line that is no row.
    """
    return _READERS[path.suffix.lower()](path, columns)


def _csv_rows(path: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    lines = _csv_lines(path)
    first, cells = next(lines, (1, []))
    header = [name.strip() for name in cells]
    _check_columns(f"{printable_path(path)}:{first}", header, columns)
    for line, cells in lines:
        if len(cells) != len(header):
            raise CorpusError(
                f"{printable_path(path)}:{line}: {len(cells)} cells; the header has {len(header)}; "
                "correct the line, and quote cells that hold the separator"
            )
        yield line, dict(zip(header, cells, strict=True))


def _csv_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines that are not blank, each with its number."""
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    # newline="" ends a line at any of \n, \r\n and \r, and leaves those in quoted cells alone.
    reader = csv.reader(io.StringIO(read_text(path), newline=""), delimiter=delimiter, strict=True)
    first = 1
    try:
        for cells in reader:
            if cells:
                yield first, cells
            first = reader.line_num + 1
    except csv.Error as error:
        raise CorpusError(
            f"{printable_path(path)}:{first}: {error}; a cell in quotes ends with a quote, and a "
            "quote inside it is doubled; correct the quotes"
        ) from None


def _json_rows(path: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    # Not splitlines(): a JSON text may hold other line ends of Unicode as they are.
    for line, text in enumerate(read_text(path).split("\n"), start=1):
        if not text.strip():
            continue
        try:
            row = parse_json(text)
            if not isinstance(row, dict):
                raise InputError(
                    f'{kind_of(row)}; an object a line is accepted; write {{"{columns[0]}": ...}}'
                )
        except InputError as error:
            raise CorpusError(f"{printable_path(path)}:{line}: {error}") from None
        yield line, row


def _parquet_rows(path: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    # Imported here, for it costs more than reading any of the other formats.
    from pyarrow import ArrowException, parquet

    line = 0
    try:
        # An open file, because Arrow takes no path that is not UTF-8.
        with path.open("rb") as file:
            table = parquet.ParquetFile(file)
            names = table.schema_arrow.names
            _check_columns(printable_path(path), names, columns)
            for batch in table.iter_batches(columns=[name for name in columns if name in names]):
                for row in batch.to_pylist():
                    line += 1
                    yield line, row
    except (ArrowException, OSError) as error:
        found = str(error).partition("\n")[0]
        raise CorpusError(
            f"{printable_path(path)}: cannot be read after row {line} ({found}); a Parquet file is "
            "accepted; write it anew"
        ) from None


def _check_columns(where: str, names: list[str], columns: tuple[str, ...]) -> None:
    if columns[0] not in names:
        raise CorpusError(
            f"{where}: no column {columns[0]!r} among {names}; accepted: {', '.join(columns)}; "
            "name the columns"
        )
    for name in columns:
        if names.count(name) > 1:
            raise CorpusError(
                f"{where}: the column {name!r} occurs twice; a column is accepted once; "
                "rename one of them"
            )


_READERS: Final[dict[str, Callable[[Path, tuple[str, ...]], Iterator[Row]]]] = {
    ".csv": _csv_rows,
    ".tsv": _csv_rows,
    ".jsonl": _json_rows,
    ".ndjson": _json_rows,
    ".parquet": _parquet_rows,
}
