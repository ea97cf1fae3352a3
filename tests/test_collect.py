"""Who handed in what: by the folders of learning platforms, by archives that nobody vouches for."""

import errno
import io
import os
import struct
import zipfile
from datetime import UTC, datetime

import pytest

from classes import RIGHT, WRONG, make_course, notebook, put
from cnnlab.grading import archive
from cnnlab.grading.archive import Allowance, unpack
from cnnlab.grading.collect import CollectError, Listing, collect
from cnnlab.grading.paper import PaperError
from cnnlab.grading.roster import RosterError, Student, on_roster, read_roster


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return make_course(tmp_path_factory.mktemp("course"))


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "tree").mkdir()
    return tmp_path / "tree"


@pytest.fixture
def gather(course, tree, tmp_path):
    def gather(tree=tree, **options):
        unpacked = tmp_path / "unpacked"
        unpacked.mkdir(exist_ok=True)
        return collect(tree, unpacked, root=course, **options)

    return gather


def packed(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def age(path, day):
    os.utime(path, (day * 86400, day * 86400))


def rows(found):
    return [(s.student.id, s.assignment, s.place, s.problem) for s in found]


LAYOUTS = {
    "Moodle": (
        "Zoë Ångström_12345_assignsubmission_file_/my homework.ipynb",
        Student("12345", "Zoë Ångström"),
    ),
    "Moodle, flat": (
        "李 小龙_77_assignsubmission_file_x_9_assignsubmission_file_.ipynb",
        Student("77", "李 小龙"),
    ),
    "Canvas": ("doejane_123_456_hw1.ipynb", Student("123", "doejane")),
    "Canvas, late": ("doejane_LATE_123_456_hw1-2.ipynb", Student("123", "doejane")),
    "nbgrader": ("anna/one/one.ipynb", Student("anna")),
    "GitHub Classroom": ("one-octo_cat/assignments/one.ipynb", Student("one-octo_cat")),
    "a file alone": ("Анна Ли.ipynb", Student("Анна Ли")),
    "an archive": ("anna.zip", Student("anna")),
}


@pytest.mark.parametrize(("place", "student"), LAYOUTS.values(), ids=LAYOUTS)
def test_a_file_belongs_to_the_first_part_of_its_path(place, student, tree, gather, course):
    content = notebook(course, RIGHT)
    put(tree / place, content)
    if place.endswith(".zip"):
        put(tree / place, packed({"deep/x.ipynb": content}))
        place = "anna/deep/x.ipynb"
    (found,) = gather()
    assert (found.student, found.assignment, found.place) == (student, "one", place)
    assert found.path.read_bytes() == content
    assert found.late == ("LATE" in place)


def test_nobody_hands_in_for_somebody_else(tree, gather, course):
    put(tree / "anna" / "one.ipynb", notebook(course, RIGHT))
    inside = {
        "../anna/one.ipynb": notebook(course, WRONG),
        "anna_1_assignsubmission_file_/one.ipynb": notebook(course, WRONG),
    }
    put(tree / "eve" / "work.zip", packed(inside))
    anna, eve = gather()
    assert anna.student.id == "anna"
    assert anna.path == tree / "anna" / "one.ipynb"
    assert eve.student.id == "eve"
    assert eve.place == "eve/work/anna_1_assignsubmission_file_/one.ipynb"
    assert "leads out of the archive" in eve.aside[0]


def test_the_latest_attempt_counts_and_the_others_are_named(tree, gather, course):
    for day, name in enumerate(["final", "draft", "middle"]):
        path = put(tree / "anna" / f"{name}.ipynb", notebook(course, f"{RIGHT}  # {name}"))
        age(path, 100 - day)
    (found,) = gather()
    assert found.place == "anna/final.ipynb"
    assert found.aside == (
        "anna/draft.ipynb left aside: anna/final.ipynb is the later attempt",
        "anna/middle.ipynb left aside: anna/final.ipynb is the later attempt",
    )


def test_canvas_numbers_its_attempts(tree, gather, course):
    for day, name in enumerate(["doe_1_20_hw-2", "doe_1_20_hw-10", "doe_1_20_hw", "doe_1_9_hw-11"]):
        age(put(tree / f"{name}.ipynb", notebook(course, f"{RIGHT}  # {name}")), 100 + day)
    (found,) = gather()
    assert found.place == "doe_1_20_hw-10.ipynb"
    assert len(found.aside) == 3


def test_own_answers_come_before_what_the_course_gave_out(tree, gather, course):
    solution = (course / "solutions" / "one.ipynb").read_bytes()
    age(put(tree / "repo" / "mine.ipynb", notebook(course, WRONG)), 1)
    age(put(tree / "repo" / "assignments" / "one.ipynb", notebook(course)), 2)
    age(put(tree / "repo" / "solutions" / "one.ipynb", solution), 3)
    (tree / "repo" / ".git").mkdir()
    put(tree / "repo" / ".ipynb_checkpoints" / "one.ipynb", notebook(course, RIGHT))
    (found,) = gather()
    assert found.place == "repo/mine.ipynb"
    assert [words.partition("aside: ")[2] for words in found.aside] == [
        "nothing is written in it",
        "it is the course's own solution",
    ]


def test_handing_in_the_courses_own_solution_is_noted(tree, gather, course):
    put(tree / "eve" / "one.ipynb", (course / "solutions" / "one.ipynb").read_bytes())
    (found,) = gather()
    assert found.notes == ("it is the course's own solution, word for word",)


def test_each_assignment_is_a_row_unless_one_is_asked_for(tree, gather, course):
    put(tree / "anna" / "x.ipynb", notebook(course, RIGHT))
    put(tree / "anna" / "y.ipynb", notebook(course, "pass", paper="two"))
    assert [(s.assignment, s.place) for s in gather()] == [
        ("one", "anna/x.ipynb"),
        ("two", "anna/y.ipynb"),
    ]
    (found,) = gather(assignment="two")
    assert found.place == "anna/y.ipynb"
    assert found.aside == ("anna/x.ipynb left aside: answers one, not two",)
    with pytest.raises(PaperError, match="called 'three'; there are: one, two"):
        gather(assignment="three")


def test_what_cannot_be_read_is_a_row_of_its_own_and_nobody_elses_matter(tree, gather, course):
    put(tree / "anna" / "one.ipynb", notebook(course, RIGHT))
    put(tree / "bob" / "one.ipynb", b'{"cells": [')
    put(tree / "cid" / "work.zip", b"PK, they say")
    put(tree / "dan" / "work.rar", b"Rar!")
    put(tree / "eve" / "essay.pdf", b"%PDF")
    put(
        tree / "fay" / "diary.ipynb",
        b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}',
    )
    found = gather()
    assert [s.student.id for s in found] == ["anna", "bob", "cid", "dan", "eve", "fay"]
    assert [bool(s.path) for s in found] == [True] + [False] * 5
    assert {s.assignment for s in found} == {"one"}
    problems = [s.problem for s in found]
    assert problems[0] == ""
    assert problems[1].startswith("one.ipynb is not a notebook: broken JSON")
    assert problems[2] == "is not a whole zip archive (File is not a zip file)"
    assert problems[3] == "is an archive, but not a zip"
    assert problems[4] == "handed in no notebook of it: eve/essay.pdf"
    assert problems[5].startswith("diary.ipynb does not say which assignment it answers")
    assert found[2].place == "cid/work.zip"


