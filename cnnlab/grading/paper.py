"""A paper: a notebook with questions, its reference solution, and the way a learner's answers
are put into it."""

import copy
import hashlib
import json
import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

BEGIN, END = "# BEGIN SOLUTION", "# END SOLUTION"
BEGIN_TEXT, END_TEXT = "<!-- BEGIN SOLUTION -->", "<!-- END SOLUTION -->"  # in Markdown
WRITE_HERE = "Write here."
ANSWERS = ("answer", "manual")  # the roles of cells that a learner fills in
ROOT_VARIABLE = "CNNLAB_COURSE"
NBFORMAT = 4
LARGEST = 25_000_000  # bytes of a submission
SKIPPED_TAGS = {"nbval-skip", "uses-answers"}  # cells that the grader has no need to run


class PaperError(ValueError):
    """A notebook of the course is not as it must be."""


class UnreadableError(ValueError):
    """A submission cannot be read as a notebook."""


@dataclass(frozen=True)
class Item:
    """A question as the grader sees it: its id and what it is worth.

    An optional one is worth nothing, a manual one is answered in words and read by a person.
    """

    id: str
    points: int
    manual: bool = False


@dataclass(frozen=True)
class Paper:
    """The solved notebook of one page or assignment; the grader's pristine copy."""

    name: str
    notebook: NotebookNode

    @property
    def items(self) -> list[Item]:
        """The questions in the order of the page."""
        marks = (mark(cell) for cell in self.notebook.cells)
        return [
            Item(m["question"], m["points"], m["role"] == "manual")
            for m in marks
            if m.get("role") in ANSWERS
        ]

    def graft(self, submission: NotebookNode) -> tuple[NotebookNode, dict[str, str]]:
        """The pristine notebook with the learner's answers in it, and what was found.

        Everything else in the submission is left behind. Where no answer is found, the
        question keeps its empty stub. What was written in words stays Markdown, whatever it says.

        Returns
        -------
        notebook : the graft.
        found : question → "written", "stub" (nothing written yet) or "missing" (no such cell).

        Raises
        ------
        UnreadableError
            If the submission holds no answer cell at all.
        """
        grafted, found = copy.deepcopy(self.notebook), {}
        for cell in grafted.cells:
            if mark(cell).get("role") in ANSWERS:
                question, stub = mark(cell)["question"], strip(cell.source)
                copies = _copies(submission, cell, stub)
                written = [text for text in copies if text.split() not in (stub.split(), [])]
                found[question] = "written" if written else "stub" if copies else "missing"
                cell.source = _joined(written, stub) if written else stub
        if set(found.values()) == {"missing"}:
            raise UnreadableError(f"there is no answer cell of {self.name} in it.")
        return grafted, found


def _copies(submission: NotebookNode, pristine: NotebookNode, stub: str) -> list[str]:
    """Sources of the cells that answer a question, in the order of the page.

    Known by our mark; where a tool has dropped that, by nbgrader's, by the cell's id, or by
    the function that it defines.
    """
    question, role = mark(pristine)["question"], mark(pristine)["role"]
    grade_id = pristine.metadata["nbgrader"]["grade_id"]
    heads = [f"def {name}(" for name in _functions(stub)]
    ways = (
        lambda cell: mark(cell) == mark(cell) | {"role": role, "question": question},
        lambda cell: _nbgrader_id(cell) == grade_id,
        lambda cell: cell.get("id") == pristine.id,
        lambda cell: any(cell.source.startswith(head) for head in heads),
    )
    kind = pristine.cell_type
    cells = [cell for cell in submission.cells if cell.get("cell_type") == kind]
    for is_answer in ways:
        if copies := [cell.source for cell in cells if is_answer(cell)]:
            return copies
    return []


def _joined(written: list[str], stub: str) -> str:
    """An answer that was split over cells is put together; of two answers the first counts."""
    heads = [f"def {name}(" for name in _functions(stub)]
    for number, text in enumerate(written):
        if any(head in text for head in heads):
            return "\n\n".join(written[: number + 1])
    return "\n\n".join(written)


