"""What the checker finds besides known mistakes, each with a name, and what it cannot decide."""

import contextlib
import dataclasses
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from asking import as_of, verdict_on
from cnnlab.check import check
from cnnlab.check.identities import Identity
from cnnlab.check.mistakes import Mistake, Undecided, WrongNumbers
from cnnlab.check.questions import Question
from cnnlab.check.questions.base import eighths
from cnnlab.check.record import Case
from cnnlab.check.verdict import (
    NOT_ATTEMPTED,
    NOT_DECIDABLE,
    RIGHT,
    WRONG,
    judge,
    make_record,
    reference_record,
)

DOUBLE = Question(
    "test.double",
    lambda x: x * 2,
    lambda rng: [Case("a row", (eighths(rng, 4) + 3,)), Case("a matrix", (eighths(rng, 2, 3),))],
    "double",
)
PAIR = Question(
    "test.pair", lambda x: (x * 2, x + 1), DOUBLE.cases, "pair", returns=("twice", "next")
)


@pytest.mark.parametrize(
    ("convert", "mistake"),
    [
        (lambda out: out.astype(int), "Whole numbers where floats are expected"),
        (lambda out: out > 0, "Truth values where floats are expected"),
        (lambda out: out.astype(object), "An array of objects where numbers are expected"),
        (lambda out: out.astype(">i4"), "Whole numbers where floats are expected"),
    ],
)
def test_numbers_of_another_kind_are_named(convert, mistake):
    verdict = verdict_on(DOUBLE, lambda x: convert(x * 2))
    assert (verdict.status, verdict.mistake, verdict.title) == (WRONG, mistake, f"{mistake}.")
    verdict = verdict_on(PAIR, lambda x: (x * 2, convert(x + 1)))
    assert (verdict.status, verdict.mistake) == (WRONG, mistake)
    assert "next: " in verdict.text
    assert "twice is right" in verdict.text


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble, ">f8", ">f4"])
def test_other_floats_are_right(dtype):
    assert verdict_on(DOUBLE, lambda x: (x * 2).astype(dtype)).status == RIGHT


def test_the_type_of_the_input_is_kept_where_the_question_asks_for_it():
    keeps = dataclasses.replace(DOUBLE, keeps_dtype=True)
    both = dataclasses.replace(PAIR, keeps_dtype=True)
    assert verdict_on(keeps, lambda x: x * 2).status == RIGHT
    assert verdict_on(DOUBLE, lambda x: x * np.float64(2)).status == RIGHT
    assert verdict_on(DOUBLE, lambda x: np.zeros(x.shape) + x * 2).status == RIGHT
    verdict = verdict_on(keeps, lambda x: np.zeros(x.shape) + x * 2)
    assert (verdict.status, verdict.mistake) == (WRONG, "The type of the numbers is not kept")
    assert "the result holds float64, not float32" in verdict.text
    verdict = verdict_on(both, lambda x: (x * 2, np.ones(x.shape) + x))
    assert "next holds float64, not float32" in verdict.text
    assert verdict_on(both, lambda x: (x * 2, x + 1)).status == RIGHT
    verdict = verdict_on(keeps, lambda x: x * (2 if x.dtype == np.float64 else 3))
    assert "the result is not right: " in verdict.text
    # A record without that call does not pass either.
    record = make_record(keeps, lambda x: x * 2, 0)
    del record["float32"]
    assert judge(keeps, record, reference_record(keeps, 0), 0).status == WRONG


def test_arrays_inside_a_cache_are_single_precision_too():
    held = Question(
        "test.held",
        lambda d, cache: cache[0] * d,
        lambda rng: [Case("it", (np.ones(3), (np.ones(3), [np.ones(2)], 4)))],
        "held",
        keeps_dtype=True,
    )
    assert verdict_on(held, lambda d, cache: cache[0] * d).status == RIGHT
    assert verdict_on(held, lambda d, cache: cache[0] * d + np.zeros(3)).status == WRONG


def _prints(x):
    print(x * 2)


