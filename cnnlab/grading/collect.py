"""Who handed in what: from a folder as a learning platform exports it to one notebook for each
student and assignment.

Whose a file is follows from the first part of its path below the folder, and from nothing else,
so that nobody can hand in for somebody else. The first of these that fits:

- Moodle: `Name_12345_assignsubmission_file_…`. The number is the id.
- Canvas: `name_123_456_file.ipynb`, `name_LATE_123_456_file-2.ipynb`. The first number is the
  id, the second the attempt, and "-2" one of its later uploads.
- Anything else: the folder's name is the id (nbgrader, GitHub Classroom), or the name of a file
  that lies in no folder, without its ending.

A zip archive counts as a folder of that name. The folder may itself be a zip archive.

Which assignment a notebook answers, it says itself. Of several notebooks by one student for one
assignment the latest counts: on Canvas by its numbers, elsewhere by the time it was handed in,
then by the time in its archive, then by its name. A notebook that can be read comes before one that
cannot, and one with answers of its own before a blank one or the course's own solution.

When it was handed in is nbgrader's `timestamp.txt`, or the time of the file, or of the outermost
archive, in the exported folder. Believe `timestamp.txt` as far as you trust whoever could
write it.
"""

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from cnnlab.grading.archive import Allowance, below, is_ignored, unpack
from cnnlab.grading.paper import (
    Paper,
    UnreadableError,
    digest,
    load_paper,
    name_of,
    paper_names,
    read_submission,
)
from cnnlab.grading.roster import Student, on_roster
from cnnlab.table import Table

MOODLE = re.compile(r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_[^_]+_")
CANVAS = re.compile(r"(?P<name>[^_]+)_(?P<late>LATE_)?(?P<id>\d+)_(?P<attempt>\d+)_.+")
OTHER_ARCHIVES = (".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz")
# Marks that turn the direction of writing, so that a name looks like another.
_TURNS = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
OWN, BLANK, OURS = 2, 1, 0


class CollectError(ValueError):
    """There is nothing to collect."""


@dataclass(frozen=True)
class Submission:
    """What one student handed in for one assignment.

    `place` is the path below the collected folder, archives being folders; `path` is where the file
    lies now, None where there is none to grade; `problem` says why not. `time` is when it was
    handed in, in seconds since 1970. `aside` names what was left aside, each with the reason.
    """

    student: Student
    assignment: str
    place: str = ""
    path: Path | None = None
    problem: str = ""
    time: float | None = None
    late: bool = False
    sha256: str = ""
    aside: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def when(self) -> str:
        """The time in words, in this machine's time zone."""
        if self.time is None:
            return ""
        return datetime.fromtimestamp(self.time).astimezone().isoformat(" ", "minutes")


class Listing(Table):
    """Who handed in what, as a table."""

    sides = "<<<<<"

    def __init__(self, submissions: list[Submission]):
        self.submissions = submissions

    def table(self):
        rows = [
            (str(s.student), s.assignment or "?", s.place or "-", s.when, s.problem)
            for s in self.submissions
        ]
        return [("student", "assignment", "file", "handed in", ""), *rows]

    def __str__(self):
        lines = [
            f"{s.student}: {words}" for s in self.submissions for words in (*s.notes, *s.aside)
        ]
        return "\n".join([super().__str__(), *([""] if lines else []), *lines])


@dataclass(frozen=True)
class _File:
    """Something that lies in the folder, and what it turned out to be."""

    parts: tuple[str, ...]
    path: Path | None = None
    problem: str = ""
    time: float | None = None
    inner_time: float = 0.0
    assignment: str = ""
    kind: int = OWN

    @property
    def place(self) -> str:
        return "/".join(map(clean, self.parts))

    @cached_property
    def match(self) -> re.Match | None:
        return MOODLE.match(self.parts[0]) or CANVAS.fullmatch(self.parts[0])

    @property
    def student(self) -> Student:
        if self.match:
            return Student(self.match["id"], clean(self.match["name"]))
        first = self.parts[0]
        return Student(clean(Path(first).stem if len(self.parts) == 1 else first))

    @property
    def on_canvas(self) -> bool:
        return self.match is not None and "attempt" in self.match.re.groupindex

    @property
    def attempt(self) -> tuple[int, int]:
        """Canvas's numbers of an attempt and of an upload."""
        if not self.match or not self.on_canvas:
            return 0, 0
        upload = re.search(r"-(\d+)$", Path(self.parts[0]).stem)
        return int(self.match["attempt"]), int(upload[1]) if upload else 0

    @property
    def is_notebook(self) -> bool:
        return self.parts[-1].casefold().endswith(".ipynb")

    @property
    def order(self):
        """The greatest of several counts."""
        return (
            not self.problem,
            self.kind,
            self.attempt,
            self.time or 0.0,
            self.inner_time,
            self.place,
        )


def collect(
    tree: Path,
    unpacked: Path,
    *,
    root: Path,
    assignment: str | None = None,
    roster: list[Student] | None = None,
    without: Path | None = None,
) -> list[Submission]:
    """One submission for each student and assignment, sorted by student.

    Parameters
    ----------
    tree : what a learning platform exported, a folder or a zip archive.
    unpacked : an empty folder for what comes out of archives.
    root : the folder that holds the course.
    assignment : collect this one only; by default all.
    roster : the class; whoever of it handed in nothing is listed without a file.
    without : a folder in the tree to pass over.

    Raises
    ------
    CollectError
        If there is no such folder, nothing in it, or no room to unpack it.
    PaperError
        If there is no such assignment, or no course.
    """
    papers = _Papers(root, assignment)
    try:
        files = [papers.identify(file) for file in _files(tree, unpacked, without)]
    except OSError as error:
        raise CollectError(f"{tree} cannot be collected: {error}.") from error
    if not files and not roster:
        raise CollectError(f"there is nothing in {tree}.")
    by_student: dict[Student, list[_File]] = {}
    for file in files:
        by_student.setdefault(file.student, []).append(file)
    found = [row for student, own in by_student.items() for row in _rows(student, own, assignment)]
    asked = {assignment} if assignment else {row.assignment for row in found} - {""}
    if len(asked) == 1:
        (only,) = asked
        found = [replace(row, assignment=row.assignment or only) for row in found]
    if roster is not None:
        found = _with_roster(found, roster, sorted(asked) or [""])
    return sorted(
        found, key=lambda row: (row.student.id.casefold(), row.student.id, row.assignment)
    )


def clean(text: str) -> str:
    """A name that is safe to show: without control characters and marks that turn it around."""
    text = unicodedata.normalize("NFC", text)
    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if unicodedata.category(char) in ("Cc", "Cs") or char in _TURNS
        else char
        for char in text
    )


