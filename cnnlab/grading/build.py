"""From course/*.py to the notebooks that people open.

A source with questions becomes two notebooks: the solved one, executed, in solutions/, and
the learner's, answers stripped. A page (00_start_here, 02_convolution, …) goes to
notebooks/, executed; an assignment (a1_convolution, …) to assignments/, not executed.
"""

import copy
import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from traitlets.config import Config

from cnnlab.check import NEEDS
from cnnlab.check.questions import find
from cnnlab.check.record import MIME
from cnnlab.check.verdict import NOT_ATTEMPTED, RIGHT, judge, reference_record
from cnnlab.grading.paper import (
    ANSWERS,
    BEGIN,
    BEGIN_TEXT,
    ROOT_VARIABLE,
    PaperError,
    digest,
    mark,
    strip,
    tags,
)

WIDGET = "application/vnd.jupyter.widget-view+json"
PICTURES = {"image/png", "image/svg+xml"}
EMBEDDED = re.compile(r"data:image/(png|svg\+xml);base64,[A-Za-z0-9+/=]+")
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
CELL_SECONDS = 120


def build(root: Path, names: list[str] | None = None, *, say=print) -> list[Path]:
    """Build the named sources, or all, and write the notebooks; return those that changed.

    Raises
    ------
    PaperError
        If a source is not as it must be, a cell fails, a solution is not right, a blank is not
        blank, or a notebook to be replaced has been changed by hand.
    """
    with tempfile.TemporaryDirectory(prefix="cnnlab-build-") as folder:
        made = _make(root, names, Path(folder), say)
        changed = [path for path in made if _difference(Path(folder, path), root / path)]
        for path in changed:
            _refuse_to_lose_work(root / path)
        for path in changed:
            (root / path).parent.mkdir(exist_ok=True)
            shutil.copyfile(Path(folder, path), root / path)
    return changed


def stale(root: Path, names: list[str] | None = None, *, say=print) -> dict[Path, str]:
    """The notebooks that are not what their sources build, and what first differs in each.

    Volatile outputs are left aside. A notebook that no source builds is stale too.
    """
    with tempfile.TemporaryDirectory(prefix="cnnlab-build-") as folder:
        made = _make(root, names, Path(folder), say)
        found = {path: _difference(Path(folder, path), root / path) for path in made}
    if names is None:
        present = {
            path.relative_to(root)
            for kind in ("notebooks", "assignments", "solutions")
            for path in (root / kind).glob("*.ipynb")
        }
        found |= dict.fromkeys(sorted(present - set(made)), "no source builds it")
    return {path: difference for path, difference in found.items() if difference}


def _make(root: Path, names, folder: Path, say) -> list[Path]:
    """Build into an empty folder laid out like the course; return paths relative to it.

    What is not built lies there as it is: a page may look at the answers of others.
    """
    sources = sorted((root / "course").glob("*.py"))
    unknown = set(names or []) - {source.stem for source in sources}
    if unknown:
        known = ", ".join(source.stem for source in sources)
        raise PaperError(f"no source is called {sorted(unknown)[0]!r}; there are: {known}.")
    chosen = [source for source in sources if not names or source.stem in names]
    for kind in ("notebooks", "assignments", "solutions"):
        (folder / kind).mkdir()
        if names:
            for path in (root / kind).glob("*.ipynb"):
                if path.stem not in names:
                    shutil.copyfile(path, folder / kind / path.name)
    made = []
    for source in chosen:
        say(f"building {source.stem}")
        made += _make_one(source, folder)
    return made


def _make_one(source: Path, folder: Path) -> list[Path]:
    solved = read_source(source)
    kind = "assignments" if re.match(r"a\d", source.stem) else "notebooks"
    path, solution_path = (Path(place, f"{source.stem}.ipynb") for place in (kind, "solutions"))
    if not any(mark(cell).get("role") in ANSWERS for cell in solved.cells):
        _write(_execute(solved, folder / kind, folder), folder / path)
        return [path]
    blank = blank_of(solved)
    # Both lie there before either runs: a page may grade itself.
    _write(solved, folder / solution_path)
    _write(blank, folder / path)
    done = _execute(solved, folder / "solutions", folder)
    tried = _execute(blank, folder / kind, folder)
    _prove(done, RIGHT)
    _prove_shown(done)
    _prove(tried, NOT_ATTEMPTED)
    _write(done, folder / solution_path)
    if kind == "notebooks":
        _write(tried, folder / path)
    return [path, solution_path]