def _functions(stub: str) -> list[str]:
    return re.findall(r"^def (\w+)", stub, re.MULTILINE)


def _nbgrader_id(cell):
    found = cell.get("metadata", {}).get("nbgrader", {})
    return found.get("grade_id") if isinstance(found, dict) else None


def mark(cell) -> dict:
    """What a cell is in the course: its metadata under "cnnlab", or nothing."""
    found = cell.get("metadata", {}).get("cnnlab", {})
    return found if isinstance(found, dict) else {}


def tags(cell) -> set[str]:
    found = cell.get("metadata", {}).get("tags", [])
    return {tag for tag in found if isinstance(tag, str)} if isinstance(found, list) else set()


def strip(source: str) -> str:
    """The source with every solution replaced by a NotImplementedError that says what to write,
    and in Markdown by words that do.

    Raises
    ------
    PaperError
        If a solution begins or ends without its counterpart.

    Examples
    --------
    >>> print(strip("def f(x):\\n    # BEGIN SOLUTION\\n    return x\\n    # END SOLUTION"))
    def f(x):
        raise NotImplementedError("Write f here, then run this cell.")
    """
    kept, inside, name = [], False, "your answer"
    for line in source.splitlines():
        if found := re.match(r"\s*def (\w+)", line):
            name = name if inside else found[1]
        if line.strip() in (BEGIN, BEGIN_TEXT):
            if inside:
                raise PaperError(f"{BEGIN} twice in a row.")
            indent = line[: len(line) - len(line.lstrip())]
            message = f'"Write {name} here, then run this cell."'
            in_words = line.strip() == BEGIN_TEXT
            kept.append(WRITE_HERE if in_words else f"{indent}raise NotImplementedError({message})")
            inside = True
        elif line.strip() in (END, END_TEXT):
            if not inside:
                raise PaperError(f"{END} without {BEGIN}.")
            inside = False
        elif not inside:
            kept.append(line)
    if inside:
        raise PaperError(f"{BEGIN} without {END}.")
    return "\n".join(kept)


def own_words(text: str, pristine: str) -> str:
    """What a learner wrote into a cell, without the question that stands in it.

    Examples
    --------
    >>> question = "Why?\\n\\n<!-- BEGIN SOLUTION -->\\nSo.\\n<!-- END SOLUTION -->"
    >>> own_words("Why?\\n\\nBecause.", question)
    'Because.'
    """
    asked = {line.strip() for line in strip(pristine).splitlines()} - {""} | {BEGIN_TEXT, END_TEXT}
    return "\n".join(line for line in text.splitlines() if line.strip() not in asked).strip()


def digest(notebook: NotebookNode) -> str:
    """A short fingerprint of all that is written in a notebook, blind to outputs and spaces."""
    words = "\0".join(" ".join([cell.cell_type, *cell.source.split()]) for cell in notebook.cells)
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def course_root() -> Path:
    """The folder that holds the course: CNNLAB_COURSE if set, else where the package lives.

    Raises
    ------
    PaperError
        If there is no course in it.
    """
    root = Path(os.environ.get(ROOT_VARIABLE) or Path(__file__).parents[2]).resolve()
    if not (root / "solutions").is_dir():
        raise PaperError(
            f"no course found in {root}: expected a folder 'solutions' in it. Set {ROOT_VARIABLE} "
            "to the folder that holds notebooks/, assignments/ and solutions/."
        )
    return root


def paper_names(root: Path) -> list[str]:
    """Names of all notebooks that can be graded, such as "a1_convolution"."""
    return sorted(path.stem for path in (root / "solutions").glob("*.ipynb"))


def load_paper(name: str, root: Path) -> Paper:
    """Read the pristine notebook of this name.

    Raises
    ------
    PaperError
        If there is none; the message lists those there are.
    """
    if name not in paper_names(root):
        known = ", ".join(paper_names(root)) or "none; run 'cnnlab build'"
        raise PaperError(f"nothing to grade is called {name!r}; there are: {known}.")
    return Paper(name, nbformat.read(root / "solutions" / f"{name}.ipynb", as_version=4))


