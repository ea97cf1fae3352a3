"""What a submission cannot reach, tier by tier; and that a sandbox with a hole is found out."""

import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from classes import put
from cnnlab.cli import main
from cnnlab.grading import isolation
from cnnlab.grading.isolation import BWRAP, CONTAINER, NONE, IsolationError, choose, find_hole
from cnnlab.grading.paper import mark
from test_grading import ALL_RIGHT, PATCH, SIZE, course, hand_in, message, outcome

__all__ = ["course", "hand_in"]  # fixtures

needs_bwrap = pytest.mark.skipif(
    shutil.which("bwrap") is None and os.environ.get("CI") != "true",
    reason="bubblewrap is not installed: apt-get install bubblewrap",
)


@needs_bwrap
def test_bwrap_holds(course):
    assert find_hole(BWRAP, course) == ""
    assert choose("auto", course) is choose("bwrap", course) is BWRAP


def _without(*words):
    def change(command):
        at = next(n for n in range(len(command)) if command[n : n + len(words)] == [*words])
        return command[:at] + command[at + len(words) :]

    return change


def _before_the_end(*words):
    def change(command):
        at = command.index("--remount-ro")
        return [*command[:at], *words, *command[at:]]

    return change


def _unlimited(name):
    return lambda command: [word for word in command if not word.startswith(f"--{name}=")]


def _unlimited_files(command):
    sizes = [n + part for n, word in enumerate(command) if word == "--size" for part in (0, 1)]
    kept = [word for n, word in enumerate(command) if n not in sizes]
    return _unlimited("fsize")(kept)


HOLES = {
    "solution": _before_the_end("--ro-bind", "{root}", "{root}"),
    "private": _before_the_end("--ro-bind", "{tmp}", "{tmp}"),
    "write": _before_the_end("--bind", "{tmp}", "{tmp}"),
    "kill": _without("--unshare-pid"),
    "localhost": _without("--unshare-net"),
    "memory": _unlimited("as"),
    "files": _unlimited_files,
    "processes": _unlimited("nproc"),
}


@needs_bwrap
@pytest.mark.parametrize(("way", "change"), HOLES.items(), ids=HOLES)
def test_a_hole_is_found_out(course, tmp_path, monkeypatch, way, change):
    command = isolation.Place.command
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)

    def broken(place, argv, **options):
        whole = command(place, argv, **options)
        if Path(whole[0]).name != "bwrap":
            return whole
        if "setpriv" in whole:  # where root runs the tests: another user's rights hide the hole
            del whole[whole.index("setpriv") : whole.index("choom")]
        places = {"{root}": str(course), "{tmp}": str(tmp_path)}
        return [places.get(word, word) for word in change(whole)]

    monkeypatch.setattr(isolation.Place, "command", broken)
    assert isolation.WAYS[way] in find_hole(BWRAP, course)
    with pytest.raises(IsolationError, match="'bwrap' does not hold here: code in it can"):
        choose("bwrap", course)
    assert choose("auto", course) is not BWRAP


def test_where_no_sandbox_can_be_made_the_tier_is_not_bwrap(course, tmp_path, monkeypatch):
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'No permissions to create new namespace' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(isolation, "CONTAINER_MARKS", ())
    assert "nothing starts in it (No permissions" in find_hole(BWRAP, course)
    assert choose("auto", course) is NONE


