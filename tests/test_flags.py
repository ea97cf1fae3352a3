"""Flags: what an answer uses that it was not asked to use, found in its text."""

import ast
import copy
import inspect
import re
from functools import cache
from pathlib import Path

import nbformat
import pytest

from answers import RIGHT_ANSWERS
from cnnlab.grading.flags import LONGEST, MOST, flags, said
from cnnlab.grading.paper import mark

SOLUTIONS = sorted((Path(__file__).parents[1] / "solutions").glob("*.ipynb"))
LOCAL = "a2.local_forward"  # its page imports np, ops, shapes, viz and when_written
TO_WRITE, NOT_NEEDED = ": this question asks you to write it", ", which no answer needs"


@cache
def solutions():
    return [nbformat.read(path, as_version=4) for path in SOLUTIONS]


def answered(question, source):
    """The solution of a paper, with this answer to one question."""
    for notebook in solutions():
        for number, cell in enumerate(notebook.cells):
            if mark(cell) == mark(cell) | {"role": "answer", "question": question}:
                changed = copy.deepcopy(notebook)
                changed.cells[number].source = source
                return changed
    raise LookupError(question)


def found(source, question=LOCAL):
    return [
        f"{flag['line']} {flag['what']}" for flag in flags(answered(question, source))[question]
    ]


@pytest.mark.parametrize("number", range(len(SOLUTIONS)), ids=[path.stem for path in SOLUTIONS])
def test_no_solution_is_flagged(number):
    assert all(one == [] for one in flags(solutions()[number]).values())


def _in_full(function):
    """A function's source, below those imports of its module that it uses."""
    module = ast.parse(inspect.getsource(inspect.getmodule(function)))
    own = inspect.getsource(function)
    imports = [
        ast.unparse(type(node)(**vars(node) | {"names": [alias]}))
        for node in module.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if re.search(rf"\b{alias.asname or alias.name}\b", own)
    ]
    return "\n".join([*imports, own])


# A right result by the library's own function: right, and to be looked at.
BY_THE_LIBRARY = {
    "drop_back_by_library": [
        "1 uses cnnlab.ops" + TO_WRITE,
        "4 uses cnnlab.ops.dropout_backward" + TO_WRITE,
    ]
}


@pytest.mark.parametrize(
    ("question", "function"),
    [pytest.param(q, f, id=f"{q}-{f.__name__}") for q, f in RIGHT_ANSWERS],
)
def test_no_right_answer_of_ones_own_is_flagged(question, function):
    expected = BY_THE_LIBRARY.get(function.__name__, [])
    if function.__module__.startswith("answers"):
        assert found(_in_full(function), question) == expected