def test_a_readable_attempt_comes_before_a_later_broken_one(tree, gather, course):
    age(put(tree / "anna" / "one.ipynb", notebook(course, RIGHT)), 1)
    age(put(tree / "anna" / "one-2.ipynb", b"{"), 2)
    (found,) = gather()
    assert found.place == "anna/one.ipynb"
    assert "broken JSON" in found.aside[0]


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps links, pipes and such names out")
def test_links_are_not_followed(tree, gather, course, tmp_path):
    secret = put(tmp_path / "secret" / "one.ipynb", notebook(course, RIGHT))
    (tree / "anna").mkdir()
    (tree / "anna" / "one.ipynb").symlink_to(secret)
    (tree / "bob").symlink_to(secret.parent)
    assert rows(gather()) == [
        ("anna", "", "anna/one.ipynb", "is a link, and not followed"),
        ("bob", "", "bob", "is a link, and not followed"),
    ]


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps links, pipes and such names out")
def test_a_pipe_does_not_hold_anything_up(tree, gather):
    (tree / "anna").mkdir()
    os.mkfifo(tree / "anna" / "one.ipynb")
    (found,) = gather()
    assert found.problem == "is no ordinary file"


def test_a_whole_class_in_one_archive_with_archives_in_it(tree, gather, course, tmp_path):
    content = notebook(course, RIGHT)
    members = {
        "Anna Lee_1_assignsubmission_file_/work.zip": packed({"src/one.ipynb": content}),
        "Bob_2_assignsubmission_file_\\one.ipynb": content,
        "__MACOSX/Anna Lee_1_assignsubmission_file_/._one.ipynb": b"x",
        "Cid_3_assignsubmission_file_/readme.txt": b"sorry",
    }
    found = gather(put(tmp_path / "class.zip", packed(members)))
    assert [(str(s.student), s.place) for s in found] == [
        ("Anna Lee (1)", "Anna Lee_1_assignsubmission_file_/work/src/one.ipynb"),
        ("Bob (2)", "Bob_2_assignsubmission_file_/one.ipynb"),
        ("Cid (3)", ""),
    ]
    with pytest.raises(CollectError, match="is not a whole zip archive"):
        gather(put(tmp_path / "broken.zip", b"PK"))


