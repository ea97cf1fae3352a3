"""Pages about grades: one for a learner, one for the instructor. Each file stands alone."""

import base64
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cnnlab.check.verdict import RIGHT
from cnnlab.grading.gradebook import Row, counted
from cnnlab.grading.report import GRADED, MISSING, Report
from cnnlab.grading.sheet import late_days

BINS = 10
FILL = {".": "#ffffff", "#": "#d55e00"}
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,  # every word may come from a submission
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _as_svg(rows: list[str]) -> str:
    """A map of "." and "#" as the address of a picture."""
    cells = "".join(
        f"<rect x='{x}' y='{y}' width='1' height='1' fill='{FILL[mark]}'/>"
        for y, row in enumerate(rows)
        for x, mark in enumerate(row)
    )
    size = f"viewBox='0 0 {len(rows[0])} {len(rows)}'"
    style = "stroke='#d9dde3' stroke-width='.04'"
    picture = f"<svg xmlns='http://www.w3.org/2000/svg' {size}><g {style}>{cells}</g></svg>"
    return f"data:image/svg+xml;base64,{base64.b64encode(picture.encode()).decode()}"


_TEMPLATES.filters["as_svg"] = _as_svg


class Bar(NamedTuple):
    """A line of a chart: what it is, how much, and in percent of the longest."""

    label: str
    number: int
    percent: float
    of: int = 0


def feedback_page(report: Report, student: str = "", handed_in: str = "") -> str:
    """What a learner gets to read: score, questions, named mistakes; nothing that is hidden."""
    percent = 100 * report.score / report.out_of if report.score and report.out_of else 0
    return _TEMPLATES.get_template("feedback.html").render(
        report=report,
        message=report.for_learner()["message"],
        student=student,
        handed_in=handed_in,
        percent=percent,
        right=RIGHT,
    )


def overview_page(rows: list[Row], due: float | None) -> str:
    """What an instructor looks at: scores, hard questions, frequent mistakes, who needs a look."""
    return _TEMPLATES.get_template("overview.html").render(
        rows=rows,
        statuses=counted(rows),
        assignments=[_assignment(name, rows) for name in sorted({_name(row) for row in rows})],
        looks=[(row, words) for row in rows if (words := _needs_a_look(row))],
        late={row.key: late_days(row, due) for row in rows},
        due=due,
    )


def _name(row: Row) -> str:
    return row.submission.assignment or "unknown"


def _assignment(name: str, rows: list[Row]) -> dict:
    reports = [row.report for row in rows if _name(row) == name]
    scored = [report for report in reports if report.score is not None and report.out_of]
    questions = [question for report in scored for question in report.questions]
    shares = sorted((report.score or 0) / (report.out_of or 1) for report in scored)
    return {
        "name": name,
        "count": len(reports),
        "median": round(100 * shares[len(shares) // 2]) if shares else None,
        "scores": _distribution(shares),
        "questions": _hardest(questions),
        "mistakes": _bars(Counter(filter(None, (q.get("mistake") for q in questions)))),
    }


def _distribution(shares: list[float]) -> list[Bar]:
    """How many reached which share of the points."""
    counts = Counter(min(int(share * BINS), BINS - 1) for share in shares)
    longest = max(counts.values(), default=1)
    step = 100 // BINS
    return [
        Bar(f"{step * n} to {step * (n + 1)} %", counts[n], 100 * counts[n] / longest)
        for n in range(BINS)
    ]


def _hardest(questions: list[dict]) -> list[Bar]:
    """For each question how many got it right, the hardest first."""
    asked = Counter(q["id"] for q in questions if q["points"] is not None)
    right = Counter(q["id"] for q in questions if q["status"] == RIGHT)
    bars = [Bar(q, right[q], 100 * right[q] / number, number) for q, number in asked.items()]
    return sorted(bars, key=lambda bar: bar.percent)


def _bars(counts: Counter, most: int = 12) -> list[Bar]:
    longest = max(counts.values(), default=1)
    return [Bar(str(what), n, 100 * n / longest) for what, n in counts.most_common(most)]


def _needs_a_look(row: Row) -> list[str]:
    """Why an instructor should look at a submission, in words."""
    if row.report.status in (GRADED, MISSING):
        return row.flags
    return [*row.flags, f"{row.report.status}. {row.report.message}"]
