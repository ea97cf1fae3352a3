"""The folder of a batch: what it grades, what has been decided, and a lock.

    batch.json          what all its grades have in common, first of all the seed
    submissions.json    who handed in what, as it was last collected
    records/KEY.jsonl   a line for each question, as it is decided
    results/KEY.json    a finished result

Everything but the records appears whole or not at all, so that a batch can be ended at any moment.
"""

import errno
import hashlib
import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from cnnlab.grading.collect import Submission
from cnnlab.grading.report import CRASHED, MISSING, STATUSES, UNREADABLE, WAITING, Report
from cnnlab.grading.roster import Student
from cnnlab.model import write_whole

OURS = (".lock", ".unpacked", "batch.json")


class GradebookError(Exception):
    """A folder of grades cannot be used as it is; the message says what to do."""


@dataclass(frozen=True)
class Row:
    """A student's submission and what is known of its grade."""

    submission: Submission
    report: Report

    @property
    def key(self) -> str:
        return key_of(self.submission)

    @property
    def flags(self) -> list[str]:
        """What an instructor should look at, in words."""
        found = [
            f"{flag['question']}, line {flag['line']}: {flag['what']}" for flag in self.report.flags
        ]
        return [*found, *self.submission.notes]


class Gradebook:
    """A batch's folder, open and locked as long as the block lasts.

    Parameters
    ----------
    folder : is made where there is none, unless `new` is False.
    new : whether it may be a new one.

    Raises
    ------
    GradebookError
        If another grader holds it, it holds other things, or it cannot be written to.
    """

    def __init__(self, folder: Path, *, new: bool = True):
        self.folder, self.new = folder, new

    def __enter__(self) -> "Gradebook":
        if not (self.new or self.is_begun):
            raise GradebookError(f"no class has been graded in {self.folder}.")
        with self.writing():
            strangers = [path for path in self._present() if path.name not in OURS]
            if strangers and not self.is_begun:
                raise GradebookError(
                    f"{self.folder} holds other things, such as {strangers[0].name}: name a new or "
                    "empty folder for the grades."
                )
            self._file("records").mkdir(parents=True, exist_ok=True)
            self._file("results").mkdir(exist_ok=True)
            self._lock = self._locked()
            for left_over in self.folder.rglob(".*.unfinished"):
                left_over.unlink()
        return self

    def __exit__(self, *_):
        self._lock.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """What goes wrong with the folder inside the block is said in a sentence."""
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            advice = "make room, and run the same command again"
            if getattr(error, "errno", None) != errno.ENOSPC:
                advice = "name another folder for the grades, or change its rights"
            raise GradebookError(
                f"{self.folder} cannot be written to ({reason}). What was graded before is kept; "
                f"{advice}."
            ) from error

    def settle(self, wanted: dict) -> dict:
        """What all grades of the batch have in common; written down by the first run.

        None is a setting that the first run decides and the others take over.

        Raises
        ------
        GradebookError
            If an earlier run had other settings.
        """
        path = self._file("batch.json")
        if not self.is_begun:
            with self.writing():
                _write(path, wanted)
            return wanted
        there = _read(path)
        for name, value in wanted.items():
            if value is not None and there.get(name) != value:
                raise GradebookError(
                    f"{self.folder} was made with another {name} ({there.get(name)}, not {value}), "
                    "and grades of one class must be comparable: name a new folder for the grades, "
                    f"or go on with the {name} of this one."
                )
        return there

    @property
    def is_begun(self) -> bool:
        return self._file("batch.json").exists()

    def enter(self, submissions: list[Submission], due: float | None) -> None:
        """Write down who handed in what, and when it was due, in seconds since 1970."""
        listed = [_as_json(submission) for submission in submissions]
        with self.writing():
            _write(self._file("submissions.json"), {"due": due, "submissions": listed})

    @property
    def due(self) -> float | None:
        return _read(self._file("submissions.json"))["due"]

    def rows(self) -> list[Row]:
        """What is known by now, a row for each submission.

        Raises
        ------
        GradebookError
            If nothing was ever collected here.
        """
        if not self._file("submissions.json").exists():
            raise GradebookError(f"no class has been graded in {self.folder}.")
        listed = _read(self._file("submissions.json"))["submissions"]
        return [Row(one, self._report(one)) for one in map(_from_json, listed)]

    def result(self, submission: Submission) -> dict | None:
        """The finished result for this very file, if there is one."""
        found = self.any_result(submission)
        return found if found and found["sha256"] == submission.sha256 else None

    def any_result(self, submission: Submission) -> dict | None:
        """The finished result for this student and assignment, whichever file it was."""
        path = self._file("results", f"{key_of(submission)}.json")
        return _read(path) if path.exists() else None

    def write_result(self, submission: Submission, result: dict) -> None:
        with self.writing():
            _write(self._file("results", f"{key_of(submission)}.json"), result)

    def records(self, submission: Submission) -> Path:
        return self._file("records", f"{key_of(submission)}.jsonl")

    @contextmanager
    def unpacking(self) -> Iterator[Path]:
        """An empty folder for what comes out of archives, for as long as the block lasts."""
        folder = self._file(".unpacked")
        with self.writing():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _report(self, submission: Submission) -> Report:
        if submission.sha256:
            if found := self.result(submission):
                return Report.from_dict(found)
            status = WAITING
        else:
            status = UNREADABLE if submission.place else MISSING
        name, words = submission.assignment or None, submission.problem
        return Report(submission.place, status, name, message=words)

    def _file(self, *parts: str) -> Path:
        return self.folder.joinpath(*parts)

    def _present(self) -> list[Path]:
        return sorted(self.folder.iterdir()) if self.folder.exists() else []

    def _locked(self) -> sqlite3.Connection:
        # SQLite's lock works on all systems, and is gone with the process that held it.
        lock = sqlite3.connect(
            self._file(".lock"), timeout=0, isolation_level=None, check_same_thread=False
        )
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            lock.close()
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            raise GradebookError(
                f"another grader is at work in {self.folder}: wait until it is done, or name "
                "another folder."
            ) from None
        return lock


