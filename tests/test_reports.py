"""Reports say what was found, to those it is for; nothing from a submission acts in them."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner

from classes import RIGHT, WRONG, make_course, notebook, put
from cnnlab.cli import main
from cnnlab.grading.collect import Submission
from cnnlab.grading.exports import classroom, gradescope, junit
from cnnlab.grading.gradebook import Gradebook, GradebookError, Row
from cnnlab.grading.pages import feedback_page, overview_page
from cnnlab.grading.report import Report
from cnnlab.grading.reports import write_reports
from cnnlab.grading.roster import Student
from cnnlab.grading.sheet import COLUMNS, write_sheet

DUE = 1_790_000_000.0
DAY = 86400
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}"


def question(name="a1.q", status="right", points=10, out_of=10, message="", **more):
    return {
        "id": name,
        "status": status,
        "points": points,
        "out_of": out_of,
        "message": message,
    } | more


def row(*questions, student="anna", name="Anna", status="graded", **more):
    place = f"{student}/one.ipynb"
    submission = Submission(Student(student, name), "one", place, sha256="x", **more)
    report = Report(place, status, "one", 7, list(questions))
    return Row(submission, report)


WORDS = question("a1.words", "to be read by a person", None, 5, "Edges")
WRONG_ONE = question(
    "a1.flip",
    "wrong",
    0,
    20,
    "The filter is flipped. Do not turn it.\nFirst seen in case 1.",
    mistake="The filter is flipped",
    picture={"where": "image 0, channel 1", "rows": ["#..", ".#."]},
)


def sheet(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))


# The sheet


def test_the_sheet_has_a_row_for_each_with_all_that_is_known(tmp_path):
    late = row(question(), WRONG_ONE, time=DUE + 1.2 * DAY, notes=("is not on the roster",))
    early = row(question(), student="bob", name="", time=DUE - DAY)
    missing = Row(Submission(Student("cid"), "one", problem="x"), Report("", "missing", "one"))
    write_sheet(tmp_path / "grades.csv", [late, early, missing], DUE)
    anna, bob, cid = sheet(tmp_path / "grades.csv")
    assert tuple(anna) == COLUMNS
    assert {key: anna[key] for key in ("student", "name", "assignment", "status", "seed")} == {
        "student": "anna",
        "name": "Anna",
        "assignment": "one",
        "status": "graded",
        "seed": "7",
    }
    assert (anna["score"], anna["out_of"], anna["total"]) == ("10", "30", "10")
    assert (anna["late_days"], anna["flags"]) == ("2", "is not on the roster")
    assert bob["late_days"] == "0"
    assert (cid["status"], cid["score"], cid["out_of"], cid["total"]) == ("missing", "", "", "")


def test_late_days_are_counted_only_where_it_was_due(tmp_path):
    write_sheet(tmp_path / "grades.csv", [row(question(), time=DUE + 9 * DAY)], None)
    assert sheet(tmp_path / "grades.csv")[0]["late_days"] == ""


def test_what_an_instructor_types_is_kept(tmp_path):
    path = tmp_path / "grades.csv"
    rows = [row(question(), WORDS), row(question(), student="=bob")]
    write_sheet(path, rows, None)
    assert [cells["total"] for cells in sheet(path)] == ["", "10"]
    typed = sheet(path)
    typed[0] |= {"manual": "3.5", "late_days_counted": "1", "score": "999", "remark": "good"}
    typed[1] |= {"remark": "see me, ok"}
    # As a spreadsheet in Europe saves it, rows in another order.
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(typed[0]), delimiter=";", restval="")
        writer.writeheader()
        writer.writerows(reversed(typed))
    for _ in range(2):
        write_sheet(path, rows, None)
        anna, bob = sheet(path)
        assert (anna["manual"], anna["late_days_counted"], anna["remark"]) == ("3.5", "1", "good")
        assert (anna["score"], anna["total"]) == ("10", "13.5")
        assert (bob["student"], bob["remark"], bob["total"]) == ("'=bob", "see me, ok", "10")


@pytest.mark.parametrize(
    ("manual", "total"),
    [("", ""), ("4", "14"), ("2,5", "12.5"), ("-1", "9"), ("fine", ""), ("nan", "")],
)
def test_a_total_needs_all_its_parts(tmp_path, manual, total):
    path = tmp_path / "grades.csv"
    write_sheet(path, [row(question(), WORDS)], None)
    text = path.read_text(encoding="utf-8-sig")
    (cells,) = sheet(path)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(cells))
        writer.writeheader()
        writer.writerow(cells | {"manual": manual})
    write_sheet(path, [row(question(), WORDS)], None)
    (found,) = sheet(path)
    assert (found["manual"], found["total"]) == (manual, total)
    assert len(text.splitlines()) == 2


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", " ="])
def test_no_cell_is_taken_for_a_formula(tmp_path, start):
    evil = f"{start}HYPERLINK(1)"
    one = row(question(), student=evil, name=evil)
    flagged = question(evil, flags=[{"line": 1, "what": "x"}])
    report = Report(evil, "graded", "one", 7, [flagged], evil)
    write_sheet(tmp_path / "grades.csv", [Row(one.submission, report)], None)
    (cells,) = sheet(tmp_path / "grades.csv")
    for name in ("student", "name", "message", "flags"):
        assert cells[name].startswith("'"), name
    write_sheet(tmp_path / "grades.csv", [Row(one.submission, report)], None)
    assert sheet(tmp_path / "grades.csv") == [cells]


def test_a_sheet_that_is_none_is_left_as_it_is(tmp_path):
    path = tmp_path / "grades.csv"
    path.write_text("some,thing\n1,2\n")
    with pytest.raises(GradebookError, match="must have the columns student, assignment, manual"):
        write_sheet(path, [row(question())], None)
    path.write_bytes(b"student,assignment\n\xff")
    with pytest.raises(GradebookError, match="what was typed into it would be lost"):
        write_sheet(path, [row(question())], None)
    assert path.read_bytes() == b"student,assignment\n\xff"


# Pages


class Page(HTMLParser):
    """The tags of a page, its pictures, and its words."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.attributes, self.words = [], [], ""
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attributes)))

    def handle_data(self, data):
        if self.tags[-1:] != ["style"]:
            self.words += f"{data} "