def test_printing_instead_of_returning_is_named_and_still_printed(capsys):
    for question in (DOUBLE, PAIR):
        verdict = verdict_on(question, _prints)
        assert verdict.mistake == "It prints the result instead of returning it"
        assert verdict.status == WRONG
        assert str(question.cases(np.random.default_rng(0))[0].args[0] * 2) in (
            capsys.readouterr().out
        )
    assert "is not right either" not in verdict.text
    verdict = verdict_on(DOUBLE, lambda x: None)
    assert verdict.mistake == ""
    assert "returned None (is the return missing?)" in verdict.text
    verdict = verdict_on(DOUBLE, lambda x: print() if x.ndim == 1 else print("\n"))
    assert verdict.mistake == ""


def test_printing_besides_is_nobodys_business(capsys):
    def answer(x):
        print("here", flush=True)
        print(sys.stdout.encoding)
        return x * 2

    assert verdict_on(DOUBLE, answer).status == RIGHT
    assert capsys.readouterr().out.count("here\n") == 3  # two cases, the first of them twice


def _with_memory():
    seen = []

    def answer(x):
        seen.append(1)
        return x * 2 + (len(seen) > 2)

    return answer


def _with_default(x, calls=[]):  # noqa: B006
    calls.append(1)
    return x * 2 + (len(calls) > 2)


@pytest.mark.parametrize("answer", [_with_memory(), _with_default], ids=["closure", "default"])
def test_what_depends_on_earlier_calls_is_named(answer):
    verdict = verdict_on(DOUBLE, answer)
    assert (verdict.status, verdict.mistake) == (WRONG, "The result depends on earlier calls")
    assert "The first call (a row) was made once more" in verdict.text


def test_chance_that_nobody_gave_depends_on_earlier_calls():
    rng = np.random.default_rng(0)
    verdict = verdict_on(DOUBLE, lambda x: x * 2 + rng.normal(size=x.shape))
    assert verdict.mistake == "The result depends on earlier calls"
    assert "First seen in case 1 of 2" in verdict.text


def test_a_first_call_that_stops_and_does_not_again_is_seen():
    tries = []

    def answer(x):
        tries.append(x)
        if len(tries) == 1:
            raise RuntimeError("not warm")
        return x * 2

    assert verdict_on(DOUBLE, answer).mistake == "The result depends on earlier calls"


def test_an_error_whose_words_differ_is_the_same_error():
    counter = iter(range(99))

    def answer(x):
        raise RuntimeError(f"object number {next(counter)}")

    assert verdict_on(DOUBLE, answer).title == "It stops with RuntimeError."


def test_the_record_of_an_answer_does_not_change_from_run_to_run():
    records = [make_record(DOUBLE, lambda x: x * 2, 0) for _ in range(2)]
    assert records[0] == records[1]
    assert set(records[0]) == {"question", "status", "cases"}


QUICK = dataclasses.replace(DOUBLE, seconds=0.3)


def _endless(x):
    while True:
        pass


def _endless_and_deaf(x):
    while True:
        with contextlib.suppress(Exception):
            time.sleep(0.01)


def _catches_once(x):
    try:
        _endless(x)
    except BaseException:
        _endless(x)


ENDLESS = [_endless, _endless_and_deaf]


@pytest.fixture(params=["timer", "as by Ctrl+C"])
def way(request, monkeypatch):
    """Both ways to interrupt: the second is that of Windows."""
    if request.param == "timer" and not hasattr(signal, "setitimer"):
        pytest.skip("there is no such timer here")
    if request.param != "timer":
        monkeypatch.delattr("signal.setitimer", raising=False)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("answer", ENDLESS)
def test_a_call_without_end_is_interrupted_and_said(answer):
    began = time.monotonic()
    verdict = verdict_on(QUICK, answer)
    assert time.monotonic() - began < 5
    assert (verdict.status, verdict.mistake) == (WRONG, "It is too slow")
    assert "It took more than 0.3 seconds in case 1 of 2; our answer takes " in verdict.text
    assert "for all 2" in verdict.text


def test_code_that_catches_the_interruption_is_interrupted_again():
    if not hasattr(signal, "setitimer"):
        pytest.skip("Windows interrupts once")
    assert verdict_on(QUICK, _catches_once).mistake == "It is too slow"


@pytest.mark.usefixtures("way")
def test_what_was_wrong_before_it_became_too_slow_is_said_too():
    verdict = verdict_on(QUICK, lambda x: x * 3 if x.ndim == 1 else _endless(x))
    assert (verdict.status, verdict.title) == (WRONG, "Not right yet.")
    assert "First seen in case 1 of 1" in verdict.text
    assert "It is too slow. It took more than 0.3 seconds in case 2 of 2" in verdict.text


