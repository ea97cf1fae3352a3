"""The grader: fair to right answers, not to be fooled, and a fault costs its own question only."""

import copy
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import nbformat
import pytest
from click.testing import CliRunner

from classes import PATCH_CELLS, SIZE_CELLS, WORDS_CELL
from cnnlab.cli import main
from cnnlab.grading import grade
from cnnlab.grading.build import blank_of, read_source
from cnnlab.grading.paper import Paper, PaperError, mark

SOURCE = f"""# %% [markdown]
# # A paper of three questions

# %%
import numpy as np

SCALE = 1

# %% question="s0.patch_response" points=10 minutes=1 difficulty=1
def patch_response(patch, kernel):
    # BEGIN SOLUTION
    return float((patch * kernel).sum()) * SCALE
    # END SOLUTION

# %% check="s0.patch_response"
from cnnlab.check import check

check("s0.patch_response", patch_response)

# %% question="a1.output_size" points=20 minutes=1 difficulty=1
{SIZE_CELLS}
# %% question="a1.conv_loops" points=30 minutes=1 difficulty=1
def conv_loops(x, w, b, *, stride=1, pad=0):
    # BEGIN SOLUTION
    OH = output_size(x.shape[1], w.shape[0], stride=stride, pad=pad)
    OW = output_size(x.shape[2], w.shape[1], stride=stride, pad=pad)
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    out = np.zeros((len(x), OH, OW, len(b)))
    for i in range(OH):
        for j in range(OW):
            top, left = i * stride, j * stride
            window = padded[:, top : top + w.shape[0], left : left + w.shape[1]]
            out[:, i, j] = np.tensordot(window, w, 3) + b
    return out
    # END SOLUTION

# %% check="a1.conv_loops"
from cnnlab.check import check

check("a1.conv_loops", conv_loops)
"""
PATCH, SIZE, LOOPS = "s0.patch_response", "a1.output_size", "a1.conv_loops"


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course of one paper, laid out like the real one."""
    root = tmp_path_factory.mktemp("course")
    (root / "paper.py").write_text(SOURCE, encoding="utf-8")
    (root / "solutions").mkdir()
    nbformat.write(read_source(root / "paper.py"), root / "solutions" / "paper.ipynb")
    return root


@pytest.fixture
def hand_in(course, tmp_path):
    """Write a submission with these answers (solved where none is given), grade it."""

    def grade_it(answers=None, *, change=lambda notebook: None, name="paper.ipynb", **options):
        notebook = nbformat.read(course / "solutions" / "paper.ipynb", as_version=4)
        for cell in notebook.cells:
            if mark(cell).get("role") == "answer":
                cell.source = (answers or {}).get(mark(cell)["question"], cell.source)
        change(notebook)
        nbformat.write(notebook, tmp_path / name)
        return grade(tmp_path / name, root=course, seed=7, **options)

    return grade_it


def outcome(report):
    return {
        question["id"]: (question["status"], question["points"]) for question in report.questions
    }


ALL_RIGHT = {PATCH: ("right", 10), SIZE: ("right", 20), LOOPS: ("right", 30)}


def message(report, question):
    return next(entry["message"] for entry in report.questions if entry["id"] == question)


def test_the_solution_gets_full_marks(hand_in):
    report = hand_in()
    assert outcome(report) == ALL_RIGHT
    assert (report.status, report.score, report.out_of) == ("graded", 60, 60)


def test_a_blank_gets_nothing_and_is_called_not_attempted(course, tmp_path):
    blank = blank_of(nbformat.read(course / "solutions" / "paper.ipynb", as_version=4))
    nbformat.write(blank, tmp_path / "mine.ipynb")
    report = grade(tmp_path / "mine.ipynb", root=course)
    assert outcome(report) == dict.fromkeys((PATCH, SIZE, LOOPS), ("not attempted", 0))
    assert (report.status, report.score) == ("graded", 0)
    assert "has the notebook been saved?" in report.message
    assert str(tmp_path / "mine.ipynb") in report.message


def test_only_the_answer_cells_count(hand_in):
    def vandalize(notebook):
        notebook.cells = [c for c in notebook.cells if mark(c).get("role") != "check"]
        notebook.cells[1].source = "SCALE = 100"
        notebook.cells.reverse()
        doubled = copy.deepcopy(next(c for c in notebook.cells if mark(c).get("question") == PATCH))
        doubled.source, doubled.id = "patch_response = None", "doubled"
        notebook.cells.append(doubled)
        notebook.cells.insert(0, nbformat.v4.new_code_cell("import os; os._exit(1)"))

    assert outcome(hand_in(change=vandalize)) == ALL_RIGHT


def _metadata_gone(notebook):
    for cell in notebook.cells:
        cell.metadata = {}


def _marks_and_ids_gone(notebook):
    _metadata_gone(notebook)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"new-{number}"


def _only_nbgrader_left(notebook):
    for number, cell in enumerate(notebook.cells):
        cell.metadata.pop("cnnlab", None)
        cell.id = f"new-{number}"


@pytest.mark.parametrize("change", [_metadata_gone, _marks_and_ids_gone, _only_nbgrader_left])
def test_answers_are_found_where_a_tool_has_dropped_the_marks(hand_in, change):
    assert outcome(hand_in(change=change)) == ALL_RIGHT


def test_an_answer_split_over_cells_is_put_together(hand_in):
    def split(notebook):
        at = next(n for n, c in enumerate(notebook.cells) if mark(c).get("question") == PATCH)
        first = copy.deepcopy(notebook.cells[at])
        first.id, first.source = "first-half", "import operator"
        empty = copy.deepcopy(first)
        empty.id, empty.source = "empty", ""
        answer = "def patch_response(p, k):\n    return operator.mul(p, k).sum()"
        notebook.cells[at].source = answer
        notebook.cells[at:at] = [empty, first]

    assert outcome(hand_in(change=split)) == ALL_RIGHT


def test_a_missing_answer_cell_is_said_and_none_at_all_is_no_grade(hand_in):
    def drop(questions):
        def change(notebook):
            notebook.cells = [c for c in notebook.cells if mark(c).get("question") not in questions]

        return change

    report = hand_in(change=drop([PATCH]))
    assert outcome(report) == ALL_RIGHT | {PATCH: ("not attempted", 0)}
    assert message(report, PATCH) == "Its answer cell is gone."
    report = hand_in(change=drop([PATCH, SIZE, LOOPS]))
    assert (report.status, report.score) == ("unreadable", None)
    assert "no answer cell" in report.message


def test_an_answer_that_ends_the_kernel_in_a_moment_does_not_cost_the_next(hand_in):
    later = "def patch_response(p, k):\n    return (p * k).sum()\n\nquit()"

    def slower(notebook):  # so that the moment comes
        for cell in notebook.cells:
            if mark(cell).get("role") == "answer" and mark(cell)["question"] == SIZE:
                cell.source = "import time\n\ntime.sleep(2)\n" + cell.source

    assert outcome(hand_in({PATCH: later}, change=slower)) == ALL_RIGHT


def test_not_implemented_for_one_case_is_wrong_and_input_is_an_error(hand_in):
    report = hand_in(
        {
            PATCH: "def patch_response(p, k):\n    if p.size > 9:\n"
            "        raise NotImplementedError('large')\n    return (p * k).sum()",
            SIZE: "def output_size(*args, **options):\n    return int(input())",
        }
    )
    assert outcome(report)[PATCH] == ("wrong", 0)
    assert "NotImplementedError: large" in message(report, PATCH)
    assert outcome(report)[SIZE] == ("wrong", 0)


def test_an_answer_that_calls_an_unwritten_one_says_so(hand_in, course):
    paper = Paper("paper", nbformat.read(course / "solutions" / "paper.ipynb", as_version=4))
    stub = blank_of(paper.notebook)
    unwritten = next(c.source for c in stub.cells if mark(c).get("question") == SIZE)
    report = hand_in({SIZE: unwritten})
    assert outcome(report)[SIZE] == ("not attempted", 0)
    assert outcome(report)[LOOPS] == ("error", 0)
    assert "calls what is not written yet. Write output_size here" in message(report, LOOPS)


def test_a_helper_above_the_stub_is_no_answer_yet(hand_in, course):
    stub = blank_of(nbformat.read(course / "solutions" / "paper.ipynb", as_version=4))
    unwritten = next(c.source for c in stub.cells if mark(c).get("question") == PATCH)
    report = hand_in({PATCH: "def helper():\n    return 1\n\n" + unwritten})
    assert outcome(report)[PATCH] == ("not attempted", 0)


def test_a_name_that_only_a_helper_cell_defines_is_explained(hand_in):
    report = hand_in({PATCH: "def patch_response(p, k):\n    return my_helper(p, k)"})
    assert outcome(report)[PATCH] == ("wrong", 0)
    assert "Only answer cells are graded" in message(report, PATCH)


def test_an_edited_check_cell_gains_nothing(hand_in):
    def cheat(notebook):
        for cell in notebook.cells:
            if mark(cell).get("role") == "check":
                cell.source = "print('Right.')"

    wrong = {PATCH: "def patch_response(patch, kernel):\n    return 0.0"}
    assert outcome(hand_in(wrong, change=cheat)) == ALL_RIGHT | {PATCH: ("wrong", 0)}


def test_wrong_answers_are_named_and_give_no_reference_away(hand_in):
    report = hand_in(
        {
            PATCH: "def patch_response(patch, kernel):\n    return patch.sum()",
            SIZE: "def output_size(size, kernel_size, *, stride=1, pad=0):\n"
            "    return (size - kernel_size + 2 * pad) // stride + 1",
        }
    )
    assert outcome(report)[PATCH] == ("wrong", 0)
    assert outcome(report)[SIZE] == ("wrong", 0)
    assert "The kernel is not used" in message(report, PATCH)
    assert "Rounded where the window does not fit" in message(report, SIZE)
    assert "got" not in message(report, PATCH)
    assert [question.get("mistake") for question in report.questions] == [
        "The kernel is not used",
        "Rounded where the window does not fit",
        None,
    ]


def test_a_map_says_where_an_image_is_wrong_without_the_right_numbers(hand_in):
    shifted = (
        "def conv_loops(x, w, b, *, stride=1, pad=0):\n"
        "    from cnnlab.ops import conv_forward\n"
        "    out = conv_forward(x, w, b, stride=stride, pad=pad)[0]\n"
        "    out[0, 0, 0, 0] += min(out.shape[1:3]) >= 3\n"
        "    return out"
    )
    report = hand_in({LOOPS: shifted})
    (picture,) = [question["picture"] for question in report.questions if "picture" in question]
    assert picture["where"] == "image 0, channel 0"
    first, *others = picture["rows"]
    assert first.count("#") == 1
    assert first.startswith("#")
    assert set("".join(others)) == {"."}


def test_a_dead_kernel_an_endless_loop_and_an_exception_cost_their_own_question(hand_in):
    report = hand_in(
        {
            PATCH: "import os\ndef patch_response(patch, kernel):\n    os._exit(1)",
            SIZE: "def output_size(size, kernel_size, *, stride=1, pad=0):\n    while True: pass",
            LOOPS: "scale = 1 / 0",
        },
        timeout=3,
    )
    assert outcome(report) == {
        PATCH: ("kernel died", 0),
        SIZE: ("timed out", 0),
        LOOPS: ("error", 0),
    }
    assert "No end after 3 seconds" in message(report, SIZE)
    assert "ZeroDivisionError" in message(report, LOOPS)
    assert report.status == "graded"


def test_what_comes_after_a_dead_kernel_still_counts(hand_in):
    # SIZE was answered before the death, LOOPS needs it after: it must have been run again.
    swapped = {PATCH: "import os\nos._exit(1)"}
    assert outcome(hand_in(swapped)) == ALL_RIGHT | {PATCH: ("kernel died", 0)}


def test_nothing_beside_the_submission_configures_the_grader(hand_in, tmp_path):
    (tmp_path / "conftest.py").write_text("raise RuntimeError('loaded')")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --collect-only\n")
    (tmp_path / "numpy.py").write_text("raise RuntimeError('shadowed')")
    assert outcome(hand_in()) == ALL_RIGHT


def test_settings_of_the_user_do_not_reach_the_kernel(hand_in, tmp_path, monkeypatch):
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text(
        "import cnnlab.check as c\nc.make_record = lambda q, a, s: c.reference_record(q, s)\n"
    )
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    wrong = {PATCH: "def patch_response(patch, kernel):\n    return 0.0"}
    assert outcome(hand_in(wrong))[PATCH] == ("wrong", 0)


def test_each_run_draws_its_own_seed(course):
    path = course / "solutions" / "paper.ipynb"
    first, second = grade(path, root=course), grade(path, root=course)
    assert first.seed != second.seed
    assert first.score == second.score == 60


def test_a_renamed_submission_says_itself_what_it_answers(hand_in):
    assert outcome(hand_in(name="my homework [1] a::b é.txt")) == ALL_RIGHT


def test_a_notebook_of_something_else_is_unreadable(course, tmp_path):
    other = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")])
    nbformat.write(other, tmp_path / "diary.ipynb")
    report = grade(tmp_path / "diary.ipynb", root=course)
    assert report.status == "unreadable"
    assert "does not say which assignment it answers" in report.message
    assert (
        "there is no answer cell of paper"
        in grade(tmp_path / "diary.ipynb", assignment="paper", root=course).message
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [({"timeout": 0}, "timeout"), ({"timeout": float("nan")}, "timeout"), ({"seed": -1}, "seed")],
)
def test_impossible_options_are_refused(course, options, words):
    with pytest.raises(ValueError, match=words):
        grade(course / "solutions" / "paper.ipynb", root=course, **options)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_ctrl_c_leaves_nothing_behind(course, tmp_path):
    loop = nbformat.read(course / "solutions" / "paper.ipynb", as_version=4)
    next(c for c in loop.cells if mark(c).get("question") == PATCH).source = (
        "import pathlib, os, time\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\ntime.sleep(60)"
    )
    nbformat.write(loop, tmp_path / "loop.ipynb")
    command = [sys.executable, "-m", "cnnlab", "grade", str(tmp_path / "loop.ipynb")]
    command += ["--isolation", "none"]  # else it could not write down its number
    (tmp_path / "tmp").mkdir()
    environment = {"CNNLAB_COURSE": str(course), "TMPDIR": str(tmp_path / "tmp")}
    process = subprocess.Popen(
        command,
        env=os.environ | environment,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        # Where tests run in the background, Ctrl+C may have been switched off for all of them.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    pid = tmp_path / "pid"
    _wait_until(lambda: pid.exists() and pid.read_text())
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) != 0
    _wait_until(lambda: not _lives(int(pid.read_text())))
    assert list((tmp_path / "tmp").iterdir()) == []


def _lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def test_an_unknown_assignment_lists_the_known_ones(course, tmp_path):
    shutil.copy(course / "solutions" / "paper.ipynb", tmp_path)
    with pytest.raises(PaperError, match=r"called 'a9'; there are: paper"):
        grade(tmp_path / "paper.ipynb", assignment="a9", root=course)


WITH_WORDS = f"""# %% [markdown] manual="a7.filters" points=10 minutes=5
{WORDS_CELL}
# %% question="s0.patch_response" points=20 minutes=1 difficulty=1
{PATCH_CELLS}
# %% question="a1.output_size" points=0 minutes=1 difficulty=3
{SIZE_CELLS}"""
WORDS = "a7.filters"


@pytest.fixture(scope="module")
def course_with_words(tmp_path_factory):
    root = tmp_path_factory.mktemp("words")
    (root / "words.py").write_text(WITH_WORDS, encoding="utf-8")
    (root / "solutions").mkdir()
    nbformat.write(read_source(root / "words.py"), root / "solutions" / "words.ipynb")
    return root


@pytest.fixture
def answer_in_words(course_with_words, tmp_path):
    def grade_it(change):
        solved = nbformat.read(course_with_words / "solutions" / "words.ipynb", as_version=4)
        blank = blank_of(solved)
        change(blank.cells)
        nbformat.write(blank, tmp_path / "words.ipynb")
        return grade(tmp_path / "words.ipynb", root=course_with_words, seed=7)

    return grade_it


def test_words_are_carried_to_a_person_and_count_neither_way(answer_in_words):
    def write(cells):
        cells[0].source = cells[0].source.replace("Write here.", "Edges <b>\n\nand blobs")
        cells[1].source = "def patch_response(p, k):\n    return (p * k).sum()"

    report = answer_in_words(write)
    assert outcome(report) == {
        WORDS: ("to be read by a person", None),
        PATCH: ("right", 20),
        SIZE: ("not attempted", 0),
    }
    assert message(report, WORDS) == "Edges <b>\n\nand blobs"
    assert (report.status, report.score, report.out_of, report.by_person) == ("graded", 20, 20, 10)
    assert report.as_dict()["by_person"] == 10
    lines = [line.split() for line in str(report).splitlines()]
    assert [WORDS, "?", "/", "10", "to", "be", "read", "by", "a", "person"] in lines
    assert [SIZE, "optional", "not", "attempted"] in lines
    assert ["total", "20", "/", "20"] in lines
    assert "10 points are given by a person" in str(report)
    page = report._repr_html_()
    assert "10 points are given by a person" in page
    assert "Edges &lt;b&gt;" in page
    assert "<td style='white-space:nowrap'>optional</td>" in page


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda cells: None, ""),
        (lambda cells: cells.pop(0), "Its answer cell is gone."),
        (lambda cells: cells[0].update(source=""), ""),
    ],
    ids=["stub", "gone", "emptied"],
)
def test_nothing_written_in_words_is_not_attempted(answer_in_words, change, said):
    report = answer_in_words(change)
    assert outcome(report)[WORDS] == ("not attempted", None)
    assert message(report, WORDS) == said
    assert (report.score, report.out_of, report.by_person) == (0, 20, 10)


def test_words_are_found_without_their_marks_and_never_run(answer_in_words):
    def write(cells):
        cells[0].source = "import os; os._exit(1)"
        cells[0].metadata = {}
        # A second cell of code under the same mark is not the one that was asked for.
        code = nbformat.v4.new_code_cell("import os; os._exit(1)")
        code.metadata = {"cnnlab": {"role": "manual", "question": WORDS}}
        cells.append(code)

    report = answer_in_words(write)
    assert message(report, WORDS) == "import os; os._exit(1)"
    assert report.status == "graded"


@pytest.mark.parametrize("right", [True, False])
def test_an_optional_question_is_shown_and_never_counts(answer_in_words, right):
    result = "size - kernel_size + 2 * pad" if right else "size"

    def write(cells):
        cells[3].source = (
            "def output_size(size, kernel_size, *, stride=1, pad=0):\n"
            f"    room = {result}\n"
            "    if room < 0 or room % stride:\n        raise ValueError('no')\n"
            "    return room // stride + 1"
        )

    report = answer_in_words(write)
    assert outcome(report)[SIZE] == ("right" if right else "wrong", 0)
    assert (report.score, report.out_of) == (0, 20)


def test_what_cannot_be_decided_is_said_and_gets_no_points(hand_in):
    rough = "def patch_response(p, k):\n    return (p * k).sum() * 1.0005"
    report = hand_in({PATCH: rough})
    assert outcome(report) == ALL_RIGHT | {PATCH: ("not decidable", 0)}
    assert "half precision" in message(report, PATCH)


def test_a_call_without_end_is_said_to_be_too_slow_where_there_is_time(hand_in):
    endless = "def patch_response(p, k):\n    while True: pass"
    report = hand_in({PATCH: endless}, timeout=25)
    assert outcome(report) == ALL_RIGHT | {PATCH: ("wrong", 0)}
    assert "It is too slow. It took more than 10 seconds in case 1 of 3" in message(report, PATCH)


def test_a_paper_says_what_it_is_worth(course):
    paper = Paper("paper", nbformat.read(course / "solutions" / "paper.ipynb", as_version=4))
    worth = [(item.id, item.points) for item in paper.items]
    assert worth == [(PATCH, 10), (SIZE, 20), (LOOPS, 30)]


@pytest.fixture
def command(course, monkeypatch):
    monkeypatch.setenv("CNNLAB_COURSE", str(course))
    return lambda *words: CliRunner().invoke(main, ["grade", *map(str, words)])


def test_the_command_prints_points_and_total(command, course):
    path = course / "solutions" / "paper.ipynb"
    done = command(path, "--seed", 1, "--isolation", "none")
    assert done.exit_code == 0
    assert [line.split() for line in done.stdout.splitlines()[1:]] == [
        [PATCH, "10", "/", "10", "right"],
        [SIZE, "20", "/", "20", "right"],
        [LOOPS, "30", "/", "30", "right"],
        ["total", "60", "/", "60"],
        ["isolation:", "none"],
    ]


def test_the_command_prints_one_line_of_json(command, course):
    done = command(course / "solutions" / "paper.ipynb", "--seed", 1, "--json")
    (line,) = done.stdout.splitlines()
    found = json.loads(line)
    assert (found["score"], found["out_of"], found["seed"]) == (60, 60, 1)
    assert found["questions"][0] == {
        "id": PATCH,
        "status": "right",
        "points": 10,
        "out_of": 10,
        "message": "Right. All 3 cases agree.",
        "flags": [],
    }


def test_the_command_fails_where_nothing_could_be_graded(command, tmp_path):
    done = command(tmp_path / "none.ipynb", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["status"] == "missing"
    (tmp_path / "broken.ipynb").write_text("{")
    done = command(tmp_path / "broken.ipynb", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["score"] is None


def test_the_flag_of_pytest_grades_too(course, tmp_path):
    path = course / "solutions" / "paper.ipynb"
    command = [sys.executable, "-m", "pytest", "--cnnlab", "-q", str(path)]
    environment = os.environ | {"CNNLAB_COURSE": str(course)}
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "7 passed" in done.stdout
