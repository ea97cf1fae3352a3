"""The builder: what it makes of a source, what it refuses, and that it never loses answers."""

import nbformat
import pytest
from click.testing import CliRunner

from cnnlab.cli import main
from cnnlab.grading.build import build, read_source, stale
from cnnlab.grading.paper import ANSWERS, PaperError, mark, own_words, strip

PAGE = """# %% [markdown] tags=["T04"]
# # A page

# %%
print(1 + 1)

# %% tags=["nbval-ignore-output"]
import time

time.perf_counter()
"""
QUESTION = """# %% question="s0.patch_response" points=10 minutes=3 difficulty=1
def patch_response(patch, kernel):
    # BEGIN SOLUTION
    products_of_all_places = patch * kernel
    return float(products_of_all_places.sum())
    # END SOLUTION

# %% check="s0.patch_response"
from cnnlab.check import check

check("s0.patch_response", patch_response)
"""


MANUAL = """# %% [markdown] manual="a7.filters" points=10 minutes=5
# What do you see in the filters?
#
# <!-- BEGIN SOLUTION -->
# Some look like edges, others like blobs.
# <!-- END SOLUTION -->
"""


@pytest.fixture
def course(tmp_path):
    """A course of one page and one assignment, not built yet."""
    for folder in ("course", "notebooks", "assignments", "solutions"):
        (tmp_path / folder).mkdir()
    (tmp_path / "course" / "01_page.py").write_text(PAGE, encoding="utf-8")
    (tmp_path / "course" / "a0_test.py").write_text(QUESTION, encoding="utf-8")
    return tmp_path


def quiet(*words):
    pass


def read(path):
    return nbformat.read(path, as_version=4)


def source_of(tmp_path, text):
    path = tmp_path / "a0_test.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_building_and_what_comes_of_it(course):
    made = {str(path) for path in build(course, say=quiet)}
    assert made == {
        "notebooks/01_page.ipynb",
        "assignments/a0_test.ipynb",
        "solutions/a0_test.ipynb",
    }

    page = read(course / "notebooks" / "01_page.ipynb")
    assert page.cells[1].outputs[0].text == "2\n"
    assert page.cells[0].metadata.tags == ["T04"]

    blank, solved = (
        read(course / f"{place}/a0_test.ipynb") for place in ("assignments", "solutions")
    )
    answer, check = blank.cells
    assert "products_of_all_places" not in answer.source
    assert 'raise NotImplementedError("Write patch_response here' in answer.source
    assert (answer.outputs, answer.execution_count) == ([], None)
    assert "products_of_all_places" in solved.cells[0].source
    assert "Right." in solved.cells[1].outputs[0].data["text/plain"]
    assert check.metadata.editable is False

    # A second build changes nothing; pictures and marked outputs may vary.
    assert build(course, say=quiet) == []
    assert stale(course, say=quiet) == {}

    # A difference in text is found, and so is a notebook that nothing builds.
    page.cells[1].outputs[0].text = "3\n"
    nbformat.write(page, course / "notebooks" / "01_page.ipynb")
    nbformat.write(page, course / "notebooks" / "09_left_over.ipynb")
    found = {str(path): difference for path, difference in stale(course, say=quiet).items()}
    assert found == {
        "notebooks/01_page.ipynb": f"cell {page.cells[1].id} ('print(1 + 1)'): outputs",
        "notebooks/09_left_over.ipynb": "no source builds it",
    }

    # An assignment that holds a learner's answer is not written over, nor is anything else.
    answer.source = "def patch_response(patch, kernel):\n    return 1"
    nbformat.write(blank, course / "assignments" / "a0_test.ipynb")
    with pytest.raises(PaperError, match=r"a0_test\.ipynb has been changed by hand"):
        build(course, say=quiet)
    assert "return 1" in read(course / "assignments" / "a0_test.ipynb").cells[0].source
    assert read(course / "notebooks" / "01_page.ipynb").cells[1].outputs[0].text == "3\n"


LOOK_AROUND = """# %%
from pathlib import Path

print(Path("page.txt").resolve())
"found", sorted(path.name for path in Path("../solutions").glob("*"))
"""


def test_a_page_that_is_built_alone_finds_the_others(course):
    build(course, ["a0_test"], say=quiet)
    (course / "course" / "01_page.py").write_text(LOOK_AROUND, encoding="utf-8")
    build(course, ["01_page"], say=quiet)
    stream, result = read(course / "notebooks/01_page.ipynb").cells[0].outputs
    assert result.data["text/plain"] == "('found', ['a0_test.ipynb'])"
    assert stream.text == "notebooks/page.txt\n"  # not where it was built


@pytest.mark.parametrize("left", ["notes", "no notebook"])
def test_work_in_a_notebook_is_not_written_over(course, left):
    build(course, ["01_page"], say=quiet)
    path = course / "notebooks" / "01_page.ipynb"
    if left == "notes":
        page = read(path)
        page.cells.append(nbformat.v4.new_markdown_cell("my notes"))
        nbformat.write(page, path)
    else:
        path.write_text("<<<<<<< HEAD", encoding="utf-8")
    before = path.read_bytes()
    assert list(map(str, stale(course, ["01_page"], say=quiet))) == ["notebooks/01_page.ipynb"]
    with pytest.raises(PaperError, match="may hold work of yours"):
        build(course, ["01_page"], say=quiet)
    assert path.read_bytes() == before


