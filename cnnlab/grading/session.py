"""One grading run: nbval's file, cell and kernel, made to grade."""

import json
import os
import re
import secrets
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty

from nbval.kernel import CURRENT_ENV_KERNEL_NAME, RunningKernel, start_new_kernel
from nbval.plugin import IPyNbCell, IPyNbFile, NbCellError

from cnnlab.check import SEED_VARIABLE
from cnnlab.check.questions import find
from cnnlab.check.record import MIME
from cnnlab.check.verdict import NOT_ATTEMPTED, RIGHT, WRONG, Verdict, judge
from cnnlab.grading.paper import (
    NOT_GRADED,
    course_root,
    load_paper,
    mark,
    name_of,
    read_submission,
    tags,
)

SLICE = 0.25  # seconds between two looks at whether the kernel still lives


class KernelDiedError(RuntimeError):
    """The kernel's process ended while it was running a cell."""


class GradingKernel(RunningKernel):
    """nbval's kernel, with a seed for the checks, that notices within a moment when it dies."""

    def __init__(self, *, seed: int, cwd: str, startup_timeout: float):
        self.km, self.kc = start_new_kernel(
            startup_timeout=startup_timeout,
            kernel_name=CURRENT_ENV_KERNEL_NAME,
            stderr=subprocess.DEVNULL,
            cwd=cwd,
            env=os.environ | {SEED_VARIABLE: str(seed)},
        )
        self._ensure_iopub_up()

    def get_message(self, stream, timeout=None):
        end = time.monotonic() + (float("inf") if timeout is None else timeout)
        while True:
            try:
                left = max(0.0, end - time.monotonic())
                return super().get_message(stream, timeout=min(SLICE, left))
            except Empty:
                if not self.is_alive():
                    raise KernelDiedError("the kernel died") from None
                if time.monotonic() >= end:
                    raise

    def await_reply(self, msg_id, timeout=None):
        # nbval's own loop waits this long for each message; here it is for the whole reply.
        end = time.monotonic() + timeout
        while True:
            message = self.get_message("shell", timeout=max(0.0, end - time.monotonic()))
            if message["parent_header"].get("msg_id") == msg_id:
                return

    def run(self, source: str, timeout: float) -> list[dict]:
        """Run a cell and return the data of all it displayed; Empty if it takes too long."""
        msg_id = self.execute_cell_input(source, allow_stdin=False)
        self.await_reply(msg_id, timeout)
        displayed = []
        while True:
            message = self.get_message("iopub", timeout=timeout)
            if message["parent_header"].get("msg_id") != msg_id:
                continue
            if message["msg_type"] == "display_data":
                displayed.append(message["content"]["data"])
            elif message["msg_type"] == "error":
                raise RuntimeError("\n".join(message["content"]["traceback"]))
            elif message["content"].get("execution_state") == "idle":
                return displayed


class GradedNotebook(IPyNbFile):
    """A submission, grafted into its paper; each cell is an item of pytest."""

    def collect(self):
        config = self.config.option
        root, path = course_root(), Path(self.path)
        submission = read_submission(path)
        self.paper = load_paper(config.cnnlab_paper or name_of(submission, path, root), root)
        self.nb, self.attempted = self.paper.graft(submission)
        self.seed = secrets.randbits(32) if config.cnnlab_seed is None else config.cnnlab_seed
        self.config.option.nbval_cell_timeout = config.cnnlab_timeout
        self.failures: dict[str, tuple[str, str]] = {}
        self.harmful: set[int] = set()
        self.folder = tempfile.TemporaryDirectory(prefix="cnnlab-", ignore_cleanup_errors=True)
        for number, cell in enumerate(self.nb.cells):
            if cell.cell_type == "code" and not tags(cell) & NOT_GRADED:
                cell.outputs, cell.execution_count = [], 1
                options = {"skip": False, "check": True, "check_exception": False}
                name = f"{mark(cell).get('role', 'cell')} {mark(cell).get('question', number)}"
                yield GradedCell.from_parent(
                    self, name=name, cell_num=number, cell=cell, options=options
                )

    def setup(self):
        # The learner's kernel comes up meanwhile, but nothing runs in it before the
        # reference's has ended.
        with ThreadPoolExecutor(1) as aside:
            coming = aside.submit(self._start)
            self.references = self._run_references()
            self.kernel = coming.result()

    def teardown(self):
        super().teardown()
        self.folder.cleanup()

    def revive(self, before: int) -> None:
        """Start a fresh kernel and run again what came before this cell, but for what killed."""
        if self.kernel.is_alive():
            self.kernel.stop()
        self.kernel = self._start()
        for number, cell in enumerate(self.nb.cells[:before]):
            runs = cell.cell_type == "code" and not tags(cell) & NOT_GRADED
            if runs and mark(cell).get("role") != "check" and number not in self.harmful:
                try:
                    self.kernel.run(cell.source, self.config.option.cnnlab_timeout)
                except RuntimeError as error:
                    if isinstance(error, KernelDiedError):
                        raise
                    # It failed the first time too, and was reported then.

    def record(self, result: dict) -> None:
        """Write one question's result down, at once."""
        if path := self.config.option.cnnlab_records:
            with Path(path).open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(result) + "\n")

    def _start(self) -> GradingKernel:
        return GradingKernel(
            seed=self.seed,
            cwd=self.folder.name,
            startup_timeout=self.config.option.nbval_kernel_startup_timeout,
        )

    def _run_references(self) -> dict[str, dict]:
        """Run the solution in a kernel of its own and keep its records here, out of reach."""
        references, kernel = {}, self._start()
        try:
            for cell in self.paper.notebook.cells:
                if cell.cell_type == "code" and not tags(cell) & NOT_GRADED:
                    displayed = kernel.run(cell.source, timeout=300)
                    if mark(cell).get("role") == "check":
                        references[mark(cell)["question"]] = displayed[-1][MIME]
        finally:
            kernel.stop()
        return references


