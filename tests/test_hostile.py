"""Hostile, broken and unusual submissions: exactly what becomes of each; nothing hangs.

What is written into answer cells stands in tests/hostile/. Answers are graded several to a page:
whatever one does, those before and after it keep their points.
"""

import copy
import json
import os
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest

import cnnlab
from cnnlab.grading import grade
from cnnlab.grading.build import read_source
from cnnlab.grading.flags import flags, said
from cnnlab.grading.isolation import BWRAP, find_hole
from cnnlab.grading.paper import UnreadableError, load_paper, mark, name_of, read_submission
from hostile import ANSWERS, ANY, ESCAPES, NAMES, RIGHT, SIZE, Answer
from hostile.files import READABLE, UNREADABLE

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
        return two.submit(
            grade, path, root=course, seed=7, timeout=3 if slow else 30, isolation="none"
        )

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


def named(answers):
    return [pytest.param(one, id=f"{one.kind}: {one.name}") for one in answers]


@pytest.mark.parametrize("answer", named(ANSWERS))
def test_what_becomes_of_an_answer(graded, answer):
    number, question = PLACES[answer.kind, answer.name]
    expect(answer, graded(number), question)


@pytest.mark.parametrize("number", range(len(PAGES)))
def test_nobody_else_loses_a_point(graded, number):
    expect_no_more(PAGES[number], graded(number))


def test_an_earlier_check_does_not_tell_the_seed_of_the_next(course, tmp_path):
    (prepared,) = [one for one in ANSWERS if one.name == "records prepared before the check"]
    nbformat.write(submission(course, {SIZE: prepared}), tmp_path / "mine.ipynb")
    before, size, *_ = grade(tmp_path / "mine.ipynb", root=course, isolation="none").questions
    assert (before["status"], size["id"], size["status"]) == ("right", SIZE, "wrong")


def expect(answer, report, question):
    """That this question of a report came out as the catalogue says."""
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


def expect_no_more(page, report):
    """That all other questions of a report are right, and the score is the sum of all."""
    expected = {
        question: page[question].status if question in page else "right" for question in ANY
    }
    assert {one["id"]: one["status"] for one in report.questions} == expected
    assert report.score == POINTS * list(expected.values()).count("right")


# Escapes


@pytest.fixture(scope="module")
def escaped(course, tmp_path_factory):
    """The report on each page of escapes, and the places that they reached for."""
    if hole := find_hole(BWRAP, course):
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(hole)
    folder, reports = tmp_path_factory.mktemp("class"), []
    (folder / "grades.csv").write_text("0", encoding="utf-8")
    (folder / "other.ipynb").write_text("theirs", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as door:
        places = {
            "SOLUTION": course / "solutions" / "paper.ipynb",
            "OTHER": folder / "other.ipynb",
            "GRADES": folder / "grades.csv",
            "LIBRARY": Path(cnnlab.__file__),
            "GRADER": os.getpid(),
            "DOOR": door.getsockname()[1],
        }
        for number, page in enumerate(ESCAPE_PAGES):
            notebook = submission(course, page)
            for cell in notebook.cells:
                for name, place in places.items():
                    cell.source = re.sub(rf"\b{name}\b", str(place), cell.source)
            nbformat.write(notebook, folder / f"{number}.ipynb")
            reports.append(grade(folder / f"{number}.ipynb", root=course, isolation=BWRAP))
    return reports, places


ESCAPE_PAGES = pages(ESCAPES)


@pytest.mark.parametrize("answer", named(ESCAPES))
def test_what_becomes_of_an_escape(escaped, answer):
    reports, _ = escaped
    for page, report in zip(ESCAPE_PAGES, reports, strict=True):
        for question, one in page.items():
            if one is answer:
                expect(answer, report, question)


@pytest.mark.parametrize("number", range(len(ESCAPE_PAGES)))
def test_an_escape_costs_nothing_but_its_question(escaped, number):
    reports, _ = escaped
    assert reports[number].isolation == BWRAP.name
    expect_no_more(ESCAPE_PAGES[number], reports[number])


def test_what_was_reached_for_is_as_it_was_and_nothing_runs_on(escaped):
    _, places = escaped
    assert places["GRADES"].read_text(encoding="utf-8") == "0"
    assert "rewritten" not in places["LIBRARY"].read_text(encoding="utf-8")
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if _sleeps(path)]


def _sleeps(path):
    try:
        return b"86399.77" in path.read_bytes()
    except OSError:
        return False


# Files


