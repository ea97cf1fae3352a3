"""From a record to a verdict: right, wrong (by name where it can be told), or not attempted."""

import html
import sys
from dataclasses import dataclass

import numpy as np

from cnnlab.check.mistakes import Mistake, Undecided
from cnnlab.check.questions import Question
from cnnlab.check.record import (
    Case,
    Difference,
    compare,
    listed,
    run_case,
    same,
    same_error,
    split,
)

RIGHT, WRONG, NOT_ATTEMPTED = "right", "wrong", "not attempted"


@dataclass(frozen=True)
class Verdict:
    """What the course says of an answer.

    `text` gives nothing away that a grade report may not show; `detail` adds the expected
    number at the worst place, for the page.
    """

    status: str
    title: str
    text: str = ""
    detail: str = ""
    mistake: str = ""

    def __str__(self):
        return "\n".join(part for part in (self.title, self.text, self.detail) if part)

    def html(self) -> str:
        """A card that reads well on light and dark pages."""
        color = {RIGHT: "#009E73", WRONG: "#D55E00"}.get(self.status, "#7A869A")
        parts = [
            f"<p style='margin:.3em 0;white-space:pre-wrap'>{html.escape(part)}</p>"
            for part in (self.text, self.detail)
            if part
        ]
        return (
            f"<div style='border-left:5px solid {color};padding:.4em .9em;margin:.3em 0;"
            f"max-width:46em'><strong style='color:{color}'>{html.escape(self.title)}</strong>"
            + "".join(parts)
            + "</div>"
        )


def make_record(question: Question, answer, seed: int) -> dict:
    """Run a learner's function on the question's cases and write down what came out."""
    if answer is None:
        return _record(question, NOT_ATTEMPTED, [])
    rng = np.random.default_rng(seed)
    results = [run_case(answer, case, question.view) for case in question.cases(rng)]
    outcomes = [result["outcome"] for result in results]
    stub = NotImplementedError.__name__
    if all(outcome["kind"] == "error" and outcome["type"][0] == stub for outcome in outcomes):
        # The stub of another answer may be what stopped it: its words say which.
        return _record(question, NOT_ATTEMPTED, []) | {"note": outcomes[0]["message"]}
    loops = question.no_loops is not None and _loops(answer, *question.no_loops(rng))
    return _record(question, "answered", results) | {"loops": loops}


def _loops(answer, small: Case, large: Case) -> bool:
    """Whether more positions mean more lines of Python: counted, not timed."""
    return _lines_run(answer, large) > 2 * _lines_run(answer, small)


def _lines_run(answer, case: Case) -> int:
    count, before = 0, sys.gettrace()

    def trace(frame, event, argument):
        nonlocal count
        count += event == "line"
        return trace

    sys.settrace(trace)
    try:
        run_case(answer, case, lambda value: None)  # to write numbers down takes lines as well
    finally:
        sys.settrace(before)
    return count


def reference_record(question: Question, seed: int) -> dict:
    """The record of the right function."""
    cases = question.cases(np.random.default_rng(seed))
    results = [run_case(question.reference, case, question.named) for case in cases]
    return _record(question, "answered", results)


def _record(question, status, results):
    return {"question": question.id, "status": status, "cases": results}


