"""A class is graded whatever happens meanwhile: nobody is lost, nobody is graded twice."""

import errno
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from classes import DIES, RIGHT, WRONG, make_course, notebook, put
from cnnlab.cli import main
from cnnlab.grading import batch, gradebook
from cnnlab.grading.batch import grade_all
from cnnlab.grading.collect import Submission
from cnnlab.grading.gradebook import Gradebook, GradebookError, key_of
from cnnlab.grading.report import Report
from cnnlab.grading.roster import Student
from cnnlab.parallel import connect
from waiting import lives, wait_until

ROOT = Path(__file__).parents[1]
SEED = 7
# Of every eight, four run a kernel; the others are told apart without one, as in a real class.
KINDS = [RIGHT, WRONG, DIES, None, b"{", b"", b"PK", b"[]"]
COUNT = 40
LARGE = 400 * 2**20  # bytes


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return make_course(tmp_path_factory.mktemp("course"))


@pytest.fixture(scope="module")
def a_class(course, tmp_path_factory):
    """What 40 hand in."""
    tree = tmp_path_factory.mktemp("class")
    for number in range(COUNT):
        kind = KINDS[number % len(KINDS)]
        content = kind if isinstance(kind, bytes) else notebook(course, kind)
        put(tree / f"s{number:02}" / "one.ipynb", content)
    return tree


@pytest.fixture(scope="module")
def undisturbed(course, a_class, tmp_path_factory):
    """The folder of a run that nothing happened to."""
    out = tmp_path_factory.mktemp("undisturbed") / "grades"
    with running(course, a_class, out) as process:
        assert process.wait() == 0
    return out


