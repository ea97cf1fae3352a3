"""A learner's own answers in real networks: what is right is used, what is not blocks nothing."""

import shutil
from pathlib import Path

import nbformat
import numpy as np
import pytest

from answers import RIGHT_ANSWERS
from cnnlab import fast, ops, student
from cnnlab.check.questions import QUESTIONS, Question
from cnnlab.check.questions.base import eighths
from cnnlab.check.record import Case
from cnnlab.grading.build import blank_of, read_source
from cnnlab.grading.paper import mark
from cnnlab.layers import (
    LRN,
    Affine,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    LeakyReLU,
    MaxPool,
    ReLU,
    Sigmoid,
)
from cnnlab.model import Sequential
from cnnlab.student import Answer, Answers, load_answers

ROOT = Path(__file__).parents[1]
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
    # What assignments ask for besides is no part of this course.
    monkeypatch.setattr(student, "SEAMS", student.SEAMS[:1])
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
    assert list(rows(answers)) == [seam.op for seam in student.SEAMS]
    assert set(rows(answers).values()) == {("ours (no notebook)",) * 2}
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
    head, first, *_ = str(answers).splitlines()
    assert head.split() == ["operation", "forward", "backward"]
    assert first.split() == ["conv", "yours", "yours"]
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


def _answered(*without):
    """The first right answer that we know to each question, but for some."""
    known = dict(reversed(RIGHT_ANSWERS))
    return Answers({name: Answer(known[name]) for name in known if name not in without})


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("without", "ours"),
    [
        ((), []),
        (("a3.affine_forward", "a3.relu_backward"), ["affine", "relu"]),
        (("a3.affine_backward", "a3.relu_forward"), ["affine", "relu"]),
        (("a3.softmax_loss",), ["softmax_loss"]),
    ],
    ids=["all", "backward and forward", "forward and backward", "no loss"],
)
def test_a_whole_network_runs_on_the_learners_code(without, ours, dtype):
    answers = _answered(*without)
    table = rows(answers)
    assert [
        op for op in ("affine", "relu", "softmax_loss") if table[op] != ("yours", "yours")
    ] == ours
    found = []
    for ops_table in (answers.ops, fast.ops):
        rng = np.random.default_rng(0)
        layers = [Conv(4, 3), ReLU(), Flatten(), Affine(6), ReLU(), Affine(3)]
        model = Sequential(layers, (5, 6, 2), rng=rng, dtype=dtype, ops=ops_table)
        x, y = rng.normal(size=(4, 5, 6, 2)).astype(dtype), np.array([2, 0, 1, 2])
        found.append(model.loss_and_gradients(x, y))
    (loss, gradients), (right_loss, right) = found
    np.testing.assert_allclose(loss, right_loss, rtol=1e-5)
    for name, gradient in gradients.items():
        assert gradient.dtype == dtype
        atol = 1e-5 if dtype == np.float32 else 1e-12
        np.testing.assert_allclose(gradient, right[name], rtol=1e-3, atol=atol)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_learners_loss_hands_on_the_gradient_it_returned(dtype):
    loss = _answered().ops.softmax_loss
    scores, y = np.array([[1.0, 2, 0], [0, 1, 3]], dtype), np.array([1, 2])
    out, cache = loss.forward(scores, y)
    right, right_cache = ops.softmax_loss_forward(scores, y)
    dx = loss.backward(3.0, cache)
    assert out.dtype == dx.dtype == dtype
    np.testing.assert_allclose(out, right, rtol=1e-6)
    np.testing.assert_allclose(dx, ops.softmax_loss_backward(3.0, right_cache), atol=1e-6)


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    """The answers of the course itself to its questions about pooling."""
    folder = tmp_path_factory.mktemp("answers")
    for name in ("a2_variants_pooling", "a4_conv_backward"):
        shutil.copy(ROOT / "solutions" / f"{name}.ipynb", folder)
    return load_answers(folder)


