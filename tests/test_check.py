"""The checker: right answers pass, however they are written; wrong ones are called by name."""

import json
import re

import numpy as np
import pytest

from answers import RIGHT_ANSWERS
from answers.a1_convolution import conv_loops, size_by_divmod
from cnnlab.check import check, when_written
from cnnlab.check.mistakes import MISTAKES
from cnnlab.check.questions import QUESTIONS, find
from cnnlab.check.verdict import NOT_ATTEMPTED, RIGHT, WRONG, judge, make_record, reference_record


def verdict_on(question_id, answer, seed=0):
    question = find(question_id)
    record = json.loads(json.dumps(make_record(question, answer, seed), allow_nan=False))
    return judge(question, record, reference_record(question, seed), seed)


@pytest.mark.parametrize(("question_id", "answer"), RIGHT_ANSWERS)
@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_right_answers_pass_however_they_are_written(question_id, answer, seed):
    assert verdict_on(question_id, answer, seed).status == RIGHT


def _questions_of(operation):
    return [question for question in QUESTIONS.values() if question.operation == operation]


WRONG_ANSWERS = [
    pytest.param(question, wrong, id=f"{question.id}-{wrong.function.__name__}")
    for operation, wrongs in MISTAKES.items()
    for wrong in wrongs
    for question in _questions_of(operation)
]


@pytest.mark.parametrize(("question", "wrong"), WRONG_ANSWERS)
def test_every_known_mistake_is_caught_and_named(question, wrong):
    def answer(*args, **options):
        value = wrong.function(*args, **options)
        return (value, None) if question.id == "a1.conv_forward" else value

    for seed in range(5):
        verdict = verdict_on(question.id, answer, seed)
        assert verdict.status == WRONG
        assert verdict.mistake == wrong.name


def test_an_unknown_mistake_is_wrong_without_a_name():
    verdict = verdict_on("a1.conv_loops", lambda x, w, b, **options: conv_loops(x, w, b) * 1.01)
    assert verdict.status == WRONG
    assert verdict.mistake == ""
    assert "First seen in case 1 of 6 (one filter, one channel)" in verdict.text


@pytest.mark.parametrize(
    "answer",
    [None, lambda *args, **options: (_ for _ in ()).throw(NotImplementedError("Write it here"))],
    ids=["None", "stub"],
)
def test_nothing_written_is_not_a_wrong_answer(answer):
    assert verdict_on("a1.conv_loops", answer).status == NOT_ATTEMPTED


def test_the_stub_of_another_answer_is_named():
    def output_size():
        raise NotImplementedError("Write output_size here, then run this cell.")

    verdict = verdict_on("a1.conv_loops", lambda *args, **options: output_size())
    assert verdict.status == NOT_ATTEMPTED
    assert verdict.text == "Write output_size here, then run this cell."


def _comprehension(x, w, b, *, stride=1, pad=0):
    p, (FH, FW) = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0))), w.shape[:2]
    rows, columns = range(0, p.shape[1] - FH + 1, stride), range(0, p.shape[2] - FW + 1, stride)
    return np.array(
        [[np.tensordot(p[:, i : i + FH, j : j + FW], w, 3) + b for j in columns] for i in rows]
    ).transpose(2, 0, 1, 3)


@pytest.mark.parametrize("answer", [conv_loops, _comprehension])
def test_loops_are_right_where_loops_are_asked_for_and_named_where_not(answer):
    assert verdict_on("a1.conv_loops", answer).status == RIGHT
    verdict = verdict_on("a1.conv_forward", lambda *args, **options: (answer(*args, **options), 0))
    assert (verdict.status, verdict.mistake) == (WRONG, "It still loops over the positions")


NOT_NAMED = [
    # What only looks like a known mistake must not be called by its name.
    ("a1.output_size", lambda *_, **__: 1 / 0),
    ("a1.conv_loops", lambda *_, **__: undefined_name),  # noqa: F821
    ("a1.conv_loops", lambda x, w, b, **_: conv_loops(x, w, b, pad=1 / 0)),
]


def _asserts(size, kernel_size, *, stride=1, pad=0):
    room = size - kernel_size + 2 * pad
    if room < 0 or room % stride:
        raise TypeError("does not fit")
    return room // stride + 1


@pytest.mark.parametrize(("question_id", "answer"), [*NOT_NAMED, ("a1.output_size", _asserts)])
def test_an_error_of_its_own_is_not_called_by_another_name(question_id, answer):
    verdict = verdict_on(question_id, answer)
    assert (verdict.status, verdict.mistake) == (WRONG, "")


def test_overwriting_the_input_is_named():
    def answer(x, w, b, *, stride=1, pad=0):
        out = conv_loops(x, w, b, stride=stride, pad=pad)
        x += 1
        return out

    verdict = verdict_on("a1.conv_loops", answer)
    assert verdict.status == WRONG
    assert verdict.mistake == "The input is overwritten"


