"""The checker: right answers pass, however they are written; wrong ones are called by name."""

import dataclasses
import re

import numpy as np
import pytest

from answers import RIGHT_ANSWERS
from answers.a1_convolution import conv_loops, size_by_divmod
from answers.a4_conv_backward import all_in_four_loops
from asking import answer_with, as_of, verdict_on
from cnnlab import ops, shapes
from cnnlab.check import check, when_written
from cnnlab.check.mistakes import MISTAKES, Mistake, Undecided
from cnnlab.check.questions import QUESTIONS, Question, find
from cnnlab.check.questions.base import eighths
from cnnlab.check.record import DECIMALS, Case, RecordError, encode, is_error, run_case, split
from cnnlab.check.verdict import NOT_ATTEMPTED, RIGHT, WRONG, judge, reference_record


@pytest.mark.parametrize(
    ("seed", "question_id", "answer"),
    [
        (seed, question_id, answer)
        for question_id, answer in RIGHT_ANSWERS
        # To train a network takes seconds: one seed here, more where it was measured.
        for seed in ([0] if find(question_id).least else [0, 1, 2**32 - 1])
    ],
)
def test_right_answers_pass_however_they_are_written(question_id, answer, seed):
    assert verdict_on(question_id, answer, seed).status == RIGHT


def _wrong_answers():
    """By seed and question: five draws for each name, two for its further versions, and one where
    another question asks for the same once more.
    """
    tried, asked = set(), {}
    for question in QUESTIONS.values():
        for wrong in question.mistakes:
            version = (question.operation, question.parts, wrong.function)
            name = (question.operation, question.parts, wrong.part, wrong.name)
            for seed in range(1 if version in tried else 2 if name in tried else 5):
                asked.setdefault((question.id, seed), []).append(wrong)
            tried |= {version, name}
    return asked


WRONG_ANSWERS = _wrong_answers()


@pytest.mark.parametrize(("question_id", "seed"), WRONG_ANSWERS)
def test_every_known_mistake_is_caught_and_named(question_id, seed):
    question = find(question_id)
    for wrong in WRONG_ANSWERS[question_id, seed]:
        verdict = verdict_on(question, answer_with(question, wrong), seed)
        found = verdict.status, verdict.mistake
        assert found == (WRONG, wrong.name), (wrong.part, wrong.function.__name__)


def test_every_mistake_belongs_to_a_question():
    of_questions = {id(wrong) for question in QUESTIONS.values() for wrong in question.mistakes}
    lost = [wrong.name for wrongs in MISTAKES.values() for wrong in wrongs]
    assert len(lost) == len(of_questions)


# What learners see too: wrong sizes, wrong places, overflows; and what a question itself refuses.
SEEN = (ValueError, IndexError, ArithmeticError, RecordError, Undecided)
# Mistakes that are a wrong call.
CALLS = {
    "A whole array is asked which is larger": TypeError,
    "f is called more than twice": RuntimeError,
    "reshape is given a tuple and a number": TypeError,
    "stride and pad are handed over without their names": TypeError,
    "The stride is handed over without its name": TypeError,
    "The two axes are not handed over as one": TypeError,
}


@pytest.mark.parametrize("question_id", [q.id for q in QUESTIONS.values() if not q.least])
def test_a_known_mistake_stops_only_where_it_is_meant_to(question_id):
    # Else a slip in its own code would be caught, and called by its name, all the same.
    question = find(question_id)
    for wrong in question.mistakes:
        function, view = question.asked(wrong.function), question.named
        if wrong.part:
            view = lambda value: value  # noqa: E731
        kinds = (*SEEN, CALLS.get(wrong.name, Undecided))
        for case in question.cases(np.random.default_rng(0)):
            outcome = run_case(function, case, view)["outcome"]
            meant = outcome["kind"] != "error" or any(is_error(outcome, kind) for kind in kinds)
            assert meant, (wrong.function.__name__, outcome)


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


def _grows(loops):
    """Right all the same, with a loop besides that runs as often as there are positions."""

    def answer(x, w, b, **options):
        out, cache = ops.conv_forward(x, w, b, **options)
        loops(out)
        return out, cache

    return answer


def _on_one_line(out):
    for n in range(len(out)):
        for i in range(out.shape[1]):
            # fmt: off
            for j in range(out.shape[2]): n += j; i += 1  # noqa: E701, E702
            # fmt: on


def _hidden_behind_much_else(out):
    for _ in range(500):
        np.pad(out[:1, :1, :1], 1)
    _on_one_line(out)


