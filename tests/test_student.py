"""A learner's own answers in real networks: what is right is used, what is not blocks nothing."""

import nbformat
import numpy as np
import pytest

from cnnlab import fast, ops, student
from cnnlab.check.questions import QUESTIONS, Question
from cnnlab.check.questions.base import eighths
from cnnlab.check.record import Case
from cnnlab.grading.build import blank_of, read_source
from cnnlab.grading.paper import mark
from cnnlab.layers import Conv
from cnnlab.student import load_answers

SOURCE = """# %%
import numpy as np

import not_installed
from cnnlab import shapes

TIMES = 1
rng = np.random.default_rng(undefined_name)


def helper():
    return TIMES

# %% question="a1.output_size" points=20 minutes=1 difficulty=1
def output_size(size, kernel_size, *, stride=1, pad=0):
    # BEGIN SOLUTION
    return shapes.output_size(size, kernel_size, stride=stride, pad=pad) * helper()
    # END SOLUTION

# %% check="a1.output_size"
from cnnlab.check import check

check("a1.output_size", output_size)

# %% question="a1.conv_forward" points=40 minutes=1 difficulty=1
def conv_forward(x, w, b, *, stride=1, pad=0):
    # BEGIN SOLUTION
    FH, FW, C, K = w.shape
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (FH, FW), axis=(1, 2))
    out = np.einsum("nijcuv,uvck->nijk", windows[:, ::stride, ::stride], w) + np.float64(1) * b
    return out.astype(np.float64), None
    # END SOLUTION

# %% check="a1.conv_forward"
from cnnlab.check import check

check("a1.conv_forward", conv_forward)

# %% tags=["nbval-skip"]
import does_not_exist
"""
BACKWARD = """# %%
import numpy as np

# %% question="a4.conv_backward" points=40 minutes=1 difficulty=1
def conv_backward(dout, cache):
    # BEGIN SOLUTION
    x, w, b, stride, pad = cache
    calls.append(x.shape)
    FH, FW, C, K = w.shape
    padded = np.pad(x.astype(float), ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    dpadded, dw = np.zeros(padded.shape), np.zeros(w.shape)
    for i in range(dout.shape[1]):
        for j in range(dout.shape[2]):
            rows, columns = slice(i * stride, i * stride + FH), slice(j * stride, j * stride + FW)
            dpadded[:, rows, columns] += np.einsum("nk,uvck->nuvc", dout[:, i, j], w)
            dw += np.einsum("nuvc,nk->uvck", padded[:, rows, columns], dout[:, i, j])
    H, W = x.shape[1:3]
    return dpadded[:, pad : pad + H, pad : pad + W], dw, dout.sum(axis=(0, 1, 2))
    # END SOLUTION


calls = []

# %% check="a4.conv_backward"
from cnnlab.check import check

check("a4.conv_backward", lambda dout, cache: conv_backward(dout, cache))
"""


def _conv_backward(dout, cache):
    x, w, b, stride, pad = cache
    return ops.conv_backward(dout, ops.conv_forward(x, w, b, stride=stride, pad=pad)[1])