def counted(rows: list[Row]) -> dict[str, int]:
    """How many there are of each status that occurs."""
    found = [row.report.status for row in rows]
    return {status: found.count(status) for status in STATUSES if status in found}


def is_final(result: dict | None) -> bool:
    """Whether there is a result that need not be tried again."""
    return result is not None and result["status"] != CRASHED


def key_of(submission: Submission) -> str:
    """A name for the files of a student and an assignment, safe on all systems, of one owner.

    Examples
    --------
    >>> key_of(Submission(Student("anna"), "a1_convolution"))
    'anna.a1_convolution'
    >>> key_of(Submission(Student("Zoë/.."), "a1_convolution"))
    'Zo~7fa348b3ac.a1_convolution'
    """
    identity = submission.student.id
    short = identity
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", identity):
        words = re.sub(r"[^A-Za-z0-9_-]+", "-", identity).strip("-")[:40]
        digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()
        short = f"{words}~{digest[:10]}"
    return f"{short}.{submission.assignment or 'unknown'}"


def _as_json(submission: Submission) -> dict:
    found = asdict(submission)
    del found["path"]  # it may lie elsewhere the next time
    return found


def _from_json(found: dict) -> Submission:
    student = Student(**found.pop("student"))
    aside, notes = tuple(found.pop("aside")), tuple(found.pop("notes"))
    return Submission(student, aside=aside, notes=notes, **found)


def _write(path: Path, content: dict) -> None:
    with write_whole(path) as file:
        file.write((json.dumps(content, indent=1) + "\n").encode())


def _read(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise GradebookError(
            f"{path} cannot be read as it was written ({error}): remove it, or name another folder."
        ) from None
