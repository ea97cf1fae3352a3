"""One grading run: nbval's file, cell and kernel, made to grade."""

import hashlib
import json
import re
import secrets
import tempfile
import time
from pathlib import Path
from queue import Empty

from nbval.plugin import IPyNbCell, IPyNbFile, NbCellError

from cnnlab.check import SEED_VARIABLE
from cnnlab.check.questions import find
from cnnlab.check.record import MIME
from cnnlab.check.verdict import (
    NOT_ATTEMPTED,
    RIGHT,
    WRONG,
    Verdict,
    foreign,
    judge,
    reference_record,
)
from cnnlab.grading.flags import flags
from cnnlab.grading.isolation import TIERS, choose
from cnnlab.grading.kernel import FloodError, GradingKernel, KernelDiedError
from cnnlab.grading.paper import (
    SKIPPED_TAGS,
    course_root,
    load_paper,
    mark,
    name_of,
    read_submission,
    tags,
)

# What can end the kernel long after a cell has run.
DELAYED = re.compile(r"thread|timer|alarm|signal|fork|process|popen|async|executor|ctypes", re.I)


class GradedNotebook(IPyNbFile):
    """A submission, grafted into its paper; each cell is an item of pytest."""

    def collect(self):
        config = self.config.option
        root, path = course_root(), Path(self.path)
        submission = read_submission(path)
        self.paper = load_paper(config.cnnlab_paper or name_of(submission, path, root), root)
        self.nb, self.found = self.paper.graft(submission)
        self.flags = flags(self.nb)
        self.seed = secrets.randbits(32) if config.cnnlab_seed is None else config.cnnlab_seed
        config.nbval_cell_timeout = config.cnnlab_timeout
        self.failures: dict[str, tuple[str, str]] = {}
        self.harmful: set[int] = set()
        self.folder = tempfile.TemporaryDirectory(prefix="cnnlab-", ignore_cleanup_errors=True)
        for number, cell in enumerate(self.nb.cells):
            if _is_run(cell):
                cell.outputs, cell.execution_count = [], 1
                if mark(cell).get("role") == "check":
                    cell.source = f"{_setting(self.seed_of(mark(cell)['question']))}\n{cell.source}"
                options = {"skip": False, "check": True, "check_exception": False}
                name = f"{mark(cell).get('role', 'cell')} {mark(cell).get('question', number)}"
                yield GradedCell.from_parent(
                    self, name=name, cell_num=number, cell=cell, options=options
                )

    def setup(self):
        wanted = self.config.option.cnnlab_isolation
        # A name comes from whoever has tried it.
        self.tier = TIERS[wanted] if wanted in TIERS else choose(wanted, course_root())
        self.kernel = self._start()

    def teardown(self):
        if self.kernel is not None:
            self.kernel.stop()
        self.folder.cleanup()

    def revive(self, before: int) -> None:
        """Start a fresh kernel and run again what came before this cell, but for what harms."""
        self.kernel.stop()
        self.kernel = self._start()
        for number, cell in enumerate(self.nb.cells[:before]):
            if _is_run(cell) and mark(cell).get("role") != "check" and number not in self.harmful:
                try:
                    self.kernel.run(cell.source, self.config.option.cnnlab_timeout)
                except (Empty, KernelDiedError, FloodError):
                    # It did no harm before, so this ends: each cell is given up but once.
                    self.harmful.add(number)
                    self.revive(before)
                    return

    def give_up(self, failed: int) -> None:
        """Run a cell no more; what breaks a check is the answer that it is about."""
        question = mark(self.nb.cells[failed]).get("question")
        for number, cell in enumerate(self.nb.cells):
            answers = mark(cell) == mark(cell) | {"role": "answer", "question": question}
            if number == failed or answers:
                self.harmful.add(number)

    def blame_earlier(self, before: int) -> bool:
        """Whether an earlier answer ends the kernel by itself, a while after it ran: then it pays.

        Each that could is tried alone, for as long as the kernel that died has lived.
        """
        seconds = time.monotonic() - self.started + 1
        answers = [n for n, cell in enumerate(self.nb.cells) if mark(cell).get("role") == "answer"]
        for number in answers:
            cell = self.nb.cells[number]
            if number >= before or number in self.harmful or not DELAYED.search(cell.source):
                continue
            harmful, self.harmful = self.harmful, {*self.harmful, *answers} - {number}
            self.revive(before=number + 1)
            alone = self.harmful
            self.harmful = harmful
            if number in alone or not self.kernel.survives(self._check_of(cell), seconds):
                self.harmful.add(number)
                self._charge(cell)
                return True
        return False

    def _check_of(self, answer) -> str:
        wanted = {"role": "check", "question": mark(answer)["question"]}
        return next(c.source for c in self.nb.cells if mark(c) == mark(c) | wanted)

    def _charge(self, answer) -> None:
        question = mark(answer)["question"]
        words = "Something that it had started ended the kernel later on."
        self.failures[question] = ("kernel died", words)
        self.record(question, "kernel died", words)

    def give_up_latest_answer(self, before: int) -> None:
        """What breaks a cell of the paper itself is what a learner wrote before it."""
        answers = [n for n, cell in enumerate(self.nb.cells) if mark(cell).get("role") == "answer"]
        self.harmful.update([n for n in answers if n < before and n not in self.harmful][-1:])

    def seed_of(self, question: str) -> int:
        """A seed for each check, set right before it: earlier cells cannot know it."""
        words = f"{self.seed} {question}".encode()
        return int.from_bytes(hashlib.sha256(words).digest()[:8], "big")

    def record(self, question: str, status: str, message: str, **told) -> None:
        """Write one question's result down, at once."""
        item = next(item for item in self.paper.items if item.id == question)
        result = {
            "id": question,
            "status": status,
            "points": item.points if status == RIGHT else 0,
            "out_of": item.points,
            "message": _printable(message.strip()),
            "flags": self.flags[question] if self.found[question] == "written" else [],
            **told,
        }
        if path := self.config.option.cnnlab_records:
            with Path(path).open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(result) + "\n")

    def _start(self) -> GradingKernel:
        self.started = time.monotonic()
        return GradingKernel(
            folder=self.folder.name,
            startup_timeout=self.config.option.nbval_kernel_startup_timeout,
            tier=self.tier,
        )