def read_submission(path: Path) -> NotebookNode:
    """Read what a learner handed in, whatever it is.

    Of the file only the text of its cells is taken, and what says which cell answers what. Outputs,
    pictures and settings are left behind.

    Raises
    ------
    UnreadableError
        If it is not a notebook; the message says what is wrong with the file.
    """
    raw = _read_json(path)
    version = raw.get("nbformat") if isinstance(raw, dict) else None
    if type(version) is not int:
        raise UnreadableError(f"{path.name} is JSON, but not a notebook: it has no nbformat.")
    if version > NBFORMAT:
        raise UnreadableError(
            f"{path.name} is not a valid notebook: it is of nbformat {str(version)[:20]}, "
            f"{NBFORMAT} is the newest that is known here."
        )
    try:
        if version < NBFORMAT:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # cells without ids do no harm here
                raw = nbformat.reads(json.dumps(raw), as_version=NBFORMAT)
        cells = [_bare(cell) for cell in raw["cells"] if _is_cell(cell)]
    except Exception as error:  # any shape of nonsense may be in there
        reason = f"{type(error).__name__}: {error}"[:200]
        raise UnreadableError(f"{path.name} is not a valid notebook ({reason}).") from None
    paper = _part(_part(raw, "metadata"), "cnnlab").get("paper")
    metadata = {"cnnlab": {"paper": _text(paper)}}
    return nbformat.from_dict(
        {"nbformat": NBFORMAT, "nbformat_minor": 5, "metadata": metadata, "cells": cells}
    )


def _read_json(path: Path):
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise UnreadableError(f"{path} is no file.")
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise UnreadableError(
                f"{path.name} is larger than {LARGEST // 10**6} MB. Clear its outputs and save it."
            )
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{path.name} is not UTF-8 text (byte {error.start}).") from None
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror}.") from None
    if not text.strip():
        raise UnreadableError(f"{path.name} is empty.")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also a number of too many digits
        raise UnreadableError(f"{path.name} is not a notebook: broken JSON ({error}).") from None


def _is_cell(cell) -> bool:
    return isinstance(cell, dict) and cell.get("cell_type") in ("code", "markdown")


def _bare(cell: dict) -> dict:
    """The text of a cell, and what says which question it answers."""
    code = cell["cell_type"] == "code"
    metadata = _part(cell, "metadata")
    marks = {
        "cnnlab": {key: _text(_part(metadata, "cnnlab").get(key)) for key in ("role", "question")},
        "nbgrader": {"grade_id": _text(_part(metadata, "nbgrader").get("grade_id"))},
    }
    source = cell.get("source")
    bare = {
        "cell_type": cell["cell_type"],
        "id": _text(cell.get("id")),
        "source": "".join(map(_text, source if isinstance(source, list) else [source])),
        "metadata": marks,
    }
    return bare | ({"outputs": [], "execution_count": None} if code else {})


def _part(held: dict, key: str) -> dict:
    part = held.get(key)
    return part if isinstance(part, dict) else {}


def _text(value) -> str:
    """What is text, without half characters, which could not be written again."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def name_of(submission: NotebookNode, path: Path, root: Path) -> str:
    """Which paper a submission answers: by its metadata, its questions, or else its file name."""
    found = submission.get("metadata", {}).get("cnnlab", {})
    names = paper_names(root)
    if isinstance(found, dict) and found.get("paper") in names:
        return found["paper"]
    questions = {str(mark(cell).get("question")) for cell in submission.cells}
    for name in names:
        if questions & {item.id for item in load_paper(name, root).items}:
            return name
    if path.stem in names:
        return path.stem
    raise UnreadableError(
        f"{path.name} does not say which assignment it answers, and its name is none of: "
        f"{', '.join(names)}."
    )
