"""Questions whose answers build networks or train them: how many are right, and what is said."""

import numpy as np
import pytest

from answers.a7_alexnet import build_in_one_list, overfit_with_sgd
from asking import verdict_on
from cnnlab.check.questions import find
from cnnlab.check.record import Case, compare_most, count_right, encode
from cnnlab.check.verdict import NOT_ATTEMPTED, RIGHT, WRONG
from cnnlab.optim import SGD
from cnnlab.student import load_answers


def _record(*numbers):
    return encode(np.array(numbers))


@pytest.mark.parametrize(
    ("got", "least", "words"),
    [
        (_record(1, 2, 3, 4), 4, ""),
        (_record(1, 2, 3, 0), 3, ""),
        (_record(1, 2, 0, 0), 3, "2 of 4 are right, and 3 were asked for"),
        (_record(1, 2, 3), 3, "the shape is (3,), expected (4,)"),
        (encode(None), 3, "it returned None (is the return missing?)"),
        ({"kind": "array", "shape": [4], "dtype": "int64", "data": ["x"]}, 3, "does not hold as"),
    ],
)
def test_most_numbers_have_to_be_right(got, least, words):
    found = compare_most(got, _record(1, 2, 3, 4), Case("it", ()), least=least)
    assert (found is None) == (words == "")
    assert found is None or words in found.text


def test_numbers_are_right_that_are_exactly_so():
    assert count_right(_record(1, 5, 3), _record(1, 2, 3)) == 2
    assert count_right(_record(1, 5), _record(1, 2, 3)) is None


def test_a_network_that_has_learned_is_right_and_the_verdict_says_how_well():
    verdict = verdict_on("a7.overfit", overfit_with_sgd, seed=1)
    assert verdict.status == RIGHT
    assert verdict.text.endswith("of 50 are right, and 48 were asked for.")


def _few_steps(network, x, y, *, rng):
    optimizer = SGD(network, learning_rate=0.01)
    for _ in range(10):
        network.loss_and_gradients(x, y)
        optimizer.step()


def _labels_of_others(network, x, y, *, rng):
    overfit_with_sgd(network, x, np.roll(y, 1), rng=rng)


def _too_large(network, x, y, *, rng):
    with np.errstate(all="ignore"):
        for _ in range(5):
            _, gradients = network.loss_and_gradients(x, y)
            for name, w in network.parameters().items():
                w -= 100 * gradients[name]


def _new_arrays(network, x, y, *, rng):
    for _ in range(3):
        _, gradients = network.loss_and_gradients(x, y)
        for name, w in network.parameters().items():
            w = w - 0.01 * gradients[name]


@pytest.mark.parametrize(
    ("answer", "mistake"),
    [
        (_few_steps, "It learns, but not enough yet"),
        (_labels_of_others, "It is no better than guessing"),
        (_too_large, "Every image gets the same answer"),
    ],
)
def test_a_network_that_has_not_learned_is_wrong_and_the_verdict_says_how_far_it_came(
    answer, mistake
):
    verdict = verdict_on("a7.overfit", answer)
    assert (verdict.status, verdict.mistake) == (WRONG, mistake)
    assert "of 50 are right, and 48 were asked for" in verdict.text


def _predicts_by_heart(network, x, y, *, rng):
    network.predict = lambda images, **options: y


@pytest.mark.parametrize(
    "answer", [_new_arrays, _predicts_by_heart, lambda network, x, y, *, rng: y]
)
def test_a_network_whose_weights_are_as_they_were_is_named(answer):
    verdict = verdict_on("a7.overfit", answer)
    assert (verdict.status, verdict.mistake) == (WRONG, "The network is as it was")
    assert "no weight of the network has changed" in verdict.text


def test_weights_that_change_without_another_answer_are_not_as_they_were():
    def answer(network, x, y, *, rng):
        for w in network.parameters().values():
            w *= 0.999

    assert verdict_on("a7.overfit", answer).mistake == "Every image gets the same answer"


def test_an_error_while_training_is_told_from_a_wrong_result():
    verdict = verdict_on("a7.overfit", lambda network, x, y, *, rng: x[100])
    assert verdict.title == "It stops with IndexError."


def test_a_stub_that_would_train_is_not_attempted():
    def stub(network, x, y, *, rng):
        raise NotImplementedError("Write overfit here, then run this cell.")

    assert verdict_on("a7.overfit", stub).status == NOT_ATTEMPTED


def test_images_that_are_overwritten_in_training_are_noticed():
    def answer(network, x, y, *, rng):
        overfit_with_sgd(network, x, y, rng=rng)
        x *= 0

    assert verdict_on("a7.overfit", answer).status == WRONG


def test_training_that_does_not_come_to_an_end_is_too_slow():
    from dataclasses import replace

    question = replace(find("a7.overfit"), seconds=0.3)
    verdict = verdict_on(question, overfit_with_sgd)
    assert (verdict.status, verdict.mistake) == (WRONG, "It is too slow")
    assert "It took more than 0.3 seconds. A loop" in verdict.text


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda *args, **options: None, "return a network, a Sequential; this returned None"),
        (
            lambda *args, **options: build_in_one_list(*args, **options).layers,
            "return a network, a Sequential; this returned tuple",
        ),
    ],
)
def test_what_is_no_network_is_said_plainly(answer, words):
    assert words in verdict_on("a7.build", answer).text


def test_the_first_layer_of_another_kind_is_named():
    from cnnlab.layers import Affine, Conv, Flatten
    from cnnlab.model import Sequential

    def answer(input_shape, n_classes, *, dropout=0.5, **options):
        layers = [Conv(8, 4, pad=1), Flatten(), Affine(n_classes)]
        return Sequential(layers, input_shape, **options)

    text = verdict_on("a7.build", answer).text
    assert "layer 1, counted from 0, is Flatten, expected ReLU" in text


def test_answers_that_would_have_to_learn_are_not_tried_when_answers_are_loaded():
    answers = load_answers("solutions")
    with pytest.raises(ValueError, match=r"a7.train cannot be used: not tried here"):
        answers["a7.train"]
    assert answers["a7.build"]((28, 28, 1), 10, rng=np.random.default_rng(0)).parameter_count