class GradedCell(IPyNbCell):
    """A cell of the grafted notebook; a check cell also decides its question."""

    @property
    def role(self) -> str:
        return mark(self.cell).get("role", "")

    @property
    def question(self) -> str:
        return mark(self.cell).get("question", "")

    verdict = None

    def setup(self):
        """Replaces nbval's: a cell that hung says nothing about those after it."""

    def stop(self):
        """nbval calls this where a kernel no longer answers, but does not define it."""
        self.parent.kernel.stop()

    def runtest(self):
        notebook, result = self.parent, None
        try:
            if not notebook.kernel.is_alive():
                notebook.revive(before=self.cell_num)
            super().runtest()
        except Exception as error:
            result = self._failure(error)
            raise
        finally:
            notebook.timed_out = False
            if self.role == "answer" and result:
                notebook.failures[self.question] = result
            if self.role == "check":
                self._decide(result)

    def compare_outputs(self, test, ref, skip_compare=None):
        """Replaces nbval's comparison of text: only a check's numbers count."""
        if self.role != "check":
            return True
        records = [output.data[MIME] for output in test if MIME in output.get("data", {})]
        if len(records) == 1 and isinstance(records[0], dict):
            question, reference = find(self.question), self.parent.references[self.question]
            self.verdict = judge(question, records[0], reference, self.parent.seed)
        else:
            self.verdict = Verdict(WRONG, f"The check left {len(records)} records, expected one.")
        self.comparison_traceback = [str(self.verdict)]
        return self.verdict.status == RIGHT

    def _failure(self, error: Exception) -> tuple[str, str]:
        """Status and message for a cell that did not run through."""
        where = "the answer cell" if self.role == "answer" else "the check of this answer"
        if isinstance(error, KernelDiedError | RuntimeError):
            self.parent.harmful.add(self.cell_num)
            return "kernel died", f"The kernel died while it ran {where}."
        if isinstance(error, NbCellError) and "Timeout" in str(error):
            self.parent.harmful.add(self.cell_num)
            seconds = self.config.option.cnnlab_timeout
            return "timed out", f"No end after {seconds:g} seconds in {where}. An endless loop?"
        traceback = str(getattr(error, "inner_traceback", "") or error).strip()
        last = "".join(re.sub(r"\x1b\[[0-9;]*m", "", traceback).splitlines()[-1:])[:300]
        if last.startswith("NameError"):
            last += ". Only answer cells are graded: what an answer needs has to be in one."
        return "error", f"Stopped in {where}: {last}"

    def _decide(self, failure: tuple[str, str] | None) -> None:
        item = next(item for item in self.parent.paper.items if item.id == self.question)
        if self.question not in self.parent.attempted:
            status, message = NOT_ATTEMPTED, ""
        elif self.question in self.parent.failures:
            status, message = self.parent.failures[self.question]
        elif self.verdict is not None and self.verdict.status == NOT_ATTEMPTED:
            status, message = "error", f"It calls what is not written yet. {self.verdict.text}"
        elif self.verdict is not None:
            status, message = self.verdict.status, f"{self.verdict.title} {self.verdict.text}"
        else:
            status, message = failure
        self.parent.record(
            {
                "id": self.question,
                "status": status,
                "points": item.points if status == RIGHT else 0,
                "out_of": item.points,
                "message": message.strip(),
            }
        )
