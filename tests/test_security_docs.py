"""docs/grading-security.md promises what the catalogue of submissions holds true, and no more."""

import importlib.util
from pathlib import Path

from hostile import ANSWERS, ESCAPES

ROOT = Path(__file__).parents[1]
spec = importlib.util.spec_from_file_location(
    "security_docs", ROOT / "tools" / "write_security_docs.py"
)
security_docs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(security_docs)


def test_the_page_is_that_of_the_catalogue():
    assert security_docs.render() == security_docs.PAGE.read_text(encoding="utf-8"), "run make docs"


def test_what_gets_points_without_being_ones_own_is_flagged():
    forged = [one for one in ANSWERS if one.kind == "forgeries"]
    assert len(forged) > 40
    assert all(one.flags for one in forged if one.status == "right")


def test_what_is_said_to_become_of_each_kind_is_so():
    becomes = {
        kind: {one.status for one in ANSWERS if one.kind == kind} for kind in ("right", "broken")
    }
    assert becomes["right"] == {"right"}
    assert "right" not in becomes["broken"]
    assert {one.status for one in ESCAPES} <= {"right", "wrong", "kernel died", "not decidable"}


def test_no_two_entries_have_the_same_name():
    names = [(one.kind, one.name) for one in (*ANSWERS, *ESCAPES)]
    assert len(set(names)) == len(names)