def read_source(source: Path) -> NotebookNode:
    """A percent-format source as a notebook with the course's metadata in place.

    Raises
    ------
    PaperError
        If markers, ids or points are not as they must be.
    """
    parsed = jupytext.read(source, fmt="py:percent")
    cells: list[NotebookNode] = []
    seen: dict[str, int] = {}
    for cell in parsed.cells:
        number = seen[cell.source] = seen.get(cell.source, 0) + 1
        given = {key: value for key, value in cell.metadata.items() if key != "lines_to_next_cell"}
        markdown = cell.cell_type == "markdown"
        new = nbformat.v4.new_markdown_cell if markdown else nbformat.v4.new_code_cell
        metadata = _metadata(source.stem, cell, given)
        identity = hashlib.sha256(f"{cell.source}{number}".encode()).hexdigest()[:12]
        if question := metadata.get("cnnlab"):
            identity = f"{question['question'].replace('.', '-')}-{question['role']}"
        cells.append(new(cell.source, id=identity, metadata=metadata))
    _check_questions(source.stem, cells)
    metadata = {
        "kernelspec": KERNEL,
        "language_info": {"name": "python", "file_extension": ".py"},
        "cnnlab": {"paper": source.stem},
    }
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def blank_of(solved: NotebookNode) -> NotebookNode:
    """The learner's version: answers stripped, outputs gone.

    Raises
    ------
    PaperError
        If a line of a solution stands anywhere else in the notebook.
    """
    blank, secret = copy.deepcopy(solved), set()
    for cell in blank.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        if mark(cell).get("role") in ANSWERS:
            stub = strip(cell.source)
            secret |= _telling_lines(cell.source) - _telling_lines(stub)
            cell.source = stub
    for cell in blank.cells:
        if leaks := _telling_lines(cell.source) & secret:
            raise PaperError(f"a line of a solution stands in the open: {sorted(leaks)[0]!r}.")
    return blank


def _telling_lines(source: str) -> set[str]:
    # Short lines (return out, else:) give nothing away and recur by chance.
    lines = (re.sub(r"\s+", " ", line.strip()) for line in source.splitlines())
    return {line for line in lines if len(line) >= 25 and "SOLUTION" not in line}


def _metadata(name: str, cell, given: dict) -> dict:
    """Cell metadata for this course, and the same in nbgrader's terms."""
    labels = list(given.pop("tags", []))
    if "when_written(" in cell.source:
        labels.append("uses-answers")
    metadata: dict[str, Any] = {"tags": labels} if labels else {}
    if "question" in given:
        question = given.pop("question")
        missing = {"points", "minutes", "difficulty"} - set(given)
        if missing:
            raise PaperError(f"{name}: question {question} does not say its {sorted(missing)[0]}.")
        metadata |= {
            "cnnlab": {"question": question, "role": "answer"}
            | {key: given.pop(key) for key in ("points", "minutes", "difficulty")},
            "nbgrader": _nbgrader(question, solution=True),
            "deletable": False,
        }
    elif "manual" in given:
        question = given.pop("manual")
        if cell.cell_type != "markdown":
            raise PaperError(f"{name}: {question} is answered in words, in a Markdown cell.")
        if missing := {"points", "minutes"} - set(given):
            raise PaperError(f"{name}: question {question} does not say its {sorted(missing)[0]}.")
        worth = {key: given.pop(key) for key in ("points", "minutes")}
        metadata |= {
            "cnnlab": {"question": question, "role": "manual"} | worth,
            "nbgrader": _nbgrader(question, solution=True)
            | {"grade": True, "points": worth["points"]},
            "deletable": False,
        }
    elif "check" in given:
        question = given.pop("check")
        metadata |= {
            "cnnlab": {"question": question, "role": "check"},
            "nbgrader": _nbgrader(question, solution=False),
            "deletable": False,
            "editable": False,
        }
    if given:
        raise PaperError(f"{name}: no cell option is called {sorted(given)[0]!r}.")
    return metadata


def _nbgrader(question: str, *, solution: bool) -> dict:
    identity = question.replace(".", "-")
    return {
        "schema_version": 3,
        "grade_id": identity if solution else f"{identity}-check",
        "solution": solution,
        "grade": not solution,
        "locked": not solution,
        "task": False,
    }


def _check_questions(name: str, cells) -> None:
    """Each question has one answer cell and, after it, one check cell; solutions stand inside.

    What is answered in words has no check.
    """
    places: dict[str, dict[str, int]] = {role: {} for role in ("answer", "manual", "check")}
    for number, cell in enumerate(cells):
        role, question = mark(cell).get("role"), mark(cell).get("question", "")
        if role is None and (BEGIN in cell.source or BEGIN_TEXT in cell.source):
            raise PaperError(f"{name}: a solution stands in a cell that is no answer cell.")
        if role is not None:
            if question in places[role]:
                raise PaperError(f"{name}: question {question} has two {role} cells.")
            places[role][question] = number
        if role in ANSWERS and strip(cell.source) == cell.source.rstrip():
            begin = BEGIN if role == "answer" else BEGIN_TEXT
            raise PaperError(f"{name}: the answer to {question} has no '{begin}'.")
    answers, checks = places["answer"], places["check"]
    for question in answers.keys() ^ checks.keys():
        missing = "answer" if question in checks else "check"
        raise PaperError(f"{name}: question {question} has no {missing} cell.")
    for question, number in places["manual"].items():
        if question in answers:
            raise PaperError(f"{name}: {question} is to be answered in words and in code.")
        _expect_points(name, question, mark(cells[number])["points"], 1)
    for question, number in answers.items():
        if checks[question] < number:
            raise PaperError(f"{name}: the check of {question} stands before its answer.")
        points = mark(cells[number])["points"]
        _expect_points(name, question, points, 0)
        cells[checks[question]].metadata["nbgrader"]["points"] = points


