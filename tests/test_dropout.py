import numpy as np
import pytest

from cnnlab.ops import dropout_backward, dropout_forward


class Draws(np.random.Generator):
    """A generator whose uniform numbers are known beforehand."""

    def __init__(self, *numbers):
        super().__init__(np.random.PCG64(0))
        self.numbers = np.array(numbers)

    def random(self, shape):
        return self.numbers.reshape(shape)


def test_by_hand():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    out, cache = dropout_forward(x, rate=0.75, rng=Draws(0.8, 0.74, 0.75, 0.0))
    # Kept where the draw is at least the rate, then four times as large.
    assert out.tolist() == [[4, 0], [12, 0]]
    assert dropout_backward(np.array([[1.0, 2.0], [-3.0, 4.0]]), cache).tolist() == [
        [4, 0],
        [-12, 0],
    ]


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_a_share_is_dropped_and_the_mean_stays(rate):
    x = np.ones(100_000)
    out, _ = dropout_forward(x, rate=rate, rng=np.random.default_rng(0))
    assert (out == 0).mean() == pytest.approx(rate, abs=0.01)
    assert out.mean() == pytest.approx(1, abs=0.02)
    np.testing.assert_allclose(out[out > 0], 1 / (1 - rate), rtol=1e-12)


def test_the_gradient_goes_where_the_signal_went():
    x = np.random.default_rng(0).normal(size=(50, 40))
    out, cache = dropout_forward(x, rng=np.random.default_rng(1))
    dx = dropout_backward(np.ones(x.shape), cache)
    assert np.array_equal(dx == 0, out == 0)


def test_every_pass_drops_others():
    rng = np.random.default_rng(0)
    first, second = (dropout_forward(np.ones(100), rng=rng)[0] for _ in range(2))
    assert not np.array_equal(first, second)


def test_at_test_time_nothing_happens_and_nothing_is_drawn():
    x = np.random.default_rng(0).normal(size=(3, 4))
    out, cache = dropout_forward(x, rate=0.9, training=False)
    assert np.array_equal(out, x)
    dout = np.arange(12.0).reshape(3, 4)
    assert np.array_equal(dropout_backward(dout, cache), dout)


def test_a_rate_of_zero_drops_nothing():
    x = np.random.default_rng(0).normal(size=(3, 4))
    assert np.array_equal(dropout_forward(x, rate=0, rng=np.random.default_rng(0))[0], x)


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, np.nan, "half"])
def test_a_rate_is_a_share(rate):
    with pytest.raises(ValueError, match="rate must be a finite number of at least 0 and less t"):
        dropout_forward(np.ones(3), rate=rate, rng=np.random.default_rng(0))


@pytest.mark.parametrize("rng", [None, 0, np.random])
def test_training_needs_a_generator(rng):
    with pytest.raises(TypeError, match=r"rng must be a generator such as .*default_rng\(0\), got"):
        dropout_forward(np.ones(3), rng=rng)