def test_a_check_that_leaves_no_record_is_refused(course):
    silent = QUESTION.replace('check("s0.patch_response", patch_response)', "print('Right.')")
    (course / "course" / "a0_test.py").write_text(silent, encoding="utf-8")
    with pytest.raises(PaperError, match=r"the check of s0\.patch_response left 0 records"):
        build(course, ["a0_test"], say=quiet)


def test_the_command_reports_what_is_out_of_date(course, monkeypatch):
    monkeypatch.setenv("CNNLAB_COURSE", str(course))
    done = CliRunner().invoke(main, ["build", "--check", "01_page"])
    assert done.exit_code == 1
    assert "out of date: notebooks/01_page.ipynb: it is not there" in done.output
    assert not (course / "notebooks" / "01_page.ipynb").exists()
    done = CliRunner().invoke(main, ["build", "07_none"])
    assert done.exit_code == 1
    assert "no source is called '07_none'; there are: 01_page, a0_test" in done.output


def test_a_failing_cell_is_shown_and_nothing_written(course):
    (course / "course" / "01_page.py").write_text("# %%\n1 / 0\n", encoding="utf-8")
    with pytest.raises(PaperError, match=r"(?s)01_page: .*ZeroDivisionError"):
        build(course, ["01_page"], say=quiet)
    assert not (course / "notebooks" / "01_page.ipynb").exists()


def test_a_wrong_solution_is_refused(course):
    wrong = QUESTION.replace(".sum()", ".mean()")
    (course / "course" / "a0_test.py").write_text(wrong, encoding="utf-8")
    with pytest.raises(PaperError, match="must be right, but: A mean instead of a sum"):
        build(course, ["a0_test"], say=quiet)


def test_a_cell_that_stops_beside_right_answers_is_the_fault_of_the_page(course):
    shows = """
# %%
from cnnlab.check import when_written

with when_written("patch_response"):
    patch_response(1)
"""
    source_of(course / "course", QUESTION + shows)
    with pytest.raises(PaperError, match=r"(?s)a0_test: This cell needs.*TypeError"):
        build(course, say=quiet)


def test_a_blank_that_answers_is_refused(course):
    # After the stub stands a line that does the work all the same.
    generous = QUESTION.replace(
        "    # END SOLUTION\n",
        "    # END SOLUTION\n\npatch_response = lambda p, k: (p * k).sum()\n",
    )
    (course / "course" / "a0_test.py").write_text(generous, encoding="utf-8")
    with pytest.raises(PaperError, match="must be not attempted, but: Right"):
        build(course, ["a0_test"], say=quiet)


REFUSED = {
    "solution without end": (QUESTION.replace("    # END SOLUTION\n", ""), "without # END"),
    "end without solution": (QUESTION.replace("    # BEGIN SOLUTION\n", ""), "without # BEGIN"),
    "two answers": (QUESTION + "\n" + QUESTION, r"question s0\.patch_response has two answer"),
    "no check": (QUESTION.split("# %% check")[0], "has no check cell"),
    "no answer": ("# %% check" + QUESTION.split("# %% check")[1], "has no answer cell"),
    "check first": (
        "# %% check" + QUESTION.split("# %% check")[1] + "\n" + QUESTION.split("# %% check")[0],
        "stands before its answer",
    ),
    "no points": (QUESTION.replace("points=10 ", ""), "does not say its points"),
    "no minutes": (QUESTION.replace("minutes=3 ", ""), "does not say its minutes"),
    "half a point": (QUESTION.replace("points=10", "points=0.5"), "must have whole points"),
    "less than no points": (QUESTION.replace("points=10", "points=-1"), "must have whole points"),
    "words in code": ("# %%" + MANUAL.removeprefix("# %% [markdown]"), "in a Markdown cell"),
    "words without points": (MANUAL.replace("points=10 ", ""), "does not say its points"),
    "words without minutes": (MANUAL.replace("minutes=5", ""), "does not say its minutes"),
    "words for no points": (MANUAL.replace("points=10", "points=0"), "must have whole points"),
    "words without a solution": (MANUAL.split("# <!-- BEGIN")[0], "has no '<!-- BEGIN SOLUTION"),
    "words twice": (MANUAL + "\n" + MANUAL, r"question a7\.filters has two manual"),
    "words and code": (
        QUESTION + "\n" + MANUAL.replace("a7.filters", "s0.patch_response"),
        "in words and in code",
    ),
    "words in the open": (
        "# %% [markdown]\n# <!-- BEGIN SOLUTION -->\n# 1\n# <!-- END SOLUTION -->\n" + QUESTION,
        "a solution stands in a cell that is no answer cell",
    ),
    "unknown option": (QUESTION.replace("minutes=3", "minutes=3 color=1"), "no cell option is"),
    "solution in the open": (
        "# %%\n# BEGIN SOLUTION\n1\n# END SOLUTION\n" + QUESTION,
        "a solution stands in a cell that is no answer cell",
    ),
}


