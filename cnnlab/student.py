"""A learner's own answers, taken out of their notebooks and put to use in networks.

answers = load_answers()
answers                                    # which operations are yours, and why others are not
alexnet(…, ops=answers.ops)                # a network on your own code
answers["a1.conv_forward"]                 # one function of yours
"""

import ast
import contextlib
import io
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cnnlab import fast, ops
from cnnlab.check.clock import TooSlow, time_limit
from cnnlab.check.questions import QUESTIONS, find
from cnnlab.check.verdict import RIGHT, judge, make_record, reference_record
from cnnlab.grading.paper import (
    SKIPPED_TAGS,
    Paper,
    UnreadableError,
    course_root,
    load_paper,
    mark,
    name_of,
    paper_names,
    read_submission,
    tags,
)
from cnnlab.ops import Op, Ops
from cnnlab.shapes import pair
from cnnlab.table import Table

SECONDS = 5.0  # that an answer's cell may take to define what it defines


@dataclass(frozen=True)
class Seam:
    """Where answers take the place of an operation of the library.

    The forward answer has the library's signature. The backward answer gets a cache whose content
    its question states: `cache` makes it of the arguments of the forward pass. Where it also takes
    what the forward pass has `drawn` by chance, which nobody can work out again, the two answers
    are used together or not at all. Where an answer is asked for in another form, `as_forward` and
    `as_backward` make a function of the library's form of it; what they get returns its parts by
    name.
    """

    op: str
    forward: str
    backward: str
    cache: Callable[..., Any] = lambda *args: args
    as_forward: Callable[[Callable], Callable] = lambda answer: answer
    as_backward: Callable[[Callable], Callable] = lambda answer: answer
    drawn: str = ""


def _window_and_stride(kernel_size, stride=None):
    """A window of two numbers, and a stride that is always given."""
    return pair(kernel_size), kernel_size if stride is None else stride


def _pool_forward(answer):
    """With a window of two numbers and a stride; in the library both may be left to it."""

    def forward(x, **options):
        kernel_size, stride = _window_and_stride(**options)
        return answer(x, kernel_size=kernel_size, stride=stride)

    return forward


def _norm_forward(answer):
    """Of (N, C) alone, with running statistics that it moves: in the library the layer does."""

    def forward(x, gamma, beta, *, mean=None, var=None, eps=1e-5):
        training = mean is None
        held = (np.zeros_like(gamma), np.ones_like(gamma)) if training else (mean, var)
        rows = x.reshape(-1, x.shape[-1])
        parts = answer(rows, gamma, beta, *held, momentum=0.9, eps=eps, training=training)
        return parts["out"].reshape(x.shape)

    return forward


def _norm_backward(answer):
    """Of (N, C) alone, in training; with given statistics, which are constants, ours."""

    def backward(dout, cache):
        normalized, scale, gamma, of_batch = cache
        if not of_batch:
            return dict(
                zip(("dx", "dgamma", "dbeta"), ops.batch_norm_backward(dout, cache), strict=True)
            )
        rows, normalized = (array.reshape(-1, len(gamma)) for array in (dout, normalized))
        parts = answer(rows, (normalized, 1 / scale, gamma))
        return parts | {"dx": parts["dx"].reshape(dout.shape)}

    return backward


SEAMS = (
    Seam(
        "conv",
        forward="a1.conv_forward",
        backward="a4.conv_backward",
        cache=lambda x, w, b, *, stride=1, pad=0: (x, w, b, stride, pad),
    ),
    Seam("affine", forward="a3.affine_forward", backward="a3.affine_backward"),
    Seam("relu", forward="a3.relu_forward", backward="a3.relu_backward", cache=lambda x: x),
    Seam(
        "softmax_loss",
        forward="a3.softmax_loss",
        backward="a3.softmax_loss",
        as_forward=lambda answer: lambda *args: answer(*args)["loss"],
        as_backward=lambda answer: lambda dout, args: dout * answer(*args)["dscores"],
    ),
    Seam(
        "lrn",
        forward="a6.lrn_forward",
        backward="a6.lrn_backward",
        cache=lambda x, *, n=5, k=2.0, alpha=1e-4, beta=0.75: (x, n, k, alpha, beta),
    ),
    Seam(
        "dropout",
        forward="a6.dropout_forward",
        backward="a6.dropout_backward",
        # At test time everything is kept, and nothing enlarged.
        cache=lambda x, *, mask, rate=0.5, training=True, **_: (
            (mask, rate) if training else (np.ones(x.shape, bool), 0.0)
        ),
        drawn="mask",
    ),
    Seam(
        "sigmoid",
        forward="a5.sigmoid_forward",
        backward="a5.sigmoid_backward",
        cache=lambda x: ops.sigmoid_forward(x)[0],
    ),
    Seam(
        "leaky_relu",
        forward="a5.leaky_relu_forward",
        backward="a5.leaky_relu_backward",
        cache=lambda x, *, slope=0.01: (x, slope),
    ),
    Seam(
        "batch_norm",
        forward="a5.batch_norm_forward",
        backward="a5.batch_norm_backward",
        cache=lambda *args, **options: ops.batch_norm_forward(*args, **options)[1],
        as_forward=_norm_forward,
        as_backward=_norm_backward,
    ),
    *(
        Seam(
            op,
            forward=f"a2.{op}_forward",
            backward=f"a4.{op}_backward",
            cache=lambda x, **options: (x, *_window_and_stride(**options)),
            as_forward=_pool_forward,
        )
        for op in ("max_pool", "avg_pool")
    ),
)