def evil_rows():
    more = {"mistake": EVIL, "picture": {"where": EVIL, "rows": ["#"]}}
    bad = question(EVIL, EVIL, 0, 10, EVIL, flags=[{"line": EVIL, "what": EVIL}], **more)
    one = Submission(Student(EVIL, EVIL), EVIL, EVIL, time=DUE, notes=(EVIL,), sha256="x")
    graded = Report(EVIL, "graded", EVIL, 7, [bad], EVIL)
    return [Row(one, graded), Row(one, Report(EVIL, "unreadable", EVIL, message=EVIL))]


@pytest.mark.parametrize("which", ["feedback", "unreadable", "overview"])
def test_nothing_from_a_submission_becomes_markup(which):
    rows = evil_rows()
    source = {
        "feedback": lambda: feedback_page(rows[0].report, EVIL, EVIL),
        "unreadable": lambda: feedback_page(rows[1].report, EVIL, EVIL),
        "overview": lambda: overview_page(rows, DUE),
    }[which]()
    page = Page(source)
    assert EVIL in page.words
    assert "script" not in page.tags
    assert not any(name.startswith("on") for _, given in page.attributes for name in given)
    pictures = [given["src"] for tag, given in page.attributes if tag == "img"]
    assert all(source.startswith("data:image/svg+xml;base64,") for source in pictures)


def test_pages_stand_alone():
    for source in (
        feedback_page(row(question(), WRONG_ONE).report, "Anna"),
        overview_page([row(question(), WRONG_ONE)], DUE),
    ):
        addresses = [
            value
            for _, given in Page(source).attributes
            for name, value in given.items()
            if name in ("src", "href")
        ]
        assert all(re.match(r"data:|feedback/", address) for address in addresses)
        assert "//" not in source
        assert 'name="viewport"' in source
        assert "prefers-color-scheme: dark" in source


