"""What a submission cannot reach, tier by tier; and that a sandbox with a hole is found out."""

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_grading import ALL_RIGHT, LOOPS, PATCH, SIZE, course, hand_in, message, outcome

from cnnlab.grading import isolation
from cnnlab.grading.isolation import BWRAP, CONTAINER, NONE, IsolationError, choose, find_hole

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


def _writable(command):
    return [word for word in command if word not in ("--remount-ro", "/dev", "/")]


HOLES = {
    "solution": _before_the_end("--ro-bind", "{root}", "{root}"),
    "private": _before_the_end("--ro-bind", "{tmp}", "{tmp}"),
    "write": _before_the_end("--bind", "{tmp}", "{tmp}"),
    "kill": _without("--unshare-pid"),
    "localhost": _without("--unshare-net"),
    "memory": _unlimited("as"),
    "processes": _unlimited("nproc"),
}


@needs_bwrap
@pytest.mark.parametrize(("way", "change"), HOLES.items(), ids=HOLES)
def test_a_hole_is_found_out(course, tmp_path, monkeypatch, way, change):
    command = isolation.Place.command
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)

    def broken(place, argv, **options):
        places = {"{root}": str(course), "{tmp}": str(tmp_path)}
        return [places.get(word, word) for word in change(command(place, argv, **options))]

    monkeypatch.setattr(isolation.Place, "command", broken)
    assert isolation.WAYS[way] in find_hole(BWRAP, course)
    with pytest.raises(IsolationError, match="'bwrap' does not hold here: code in it can"):
        choose("bwrap", course)
    assert choose("auto", course) is not BWRAP
