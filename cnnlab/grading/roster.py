"""Who is in the class: an instructor's list of students."""

import csv
import unicodedata
from dataclasses import dataclass
from pathlib import Path


class RosterError(ValueError):
    """A list of students is not as it must be."""


@dataclass(frozen=True)
class Student:
    """Somebody who hands in: `id` tells them apart, `name` is for people to read."""

    id: str
    name: str = ""

    def __str__(self):
        return f"{self.name} ({self.id})" if self.name not in ("", self.id) else self.id


def read_roster(path: Path) -> list[Student]:
    """Read a CSV file with a column "id", and "name" if you like, in the order of its rows.

    Raises
    ------
    RosterError
        If it cannot be read, has no such column, or an id is missing or stands there twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RosterError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise RosterError(f"{path} must be UTF-8 text, got other bytes at {error.start}.") from None
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    rows = csv.DictReader(text.splitlines(), delimiter=delimiter)
    columns = {name.strip().casefold(): name for name in rows.fieldnames or [] if name}
    if "id" not in columns:
        raise RosterError(
            f"{path} must have a column 'id' in its first line, got: {head.strip()!r}."
        )
    students: dict[str, Student] = {}
    for row in rows:
        identity = (row[columns["id"]] or "").strip()
        name = (row.get(columns.get("name", ""), "") or "").strip()
        if not identity and not name:
            continue
        if not identity or identity.casefold() in students:
            what = "comes twice" if identity else "is missing"
            raise RosterError(f"{path}, line {rows.line_num}: the id {identity!r} {what}.")
        students[identity.casefold()] = Student(identity, name)
    return list(students.values())


def on_roster(student: Student, roster: list[Student]) -> Student | None:
    """The student of the roster that this is: by id, by a name that only one has, or as
    "assignment-id", the way GitHub Classroom names repositories."""
    same_id = [one for one in roster if _plain(one.id) == _plain(student.id)]
    same_name = [one for one in roster if one.name and _plain(one.name) == _plain(student.name)]
    repositories = [one for one in roster if _plain(student.id).endswith(f"-{_plain(one.id)}")]
    longest = max((len(one.id) for one in repositories), default=0)
    for found in (same_id, same_name, [one for one in repositories if len(one.id) == longest]):
        if len(found) == 1:
            return found[0]
    return None


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