def test_feedback_says_score_status_mistake_and_where(tmp_path):
    page = Page(feedback_page(row(question(), WRONG_ONE, WORDS).report, "Anna", "yesterday"))
    words = " ".join(page.words.split())
    assert "10 of 30 points" in words
    assert "5 more can be given by a person" in words
    assert "a1.flip 0 of 20 wrong: The filter is flipped Do not turn it. First seen" in words
    assert "image 0, channel 1: the filled cells differ, 2 of 6." in words
    ((_, picture),) = [found for found in page.attributes if found[0] == "img"]
    assert picture["alt"].startswith("2 of 6 numbers differ")


def test_flags_of_a_class_are_the_instructors_alone():
    flag = {"line": 3, "source": "import scipy", "what": "calls another library"}
    one = row(question(), WRONG_ONE | {"flags": [flag]})
    assert "a1.flip, line 3: calls another library" in overview_page([one], None)
    assert "another library" not in feedback_page(one.report)
    assert "another library" not in json.dumps(one.report.for_learner())
    assert "another library" not in json.dumps(gradescope(one.report))
    # Whoever grades their own work is told.
    assert "Line 3 calls another library." in str(one.report)


@pytest.mark.parametrize("status", ["crashed", "partly graded"])
def test_the_log_of_a_grader_that_stopped_is_the_instructors(status):
    one = Row(Submission(Student("anna"), "one"), Report("x", status, "one", message="E  secret"))
    assert "secret" in overview_page([one], None)
    for shown in (feedback_page(one.report), json.dumps(gradescope(one.report))):
        assert "secret" not in shown
    assert "secret" not in json.dumps(one.report.for_learner())


def test_no_grade_is_no_zero_on_any_page():
    for status in ("crashed", "unreadable", "missing"):
        words = Page(feedback_page(Report("x", status, "one", message="why"))).words
        assert f"Not graded: {status}" in words
        assert "points" not in words
        assert "score" not in gradescope(Report("x", status, "one"))


def test_the_overview_shows_hard_questions_mistakes_and_who_needs_a_look():
    rows = [
        row(question(), WRONG_ONE, student="a"),
        row(question(), WRONG_ONE, student="b"),
        row(question(), question("a1.flip", out_of=20, points=20), student="c"),
        Row(Submission(Student("d"), "one", "d.zip"), Report("d.zip", "unreadable", "one")),
        Row(Submission(Student("e"), "one"), Report("", "missing", "one")),
    ]
    words = " ".join(Page(overview_page(rows, None)).words.split())
    assert "3 graded, 1 unreadable, 1 missing" in words
    look = words.partition("Who needs a look")[2].partition("Scores")[0]
    assert "d one d.zip unreadable" in look
    assert "missing" not in look
    assert "30 to 40 % 2" in words
    assert "90 to 100 % 1" in words
    assert "hardest question first a1.flip 1 of 3 a1.q 3 of 3" in words
    assert "Most frequent mistakes The filter is flipped 2" in words


# For other programs


def test_gradescope_gets_scores_it_can_read():
    found = gradescope(row(question(), WRONG_ONE, WORDS).report)
    assert found["score"] == 10
    assert [(test["name"], test["score"], test["max_score"]) for test in found["tests"]] == [
        ("a1.q", 10, 10),
        ("a1.flip", 0, 20),
    ]
    assert [test["status"] for test in found["tests"]] == ["passed", "failed"]
    partly = row(question(), question("x", "not graded", 0), status="partly graded")
    assert [test["name"] for test in gradescope(partly.report)["tests"]] == ["a1.q"]


