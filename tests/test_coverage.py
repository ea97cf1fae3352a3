"""The table of what the course covers points at things that exist."""

import ast
import importlib
import re
import tomllib
from pathlib import Path

import nbformat
import pytest

from cnnlab.check.questions import QUESTIONS
from cnnlab.grading.paper import mark, tags

ROOT = Path(__file__).parents[1]
TABLE = tomllib.loads((ROOT / "course" / "coverage.toml").read_text(encoding="utf-8"))
IDS = {f"T{n:02d}" for n in range(1, 36)} | {f"C{n}" for n in range(1, 12)}


def tags_of(path):
    notebook = nbformat.read(path, as_version=4)
    return set().union(*(tags(cell) for cell in notebook.cells)) & IDS


def functions_of(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", TABLE)
def test_a_row_points_at_things_that_exist(row):
    entry = TABLE[row]
    assert row in IDS
    assert set(entry) == {"title", "taught", "supplied", "exercised", "tested"}
    for page in entry["taught"]:
        assert row in tags_of(ROOT / "notebooks" / f"{page}.ipynb")
    for name in entry["supplied"]:
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), name
    for question in entry["exercised"]:
        assert question in QUESTIONS
    for test in entry["tested"]:
        file, _, function = test.partition("::")
        assert function in functions_of(ROOT / "tests" / file), test


@pytest.mark.parametrize("page", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem)
def test_what_a_page_teaches_is_in_the_table(page):
    listed = {row for row, entry in TABLE.items() if page.stem in entry["taught"]}
    assert listed == tags_of(page)


def test_what_an_assignment_practices_is_in_the_table():
    for path in (ROOT / "assignments").glob("*.ipynb"):
        for row in tags_of(path):
            questions = TABLE[row]["exercised"]
            assert any(
                question.startswith(re.match(r"a\d", path.stem)[0]) for question in questions
            )


def test_every_question_that_exists_is_asked_somewhere():
    asked = set()
    for path in (ROOT / "solutions").glob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            if mark(cell).get("role") == "answer":  # what is answered in words is not checked
                asked.add(mark(cell)["question"])
    assert asked == set(QUESTIONS)
