"""From a record to a verdict: right, wrong (by name where it can be told), not attempted, or not
decidable.

Not decidable is what says nothing about the answer, so that neither right nor wrong would be true:
every difference is one that half precision explains (and no known mistake does), or is between two
values that are no numbers, or the computer ran out of memory. Too slow is wrong, with how much.
Whoever interrupts a check by Ctrl+C gets no verdict at all.
"""

import html
import inspect
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cnnlab.check.clock import TooSlow, time_limit
from cnnlab.check.comparison import Comparison
from cnnlab.check.picture import Sight
from cnnlab.check.questions import Question
from cnnlab.check.record import Case, compare, count_right, listed, run_case, same, split

RIGHT, WRONG = "right", "wrong"
NOT_ATTEMPTED, NOT_DECIDABLE = "not attempted", "not decidable"
MORE = 200  # instructions: a loop over 36 rows runs more than that, and a choice within NumPy fewer


@dataclass(frozen=True)
class Verdict:
    """What the course says of an answer.

    `text` gives nothing away that a grade report may not show; `detail` adds the expected
    number at the worst place, and `sight` a picture of where it is wrong, for the page.
    """

    status: str
    title: str
    text: str = ""
    detail: str = ""
    mistake: str = ""
    sight: Sight | None = None

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
            + (self.sight.html() if self.sight else "")
            + "</div>"
        )


def make_record(question: Question, answer, seed: int) -> dict:
    """Run a learner's function on the question's cases and write down what came out."""
    if answer is None:
        return _record(question, NOT_ATTEMPTED, [])
    answer, rng = question.asked(answer), np.random.default_rng(seed)
    cases = question.cases(rng)
    results, further, stopped, began = [], {}, False, time.perf_counter()
    try:
        with time_limit(question.seconds):
            for case in cases:
                results.append(run_case(answer, case, question.view))
            outcomes = [result["outcome"] for result in results]
            stub = NotImplementedError.__name__
            if all(one["kind"] == "error" and one["type"][0] == stub for one in outcomes):
                # The stub of another answer may be what stopped it: its words say which.
                return _record(question, NOT_ATTEMPTED, []) | {"note": outcomes[0]["message"]}
            if not question.least:  # to learn twice takes twice as long
                again = run_case(answer, cases[0], question.view)["outcome"]
                if not _alike(again, outcomes[0], question):
                    further["again"] = again
            if question.keeps_dtype:
                further["float32"] = run_case(answer, _in_float32(cases), question.view)["outcome"]
    except TooSlow:
        stopped = True
    took = time.perf_counter() - began
    if stopped or took >= question.seconds:
        # Only here: what is written down may not change from run to run.
        slow = {"seconds": round(took, 1)}
        if not question.least:  # where a network learns, the reference knows the labels
            began = time.perf_counter()
            for case in cases:
                run_case(question.reference, case)
            slow["ours"] = float(f"{time.perf_counter() - began:.1g}")
        return _record(question, "answered", results) | further | {"slow": slow}
    if question.no_loops is not None:
        further["loops"] = _loops(answer, *question.no_loops(rng), question.seconds)
    return _record(question, "answered", results) | further


def _alike(again: dict, before: dict, question: Question) -> bool:
    """Whether a call went as before: the words of an error may differ, as by an address in them."""
    if again["kind"] == before["kind"] == "error":
        return again["type"] == before["type"]
    return again == before or same(again, before, **question.tolerances)


def _in_float32(cases: Sequence[Case]) -> Case:
    """The last case that gives a result, its arrays in single precision."""

    def convert(value):
        if isinstance(value, dict):
            return {key: convert(item) for key, item in value.items()}
        if isinstance(value, tuple | list):
            return type(value)(map(convert, value))
        floats = isinstance(value, np.ndarray) and value.dtype == np.float64
        return value.astype(np.float32) if floats else value

    case = next(case for case in reversed(cases) if case.raises is None)
    return replace(case, args=convert(case.args), options=convert(case.options))


def _loops(answer, small: Case, large: Case, seconds: float) -> bool:
    """Whether more positions mean more Python to run: steps are counted, not timed.

    Code that is the same for both may still go another way here and there; a loop over the rows of
    the output alone goes beyond that.
    """
    try:
        with time_limit(seconds):
            _steps_run(answer, small)  # the first count of all is too low in Python 3.12
            most = _steps_run(answer, small) + MORE
            return _steps_run(answer, large, most) > most
    except TooSlow:
        return True