def _backward_cases(rng):
    x, w, b = eighths(rng, 2, 5, 6, 3), eighths(rng, 3, 2, 3, 4), eighths(rng, 4)
    return [Case("padded", (eighths(rng, 2, 5, 7, 4), (x, w, b, 1, 1)))]


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course of two assignments, the second about going back through a convolution."""
    backward = Question(
        "a4.conv_backward",
        _conv_backward,
        _backward_cases,
        "test_conv_backward",
        returns=("dx", "dw", "db"),
    )
    monkeypatch.setitem(QUESTIONS, "a4.conv_backward", backward)
    monkeypatch.setenv("CNNLAB_COURSE", str(tmp_path))
    for folder in ("solutions", "assignments"):
        (tmp_path / folder).mkdir()
    for name, source in {"a1_conv": SOURCE, "a4_back": BACKWARD}.items():
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        nbformat.write(read_source(tmp_path / f"{name}.py"), tmp_path / f"solutions/{name}.ipynb")
    return tmp_path


@pytest.fixture
def write(course):
    """Write an assignment with these answers: solved, empty, or a source of their own."""

    def write(name, answers=None, *, solved=True, under=None):
        notebook = nbformat.read(course / f"solutions/{name}.ipynb", as_version=4)
        notebook = notebook if solved else blank_of(notebook)
        for cell in notebook.cells:
            if mark(cell).get("role") == "answer":
                cell.source = (answers or {}).get(mark(cell)["question"], cell.source)
        nbformat.write(notebook, course / "assignments" / f"{under or name}.ipynb")

    return write


def rows(answers):
    return {row[0]: row[1:] for row in answers.table()[1:]}


def test_an_empty_folder_has_ours_everywhere(course):
    answers = load_answers()
    assert rows(answers) == {"conv": ("ours (no notebook)", "ours (no notebook)")}
    assert answers.ops == fast.ops
    with pytest.raises(ValueError, match=r"to a1\.output_size cannot be used: no notebook\."):
        answers["a1.output_size"]
    with pytest.raises(ValueError, match=r"no question 'a1\.convv'"):
        answers["a1.convv"]


def test_where_there_is_no_folder_it_is_said(course):
    with pytest.raises(ValueError, match=r"there is no folder .*nowhere to take answers from"):
        load_answers(course / "nowhere")


def test_blank_notebooks_are_not_attempted(write):
    write("a1_conv", solved=False)
    write("a4_back", solved=False)
    answers = load_answers()
    assert rows(answers)["conv"] == ("ours (not attempted)", "ours (not attempted)")
    assert answers.ops == fast.ops


def test_what_is_right_is_used(write):
    write("a1_conv")
    write("a4_back")
    answers = load_answers()
    assert rows(answers)["conv"] == ("yours", "yours")
    assert str(answers).splitlines() == [
        "operation  forward  backward",
        "conv       yours    yours",
    ]
    assert "<td" in answers._repr_html_()
    assert repr(answers) == str(answers)
    assert answers["a1.output_size"](7, 3) == 5
    assert answers.ops.conv.forward is not fast.ops.conv.forward
    assert answers.ops.relu is fast.ops.relu


def _passes(table, *, groups, dtype, stride=2, pad=1):
    rng = np.random.default_rng(0)
    layer = Conv(6, kernel_size=3, stride=stride, pad=pad, groups=groups)
    layer.build((7, 9, 4), rng=rng, dtype=dtype, ops=table)
    x = rng.normal(size=(2, 7, 9, 4)).astype(dtype)
    out = layer.forward(x)
    dout = rng.normal(size=out.shape).astype(dtype)
    return [out, layer.backward(dout), layer.grads["w"], layer.grads["b"]]


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("half", ["both", "forward", "backward"])
@pytest.mark.parametrize("stride", [2, (2, 2)], ids=str)
def test_a_network_runs_on_the_learners_code(write, groups, dtype, half, stride):
    if half != "backward":
        write("a1_conv")
    if half != "forward":
        write("a4_back")
    answers = load_answers()
    forward, backward = rows(answers)["conv"]
    assert (forward == "yours", backward == "yours") == (half != "backward", half != "forward")
    mine = _passes(answers.ops, groups=groups, dtype=dtype, stride=stride)
    ours = _passes(fast.ops, groups=groups, dtype=dtype, stride=stride)
    for a, b in zip(mine, ours, strict=True):
        assert a.dtype == dtype
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3 if dtype == np.float32 else 1e-9)
    calls = load_answers()
    if half != "forward":
        calls = answers["a4.conv_backward"].__globals__["calls"]
        assert (2, 7, 9, 4 // groups) in calls  # really the learner's


def test_the_learners_forward_is_really_run(write):
    noisy = {
        "a1.conv_forward": "from cnnlab import ops\nseen = []\n"
        "def conv_forward(x, w, b, *, stride=1, pad=0):\n    seen.append(w.shape)\n"
        "    return ops.conv_forward(x, w, b, stride=stride, pad=pad)"
    }
    write("a1_conv", noisy)
    answers = load_answers()
    seen = answers["a1.conv_forward"].__globals__["seen"]
    seen.clear()
    _passes(answers.ops, groups=2, dtype=np.float32)
    assert seen == [(3, 3, 2, 3)] * 2


BROKEN = {
    "wrong": (
        "def conv_forward(x, w, b, *, stride=1, pad=0):\n    from cnnlab import ops\n"
        "    return ops.conv_forward(x, w[::-1, ::-1], b, stride=stride, pad=pad)",
        "wrong: The filter is turned by 180°",
    ),
    "unknown": ("def conv_forward(x, w, b, *, stride=1, pad=0):\n    return 3, None", "wrong"),
    "crash when called": ("def conv_forward(x, w, b, **options):\n    return x[99]", "wrong"),
    "crash when defined": (
        "1 / 0",
        "its cell stops with ZeroDivisionError; there is no conv_forward",
    ),
    "syntax": ("def conv_forward(", "its cell stops with SyntaxError; there is no conv_forward"),
    "exit": ("import sys; sys.exit()", "its cell stops with SystemExit; there is no conv_forward"),
    "exit in the call": ("def conv_forward(*args, **o):\n    raise SystemExit", "wrong"),
    "no end": (
        "while True: pass",
        "its cell does not come to an end in 0.3 seconds; there is no conv_forward",
    ),
    "misspelt": ("def conv_forwad(x, w, b):\n    return x", "not attempted"),
    "a string": ("conv_forward = 'done'", "wrong"),
}


@pytest.mark.parametrize(("source", "why"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_costs_itself_only_and_the_reason_is_said(write, monkeypatch, source, why):
    monkeypatch.setattr(student, "SECONDS", 0.3)
    write("a1_conv", {"a1.conv_forward": source})
    write("a4_back")
    answers = load_answers()
    assert rows(answers)["conv"] == (f"ours ({why})", "yours")
    assert answers["a1.output_size"](7, 3) == 5


def test_a_stray_line_below_a_right_answer_does_no_harm(write):
    write(
        "a1_conv",
        {
            "a1.output_size": "%%time\n%matplotlib inline\nprint('here')\n"
            "def output_size(size, window, *, stride=1, pad=0):\n"
            "    if pad > 100:\n        %timeit 1 + 1\n"
            "    return shapes.output_size(size, window, stride=stride, pad=pad)\nundefined"
        },
    )
    assert load_answers()["a1.output_size"](7, 3) == 5


def test_answers_print_nothing_while_they_are_loaded(write, capsys):
    chatty = "print('defined')\ndef output_size(*args, **options):\n    print('called')"
    write("a1_conv", {"a1.output_size": chatty})
    load_answers()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", ["{", "[]", ""])
def test_a_broken_notebook_blocks_no_other(write, course, content):
    write("a4_back")
    (course / "assignments" / "a1_conv.ipynb").write_text(content)
    (course / "assignments" / "notes.ipynb").write_text(content)
    forward, backward = rows(load_answers())["conv"]
    assert forward.startswith("ours (a1_conv.ipynb is ")
    assert backward == "yours"


def test_another_notebook_with_the_answer_counts_where_the_first_is_not_right(write):
    write("a1_conv", solved=False)
    write("a1_conv", under="a0 copy")
    assert rows(load_answers())["conv"][0] == "yours"


def test_a_folder_of_ones_own(write, course, tmp_path):
    write("a1_conv")
    (course / "assignments").rename(tmp_path / "mine")
    assert rows(load_answers(tmp_path / "mine"))["conv"][0] == "yours"


def test_a_question_that_does_not_exist_yet_is_not_missed(course, monkeypatch):
    others = {name: q for name, q in QUESTIONS.items() if name != "a4.conv_backward"}
    monkeypatch.setattr(student, "QUESTIONS", others)
    assert rows(load_answers())["conv"][1] == "ours (not asked yet)"


@pytest.mark.parametrize("seam", student.SEAMS, ids=lambda seam: seam.op)
def test_every_seam_belongs_to_an_operation(seam):
    assert hasattr(fast.ops, seam.op)
    assert seam.forward in QUESTIONS
