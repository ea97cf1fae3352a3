import pickle

import numpy as np
import pytest

from cnnlab import data, zoo
from cnnlab.data import Dataset, Standardize
from cnnlab.ensemble import Ensemble, EnsembleErrors
from cnnlab.metrics import accuracy
from cnnlab.shapes import ShapeError

TRAIN, TEST = data.load("fashion-mnist-small")
PREPROCESS = Standardize.fit(TRAIN.images)


class Says:
    """Gives the same probabilities for every image."""

    def __init__(self, *probabilities):
        self.probabilities = probabilities

    def predict_probabilities(self, x):
        return np.tile(np.array(self.probabilities, np.float32), (len(x), 1))


def linear(seed):
    return zoo.linear((28, 28, 1), 10, rng=np.random.default_rng(seed))


def test_probabilities_are_averaged_and_votes_are_not_counted():
    ensemble = Ensemble([Says(0.6, 0.4), Says(0.6, 0.4), Says(0.0, 1.0)])
    x = np.zeros((2, 3))
    np.testing.assert_allclose(ensemble.predict_probabilities(x), [[0.4, 0.6]] * 2, rtol=1e-6)
    assert ensemble.predict(x).tolist() == [1, 1], "two of three say 0, but one is sure"


def test_networks_of_different_preprocessing_each_get_their_own():
    first, second = linear(0), linear(1)
    halves = Standardize((0.0,), (510.0,))
    ensemble = Ensemble([(first, PREPROCESS), (second, halves)])
    images = TEST.images[:7]
    expected = (
        first.predict_probabilities(PREPROCESS(images))
        + second.predict_probabilities(halves(images))
    ) / 2
    np.testing.assert_allclose(ensemble.predict_probabilities(images), expected, rtol=1e-6)
    assert ensemble.predict(images).tolist() == expected.argmax(axis=1).tolist()
    np.testing.assert_allclose(ensemble.predict_probabilities(images).sum(axis=1), 1, rtol=1e-6)


def test_a_network_of_one_kind_or_an_ensemble_can_be_a_member():
    x = PREPROCESS(TEST.images[:5])
    pair = Ensemble([linear(0), linear(1)])
    nested = Ensemble([pair, linear(2)])
    expected = (pair.predict_probabilities(x) + linear(2).predict_probabilities(x)) / 2
    np.testing.assert_allclose(nested.predict_probabilities(x), expected, rtol=1e-6)
    assert repr(nested) == "Ensemble(2 members)"
    assert len(nested) == 2


def test_one_member_decides_alone():
    x = PREPROCESS(TEST.images[:5])
    alone = Ensemble([linear(0)])
    np.testing.assert_array_equal(
        alone.predict_probabilities(x), linear(0).predict_probabilities(x)
    )


def test_batches_do_not_change_the_result_and_no_more_images_are_prepared_at_once():
    seen = []

    def preprocess(images):
        seen.append(len(images))
        return PREPROCESS(images)

    ensemble = Ensemble([(linear(0), preprocess), (linear(1), preprocess)])
    images = TEST.images[:10]
    expected = ensemble.predict_probabilities(images)
    seen.clear()
    found = ensemble.predict_probabilities(images, batch_size=4)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert seen == [4, 4, 2] * 2
    assert ensemble.predict_probabilities(images[:0]).shape == (0, 10)


def test_errors_of_one_and_of_all_are_counted_by_hand():
    class Knows:
        """Is right about all images but some."""

        def __init__(self, *wrong):
            self.wrong = wrong

        def predict_probabilities(self, x):
            number = x[:, 0, 0, 0]
            return np.where(np.isin(number, self.wrong)[:, None], [0.4, 0.6], [0.9, 0.1])

    images = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)
    dataset = Dataset(images, np.zeros(10, int), ("cat", "dog"))
    errors = Ensemble([Knows(0, 1), Knows(1, 2, 3), Knows(1, 4, 5, 6)]).evaluate(dataset)
    assert errors.single == pytest.approx((0.2, 0.3, 0.4))
    assert errors.together == pytest.approx(0.1), "only image 1 deceives them all"
    assert errors.mean == pytest.approx(0.3)
    assert errors.reduction == pytest.approx(2 / 3)
    assert str(errors) == (
        "one network: 30.0% wrong on average (20.0% to 40.0%)\n"
        "all 3 together: 10.0% wrong, 67% fewer mistakes"
    )


def test_errors_agree_with_accuracy_on_real_images():
    members = [(linear(seed), PREPROCESS) for seed in range(3)]
    few = TEST[:300]
    errors = Ensemble(members).evaluate(few, batch_size=100)
    for (network, _), error in zip(members, errors.single, strict=True):
        assert error == 1 - accuracy(network.predict(PREPROCESS(few.images)), few.labels)
    assert errors.together == 1 - accuracy(Ensemble(members).predict(few.images), few.labels)


@pytest.mark.parametrize(
    ("single", "together", "words"),
    [((0.1, 0.1), 0.12, "20% more mistakes"), ((0.0, 0.0), 0.0, "0.0% wrong, 0% fewer mistakes")],
)
def test_an_ensemble_that_does_not_help_says_so(single, together, words):
    assert words in str(EnsembleErrors(single, together))


def test_an_ensemble_can_be_kept():
    ensemble = Ensemble([linear(0), (linear(1), PREPROCESS)])
    again = pickle.loads(pickle.dumps(Ensemble([(linear(0), PREPROCESS)])))
    assert len(pickle.loads(pickle.dumps(ensemble))) == 2
    images = TEST.images[:3]
    expected = linear(0).predict_probabilities(PREPROCESS(images))
    np.testing.assert_array_equal(again.predict_probabilities(images), expected)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: Ensemble([]), ValueError, r"number of members must be .* at least 1, got 0"),
        (lambda: Ensemble([Says(1), PREPROCESS]), TypeError, r"member 1 must .*, got Standardize"),
        (lambda: Ensemble([(Says(1), 3)]), TypeError, r"member 0 must have predict_probabilities"),
        (
            lambda: Ensemble([Says(1, 0), Says(0, 1), Says(0, 0, 1)]).predict(np.zeros((4, 2))),
            ShapeError,
            r"same classes, got \(4, 2\) from member 0 and \(4, 3\) from member 2",
        ),
        (
            lambda: Ensemble([Says(1, 0)]).predict(np.zeros((4, 2)), batch_size=0),
            ValueError,
            r"batch_size must be .* at least 1, got 0",
        ),
        (
            lambda: Ensemble([Says(1, 0)]).evaluate(TEST[:0]),
            ValueError,
            r"number of images must be .* at least 1, got 0",
        ),
    ],
    ids=["none", "no-network", "no-function", "classes", "batch", "no-images"],
)
def test_what_cannot_be_an_ensemble_is_said(call, error, words):
    with pytest.raises(error, match=words):
        call()
