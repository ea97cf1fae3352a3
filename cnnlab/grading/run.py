"""Grade one submission: a process of its own runs pytest, this one reads what it wrote down."""

import html
import json
import os
import re
import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from cnnlab.check.verdict import NOT_ATTEMPTED, RIGHT
from cnnlab.grading.flags import said
from cnnlab.grading.isolation import Tier, choose
from cnnlab.grading.paper import (
    UnreadableError,
    course_root,
    load_paper,
    mark,
    name_of,
    own_words,
    read_submission,
)
from cnnlab.grading.process import run_pytest

NOT_GRADED = "not graded"
FOR_A_PERSON = "to be read by a person"


@dataclass(frozen=True, repr=False)
class Report:
    """What a submission is worth, question by question.

    `status` is "graded", "partly graded" (some questions could not be graded), "crashed"
    (none could), "unreadable" or "missing". Where nothing could be graded `score` is None:
    a zero is earned, never assigned for want of a grade. So is what is answered in words: its
    points are None until a person gives them, and stand neither in `score` nor in `out_of`.
    """

    submission: str
    status: str
    paper: str | None = None
    seed: int | None = None
    questions: list[dict] = field(default_factory=list)
    message: str = ""
    tier: Tier | None = None

    @property
    def score(self) -> int | None:
        if self.status not in ("graded", "partly graded"):
            return None
        return sum(question["points"] or 0 for question in self.questions)

    @property
    def out_of(self) -> int | None:
        return sum(q["out_of"] for q in self.questions if q["points"] is not None) or None

    @property
    def by_person(self) -> int:
        """Points that are not given here, for what is answered in words."""
        return sum(q["out_of"] for q in self.questions if q["points"] is None)

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
            "isolation": self.tier and self.tier.name,
            "questions": self.questions,
        }

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
        if self.tier:
            lines.append(f"  isolation: {self.tier.name}")
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


def grade(
    submission: str | os.PathLike,
    *,
    assignment: str | None = None,
    seed: int | None = None,
    timeout: float = 30.0,
    root: Path | None = None,
    isolation: str | Tier = "auto",
) -> Report:
    """Grade a learner's notebook.

    Only the answer cells are taken from it; the rest is the course's own copy. Nothing in
    the submission is changed.

    Parameters
    ----------
    submission : the notebook, under any name.
    assignment : which one it answers, such as "a1_convolution", if it does not say so itself.
    seed : of the numbers that the checks use; a fresh one by default. The report names it.
    timeout : seconds for each cell.
    root : the folder that holds the course; by default the one this package came with.
    isolation : where its code runs: "bwrap", "container", "none", or "auto" for the first of them
        that holds; or what `isolation.choose` gave, which is not tried again.

    Raises
    ------
    PaperError
        If there is no such assignment, or no course.
    ValueError
        If the timeout, the seed or the isolation is not a possible one.
    IsolationError
        If the isolation that was asked for does not hold here.
    """
    path, seed = Path(submission), secrets.randbits(32) if seed is None else seed
    if not timeout > 0:
        raise ValueError(f"the timeout must be a number of seconds above 0, got {timeout!r}.")
    if seed < 0:
        raise ValueError(f"the seed must be a whole number of at least 0, got {seed!r}.")
    root = course_root() if root is None else Path(root).resolve()
    if assignment is not None:
        load_paper(assignment, root)
    # pathlib fails on names that cannot be; these say that nothing is there.
    there, folder = os.path.exists(path), os.path.isdir(path)  # noqa: PTH110, PTH112
    if folder or not there:
        what = "is a folder, not a notebook" if folder else "does not exist"
        return Report(str(submission), "missing", assignment, seed, message=f"{path} {what}.")
    try:
        notebook = read_submission(path)
        name = assignment or name_of(notebook, path, root)
        paper = load_paper(name, root)
        grafted, found = paper.graft(notebook)
    except UnreadableError as error:
        return Report(str(submission), "unreadable", assignment, seed, message=str(error))
    tier = isolation if isinstance(isolation, Tier) else choose(isolation, root)
    records, log = _run_pytest(notebook, name, root, seed, timeout, tier)
    records |= _in_words(paper, grafted, found)
    nothing = {
        "status": NOT_GRADED,
        "points": 0,
        "message": "The grader ended before it came to this question.",
        "flags": [],
    }
    questions = [
        records.get(item.id) or {"id": item.id, "out_of": item.points} | nothing
        for item in paper.items
    ]
    automatic = sum(not item.manual for item in paper.items)
    missing = sum(question["status"] == NOT_GRADED for question in questions)
    if missing:
        status = "crashed" if missing == automatic else "partly graded"
        words = _last_line(log)
        return Report(str(submission), status, name, seed, questions, words, tier)
    message = ""
    if set(found.values()) == {"stub"}:
        message = (
            "Nothing is written in this file yet: has the notebook been saved? "
            f"Graded was {path.resolve()}."
        )
    return Report(str(submission), "graded", name, seed, questions, message, tier)


