"""How long a generated class of COUNT takes, from the folder to the reports.

Each hands in assignment 1 with some answers right, some wrong and some not written.
"""

import random
import tempfile
import time
from pathlib import Path

import click
import nbformat

from cnnlab.grading.batch import grade_all
from cnnlab.grading.gradebook import Gradebook, counted
from cnnlab.grading.paper import course_root, load_paper, mark, strip
from cnnlab.grading.reports import write_reports


def hand_in(tree: Path, count: int, assignment: str) -> None:
    """A class of which each got a random part of the assignment right."""
    rng = random.Random(0)
    paper = load_paper(assignment, course_root())
    for number in range(count):
        notebook = nbformat.from_dict(paper.notebook)
        for cell in notebook.cells:
            if mark(cell).get("role") == "answer":
                cell.source = rng.choice([cell.source, cell.source, strip(cell.source), "x = 1"])
        folder = tree / f"Student {number}_{number}_assignsubmission_file_"
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / f"{assignment}.ipynb")


@click.command(help=__doc__)
@click.argument("count", type=click.IntRange(min=1))
@click.option("--workers", type=click.IntRange(min=1), help="Processes.")
@click.option("--assignment", default="a1_convolution", show_default=True)
@click.option("--isolation", default="auto", show_default=True, help="Where the code runs.")
def main(count, workers, assignment, isolation):
    with tempfile.TemporaryDirectory(prefix="cnnlab-class-") as folder:
        tree, out = Path(folder, "class"), Path(folder, "grades")
        hand_in(tree, count, assignment)
        for what in ("all of them", "again, with nothing to do"):
            began = time.perf_counter()
            rows = grade_all(tree, out, seed=0, workers=workers, isolation=isolation)
            seconds = time.perf_counter() - began
            print(f"{what}: {seconds:.1f} s, {seconds / count:.3f} s each, {counted(rows)}")
        began = time.perf_counter()
        with Gradebook(out) as book:
            write_reports(book)
        print(f"reports: {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
