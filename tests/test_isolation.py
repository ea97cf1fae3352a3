"""What a submission cannot reach, tier by tier; and that a sandbox with a hole is found out."""

import os
import shutil
from pathlib import Path

import pytest

from cnnlab.grading import isolation
from cnnlab.grading.isolation import BWRAP, IsolationError, choose, find_hole
from test_grading import ALL_RIGHT, PATCH, course, hand_in, outcome

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
        if whole[0] != "bwrap":
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
    assert outcome(hand_in({PATCH: left}, isolation="bwrap")) == ALL_RIGHT
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
    assert not [command for command in running if b"86399" in command]