WORDS = [
    (
        "a1.conv_loops",
        lambda x, w, b, **_: None,
        r"returned None \(is the return missing\?\), expected",
    ),
    ("a1.conv_loops", lambda x, w, b, **_: "done", r"returned str, expected an array"),
    ("a1.conv_loops", lambda x, w, b, **_: 1 / 0, r"stopped with ZeroDivisionError"),
    ("a1.conv_loops", lambda x, w: x, r"stopped with TypeError"),
    ("a1.conv_loops", lambda x, w, b, **_: x[0], r"the shape is \(4, 4, 1\), expected \(1, 2, 2"),
    ("a1.conv_forward", lambda x, w, b, **_: x, r"return two things, out and cache"),
    (
        "a1.output_size",
        lambda size, window, *, stride=1, pad=0: (size - window + 2 * pad) // stride + 1,
        r"should raise ValueError here, and returned a value",
    ),
    ("a1.output_size", lambda *_, **__: 5.0, r"returned a float, expected a whole number"),
    ("a1.conv_forward", lambda x, w, b, **_: (x, w, b), r"out and cache; this returned 3"),
    (
        "a1.output_size",
        lambda s, w, *, stride=1, pad=0: (
            size_by_divmod(s, w, stride=stride, pad=pad)
            if (s - w + 2 * pad) % stride == 0 and s - w + 2 * pad >= 0
            else ValueError("no")
        ),
        r"an error is raised, not returned",
    ),
    ("a1.output_size", lambda *_, **__: np.ones(2), r"expected one number, got an array of shape"),
    ("s0.patch_response", lambda p, k: np.nan, r"the number is not the expected one"),
    ("s0.patch_response", lambda p, k: np.inf, r"the number is not the expected one"),
]


@pytest.mark.parametrize(("question_id", "answer", "words"), WORDS)
def test_the_verdict_says_what_was_expected_and_what_came(question_id, answer, words):
    verdict = verdict_on(question_id, answer)
    assert verdict.status == WRONG
    assert re.search(words, verdict.text)


MALFORMED = [
    {},
    {"cases": None},
    {"cases": []},
    {"cases": [None] * 3},
    {"cases": [{"outcome": 3}] * 3},
    {"cases": [{"outcome": {"kind": "array"}}] * 3},
    {"cases": [{"outcome": {"kind": "array", "shape": [], "data": ["x"]}}] * 3},
    {"cases": [{"outcome": {"kind": "array", "shape": [], "data": [[1]]}}] * 3},
    {"cases": [{"outcome": {"kind": "array", "shape": [], "dtype": 1, "data": [1, 2]}}] * 3},
    {"cases": [{"outcome": {"kind": "array", "shape": [], "data": ["nan"]}}] * 3},
    {"cases": [{"outcome": {"kind": "error", "type": 3}}] * 3},
    {"status": "right", "cases": [{"outcome": {"kind": "right"}}] * 3},
    {"cases": [{"outcome": {"kind": "array", "shape": [], "data": [10**400]}}] * 3},
]


@pytest.mark.parametrize("record", MALFORMED)
def test_a_malformed_record_is_wrong_and_never_an_error(record):
    question = find("s0.patch_response")
    assert judge(question, record, reference_record(question, 0), 0).status == WRONG


@pytest.mark.parametrize("types", [5, None, [], [3], "ValueError"])
def test_a_malformed_error_is_not_the_expected_one(types):
    question = find("a1.output_size")
    right = reference_record(question, 0)
    forged = {"kind": "error", "type": types, "message": 3}
    cases = [
        {"outcome": forged} if case["outcome"]["kind"] == "error" else case
        for case in right["cases"]
    ]
    assert judge(question, right | {"cases": cases}, right, 0).status == WRONG


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_the_numbers_of_a_record_are_exact(question):
    # Multiples of 1/64 leave no room for rounding, so stored outputs agree on every machine.
    for case in reference_record(question, 0)["cases"]:
        data = np.array(case["outcome"].get("data", []), float)
        assert (data * 64 == np.round(data * 64)).all()


def test_a_fresh_seed_draws_other_numbers():
    question = find("a1.conv_loops")
    assert reference_record(question, 1) != reference_record(question, 2)


def test_an_unknown_question_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"no question 'a1.convv'; there are: .*a1.conv_loops"):
        check("a1.convv", None)


def test_when_written_lets_other_errors_through(capsys):
    with when_written("f", "g"):
        raise NotImplementedError
    assert capsys.readouterr().out == "This cell runs once you have written f and g.\n"
    with pytest.raises(ZeroDivisionError), when_written("f"):
        1 / 0  # noqa: B018


def test_the_card_escapes_what_a_learner_made():
    def answer(patch, kernel):
        raise RuntimeError("<script>alert(1)</script>")

    assert "<script>" not in verdict_on("s0.patch_response", answer).html()
