"""A small course and a class that hands in, for tests of collecting, grading and reports."""

import nbformat

from cnnlab.grading.build import blank_of, read_source
from cnnlab.grading.paper import mark

PATCH, SIZE = "s0.patch_response", "a1.output_size"

# What stands behind the marks of a question, in the source of a small course.
PATCH_CELLS = """def patch_response(patch, kernel):
    # BEGIN SOLUTION
    return float((patch * kernel).sum())
    # END SOLUTION

# %% check="s0.patch_response"
from cnnlab.check import check

check("s0.patch_response", patch_response)
"""
SIZE_CELLS = """def output_size(size, kernel_size, *, stride=1, pad=0):
    # BEGIN SOLUTION
    room = size - kernel_size + 2 * pad
    if room < 0 or room % stride:
        raise ValueError("does not fit")
    return room // stride + 1
    # END SOLUTION

# %% check="a1.output_size"
from cnnlab.check import check

check("a1.output_size", output_size)
"""
WORDS_CELL = """# What do you see?
#
# <!-- BEGIN SOLUTION -->
# Edges, and blobs of color.
# <!-- END SOLUTION -->
"""

ONE = f"""# %%
import numpy as np

# %% question="s0.patch_response" points=10 minutes=1 difficulty=1
{PATCH_CELLS}"""

TWO = f"""# %% question="a1.output_size" points=20 minutes=1 difficulty=1
{SIZE_CELLS}
# %% [markdown] manual="a7.filters" points=5 minutes=5
{WORDS_CELL}"""

RIGHT = "def patch_response(p, k):\n    return (p * k).sum()"
WRONG = "def patch_response(patch, kernel):\n    return patch.sum()"
DIES = "import os\n\n\ndef patch_response(p, k):\n    os._exit(1)"


def make_course(root):
    """A course of two papers, one of them with a question that is answered in words."""
    (root / "solutions").mkdir(parents=True)
    for name, source in (("one", ONE), ("two", TWO)):
        (root / f"{name}.py").write_text(source, encoding="utf-8")
        nbformat.write(read_source(root / f"{name}.py"), root / "solutions" / f"{name}.ipynb")
    return root


def notebook(course, answer=None, *, paper="one", words=None):
    """The bytes of a notebook with this answer in it: a blank one where there is none."""
    made = blank_of(nbformat.read(course / "solutions" / f"{paper}.ipynb", as_version=4))
    for cell in made.cells:
        if mark(cell).get("role") == "answer" and answer is not None:
            cell.source = answer
        if mark(cell).get("role") == "manual" and words is not None:
            cell.source = cell.source.replace("Write here.", words)
    return nbformat.writes(made).encode()


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
