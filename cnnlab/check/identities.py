"""What every right result keeps: named where a wrong result breaks it and no mistake is known.

`holds` is called with the arguments of a case, then the result, then the options. The right
function's result is tried as well: an identity that it does not keep in a case says nothing there.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Identity(NamedTuple):
    """The name says what is wrong where it is broken; `look` says where the learner should look."""

    name: str
    look: str
    holds: Callable[..., bool]


def same_sum(look: str, *, part: int | None = None) -> Identity:
    """All of dout, the first argument, arrives in dx: the sums are the same."""

    def holds(dout, *rest, **options):
        return _close(np.sum(_of(rest[-1], part)), np.sum(dout))

    return Identity("The sum of dx is not the sum of dout", look, holds)


def rows_sum_to_zero(look: str, *, part: int | None = None) -> Identity:
    """As the gradient of a softmax loss does: what one score gains the others lose."""

    def holds(*rest, **options):
        return _cancel(_of(rest[-1], part), axis=-1)

    return Identity("The rows of the gradient do not sum to zero", look, holds)


def features_sum_to_zero(look: str, *, part: int | None = None) -> Identity:
    """As behind batch normalization: a shift of the whole batch changes nothing."""

    def holds(*rest, **options):
        return _cancel(_by_feature(_of(rest[-1], part)), axis=0)

    return Identity("dx does not sum to zero over the batch", look, holds)


def orthogonal_to(normalized: Callable, look: str, *, part: int | None = None) -> Identity:
    """dx is orthogonal to x̂, feature by feature: a scaling of the batch changes nothing.

    `normalized` gives x̂ from the arguments.
    """

    def holds(*rest, **options):
        *args, result = rest
        return _cancel(_by_feature(_of(result, part) * normalized(*args, **options)), axis=0)

    return Identity("dx · x̂ does not sum to zero over the batch", look, holds)


def same_product(
    name: str, variable: Callable, product: Callable, look: str, *, part: int | None = None
) -> Identity:
    """⟨w, dw⟩ = ⟨out without the bias, dout⟩, for whatever the output is linear in.

    `variable` gives w, and `product` the right-hand side, from the arguments.
    """

    def holds(*rest, **options):
        *args, result = rest
        found = np.vdot(variable(*args, **options), _of(result, part))
        return _close(found, product(*args, **options))

    return Identity(name, look, holds)


def _of(result, part):
    return np.asarray(result if part is None else result[part])


def _by_feature(array):
    return array.reshape(-1, array.shape[-1])


def _cancel(terms, axis):
    """Whether terms sum to zero, but for rounding and for a small constant such as ε."""
    return (np.abs(terms.sum(axis)) <= 1e-3 * np.abs(terms).sum(axis) + 1e-9).all()


def _close(a, b):
    return np.allclose(a, b, rtol=1e-4, atol=1e-5)
