"""What happened in training, in numbers."""

from dataclasses import asdict, dataclass, field


@dataclass(repr=False)
class History:
    """What happened in training, epoch by epoch; an epoch is one pass through the images.

    Attributes
    ----------
    train_loss, train_accuracy : one number per complete epoch, the mean over its batches as
        they were when the network learned from them (augmented, with weights still moving).
    validation_loss, validation_accuracy : at the end of each epoch; empty without validation.
    seconds : how long each epoch took.
    learning_rate : of the first step of each epoch.
    step_losses : one loss per step, unfinished epochs included.
    stopped : None if all epochs were trained, else "early", "interrupted" or "diverged".
    """

    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    step_losses: list[float] = field(default_factory=list)
    stopped: str | None = None

    @property
    def epochs(self) -> int:
        """How many epochs are complete."""
        return len(self.train_loss)

    @property
    def best_epoch(self) -> int | None:
        """The epoch, counted from 1, that first reached the best validation accuracy, if any."""
        accuracies = self.validation_accuracy
        return accuracies.index(max(accuracies)) + 1 if accuracies else None

    def as_dict(self) -> dict:
        """All of it as lists and numbers, ready for JSON."""
        return asdict(self)

    def last_epoch(self) -> str:
        """The last complete epoch in one line.

        Examples
        --------
        >>> print(History([2.0, 1.5], [0.3, 0.456], seconds=[1, 1.25]).last_epoch())
        epoch 2 in 1.2 s; train loss 1.500, accuracy 45.6%
        """
        if not self.epochs:
            return "no epoch is complete"
        return "; ".join([f"epoch {self.epochs} in {self.seconds[-1]:.1f} s", *self._results()])

    def __repr__(self) -> str:
        parts = [f"{self.epochs} epochs in {sum(self.seconds):.1f} s", *self._results()]
        if self.stopped:
            parts.append(self.stopped)
        return f"History({'; '.join(parts)})"

    def _results(self):
        for name in ("train", "validation"):
            losses, accuracies = getattr(self, f"{name}_loss"), getattr(self, f"{name}_accuracy")
            if losses:
                yield f"{name} loss {losses[-1]:.3f}, accuracy {accuracies[-1]:.1%}"


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
        # Otherwise pickle, on the way from one process to another, would forget the history.
        return type(self), (*self.args, self.history)