@pytest.mark.parametrize(("text", "words"), REFUSED.values(), ids=REFUSED)
def test_a_source_that_is_not_as_it_must_be_is_refused(tmp_path, text, words):
    with pytest.raises(PaperError, match=words):
        read_source(source_of(tmp_path, text))


def test_an_answer_that_leaks_is_refused(course):
    leak = "# %% [markdown]\n# Try `x`, then\n#\n#     products_of_all_places = patch * kernel\n\n"
    (course / "course" / "a0_test.py").write_text(leak + QUESTION, encoding="utf-8")
    with pytest.raises(PaperError, match="stands in the open: 'products_of_all_places"):
        build(course, ["a0_test"], say=quiet)


def test_cells_carry_what_nbgrader_reads(tmp_path):
    answer, check = read_source(source_of(tmp_path, QUESTION)).cells
    assert answer.metadata.nbgrader == {
        "schema_version": 3,
        "grade_id": "s0-patch_response",
        "solution": True,
        "grade": False,
        "locked": False,
        "task": False,
    }
    assert check.metadata.nbgrader["grade"] is True
    assert check.metadata.nbgrader["locked"] is True
    assert check.metadata.nbgrader["points"] == 10


def test_what_is_answered_in_words_is_read_by_a_person(course):
    (course / "course" / "a0_test.py").write_text(MANUAL + "\n" + QUESTION, encoding="utf-8")
    build(course, ["a0_test"], say=quiet)
    blank, solved = (read(course / f"{p}/a0_test.ipynb") for p in ("assignments", "solutions"))
    asked = blank.cells[0]
    assert asked.cell_type == "markdown"
    assert asked.source == "What do you see in the filters?\n\nWrite here."
    assert "Some look like edges" in solved.cells[0].source
    words = own_words(solved.cells[0].source, solved.cells[0].source)
    assert words == "Some look like edges, others like blobs."
    assert asked.metadata.nbgrader == {
        "schema_version": 3,
        "grade_id": "a7-filters",
        "solution": True,
        "grade": True,
        "points": 10,
        "locked": False,
        "task": False,
    }
    assert asked.metadata.cnnlab == {
        "question": "a7.filters",
        "role": "manual",
        "points": 10,
        "minutes": 5,
    }


def test_words_that_leak_are_refused(course):
    leak = "# %% [markdown]\n# Some look like edges, others like blobs.\n\n"
    (course / "course" / "a0_test.py").write_text(leak + MANUAL, encoding="utf-8")
    with pytest.raises(PaperError, match="stands in the open: 'Some look like edges"):
        build(course, ["a0_test"], say=quiet)


def test_an_optional_question_is_worth_nothing(tmp_path):
    optional = QUESTION.replace("points=10", "points=0")
    answer, check = read_source(source_of(tmp_path, optional)).cells
    assert mark(answer)["points"] == check.metadata.nbgrader["points"] == 0


def test_cell_ids_stay_when_other_cells_come_and_go(tmp_path):
    before = [cell.id for cell in read_source(source_of(tmp_path, PAGE + "\n" + QUESTION)).cells]
    more = "# %% [markdown]\n# A new beginning\n\n" + PAGE + "\n" + QUESTION
    after = [cell.id for cell in read_source(source_of(tmp_path, more)).cells]
    assert after[1:] == before
    assert len(set(after)) == len(after)


def test_strip_takes_every_solution_and_keeps_the_rest():
    source = (
        "import math\n\ndef f(x):\n    y = 1\n    # BEGIN SOLUTION\n    def g(): return 2\n"
        "    # END SOLUTION\n\ndef h(x):\n    # BEGIN SOLUTION\n    pass\n    # END SOLUTION\n"
    )
    assert strip(source).splitlines() == [
        "import math",
        "",
        "def f(x):",
        "    y = 1",
        '    raise NotImplementedError("Write f here, then run this cell.")',
        "",
        "def h(x):",
        '    raise NotImplementedError("Write h here, then run this cell.")',
    ]
    with pytest.raises(PaperError, match="twice in a row"):
        strip("# BEGIN SOLUTION\n# BEGIN SOLUTION\n# END SOLUTION")


def test_every_question_has_its_own_id_and_points(request):
    root = request.config.rootpath
    total, seen = {}, set()
    for source in sorted((root / "course").glob("*.py")):
        for cell in read_source(source).cells:
            if mark(cell).get("role") in ANSWERS:
                assert mark(cell)["question"] not in seen
                seen.add(mark(cell)["question"])
                total[source.stem] = total.get(source.stem, 0) + mark(cell)["points"]
    assert {name: points for name, points in total.items() if name.startswith("a")}
    assert all(points == 100 for name, points in total.items() if name.startswith("a"))