@pytest.mark.parametrize("kind", [MaxPool, AvgPool])
@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"kernel_size": 2}, (6, 8)),
        ({"kernel_size": (3, 3)}, (6, 9)),
        ({"kernel_size": 3, "stride": 2}, (7, 9)),
        ({"kernel_size": (3, 2), "stride": (1, 1)}, (5, 4)),
    ],
    ids=str,
)
def test_pooling_runs_on_the_learners_code(solved, kind, options, size):
    assert rows(solved)[kind.op] == ("yours", "yours")
    rng, found = np.random.default_rng(0), []
    x = rng.normal(size=(2, *size, 3)).astype(np.float32)
    for table in (solved.ops, fast.ops):
        layer = kind(**options)
        layer.build(x.shape[1:], rng=rng, dtype=np.float32, ops=table)
        out = layer.forward(x)
        found.append([out, layer.backward(np.cos(out))])
    for mine, ours in zip(*found, strict=True):
        assert mine.dtype == np.float32
        np.testing.assert_allclose(mine, ours, rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def signals(tmp_path_factory):
    """The answers of one who has done assignment 5 and nothing else."""
    folder = tmp_path_factory.mktemp("signals")
    shutil.copy(ROOT / "solutions" / "a5_signals.ipynb", folder)
    return load_answers(folder)


def _once(layer, table, shape, *, training):
    rng = np.random.default_rng(0)
    layer.build(shape[1:], rng=rng, dtype=np.float64, ops=table)
    for name, array in (layer.params | layer.buffers).items():
        array[...] = rng.uniform(0.5, 2, array.shape) if name != "mean" else 0.25
    out = layer.forward(rng.normal(size=shape), training=training)
    dx = layer.backward(rng.normal(size=shape))
    return {"out": out, "dx": dx} | layer.grads | layer.buffers


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(6, 4), (3, 5, 2, 4)], ids=str)
@pytest.mark.parametrize(
    ("op", "make"),
    {
        "sigmoid": Sigmoid,
        "leaky_relu": lambda: LeakyReLU(0.25),
        "batch_norm": lambda: BatchNorm(momentum=0.75, eps=0.125),
    }.items(),
)
def test_activations_and_batch_norm_run_on_the_learners_code(signals, op, make, shape, training):
    assert rows(signals)[op] == ("yours", "yours")
    mine = _once(make(), signals.ops, shape, training=training)
    ours = _once(make(), fast.ops, shape, training=training)
    assert mine.keys() == ours.keys()
    for name in ours:
        np.testing.assert_allclose(mine[name], ours[name], rtol=1e-12, atol=1e-12)


def test_batch_norm_of_the_learner_is_really_run(signals):
    found = {name: [] for name in ("a5.batch_norm_forward", "a5.batch_norm_backward")}
    heard = dict(signals._found)
    for name, seen in found.items():
        own = signals[name]

        def listening(*args, own=own, seen=seen, **options):
            seen.append(args[0].shape)
            return own(*args, **options)

        heard[name] = student.Answer(listening)
    table = student.Answers(heard).ops
    _once(BatchNorm(), table, (3, 5, 2, 4), training=True)
    _once(BatchNorm(), table, (3, 5, 2, 4), training=False)
    # At test time the statistics are constants: that way back no question asks for.
    assert list(found.values()) == [[(30, 4), (30, 4)], [(30, 4)]]


@pytest.mark.parametrize("seam", student.SEAMS, ids=lambda seam: seam.op)
def test_every_seam_belongs_to_an_operation(seam):
    assert hasattr(fast.ops, seam.op)
    assert {seam.forward, seam.backward} <= set(QUESTIONS)


def _dropout_forward(x, *, rate, rng, training):
    """A learner's: another way to draw than ours, and no mask at test time."""
    if not training:
        return x, None
    mask = rng.uniform(size=x.shape) < 1 - rate
    return x * mask / (1 - rate), mask


DROPOUT = {
    "a6.dropout_forward": Answer(_dropout_forward),
    "a6.dropout_backward": Answer(lambda dout, cache: dout * cache[0] / (1 - cache[1])),
}


@pytest.mark.parametrize("training", [True, False])
def test_a_learners_dropout_goes_back_with_the_mask_that_it_drew(training):
    layer = Dropout(0.75)
    layer.build((6, 7), rng=np.random.default_rng(0), ops=Answers(DROPOUT).ops)
    x = np.ones((50, 6, 7), np.float32)
    out = layer.forward(x, training=training)
    dx = layer.backward(x)
    assert out.dtype == dx.dtype == np.float32
    np.testing.assert_array_equal(dx, out)
    assert set(np.unique(out)) == ({0.0, 4.0} if training else {1.0})


def test_a_dropout_of_which_one_half_is_missing_is_ours():
    for question in DROPOUT:
        answers = Answers({question: DROPOUT[question]})
        assert answers.ops.dropout is fast.ops.dropout
        said = {"ours (right, but the other is ours)", "ours (no notebook)"}
        assert set(rows(answers)["dropout"]) == said


LRN_ANSWERS = {
    "a6.lrn_forward": Answer(lambda x, **options: ops.lrn_forward(x, **options)[0]),
    "a6.lrn_backward": Answer(
        lambda dout, cache: ops.lrn_backward(
            dout,
            ops.lrn_forward(
                cache[0], **dict(zip(("n", "k", "alpha", "beta"), cache[1:], strict=True))
            )[1],
        )
    ),
}


@pytest.mark.parametrize("written", [list(LRN_ANSWERS), *([name] for name in LRN_ANSWERS)], ids=str)
def test_either_half_of_a_learners_lrn_is_used(written):
    answers = Answers({name: LRN_ANSWERS[name] for name in written})
    assert rows(answers)["lrn"].count("yours") == len(written)
    rng = np.random.default_rng(0)
    x, dout = rng.normal(size=(2, 2, 3, 4, 7))
    results = []
    for table in (answers.ops, ops.reference):
        layer = LRN(n=3, k=1.0, alpha=0.5, beta=0.75)
        layer.build((3, 4, 7), rng=rng, dtype=np.float64, ops=table)
        results.append((layer.forward(x, training=True), layer.backward(dout)))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-12)