FLAGGED = {
    "the library's operation": (
        "def f(x):\n    return ops.conv_forward(x)",
        ["2 uses cnnlab.ops.conv_forward" + TO_WRITE],
    ),
    "the whole library": ("import cnnlab\ncnnlab.fast.ops", ["2 uses cnnlab.fast.ops" + TO_WRITE]),
    "a layer of the library": (
        "from cnnlab.layers import Conv",
        ["1 uses cnnlab.layers.Conv" + TO_WRITE],
    ),
    "the checker": (
        "from cnnlab.check.questions import find",
        ["1 uses cnnlab.check.questions.find" + TO_WRITE],
    ),
    "the checker changed": (
        "import cnnlab.check\ncnnlab.check.check = print",
        ["2 changes cnnlab.check.check" + NOT_NEEDED],
    ),
    "the operations by way of the pictures": ("viz.diagrams.ops", ["1 uses cnnlab.viz.diagrams"]),
    "SciPy": (
        "from scipy import signal\ndef f(x):\n    return signal.correlate(x, x)",
        ["1 uses scipy.signal" + TO_WRITE, "3 uses scipy.signal.correlate" + TO_WRITE],
    ),
    "PyTorch under another name": (
        "import torch.nn.functional as np\nnp.conv2d",
        [f"{n} uses torch.nn.functional{rest}" for n, rest in ((1, TO_WRITE), (2, ".conv2d"))],
    ),
    "scikit-image": ("import skimage", ["1 uses skimage" + TO_WRITE]),
    "ONNX": ("import onnx.reference", ["1 uses onnx.reference" + TO_WRITE]),
    "inside of a function": ("def f():\n    import jax", ["2 uses jax" + TO_WRITE]),
    "all names": ("from cnnlab.ops import *", ["1 uses cnnlab.ops" + TO_WRITE]),
    "under a second name": (
        "o = ops\no.conv_forward",
        ["1 uses cnnlab.ops" + TO_WRITE, "2 uses cnnlab.ops.conv_forward" + TO_WRITE],
    ),
    "as a default": ("def f(x, g=ops):\n    return g", ["1 uses cnnlab.ops" + TO_WRITE]),
    "as a decorator": ("@ops.conv_forward\ndef f(): 0", ["1 uses cnnlab.ops.conv_forward"]),
    "from a comprehension": ("[ops.pool for ops in [ops]]", ["1 uses cnnlab.ops" + TO_WRITE]),
    "behind an assignment that never happens": (
        "if 0:\n    ops = 1\nops.conv_forward",
        ["3 uses cnnlab.ops.conv_forward"],
    ),
    "a parameter elsewhere": (
        "lambda ops: 1\ndef f():\n    return ops.x",
        ["3 uses cnnlab.ops.x"],
    ),
    "global": ("def f():\n    global ops\n    ops = ops.x", ["3 uses cnnlab.ops.x"]),
    "behind a magic": ("%time y = ops.conv_forward(1)", ["1 uses cnnlab.ops.conv_forward"]),
    "behind %timeit": ("%timeit -n 1 -r 1 ops.x", ["1 uses cnnlab.ops.x"]),
    "in a cell of %%time": ("%%time\nimport scipy", ["2 uses scipy" + TO_WRITE]),
    "another shell": ("%%bash\nrm -r *", ["1 runs %%bash" + NOT_NEEDED]),
    "a command": ("x = 1\n!rm -r *", ["2 runs a command of the system" + NOT_NEEDED]),
    "a file run": ("%run solution.py", ["1 runs %run" + NOT_NEEDED]),
    "__import__": ("__import__('scipy')", ["1 uses __import__" + NOT_NEEDED]),
    "importlib": ("import importlib", ["1 uses importlib" + NOT_NEEDED]),
    "eval": ("eval('1')", ["1 uses eval" + NOT_NEEDED]),
    "eval in other letters": ("𝐞𝐯𝐚𝐥('1')", ["1 uses eval" + NOT_NEEDED]),
    "exec, as a value": ("f = exec", ["1 uses exec" + NOT_NEEDED]),
    "sys.modules": ("import sys\nsys.modules", ["2 uses sys.modules" + NOT_NEEDED]),
    "from sys": ("from sys import modules", ["1 uses sys.modules" + NOT_NEEDED]),
    "sys of another module": ("import warnings\nwarnings.sys", ["2 uses warnings.sys"]),
    "a tracer": ("import sys\nsys.settrace(None)", ["2 uses sys.settrace" + NOT_NEEDED]),
    "gc": ("import gc", ["1 uses gc" + NOT_NEEDED]),
    "inspect": ("import inspect", ["1 uses inspect" + NOT_NEEDED]),
    "ctypes": ("import ctypes", ["1 uses ctypes" + NOT_NEEDED]),
    "ctypes of NumPy": ("np.ctypeslib", ["1 uses numpy.ctypeslib" + NOT_NEEDED]),
    "pickle": ("import pickle", ["1 uses pickle" + NOT_NEEDED]),
    "globals": ("globals()['ops']", ["1 uses globals" + NOT_NEEDED]),
    "vars": ("vars()", ["1 uses vars" + NOT_NEEDED]),
    "getattr of a module": ("getattr(np, 'load')", ["1 uses getattr" + NOT_NEEDED]),
    "getattr of what is worked out": ("getattr(f, 'a' + 'b')", ["1 uses getattr" + NOT_NEEDED]),
    "getattr under another name": ("g = getattr", ["1 uses getattr" + NOT_NEEDED]),
    "attrgetter": ("import operator\noperator.attrgetter", ["2 uses operator.attrgetter"]),
    "a class's relatives": (
        "().__class__.__base__.__subclasses__()",
        ["1 uses __base__" + NOT_NEEDED, "1 uses __subclasses__" + NOT_NEEDED],
    ),
    "a function's globals": ("np.sum.__globals__", ["1 uses numpy.sum.__globals__"]),
    "frames": ("def f(e):\n    return e.tb_frame", ["2 uses tb_frame" + NOT_NEEDED]),
    "the builtins, imported": (
        "import builtins\nbuiltins.len\nbuiltins",
        ["1 uses builtins" + NOT_NEEDED, "3 uses builtins" + NOT_NEEDED],
    ),
    "a builtin, imported": ("from builtins import eval", ["1 uses builtins.eval" + NOT_NEEDED]),
    "the builtins": ("__builtins__", ["1 uses __builtins__" + NOT_NEEDED]),
    "a file": ("open('solutions/a2.ipynb')", ["1 uses open" + NOT_NEEDED]),
    "a file by NumPy": ("np.loadtxt('x')", ["1 uses numpy.loadtxt" + NOT_NEEDED]),
    "a file by pathlib": ("from pathlib import Path", ["1 uses pathlib.Path" + NOT_NEEDED]),
    "a process": ("import subprocess", ["1 uses subprocess" + NOT_NEEDED]),
    "a socket": ("import socket", ["1 uses socket" + NOT_NEEDED]),
    "the environment": ("import os\nos.environ", ["1 uses os", "2 uses os.environ"]),
    "NumPy changed": ("np.isclose = 1", ["1 changes numpy.isclose" + NOT_NEEDED]),
    "NumPy lost": ("del np.isclose", ["1 changes numpy.isclose" + NOT_NEEDED]),
    "the display": ("from IPython.display import display", ["1 uses IPython.display.display"]),
    "the kernel": ("get_ipython().kernel", ["1 uses get_ipython" + NOT_NEEDED]),
    "too deep": ("-" * 5000 + "1", ["1 begins what is too long or too deep"]),
    "too long": ("x = 1\n" * LONGEST, ["1 begins what is too long or too deep"]),
}