def _steps_run(answer, case: Case, most: float = np.inf) -> int:
    """Instructions that the interpreter runs for a call; it stops counting beyond `most`.

    Not lines: a whole loop fits into one.
    """
    count, before = 0, sys.gettrace()

    def trace(frame, event, argument):
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        if count > most:
            sys.settrace(before)
        return trace

    sys.settrace(trace)
    try:
        run_case(answer, case, lambda value: None)  # to write numbers down takes steps as well
    finally:
        sys.settrace(before)
    return count


def reference_record(question: Question, seed: int) -> dict:
    """The record of the right function."""
    cases = question.drawn(seed)
    results = [run_case(question.reference, case, question.named) for case in cases]
    further = {}
    if question.keeps_dtype:
        case = _in_float32(cases)
        further["float32"] = run_case(question.reference, case, question.named)["outcome"]
    return _record(question, "answered", results) | further


def _record(question, status, results):
    return {"question": question.id, "status": status, "cases": results}


def foreign(question: Question, got: dict, seed: int) -> str:
    """Why a record cannot come from this check with this seed, in a sentence, or nothing."""
    if got.get("question") != question.id:
        return "The record of this check is that of another."
    if got.get("status") == NOT_ATTEMPTED:
        return ""
    names = [case.name for case in question.drawn(seed)]
    results = _part(got, "cases", [])
    if len(results) < len(names) and not _part(got, "slow", {}):  # else it came to those only
        return "The record of this check is not complete."
    if [_part(result, "name", "") for result in results] != names[: len(results)]:
        return "The record of this check is that of other cases."
    return ""


def judge(question: Question, got: dict, expected: dict, seed: int) -> Verdict:
    """Compare a record with the right one, made with the same seed.

    `got` may come from anywhere: a malformed record is wrong, never an error.
    """
    if reason := foreign(question, got, seed):
        return Verdict(WRONG, "Not right yet.", reason)
    if got.get("status") == NOT_ATTEMPTED:
        return Verdict(NOT_ATTEMPTED, "Not attempted yet.", str(got.get("note", ""))[:200])
    results = _part(got, "cases", [])
    cases = question.drawn(seed)[: len(results)]
    slow = _too_slow(got, len(expected["cases"]))
    raw = [_part(result, "outcome", {}) for result in results]
    rights = [result["outcome"] for result in expected["cases"][: len(cases)]]
    comparison = Comparison.of(question, seed, raw, rights)
    changed = _changed(question, results, cases)
    if not comparison.wrong:
        return changed or slow or _right_unless(question, got, expected, len(cases))
    verdict = _wrong(comparison, changed or _unlike_before(got, cases))
    return replace(verdict, text=f"{verdict.text}\n{slow.title} {slow.text}") if slow else verdict


def _part(value, key, default):
    part = value.get(key, default) if isinstance(value, dict) else default
    return part if isinstance(part, type(default)) else default


def _too_slow(got, count) -> Verdict | None:
    slow = _part(got, "slow", {})
    if not slow:
        return None
    seconds, ours = (_part(slow, key, 0.0) for key in ("seconds", "ours"))
    done = len(_part(got, "cases", []))
    where = f" in case {done + 1} of {count}" if done < count else " for all cases"
    compared = f"; our answer takes {ours:g} seconds for all {count}" if ours else ""
    return Verdict(
        WRONG,
        "It is too slow.",
        f"It took more than {seconds:g} seconds{where if count > 1 else ''}{compared}. "
        "A loop without end, or one that does far more than it has to?",
        mistake="It is too slow",
    )


def _changed(question, results, cases) -> Verdict | None:
    for result, case in zip(results, cases, strict=True):
        if changes := _part(result, "changed", []):
            place = _part(changes[0], "place", [])
            what = _named_place(question, place)
            inside = " A copied dict or list still holds the same arrays." if place[1:] else ""
            how = (
                "has been reshaped in place"
                if _part(changes[0], "reshaped", False)
                else ("has changed")
            )
            return Verdict(
                WRONG,
                "The input is overwritten.",
                f"After the call ({case.name}) {what} {how}. Work on a copy, or on a new array: "
                f"a += b writes into a, and a + b makes a new one.{inside}",
                mistake="The input is overwritten",
            )
    return None


ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")


def _named_place(question, place) -> str:
    """The way to something that was passed in, in words, as far as the question gives them."""
    names = list(inspect.signature(question.reference).parameters)
    words = ""
    for key in place:
        if not words:
            words = names[key] if isinstance(key, int) and key in range(len(names)) else str(key)
        elif isinstance(key, int) and key in range(len(ORDINALS)):
            words = f"the {ORDINALS[key]} thing in {words}"
        else:
            words = f"{str(key)[:20]} in {words}"
    return words or "something that was passed in"


