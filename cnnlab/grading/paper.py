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
ROOT_VARIABLE = "CNNLAB_COURSE"
NOT_GRADED = {"nbval-skip", "uses-answers"}  # cells that the grader has no need to run


class PaperError(ValueError):
    """A notebook of the course is not as it must be."""


class UnreadableError(ValueError):
    """A submission cannot be read as a notebook."""


@dataclass(frozen=True)
class Item:
    """A question as the grader sees it: its id and what it is worth."""

    id: str
    points: int


@dataclass(frozen=True)
class Paper:
    """The solved notebook of one page or assignment; the grader's pristine copy."""

    name: str
    notebook: NotebookNode

    @property
    def items(self) -> list[Item]:
        """The questions in the order of the page."""
        marks = (mark(cell) for cell in self.notebook.cells)
        return [Item(m["question"], m["points"]) for m in marks if m.get("role") == "answer"]

    @property
    def out_of(self) -> int:
        return sum(item.points for item in self.items)

    def stub(self, question: str) -> str:
        """What the learner finds in the answer cell before writing anything."""
        return strip(self._answer(question).source)

    def graft(self, submission: NotebookNode) -> tuple[NotebookNode, set[str]]:
        """The pristine notebook with the learner's answers in it, and the questions attempted.

        Answers are found by the question their cell is marked with; of several the first
        counts. Everything else in the submission is left behind. Where no answer is found,
        the question keeps its empty stub.
        """
        answers: dict[str, str] = {}
        for cell in submission.cells:
            question = mark(cell).get("question")
            if cell.get("cell_type") == "code" and mark(cell).get("role") == "answer":
                answers.setdefault(str(question), str(cell.get("source", "")))
        grafted, attempted = copy.deepcopy(self.notebook), set()
        for cell in grafted.cells:
            if mark(cell).get("role") == "answer":
                question = mark(cell)["question"]
                stub = strip(cell.source)
                cell.source = answers.get(question, stub)
                if cell.source.split() not in (stub.split(), []):
                    attempted.add(question)
        return grafted, attempted

    def _answer(self, question: str) -> NotebookNode:
        for cell in self.notebook.cells:
            if mark(cell).get("role") == "answer" and mark(cell)["question"] == question:
                return cell
        raise PaperError(f"{self.name} has no question {question!r}.")


def mark(cell) -> dict:
    """What a cell is in the course: its metadata under "cnnlab", or nothing."""
    found = cell.get("metadata", {}).get("cnnlab", {})
    return found if isinstance(found, dict) else {}


def tags(cell) -> set[str]:
    found = cell.get("metadata", {}).get("tags", [])
    return {tag for tag in found if isinstance(tag, str)} if isinstance(found, list) else set()


def strip(source: str) -> str:
    """The source with every solution replaced by a NotImplementedError that says what to write.

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
        if line.strip() == BEGIN:
            if inside:
                raise PaperError(f"{BEGIN} twice in a row.")
            indent = line[: len(line) - len(line.lstrip())]
            message = f'"Write {name} here, then run this cell."'
            kept.append(f"{indent}raise NotImplementedError({message})")
            inside = True
        elif line.strip() == END:
            if not inside:
                raise PaperError(f"{END} without {BEGIN}.")
            inside = False
        elif not inside:
            kept.append(line)
    if inside:
        raise PaperError(f"{BEGIN} without {END}.")
    return "\n".join(kept)


def digest(source: str) -> str:
    """A short fingerprint of a source, blind to white space."""
    return hashlib.sha256(" ".join(source.split()).encode()).hexdigest()[:16]


def course_root() -> Path:
    """The folder that holds the course: CNNLAB_COURSE if set, else where the package lives.

    Raises
    ------
    PaperError
        If there is no course in it.
    """
    default = Path(__file__).resolve().parents[2]
    root = Path(os.environ.get(ROOT_VARIABLE, default))
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

    Raises
    ------
    UnreadableError
        If it is not a notebook; the message says what is wrong with the file.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{path.name} is not UTF-8 text (byte {error.start}).") from None
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror}.") from None
    if not text.strip():
        raise UnreadableError(f"{path.name} is empty.")
    try:
        raw = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise UnreadableError(f"{path.name} is not a notebook: broken JSON ({error}).") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("nbformat"), int):
        raise UnreadableError(f"{path.name} is JSON, but not a notebook: it has no nbformat.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # missing or doubled cell ids do no harm here
            notebook = nbformat.reads(text, as_version=4)
        notebook.cells = [cell for cell in notebook.cells if _is_cell(cell)]
    except Exception as error:  # any shape of nonsense may be in there
        reason = f"{type(error).__name__}: {error}"[:200]
        raise UnreadableError(f"{path.name} is not a valid notebook ({reason}).") from None
    return notebook


def _is_cell(cell) -> bool:
    return (
        isinstance(cell, dict)
        and isinstance(cell.get("metadata", {}), dict)
        and isinstance(cell.get("source", ""), str)
    )


def name_of(submission: NotebookNode, path: Path, root: Path) -> str:
    """Which paper a submission answers: by its metadata, its questions, or else its file name."""
    found = submission.get("metadata", {}).get("cnnlab", {})
    names = paper_names(root)
    if isinstance(found, dict) and found.get("paper") in names:
        return found["paper"]
    questions = {mark(cell).get("question") for cell in submission.cells} - {None}
    for name in names:
        if questions & {item.id for item in load_paper(name, root).items}:
            return name
    if path.stem in names:
        return path.stem
    raise PaperError(
        f"{path.name} does not say which assignment it answers, and its name is none of: "
        f"{', '.join(names)}."
    )
