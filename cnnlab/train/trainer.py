"""Training: many small steps, watched."""

import math
import os
import time
from collections.abc import Callable

import numpy as np

from cnnlab import progress
from cnnlab.data import Dataset, batches
from cnnlab.metrics import accuracy
from cnnlab.model import Sequential
from cnnlab.optim import Optimizer, Schedule
from cnnlab.shapes import expect_generator, expect_whole
from cnnlab.train.checkpoint import Checkpoint, description, fingerprint, seed_of
from cnnlab.train.history import History, TrainingDiverged


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
    schedule : (progress from 0 to 1, validation accuracies so far or None) → the share of the
        optimizer's learning rate to use, such as `optim.cosine` or `optim.Plateau()`.
    progress : True shows a bar, False does not; by default terminals and notebooks get one.

    Raises
    ------
    ValueError
        If the optimizer belongs to another network, or batch_size is not a whole number
        of at least 1.
    TypeError
        If rng is no generator.

    Examples
    --------
    >>> from cnnlab import data, zoo
    >>> from cnnlab.optim import SGD
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
        optimizer: Optimizer,
        *,
        preprocess: Callable[[np.ndarray], np.ndarray],
        batch_size: int = 128,
        rng: np.random.Generator,
        augment: Callable[..., np.ndarray] | None = None,
        schedule: Schedule | None = None,
        progress: bool | None = None,
    ):
        if optimizer.model is not model:
            raise ValueError(
                f"the optimizer must change the network that is trained, got {optimizer!r} of "
                f"another network: make a new one for this model."
            )
        expect_whole("batch_size", batch_size)
        expect_generator(rng)
        self.model, self.optimizer, self.preprocess = model, optimizer, preprocess
        self.batch_size, self.rng, self.progress = batch_size, rng, progress
        self.augment, self.schedule = augment, schedule

    def fit(
        self,
        train: Dataset,
        *,
        validation: Dataset | None = None,
        epochs: int,
        patience: int | None = None,
        keep_best: bool = False,
        checkpoint: str | os.PathLike | None = None,
        resume: bool = False,
        on_epoch: Callable[[History], object] | None = None,
    ) -> History:
        """Train for some epochs; calling it again goes on from there.

        Ctrl-C ends training early and keeps what was learned: the history is returned
        and says "interrupted".

        Parameters
        ----------
        train : what to learn from.
        validation : what to measure on after each epoch; never learned from.
        epochs : how many times to go through the training images.
        patience : stop early after so many epochs in a row without a better validation
            accuracy; the history says "early".
        keep_best : whether to end with the weights of the epoch whose validation accuracy
            was best, rather than with the last.
        checkpoint : a file, such as "checkpoint.npz", to write after every epoch.
        resume : whether to go on from the checkpoint, if there is one. Its training must have
            had the same settings and images. Everything is put back, chance included: the
            result is, to the last bit, that of training that was never stopped.
        on_epoch : called with the history after every epoch, such as `viz.live()`.

        Raises
        ------
        TrainingDiverged
            If a loss is infinite or not a number. The weights, and the optimizer's
            memory, are restored to the end of the last epoch that was finite.
        CheckpointError
            If the checkpoint to go on from is damaged, or of other training; nothing has
            been changed then.
        FileNotFoundError
            If the folder of the checkpoint does not exist.
        ValueError
            If epochs or patience is not a whole number of at least 1, there are no images, or
            validation images are needed and missing.
        """
        self._expect_fit(train, validation, epochs, patience, keep_best)
        history, base_rate = History(), self.optimizer.learning_rate
        total = epochs * math.ceil(len(train) / self.batch_size)
        good, best = _copies(self._arrays()), _copies(self._learned()) if keep_best else {}
        saved = None
        if checkpoint is not None:
            options = {"epochs": epochs, "patience": patience, "keep_best": keep_best}
            saved = self._checkpoint(checkpoint, train, validation, options)
            if resume and saved.path.exists():
                history = saved.load(self._arrays() | _named_best(best))
                good = _copies(self._arrays())
        elif resume:
            raise ValueError("resume needs a checkpoint to go on from, got checkpoint=None.")
        try:
            # A loss that overflows is caught by its value, with an explanation.
            with self._bar(total) as bar, np.errstate(over="ignore", invalid="ignore"):
                bar.update(len(history.step_losses))
                while history.epochs < epochs and not _has_waited(history, patience):
                    self._epoch(train, validation, history, base_rate, total, bar)
                    good = _copies(self._arrays())
                    if keep_best and history.best_epoch == history.epochs:
                        best = _copies(self._learned())
                    if saved is not None:
                        saved.save(history, good | _named_best(best))
                    if on_epoch is not None:
                        on_epoch(history)
            history.stopped = "early" if history.epochs < epochs else None
        except KeyboardInterrupt:
            history.stopped = "interrupted"
        except TrainingDiverged:
            history.stopped = "diverged"
            _restore(self._arrays(), good)
            raise
        finally:
            self.optimizer.learning_rate = base_rate
        if keep_best and history.epochs:
            _restore(self._learned(), best)
        return history

    def _expect_fit(self, train, validation, epochs, patience, keep_best):
        expect_whole("epochs", epochs)
        expect_whole("the number of training images", len(train))
        if patience is not None:
            expect_whole("patience", patience)
        if validation is None and (patience is not None or keep_best):
            raise ValueError(
                f"stopping early and keeping the best weights need validation images, got none "
                f"with patience={patience}, keep_best={keep_best}: pass some, for example from "
                f"data.split."
            )
        if validation is not None:
            expect_whole("the number of validation images", len(validation))
        self._share(0.0, History(), validation)  # which may need validation images as well

    def _share(self, progress, history, validation):
        if self.schedule is None:
            return 1.0
        accuracies = None if validation is None else history.validation_accuracy
        return self.schedule(progress, accuracies)

    def _epoch(self, train, validation, history, base_rate, total, bar):
        start, losses, hits, rates = time.perf_counter(), [], 0.0, []
        prepared = batches(train, self.batch_size, self.rng, prepare=self._prepare, ahead=2)
        for x, labels in prepared:
            done = len(history.step_losses) / total
            self.optimizer.learning_rate = base_rate * self._share(done, history, validation)
            rates.append(self.optimizer.learning_rate)
            loss, scores = self._step(x, labels, history)
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
        history.learning_rate.append(rates[0])
        if validation is not None:
            history.validation_loss.append(loss)
            history.validation_accuracy.append(share)

    def _prepare(self, images, *, rng):
        """What the network reads of some training images."""
        return self.preprocess(images if self.augment is None else self.augment(images, rng=rng))

    def _step(self, x, labels, history):
        scores = self.model.forward(x, training=True)
        loss, dscores = self.model.loss(scores, labels)
        history.step_losses.append(loss)
        self._expect_finite("the loss", loss, history)
        self.model.backward(dscores, input_gradient=False)
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

    def _learned(self):
        return self.model.parameters() | self.model.buffers()

    def _arrays(self):
        """All that training changes, generators apart."""
        memory = {f"optimizer.{name}": array for name, array in self.optimizer.state().items()}
        return self._learned() | memory

    def _checkpoint(self, path, train, validation, options):
        layers = ", ".join(map(description, self.model.layers))
        settings = {
            "the network": f"{layers} for {self.model.input_shape} in {self.model.dtype}",
            "the optimizer": description(self.optimizer),
            "schedule": description(self.schedule),
            "augment": description(self.augment),
            "preprocess": description(self.preprocess),
            "batch_size": str(self.batch_size),
            **{name: str(value) for name, value in options.items()},
            "the seed": seed_of(self.rng),
            "the training images": fingerprint(train),
            "the validation images": fingerprint(validation),
        }
        return Checkpoint(path, [self.rng, *self.model.generators()], settings)

    def _bar(self, total):
        return progress.bar(total, show=self.progress, unit="step")


