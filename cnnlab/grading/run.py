"""Grade one submission: a process of its own runs pytest, this one reads what it wrote down."""

import json
import os
import re
import secrets
import tempfile
from pathlib import Path

from cnnlab.check.verdict import NOT_ATTEMPTED
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
from cnnlab.grading.report import (
    CRASHED,
    FOR_A_PERSON,
    GRADED,
    MISSING,
    NOT_GRADED,
    PARTLY,
    UNREADABLE,
    Report,
)


def grade(
    submission: str | os.PathLike,
    *,
    assignment: str | None = None,
    seed: int | None = None,
    timeout: float = 30.0,
    root: Path | None = None,
    isolation: str | Tier = "auto",
    records: Path | None = None,
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
    records : a file that gets a line of JSON for each question as it is decided; an older one
        there is replaced.

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
        return Report(str(submission), MISSING, assignment, seed, message=f"{path} {what}.")
    try:
        notebook = read_submission(path)
        name = assignment or name_of(notebook, path, root)
        paper = load_paper(name, root)
        grafted, found = paper.graft(notebook)
    except UnreadableError as error:
        return Report(str(submission), UNREADABLE, assignment, seed, message=str(error))
    tier = isolation if isinstance(isolation, Tier) else choose(isolation, root)
    decided, log = _run_pytest(notebook, name, root, seed, timeout, tier, records)
    decided |= _in_words(paper, grafted, found)
    nothing = {
        "status": NOT_GRADED,
        "points": 0,
        "message": "The grader ended before it came to this question.",
        "flags": [],
    }
    questions = [
        decided.get(item.id) or {"id": item.id, "out_of": item.points} | nothing
        for item in paper.items
    ]
    automatic = sum(not item.manual for item in paper.items)
    missing = sum(question["status"] == NOT_GRADED for question in questions)
    if missing:
        status = CRASHED if missing == automatic else PARTLY
        words = _last_line(log)
        return Report(str(submission), status, name, seed, questions, words, tier.name)
    message = ""
    if set(found.values()) == {"stub"}:
        message = (
            "Nothing is written in this file yet: has the notebook been saved? "
            f"Graded was {path.resolve()}."
        )
    return Report(str(submission), GRADED, name, seed, questions, message, tier.name)


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


def _run_pytest(notebook, name, root, seed, timeout, tier, records) -> tuple[dict, str]:
    with tempfile.TemporaryDirectory(prefix="cnnlab-", ignore_cleanup_errors=True) as folder:
        # Copied, so that its name means nothing to pytest and nothing beside it configures it.
        copy = Path(folder, "submission.ipynb")
        records = Path(folder, "records.jsonl") if records is None else records.absolute()
        records.unlink(missing_ok=True)
        copy.write_text(json.dumps(notebook), encoding="utf-8")
        arguments = ["--cnnlab", str(copy), "--cnnlab-paper", name, "--cnnlab-seed", str(seed)]
        arguments += ["--cnnlab-timeout", str(timeout), "--cnnlab-records", str(records)]
        arguments += ["--cnnlab-isolation", tier.name, "-c", os.devnull, "--rootdir", folder]
        arguments += ["--noconftest", "-q", "--tb=short", "--assert=plain"]
        # The second of these keeps the start of nbformat short, which nbval loads.
        for plugin in (
            "no:cacheprovider",
            "cnnlab.grading",
            "cnnlab.pytest_plugin",
            "nbval.plugin",
        ):
            arguments += ["-p", plugin]
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