def test_elsewhere_than_in_the_main_thread_time_is_only_measured():
    found = []

    def slow(x):
        time.sleep(0.2)
        return x * 2

    thread = threading.Thread(target=lambda: found.append(verdict_on(QUICK, slow)))
    thread.start()
    thread.join()
    assert found[0].mistake == "It is too slow"
    assert "more than 0.6 seconds for all cases" in found[0].text


def test_what_is_fast_enough_says_nothing_of_time():
    assert "slow" not in make_record(QUICK, lambda x: x * 2, 0)


def test_counting_lines_has_an_end_too():
    question = dataclasses.replace(
        DOUBLE,
        seconds=0.3,
        no_loops=lambda rng: (Case("1", (np.ones(1),)), Case("100", (np.ones(100),))),
    )
    verdict = verdict_on(question, lambda x: x * 2 if len(x) < 100 else _endless(x))
    assert verdict.mistake == "It still loops over the positions"


CTRL_C = """
import signal, sys, threading
import numpy as np
sys.path.insert(0, {tests!r})
if {windows}:
    del signal.setitimer
from test_check_findings import DOUBLE, _endless
from cnnlab.check.verdict import make_record
threading.Timer(0.5, lambda: signal.raise_signal(signal.SIGINT)).start()
try:
    make_record(DOUBLE, _endless, 0)
except KeyboardInterrupt:
    print("interrupted by the user")
"""


@pytest.mark.parametrize("windows", [False, True])
def test_a_real_ctrl_c_is_not_swallowed(windows, tmp_path):
    script = CTRL_C.format(tests=str(Path(__file__).parent), windows=windows)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert "interrupted by the user" in done.stdout, done.stderr


def test_half_precision_is_not_decidable_and_more_than_that_is_wrong():
    verdict = verdict_on(DOUBLE, lambda x: x.astype(np.float16) * np.float16(1.9990))
    assert verdict.status == NOT_DECIDABLE
    assert verdict.title == "This cannot be decided here."
    assert "half precision" in verdict.text
    assert "First seen in case 1 of 2" in verdict.text
    assert verdict_on(DOUBLE, lambda x: x * 2 * (1 + 2**-9)).status == WRONG
    assert verdict_on(PAIR, lambda x: (x * 2.001, x + 1)).status == NOT_DECIDABLE
    assert verdict_on(PAIR, lambda x: (x * 2.001, x + 2)).status == WRONG


OVERFLOW = Question(
    "test.overflow",
    lambda x: np.where(x > 5, np.inf, x),
    lambda rng: [Case("it", (np.arange(9.0),))],
    "overflow",
)


def test_two_values_that_are_no_numbers_are_not_decidable():
    assert verdict_on(OVERFLOW, lambda x: np.where(x > 5, np.inf, x)).status == RIGHT
    assert verdict_on(OVERFLOW, lambda x: np.where(x > 5, np.nan, x)).status == NOT_DECIDABLE
    assert verdict_on(OVERFLOW, lambda x: np.where(x > 4, np.nan, x)).status == WRONG
    assert verdict_on(OVERFLOW, lambda x: x).status == WRONG


def test_out_of_memory_is_not_decidable():
    verdict = verdict_on(DOUBLE, lambda x: np.zeros(2**48))
    assert verdict.status == NOT_DECIDABLE
    assert "ran out of memory" in verdict.text
    verdict = verdict_on(DOUBLE, lambda x: np.zeros(2**48) if x.ndim == 1 else x * 3)
    assert verdict.status == WRONG


def test_the_form_is_said_before_anything_about_the_numbers():
    always_broken = Identity("The sum is wrong", "Look.", lambda x, out: out.sum() == x.sum() * 2)
    question = dataclasses.replace(DOUBLE, identities=(always_broken,))
    assert verdict_on(question, lambda x: x * 3).title == "The sum is wrong."
    for wrong in (lambda x: x[:-1] * 3, lambda x: x[None] * 3):
        verdict = verdict_on(question, wrong)
        assert (verdict.title, verdict.mistake) == ("The shape is not the expected one.", "")
    verdict = verdict_on(question, lambda x: x * np.nan)
    assert verdict.mistake == "There is nan or inf among the numbers"
    assert "np.empty" in verdict.text
    verdict = verdict_on(question, lambda x: x * 0)
    assert (verdict.title, verdict.mistake) == ("It is zero.", "It is zero")
    assert "Is there a line that adds to the result?" in verdict.text


