"""Files as odd as people, tools and free evenings make them.

`UNREADABLE` are no notebooks, each with what is said of it. `READABLE` change a solved notebook,
given as JSON, in ways that must not cost a point.
"""

import copy
import json

CELL = {"cell_type": "code", "outputs": [], "execution_count": None, "metadata": {}, "source": ""}
NOTEBOOK = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}


def _json(**changes):
    return json.dumps(NOTEBOOK | changes).encode()


def _nested(depth):
    return b'{"nbformat": 4, "cells": [], "metadata": ' + b"[" * depth + b"]" * depth + b"}"


UNREADABLE = {
    "nothing": (b"", "is empty"),
    "white space": (b" \n\t", "is empty"),
    "half a file": (b'{"cells": [', "broken JSON"),
    "Python": (b"import numpy as np\n", "broken JSON"),
    "a login page": (b"<!DOCTYPE html><title>Sign in</title>", "broken JSON"),
    "a zip": (b"PK\x03\x04\x14\x00\x08\x08", "broken JSON"),
    "NUL bytes": (b"\0" * 1000, "broken JSON"),
    "UTF-16": (json.dumps(NOTEBOOK).encode("utf-16"), "is not UTF-8 text (byte 0)"),
    "Latin letters": (b'{"nbformat": 4, "name": "\xe9"}', "is not UTF-8 text (byte 25)"),
    "a list": (b"[1, 2]", "it has no nbformat"),
    "a text": (b'"notebook"', "it has no nbformat"),
    "a number": (b"NaN", "it has no nbformat"),
    "any object": (b"{}", "it has no nbformat"),
    "nbformat in words": (_json(nbformat="4"), "it has no nbformat"),
    "nbformat true": (_json(nbformat=True), "it has no nbformat"),
    "nbformat of the future": (_json(nbformat=99), "it is of nbformat 99, 4 is the newest"),
    "nbformat of long ago": (_json(nbformat=1, cells=[CELL]), "which assignment"),
    "a number of 5000 digits": (_json().replace(b"5", b"5" * 5000), "broken JSON"),
    "no cells": (b'{"nbformat": 4}', "not a valid notebook"),
    "cells that are a number": (_json(cells=3), "not a valid notebook"),
    "cells that are null": (_json(cells=None), "not a valid notebook"),
    "nested 100,000 deep": (_nested(100_000), "broken JSON"),
    "nested 100,000 deep and cut off": (b"[" * 100_000, "broken JSON"),
    "26 MB": (b'{"nbformat": 4, "x": "' + b"x" * 26_000_000 + b'"}', "is larger than 25 MB"),
    "notes of another kind": (_json(cells=[CELL | {"source": "1 + 1"}]), "which assignment"),
    "cells of nonsense": (
        _json(
            cells=[
                *(3, None, {}, [], "cell", CELL | {"metadata": 3}, CELL | {"source": 4}),
                {"cell_type": ["code"], "source": {}},
            ]
        ),
        "which assignment",
    ),
}


def _answers(notebook):
    return [c for c in notebook["cells"] if c["metadata"].get("cnnlab", {}).get("role") == "answer"]


def _each(**changes):
    def change(notebook):
        for cell in notebook["cells"]:
            cell.update(copy.deepcopy(changes))

    return change


def _first(*cells):
    return lambda notebook: notebook["cells"].__setitem__(slice(0, 0), list(cells))


def _last(*cells):
    return lambda notebook: notebook["cells"].extend(cells)


def _about(**metadata):
    return lambda notebook: notebook["metadata"].update(metadata)


def _worth_more(notebook):
    for cell in notebook["cells"]:
        for mark in ("cnnlab", "nbgrader"):
            cell["metadata"].setdefault(mark, {}).update(points=10**9, out_of=0, locked=False)


def _lines(notebook):
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"]).splitlines(keepends=True)


