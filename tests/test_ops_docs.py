"""docs/ops.md says what is true."""

import importlib.util
from pathlib import Path

import pytest

from proofs import PROOFS

ROOT = Path(__file__).parents[1]
spec = importlib.util.spec_from_file_location("ops_docs", ROOT / "tools" / "write_ops_docs.py")
ops_docs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ops_docs)

PAGE = ops_docs.PAGE.read_text(encoding="utf-8")
STATED = ops_docs.stated(PAGE)


def test_the_page_is_what_the_command_writes():
    assert ops_docs.render(STATED) == PAGE, "run `make docs`"


@pytest.mark.parametrize("name", PROOFS)
def test_the_figures_hold(name):
    error, difference = ops_docs.measure(PROOFS[name])
    assert error <= float(STATED[name][0]) <= 1e-6
    assert difference <= float(STATED[name][1]) <= 1e-11


@pytest.mark.parametrize("name", PROOFS)
def test_every_operation_has_formulas_a_source_and_a_layer(name):
    functions = PROOFS[name].functions
    assert "=" in ops_docs.formula(functions.forward)
    assert "=" in ops_docs.formula(functions.backward)
    assert ops_docs.source(functions.forward)
    assert ops_docs.layers_of(name)


@pytest.mark.parametrize(
    ("value", "expected"), [(0, "1e-15"), (3e-10, "1e-09"), (7e-10, "1e-08"), (4.9e-16, "1e-15")]
)
def test_figures_are_rounded_up_with_room(value, expected):
    assert ops_docs.rounded_up(value) == expected
    assert float(expected) >= 2 * value