def test_a_part_that_is_zero_is_named_and_what_is_right_is_said_first():
    verdict = verdict_on(PAIR, lambda x: (x * 0, x + 1))
    assert (verdict.title, verdict.mistake) == ("twice: It is zero.", "It is zero")
    assert verdict.text.startswith("next is right.\nIs there a line that adds to twice?\n")
    assert verdict_on(PAIR, lambda x: (x * (x.ndim - 1), x + 1)).mistake == ""


def test_an_identity_speaks_of_the_part_that_is_shown():
    broken = Identity("next is odd", "Look.", lambda x, out: np.allclose(out[1], x + 1))
    question = dataclasses.replace(PAIR, identities=(broken,))
    assert verdict_on(question, lambda x: (x * 2, x + 2)).title == "next is odd."
    assert verdict_on(question, lambda x: (x * 3, x + 2)).title == "Not right yet."


IMAGES = Question(
    "test.images",
    lambda x: x * 2,
    lambda rng: [
        Case("small", (eighths(rng, 2, 3, 4, 5),)),
        Case("flat", (eighths(rng, 2, 1, 4, 1),)),
    ],
    "images",
)
ON_IMAGES = {
    "(N, C, H, W)": lambda x: x.transpose(0, 3, 1, 2) * 2,
    "(K, C, FH, FW)": lambda x: x.transpose(3, 2, 0, 1) * 2,
    "reshaped": lambda x: (x * 2).reshape(x.transpose(0, 3, 1, 2).shape),
}


@pytest.mark.parametrize("answer", ON_IMAGES.values(), ids=ON_IMAGES)
def test_channels_first_is_named_in_every_question(answer):
    verdict = verdict_on(IMAGES, answer)
    assert (verdict.title, verdict.mistake) == ("Channels first.", "Channels first")
    two = dataclasses.replace(IMAGES, reference=lambda x: (x * 2, x + 1), returns=("twice", "next"))
    verdict = verdict_on(two, lambda x: (x * 2, answer(x + 1) / 2))
    assert verdict.title == "next: Channels first."
    assert verdict_on(IMAGES, lambda x: answer(x) + 1).mistake == ""


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: (x * 2, (x, x, 3)),
        lambda x: [x * 2, None],
    ],
)
def test_a_cache_that_nobody_asked_for_is_named(answer):
    verdict = verdict_on(DOUBLE, answer)
    assert verdict.mistake == "Several things are returned where one is asked for"
    assert verdict_on(DOUBLE, lambda x: (x * 3, None)).mistake == ""
    assert verdict_on(DOUBLE, lambda x: (x * 2,)).mistake == ""


POSITIVE = Question(
    "test.positive",
    lambda size: size * 2,
    lambda rng: [Case("five", (5,)), Case("minus one", (-1,), raises=ValueError)],
    "positive",
)


def test_refusing_what_is_right_does_not_read_like_a_crash():
    def too_strict(size):
        raise ValueError("my own words")

    name = "It raises an error where there is a right answer"
    assert verdict_on(POSITIVE, too_strict).mistake == name
    assert verdict_on(POSITIVE, lambda size: [][size]).title == "It stops with IndexError."


def test_an_assert_is_not_an_error_that_is_raised():
    def answer(size):
        assert size > 0
        return size * 2

    assert verdict_on(POSITIVE, answer).mistake == "assert instead of raise ValueError"


def test_a_refusal_is_known_whatever_its_words(monkeypatch):
    def refuses(size):
        raise ValueError("does not fit")

    def in_other_words(size):
        raise ValueError("no, thank you")

    known = {"positive": [Mistake("Always refused", "Look.", refuses)]}
    monkeypatch.setattr("cnnlab.check.questions.base.MISTAKES", known)
    assert verdict_on(POSITIVE, in_other_words).mistake == "Always refused"