def _version_3(notebook):
    """As nbformat 3 wrote it: worksheets, and `input` for the source of code."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["input"], cell["language"] = cell.pop("source"), "python"
            cell["prompt_number"] = cell.pop("execution_count")
        cell.pop("id", None)
    notebook.update(nbformat=3, nbformat_minor=0)
    notebook["metadata"]["name"] = ""
    notebook["worksheets"] = [{"cells": notebook.pop("cells"), "metadata": {}}]


def _a_second_answer(notebook):
    for cell in copy.deepcopy(_answers(notebook)):
        notebook["cells"].append(cell | {"source": "".join(cell["source"]) + "\nimport scipy"})


def _forged_output(notebook):
    record = {"application/vnd.cnnlab.check+json": {"status": "right", "cases": []}}
    output = {"output_type": "display_data", "data": record, "metadata": {}}
    _each(outputs=[output] * 3)(notebook)


READABLE = {
    "ids gone": lambda notebook: [cell.pop("id", None) for cell in notebook["cells"]],
    "one id for all": _each(id="same"),
    "ids that are none": _each(id={"a": []}),
    "outputs gone": lambda notebook: [cell.pop("outputs", None) for cell in notebook["cells"]],
    "outputs that are none": _each(outputs="none"),
    "outputs with a right record": _forged_output,
    "outputs without end": _each(outputs=[{"output_type": "stream", "text": "x" * 10**5}] * 5),
    "execution counts of nonsense": _each(execution_count=[{}]),
    "attachments": _each(attachments={"image.png": {"image/png": "x" * 1000}}),
    "tags that would skip every cell": lambda notebook: [
        cell["metadata"].update(tags=["nbval-skip", "uses-answers", "raises-exception"])
        for cell in notebook["cells"]
    ],
    "more points": _worth_more,
    "another kernel": _about(kernelspec={"name": "sh", "argv": ["rm", "-rf", "/"]}),
    "a language with a path": _about(language_info={"name": "../../bin/sh", "version": 3}),
    "widgets": _about(widgets={"application/vnd.jupyter.widget-state+json": {"state": [1] * 99}}),
    "settings of nonsense": lambda notebook: notebook.update(metadata=[7]),
    "a paper outside of the course": _about(cnnlab={"paper": "../../../etc/passwd"}),
    "a paper that is a list": _about(cnnlab={"paper": [["paper"]]}),
    "a minor version beyond counting": lambda notebook: notebook.update(nbformat_minor=10**30),
    "the format of ten years ago": _version_3,
    "sources in lines": _lines,
    "sources with half a character": _last(CELL | {"source": "\ud800"}),
    "numbers that are none": _about(score=float("nan"), best=float("inf")),
    "nested 300 deep": lambda notebook: notebook["metadata"].update(deep=json.loads(_nested(300))),
    "10,000 cells": _last(*([CELL | {"source": "x = 1"}] * 10_000)),
    "a cell of 10 MB": _last(CELL | {"source": "#" * 10_000_000}),
    "cells of nonsense": _first(
        *(3, None, {}, [], "cell", {"cell_type": ["code"]}),
        *({"cell_type": "code"}, CELL | {"metadata": 3}, CELL | {"source": 4}),
        CELL | {"metadata": {"cnnlab": 7, "nbgrader": [], "tags": 5}},
        CELL | {"metadata": {"cnnlab": {"role": "answer", "question": ["a"]}}},
        CELL | {"metadata": {"cnnlab": {"role": 3, "question": None}}},
    ),
    "a cell that ends all": _first(CELL | {"source": "import os\nos._exit(1)"}),
    "checks edited": lambda notebook: [
        cell.update(source="print('Right.')")
        for cell in notebook["cells"]
        if cell["metadata"].get("cnnlab", {}).get("role") == "check"
    ],
    "everything but the answers gone": lambda notebook: notebook.update(cells=_answers(notebook)),
    "everything turned around": lambda notebook: notebook["cells"].reverse(),
    "a second copy of each answer": _a_second_answer,
}