@pytest.mark.parametrize(("source", "expected"), FLAGGED.values(), ids=FLAGGED)
def test_what_an_answer_was_not_asked_to_use_is_flagged(source, expected):
    given = found(source)
    assert len(given) == len(expected)
    assert all(one.startswith(start) for one, start in zip(given, expected, strict=True)), given


UNFLAGGED = {
    "NumPy": "from numpy.lib.stride_tricks import as_strided\nnp.random.default_rng(0).normal()",
    "plain helpers": "import math, itertools as it\nfrom functools import partial\nmath.e",
    "words to the screen": "import sys\nprint(1, file=sys.stderr)",
    "a picture": "import matplotlib.pyplot as plt\nplt.plot([1])",
    "the check, called early": "from cnnlab.check import check\ncheck('a2.local_forward', f)",
    "a picture of the course's": "viz.show(viz.grids({'x': 1}))",
    "a parameter of that name": "def f(ops):\n    return ops.conv_forward",
    "a variable of that name": "def f(x):\n    ops = x\n    return [ops.pool for x in range(3)]",
    "a local of each kind": (
        "def f(*ops, **shapes):\n    try:\n        pass\n    except E as viz:\n        viz\n"
        "    def np(): 0\n    return ops, shapes, np.load"
    ),
    "what the question offers": "from cnnlab import shapes\nshapes.output_size(7, 3)",
    "a class": "class A:\n    def __init__(self):\n        self.x = type(self).__name__",
    "a plain getattr": "def f(x):\n    return getattr(x, 'shape', ())",
    "magics that show": "%matplotlib inline\n%time 1\nnp.pad?",
    "no Python": "def f(x:\n    import scipy",
    "NUL": "import scipy\0",
    "nothing": "",
}


@pytest.mark.parametrize("source", UNFLAGGED.values(), ids=UNFLAGGED)
def test_what_is_free_is_not_flagged(source):
    assert found(source) == []


def test_a_name_is_followed_from_one_answer_to_the_next():
    notebook = answered(LOCAL, "from scipy.signal import correlate as mine")
    for cell in notebook.cells:
        if mark(cell) == mark(cell) | {"role": "answer", "question": "a2.max_pool_forward"}:
            cell.source = "def max_pool_forward(x):\n    return mine(x, x)"
    (flag,) = flags(notebook)["a2.max_pool_forward"]
    assert flag["what"] == "uses scipy.signal.correlate" + TO_WRITE
    assert flag["source"] == "return mine(x, x)"


def test_what_a_question_offers_is_offered_there_only():
    size = "def output_size(size, kernel_size):\n    return shapes.output_size(size, kernel_size)"
    assert found(size, "a1.output_size") == ["2 uses cnnlab.shapes.output_size" + TO_WRITE]
    assert found(size, "a1.conv_loops") == []
    network = "from cnnlab.layers import Conv\nfrom cnnlab import zoo\nConv(8, 3)"
    assert found(network, "a7.build") == ["2 uses cnnlab.zoo" + TO_WRITE]


def test_a_flag_is_a_sentence_and_there_are_not_too_many():
    many = flags(answered(LOCAL, f"eval('{'x' * 500}')\n" * 50))[LOCAL]
    assert len(many) == MOST
    assert len(many[0]["source"]) == 200
    assert said(many[0]) == "Line 1 uses eval, which no answer needs."