def _right_on_rows(kind):
    def wrong(x):
        if x.ndim > 1:
            raise kind
        return x * 2

    return wrong


def test_numbers_that_could_be_any_are_not_an_error(monkeypatch):
    def stops(x):
        return x * 2 if x.ndim == 1 else x[10]

    known = {"double": [Mistake("On rows only", "Look.", _right_on_rows(WrongNumbers))]}
    monkeypatch.setattr("cnnlab.check.questions.base.MISTAKES", known)
    assert verdict_on(DOUBLE, lambda x: x * (x.ndim + 1)).mistake == "On rows only"
    assert verdict_on(DOUBLE, stops).title == "It stops with IndexError."
    known["double"] = [Mistake("On rows only", "Look.", _right_on_rows(Undecided))]
    assert verdict_on(DOUBLE, stops).mistake == "On rows only"


KEEPING = Question(
    "test.keeping",
    lambda dout, cache, *, table: 1.0,
    lambda rng: [
        Case("it", (eighths(rng, 3) + 9, (np.ones((2, 2)), [4])), {"table": {"w": np.ones(2)}})
    ],
    "keeping",
)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda dout, cache, table: dout.fill(0), "dout has changed"),
        (lambda dout, cache, table: cache[0].fill(0), "the first thing in cache has changed"),
        (lambda dout, cache, table: cache[1].append(3), "the second thing in cache has changed"),
        (lambda dout, cache, table: table["w"].fill(0), "w in table has changed"),
        (lambda dout, cache, table: table.update(w=3), "w in table has changed"),
        (lambda dout, cache, table: table.clear(), "table has changed"),
        (
            lambda dout, cache, table: setattr(cache[0], "shape", (4,)),
            "the first thing in cache has been reshaped in place",
        ),
    ],
)
def test_what_was_overwritten_is_said_by_name(change, words):
    def answer(dout, cache, *, table):
        change(dout, cache, table)
        return 1.0

    verdict = verdict_on(KEEPING, answer)
    assert verdict.mistake == "The input is overwritten"
    assert f"After the call (it) {words}. Work on a copy" in verdict.text
    inside = "thing in" in words or " in table" in words
    assert ("A copied dict or list still holds the same arrays" in verdict.text) == inside


def test_nothing_is_said_of_other_parts_where_the_call_stopped():
    def answer(w, g, v, *, learning_rate, momentum, weight_decay):
        if w.ndim == 1:
            raise ValueError("no")
        return w, v

    text = verdict_on("a6.momentum_step", answer).text
    assert "it stopped with ValueError" in text
    assert "not right either" not in text


@pytest.mark.parametrize(
    "changed", [[3], [{"place": 3}], [{"place": [99]}], [{"place": [[], {}]}], [{}]]
)
def test_a_malformed_change_is_an_overwritten_input_and_no_error(changed):
    right = reference_record(KEEPING, 0)
    cases = [right["cases"][0] | {"changed": changed}]
    verdict = judge(KEEPING, right | {"cases": cases}, right, 0)
    assert verdict.mistake == "The input is overwritten"


def test_memory_that_nobody_wrote_to_is_mentioned_where_calls_differ():
    stood_there = iter([3.0, 5.0, 7.0])
    verdict = verdict_on(DOUBLE, lambda x: x * 2 + next(stood_there))
    assert "np.empty" in verdict.text


def test_one_number_is_not_counted():
    question = dataclasses.replace(DOUBLE, cases=lambda rng: [Case("it", (np.ones((1, 1)),))])
    assert "(it): its number differs." in verdict_on(question, lambda x: x * 3).text


def test_whole_numbers_are_never_half_right():
    count = Question("test.count", lambda n: n, lambda rng: [Case("it", (10**6,))], "count")
    assert verdict_on(count, lambda n: n + 1).status == WRONG


def test_a_crash_is_told_from_a_wrong_result_in_the_title():
    assert verdict_on(DOUBLE, lambda x: x[10]).title == "It stops with IndexError."
    assert verdict_on(DOUBLE, lambda x: x * 3).title == "Not right yet."
    assert verdict_on(PAIR, lambda x: x).title == "Not right yet."
    verdict = verdict_on(PAIR, lambda x: (x * 2, x[10]))
    assert verdict.title == "It stops with IndexError."
    assert "either" not in verdict.text
    assert "(a row): it stopped with IndexError" in verdict.text