LOOPS = {
    "on the line of the for": _on_one_line,
    "in a generator": lambda out: sum(
        i + j for i in range(len(out[0])) for j in range(len(out[0, 0]))
    ),
    "ndindex": lambda out: [out[place] @ out[place] for place in np.ndindex(out.shape[:3])],
    "over rows alone": lambda out: [out[:, i] for i in range(out.shape[1])],
    "over columns alone": lambda out: [out[:, :, j] for j in range(out.shape[2])],
    "behind much else": _hidden_behind_much_else,
}
ALLOWED = {
    "over images": lambda out: [[one.sum(), one.mean()] for one in out],
    "over filters": lambda out: [out[..., k].sum() for k in range(out.shape[3])],
    "much, but the same for all": lambda out: [i for i in range(5000)],  # noqa: C416
}


@pytest.mark.parametrize("loops", LOOPS.values(), ids=LOOPS)
def test_a_loop_that_grows_with_the_positions_is_named_however_it_is_written(loops):
    verdict = verdict_on("a1.conv_forward", _grows(loops))
    assert (verdict.status, verdict.mistake) == (WRONG, "It still loops over the positions")
    assert "Here one matrix product is to do all positions at once." in verdict.text


@pytest.mark.parametrize("loops", ALLOWED.values(), ids=ALLOWED)
def test_a_loop_over_something_else_is_right(loops):
    assert verdict_on("a1.conv_forward", _grows(loops)).status == RIGHT


def test_a_question_has_its_own_words_for_what_may_be_looped_over():
    verdict = verdict_on("a4.conv_backward_fast", all_in_four_loops)
    assert "Loop over the FH × FW places of a window at most" in verdict.text


@pytest.mark.parametrize(
    ("question_id", "name"),
    [
        (id, case.name)
        for id, question in QUESTIONS.items()
        for case in question.cases(np.random.default_rng(0))
        if id.startswith(("a1.conv_", "a4.")) and "all sizes different" in case.name
    ],
)
def test_all_sizes_are_different_where_a_case_says_so(question_id, name):
    """Those of the output too: a swapped axis has nowhere to hide."""
    question = find(question_id)
    cases = question.cases(np.random.default_rng(0))
    case = next(case for case in cases if case.name == name)
    if "pool" in question_id:
        dout, (x, kernel_size, _) = case.args
        sizes = (*x.shape, *kernel_size, *dout.shape[1:3])
    else:
        x, w = case.args[:2] if len(case.args) == 3 else case.args[1][:2]
        out = question.reference(*case.args) if len(case.args) == 3 else case.args[0]
        sizes = (*x.shape, *w.shape[:2], *out.shape[1:])
        assert len(sizes) == 9
    assert len(set(sizes)) == len(sizes)


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
    ("a1.conv_forward", lambda x, w, b, **_: (x, w, b), r"out and cache; this returned 3 things"),
    ("a1.conv_forward", lambda x, w, b, **_: ((w, b), x), r"returned them in the other order"),
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
    ("a2.parameter_counts", lambda *_: print(1), r"it printed something and returned None\."),
    ("a1.output_size", lambda *_, **__: 24092320, r"\nExpected 5, got 24,092,320\."),
    ("a1.conv_loops", lambda *_, **__: shapes.output_size(2, 3), r"that fits is 3\.$"),
    ("s0.patch_response", lambda p, k: np.nan, r"the number is not the expected one"),
    ("s0.patch_response", lambda p, k: np.inf, r"the number is not the expected one"),
]


@pytest.mark.parametrize(("question_id", "answer", "words"), WORDS)
def test_the_verdict_says_what_was_expected_and_what_came(question_id, answer, words):
    verdict = verdict_on(question_id, answer)
    assert verdict.status == WRONG
    assert re.search(words, str(verdict))


def _ends_with_a_full_stop(*_, **__):
    raise TypeError("no.")


def test_a_sentence_ends_with_one_full_stop():
    assert verdict_on("a1.conv_loops", _ends_with_a_full_stop).text.endswith("TypeError: no.")


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
    right = reference_record(question, 0)
    assert judge(question, as_of(question, record), right, 0).status == WRONG


def test_a_record_of_something_else_is_wrong_though_its_numbers_are_right():
    question = find("a1.output_size")
    right = reference_record(question, 0)
    assert judge(question, right, right, 0).status == RIGHT
    other = judge(question, right | {"question": "a1.conv_loops"}, right, 0)
    assert (other.status, other.text) == (WRONG, "The record of this check is that of another.")
    cases = [case | {"name": f"{case['name']}, stride 9"} for case in right["cases"]]
    other = judge(question, right | {"cases": cases}, right, 0)
    assert (other.status, other.text) == (WRONG, "The record of this check is that of other cases.")


