"""Tables to read: as text in a terminal, as HTML on a page."""

import html
from typing import ClassVar


class Table:
    """What shows itself as a table: print it, or make it the last line of a cell.

    A class that is shown so says in `sides` how its columns are aligned, "<" for words and
    ">" for numbers, and returns its rows of strings from `table`, the first being the head.

    Examples
    --------
    >>> class Squares(Table):
    ...     sides = "<>"
    ...     def table(self):
    ...         return [("number", "its square"), ("three", "9"), ("twelve", "144")]
    >>> print(Squares())
    number  its square
    three            9
    twelve         144
    """

    sides: ClassVar[str] = ""

    def table(self) -> list[tuple[str, ...]]:
        """The rows, as they are to be read, the head first."""
        raise NotImplementedError

    def __str__(self) -> str:
        rows = self.table()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(
                f"{cell:{side}{width}}"
                for cell, side, width in zip(row, self.sides, widths, strict=True)
            ).rstrip()
            for row in rows
        )

    def _repr_html_(self) -> str:
        head, *body = self.table()
        return (
            "<table><thead>"
            + self._html_row("th", head)
            + "</thead><tbody>"
            + "".join(self._html_row("td", row) for row in body)
            + "</tbody></table>"
        )

    def _html_row(self, tag, cells):
        names = {"<": "left", ">": "right"}
        return (
            "<tr>"
            + "".join(
                f'<{tag} style="text-align: {names[side]}">{html.escape(cell)}</{tag}>'
                for cell, side in zip(cells, self.sides, strict=True)
            )
            + "</tr>"
        )
