"""A class of submissions graded by us and by nbgrader: seconds for each, on the same notebook.

Five questions, the same answers, and checks that do the same work: for nbgrader they are asserts
about what our checks find. Both start as their commands do, and grade the whole class.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import click
import nbformat
import psutil
from side_by_side import json_option, machine, show, take_turns

from cnnlab.grading import grade
from cnnlab.grading.build import read_source
from cnnlab.grading.isolation import Tier, choose
from cnnlab.grading.paper import mark

COURSE = Path(__file__).parents[1] / "course"
QUESTIONS = (
    *("s0.patch_response", "a1.output_size", "a1.conv_loops", "a1.conv_forward"),
    "a1.convolve",
)
IMPORTS = """import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cnnlab import shapes
"""
ASSERTS = """from cnnlab.check.questions import find
from cnnlab.check.verdict import judge, make_record, reference_record

question = find("{question}")
record = make_record(question, {name}, 0)
assert judge(question, record, reference_record(question, 0), 0).status == "right"
"""


@click.command(help=__doc__)
@click.option("--submissions", default=12, show_default=True, help="How many in the class.")
@click.option("--workers", default=os.cpu_count(), show_default=True, help="Ours at a time.")
@click.option("--isolation", default="auto", show_default=True, help="Where ours run.")
@click.option("--rounds", default=3, show_default=True, help="Rounds to measure.")
@json_option
def main(submissions, workers, isolation, rounds, as_json):
    with tempfile.TemporaryDirectory(prefix="cnnlab-benchmark-") as folder:
        root = Path(folder)
        paths = _ours(root, submissions)
        tier = choose(isolation, root)
        peers = {f"cnnlab, {tier.name}": partial(_grade, paths, root, tier, workers)}
        if shutil.which("nbgrader"):
            peers["nbgrader"] = partial(_nbgrader, _theirs(root / "nbgrader", submissions))
        else:
            click.echo("nbgrader is not here: pip install 'cnnlab[benchmarks]'.", err=True)
        whole = take_turns(peers, rounds)
        seconds = {name: [one / submissions for one in times] for name, times in whole.items()}
        title = f"Grading {submissions} submissions of five questions, {workers} workers: each"
        show(title, seconds, next(iter(peers)), as_json)
        peak = _memory(partial(_grade, paths[:1], root, tier, 1))
        figures = {"one worker, bytes": peak}
        click.echo(
            json.dumps(figures | machine()) if as_json else f"    {peak / 1e6:.0f} MB a worker"
        )


def _memory(work: Callable[[], object]) -> int:
    """The most bytes that all processes take which the work starts; what they share counts once."""
    me, peak = psutil.Process(), 0
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(work)
        while not done.done():
            sizes = [0]
            for process in me.children(recursive=True):
                with suppress(psutil.Error):
                    sizes.append(process.memory_full_info().pss)
            peak = max(peak, sum(sizes))
            time.sleep(0.02)
        done.result()
    return peak


def _questions():
    """The answer and the check of each question, with their marks."""
    sources = [read_source(COURSE / f"{name}.py") for name in ("00_start_here", "a1_convolution")]
    cells = [cell for source in sources for cell in source.cells]
    for question in QUESTIONS:
        roles = {mark(c)["role"]: c for c in cells if mark(c).get("question") == question}
        yield question, roles["answer"], roles["check"]


def _notebook(cells):
    first = nbformat.v4.new_code_cell(IMPORTS)
    return nbformat.v4.new_notebook(cells=[first, *cells])


def _ours(root: Path, count: int) -> list[Path]:
    """A course of one paper, and its solution handed in by everybody."""
    notebook = _notebook([cell for _, *pair in _questions() for cell in pair])
    (root / "solutions").mkdir()
    paths = [root / "solutions" / "five.ipynb", *(root / f"five-{n}.ipynb" for n in range(count))]
    for path in paths:
        nbformat.write(notebook, path)
    return paths[1:]


def _grade(paths: list[Path], root: Path, tier: Tier, workers: int) -> None:
    one = partial(grade, assignment="five", root=root, isolation=tier)
    with ThreadPoolExecutor(workers) as pool:
        if bad := [report for report in pool.map(one, paths) if report.score != report.out_of]:
            sys.exit(f"the solution did not get full marks: {bad[0]}")


def _theirs(root: Path, count: int) -> Path:
    """The same for nbgrader, in a folder as it wants one."""
    cells = []
    for question, answer, check in _questions():
        check.source = ASSERTS.format(question=question, name=question.partition(".")[2])
        check.metadata.nbgrader.points = 1
        cells += [answer, check]
    for place in ("source", *(f"submitted/learner{n}" for n in range(count))):
        folder = root / place / "five"
        folder.mkdir(parents=True)
        nbformat.write(_notebook(cells), folder / "five.ipynb")
    (root / "nbgrader_config.py").write_text(
        "c = get_config()\nc.CourseDirectory.course_id = 'c'\n"
    )
    _run_nbgrader(root, "generate_assignment", "five")
    return root


def _nbgrader(root: Path) -> None:
    _run_nbgrader(root, "autograde", "five", "--force")


def _run_nbgrader(root: Path, *words: str) -> None:
    done = subprocess.run(
        ["nbgrader", *words], cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"nbgrader failed: {done.stderr[-2000:]}")


if __name__ == "__main__":
    main()