def _files(tree: Path, unpacked: Path, without: Path | None) -> Iterator[_File]:
    """Every file of the tree and of the archives in it, but for what systems leave behind."""
    if tree.is_file():
        # The platform's own archive: a class may be large, what students packed may not.
        allowance = Allowance(size=50 * 2**30, entries=1_000_000)
        for entry in unpack(tree, unpacked, allowance):
            if not entry.parts:
                raise CollectError(f"{tree} {entry.problem}.")
            yield _File(entry.parts, entry.path, entry.problem, entry.time, entry.time)
        return
    if not tree.is_dir():
        raise CollectError(f"{tree} must be a folder or a zip archive, and is not there.")
    faults: list[OSError] = []
    for folder, folders, names in os.walk(tree, onerror=faults.append):
        here = Path(folder)
        links = [name for name in folders if (here / name).is_symlink()]
        folders[:] = sorted(
            name
            for name in folders
            if name not in links
            and not is_ignored((name,))
            and not (without and (here / name).resolve() == without.resolve())
        )
        for name in sorted([*names, *links]):
            parts = (*here.relative_to(tree).parts, name)
            if not is_ignored(parts):
                yield from _loose(here / name, parts, unpacked)
    for fault in faults:
        if fault.filename == str(tree):
            raise CollectError(f"{tree} cannot be opened: {fault.strerror}.")
        parts = Path(fault.filename).relative_to(tree).parts
        yield _File((*parts, ""), problem=f"cannot be opened: {fault.strerror}")


def _loose(path: Path, parts: tuple[str, ...], unpacked: Path) -> Iterator[_File]:
    if path.is_symlink() or not path.is_file():
        kind = "a link, and not followed" if path.is_symlink() else "no ordinary file"
        yield _File(parts, problem=f"is {kind}")
        return
    time = _handed_in(path, parts)
    if path.suffix.casefold() == ".zip":
        try:
            for entry in unpack(path, unpacked, Allowance()):
                inside = below(parts, entry.parts)
                yield _File(inside, entry.path, entry.problem, time, entry.time)
        except PermissionError as error:
            yield _File(parts, problem=f"cannot be opened: {error.strerror}", time=time)
    else:
        yield _File(parts, path, time=time, inner_time=time)


