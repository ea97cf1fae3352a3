"""Several networks that answer together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnlab.data import Dataset
from cnnlab.metrics import accuracy
from cnnlab.shapes import ShapeError, expect_whole


class Ensemble:
    """Networks that predict together: the average of their class probabilities.

    p(class | x) = (p₁ + … + pₙ) / n

    Networks that differ only in their seed make different mistakes: where one is wrong and the
    others are right, the others win. Probabilities are averaged, not votes counted, so that a
    network that is sure weighs more than one that guesses.

    Parameters
    ----------
    members : each has `predict_probabilities(x)`, (N, …) → (N, C), as networks and ensembles do;
        or is a pair (network, preprocess) of such and the function that its images go through
        first.

    Raises
    ------
    TypeError
        If a member is neither.
    ValueError
        If there are no members.

    Source: the lecture, "Case study: AlexNet", where an ensemble of seven lowers the error from
    18.2 % to 15.4 %; Krizhevsky et al. 2012, section 6.

    Examples
    --------
    >>> from cnnlab import data, zoo
    >>> train, test = data.load("fashion-mnist-small")
    >>> preprocess = data.Standardize.fit(train.images)
    >>> networks = [zoo.linear((28, 28, 1), 10, rng=np.random.default_rng(s)) for s in range(3)]
    >>> ensemble = Ensemble([(network, preprocess) for network in networks])
    >>> ensemble.predict_probabilities(test.images[:5]).shape
    (5, 10)
    """

    def __init__(self, members: Sequence[Any]):
        expect_whole("the number of members", len(members))
        self.members = tuple(_member(index, member) for index, member in enumerate(members))

    def predict_probabilities(self, x: np.ndarray, *, batch_size: int = 256) -> np.ndarray:
        """(N, C) probabilities, the mean of the members'; each row sums to 1.

        Parameters
        ----------
        x : (N, …) images as the members take them: before preprocessing where they are pairs.
        batch_size : images at a time; changes the memory it takes, not the result.

        Raises
        ------
        ShapeError
            If the members do not know the same number of classes.
        """
        return self._each(x, batch_size).mean(axis=0)

    def predict(self, x: np.ndarray, *, batch_size: int = 256) -> np.ndarray:
        """(N,) the class with the highest probability."""
        return self.predict_probabilities(x, batch_size=batch_size).argmax(axis=1)

    def evaluate(self, dataset: Dataset, *, batch_size: int = 256) -> "EnsembleErrors":
        """How often each member is wrong by itself, and how often all are together.

        Parameters
        ----------
        dataset : images, handed to the members as they are, and labels.
        batch_size : as in `predict_probabilities`.

        Raises
        ------
        ValueError
            If there are no images.
        """
        expect_whole("the number of images", len(dataset))
        each = self._each(dataset.images, batch_size)
        return EnsembleErrors(
            tuple(1 - accuracy(probabilities, dataset.labels) for probabilities in each),
            1 - accuracy(each.mean(axis=0), dataset.labels),
        )

    def __len__(self) -> int:
        return len(self.members)

    def __repr__(self) -> str:
        return f"Ensemble({len(self)} members)"

    def _each(self, x, batch_size):
        """(members, N, C) probabilities, a batch at a time so that memory does not grow."""
        expect_whole("batch_size", batch_size)
        starts = range(0, max(len(x), 1), batch_size)
        each = [
            np.concatenate(
                [
                    network.predict_probabilities(preprocess(np.asarray(x[i : i + batch_size])))
                    for i in starts
                ]
            )
            for network, preprocess in self.members
        ]
        for index, probabilities in enumerate(each):
            if probabilities.shape != each[0].shape:
                raise ShapeError(
                    f"all members must give (N, C) probabilities of the same classes, got "
                    f"{each[0].shape} from member 0 and {probabilities.shape} from member {index}."
                )
        return np.stack(each)


@dataclass(frozen=True)
class EnsembleErrors:
    """What `Ensemble.evaluate` found; print it to read it.

    Parameters
    ----------
    single : the error of each member by itself, a share from 0 to 1.
    together : the error of the ensemble.

    Examples
    --------
    What an ensemble of AlexNets did on ImageNet, here as if all seven were alike:

    >>> print(EnsembleErrors((0.182,) * 7, 0.154))
    one network: 18.2% wrong on average (18.2% to 18.2%)
    all 7 together: 15.4% wrong, 15% fewer mistakes
    """

    single: tuple[float, ...]
    together: float

    @property
    def mean(self) -> float:
        """The error of a member on average."""
        return float(np.mean(self.single))

    @property
    def reduction(self) -> float:
        """The share of a member's mistakes that the ensemble avoids; negative if it makes more."""
        return 1 - self.together / self.mean if self.mean else 0.0

    def __str__(self) -> str:
        change = f"{abs(self.reduction):.0%} {'fewer' if self.reduction >= 0 else 'more'} mistakes"
        return (
            f"one network: {self.mean:.1%} wrong on average "
            f"({min(self.single):.1%} to {max(self.single):.1%})\n"
            f"all {len(self.single)} together: {self.together:.1%} wrong, {change}"
        )


def _member(index: int, member: Any) -> tuple[Any, Callable[[np.ndarray], np.ndarray]]:
    network, preprocess = member if _is_pair(member) else (member, _as_it_is)
    if not hasattr(network, "predict_probabilities") or not callable(preprocess):
        raise TypeError(
            f"member {index} must have predict_probabilities, or be a pair (network, preprocess), "
            f"got {member!r}."
        )
    return network, preprocess


def _is_pair(member):
    return isinstance(member, tuple) and len(member) == 2


def _as_it_is(x):
    return x