def judge(question: Question, got: dict, expected: dict, seed: int) -> Verdict:
    """Compare a record with the right one, made with the same seed.

    `got` may come from anywhere: a malformed record is wrong, never an error.
    """
    if got.get("status") == NOT_ATTEMPTED:
        return Verdict(NOT_ATTEMPTED, "Not attempted yet.", str(got.get("note", ""))[:200])
    cases = question.cases(np.random.default_rng(seed))
    results = got.get("cases")
    if not isinstance(results, list) or len(results) != len(cases):
        return Verdict(WRONG, "Not right yet.", "The record of this check is not complete.")
    parts = question.parts
    outcomes = [split(_part(result, "outcome", {}), parts) for result in results]
    rights = [split(result["outcome"], parts) for result in expected["cases"]]
    differences = [
        {part: compare(mine[part], right[part], case, **question.tolerances) for part in parts}
        for mine, right, case in zip(outcomes, rights, cases, strict=True)
    ]
    wrong = [part for part in parts if any(found[part] for found in differences)]
    if not wrong:
        return _changed(results, cases) or _right_unless_loops(got, cases)
    named = _recognize(question, outcomes, differences, rights, cases)
    right = [part for part in parts if part not in wrong]
    # A call that stops gives no part at all: it says nothing about any one of them.
    pairs = list(zip(outcomes, differences, strict=True))
    own = [p for p in wrong if any(d[p] and o[p].get("kind") != "error" for o, d in pairs)]
    wrong = own or [part for part in wrong if part in named][:1] or wrong[:1]
    shown = wrong[0]
    where, detail = _first_difference(shown, [found[shown] for found in differences], cases)
    mistake = named.get(shown)
    alone = (
        mistake is not None
        and not mistake.part
        and all(named.get(part) is mistake for part in wrong)
    )
    where += _others([] if alone else wrong[1:], right, named)
    if mistake is not None:
        title = f"{mistake.name}." if alone else f"{shown}: {mistake.name}."
        return Verdict(WRONG, title, f"{mistake.look}\n{where}", detail, mistake.name)
    if changed := _changed(results, cases):
        return Verdict(WRONG, changed.title, f"{changed.text}\n{where}", detail, changed.mistake)
    return Verdict(WRONG, "Not right yet.", where, detail)


def _first_difference(part: str, found: list[Difference | None], cases) -> tuple[str, str]:
    """Where a part is wrong first and how, and the same with the expected number."""
    first, difference = next((n, one) for n, one in enumerate(found) if one)
    text = f"{part}: {difference.text}" if part else difference.text
    where = f"First seen in case {first + 1} of {len(cases)} ({cases[first].name}): {text}."
    if passed := sum(one is None for one in found):
        where += f" {passed} of {len(cases)} cases {'is' if passed == 1 else 'are'} right."
    detail = difference.detail
    return where, detail and detail[0].upper() + detail[1:] + "."


def _others(wrong, right, named) -> str:
    """A line on each part besides the one that is shown."""
    lines = [
        f"\n{part}: {named[part].name}." if part in named else f"\n{part} is not right either."
        for part in wrong
    ]
    if right:
        lines.append(f"\n{listed(right)} {'is' if len(right) == 1 else 'are'} right.")
    return "".join(lines)


def _part(value, key, default):
    part = value.get(key, default) if isinstance(value, dict) else default
    return part if isinstance(part, type(default)) else default


def _changed(results, cases) -> Verdict | None:
    for result, case in zip(results, cases, strict=True):
        if _part(result, "changed", []):
            return Verdict(
                WRONG,
                "The input is overwritten.",
                f"After the call ({case.name}) an array that was passed in has changed. Work on a "
                "copy, or on a new array.",
                mistake="The input is overwritten",
            )
    return None


def _right_unless_loops(got, cases) -> Verdict:
    if got.get("loops"):
        return Verdict(
            WRONG,
            "It still loops over the positions.",
            "The results are right, but more positions mean more lines of Python to run. Here one "
            "matrix product is to do all positions at once.",
            mistake="It still loops over the positions",
        )
    return Verdict(RIGHT, "Right.", f"All {len(cases)} cases agree.")


def _recognize(question, outcomes, differences, rights, cases) -> dict[str, Mistake]:
    """For each wrong part the known mistake that explains it, if there is one.

    A wrong version of the whole that explains all parts together comes before others.
    """
    parts, found = question.parts, {}
    for wrong in question.mistakes:
        explained = set([wrong.part] if wrong.part else parts)
        view = (lambda value: value) if wrong.part else question.named
        for mine, difference, right, case in zip(outcomes, differences, rights, cases, strict=True):
            theirs = split(run_case(wrong.function, case, view)["outcome"], tuple(explained))
            explained = {
                part
                for part in explained
                if _explains(
                    mine[part],
                    difference[part],
                    theirs[part],
                    right[part],
                    case,
                    question.tolerances,
                )
            }
            if not explained:
                break
        named = {part for part in explained if any(one[part] for one in differences)}
        if len(explained) == len(parts):
            return dict.fromkeys(named, wrong)
        for part in named:
            found.setdefault(part, wrong)
    return found


def _explains(mine, difference, wrong, right, case, tolerances) -> bool:
    if wrong["kind"] == "error" and wrong["type"][0] == Undecided.__name__:
        return difference is not None
    if compare(wrong, right, case, **tolerances) is None:
        return difference is None
    return same(mine, wrong, **tolerances) or same_error(mine, wrong)