def test_junit_tells_failures_errors_and_what_is_skipped():
    bell = question("bell", "error", 0, 10, "a\x07b\ud800]]>&")
    rows = [
        row(question(), WRONG_ONE, WORDS, bell),
        Row(Submission(Student("d"), "one", "d.zip"), Report("d.zip", "unreadable", "one")),
    ]
    anna, d = ET.fromstring(junit(rows))
    assert [anna.get(kind) for kind in ("tests", "failures", "errors", "skipped")] == list("4201")
    assert [d.get(kind) for kind in ("tests", "failures", "errors", "skipped")] == list("1010")
    assert anna.findall("testcase")[3].find("failure").text == "a\ufffdb\ufffd]]>&"


def test_github_classroom_gets_its_points():
    assert classroom(row(question(), WRONG_ONE).report) == [
        "::notice title=Autograding complete::Points 10/30",
        '::notice title=Autograding report::{"totalPoints": 10, "maxPoints": 30}',
    ]
    assert "Points" not in "".join(classroom(Report("x", "unreadable")))


# All of them, from records


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return make_course(tmp_path_factory.mktemp("course"))


@pytest.fixture
def command(course, monkeypatch):
    monkeypatch.setenv("CNNLAB_COURSE", str(course))
    return lambda *words: CliRunner().invoke(main, [*map(str, words)])


def test_reports_are_made_again_without_grading(command, course, tmp_path):
    put(tmp_path / "tree" / "anna" / "one.ipynb", notebook(course, WRONG))
    put(tmp_path / "tree" / "Zoë" / "one.ipynb", b"{")
    out = tmp_path / "grades"
    options = ("--workers", 1, "--seed", 3, "--isolation", "none")
    done = command("grade-all", tmp_path / "tree", "--out", out, *options)
    assert done.exit_code == 0, done.output
    assert "1 graded, 1 unreadable." in done.stdout
    results = {path: path.read_bytes() for path in (out / "results").iterdir()}
    reports = {
        path.relative_to(out): path.read_bytes()
        for path in out.rglob("*")
        if path.suffix in (".html", ".xml", ".csv") or path.parts[-2] != "results"
        if path.is_file() and path.name not in (".lock", "batch.json", "submissions.json")
    }
    assert {"overview.html", "grades.csv", "junit.xml"} <= {str(path) for path in reports}
    assert len([path for path in reports if path.name == "results.json"]) == 2
    put(out / "feedback" / "gone.one.html", b"of somebody who has left")
    for path in reports:
        if path.parts[0] != "records":
            (out / path).unlink()
    done = command("grade-all", "--report-only", "--out", out)
    assert done.exit_code == 0, done.output
    assert {path: (out / path).read_bytes() for path in reports} == reports
    assert {path: path.read_bytes() for path in (out / "results").iterdir()} == results
    assert [cells["student"] for cells in sheet(out / "grades.csv")] == ["anna", "Zoë"]
    assert not (out / "feedback" / "gone.one.html").exists()
    page = (out / "feedback" / "anna.one.html").read_text(encoding="utf-8")
    assert "wrong: The kernel is not used" in page
    command("grade-all", "--report-only", "--out", out, "--due", "2001-01-01")
    assert {int(cells["late_days"]) > 0 for cells in sheet(out / "grades.csv")} == {True}


def test_reports_of_nothing_are_refused(tmp_path):
    with Gradebook(tmp_path / "grades") as book, pytest.raises(GradebookError, match="no class"):
        write_reports(book)


def test_one_notebook_gets_a_page_and_points_for_github(command, course, tmp_path, monkeypatch):
    path = put(tmp_path / "one.ipynb", notebook(course, RIGHT))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    done = command("grade", path, "--html", tmp_path / "page.html")
    assert done.exit_code == 0
    stop, *_, start, points, numbers = done.stdout.splitlines()
    assert stop == f"::stop-commands::{start.strip(':')}"
    assert points == "::notice title=Autograding complete::Points 10/10"
    assert json.loads(numbers.partition("report::")[2]) == {"totalPoints": 10, "maxPoints": 10}
    assert "10 of 10 points" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_page_that_cannot_be_written_is_said(command, tmp_path):
    done = command("grade", tmp_path / "none.ipynb", "--html", tmp_path / "no" / "page.html")
    assert done.exit_code == 2
    assert "No such file or directory" in done.stderr
