"""A table, said once and written twice: as Markdown and as HTML."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Cell", "Row", "Table", "markdown_text"]


@dataclass(frozen=True)
class Cell:
    """What stands in a cell.

    Parameters
    ----------
    text : str
    small : str
        A smaller text beside it.
    best : bool
        Stands out.
    worse : bool
        Where it stands out: as a loss.
    """

    text: str
    small: str = ""
    best: bool = False
    worse: bool = False


@dataclass(frozen=True)
class Row:
    """Cells; the first names the row. `ours` rows stand out among published ones."""

    cells: tuple[Cell, ...]
    ours: bool = False


@dataclass(frozen=True)
class Table:
    """Rows under column names.

    Parameters
    ----------
    columns : tuple of str
    rows : sequence of Row
    words : frozenset of int
        Columns that hold words, not numbers; the first always does.
    """

    columns: tuple[str, ...]
    rows: Sequence[Row]
    words: frozenset[int] = frozenset()

    def markdown(self) -> str:
        """Return a Markdown table, numbers to the right."""
        names = [markdown_text(column) for column in self.columns]
        rule = ["---" if self._is_words(i) else "---:" for i in range(len(names))]
        lines = [_line(names), _line(rule)]
        for row in self.rows:
            cells = [_markdown_cell(cell) for cell in row.cells]
            if row.ours:
                cells[0] = f"→ {cells[0]}"
            lines.append(_line(cells))
        return "\n".join(lines) + "\n"

    def html(self) -> str:
        """Return an HTML table in a box that scrolls sideways."""
        head = "".join(
            f'<th scope="col"{self._class(i)}>{html.escape(column)}</th>'
            for i, column in enumerate(self.columns)
        )
        body = "".join(self._html_row(row) for row in self.rows)
        return (
            f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n'
            f"<tbody>{body}</tbody></table></div>"
        )

    def _html_row(self, row: Row) -> str:
        cells = []
        for i, cell in enumerate(row.cells):
            text = html.escape(cell.text)
            kind = ' class="less"' if cell.worse else ""
            text = f"<b{kind}>{text}</b>" if cell.best else text
            small = f"<small>{html.escape(cell.small)}</small>" if cell.small else ""
            name, scope = ("th", ' scope="row"') if i == 0 else ("td", "")
            cells.append(f"<{name}{scope}{self._class(i)}>{text}{small}</{name}>")
        ours = ' class="ours"' if row.ours else ""
        return f"<tr{ours}>{''.join(cells)}</tr>\n"

    def _is_words(self, column: int) -> bool:
        return column == 0 or column in self.words

    def _class(self, column: int) -> str:
        return ' class="words"' if self._is_words(column) else ""


def markdown_text(text: str) -> str:
    """Return text that Markdown shows as it is, in a table too."""
    text = html.escape(" ".join(text.split()), quote=False)
    for sign in "\\`*_|[]":
        text = text.replace(sign, f"\\{sign}")
    return text


def _markdown_cell(cell: Cell) -> str:
    text = markdown_text(cell.text)
    text = f"**{text}**" if cell.best else text
    return f"{text} ({markdown_text(cell.small)})" if cell.small else text


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