class GradedCell(IPyNbCell):
    """A cell of the grafted notebook; a check cell also decides its question."""

    verdict = None

    @property
    def role(self) -> str:
        return mark(self.cell).get("role", "")

    @property
    def question(self) -> str:
        return mark(self.cell).get("question", "")

    def setup(self):
        """Replaces nbval's: a cell that hung says nothing about those after it."""

    def stop(self):
        """nbval calls this where a kernel no longer answers, but does not define it."""
        self.parent.kernel.stop()

    def runtest(self):
        try:
            self._run()
        except Exception as error:
            failure = self._failure(error)
            if self.role == "answer":
                self.parent.failures[self.question] = failure
            if self.role == "check":
                self._decide(failure)
            raise
        else:
            if self.role == "check":
                self._decide(None)

    def compare_outputs(self, test, ref, skip_compare=None):
        """Replaces nbval's comparison of text: only a check's numbers count."""
        if self.role != "check":
            return True
        question, seed = find(self.question), self.parent.seed_of(self.question)
        shown = [output.data[MIME] for output in test if MIME in output.get("data", {})]
        records = [
            one for one in shown if isinstance(one, dict) and not foreign(question, one, seed)
        ]
        if len(records) == 1:
            # Worked out here: the learner's kernel has no say in what is right.
            self.verdict = judge(question, records[0], reference_record(question, seed), seed)
        else:  # somebody has changed the check: what comes later runs without this answer
            number = f"The check left {len(records)} records of its own, expected one."
            self.verdict = Verdict(WRONG, number)
            self.parent.give_up(self.cell_num)
            self.parent.kernel.stop()
        self.comparison_traceback = [str(self.verdict)]
        return self.verdict.status == RIGHT

    def _run(self):
        """nbval's run, in a kernel that lives; a cell of the paper gets a second chance."""
        last = False
        while True:
            if not self.parent.kernel.is_alive():
                self.parent.revive(before=self.cell_num)
            patience = self.config.option.cnnlab_timeout + 2 * self.output_timeout
            self.parent.kernel.deadline = time.monotonic() + patience
            try:
                super().runtest()
                return
            except Exception as error:
                if not _is_sound(error):
                    self.parent.kernel.stop()
                    if isinstance(error, KernelDiedError):
                        blamed = self.parent.blame_earlier(before=self.cell_num)
                        self.parent.kernel.stop()
                        if blamed:
                            continue
                    if not self.role and not last:
                        last = True
                        self.parent.give_up_latest_answer(before=self.cell_num)
                        continue
                raise
            finally:
                self.parent.timed_out = False
                self.parent.kernel.deadline = float("inf")

    def _failure(self, error: Exception) -> tuple[str, str]:
        """Status and message for a cell that did not run through."""
        where = "the answer cell" if self.role == "answer" else "the check of this answer"
        if _is_sound(error):
            words = str(getattr(error, "inner_traceback", "") or error).strip()
            last = "".join(re.sub(r"\x1b\[[0-9;]*m", "", words).splitlines()[-1:])[:300]
            return "error", f"Stopped in {where}: {last}"
        self.parent.give_up(self.cell_num)
        if isinstance(error, NbCellError | Empty):
            seconds = self.config.option.cnnlab_timeout
            return "timed out", f"No end after {seconds:g} seconds in {where}. An endless loop?"
        if isinstance(error, FloodError):
            return "too much output", f"Stopped in {where}: {error}."
        return "kernel died", f"The kernel died while it ran {where}."

    def _decide(self, failure: tuple[str, str] | None) -> None:
        verdict, found = self.verdict, self.parent.found[self.question]
        told: dict = {}
        if verdict is not None and verdict.status == RIGHT:
            status, message = RIGHT, f"{verdict.title} {verdict.text}"
        elif found != "written":
            status, message = NOT_ATTEMPTED, "" if found == "stub" else "Its answer cell is gone."
        elif self.question in self.parent.failures:
            status, message = self.parent.failures[self.question]
        elif verdict is not None and verdict.status == NOT_ATTEMPTED:
            # Helpers above a stub do not make it an answer.
            own = any(
                mark(cell) == mark(cell) | {"role": "answer", "question": self.question}
                and verdict.text in cell.source
                for cell in self.parent.nb.cells
            )
            other = f"It calls what is not written yet. {verdict.text}"
            status, message = (NOT_ATTEMPTED, "") if own else ("error", other)
        elif verdict is not None:
            status, message = verdict.status, f"{verdict.title} {verdict.text}"
            told = _told(verdict)
        else:
            status, message = failure or ("error", "The check left no result.")
        if "NameError" in message:
            message = (
                f"{message.rstrip('.')}. Is it spelled like that where it is defined? Only answer "
                "cells are graded: what an answer needs has to be in one."
            )
        self.parent.record(self.question, status, message, **told)


def _told(verdict: Verdict) -> dict:
    """The name of a mistake and a map of where it is seen; the right numbers stay here."""
    told: dict = {"mistake": verdict.mistake} if verdict.mistake else {}
    if sight := verdict.sight:
        rows = ["".join(".#"[wrong] for wrong in row) for row in sight.differs.tolist()]
        told["picture"] = {"where": sight.where, "rows": rows}
    return told


def _is_run(cell) -> bool:
    return cell.cell_type == "code" and not tags(cell) & SKIPPED_TAGS


def _setting(seed: int) -> str:
    # Without an import: a name that it leaves behind may be what an answer forgot.
    return f"__import__('os').environ[{SEED_VARIABLE!r}] = '{seed}'"


def _printable(message: str) -> str:
    """Without what steers a terminal or turns a line around."""
    return "".join(
        c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in message
    )


def _is_sound(error: Exception) -> bool:
    """Whether the kernel can go on after this: an exception in the code, or a wrong result."""
    return isinstance(error, NbCellError) and "Timeout" not in str(error)