def _expect_points(name: str, question: str, points, least: int) -> None:
    if not isinstance(points, int) or points < least:
        raise PaperError(f"{name}: {question} must have whole points, got {points!r}.")


def _execute(notebook: NotebookNode, cwd: Path, root: Path) -> NotebookNode:
    """Run a notebook as if it stood in this folder, and keep of its outputs what is stable."""
    done = copy.deepcopy(notebook)
    client = NotebookClient(
        done,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(cwd)}},
        config=Config(KernelManager={"transport_encryption": "auto"}),
        coalesce_streams=True,  # else their pieces depend on timing
        store_widget_state=False,
        record_timing=False,
    )
    try:
        client.execute(env=os.environ | {ROOT_VARIABLE: str(root)})
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise PaperError(f"{notebook.metadata.cnnlab.paper}: {error}") from None
    for cell in done.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            # Without a kernel a live widget is an error message: keep its static picture.
            output.get("data", {}).pop(WIDGET, None)
            for held in (output, output.get("data", {})):
                for kind, text in held.items():
                    if isinstance(text, str):
                        # Where it was built says nothing to whoever reads it.
                        held[kind] = text.replace(f"{root.resolve()}{os.sep}", "")
    done.metadata.pop("widgets", None)
    done.metadata["language_info"] = notebook.metadata["language_info"]
    return done


def _write(notebook: NotebookNode, path: Path) -> None:
    notebook.metadata.cnnlab.digest = digest(notebook)
    nbformat.validate(notebook)
    nbformat.write(notebook, path)


def _prove_shown(solved: NotebookNode) -> None:
    """No cell that shows what answers do may stop: beside right answers it is the page's fault."""
    for cell in solved.cells:
        for output in cell.get("outputs", []):
            if NEEDS in output.get("text", ""):
                raise PaperError(f"{solved.metadata.cnnlab.paper}: {output['text'].rstrip()}")


def _prove(notebook: NotebookNode, status: str) -> None:
    """Every check of an executed notebook must come to this verdict, by the library's own count."""
    for cell in notebook.cells:
        if mark(cell).get("role") == "check":
            question = find(mark(cell)["question"])
            records = [o.data[MIME] for o in cell.outputs if MIME in o.get("data", {})]
            name = notebook.metadata.cnnlab.paper
            if len(records) != 1:
                raise PaperError(f"{name}: the check of {question.id} left {len(records)} records.")
            verdict = judge(question, records[0], reference_record(question, 0), 0)
            if verdict.status != status:
                raise PaperError(f"{name}: {question.id} must be {status}, but: {verdict}")


def _difference(new: Path, old: Path) -> str:
    """What first differs between two notebooks, or nothing."""
    if not old.exists():
        return "it is not there"
    try:
        a, b = _stable(new), _stable(old)
    except nbformat.reader.NotJSONError:
        return "it is not a notebook"
    for mine, theirs in zip(a.cells, b.cells, strict=False):
        if mine != theirs:
            parts = [key for key in mine if mine[key] != theirs.get(key)]
            return f"cell {mine.id} ({mine.source.strip()[:40]!r}): {', '.join(parts)}"
    return "" if a == b else "the number of cells, or the metadata"


def _stable(path: Path) -> NotebookNode:
    """A notebook without what may change from run to run: pictures, and outputs marked so."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if {"nbval-ignore-output", "nbval-skip"} & tags(cell):
            cell.outputs = []
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            for kind in PICTURES & set(data):
                data[kind] = ""
            if "text/html" in data:
                data["text/html"] = EMBEDDED.sub("", data["text/html"])
    return notebook


def _refuse_to_lose_work(path: Path) -> None:
    """A notebook that is not as it was built holds somebody's answers or notes."""
    if not path.exists():
        return
    try:
        notebook = nbformat.read(path, as_version=4)
        as_built = notebook.metadata.get("cnnlab", {}).get("digest")
    except nbformat.reader.NotJSONError:
        notebook = as_built = None
    if notebook is None or as_built != digest(notebook):
        raise PaperError(
            f"{path} has been changed by hand and may hold work of yours. Move it away first; "
            "nothing was written."
        )
