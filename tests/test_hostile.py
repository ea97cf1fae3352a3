"""Hostile, broken and unusual submissions: exactly what becomes of each; nothing hangs.

What is written into answer cells stands in tests/hostile/. Answers are graded several to a page:
whatever one does, those before and after it keep their points.
"""

from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest

from cnnlab.grading import grade
from cnnlab.grading.build import read_source
from cnnlab.grading.flags import said
from cnnlab.grading.paper import mark
from hostile import ANSWERS, ANY, NAMES, RIGHT

POINTS = 10


def source_of_the_paper():
    cells = ["# %%\nimport numpy as np"]
    for question, text in RIGHT.items():
        head, *body = text.split("\n")
        solved = [head, "    # BEGIN SOLUTION", *body, "    # END SOLUTION"]
        cells.append(
            f'# %% question="{question}" points={POINTS} minutes=1 difficulty=1\n'
            + "\n".join(solved)
        )
        check = f'check("{question}", {NAMES[question]})'
        cells.append(f'# %% check="{question}"\nfrom cnnlab.check import check\n\n{check}')
    return "\n\n".join(cells) + "\n"


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    root = tmp_path_factory.mktemp("course")
    (root / "paper.py").write_text(source_of_the_paper(), encoding="utf-8")
    (root / "solutions").mkdir()
    nbformat.write(read_source(root / "paper.py"), root / "solutions" / "paper.ipynb")
    return root


def pages(answers):
    """The answers spread over as few pages as they need: question → answer for each page."""
    made = []
    for slow in (False, True):
        own = []
        for answer in [one for one in answers if one.slow is slow]:
            free = (page for page in own if _free(page, answer))
            page = next(free, None)
            if page is None:
                page = {}
                own.append(page)
            page[_free(page, answer)] = answer
        made += own
    return made


def _free(page, answer):
    """A question of the page that the answer can still be given to."""
    if answer.last:
        return None if ANY[-1] in page else ANY[-1]
    return next((q for q in answer.questions if q not in page), None)


PAGES = pages(ANSWERS)
PLACES = {
    (answer.kind, answer.name): (number, question)
    for number, page in enumerate(PAGES)
    for question, answer in page.items()
}


@pytest.fixture(scope="module")
def graded(course, tmp_path_factory):
    """The report on a page, by its number; each is graded once, and the next one meanwhile."""
    reports = {}

    def start(number):
        path = tmp_path_factory.mktemp("handed_in") / f"page {number}.ipynb"
        nbformat.write(submission(course, PAGES[number]), path)
        slow = any(answer.slow for answer in PAGES[number].values())
        return two.submit(grade, path, root=course, timeout=5 if slow else 30)

    def report(number):
        for one in (number, (number + 1) % len(PAGES)):
            if one not in reports:
                reports[one] = start(one)
        return reports[number].result()

    with ThreadPoolExecutor(2) as two:
        yield report


def submission(course, page):
    notebook = nbformat.read(course / "solutions" / "paper.ipynb", as_version=4)
    for cell in notebook.cells:
        question = mark(cell).get("question")
        if mark(cell).get("role") == "answer" and question in page:
            cell.source = page[question].to(question)
    return notebook


@pytest.mark.parametrize(
    "answer", [pytest.param(one, id=f"{one.kind}: {one.name}") for one in ANSWERS]
)
def test_what_becomes_of_an_answer(graded, answer):
    number, question = PLACES[answer.kind, answer.name]
    report = graded(number)
    assert report.status == "graded"
    (found,) = [one for one in report.questions if one["id"] == question]
    points = POINTS if answer.status == "right" else 0
    assert (found["status"], found["points"]) == (answer.status, points), found["message"]
    for words in answer.says:
        assert words in found["message"]
    assert all(letter.isprintable() or letter == "\n" for letter in found["message"])
    flagged = [said(flag) for flag in found["flags"]]
    for words in answer.flags:
        assert any(words in one for one in flagged), (words, flagged)
    for one in flagged:
        assert any(words in one for words in answer.flags), one


@pytest.mark.parametrize("number", range(len(PAGES)))
def test_nobody_else_loses_a_point(graded, number):
    page, report = PAGES[number], graded(number)
    expected = {
        question: page[question].status if question in page else "right" for question in ANY
    }
    assert {one["id"]: one["status"] for one in report.questions} == expected
    assert report.score == POINTS * list(expected.values()).count("right")
