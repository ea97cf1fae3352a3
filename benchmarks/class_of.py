"""How long a generated class takes, from the folder to the reports, and what one submission costs.

    python benchmarks/class_of.py 1000 [--workers 2]

Each hands in assignment 1 with some answers right, some wrong and some not written.
"""

import argparse
import random
import tempfile
import time
from pathlib import Path

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


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("count", type=int)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--assignment", default="a1_convolution")
    parser.add_argument("--isolation", default="auto")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cnnlab-class-") as folder:
        tree, out = Path(folder, "class"), Path(folder, "grades")
        hand_in(tree, options.count, options.assignment)
        for what in ("all of them", "again, with nothing to do"):
            began = time.perf_counter()
            place = options.isolation
            rows = grade_all(tree, out, seed=0, workers=options.workers, isolation=place)
            seconds = time.perf_counter() - began
            print(f"{what}: {seconds:.1f} s, {seconds / options.count:.3f} s each, {counted(rows)}")
        began = time.perf_counter()
        with Gradebook(out) as book:
            write_reports(book)
        print(f"reports: {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