@pytest.mark.parametrize(("content", "words"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_that_is_no_notebook_is_unreadable_and_no_zero(course, tmp_path, content, words):
    path = tmp_path / "mine.ipynb"
    path.write_bytes(content)
    report = grade(path, root=course)
    assert (report.status, report.score, report.questions) == ("unreadable", None, [])
    assert words in report.message
    assert len(report.message) < 400


def read(path, course):
    """The answers that the grader finds in a file, and whether they were written."""
    submission = read_submission(path)
    paper = load_paper(name_of(submission, path, course), course)
    notebook, found = paper.graft(submission)
    assert [item.points for item in paper.items] == [POINTS] * len(RIGHT)
    answers = {
        mark(cell)["question"]: cell.source
        for cell in notebook.cells
        if mark(cell).get("role") == "answer"
    }
    json.dumps([notebook, submission], ensure_ascii=False).encode()
    assert set(flags(notebook)) == set(RIGHT)
    return answers, found


@pytest.fixture(scope="module")
def solved(course):
    """A submission with all answers right, as JSON; nothing else in it counts."""
    return json.loads(json.dumps(submission(course, {q: _right(q) for q in RIGHT})))


def _right(question):
    return Answer("", "", "right", RIGHT[question])


@pytest.mark.parametrize("change", READABLE.values(), ids=READABLE)
def test_odd_notebooks_are_read_and_nothing_but_their_answers_counts(
    course, solved, tmp_path, change
):
    odd = copy.deepcopy(solved)
    change(odd)
    path = tmp_path / "paper.ipynb"
    path.write_text(json.dumps(odd), encoding="utf-8")
    assert read(path, course) == (RIGHT, dict.fromkeys(RIGHT, "written"))


@pytest.mark.parametrize(
    "convert",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\\n", "\\r\\n"),
        lambda text: text + "\n" * 1000,
    ],
    ids=["byte order mark", "lines of Windows", "sources of Windows", "empty lines at the end"],
)
def test_files_of_other_systems_are_read(course, solved, tmp_path, convert):
    path = tmp_path / "mine.ipynb"
    path.write_bytes(convert(json.dumps(solved, indent=1)).encode())
    answers, _ = read(path, course)
    assert {question: text.splitlines() for question, text in answers.items()} == {
        question: text.splitlines() for question, text in RIGHT.items()
    }


@pytest.mark.parametrize(
    "name",
    [
        *("--co", "-p no:cnnlab", "--rootdir=..", "a\nb.ipynb", "'\"`$(exit 1)`.ipynb"),
        *(
            "答え.ipynb",
            "ответ.ipynb",
            "إجابة.ipynb",
            "🙂.ipynb",
            "e\u0301.ipynb",
            "paper.ipynb.exe",
        ),
        *("x" * 255, " .ipynb ", "%s{0}.ipynb", "a::b[1].ipynb", "conftest.py", "*.ipynb"),
    ],
)
def test_no_name_of_a_file_matters(course, solved, tmp_path, name):
    path = tmp_path / name
    path.write_text(json.dumps(solved), encoding="utf-8")
    assert read(path, course)[0] == RIGHT


@pytest.mark.parametrize("name", ["--co", "a\nb.ipynb", "x" * 255, "答え [1]::x.ipynb"])
def test_nor_does_it_when_it_is_graded(course, solved, tmp_path, name):
    page = {question: Answer("", "", "error", "1 / 0") for question in list(RIGHT)[1:]}
    path = tmp_path / name
    nbformat.write(submission(course, page), tmp_path / "any.ipynb")
    (tmp_path / "any.ipynb").rename(path)
    assert grade(path, root=course, isolation="none").score == POINTS


def test_what_is_no_file_is_not_waited_for(course, tmp_path):
    (tmp_path / "folder.ipynb").mkdir()
    (tmp_path / "broken.ipynb").symlink_to(tmp_path / "gone.ipynb")
    (tmp_path / "round.ipynb").symlink_to(tmp_path / "round.ipynb")
    names = ["folder", "broken", "round", "none", "x" * 300, "none\0"]
    for path in (tmp_path / f"{name}.ipynb" for name in names):
        report = grade(path, root=course)
        assert (report.status, report.score) == ("missing", None)
        with pytest.raises((UnreadableError, ValueError)):
            read_submission(path)
    for path in special_files(tmp_path):
        report = grade(path, root=course)
        assert (report.status, report.score) == ("unreadable", None)
        assert report.message == f"{path} is no file."


def special_files(folder):
    """A pipe that nobody writes to, and a device that never ends."""
    if os.name == "nt":
        return []
    os.mkfifo(folder / "pipe.ipynb")
    (folder / "device.ipynb").symlink_to("/dev/zero")
    return [folder / "pipe.ipynb", folder / "device.ipynb", Path("/dev/zero")]


def test_a_link_is_followed_where_a_person_names_it(course, solved, tmp_path):
    (tmp_path / "paper.ipynb").write_text(json.dumps(solved), encoding="utf-8")
    (tmp_path / "link.ipynb").symlink_to(tmp_path / "paper.ipynb")
    assert read(tmp_path / "link.ipynb", course)[0] == RIGHT