@dataclass(frozen=True)
class Answer:
    """A question's answer as it was found: a function if it is right, else the reason."""

    function: Callable | None = None
    why: str = ""


class Answers(Table):
    """What a learner has written so far; shows itself as a table of operations."""

    sides = "<<<"

    def __init__(self, found: dict[str, Answer]):
        self._found = found

    def __getitem__(self, question_id: str) -> Callable:
        """The learner's function.

        Raises
        ------
        ValueError
            If there is no such question, or its answer is not right.
        """
        answer = self._answer(find(question_id).id)
        if answer.function is None:
            raise ValueError(f"the answer to {question_id} cannot be used: {answer.why}.")
        return answer.function

    @property
    def ops(self) -> Ops:
        """`fast.ops`, with the learner's functions wherever they are right."""
        own: dict[str, Any] = {}
        for seam in SEAMS:
            forward, backward = self._answers_at(seam)
            if forward.function or backward.function:
                own[seam.op] = _op(seam, forward.function, backward.function)
        return replace(fast.ops, **own)

    def table(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = [("operation", "forward", "backward")]
        for seam in SEAMS:
            answers = self._answers_at(seam)
            rows.append((seam.op, *("yours" if a.function else f"ours ({a.why})" for a in answers)))
        return rows

    __repr__ = Table.__str__

    def _answers_at(self, seam: Seam) -> list[Answer]:
        answers = [self._answer(question) for question in (seam.forward, seam.backward)]
        if seam.drawn and not all(answer.function for answer in answers):
            return [Answer(why=answer.why or "right, but the other is ours") for answer in answers]
        return answers

    def _answer(self, question_id: str) -> Answer:
        missing = "no notebook" if question_id in QUESTIONS else "not asked yet"
        return self._found.get(question_id, Answer(why=missing))


def load_answers(folder: str | os.PathLike | None = None) -> Answers:
    """Take the answers out of a learner's notebooks, and check each.

    Only the answer cells are run, with what the assignment itself imports and defines. What is not
    right, cannot be read or does not come to an end costs nothing but itself.

    Parameters
    ----------
    folder : where the notebooks are, by default the course's assignments/.

    Raises
    ------
    ValueError
        If there is no such folder.
    PaperError
        If there is no course.
    """
    root = course_root()
    folder = root / "assignments" if folder is None else Path(folder)
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder} to take answers from.")
    found: dict[str, Answer] = {}
    names = paper_names(root)
    # A copy under another name counts where the notebook itself has nothing right to offer.
    for path in sorted(folder.glob("*.ipynb"), key=lambda path: (path.stem not in names, path)):
        for question, answer in _answers_of(path, root):
            if question not in found or (answer.function and not found[question].function):
                found[question] = answer
    return Answers(found)


def _answers_of(path: Path, root: Path) -> Iterator[tuple[str, Answer]]:
    try:
        submission = read_submission(path)
        paper = load_paper(name_of(submission, path, root), root)
        notebook, _ = paper.graft(submission)
    except UnreadableError as error:
        if path.stem in paper_names(root):
            why = str(error).rstrip(".")
            yield from ((q.id, Answer(why=why)) for q in load_paper(path.stem, root).items)
        return
    space = _given_by(paper)
    broken: dict[str, str] = {}
    for cell in notebook.cells:
        role, question = mark(cell).get("role"), mark(cell).get("question", "")
        if role == "answer" and (why := _run(cell.source, space)):
            broken[question] = why
        if role == "check":
            handed_over = _handed_over(cell.source)
            try:
                function = eval(handed_over, space)
            except Exception:  # a name, or a part of what it names, that is not there
                function = None
            if function is None and question in broken:
                yield question, Answer(why=f"{broken[question]}; there is no {handed_over}")
            else:
                yield question, _judged(question, function)