def test_the_time_is_nbgraders_or_the_outermost_files(tree, gather, course, tmp_path):
    content = notebook(course, RIGHT)
    put(tree / "anna" / "one" / "one.ipynb", content)
    put(tree / "anna" / "one" / "timestamp.txt", b"2026-10-02 15:58:23.948203 UTC\n")
    old = zipfile.ZipInfo("one.ipynb", (1999, 1, 1, 0, 0, 0))
    with zipfile.ZipFile(tree / "bob.zip", "w") as file:
        file.writestr(old, content)
    age(tree / "bob.zip", 20_000)
    anna, bob = gather()
    assert datetime.fromtimestamp(anna.time, UTC).isoformat().startswith("2026-10-02T15:58:23")
    assert bob.time == 20_000 * 86400


def test_a_later_file_in_an_archive_counts_without_changing_when_it_was_handed_in(
    tree, gather, course
):
    with zipfile.ZipFile(tree / "anna.zip", "w") as file:
        for year, name in ((2025, "a"), (2024, "b")):
            info = zipfile.ZipInfo(f"{name}.ipynb", (year, 1, 1, 0, 0, 0))
            file.writestr(info, notebook(course, f"{RIGHT}  # {name}"))
    age(tree / "anna.zip", 20_000)
    (found,) = gather()
    assert (found.place, found.time) == ("anna/a.ipynb", 20_000 * 86400)


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps links, pipes and such names out")
def test_names_are_shown_without_what_could_mislead(tree, gather, course):
    put(tree / "an\x1b[31mna\u202e" / "one.ipynb", notebook(course, RIGHT))
    name = os.fsdecode(b"caf\xe9.ipynb")
    put(tree / name, notebook(course, RIGHT))
    first, second = gather()
    assert first.student.id == "an\ufffd[31mna\ufffd"
    assert second.student.id == "caf\ufffd"
    str(Listing([first, second])).encode()


def test_the_grades_folder_inside_the_tree_is_passed_over(tree, gather, course):
    put(tree / "anna" / "one.ipynb", notebook(course, RIGHT))
    put(tree / "grades" / "one.ipynb", notebook(course, RIGHT))
    assert [s.student.id for s in gather(without=tree / "grades")] == ["anna"]


def test_an_empty_or_missing_tree_is_said(tree, gather):
    with pytest.raises(CollectError, match="there is nothing in"):
        gather()
    with pytest.raises(CollectError, match="must be a folder or a zip archive, and is not there"):
        gather(tree / "none")


