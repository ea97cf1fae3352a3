"""Write docs/grading-security.md: what grading promises, held true by the catalogue of submissions.

make docs
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "grading-security.md"
sys.path.insert(0, str(ROOT / "tests"))

from hostile import ANSWERS, ESCAPES, Answer  # noqa: E402
from hostile.files import READABLE, UNREADABLE  # noqa: E402

HEAD = """\
# What grading promises

Each promise is a list of submissions in `tests/hostile/`, and a test that knows exactly what has to
become of each. `make docs` writes this page from them. What is not listed is not promised.

Whatever an answer does, the other questions of its submission keep their points, and nothing waits
for ever. Only what it changes of NumPy or Python itself, as by `np.isclose = …` or `del np`, may
cost the questions behind it as well; other submissions have kernels of their own.

"""

MIDDLE = """\

"Sandbox" is the tier `bwrap`: the kernel of a submission sees Python and this package, to read
only, and nothing else of the machine. Every other promise holds in all tiers, `none` included. But
there code runs as you do, and can read the solutions, end the grader, or rewrite what it wrote
down: grade so only what you trust, your own work for instance. The tier is tried out before it is
used, and stands in each report.

## How points are protected

- Of a submission only the text of its answer cells is taken. All else is the course's own copy.
- The page's verdict counts for nothing. A check leaves the numbers that the answer returned, and
  the grader compares them with its own.
- Each check has a seed of its own, set right before it, so that nothing prepared in an earlier cell
  fits. Its record has to come from its own execution, once, and name its question and its cases.
- What is missing in a record counts against the answer.
- What a submission says is shown without what could steer a terminal or a page.

## Flags

A record is made in the learner's kernel, and the right functions can be imported there: the course
needs its library. So numbers alone cannot tell work of one's own from a call of the library's
function, or of SciPy's. The grader therefore reads the text of each answer, without running it, and
flags with the line

- modules other than NumPy and the plain helpers of Python, and of this library whatever the
  question does not offer (`Question.library`);
- the ways around: `eval`, `exec`, `__import__`, `importlib`, `sys.modules`, `globals()`, `getattr`
  with a name that is worked out, frames, `gc`, `inspect`, `ctypes`, dunder attributes, files,
  processes, `get_ipython`, magics that run something else;
- assignments to what belongs to a module, such as `np.isclose = …`.

A flag takes no points. A person looks at the line and decides. `cnnlab grade` shows flags, also to
whoever grades their own work; of a class they stand in the overview and in `grades.csv`, for the
instructor.

## What remains possible

- An answer that calls a right function gets its points. Flags find it in every case below; a way
  through NumPy or through an argument that belongs to the library, as a network does, may exist
  that names nothing of what is flagged.
- The loops of an answer are counted in its kernel. Who switches the counting off is flagged.
- The code of another, copied by hand, looks like one's own. So does a right answer found anywhere.
- A thread that ends the kernel seconds later may cost a later question of the same submission.
- An answer that raises MemoryError is called not decidable: no points, and a person looks.

"""


def render() -> str:
    kinds: dict[str, list[Answer]] = {}
    for answer in (*ANSWERS, *ESCAPES):
        kinds.setdefault(answer.kind, []).append(answer)
    paid = sum(answer.status == "right" for answer in kinds["forgeries"])
    rows = [
        ("right answers, with the habits of people who work", kinds["right"], "full marks"),
        ("answers that stop, hang or break the kernel", kinds["broken"], "no points for them"),
        (
            "answers that want points without being right",
            kinds["forgeries"],
            f"no points; {paid} that call a right function or hide their loops get them, flagged",
        ),
        ("files that are no notebooks", UNREADABLE, "unreadable, which is no zero"),
        ("odd notebooks with right answers", READABLE, "all answers are found"),
        ("answers that reach for what is not theirs", kinds["escapes"], "nothing is reached"),
    ]
    lines = ["| what is handed in | cases | where | what becomes of it |", "|---|---|---|---|"]
    for what, cases, promise in rows:
        where = "sandbox" if cases is kinds["escapes"] else "everywhere"
        lines.append(f"| {what} | {len(cases)} | {where} | {promise} |")
    sections = [
        section
        for what, cases, _ in rows
        for section in (f"## {what[0].upper()}{what[1:]}\n", *_listed(cases), "")
    ]
    return HEAD + "\n".join(lines) + "\n" + MIDDLE + "\n".join(sections).rstrip() + "\n"


def _listed(cases) -> list[str]:
    if isinstance(cases, dict):
        return [f"- {name}" for name in cases]
    return [f"- {one.name}: **{one.status}**{', flagged' * bool(one.flags)}" for one in cases]


def main() -> None:
    PAGE.write_text(render(), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
