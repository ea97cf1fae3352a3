"""grades.csv: a row for each student and assignment, and columns that are the instructor's.

What stands in MANUAL (points for answers in words) and LATE (how many late days are to count), and
in any column that an instructor has added, is kept when the sheet is written again.
"""

import csv
import io
import math
from pathlib import Path

from cnnlab.grading.gradebook import GradebookError, Row
from cnnlab.grading.report import GRADED
from cnnlab.model import write_whole

KEY = ("student", "assignment")
MANUAL, LATE = "manual", "late_days_counted"
COLUMNS = (
    *("student", "name", "assignment", "status", "score", "out_of", "manual_out_of", MANUAL),
    *("late_days", LATE, "total", "seed", "isolation", "handed_in", "file", "flags", "message"),
)
DAY = 86400


def write_sheet(path: Path, rows: list[Row], due: float | None) -> None:
    """Write the grades, and keep what the instructor typed into an older sheet there.

    Raises
    ------
    GradebookError
        If the older sheet cannot be read as one; it is left as it is.
    """
    typed, added = _typed(path)
    buffer = io.StringIO()
    sheet = csv.DictWriter(buffer, [*COLUMNS, *added], restval="", lineterminator="\r\n")
    sheet.writeheader()
    for row in rows:
        ours = _cells(row, due)
        theirs = typed.get((_safe(ours["student"]), _safe(ours["assignment"])), {})
        cells = ours | theirs | {"total": _total(row, theirs.get(MANUAL, ""))}
        sheet.writerow({name: _safe(value) for name, value in cells.items()})
    with write_whole(path) as file:
        # The mark at the start has spreadsheets read names in all scripts.
        file.write(buffer.getvalue().encode("utf-8-sig", "replace"))


def late_days(row: Row, due: float | None) -> int | None:
    """Days from when it was due to when it was handed in, begun days counted whole."""
    time = row.submission.time
    return None if due is None or time is None else max(0, math.ceil((time - due) / DAY))


def _cells(row: Row, due: float | None) -> dict:
    submission, report = row.submission, row.report
    return {
        "student": submission.student.id,
        "name": submission.student.name,
        "assignment": submission.assignment,
        "status": report.status,
        "score": report.score,
        "out_of": report.out_of,
        "manual_out_of": report.by_person or None,
        "late_days": late_days(row, due),
        "seed": report.seed,
        "isolation": report.isolation,
        "handed_in": submission.when,
        "file": submission.place,
        "flags": "; ".join(row.flags),
        "message": report.message,
    }


def _total(row: Row, manual: str) -> float | int | None:
    """Score and manual points together, where all that is needed is there."""
    if row.report.score is None or row.report.status != GRADED:
        return None
    if not manual.strip():
        return None if row.report.by_person else row.report.score
    try:
        total = row.report.score + float(manual.replace(",", "."))
    except ValueError:
        return None
    if not math.isfinite(total):
        return None
    return int(total) if total == int(total) else total


def _safe(value) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    if text.lstrip()[:1] in ("=", "+", "-", "@") or text[:1] in ("\t", "\r"):
        try:
            float(text.replace(",", "."))
        except ValueError:
            return f"'{text}"
    return text


def _typed(path: Path) -> tuple[dict[tuple, dict], list[str]]:
    """What an instructor wrote into the sheet, by student and assignment; the added columns."""
    if not path.exists():
        return {}, []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise GradebookError(
            f"{path} cannot be read ({error}), and what was typed into it would be lost: save it "
            "as UTF-8, or move it away."
        ) from None
    head = text.partition("\n")[0]
    sheet = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count))
    names = sheet.fieldnames or []
    if not {*KEY, MANUAL, LATE} <= set(names):
        raise GradebookError(
            f"{path} must have the columns student, assignment, {MANUAL} and {LATE}, got "
            f"{head.strip()!r}: put them back, or move the file away."
        )
    added = [name for name in names if name and name not in COLUMNS]
    kept = [MANUAL, LATE, *added]
    typed = {
        (row["student"] or "", row["assignment"] or ""): {name: row[name] or "" for name in kept}
        for row in sheet
    }
    return typed, added
