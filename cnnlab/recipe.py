"""Recipes: everything that decides how a network is trained, in one object to read.

`LAPTOP` trains the small AlexNet in minutes; `benchmarks/README.md` says how well. `ALEXNET` is the
recipe of the lecture. Where its values come from:

=============  ==========================  =================================================
batch size     128                         the lecture; Krizhevsky et al. 2012, section 5
optimizer      SGD, momentum 0.9           the same
learning rate  1e-2                        the same
schedule       ÷10 on a plateau of the     the same, where it is done by hand; how many epochs
               validation accuracy         make a plateau (3) is ours
L2             5e-4, biases spared         the same; to spare biases is our rule
dropout        0.5                         the lecture; section 4.2, in both hidden layers
augmentation   translations, reflections   the lecture; section 4.1. ±2 of 28 pixels is the
                                           share that ±16 of 224 is there
epochs         90                          section 5
validation     10 % of the training images ours; the paper has images of its own for it
=============  ==========================  =================================================
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from cnnlab import data, fast, parallel, zoo
from cnnlab.data import Dataset
from cnnlab.model import Sequential
from cnnlab.ops import Ops
from cnnlab.optim import SGD, Adam, Plateau, Schedule, WarmUp, cosine, name_of
from cnnlab.shapes import expect_number, expect_whole
from cnnlab.table import Table
from cnnlab.train import History, Trainer, evaluate

# What a recipe can name.
OPTIMIZERS = ("adam", "nesterov", "sgd")
# An augmentation is made by (training images, options). It keeps the size of the images.
AUGMENTATIONS: dict[str, Callable[..., Callable[..., np.ndarray]]] = {
    "color_jitter": data.ColorJitter.fit,
    "cutout": lambda images, **options: partial(data.cutout, **options),
    "flip": lambda images, **options: partial(data.flip, **options),
    "shift": lambda images, **options: partial(data.shift, **options),
}
PREPROCESSING: dict[str, Callable] = {
    "channel mean": data.ChannelMean.fit,
    "mean image": data.MeanImage.fit,
    "standardize": data.Standardize.fit,
}


@dataclass(frozen=True)
class Recipe(Table):
    """How to train a network: plain values, to print, to vary and to send to another process.

    `dataclasses.replace(recipe, seed=3)` is the same recipe with another seed.

    Parameters
    ----------
    model : the network, a name in `zoo.MODELS`.
    model_options : what its function takes besides, such as {"dropout": 0.5}.
    epochs : how many times to go through the training images, at most.
    batch_size : images per step.
    optimizer : "sgd", "nesterov" or "adam".
    learning_rate : the size of a step, at first.
    momentum : of "sgd" and "nesterov"; "adam" has moments of its own.
    weight_decay : λ of the L2 penalty λ/2·‖w‖², biases spared.
    schedule : what becomes of the learning rate, such as `optim.cosine`,
        `optim.Plateau(patience=3)` or None for a constant one.
    patience : stop after so many epochs without a better validation accuracy; None: never.
    keep_best : whether to end with the weights of the best epoch, rather than of the last.
    augmentation : from the name of a function of `data` to its options, such as
        {"shift": {"pixels": 2}, "flip": {}}, in the order in which they are applied; for
        color images also "color_jitter".
    preprocess : "standardize", "channel mean" or "mean image", measured on the images that train.
    validation : the share of the training images to hold out, where `run` is not given any.
    seed : of all chance: the split, the weights, the order, the augmentation, dropout.

    Raises
    ------
    ValueError
        If a value makes no sense, or a name is unknown; that of the model is looked up when
        the network is built.

    Examples
    --------
    >>> train, test = data.load("fashion-mnist-small")
    >>> recipe = Recipe(model="linear", epochs=2, learning_rate=0.01)
    >>> recipe.run(train[:1000], test).test_accuracy > 0.5
    True
    >>> print(recipe)
    setting        value
    model          linear
    epochs         2
    batch size     128
    optimizer      SGD, momentum 0.9
    learning rate  0.01
    schedule       cosine
    L2             0.0005, biases spared
    early stop     no
    augmentation   flip
    preprocessing  standardize
    validation     none
    seed           0
    """

    model: str = "convnet"
    model_options: Mapping[str, object] = field(default_factory=dict)
    epochs: int = 10
    batch_size: int = 128
    optimizer: str = "sgd"
    learning_rate: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 5e-4
    schedule: Schedule | None = cosine
    patience: int | None = None
    keep_best: bool = False
    augmentation: Mapping[str, Mapping[str, object]] = field(default_factory=lambda: {"flip": {}})
    preprocess: str = "standardize"
    validation: float = 0.0
    seed: int = 0

    sides = "<<"

    def __post_init__(self):
        expect_whole("epochs", self.epochs)
        expect_whole("batch_size", self.batch_size)
        expect_whole("seed", self.seed, least=0)
        if self.patience is not None:
            expect_whole("patience", self.patience)
        for name in ("learning_rate", "weight_decay"):
            expect_number(name, getattr(self, name), least=0)
        for name in ("momentum", "validation"):
            expect_number(name, getattr(self, name), least=0, below=1)
        _expect_name("optimizer", self.optimizer, OPTIMIZERS)
        _expect_name("preprocess", self.preprocess, PREPROCESSING)
        for name in self.augmentation:
            _expect_name("augmentation", name, AUGMENTATIONS)

    def build(
        self,
        input_shape: tuple[int, ...],
        n_classes: int,
        *,
        rng: np.random.Generator,
        ops: Ops = fast.ops,
    ) -> Sequential:
        """The network of this recipe, with fresh weights; the arguments are those of `zoo.build`.

        Raises
        ------
        UnknownModelError
            If the zoo has no network of this name.
        """
        return zoo.build(self.model, input_shape, n_classes, rng=rng, ops=ops, **self.model_options)

    def run(
        self,
        train: Dataset,
        test: Dataset | None = None,
        validation: Dataset | None = None,
        checkpoint: str | Path | None = None,
        progress: bool | None = None,
        *,
        resume: bool = False,
        on_epoch: Callable[[History], object] | None = None,
        ops: Ops = fast.ops,
    ) -> "Trained":
        """Train a new network by this recipe, and measure it.

        Parameters
        ----------
        train : what to learn from; a share of it is held out if the recipe says so and no
            validation images are given.
        test : what to measure on in the end; by default nothing is measured.
        validation : what to measure on after each epoch.
        checkpoint, resume, on_epoch : as in `Trainer.fit`.
        progress : as in `Trainer`.
        ops : the table of operations that the network runs on.

        Raises
        ------
        TrainingDiverged, CheckpointError, ValueError
            As `Trainer.fit` does.
        """
        rng = np.random.default_rng(self.seed)
        if validation is None and self.validation:
            train, validation = data.split(train, float(self.validation), rng)
        model = self.build(train.image_shape, train.n_classes, rng=rng, ops=ops)
        preprocess = PREPROCESSING[self.preprocess](train.images)
        trainer = Trainer(
            model,
            self._optimizer(model),
            preprocess=preprocess,
            batch_size=self.batch_size,
            rng=rng,
            augment=self._augment(train.images),
            schedule=self.schedule,
            progress=progress,
        )
        history = trainer.fit(
            train,
            validation=validation,
            epochs=self.epochs,
            patience=self.patience,
            keep_best=self.keep_best,
            checkpoint=checkpoint,
            resume=resume,
            on_epoch=on_epoch,
        )
        measured = (None, None) if test is None else evaluate(model, test, preprocess)
        return Trained(self, model, preprocess, history, *measured)

    def table(self) -> list[tuple[str, ...]]:
        """The values, in the words of the lecture."""
        momentum = f", momentum {self.momentum:g}"
        optimizers = {"sgd": f"SGD{momentum}", "nesterov": f"SGD, Nesterov{momentum}"}
        early = "no" if self.patience is None else f"after {_epochs(self.patience)} without a best"
        rows = {
            "setting": "value",
            "model": _call(self.model, self.model_options),
            "epochs": f"{self.epochs}",
            "batch size": f"{self.batch_size}",
            "optimizer": optimizers.get(self.optimizer, self.optimizer.capitalize()),
            "learning rate": f"{self.learning_rate:g}",
            "schedule": name_of(self.schedule),
            "L2": f"{self.weight_decay:g}, biases spared" if self.weight_decay else "none",
            "early stop": early + (", with the best weights" if self.keep_best else ""),
            "augmentation": ", ".join(_call(*item) for item in self.augmentation.items()) or "none",
            "preprocessing": self.preprocess,
            "validation": f"{self.validation:.0%}".replace("%", " % of the training images"),
            "seed": f"{self.seed}",
        }
        if not self.validation:
            rows["validation"] = "none"
        return list(rows.items())

    def _augment(self, images):
        steps = [AUGMENTATIONS[name](images, **o) for name, o in self.augmentation.items()]
        return data.Augment(steps) if steps else None

    def _optimizer(self, model):
        rate, decay = self.learning_rate, self.weight_decay
        if self.optimizer == "adam":
            return Adam(model, learning_rate=rate, weight_decay=decay)
        return SGD(
            model,
            learning_rate=rate,
            momentum=self.momentum,
            nesterov=self.optimizer == "nesterov",
            weight_decay=decay,
        )


@dataclass(frozen=True, repr=False)
class Trained:
    """What a recipe made.

    Parameters
    ----------
    recipe : it.
    model : the trained network.
    preprocess : (N, H, W, C) uint8 → what the network reads.
    history : what happened in training.
    test_loss, test_accuracy : on the test images; None where there were none.
    """

    recipe: Recipe
    model: Sequential
    preprocess: Callable[[np.ndarray], np.ndarray]
    history: History
    test_loss: float | None = None
    test_accuracy: float | None = None

    def __repr__(self) -> str:
        test = "" if self.test_accuracy is None else f"; test accuracy {self.test_accuracy:.1%}"
        return f"Trained({self.model!r}; {self.history!r}{test})"


def run_side_by_side(
    recipes: Sequence[Recipe],
    train: Dataset,
    test: Dataset | None = None,
    *,
    executor: Executor | None = None,
    workers: int | None = None,
    progress: bool | None = None,
    ops: Ops = fast.ops,
) -> list[Trained]:
    """Follow several recipes at the same time: seeds of an ensemble, or the points of a sweep.

    The result of each is what `Recipe.run` gives by itself, to the last bit where matrix products
    use as many threads.

    Parameters
    ----------
    recipes : one for each network.
    train, test : as in `Recipe.run`; they travel to every worker.
    executor, workers, progress : as in `parallel.run_all`: by default one process per core.
    ops : the table of operations; its functions must stand in a module.

    Returns
    -------
    trained : one for each recipe, in their order.

    Raises
    ------
    JobsFailed, JobsInterrupted, TypeError, ValueError
        As `parallel.run_all` does.

    Examples
    --------
    >>> train, test = data.load("fashion-mnist-small")
    >>> recipe = Recipe(model="linear", epochs=1, learning_rate=0.01)
    >>> sweep = [replace(recipe, weight_decay=strength) for strength in (0, 1e-3)]
    >>> trained = run_side_by_side(sweep, train[:500], test[:500], workers=2)
    >>> [one.recipe.weight_decay for one in trained]
    [0, 0.001]
    """
    run = partial(_run, train=train, test=test, ops=ops)
    return parallel.run_all(run, recipes, executor=executor, workers=workers, progress=progress)


def _run(recipe, *, train, test, ops):
    return recipe.run(train, test, progress=False, ops=ops)


def _expect_name(what, name, known):
    if name not in known:
        raise ValueError(f"{what} must be one of {', '.join(sorted(known))}, got {name!r}.")


def _call(name, options):
    words = ", ".join(f"{key}={value}" for key, value in options.items())
    return f"{name}({words})" if words else name


def _epochs(count):
    return "1 epoch" if count == 1 else f"{count} epochs"


ALEXNET = Recipe(
    model="alexnet_small",
    model_options={"dropout": 0.5},
    epochs=90,
    batch_size=128,
    optimizer="sgd",
    learning_rate=1e-2,
    momentum=0.9,
    weight_decay=5e-4,
    schedule=Plateau(factor=0.1, patience=3),
    augmentation={"shift": {"pixels": 2}, "flip": {}},
    validation=0.1,
)
# The same network in a quarter of the time: steps that are larger, after a warm-up, and fade out;
# without translations, for clothes stand in the middle of their images.
LAPTOP = replace(
    ALEXNET,
    epochs=24,
    learning_rate=0.05,
    schedule=WarmUp(cosine, share=0.1),
    augmentation={"flip": {}},
    validation=0.0,
)
RECIPES = {"alexnet": ALEXNET, "default": Recipe(), "laptop": LAPTOP}
