"""Courses that run nbgrader take our assignments as they are: it checks, releases and grades them.

nbgrader is no part of the set-up. Name a Python that has it, and this library, to run these:
`CNNLAB_NBGRADER_PYTHON=path/to/python .venv/bin/pytest tests/test_nbgrader.py`.
"""

import copy
import csv
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from cnnlab.check import NotRightError, check
from cnnlab.check.questions import find
from cnnlab.grading.paper import course_root, load_paper, mark, paper_names

PYTHON = os.environ.get("CNNLAB_NBGRADER_PYTHON", "")
ROOT = course_root()
ASSIGNMENTS = [name for name in paper_names(ROOT) if (ROOT / f"assignments/{name}.ipynb").exists()]

needs_nbgrader = pytest.mark.skipif(
    not PYTHON, reason="CNNLAB_NBGRADER_PYTHON names no Python that has nbgrader"
)


@pytest.mark.parametrize("execution", ["autograde", "validate"])
def test_under_nbgrader_a_check_that_does_not_pass_is_an_error(execution, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", execution)
    check("a1.output_size", find("a1.output_size").reference)
    with pytest.raises(NotRightError, match=r"Not right yet\."):
        check("a1.output_size", lambda size, kernel_size, *, stride=1, pad=0: 3)
    with pytest.raises(NotRightError, match=r"Not attempted yet\."):
        check("a1.output_size", None)


def test_elsewhere_it_is_none(monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    check("a1.output_size", None)


def nbgrader(*arguments, cwd):
    environment = os.environ | {
        "PATH": f"{Path(PYTHON).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(Path(sys.modules["cnnlab"].__file__).parents[1]),
        "CNNLAB_COURSE": str(ROOT),
        **dict.fromkeys(("JUPYTER_CONFIG_DIR", "IPYTHONDIR", "HOME"), str(cwd / "home")),
    }
    environment.pop("NBGRADER_EXECUTION", None)
    done = subprocess.run(
        [PYTHON, "-m", "nbgrader", *map(str, arguments)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@needs_nbgrader
@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_the_solution_is_valid_and_the_blank_is_not(name, tmp_path):
    _, words = nbgrader("validate", ROOT / f"solutions/{name}.ipynb", cwd=tmp_path)
    assert "Success! Your notebook passes all the tests." in words, words
    _, words = nbgrader("validate", ROOT / f"assignments/{name}.ipynb", cwd=tmp_path)
    failing = sum(
        mark(cell).get("role") == "check" for cell in load_paper(name, ROOT).notebook.cells
    )
    assert f"failed on {failing} cell(s)" in words.lower(), words


@needs_nbgrader
@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_nbgrader_releases_collects_and_grades_it(name, tmp_path):
    """The right answers, none, and one wrong among right ones; scores as nbgrader counts them."""
    paper = load_paper(name, ROOT)
    source = tmp_path / "source" / name
    source.mkdir(parents=True)
    nbformat.write(paper.notebook, source / f"{name}.ipynb")
    code, words = nbgrader("generate_assignment", name, cwd=tmp_path)
    assert code == 0, words
    blank = nbformat.read(tmp_path / f"release/{name}/{name}.ipynb", as_version=4)
    spoiled = copy.deepcopy(paper.notebook)
    wrong = next(cell for cell in spoiled.cells if mark(cell).get("role") == "answer")
    wrong.source += "\n\n\n" + _nonsense(wrong.source)
    for student, notebook in {"right": paper.notebook, "blank": blank, "wrong": spoiled}.items():
        folder = tmp_path / "submitted" / student / name
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / f"{name}.ipynb")
    code, words = nbgrader("autograde", name, cwd=tmp_path)
    assert code == 0, words
    code, words = nbgrader("export", cwd=tmp_path)
    assert code == 0, words
    with (tmp_path / "grades.csv").open(encoding="utf-8") as lines:
        scores = {row["student_id"]: float(row["score"]) for row in csv.DictReader(lines)}
    full = sum(item.points for item in paper.items if not item.manual)
    assert scores["right"] == full
    assert scores["blank"] == 0
    assert 0 < scores["wrong"] <= full - mark(wrong)["points"]


def _nonsense(source):
    name = source.split("def ", 1)[1].split("(", 1)[0]
    return f"def {name}(*args, **options):\n    return None"
