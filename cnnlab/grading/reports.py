"""All reports of a batch, made from its records: they can be made again without grading."""

import json
from pathlib import Path

from cnnlab.grading.exports import gradescope, junit
from cnnlab.grading.gradebook import Gradebook, Row
from cnnlab.grading.pages import feedback_page, overview_page
from cnnlab.grading.sheet import write_sheet
from cnnlab.model import write_whole


def write_reports(book: Gradebook) -> list[Row]:
    """Write all reports of a batch into its folder; return the rows they are about.

        grades.csv                       for the instructor, with columns to fill in
        overview.html                    for the instructor: scores, hard questions, mistakes
        feedback/KEY.html, KEY.json      for each learner
        gradescope/KEY/results.json      for Gradescope
        junit.xml                        for what reads test results

    Raises
    ------
    GradebookError
        If nothing was graded here, an older grades.csv cannot be read, or the folder not written.
    """
    rows, folder = book.rows(), book.folder
    with book.writing():
        # First, as it may refuse.
        write_sheet(folder / "grades.csv", rows, book.due)
        for row in rows:
            report, submission = row.report, row.submission
            page = feedback_page(report, str(submission.student), submission.when)
            _write(folder / "feedback" / f"{row.key}.html", page)
            _write(folder / "feedback" / f"{row.key}.json", _json(report.for_learner()))
            _write(folder / "gradescope" / row.key / "results.json", _json(gradescope(report)))
        _write(folder / "junit.xml", junit(rows))
        _write(folder / "overview.html", overview_page(rows, book.due))
        _remove_others(folder / "feedback", {row.key for row in rows})
    return rows


def _remove_others(folder: Path, keys: set[str]) -> None:
    """Pages about submissions that are no longer there would mislead."""
    for path in folder.glob("*.*"):
        if path.stem not in keys:
            path.unlink()


def _json(content: dict) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_whole(path) as file:
        file.write(content if isinstance(content, bytes) else content.encode("utf-8", "replace"))
