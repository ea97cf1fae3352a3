"""Asking the checker, as a page and a grader do."""

import json
from functools import cache
from itertools import zip_longest

from cnnlab.check.questions import find
from cnnlab.check.verdict import judge, make_record, reference_record


def verdict_on(question, answer, seed=0):
    """The verdict on a function; what is written down crosses from one process to another."""
    question = find(question) if isinstance(question, str) else question
    record = json.loads(json.dumps(make_record(question, answer, seed), allow_nan=False))
    return judge(question, record, _right(question, seed), seed)


def as_of(question, record):
    """A record that says that it is of this question's cases, whatever else stands in it."""
    cases = record.get("cases")
    if isinstance(cases, list):
        names = [case.name for case in question.drawn(0)]
        cases = [
            case | {"name": name} if isinstance(case, dict) else case
            for case, name in zip_longest(cases, names[: len(cases)])
        ]
    return {"question": question.id} | record | {"cases": cases}


@cache
def _right(question, seed):
    return reference_record(question, seed)


def answer_with(question, wrong):
    """A learner's function that makes this mistake, all other parts being right."""

    def answer(*args, **options):
        value = wrong.function(*args, **options)
        if wrong.part:
            right = question.named(question.reference(*args, **options))
            value = tuple((right | {wrong.part: value}).values())
        return question.returned(value)

    return answer