def running(course, tree, out, *options):
    command = [sys.executable, "-m", "cnnlab", "grade-all", str(tree), "--out", str(out)]
    environment = {"CNNLAB_COURSE": str(course), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [*command, "--seed", str(SEED), "--workers", "2", "--isolation", "none", *options],
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        # Where tests run in the background, Ctrl+C may have been switched off for all of them.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def contents(out):
    """All files but those that only say where the folder is, and the lock."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def statuses(rows):
    return {row.submission.student.id: row.report.status for row in rows}


def test_everybody_gets_a_grade_or_a_reason(undisturbed):
    with Gradebook(undisturbed) as book:
        rows = book.rows()
    assert len(rows) == COUNT
    found = [(row.report.status, row.report.score) for row in rows[:8]]
    assert found == [("graded", 10), *[("graded", 0)] * 3, *[("unreadable", None)] * 4]
    assert [row.report.questions[0]["status"] for row in rows[:4]] == [
        "right",
        "wrong",
        "kernel died",
        "not attempted",
    ]
    assert {row.report.seed for row in rows if row.report.score is not None} == {SEED}


def test_records_are_the_results_line_by_line(undisturbed):
    for path in (undisturbed / "results").iterdir():
        questions = json.loads(path.read_text(encoding="utf-8"))["questions"]
        lines = (undisturbed / "records" / f"{path.stem}.jsonl").read_text(encoding="utf-8")
        assert [json.loads(line) for line in lines.splitlines()] == questions


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_killed_again_and_again_it_ends_with_the_same_grades(
    course, a_class, undisturbed, tmp_path
):
    rng, out, done, times = random.Random(0), tmp_path / "grades", {}, {}
    results = out / "results"
    for _ in range(6):
        aim = len(done) + rng.randint(1, 2)
        with running(course, a_class, out) as process:
            wait_until(lambda aim=aim: len(list(results.glob("*.json"))) >= aim)
            time.sleep(rng.random() / 2)  # anywhere in what comes next
            process.kill()
        done = {path.name: path.stat().st_mtime_ns for path in results.glob("*.json")}
        assert times.items() <= done.items(), "somebody was graded twice"
        times = done
    with running(course, a_class, out) as process:
        assert process.wait() == 0
    done = {path.name: path.stat().st_mtime_ns for path in results.glob("*.json")}
    assert times.items() < done.items()
    assert contents(out) == contents(undisturbed)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_a_killed_batch_leaves_no_process_behind(course, tmp_path):
    # A kernel that is large from outside is one that runs this.
    waits = f"import time\n\nlarge = b'x' * {LARGE}\ntime.sleep(120)\n"
    for name in ("anna", "bob"):
        put(tmp_path / "tree" / name / "one.ipynb", notebook(course, f"{waits}# {name}"))
    with running(course, tmp_path / "tree", tmp_path / "out", "--timeout", "300") as process:
        wait_until(lambda: len(large_below(process.pid)) == 2)
        family = [one.pid for one in psutil.Process(process.pid).children(recursive=True)]
        process.kill()
    wait_until(lambda: not any(map(lives, family)))


def large_below(pid):
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.Error):
            found += [process] if process.memory_info().rss > LARGE else []
    return found


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_ctrl_c_keeps_what_is_done_and_reports_it(course, a_class, tmp_path):
    out = tmp_path / "grades"
    with running(course, a_class, out) as process:
        wait_until(lambda: list(out.glob("results/*.json")))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 130, said
    assert b"The same command goes on with the others." in said
    grades = (out / "grades.csv").read_text(encoding="utf-8-sig")
    assert "not graded yet" in grades
    assert ",graded," in grades


# Without kernels: what a batch does around the grading


@pytest.fixture
def graded(monkeypatch):
    """What would have been graded, by the content of the answer; no kernel is started."""
    calls = []

    def grade(path, *, assignment, seed, timeout, root, records, isolation):
        text = path.read_text(encoding="utf-8")
        calls.append(re.search(r"# (\w+)", text)[1])
        if "raise an error" in text:
            raise OSError(errno.ENOSPC, "No space left on device")
        question = {"id": "q", "status": "right", "points": 10, "out_of": 10, "message": ""}
        return Report(str(path), "graded", assignment, seed, [question], f"Graded was {path}.")

    monkeypatch.setattr(batch, "grade", grade)
    return calls


@pytest.fixture
def tree(course, tmp_path):
    for name in ("anna", "bob"):
        put(tmp_path / "tree" / name / "one.ipynb", notebook(course, f"{RIGHT}  # {name}"))
    return tmp_path / "tree"


@pytest.fixture
def run(course, tree, tmp_path):
    """A batch in threads of this process."""

    def run(**options):
        with ThreadPoolExecutor(1) as executor:
            ours = {"root": course, "executor": executor, "isolation": "none", "say": said.append}
            options = ours | options
            return grade_all(tree, tmp_path / "grades", **options)

    said = run.said = []
    return run


def test_nobody_is_graded_twice(run, graded):
    first = run()
    assert graded == ["anna", "bob"]
    again = run()
    assert graded == ["anna", "bob"]
    assert [row.report.as_dict() for row in again] == [row.report.as_dict() for row in first]


def test_a_fresh_seed_is_kept_for_the_whole_batch(run, graded, course, tree):
    (seed,) = {row.report.seed for row in run()}
    put(tree / "cid" / "one.ipynb", notebook(course, f"{RIGHT}  # cid"))
    assert {row.report.seed for row in run()} == {seed}
    assert graded == ["anna", "bob", "cid"]


def test_a_changed_file_is_graded_anew_and_this_is_said(run, graded, course, tree):
    run()
    put(tree / "bob" / "one.ipynb", notebook(course, f"{RIGHT}  # better"))
    run()
    assert graded == ["anna", "bob", "better"]
    assert run.said == ["bob, one: the file has changed since it was graded, and is graded anew."]


def test_paths_in_a_report_are_those_that_were_handed_in(run, graded):
    anna, _ = run()
    assert (anna.report.submission, anna.report.message) == (
        "anna/one.ipynb",
        "Graded was anna/one.ipynb.",
    )


def test_a_fault_of_the_grader_is_no_zero_and_is_tried_again(run, graded, course, tree):
    put(tree / "anna" / "one.ipynb", notebook(course, f"{RIGHT}  # anna\n# raise an error"))
    anna, bob = run()
    assert (anna.report.status, anna.report.score) == ("crashed", None)
    assert "No space left on device" in anna.report.message
    assert (bob.report.status, bob.report.score) == ("graded", 10)
    run()
    assert graded == ["anna", "bob", "anna"]
    assert run.said == ["anna, one: could not be graded the last time, and is tried again."]


def test_whoever_is_missing_is_listed_and_gets_no_zero(run, graded):
    rows = run(roster=[Student("anna"), Student("bob"), Student("zoe", "Zoë")])
    assert statuses(rows) == {"anna": "graded", "bob": "graded", "zoe": "missing"}
    assert rows[2].report.score is None


@pytest.mark.parametrize(
    ("change", "words"),
    [({"seed": 8}, r"another seed \(7, not 8\)"), ({"timeout": 5.0}, r"another timeout \(30.0")],
    ids=["seed", "timeout"],
)
def test_a_folder_of_another_batch_is_refused(run, graded, tmp_path, change, words):
    run(seed=7)
    before = contents(tmp_path / "grades")
    with pytest.raises(GradebookError, match=f"{words}.*name a new folder for the grades"):
        run(**{"seed": 7} | change)
    assert contents(tmp_path / "grades") == before


def test_another_version_of_the_course_is_refused(run, graded, course, tmp_path, monkeypatch):
    run()
    other = make_course(tmp_path / "other")
    path = other / "solutions" / "one.ipynb"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"points": 10', '"points": 11'), encoding="utf-8")
    with pytest.raises(GradebookError, match="made with another course"):
        run(root=other)
    monkeypatch.setattr("cnnlab.__version__", "99")
    with pytest.raises(GradebookError, match="made with another course"):
        run()


def test_a_worker_with_another_course_does_not_grade(run, graded, tmp_path, monkeypatch):
    monkeypatch.setattr(batch, "_expect_same_course", batch._expect_same_course.__wrapped__)
    digests = iter(["ours", "theirs", "theirs"])
    monkeypatch.setattr(batch, "course_digest", lambda root: next(digests))
    rows = run()
    assert graded == []
    assert {row.report.status for row in rows} == {"crashed"}
    assert "is another version" in rows[0].report.message


def test_a_folder_with_other_things_in_it_is_left_alone(run, graded, tmp_path):
    put(tmp_path / "grades" / "thesis.tex", b"years of work")
    with pytest.raises(GradebookError, match=r"holds other things, such as thesis.tex: name a new"):
        run()
    assert contents(tmp_path / "grades") == {"thesis.tex": b"years of work"}


def test_a_second_grader_is_kept_out(run, graded, tmp_path):
    run()
    script = (
        "import sys; from pathlib import Path; from cnnlab.grading.gradebook import Gradebook\n"
    )
    script += "with Gradebook(Path(sys.argv[1])): print('in', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "grades")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as other:
        assert other.stdout.readline() == b"in\n"
        with pytest.raises(GradebookError, match=r"another grader is at work in .*: wait until"):
            run()
        other.kill()
    run()  # a lock goes with whoever held it


def test_a_full_disk_is_said_and_nothing_is_lost(run, graded, course, tree, tmp_path, monkeypatch):
    run()
    before = contents(tmp_path / "grades")
    put(tree / "cid" / "one.ipynb", notebook(course, f"{RIGHT}  # cid"))
    write = gradebook._write

    def full(path, content):
        if path.parent.name == "results":
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, content)

    monkeypatch.setattr(gradebook, "_write", full)
    with pytest.raises(GradebookError, match=r"No space left on device.*make room, and run the"):
        run()
    after = contents(tmp_path / "grades")
    assert {name: after[name] for name in before if name != "submissions.json"} == {
        name: before[name] for name in before if name != "submissions.json"
    }
    monkeypatch.undo()
    monkeypatch.setattr(batch, "grade", lambda path, **options: Report("", "graded", "one"))
    assert statuses(run())["cid"] == "graded"


def test_a_folder_that_cannot_be_written_to_is_said(course, tree, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(GradebookError, match=r"cannot be written to .*name another folder"):
        grade_all(tree, tmp_path / "file" / "grades", root=course, isolation="none")


def test_a_damaged_gradebook_is_said(run, graded, tmp_path):
    run()
    (tmp_path / "grades" / "batch.json").write_text("{")
    with pytest.raises(GradebookError, match=r"batch.json cannot be read as it was written"):
        run()


def test_keys_are_safe_and_nobody_shares_one():
    names = ["anna", "Anna", "ANNA", "an/na", "an na", "../anna", "李", "小", "a" * 300, "con.", ""]
    keys = [key_of(Submission(Student(name), "one")) for name in names]
    assert len({key.casefold() for key in keys}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_~.-]{1,80}", key) for key in keys)
    assert not any(key.startswith(".") for key in keys)


# The command


@pytest.fixture
def command(course, monkeypatch):
    monkeypatch.setenv("CNNLAB_COURSE", str(course))
    return lambda *words: CliRunner().invoke(main, ["grade-all", *map(str, words)])


def test_the_command_lists_without_grading(command, tree, tmp_path):
    done = command(tree, "--list")
    assert done.exit_code == 0
    assert [line.split()[:3] for line in done.stdout.splitlines()[1:]] == [
        ["anna", "one", "anna/one.ipynb"],
        ["bob", "one", "bob/one.ipynb"],
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tree"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "say which SUBMISSIONS"),
        (["."], "say where the grades go: --out FOLDER"),
        ([".", "--out", "x", "--cluster", "tcp://x", "--workers", "2"], "a cluster has workers"),
        ([".", "--out", "x", "--due", "soon"], "'soon' does not match"),
        (["nowhere", "--out", "x"], "does not exist"),
    ],
)
def test_a_wrong_command_is_told_what_is_missing(command, options, words):
    done = command(*options)
    assert done.exit_code == 2
    assert words in done.stderr


def test_what_goes_wrong_is_one_sentence(command, tree, tmp_path):
    for options, words in (
        ([tree, "--out", tmp_path / "g", "--assignment", "nine"], "called 'nine'"),
        (["--report-only", "--out", tmp_path / "g2"], "no class has been graded in"),
    ):
        done = command(*options)
        assert done.exit_code == 1
        assert words in done.stderr
        assert "Traceback" not in done.output


# On a cluster


def _grade_and_die_once(marker, job, **options):
    """The worker that grades s09 is killed the first time."""
    if job.place.startswith("s09") and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return _GRADE_ONE(job, **options)


_GRADE_ONE = batch._grade_one


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_a_cluster_of_which_a_worker_is_killed_grades_everybody(
    cluster, course, a_class, undisturbed, tmp_path, monkeypatch
):
    marker = tmp_path / "killed"
    monkeypatch.setattr(batch, "_grade_one", partial(_grade_and_die_once, marker))
    few = tmp_path / "few"
    for number in (0, 1, 8, 9):
        name = f"s{number:02}/one.ipynb"
        put(few / name, (a_class / name).read_bytes())
    with connect(cluster.scheduler_address) as executor:
        options = {"root": course, "seed": SEED, "isolation": "none", "executor": executor}
        rows = grade_all(few, tmp_path / "out", **options)
    assert marker.exists()
    assert [row.report.score for row in rows] == [10, 0, 10, 0]
    expected, found = contents(undisturbed / "results"), contents(tmp_path / "out" / "results")
    assert found.items() <= expected.items()
    assert len(found) == 4
