"""A learner's results beside the right ones: where they differ, and what explains it."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cnnlab.check.findings import Finding, find_any
from cnnlab.check.mistakes import Mistake, SizesClash, Undecided, WrongNumbers
from cnnlab.check.picture import Sight, sight
from cnnlab.check.questions import Question
from cnnlab.check.record import (
    Case,
    Difference,
    compare,
    is_error,
    nearly,
    numbers,
    run_case,
    same,
    same_error,
    split,
)


@lru_cache(maxsize=2048)  # of the largest question 1036 are needed
def given_by(wrong: Mistake, question: Question, seed: int, number: int) -> dict[str, dict]:
    """What a wrong version gives in a case, part by part: whoever checks again need not wait."""
    view = (lambda value: value) if wrong.part else question.named
    case = question.drawn(seed)[number]
    outcome = run_case(question.asked(wrong.function), case, view)["outcome"]
    # One part may be a list or a dict itself: then it is not to be taken apart.
    return {wrong.part: outcome} if wrong.part else split(outcome, question.parts)


@dataclass(frozen=True)
class Comparison:
    """What a learner's function gave in each case, part by part, beside what is right."""

    question: Question
    seed: int
    cases: tuple[Case, ...]
    outcomes: list[dict[str, dict]]
    rights: list[dict[str, dict]]
    differences: list[dict[str, Difference | None]]
    whole: list[bool]  # whether the call gave no part at all, and so says nothing of any one

    @classmethod
    def of(cls, question, seed, raw, rights):
        parts, cases = question.parts, question.drawn(seed)[: len(raw)]
        outcomes = [split(outcome, parts) for outcome in raw]
        rights = [split(outcome, parts) for outcome in rights]
        differences = [
            {part: question.compare(mine[part], right[part], case) for part in parts}
            for mine, right, case in zip(outcomes, rights, cases, strict=True)
        ]
        whole = [len(parts) > 1 and outcome.get("kind") != "parts" for outcome in raw]
        return cls(question, seed, cases, outcomes, rights, differences, whole)

    @property
    def wrong(self) -> list[str]:
        """The parts that differ in some case."""
        return [p for p in self.question.parts if any(found[p] for found in self.differences)]

    @property
    def wrong_by_itself(self) -> list[str]:
        """The parts that differ in a case that gave parts."""
        pairs = list(zip(self.differences, self.whole, strict=True))
        return [p for p in self.wrong if any(found[p] and not whole for found, whole in pairs)]

    def first(self, part: str) -> tuple[int, Difference]:
        """The first case in which a part differs, and how."""
        column = enumerate(found[part] for found in self.differences)
        return next((number, found) for number, found in column if found is not None)

    def where(self, part: str) -> str:
        """A sentence on that, and how many cases are right."""
        first, difference = self.first(part)
        text = difference.text if self.whole[first] or not part else f"{part}: {difference.text}"
        count, name = len(self.cases), self.cases[first].name
        where = f"First seen in case {first + 1} of {count} ({name}): {text.rstrip('.')}."
        if passed := sum(found[part] is None for found in self.differences):
            where += f" {passed} of {count} cases {'is' if passed == 1 else 'are'} right."
        return where

    def sight(self, part: str) -> Sight | None:
        """The picture of the first case in which a part is wrong in value, if it is an image."""
        first, _ = self.first(part)
        right, mine = self.rights[first][part], self.outcomes[first][part]
        expected, got = (numbers(o) if o.get("kind") == "array" else None for o in (right, mine))
        if expected is None or got is None or got.shape != expected.shape:
            return None
        close = np.isclose(got, expected, **self.question.tolerances, equal_nan=True)
        return sight(part, expected, got, close)

    def recognize(self) -> dict[str, Mistake]:
        """For each wrong part the known mistake that explains it, if there is one.

        A wrong version of the whole that explains all parts together comes before others.
        """
        question, parts = self.question, self.question.parts
        known: dict[str, Mistake] = {}
        # Where the learner's result differs, most wrong versions give another one: those first.
        by_difference = sorted(
            range(len(self.cases)), key=lambda number: not any(self.differences[number].values())
        )
        for wrong in question.mistakes:
            if wrong.part and (wrong.part not in self.wrong or wrong.part in known):
                continue
            explained = {wrong.part} if wrong.part else set(parts)
            for number in by_difference:
                theirs = given_by(wrong, question, self.seed, number)
                explained = {p for p in explained if self._explains(number, p, theirs[p])}
                if not explained:
                    break
            named = explained & set(self.wrong)
            if len(explained) == len(parts):
                return dict.fromkeys(named, wrong)
            for part in set() if wrong.together else named:
                known.setdefault(part, wrong)
        return known

    def _explains(self, number: int, part: str, wrong: dict) -> bool:
        """Whether a wrong version that gives this in a case explains what the learner's gives."""
        case, tolerances = self.cases[number], self.question.tolerances
        mine, right = self.outcomes[number][part], self.rights[number][part]
        differs = self.differences[number][part] is not None
        if is_error(wrong, WrongNumbers) and not is_error(mine, WrongNumbers):
            return differs and mine.get("kind") != "error"
        if is_error(wrong, SizesClash):
            return differs and any(is_error(mine, kind) for kind in (ValueError, IndexError))
        if is_error(wrong, Undecided):
            return differs
        if not differs and compare(wrong, right, case, **tolerances) is None:
            return True
        # An error that is asked for elsewhere is raised with words of the learner's own.
        kinds = {case.raises for case in self.cases if case.raises}
        alike = (
            same(mine, wrong, **tolerances)
            or same_error(mine, wrong)
            or any(is_error(mine, kind) and is_error(wrong, kind) for kind in kinds)
        )
        return alike and not (differs and compare(wrong, right, case, **tolerances) is None)

    def undecidable(self) -> str:
        """Why the differences say nothing about the answer; empty where they do."""
        found = [
            (mine[part], right[part])
            for mine, right, differs in zip(
                self.outcomes, self.rights, self.differences, strict=True
            )
            for part in self.question.parts
            if differs[part]
        ]
        if all(is_error(mine, MemoryError) for mine, _ in found):
            return "The computer ran out of memory, which need not be the fault of the answer."
        if all(right["kind"] != "error" and nearly(mine, right) for mine, right in found):
            return (
                "The numbers differ, but by no more than rounding in half precision does, or where "
                "there is no right number. Is something computed in float16, or with another small "
                "constant?"
            )
        return ""

    def finding(self, part: str) -> Finding | None:
        """What is wrong with a part that could be wrong with any."""
        if self.question.least:  # classes, of which one may well be 0 throughout
            return None
        outcomes, rights = ([one[part] for one in some] for some in (self.outcomes, self.rights))
        return find_any(part, self.cases, outcomes, rights, self.question.tolerances)

    def broken(self, part: str):
        """The first identity that a right result keeps and one with this part breaks, or None."""
        for identity in self.question.identities:
            for case, mine, right in zip(self.cases, self.outcomes, self.rights, strict=True):
                if (
                    self._holds(identity, case, right)
                    and self._holds(identity, case, right | {part: mine[part]}) is False
                ):
                    return identity
        return None

    def _holds(self, identity, case, outcome) -> bool | None:
        results = [numbers(part) for part in outcome.values()]
        if any(result is None for result in results):
            return None
        try:
            with np.errstate(all="ignore"):
                result = results[0] if len(results) == 1 else tuple(results)
                return bool(identity.holds(*case.args, result, **case.options))
        except Exception:  # of a result of another shape nothing can be said
            return None