def test_without_bubblewrap_there_is_no_bwrap(course, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(IsolationError, match="'bwrap' does not hold here: bwrap is not installed"):
        choose("bwrap", course)


def test_outside_a_container_there_is_no_container(course, monkeypatch):
    monkeypatch.setattr(isolation, "CONTAINER_MARKS", ())
    with pytest.raises(IsolationError, match="this is no container"):
        choose("container", course)


def test_the_command_grades_nothing_where_the_isolation_does_not_hold(
    course, tmp_path, monkeypatch
):
    monkeypatch.setenv("CNNLAB_COURSE", str(course))
    monkeypatch.setenv("PATH", str(tmp_path))
    command = ["grade", str(course / "solutions" / "paper.ipynb"), "--isolation"]
    done = CliRunner().invoke(main, [*command, "bwrap"])
    assert (done.exit_code, done.stdout) == (1, "")
    assert "does not hold here: bwrap is not installed" in done.stderr
    done = CliRunner().invoke(main, [*command, "jail"])
    assert done.exit_code == 2
    assert "must be one of auto, bwrap, container, none, got 'jail'" in done.stderr


def test_a_class_is_not_graded_where_nothing_holds_unless_told(course, tmp_path, monkeypatch):
    monkeypatch.setenv("CNNLAB_COURSE", str(course))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(isolation, "CONTAINER_MARKS", ())
    put(tmp_path / "tree" / "anna" / "paper.ipynb", b"{")
    command = ["grade-all", str(tmp_path / "tree"), "--out", str(tmp_path / "grades")]
    done = CliRunner().invoke(main, command)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "no isolation holds here: bwrap is not installed. Code of others would" in done.stderr
    assert not (tmp_path / "grades").exists()
    done = CliRunner().invoke(main, [*command, "--isolation", "none"])
    assert done.exit_code == 0
    assert "none: the code runs as you do, and can reach what you can." in done.stderr


def test_no_other_tier_is_known(course):
    with pytest.raises(ValueError, match="one of auto, bwrap, container, none, got 'jail'"):
        choose("jail", course)


def test_a_tier_says_what_it_protects():
    assert "the code cannot read the solutions, see" in str(BWRAP)
    assert "; it can connect to a program of this machine or fill the disk." in str(CONTAINER)
    assert str(NONE) == "none: the code runs as you do, and can reach what you can."


@needs_bwrap
def test_the_environment_of_the_grader_stays_outside(hand_in, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_TEACHER", "1")
    look = "import os\nfrom pathlib import Path\n"
    look += "seen = os.environ.keys() | set(Path('/proc/self/environ').read_text().split('='))\n"
    look += "1 / (not any('SECRET' in name for name in seen))\n"
    assert outcome(hand_in({PATCH: look + ANSWER}, isolation="bwrap")) == ALL_RIGHT


ANSWER = "def patch_response(patch, kernel):\n    return (patch * kernel).sum()\n"
INSIDE = (
    "import os\ndef patch_response(patch, kernel):\n    {}\n    return (patch * kernel).sum()\n"
)

TROUBLE = {
    "one large print": (INSIDE.format("print('x' * 100_000_000)"), "too much output"),
    "many prints": ("for n in range(40_000):\n    print('x' * 1000)\n" + ANSWER, "too much output"),
    "a large error": ("raise ValueError('x' * 30_000_000)", "too much output"),
    "stops itself": (INSIDE.format("os.kill(os.getpid(), 19)"), "timed out"),
    "kills all around it": (INSIDE.format("os.kill(0, 9)"), "kernel died"),
    "a large record": (
        INSIDE.format(
            "from IPython.display import display; "
            "display({'application/vnd.cnnlab.check+json': {'a': ['x' * 1000] * 20_000}}, raw=True)"
        ),
        "too much output",
    ),
    "a deep record": (
        "from IPython.display import display\n" + ANSWER + "deep = []\n"
        "for _ in range(100_000):\n    deep = [deep]\n"
        "class Deep(dict): pass\n"
        "get_ipython().kernel.session.pack = lambda value: b'[' * 100_000 + b']' * 100_000\n",
        "too much output",
    ),
}


@needs_bwrap
@pytest.mark.parametrize(("answer", "status"), TROUBLE.values(), ids=TROUBLE)
def test_trouble_costs_its_own_question(hand_in, answer, status):
    report = hand_in({PATCH: answer}, timeout=2, isolation="bwrap")
    assert outcome(report) == ALL_RIGHT | {PATCH: (status, 0)}


@needs_bwrap
def test_what_is_left_behind_ends_with_the_kernel(hand_in):
    left = "import subprocess\nsubprocess.Popen(['setsid', 'sleep', '86399'])\n" + ANSWER
    report = hand_in({PATCH: left}, isolation="bwrap")
    assert outcome(report) == ALL_RIGHT
    assert report.as_dict()["isolation"] == "bwrap"
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
    assert not [command for command in running if b"86399" in command]


@needs_bwrap
@pytest.mark.parametrize("started", ["when it is defined", "when it is called"])
def test_who_ends_the_kernel_later_pays_and_nobody_else(hand_in, started):
    later = "import os, threading\n"
    start = "threading.Timer(1.5, os._exit, [1]).start()\n"
    late = later + (start + ANSWER if started == "when it is defined" else INSIDE.format(start))

    def slower(notebook):
        for cell in notebook.cells:
            if mark(cell).get("role") == "answer" and mark(cell)["question"] == SIZE:
                cell.source = "import time\n\ntime.sleep(2)\n" + cell.source

    report = hand_in({PATCH: late}, change=slower, isolation="bwrap")
    assert outcome(report) == ALL_RIGHT | {PATCH: ("kernel died", 0)}
    assert message(report, PATCH) == "Something that it had started ended the kernel later on."