@pytest.mark.parametrize("loops", [{}, {"loops": None}, {"loops": 0}, {"loops": True}])
def test_without_a_word_on_loops_there_may_be_some(loops):
    question = find("a1.conv_forward")
    right = reference_record(question, 0)
    assert judge(question, right | {"loops": False}, right, 0).status == RIGHT
    assert judge(question, right | loops, right, 0).mistake == "It still loops over the positions"


@pytest.mark.parametrize("types", [5, None, [], [3], "ValueError"])
def test_a_malformed_error_is_not_the_expected_one(types):
    question = find("a1.output_size")
    right = reference_record(question, 0)
    forged = {"kind": "error", "type": types, "message": 3}
    cases = [
        case | {"outcome": forged} if case["outcome"]["kind"] == "error" else case
        for case in right["cases"]
    ]
    assert judge(question, right | {"cases": cases}, right, 0).status == WRONG


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_the_numbers_of_a_record_are_the_same_on_every_machine(question, monkeypatch):
    # Machines differ by about 1e-15: no number may lie where that tips its last decimal, but for
    # fractions of a power of 2, which all of them compute exactly.
    monkeypatch.setattr("cnnlab.check.record.DECIMALS", 17)
    for case in reference_record(question, 0)["cases"]:
        for part in split(case["outcome"], question.parts).values():
            numbers = np.array(part.get("data", []), float)
            exact = numbers * 2**20 % 1 == 0
            assert (exact | (np.abs(numbers * 10.0**DECIMALS % 1 - 0.5) > 1e-5)).all()


def test_a_record_keeps_nine_decimals_and_one_zero():
    assert str(encode([2 / 3, -0.0, -1e-12])["parts"]["0"]["data"]) == "[0.666666667]"
    assert str(encode(np.array([-0.0, -1e-12, 1e300, -np.inf]))["data"]) == (
        "[0.0, 0.0, 1e+300, '-inf']"
    )


@pytest.mark.parametrize(
    ("question_id", "count"),
    [
        ("a1.convolve", 6),  # H W, FH FW, and the result
        ("a2.local_forward", 9),  # N H W C, FH FW K, OH OW
        ("a2.tiled_forward", 11),  # and TH TW
        ("a2.max_pool_forward", 9),  # N H W C, FH FW S, OH OW
        ("a2.parameter_counts", 10),  # H W C, OH OW K, FH FW, TH TW
    ],
)
def test_where_a_case_says_so_all_sizes_differ(question_id, count):
    question = find(question_id)
    cases = question.cases(np.random.default_rng(0))
    (case,) = (case for case in cases if "all sizes different" in case.name)
    sizes = [np.shape(arg) if isinstance(arg, np.ndarray) else arg for arg in case.args]
    if "kernel_size" in case.options:
        sizes += [case.options["kernel_size"], (case.options["stride"],)]
    sizes.append(np.shape(question.reference(*case.args, **case.options)))
    if question_id == "a2.parameter_counts":
        sizes.pop()  # four counts
    assert len({size for shape in sizes for size in shape}) == count


def test_a_fresh_seed_draws_other_numbers():
    question = find("a1.conv_loops")
    assert reference_record(question, 1) != reference_record(question, 2)


def _scale_and_shift(x, scale):
    return x * scale, x + scale, x.sum()


TRIPLE = Question(
    "test.triple",
    _scale_and_shift,
    lambda rng: [
        Case("a row", (eighths(rng, 4), 2.5)),
        Case("a matrix", (eighths(rng, 2, 3), -1.5)),
    ],
    "triple",
    returns=("scaled", "shifted", "total"),
)


@pytest.fixture
def triple_mistakes(monkeypatch):
    """Known mistakes of this operation alone, for one part and for the whole."""
    monkeypatch.setattr("cnnlab.check.questions.base.MISTAKES", MISTAKES_OF_TRIPLE)


MISTAKES_OF_TRIPLE = {
    "triple": [
        Mistake("All is off by one", "Look at x.", lambda x, scale: _scale_and_shift(x + 1, scale))
    ],
    "triple.scaled": [
        Mistake("Divided", "Look at the product.", lambda x, scale: x / scale, "scaled"),
        Mistake("Stops", "Look at the index.", lambda x, scale: x[100], "scaled"),
    ],
    "triple.shifted": [
        Mistake("Subtracted", "Look at the sum.", lambda x, scale: x - scale, "shifted"),
        Mistake("Joined", "Look at the key.", lambda x, scale: {}["key"], "shifted"),
        Mistake("Half", "Look.", lambda x, scale: {4: x}[len(x)], "shifted"),
    ],
}