def _in_words(paper, grafted, found) -> dict[str, dict]:
    """The results of what is answered in words: what was written, for a person to read."""
    results = {}
    for cell, pristine in zip(grafted.cells, paper.notebook.cells, strict=True):
        if mark(cell).get("role") == "manual":
            question = mark(cell)["question"]
            words = own_words(cell.source, pristine.source)
            gone = "Its answer cell is gone." if found[question] == "missing" else ""
            results[question] = {
                "id": question,
                "status": FOR_A_PERSON if words else NOT_ATTEMPTED,
                "points": None,
                "out_of": mark(cell)["points"],
                "message": words or gone,
                "flags": [],
            }
    return results


def _run_pytest(notebook, name, root, seed, timeout, tier) -> tuple[dict, str]:
    with tempfile.TemporaryDirectory(prefix="cnnlab-", ignore_cleanup_errors=True) as folder:
        # Copied, so that its name means nothing to pytest and nothing beside it configures it.
        copy, records = Path(folder, "submission.ipynb"), Path(folder, "records.jsonl")
        copy.write_text(json.dumps(notebook), encoding="utf-8")
        arguments = ["--cnnlab", str(copy), "--cnnlab-paper", name, "--cnnlab-seed", str(seed)]
        arguments += ["--cnnlab-timeout", str(timeout), "--cnnlab-records", str(records)]
        arguments += ["--cnnlab-isolation", tier.name, "-c", os.devnull, "--rootdir", folder]
        arguments += [
            "--noconftest",
            "-q",
            "--tb=short",
            "--assert=plain",
            "-p",
            "no:cacheprovider",
        ]
        # The first of these keeps the start of nbformat short, which nbval loads.
        arguments += ["-p", "cnnlab.grading", "-p", "cnnlab.pytest_plugin", "-p", "nbval.plugin"]
        environment = {
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "CNNLAB_COURSE": str(root),
            "PYTHONSAFEPATH": "1",
        }
        # Whatever is left behind goes with the folder.
        environment |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), folder)
        log = run_pytest(arguments, Path(folder), environment)
        lines = records.read_text(encoding="utf-8").splitlines() if records.exists() else []
    found = [json.loads(line) for line in lines]
    return {record["id"]: record for record in found}, log


def _last_line(log: str) -> str:
    log = re.sub(r"\x1b\[[0-9;]*m", "", log)
    errors = [line for line in log.splitlines() if line.startswith("E ")]
    words = [line for line in log.splitlines() if re.search(r"\w", line)]
    return (errors or words or ["The grader ended without a word."])[-1].strip()


def _remarks(question: dict) -> list[str]:
    """The lines below a question's points."""
    message = question["message"] if question["status"] != RIGHT else ""
    return [*message.splitlines(), *map(said, question["flags"])]


def _worth(question: dict) -> str:
    if question["out_of"] == 0:
        return "   optional"
    return f"{'?' if question['points'] is None else question['points']:>4} / {question['out_of']}"


def _points(score: int | None) -> str:
    return "none" if score is None else str(score)