def _given_by(paper: Paper) -> dict[str, Any]:
    """What the assignment itself imports, defines and names; the rest of its cells is not run."""
    space: dict[str, Any] = {"__name__": "__main__"}
    for cell in paper.notebook.cells:
        if cell.cell_type == "code" and not mark(cell) and not tags(cell) & SKIPPED_TAGS:
            tree = ast.parse(_plain(cell.source))
            for statement in filter(_only_names, tree.body):
                # What is not installed is missed by those answers only that use it.
                with contextlib.suppress(ImportError):
                    alone = ast.Module([statement], type_ignores=[])
                    exec(compile(alone, f"<{paper.name}>", "exec"), space)
    return space


def _only_names(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        return isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef)


def _run(source: str, space: dict) -> str:
    """Run an answer's cell; why it did not run through, or nothing."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), time_limit(SECONDS):
            exec(compile(_plain(source), "<answer>", "exec"), space)
    except TooSlow:
        return f"its cell does not come to an end in {SECONDS:g} seconds"
    except (Exception, SystemExit) as error:
        return f"its cell stops with {type(error).__name__}"
    return ""


def _plain(source: str) -> str:
    """Python without the magic lines that only a notebook understands."""
    from IPython.core.inputtransformer2 import TransformerManager

    code = TransformerManager().transform_cell(re.sub(r"\A\s*%%.*\n", "", source))
    return re.sub(r"^(\s*).*\bget_ipython\(\).*$", r"\1pass", code, flags=re.MULTILINE)


def _handed_over(source: str) -> str:
    """What a check cell hands to the checker: the name of a function, or whatever makes one."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return next(ast.unparse(call.args[1]) for call in calls if len(call.args) == 2)


def _judged(question_id: str, function) -> Answer:
    question = find(question_id)
    if question.least:
        return Answer(why="not tried here, for it has to learn first")
    with contextlib.redirect_stdout(io.StringIO()):
        record = make_record(question, function, 0)
    verdict = judge(question, record, reference_record(question, 0), 0)
    if verdict.status == RIGHT:
        return Answer(function)
    if verdict.mistake:
        return Answer(why=f"{verdict.status}: {verdict.title.rstrip('.')}")
    return Answer(why=verdict.status)


def _op(seam: Seam, forward: Callable | None, backward: Callable | None) -> Op:
    """The operation with the learner's forward, backward, or both.

    Its cache holds what went in. A backward pass of ours behind a forward pass of the learner's
    first works out again what it needs.
    """
    ours: Op = getattr(fast.ops, seam.op)

    def run_forward(*args, **options):
        if forward is None:
            return ours.forward(*args, **options)[0], (args, options)
        parts, plain = _for_learners(args, options)
        run = seam.as_forward(_viewed(seam.forward, forward))
        outs = [run(*part, **plain) for part in parts]
        if seam.drawn:  # no operation that draws knows groups
            (found,) = outs
            outs, options = [found["out"]], options | {seam.drawn: found[seam.drawn]}
        return _joined(outs, args[0].dtype), (args, options)

    def run_backward(dout, cache):
        args, options = cache
        if backward is None:
            return ours.backward(dout, ours.forward(*args, **options)[1])
        parts, plain = _for_learners(args, options)
        run = seam.as_backward(_viewed(seam.backward, backward))
        douts = [dout] if len(parts) == 1 else np.split(dout, len(parts), axis=-1)
        found = [
            run(upstream, seam.cache(*part, **plain))
            for upstream, part in zip(douts, parts, strict=True)
        ]
        if not isinstance(found[0], dict):
            return _joined(found, args[0].dtype)
        return tuple(_joined([f[name] for f in found], args[0].dtype) for name in found[0])

    return Op(run_forward, run_backward)


def _viewed(question_id: str, answer: Callable) -> Callable:
    """The answer, returning what its question names."""
    view = find(question_id).view
    return lambda *args, **options: view(answer(*args, **options))


def _for_learners(args: tuple, options: dict) -> tuple[list[tuple], dict]:
    """The arguments of each group, as a course that knows no groups has them, and the options.

    In images and filters alike the last axis is divided. Of two equal strides one is left.
    """
    plain = {
        name: value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value
        for name, value in options.items()
        if name != "groups"
    }
    groups = options.get("groups", 1)
    if groups == 1:
        return [args], plain
    split = (np.split(array, groups, axis=-1) for array in args)
    return list(zip(*split, strict=True)), plain


def _joined(parts: list, dtype) -> np.ndarray:
    """The results of all groups, in the precision of the network."""
    whole = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
    return np.asarray(whole, dtype)
