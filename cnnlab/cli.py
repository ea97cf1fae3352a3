"""The `cnnlab` command. Each subcommand imports what it needs when it runs."""

import json
import math
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import click

import cnnlab


@contextmanager
def _in_words():
    """What a command cannot do for want of a course or of a package ends in a sentence."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = f"this needs {error.name}: pip install 'cnnlab[course]'"
        raise click.ClickException(f"{missing}; to build, 'cnnlab[dev]'.") from None
    except ValueError as error:
        from cnnlab.grading.paper import PaperError

        if not isinstance(error, PaperError):
            raise  # a fault of ours: its traceback is needed
        raise click.ClickException(str(error)) from None


def _finite(context, parameter, value):
    if not math.isfinite(value):
        raise click.BadParameter(f"must be a finite number, got {value}.")
    return value


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(cnnlab.__version__, prog_name="cnnlab")
def main():
    """A course on convolutional neural networks: open it, train, grade."""


@main.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--page",
    default="notebooks/00_start_here.ipynb",
    show_default=True,
    help="The notebook to open.",
)
@click.argument("jupyter_options", nargs=-1, type=click.UNPROCESSED)
def lab(page, jupyter_options):
    """Open the course in JupyterLab. Further options go to JupyterLab as they are."""
    with _in_words():
        from cnnlab.grading.paper import course_root

        root = course_root()
    if not (root / page).is_file():
        raise click.BadParameter(f"there is no {page} in {root}.", param_hint="--page")
    command = [sys.executable, "-m", "jupyterlab", "--log-level=ERROR"]
    command += [f"--ServerApp.root_dir={root}", f"--LabApp.default_url=/lab/tree/{page}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # as in most containers
    click.echo(f"Opening {page}. Without a browser, copy the address that follows.")
    click.echo("Ctrl+C ends it.")
    # Settings beside this file keep JupyterLab off the network; the user's own come first.
    _prepend("JUPYTER_CONFIG_PATH", Path(__file__).parent / "jupyter")
    _prepend("PATH", Path(sys.executable).parent)  # so that !cnnlab works in a cell
    command += jupyter_options
    if os.name == "nt":  # where the shell would not wait for a process that takes our place
        sys.exit(subprocess.run(command, check=False).returncode)
    os.execv(sys.executable, command)


@main.command()
@click.argument("notebook", type=click.Path(path_type=Path))
@click.option("--assignment", help="Which one it answers, where the notebook does not say so.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    help="Of the numbers in the checks; a fresh one by default.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    callback=_finite,
    default=30.0,
    show_default=True,
    help="Seconds for each cell.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def grade(notebook, assignment, seed, timeout, as_json):
    """Grade NOTEBOOK: points for each question, and the total.

    Ends with code 0 if it was graded, whatever the score, and 1 if it could not be.
    """
    with _in_words():
        from cnnlab.grading import grade

        report = grade(notebook, assignment=assignment, seed=seed, timeout=timeout)
    click.echo(json.dumps(report.as_dict()) if as_json else str(report))
    sys.exit(0 if report.status == "graded" else 1)


@main.command()
@click.argument("names", nargs=-1)
@click.option("--check", is_flag=True, help="Write nothing; fail if a notebook is out of date.")
def build(names, check):
    """Build notebooks/, assignments/ and solutions/ from course/ (all, or just NAMES)."""
    with _in_words():
        from cnnlab.grading import build as builder
        from cnnlab.grading.paper import course_root

        root = course_root()
        if check:
            stale = builder.stale(root, list(names) or None, say=click.echo)
            for path, difference in stale.items():
                click.echo(f"out of date: {path}: {difference}", err=True)
            if stale:
                raise click.ClickException("run 'cnnlab build' and commit what it writes.")
        else:
            for path in builder.build(root, list(names) or None, say=click.echo):
                click.echo(f"wrote {path}")


@main.command()
@click.option(
    "--model",
    "model_name",
    default="convnet",
    show_default=True,
    help="Which network: alexnet, alexnet_small, convnet, lenet or linear.",
)
@click.option(
    "--data",
    "data_name",
    default="fashion-mnist-small",
    show_default=True,
    help="Which images: cifar-10, fashion-mnist, fashion-mnist-small, mnist or shapes.",
)
@click.option("--epochs", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--batch-size", type=click.IntRange(min=1), default=128, show_default=True)
@click.option(
    "--learning-rate",
    type=click.FloatRange(min=0),
    callback=_finite,
    default=0.05,
    show_default=True,
    help="At the start; it falls to 0 along a cosine.",
)
@click.option(
    "--momentum",
    type=click.FloatRange(0, 1, max_open=True),
    callback=_finite,
    default=0.9,
    show_default=True,
)
@click.option(
    "--weight-decay",
    type=click.FloatRange(min=0),
    callback=_finite,
    default=5e-4,
    show_default=True,
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the results.  [default: runs/MODEL]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
@click.option("--quiet", is_flag=True, help="No progress, no table.")
def train(model_name, data_name, epochs, batch_size, seed, out, as_json, quiet, **rates):
    """Train a network and measure it on images it has not seen.

    Writes curve.png, confusion.png, model.npz and result.json. Ctrl+C ends the training
    early, writes what there is and ends with code 130.
    """
    import numpy as np

    from cnnlab import data, zoo
    from cnnlab.optim import SGD, cosine
    from cnnlab.train import Trainer, TrainingDiverged

    rng = np.random.default_rng(seed)
    images, test = _load(data_name, "--data")
    try:
        model = zoo.build(model_name, images.image_shape, images.n_classes, rng=rng)
    except zoo.UnknownModelError as error:
        raise click.BadParameter(str(error), param_hint="--model") from None
    out = out or Path("runs") / model_name
    try:
        # Before the training: a folder that cannot be made should not cost minutes.
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.BadParameter(str(error), param_hint="--out") from None
    if not quiet:
        click.echo(f"{images}\n{model.summary()}", err=as_json)

    trainer = Trainer(
        model,
        SGD(model, **rates),
        preprocess=data.Standardize.fit(np.asarray(images.images)),
        batch_size=batch_size,
        rng=rng,
        augment=data.flip,
        schedule=cosine,
        progress=not quiet,
    )
    start = time.perf_counter()
    try:
        history = trainer.fit(images, epochs=epochs)
    except TrainingDiverged as error:
        raise click.ClickException(str(error)) from None
    result = {
        **{"model": model_name, "data": data_name, "seed": seed},
        **{"epochs": epochs, "batch_size": batch_size, **rates},
        **{"epochs_trained": history.epochs, "stopped": history.stopped},
        "seconds": round(time.perf_counter() - start, 2),
        **_write_results(out, trainer, history, test),
    }
    report = {**result, "history": history.as_dict()}
    (out / "result.json").write_text(json.dumps(report, indent=1) + "\n")
    if as_json:
        click.echo(json.dumps(result))
    else:
        click.echo(
            f"Test accuracy {result['test_accuracy']:.2%} after {result['seconds']:.1f} s "
            f"(epochs: {result['epochs_trained']}{', interrupted' if history.stopped else ''}). "
            f"Results in {out}."
        )
    sys.exit(130 if history.stopped else 0)


@main.group("data")
def data_group():
    """The data sets: what there is, and getting it."""


@data_group.command("list")
def data_list():
    """List the data sets: what they show, and where they are or how much is to download."""
    from cnnlab.data.sources import SOURCES

    for name, source in sorted(SOURCES.items()):
        click.echo(f"{name:21}{source.about}\n{'':21}{source.place}")


@data_group.command("get")
@click.argument("name")
def data_get(name):
    """Download the data set NAME, if it is not here yet, and read it to see that it is whole.

    Downloads go to the folder that the environment variable CNNLAB_DATA names, or else to the
    one where the system keeps such things.
    """
    from cnnlab.data.sources import SOURCES

    for part in _load(name, "NAME"):
        click.echo(part)
    click.echo(SOURCES[name].place)


def _load(name, parameter):
    """The training and the test part of a data set; what goes wrong is said in words."""
    from cnnlab import data

    try:
        return data.load(name)
    except data.UnknownDatasetError as error:
        raise click.BadParameter(str(error), param_hint=parameter) from None
    except (data.DataFileError, OSError) as error:
        raise click.ClickException(str(error)) from None


def _write_results(out, trainer, history, test):
    """Measure the network on the test images, write pictures and weights, return the numbers."""
    from matplotlib.figure import Figure

    from cnnlab import viz
    from cnnlab.metrics import confusion_matrix
    from cnnlab.train import evaluate

    model = trainer.model
    loss, accuracy = evaluate(model, test, trainer.preprocess)
    predictions = model.predict(trainer.preprocess(test.images))
    matrix = confusion_matrix(test.labels, predictions, test.n_classes)
    # Figures without pyplot: no window, whatever the machine.
    curve = Figure(figsize=(6, 3.4), layout="constrained")
    viz.plot_history(history, curve.subplots())
    curve.savefig(out / "curve.png", dpi=150)
    confusion = Figure(figsize=(7, 7), layout="constrained")
    viz.plot_confusion(matrix, test.class_names, confusion.subplots())
    confusion.savefig(out / "confusion.png", dpi=150)
    model.save(out / "model.npz")
    return {
        "parameters": model.parameter_count,
        "test_loss": round(loss, 6),
        "test_accuracy": round(accuracy, 6),
        "out": str(out),
    }


def _prepend(variable: str, folder: Path) -> None:
    os.environ[variable] = os.pathsep.join(filter(None, [str(folder), os.environ.get(variable)]))
