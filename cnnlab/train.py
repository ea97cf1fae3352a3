"""Training: many small steps, watched."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import numpy as np

from cnnlab import progress
from cnnlab.data import Dataset, batches
from cnnlab.metrics import accuracy
from cnnlab.model import Sequential
from cnnlab.optim import SGD
from cnnlab.shapes import expect_whole


@dataclass(repr=False)
class History:
    """What happened in training, epoch by epoch; an epoch is one pass through the images.

    Attributes
    ----------
    train_loss, train_accuracy : one number per complete epoch, the mean over its batches as
        they were when the network learned from them (augmented, with weights still moving).
    validation_loss, validation_accuracy : at the end of each epoch; empty without validation.
    seconds : how long each epoch took.
    step_losses : one loss per step, unfinished epochs included.
    stopped : None if all epochs were trained, else "interrupted" or "diverged".
    """

    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    step_losses: list[float] = field(default_factory=list)
    stopped: str | None = None

    @property
    def epochs(self) -> int:
        """How many epochs are complete."""
        return len(self.train_loss)

    def as_dict(self) -> dict:
        """All of it as lists and numbers, ready for JSON."""
        return asdict(self)

    def __repr__(self) -> str:
        parts = [f"{self.epochs} epochs in {sum(self.seconds):.1f} s"]
        for name in ("train", "validation"):
            losses, accuracies = getattr(self, f"{name}_loss"), getattr(self, f"{name}_accuracy")
            if losses:
                parts.append(f"{name} loss {losses[-1]:.3f}, accuracy {accuracies[-1]:.1%}")
        if self.stopped:
            parts.append(self.stopped)
        return f"History({'; '.join(parts)})"


class TrainingDiverged(ArithmeticError):  # noqa: N818 - it tells what happened, as StopIteration does
    """The loss is no longer a number; the weights are back at the end of the last good epoch.

    Attributes
    ----------
    history : what happened up to there.
    """

    def __init__(self, message: str, history: History):
        super().__init__(message)
        self.history = history

    def __reduce__(self):
        # Without this it could not come back from another process.
        return type(self), (*self.args, self.history)


class Trainer:
    """Fits a network to labeled images, batch by batch.

    Parameters
    ----------
    model : the network to fit, in place.
    optimizer : of the same network.
    preprocess : (N, H, W, C) uint8 → the network's input, such as a `Standardize`.
    batch_size : images per step.
    rng : orders the images, and draws the augmentation.
    augment : (images uint8, rng=…) → images uint8, such as `data.flip`; for training images only.
    schedule : progress from 0 to 1 → the share of the optimizer's learning rate to use.
    progress : True shows a bar, False does not; by default terminals and notebooks get one.

    Raises
    ------
    ValueError
        If the optimizer belongs to another network, or batch_size is not a whole number
        of at least 1.

    Examples
    --------
    >>> from cnnlab import data, zoo
    >>> rng = np.random.default_rng(0)
    >>> everything, _ = data.load("fashion-mnist-small")
    >>> train, validation = data.split(everything, 200, rng)
    >>> model = zoo.linear(train.image_shape, train.n_classes, rng=rng)
    >>> preprocess = data.Standardize.fit(train.images)
    >>> optimizer = SGD(model, learning_rate=0.01)
    >>> trainer = Trainer(model, optimizer, preprocess=preprocess, rng=rng)
    >>> history = trainer.fit(train[:1000], validation=validation, epochs=3)
    >>> history.validation_accuracy[-1] > 0.7
    True
    """

    def __init__(
        self,
        model: Sequential,
        optimizer: SGD,
        *,
        preprocess: Callable[[np.ndarray], np.ndarray],
        batch_size: int = 128,
        rng: np.random.Generator,
        augment: Callable[..., np.ndarray] | None = None,
        schedule: Callable[[float], float] | None = None,
        progress: bool | None = None,
    ):
        if optimizer.model is not model:
            raise ValueError(
                f"the optimizer must change the network that is trained, got {optimizer!r} of "
                f"another network: make a new one for this model."
            )
        expect_whole("batch_size", batch_size)
        self.model, self.optimizer, self.preprocess = model, optimizer, preprocess
        self.batch_size, self.rng, self.progress = batch_size, rng, progress
        self.augment, self.schedule = augment, schedule

    def fit(self, train: Dataset, *, validation: Dataset | None = None, epochs: int) -> History:
        """Train for some epochs; calling it again goes on from there.

        Ctrl-C ends training early and keeps what was learned: the history is returned
        and says "interrupted".

        Parameters
        ----------
        train : what to learn from.
        validation : what to measure on after each epoch; never learned from.
        epochs : how many times to go through the training images.

        Raises
        ------
        TrainingDiverged
            If a loss is infinite or not a number. The weights, and the optimizer's
            memory, are restored to the end of the last epoch that was finite.
        ValueError
            If epochs is not a whole number of at least 1, or there are no images.
        """
        expect_whole("epochs", epochs)
        expect_whole("the number of training images", len(train))
        history, base_rate = History(), self.optimizer.learning_rate
        total = epochs * math.ceil(len(train) / self.batch_size)
        good = self._copy_state()
        try:
            # A loss that overflows is caught by its value, with an explanation.
            with self._bar(total) as bar, np.errstate(over="ignore", invalid="ignore"):
                for _ in range(epochs):
                    self._epoch(train, validation, history, base_rate, total, bar)
                    good = self._copy_state()
        except KeyboardInterrupt:
            history.stopped = "interrupted"
        except TrainingDiverged:
            history.stopped = "diverged"
            self._restore_state(good)
            raise
        finally:
            self.optimizer.learning_rate = base_rate
        return history

    def _epoch(self, train, validation, history, base_rate, total, bar):
        start, losses, hits = time.perf_counter(), [], 0.0
        for images, labels in batches(train, self.batch_size, self.rng):
            if self.schedule is not None:
                share = self.schedule(len(history.step_losses) / total)
                self.optimizer.learning_rate = base_rate * share
            loss, scores = self._step(images, labels, history)
            losses.append(loss * len(labels))
            hits += accuracy(scores, labels) * len(labels)
            bar.set_postfix_str(f"epoch {history.epochs + 1}, loss {loss:.3f}", refresh=False)
            bar.update()
        # No loss has seen yet what the last step did to the weights.
        for name, array in self.model.parameters().items():
            self._expect_finite(f"the sum of {name}", float(array.sum()), history)
        if validation is not None:
            loss, share = evaluate(self.model, validation, self.preprocess)
            self._expect_finite("the validation loss", loss, history)
        # All at once, so that an interruption leaves lists of equal length.
        history.train_loss.append(sum(losses) / len(train))
        history.train_accuracy.append(hits / len(train))
        history.seconds.append(time.perf_counter() - start)
        if validation is not None:
            history.validation_loss.append(loss)
            history.validation_accuracy.append(share)

    def _step(self, images, labels, history):
        if self.augment is not None:
            images = self.augment(images, rng=self.rng)
        scores = self.model.forward(self.preprocess(images), training=True)
        loss, dscores = self.model.loss(scores, labels)
        history.step_losses.append(loss)
        self._expect_finite("the loss", loss, history)
        self.model.backward(dscores)
        self.optimizer.step()
        return loss, scores

    def _expect_finite(self, what, value, history):
        if math.isfinite(value):
            return
        kept = f"at the end of epoch {history.epochs}" if history.epochs else "where they started"
        raise TrainingDiverged(
            f"training diverged in epoch {history.epochs + 1}, at step {len(history.step_losses)}: "
            f"{what} became {value}, with a learning rate of {self.optimizer.learning_rate:g}. "
            f"Most often the steps are too large and each overshoots further than the one before: "
            f"try a learning rate ten times smaller. If that does not help, check that the images "
            f"are standardized, and that layers of your own pass a gradient check. The weights "
            f"are back {kept}.",
            history,
        )

    def _arrays(self):
        groups = self.model.parameters(), self.model.buffers(), self.optimizer.state()
        return [array for group in groups for array in group.values()]

    def _copy_state(self):
        return [array.copy() for array in self._arrays()]

    def _restore_state(self, copies):
        for array, copy in zip(self._arrays(), copies, strict=True):
            array[...] = copy

    def _bar(self, total):
        return progress.bar(total, show=self.progress, unit="step")


def evaluate(
    model: Sequential,
    dataset: Dataset,
    preprocess: Callable[[np.ndarray], np.ndarray],
    *,
    batch_size: int = 256,
) -> tuple[float, float]:
    """Loss and accuracy of a network on labeled images it does not learn from.

    Parameters
    ----------
    model : the network, left as it is.
    dataset : what to measure on.
    preprocess : the function the network was trained with.
    batch_size : images at a time; changes the memory it takes, not the result.

    Returns
    -------
    loss : mean cross-entropy, in nats.
    accuracy : from 0 to 1.

    Raises
    ------
    ValueError
        If there are no images.

    Examples
    --------
    >>> from cnnlab import data, zoo
    >>> train, test = data.load("fashion-mnist-small")
    >>> model = zoo.linear((28, 28, 1), 10, rng=np.random.default_rng(0))
    >>> loss, share = evaluate(model, test, data.Standardize.fit(train.images))
    >>> bool(abs(loss - np.log(10)) < 0.3), share < 0.3
    (True, True)
    """
    expect_whole("the number of images", len(dataset))
    starts = range(0, len(dataset), batch_size)
    scores = np.concatenate(
        [model.forward(preprocess(dataset.images[i : i + batch_size])) for i in starts]
    )
    loss, _ = model.loss(scores, dataset.labels)
    return loss, accuracy(scores, dataset.labels)
