"""Write docs/mistakes.md: the mistakes that the checker knows by name, and how many it catches.

make docs
"""

import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "mistakes.md"
sys.path.insert(0, str(ROOT / "tests"))

from asking import answer_with, verdict_on  # noqa: E402
from cnnlab.check.mistakes import MISTAKES  # noqa: E402
from cnnlab.check.questions import QUESTIONS  # noqa: E402
from cnnlab.check.verdict import WRONG  # noqa: E402

HEAD = """\
# The mistakes that the checker knows

Behind each name stand one or more wrong versions of a function, as learners really write them, in
`cnnlab/check/mistakes/`. Where an answer gives the same as one of them in every case, the checker
says its name and where to look. It catches what it does not know as well, but then it can only say
what differs.

`make docs` writes this page, and a test holds it true. The score: every wrong version is handed in
as an answer to every question that it belongs to.

"""


class Score(NamedTuple):
    """How many of all wrong answers are not taken for right, and how many are named."""

    caught: int
    named: int
    all: int


def measure(seed: int = 0) -> Score:
    """The score of the checker with the numbers that this seed draws."""
    caught = named = count = 0
    for question in QUESTIONS.values():
        for wrong in question.mistakes:
            verdict = verdict_on(question, answer_with(question, wrong), seed)
            count += 1
            caught += verdict.status == WRONG
            named += verdict.mistake == wrong.name
    return Score(caught, named, count)


def render(score: Score) -> str:
    """The page, with this score."""
    by_operation: dict[str, list] = {}
    for key, wrongs in MISTAKES.items():
        by_operation.setdefault(key.partition(".")[0], []).extend(wrongs)
    lines = [
        "| caught | named | all |",
        "|---|---|---|",
        f"| {score.caught} | {score.named} | {score.all} |",
        "",
        "| operation | names | wrong versions | questions |",
        "|---|---|---|---|",
    ]
    sections = []
    for operation, wrongs in sorted(by_operation.items()):
        versions = Counter((wrong.part, wrong.name) for wrong in wrongs)
        looks = {(wrong.part, wrong.name): wrong.look for wrong in reversed(wrongs)}
        asked = ", ".join(f"`{q.id}`" for q in QUESTIONS.values() if q.operation == operation)
        lines.append(f"| [{operation}](#{operation}) | {len(versions)} | {len(wrongs)} | {asked} |")
        sections.append(f"## {operation}\n")
        for (part, name), count in versions.items():
            of_part = f"`{part}`: " if part else ""
            several = f" ({count} versions)" if count > 1 else ""
            sections.append(f"- {of_part}**{name}**{several}. {looks[part, name]}")
        sections.append("")
    return HEAD + "\n".join([*lines, "", *sections])


def main() -> None:
    score = measure()
    PAGE.write_text(render(score), encoding="utf-8")
    print(
        f"wrote {PAGE.relative_to(ROOT)}: {score.caught} caught, {score.named} named of {score.all}"
    )


if __name__ == "__main__":
    main()