@pytest.mark.usefixtures("triple_mistakes")
def test_every_mistake_of_a_part_is_named_with_the_others_right():
    assert len(TRIPLE.mistakes) == 6
    for wrong in TRIPLE.mistakes:
        verdict = verdict_on(TRIPLE, answer_with(TRIPLE, wrong))
        assert (verdict.status, verdict.mistake) == (WRONG, wrong.name)


@pytest.mark.usefixtures("triple_mistakes")
def test_parts_are_recognized_each_by_itself():
    verdict = verdict_on(TRIPLE, lambda x, scale: (x / scale, x - scale, x.sum()))
    assert verdict.title == "scaled: Divided."
    assert verdict.text.splitlines() == [
        "total is right.",
        "Look at the product.",
        "First seen in case 1 of 2 (a row): scaled: 3 of 4 numbers differ.",
        "shifted: Subtracted.",
    ]
    verdict = verdict_on(TRIPLE, lambda x, scale: (x * scale, x * 7.5, x.sum() + 1))
    assert verdict.title == "Not right yet."
    assert verdict.text.splitlines() == [
        "scaled is right.",
        "First seen in case 1 of 2 (a row): shifted: 4 of 4 numbers differ.",
        "total is not right either.",
    ]
    # What is known of all parts together says more than what is known of one.
    verdict = verdict_on(TRIPLE, lambda x, scale: _scale_and_shift(x + 1, scale))
    assert (verdict.title, verdict.mistake) == ("All is off by one.", "All is off by one")
    assert "shifted" not in verdict.text
    # Wrong in the whole, but for one part: the part is named as far as it is known.
    verdict = verdict_on(TRIPLE, lambda x, scale: (*_scale_and_shift(x + 1, scale)[:2], 0.0))
    assert verdict.title == "scaled: All is off by one."
    assert "shifted: All is off by one.\ntotal is not right either." in verdict.text


def test_what_explains_all_comes_before_what_explains_a_part_and_then_the_first(monkeypatch):
    def half(x, scale):
        return (x + 1) * scale, x + scale, x.sum()

    again = Mistake("Divided once more", "Look.", lambda x, scale: x / scale, "scaled")
    known = {
        "triple": [Mistake("Half of it", "Look.", half), *MISTAKES_OF_TRIPLE["triple"]],
        "triple.scaled": [*MISTAKES_OF_TRIPLE["triple.scaled"], again],
    }
    monkeypatch.setattr("cnnlab.check.questions.base.MISTAKES", known)
    verdict = verdict_on(TRIPLE, lambda x, scale: _scale_and_shift(x + 1, scale))
    assert verdict.title == "All is off by one."
    verdict = verdict_on(TRIPLE, lambda x, scale: (x / scale, x + scale, 0.0))
    assert verdict.title == "scaled: Divided."


@pytest.mark.parametrize(
    ("returned", "what"),
    [
        ((1, 2), "2 things"),
        (None, "None"),
        (np.zeros((3, 2)), "one array"),
        (np.zeros(2), "2 things"),
        ((), "0 things"),
        ((1,), "1 thing"),
    ],
)
def test_another_number_of_things_is_said_plainly(returned, what):
    verdict = verdict_on(TRIPLE, lambda x, scale: returned)
    assert verdict.status == WRONG
    assert f"return three things, scaled, shifted and total; this returned {what}." in verdict.text


@pytest.mark.parametrize("cached", [("scaled", "cache"), ("cache", "shifted", "total")])
def test_a_cache_is_the_learners_own(cached):
    names = [name for name in TRIPLE.returns if name in cached]
    question = dataclasses.replace(
        TRIPLE,
        returns=cached,
        reference=lambda x, s: (x * s, x + s, x.sum())[0 if len(cached) == 2 else slice(1, 3)],
    )
    value = question.reference(np.ones(3), 2.0)
    returned = question.returned(value)
    assert len(returned) == len(cached)
    assert returned[cached.index("cache")] is None
    assert question.parts == (tuple(names) if len(names) > 1 else ("",))
    answers = lambda x, s: question.returned(question.reference(x, s))  # noqa: E731
    assert verdict_on(question, answers).status == RIGHT


def _overwrites(part):
    def answer(x, held, *, table):
        part(x, held, table)[...] = 7
        return 1.0

    return answer