def test_no_room_to_unpack_is_one_sentence(tree, gather, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    put(tree / "anna.zip", packed({"one.ipynb": b"{}"}))
    monkeypatch.setattr(archive, "_write", full)
    with pytest.raises(CollectError, match=r"cannot be collected: .*No space left on device"):
        gather()


# Archives


def entries(content, tmp_path, allowance=None):
    path = put(tmp_path / "work.zip", content)
    (tmp_path / "unpacked").mkdir(exist_ok=True)
    return list(unpack(path, tmp_path / "unpacked", allowance or Allowance()))


def test_nothing_is_written_outside_the_folder(tmp_path):
    names = ["../../up.ipynb", "/etc/abs.ipynb", "C:\\win.ipynb", "..\\back.ipynb", "a/../b.ipynb"]
    found = entries(packed(dict.fromkeys(names, b"{}")), tmp_path)
    inside = tmp_path / "unpacked"
    assert [entry.path is None for entry in found] == [True, False, False, True, True]
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert all(inside in path.parents for path in written if path.name != "work.zip")
    assert {entry.problem for entry in found} == {"", "its name leads out of the archive"}


def test_a_bomb_is_stopped_where_the_room_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "LARGEST", 2**21)
    bomb = packed({"big.ipynb": bytes(2**22), "small.ipynb": b"{}"})
    big, small = entries(bomb, tmp_path)
    assert "too large" in big.problem
    assert small.path.read_bytes() == b"{}"
    assert sum(path.stat().st_size for path in (tmp_path / "unpacked").rglob("*")) < 2**20


def test_a_bomb_of_many_files_shares_one_allowance(tmp_path):
    inner = packed({f"{n}.ipynb": bytes(2**20) for n in range(10)})
    found = entries(packed({"a.zip": inner, "b.zip": inner}), tmp_path, Allowance(size=5 * 2**20))
    assert sum(entry.path is not None for entry in found) == 4
    total = sum(path.stat().st_size for path in (tmp_path / "unpacked").rglob("*.ipynb"))
    assert total <= 5 * 2**20


def test_an_archive_that_lies_about_sizes_gains_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "LARGEST", 1000)
    content = bytearray(packed({"x.ipynb": bytes(5000)}))
    at = content.rindex(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<I", 10)  # the size that the directory claims
    (entry,) = entries(bytes(content), tmp_path)
    assert entry.path is None or entry.path.stat().st_size <= 1000


def test_too_many_files_and_too_deep_a_nest_are_cut_off(tmp_path):
    found = entries(packed({f"{n}.txt": b"" for n in range(9)}), tmp_path, Allowance(entries=5))
    assert "too many files" in found[-1].problem
    assert len(found) == 6
    nest = packed({"x.ipynb": b"{}"})
    for _ in range(6):
        nest = packed({"inner.zip": nest})
    (entry,) = entries(nest, tmp_path)
    assert "deep" in entry.problem


def test_links_and_encrypted_members_are_named(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        link = zipfile.ZipInfo("link.ipynb")
        link.external_attr = 0o120777 << 16
        file.writestr(link, "/etc/passwd")
        file.writestr("secret.ipynb", "{}")
    content = bytearray(buffer.getvalue())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.rindex(mark) + offset] |= 1  # the bit of encrypted members
    link, secret = entries(bytes(content), tmp_path)
    assert link.problem == "is a link, and not followed"
    assert secret.problem == "is encrypted"


def test_a_damaged_member_leaves_the_others(tmp_path):
    content = bytearray(packed({"a.ipynb": b"A" * 50, "b.ipynb": b"{}"}))
    content[content.index(b"a.ipynb") + len("a.ipynb") + 1] ^= 0xFF
    first, second = entries(bytes(content), tmp_path)
    assert first.problem.startswith("cannot be unpacked")
    assert second.path.read_bytes() == b"{}"


def test_names_in_utf8_that_do_not_say_so_are_read_as_such(tmp_path):
    content = packed({"Zoe/one.ipynb": b"{}"}).replace(b"Zoe", "é_".encode())
    (entry,) = entries(content, tmp_path)
    assert entry.parts == ("é_", "one.ipynb")


# The class


def roster(tmp_path, text, encoding="utf-8"):
    return put(tmp_path / "students.csv", text.encode(encoding))


@pytest.mark.parametrize(
    "text",
    [
        "id,name\n1,Anna Lee\n2,Bob\n",
        "\ufeffName;Id\nAnna Lee;1\nBob;2\n\n",
        "id\tname\n1\tAnna Lee\n2\tBob",
    ],
    ids=["commas", "semicolons and a mark", "tabs"],
)
def test_a_roster_is_read_as_spreadsheets_write_it(tmp_path, text):
    assert read_roster(roster(tmp_path, text)) == [Student("1", "Anna Lee"), Student("2", "Bob")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name\nAnna", r"must have a column 'id' in its first line, got: 'name'"),
        ("id,name\n1,A\n1,B", r"line 3: the id '1' comes twice"),
        ("id,name\n,A", r"line 2: the id '' is missing"),
    ],
)
def test_a_roster_that_is_not_one_is_refused(tmp_path, text, words):
    with pytest.raises(RosterError, match=words):
        read_roster(roster(tmp_path, text))