CELL = """
def outer(x):
    def inner(y):
        return y[10]
    values = inner(x)
    return values
"""


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (CELL, "in line 4:  return y[10]"),
        ("def outer(x):\n    return np.add(x, np.ones(7))\n", "in line 2:  return np.add("),
        ("def outer(x):\n    return np.take(x, 99)\n", "in line 2:  return np.take(x, 99)"),
    ],
    ids=["nested", "ufunc", "inside NumPy"],
)
def test_a_crash_points_at_the_last_line_of_the_learners(source, line):
    from IPython.core.compilerop import CachingCompiler

    # Compiled and remembered as a notebook does it.
    compiler = CachingCompiler()
    name = compiler.cache(source, 1)
    space = {"np": np}
    exec(compiler(source, name, "exec"), space)
    verdict = verdict_on(DOUBLE, space["outer"])
    assert line in verdict.text


def test_nothing_written_is_not_slow_wrong_or_undecided():
    def stub(x):
        raise NotImplementedError("Write it here.")

    assert verdict_on(dataclasses.replace(PAIR, keeps_dtype=True), stub).status == NOT_ATTEMPTED


MALFORMED = [
    {"slow": 3},
    {"slow": {"seconds": "x"}},
    {"slow": {"seconds": 1.0}, "cases": None},
    {"slow": {"seconds": 1.0}, "cases": [None] * 9},
    {"slow": {"seconds": 1.0}, "cases": []},
    {"again": 3},
    {"float32": 3},
    {"float32": {"kind": "array"}},
    {"cases": [{"outcome": {"kind": "parts", "parts": 3}}] * 2},
    {"cases": [{"outcome": {"kind": "parts", "parts": {"twice": 3}}}] * 2},
    {"cases": [{"outcome": {"kind": "printed"}}] * 2},
    {"cases": [{"outcome": {"kind": "error", "type": [[]]}}] * 2},
]


@pytest.mark.parametrize("forged", MALFORMED, ids=str)
@pytest.mark.parametrize("question", [DOUBLE, PAIR], ids=["one", "two"])
def test_a_malformed_record_is_wrong_and_never_an_error(question, forged):
    question = dataclasses.replace(question, keeps_dtype=True)
    right = reference_record(question, 0)
    harmless = forged == {"slow": 3}
    record = as_of(question, right | forged)
    assert judge(question, record, right, 0).status == (RIGHT if harmless else WRONG)


def test_the_page_shows_no_picture_where_there_is_only_text(capsys):
    check("a1.conv_loops", lambda x, w, b, **_: x)
    assert "the shape is" in capsys.readouterr().out


ONES = np.ones((4, 30, 20))
MEASURED = Question(
    "test.measured",
    lambda x, *, rng: x * (rng.random(x.shape) < 0.5),
    lambda rng: [
        Case(
            "drawn",
            (ONES,),
            {"rng": np.random.default_rng(rng.integers(99))},
            measure=lambda out, x, *, rng: {"half are left": abs(out.mean() - 0.5) < 0.1},
        )
    ],
    "measured",
)


def test_where_chance_has_a_say_what_is_measured_counts():
    assert verdict_on(MEASURED, lambda x, *, rng: x * rng.integers(0, 2, x.shape)).status == RIGHT
    verdict = verdict_on(MEASURED, lambda x, *, rng: x * (rng.random(x.shape) < 0.8))
    assert verdict.status == WRONG
    assert "half are left: the number is not the expected one" in verdict.text


def test_a_result_that_cannot_be_measured_is_wrong():
    assert verdict_on(MEASURED, lambda x, *, rng: None).status == WRONG


def _several_in_one_place(x, w, b, **_):
    out = np.zeros(3)
    out[0] = np.ones(2)
    return out


def _adds_fractions_to_ints(x, w, b, **_):
    out = np.zeros(3, int)
    out += 0.5
    return out


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (_several_in_one_place, "Several numbers are put into one place"),
        (_adds_fractions_to_ints, "An array of whole numbers is to take fractions"),
    ],
)
def test_an_error_of_numpy_is_said_in_plain_words(answer, name):
    assert verdict_on("a1.conv_loops", answer).mistake == name