def _copies(arrays):
    return {name: array.copy() for name, array in arrays.items()}


def _restore(arrays, copies):
    for name, array in arrays.items():
        array[...] = copies[name]


def _named_best(arrays):
    return {f"best.{name}": array for name, array in arrays.items()}


def _has_waited(history, patience):
    """Whether the best epoch is as long ago as patience allows."""
    return (
        patience is not None
        and history.best_epoch is not None
        and history.epochs - history.best_epoch >= patience
    )


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
        If there are no images, or batch_size is not a whole number of at least 1.

    Examples
    --------
    >>> from cnnlab import data, zoo
    >>> train, test = data.load("fashion-mnist-small")
    >>> model = zoo.linear((28, 28, 1), 10, rng=np.random.default_rng(0))
    >>> loss, share = evaluate(model, test, data.Standardize.fit(train.images))
    >>> bool(abs(loss - np.log(10)) < 0.3), share < 0.3
    (True, True)
    """
    scores = predict_scores(model, dataset, preprocess, batch_size=batch_size)
    loss, _ = model.loss(scores, dataset.labels)
    return loss, accuracy(scores, dataset.labels)


def predict_scores(
    model: Sequential,
    dataset: Dataset,
    preprocess: Callable[[np.ndarray], np.ndarray],
    *,
    batch_size: int = 256,
) -> np.ndarray:
    """(N, C) the scores of a network for images, read and preprocessed a batch at a time.

    Parameters and errors are those of `evaluate`.
    """
    expect_whole("the number of images", len(dataset))
    expect_whole("batch_size", batch_size)
    starts = range(0, len(dataset), batch_size)
    # The images may lie in a file: a slice is read when it is asked for.
    parts = (np.asarray(dataset.images[i : i + batch_size]) for i in starts)
    return np.concatenate([model.forward(preprocess(images)) for images in parts])