HOLDING = Question(
    "test.holding",
    lambda x, held, *, table: 1.0,
    lambda rng: [Case("it", (np.ones(3), (2, [np.ones(2)])), {"table": {"w": np.ones(2)}})],
    "holding",
)


@pytest.mark.parametrize(
    "part",
    [
        lambda x, held, table: x,
        lambda x, held, table: held[1][0],
        lambda x, held, table: table["w"],
    ],
    ids=["argument", "in a tuple", "in a dict"],
)
def test_what_is_overwritten_is_noticed_wherever_it_lies(part):
    assert verdict_on(HOLDING, lambda x, held, *, table: 1.0).status == RIGHT
    assert verdict_on(HOLDING, _overwrites(part)).mistake == "The input is overwritten"


def test_a_container_of_another_length_is_overwritten_too():
    def answer(x, held, *, table):
        held[1].append(3)
        return 1.0

    def other(x, held, *, table):
        table["b"] = 0
        return 1.0

    assert verdict_on(HOLDING, other).mistake == "The input is overwritten"
    assert verdict_on(HOLDING, answer).mistake == "The input is overwritten"


DRAWING = Question(
    "test.drawing",
    lambda f, rng: f(rng.integers(0, 100, 5)),
    lambda rng: [Case("twice", (np.sum, np.random.default_rng(rng.integers(99))))] * 2,
    "drawing",
)


def test_functions_and_generators_are_arguments_like_others():
    assert verdict_on(DRAWING, lambda f, rng: f(rng.integers(0, 100, 5))).status == RIGHT
    assert verdict_on(DRAWING, lambda f, rng: f(rng.integers(0, 100, 4))).status == WRONG


TABLE = Question(
    "test.table",
    lambda n: {"shapes": [(n, 2), (n, 3)], "total": n * 0.5},
    lambda rng: [Case("it", (int(rng.integers(2, 9)),))],
    "table",
)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda n: {"shapes": [(n, 2), (n, 4)], "total": n / 2}, "shapes: [1]: [1]: the number is"),
        (
            lambda n: {"shapes": [(n, 2)], "total": n / 2},
            "returned a list of 1, expected a list of",
        ),
        (lambda n: {"total": n / 2}, "a dict with total, expected a dict with shapes and total"),
        (lambda n: {}, "returned an empty dict, expected a dict with shapes and total"),
        (lambda n: n, "returned int, expected a dict with shapes and total"),
        (lambda n: None, "returned None (is the return missing?), expected a dict with"),
        (lambda n: [n], "returned a list of 1, expected a dict with shapes and total"),
    ],
)
def test_dicts_and_lists_are_compared_part_by_part(answer, words):
    assert verdict_on(TABLE, lambda n: {"total": n / 2, "shapes": ([n, 2], [n, 3])}).status == RIGHT
    verdict = verdict_on(TABLE, answer)
    assert verdict.status == WRONG
    assert words in verdict.text


PAIR = Question(
    "test.pair",
    lambda n: (1.0 * n, 2.0 * n),
    lambda rng: [Case("it", (3.0,))],
    "pair",
    returns=("one", "two"),
)


def test_numbers_may_come_in_an_array_and_whole(monkeypatch):
    known = {"pair": [Mistake("Left out", "Look.", lambda n: (1.0, 2.0))]}
    monkeypatch.setattr("cnnlab.check.questions.base.MISTAKES", known)
    assert verdict_on(PAIR, lambda n: n * np.array([1, 2])).status == RIGHT
    assert verdict_on(PAIR, lambda n: (1, 2)).mistake == "Left out"


def test_an_unknown_question_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"no question 'a1.convv'; there are: .*a1.conv_loops"):
        check("a1.convv", None)


def test_a_cell_that_cannot_use_an_answer_says_so_in_words(capsys):
    with when_written("f", "g"):
        raise NotImplementedError
    assert capsys.readouterr().out == "This cell runs once you have written f and g.\n"
    with when_written("f"):
        1 / 0  # noqa: B018
    assert capsys.readouterr().out == (
        "This cell needs f to be right first: run its cell, then its check.\n"
        "Here it stopped with ZeroDivisionError: division by zero.\n"
    )
    with pytest.raises(KeyboardInterrupt), when_written("f"):
        raise KeyboardInterrupt


def test_the_card_escapes_what_a_learner_made():
    def answer(patch, kernel):
        raise RuntimeError("<script>alert(1)</script>")

    assert "<script>" not in verdict_on("s0.patch_response", answer).html()
