"""What a submission is worth: a report of one, question by question."""

import html
from dataclasses import dataclass, field

from cnnlab.check.verdict import RIGHT
from cnnlab.grading.flags import said

GRADED, PARTLY = "graded", "partly graded"
CRASHED, UNREADABLE, MISSING = "crashed", "unreadable", "missing"
WAITING = "not graded yet"  # in a batch that was ended before it came to this
STATUSES = (GRADED, PARTLY, CRASHED, UNREADABLE, MISSING, WAITING)

NOT_GRADED = "not graded"
FOR_A_PERSON = "to be read by a person"


@dataclass(frozen=True, repr=False)
class Report:
    """What a submission is worth, question by question.

    `status` is "graded", "partly graded" (some questions could not be graded), "crashed"
    (none could), "unreadable" or "missing". Where nothing could be graded `score` is None:
    a zero is earned, never assigned for want of a grade. So is what is answered in words: its
    points are None until a person gives them, and stand neither in `score` nor in `out_of`.
    `isolation` names the tier that its code ran in; None where no code ran.
    """

    submission: str
    status: str
    paper: str | None = None
    seed: int | None = None
    questions: list[dict] = field(default_factory=list)
    message: str = ""
    isolation: str | None = None

    @property
    def score(self) -> int | None:
        if self.status not in (GRADED, PARTLY):
            return None
        return sum(question["points"] or 0 for question in self.questions)

    @property
    def out_of(self) -> int | None:
        return sum(q["out_of"] for q in self.questions if q["points"] is not None) or None

    @property
    def by_person(self) -> int:
        """Points that are not given here, for what is answered in words."""
        return sum(q["out_of"] for q in self.questions if q["points"] is None)

    @property
    def flags(self) -> list[dict]:
        """What an instructor should look at: question, line of its answer, and what it is."""
        return [
            {"question": question["id"], **flag}
            for question in self.questions
            for flag in question.get("flags", [])
        ]

    def as_dict(self) -> dict:
        return {
            "submission": self.submission,
            "assignment": self.paper,
            "status": self.status,
            "score": self.score,
            "out_of": self.out_of,
            "by_person": self.by_person,
            "seed": self.seed,
            "message": self.message,
            "isolation": self.isolation,
            "questions": self.questions,
        }

    def for_learner(self) -> dict:
        """The same without what only an instructor is to see: flags, and a stopped grader's log."""
        questions = [
            {key: value for key, value in question.items() if key != "flags"}
            for question in self.questions
        ]
        found = self.as_dict() | {"questions": questions}
        return found | ({"message": ""} if self.status in (CRASHED, PARTLY) else {})

    @classmethod
    def from_dict(cls, found: dict) -> "Report":
        """What `as_dict` gave, as a report again."""
        names = ("submission", "status", "seed", "questions", "message", "isolation")
        return cls(paper=found["assignment"], **{name: found[name] for name in names})

    def __str__(self):
        if not self.questions:
            return f"{self.submission}: {self.status}. {self.message}"
        width = max(len(question["id"]) for question in self.questions)
        lines = [f"{self.paper}: {self.submission}"]
        for question in self.questions:
            lines.append(f"  {question['id']:<{width}} {_worth(question):<11} {question['status']}")
            lines += [f"      {line}" for line in _remarks(question)]
        if self.message:
            lines.append(f"  {self.message}")
        lines.append(f"  {'total':<{width}} {_points(self.score):>4} / {self.out_of}")
        if self.by_person:
            lines.append(f"  {self._by_person()}")
        if self.isolation:
            lines.append(f"  isolation: {self.isolation}")
        return "\n".join(lines)

    __repr__ = __str__

    def _by_person(self) -> str:
        points = "1 point is" if self.by_person == 1 else f"{self.by_person} points are"
        return f"{points} given by a person, who reads what you wrote."

    def _repr_html_(self):
        if not self.questions:
            return f"<p><strong>{self.status}</strong>: {html.escape(self.message)}</p>"
        rows = "".join(
            f"<tr><td style='text-align:left'>{html.escape(question['id'])}</td>"
            f"<td style='white-space:nowrap'>{_worth(question).strip()}</td>"
            f"<td style='text-align:left'>{question['status']}</td>"
            "<td style='text-align:left;white-space:pre-wrap'>"
            + html.escape("\n".join(_remarks(question)))
            + "</td></tr>"
            for question in self.questions
        )
        return (
            "<table><tr><th style='text-align:left'>question</th><th>points</th>"
            "<th style='text-align:left'>result</th><th></th></tr>"
            f"{rows}<tr><td style='text-align:left'><strong>total</strong></td>"
            "<td style='white-space:nowrap'><strong>"
            f"{_points(self.score)} / {self.out_of}</strong></td><td></td>"
            "<td style='text-align:left'>"
            f"{html.escape(self.message)}</td></tr></table>"
            + (f"<p>{self._by_person()}</p>" if self.by_person else "")
        )


def _remarks(question: dict) -> list[str]:
    """The lines below a question's points."""
    message = question["message"] if question["status"] != RIGHT else ""
    return [*message.splitlines(), *map(said, question.get("flags", []))]


def _worth(question: dict) -> str:
    if question["out_of"] == 0:
        return "   optional"
    return f"{'?' if question['points'] is None else question['points']:>4} / {question['out_of']}"


def _points(score: int | None) -> str:
    return "none" if score is None else str(score)