def _handed_in(path: Path, parts: tuple[str, ...]) -> float:
    """nbgrader's time stamp, in student/assignment/timestamp.txt, or else the file's time."""
    if len(parts) == 3:
        with suppress(OSError, ValueError):
            text = (path.parent / "timestamp.txt").read_text(encoding="utf-8").strip()
            stamp = datetime.fromisoformat(text.removesuffix(" UTC"))
            return (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp()
    return path.stat().st_mtime


@dataclass
class _Papers:
    """The papers of a course, each read once, and what a notebook is to them."""

    root: Path
    asked: str | None
    read: dict[str, Paper] = field(default_factory=dict)

    def __post_init__(self):
        if self.asked is not None:
            self.paper(self.asked)

    def paper(self, name: str) -> Paper:
        if name not in self.read:
            self.read[name] = load_paper(name, self.root)
        return self.read[name]

    def identify(self, file: _File) -> _File:
        """The file with its assignment and kind, or with what is wrong with it."""
        if file.problem or not file.is_notebook or file.path is None:
            return file
        shown = Path(file.place)
        try:
            notebook = read_submission(file.path)
            try:
                name = name_of(notebook, shown, self.root)
            except UnreadableError:
                if self.asked is None:
                    raise
                name = self.asked
            grafted, found = self.paper(name).graft(notebook)
            kind = BLANK if "written" not in found.values() else OWN
            if digest(grafted) == digest(self.paper(name).notebook):
                kind = OURS
            return replace(file, assignment=name, kind=kind)
        except UnreadableError as error:
            # It speaks of where the file lies now; the reader knows it by another name.
            words = (
                str(error).replace(str(file.path), shown.name).replace(file.path.name, shown.name)
            )
            return replace(file, problem=words.rstrip("."), assignment=self._by_name(shown))

    def _by_name(self, path: Path) -> str:
        return next((name for name in paper_names(self.root) if name in path.stem), "")


def _rows(student: Student, files: list[_File], asked: str | None) -> list[Submission]:
    """What counts of the files of one student, and what is left aside."""
    notebooks = [file for file in files if file.is_notebook and file.assignment]
    others = [file for file in files if file not in notebooks]
    if asked:
        others += [file for file in notebooks if file.assignment != asked]
        notebooks = [file for file in notebooks if file.assignment == asked]
    rows = []
    for name in sorted({file.assignment for file in notebooks}):
        *rest, best = sorted(
            (file for file in notebooks if file.assignment == name), key=lambda file: file.order
        )
        rows.append(_row(student, name, best, [_why(file, best) for file in reversed(rest)]))
    aside = [_why(file, None, asked) for file in others if _is_worth_words(file)]
    if rows:
        # Once is enough.
        return [replace(rows[0], aside=rows[0].aside + tuple(aside)), *rows[1:]]
    broken = [file for file in others if file.problem or _is_archive(file)]
    if broken:
        best = max(broken, key=lambda file: file.order)
        row = _row(
            student, "", best, [words for words in aside if not words.startswith(best.place)]
        )
        return [replace(row, path=None, problem=best.problem or "is an archive, but not a zip")]
    named = ", ".join(file.place for file in files[:3]) + (", …" if len(files) > 3 else "")
    return [Submission(student, "", problem=f"handed in no notebook of it: {named}")]


def _row(student: Student, assignment: str, file: _File, aside: list[str]) -> Submission:
    usable = file.path is not None and not file.problem
    late = bool(file.on_canvas and file.match and file.match["late"])
    notes = ["Canvas says that it is late"] if late else []
    if file.kind == OURS:
        notes.append("it is the course's own solution, word for word")
    return Submission(
        student,
        assignment,
        file.place,
        file.path if usable else None,
        file.problem,
        file.time,
        late,
        hashlib.sha256(file.path.read_bytes()).hexdigest() if usable and file.path else "",
        tuple(aside),
        tuple(notes),
    )


def _why(file: _File, best: _File | None, asked: str | None = None) -> str:
    """Why a file was left aside, in words."""
    if file.problem:
        reason = file.problem
    elif best is None:
        other = f"answers {file.assignment}, not {asked}" if file.is_notebook else ""
        reason = other or "is an archive, but not a zip"
    elif file.kind != best.kind:
        kinds = {BLANK: "nothing is written in it", OURS: "it is the course's own solution"}
        reason = kinds[file.kind]
    else:
        reason = f"{best.place} is the later attempt"
    return f"{file.place} left aside: {reason}"


def _is_archive(file: _File) -> bool:
    return file.parts[-1].casefold().endswith(OTHER_ARCHIVES)


def _is_worth_words(file: _File) -> bool:
    return bool(file.problem) or file.is_notebook or _is_archive(file)


def _with_roster(
    rows: list[Submission], roster: list[Student], assignments: list[str]
) -> list[Submission]:
    """The rows under the roster's ids and names, and a row for what nobody handed in."""
    known = {row.student: on_roster(row.student, roster) for row in rows}
    claims: dict[tuple, set[Student]] = {}
    for row in rows:
        claims.setdefault((known[row.student], row.assignment), set()).add(row.student)
    named = []
    for row in rows:
        student = known[row.student]
        if student is None:
            row = replace(row, notes=(*row.notes, "is not on the roster"))
        elif len(claims[student, row.assignment]) > 1:
            words = f"could be {student} of the roster, and is not the only one"
            row = replace(row, notes=(*row.notes, words))
        else:
            row = replace(row, student=student)
        named.append(row)
    there = {(row.student, name) for row in named for name in (row.assignment, "")}
    there |= {(row.student, name) for row in named if not row.assignment for name in assignments}
    missing = [
        Submission(student, name, problem="handed in nothing")
        for student in roster
        for name in assignments
        if (student, name) not in there
    ]
    return named + missing