def test_a_roster_that_cannot_be_read_is_said(tmp_path):
    with pytest.raises(RosterError, match="cannot be read: No such file"):
        read_roster(tmp_path / "none.csv")
    with pytest.raises(RosterError, match="must be UTF-8 text"):
        read_roster(roster(tmp_path, "id,name\n1,Zoë", "latin-1"))


@pytest.mark.parametrize(
    ("student", "expected"),
    [
        (Student("1"), "1"),
        (Student("99", "anna  LEE"), "1"),
        (Student("one-octo-cat"), "octo-cat"),
        (Student("98", "Same Name"), None),
        (Student("nobody"), None),
    ],
    ids=["id", "name", "repository", "a name of two", "a stranger"],
)
def test_a_student_is_found_on_the_roster(student, expected):
    class_list = [
        Student("1", "Anna Lee"),
        Student("cat", "Cat"),
        Student("octo-cat", "Octo"),
        Student("3", "Same Name"),
        Student("4", "Same Name"),
    ]
    found = on_roster(student, class_list)
    assert (found.id if found else None) == expected


def test_whoever_handed_in_nothing_is_listed(tree, gather, course):
    put(tree / "Anna Lee_5_assignsubmission_file_" / "one.ipynb", notebook(course, RIGHT))
    put(tree / "stranger" / "one.ipynb", notebook(course, RIGHT))
    found = gather(roster=[Student("a1", "Anna Lee"), Student("b1", "Bob")])
    assert rows(found) == [
        ("a1", "one", "Anna Lee_5_assignsubmission_file_/one.ipynb", ""),
        ("b1", "one", "", "handed in nothing"),
        ("stranger", "one", "stranger/one.ipynb", ""),
    ]
    assert found[2].notes == ("is not on the roster",)


def test_two_who_share_a_name_are_not_made_one(tree, gather, course):
    for number in (5, 6):
        folder = tree / f"Anna Lee_{number}_assignsubmission_file_"
        put(folder / "one.ipynb", notebook(course, f"{RIGHT}  # {number}"))
    found = gather(roster=[Student("a1", "Anna Lee")])
    assert [s.student.id for s in found] == ["5", "6", "a1"]
    assert "is not the only one" in found[0].notes[0]
    assert found[2].problem == "handed in nothing"


def test_the_listing_says_what_was_left_aside(tree, gather, course):
    age(put(tree / "anna" / "a.ipynb", notebook(course, RIGHT)), 1)
    age(put(tree / "anna" / "b.ipynb", notebook(course, WRONG)), 2)
    head, row, _, words = str(Listing(gather())).splitlines()
    assert head.split() == ["student", "assignment", "file", "handed", "in"]
    assert row.split()[:3] == ["anna", "one", "anna/b.ipynb"]
    assert words == "anna: anna/a.ipynb left aside: anna/b.ipynb is the later attempt"