def _unlike_before(got, cases) -> Verdict | None:
    if "again" not in got:
        return None
    return Verdict(
        WRONG,
        "The result depends on earlier calls.",
        f"The first call ({cases[0].name}) was made once more at the end, and gave something else. "
        "Does the function change a variable outside of it, or a default argument? Does it add to "
        "an array that begins with np.empty, so with whatever stood there before? Or does it draw "
        "numbers from a generator that it was not given?",
        mistake="The result depends on earlier calls",
    )


def _right_unless(question, got, expected, count) -> Verdict:
    """Right, or what is wrong although all results are right."""
    if depends := _unlike_before(got, question.drawn(0)):
        return depends
    if question.keeps_dtype and (other := _other_dtype(question, got, expected)):
        return Verdict(
            WRONG,
            "The type of the numbers is not kept.",
            f"Where the arrays hold float32, {other}. An array that is made inside holds "
            "float64, unless it is told otherwise: np.zeros(shape, x.dtype).",
            mistake="The type of the numbers is not kept",
        )
    if question.no_loops is not None and got.get("loops") is not False:
        return Verdict(
            WRONG,
            "It still loops over the positions.",
            f"The results are right, but more positions mean more Python to run. "
            f"{question.loop_at_most}",
            mistake="It still loops over the positions",
        )
    if question.least:
        return Verdict(RIGHT, "Right.", _learned(question, got, expected))
    return Verdict(RIGHT, "Right.", f"All {count} cases agree.")


def _learned(question, got, expected) -> str:
    results = zip(got["cases"], expected["cases"], strict=True)
    counts = [count_right(mine["outcome"], right["outcome"]) for mine, right in results]
    size = len(expected["cases"][0]["outcome"]["data"])
    right = listed([str(count) for count in counts])
    return f"{right} of {size} are right, and {question.least} were asked for."


def _other_dtype(question, got, expected) -> str:
    mine, right = (split(_part(r, "float32", {}), question.parts) for r in (got, expected))
    for part, outcome in right.items():
        name = part or "the result"
        if found := compare(mine[part], outcome, Case("", ()), **question.tolerances):
            return f"{name} is not right: {found.text}"
        if outcome["kind"] == "array" and mine[part].get("dtype") != outcome["dtype"]:
            return f"{name} holds {str(mine[part].get('dtype'))[:20]}, not {outcome['dtype']}"
    return ""


def _wrong(comparison: Comparison, other: Verdict | None) -> Verdict:
    """The verdict where results differ; `other` is what is wrong with the function besides."""
    named = comparison.recognize()
    everywhere = comparison.wrong
    wrong = (
        comparison.wrong_by_itself
        or [part for part in everywhere if part in named][:1]
        or everywhere[:1]
    )
    shown = wrong[0]
    first, difference = comparison.first(shown)
    mistake = named.get(shown)
    alone = (
        mistake is not None
        and not mistake.part
        and all(named.get(part) is mistake for part in wrong)
    )
    right = [part for part in comparison.question.parts if part not in everywhere]
    praise = f"{listed(right)} {'is' if len(right) == 1 else 'are'} right.\n" if right else ""
    # A call that stopped says nothing of the other parts.
    others = [] if alone or comparison.whole[first] else wrong[1:]
    where = comparison.where(shown) + _others(others, named)
    # Where there are several things, below lines about others, it says which one it is about.
    words = f"{shown}: {difference.detail}" if shown else _capitalized(difference.detail)
    detail = difference.detail and f"{words}."
    sight = comparison.sight(shown)

    def said(name, look, *, of_part=True):
        title = f"{shown}: {name}." if of_part and shown else f"{name}."
        return Verdict(WRONG, title, f"{praise}{look}\n{where}", detail, name, sight)

    if mistake is not None:
        return said(mistake.name, mistake.look, of_part=not alone)
    if other is not None:
        text = f"{other.text}\n{where}"
        return Verdict(WRONG, other.title, text, detail, other.mistake, sight)
    if why := comparison.undecidable():
        return Verdict(NOT_DECIDABLE, "This cannot be decided here.", f"{why}\n{where}", detail)
    if finding := comparison.finding(shown):
        return said(*finding)
    if not (difference.title or difference.mistake) and (identity := comparison.broken(shown)):
        return said(identity.name, identity.look, of_part=False)
    found = difference.mistake
    title = difference.title or (f"{found}." if found else "Not right yet.")
    return Verdict(WRONG, title, praise + where, detail, found, sight)


def _capitalized(words: str) -> str:
    return words[:1].upper() + words[1:]


def _others(wrong, named) -> str:
    """A line on each wrong part besides the one that is shown."""
    return "".join(
        f"\n{part}: {named[part].name}." if part in named else f"\n{part} is not right either."
        for part in wrong
    )
