"""The `cnnlab` command. Each subcommand imports what it needs when it runs."""

import functools
import json
import math
import os
import secrets
import subprocess
import sys
import tempfile
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
    if value is not None and not math.isfinite(value):
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


# How a submission is graded, one or a class of them.
_GRADE_OPTIONS = [
    click.option(
        "--seed",
        type=click.IntRange(min=0),
        help="Of the numbers in the checks, the same for all; a fresh one by default.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        callback=_finite,
        default=30.0,
        show_default=True,
        help="Seconds for each cell.",
    ),
    click.option(
        "--isolation",
        default="auto",
        show_default=True,
        help="Where its code runs: bwrap, container or none; auto takes the first that holds.",
    ),
]


def _with(options):
    """A decorator that gives a command these options, in this order."""
    return lambda command: functools.reduce(
        lambda made, option: option(made), reversed(options), command
    )


@main.command()
@click.argument("notebook", type=click.Path(path_type=Path))
@click.option("--assignment", help="Which one it answers, where the notebook does not say so.")
@_with(_GRADE_OPTIONS)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a page to read in a browser.",
)
def grade(notebook, assignment, seed, timeout, isolation, as_json, html):
    """Grade NOTEBOOK: points for each question, and the total.

    Ends with code 0 if it was graded, whatever the score, 1 if all or a part of it could not be,
    and 2 if the command is wrong. In a workflow of GitHub's the log also gets the points as GitHub
    Classroom reads them.
    """
    with _in_words():
        from cnnlab.grading import grade
        from cnnlab.grading.isolation import CHOICES, IsolationError

        _expect_option("--isolation", isolation, CHOICES)
        try:
            report = grade(
                notebook, assignment=assignment, seed=seed, timeout=timeout, isolation=isolation
            )
        except IsolationError as error:
            raise click.ClickException(str(error)) from None
    _say_report(json.dumps(report.as_dict()) if as_json else str(report), report)
    if html:
        with _in_words():
            from cnnlab.grading.pages import feedback_page
        try:
            html.write_text(feedback_page(report), encoding="utf-8", errors="replace")
        except OSError as error:
            raise click.BadParameter(f"{html}: {error.strerror}.", param_hint="--html") from None
    sys.exit(0 if report.status == "graded" else 1)


def _say_report(text, report):
    """Print a report; in a workflow of GitHub's none of it is taken for a command."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        click.echo(text)
        return
    from cnnlab.grading.exports import classroom

    token = secrets.token_hex(16)
    for line in (f"::stop-commands::{token}", text, f"::{token}::", *classroom(report)):
        click.echo(line)


@main.command("grade-all")
@click.argument("submissions", required=False, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the grades; one of an earlier run is gone on with.",
)
@click.option("--assignment", help="Grade this one only.  [default: all that are found]")
@click.option(
    "--roster",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The class, a CSV file with a column 'id' and one 'name': lists who is missing.",
)
@click.option(
    "--due",
    type=click.DateTime(["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]),
    help="Count late days from then, by this machine's clock. Nothing is subtracted.",
)
@_with(_GRADE_OPTIONS)
@click.option(
    "--workers", type=click.IntRange(min=1), help="Processes.  [default: one for each core]"
)
@click.option(
    "--cluster", metavar="ADDRESS", help="Of a Dask scheduler to send the work to, tcp://HOST:PORT."
)
@click.option("--list", "only_list", is_flag=True, help="Show who handed in what; grade nothing.")
@click.option("--report-only", is_flag=True, help="Make the reports in --out again; grade nothing.")
def grade_all(
    submissions,
    out,
    assignment,
    roster,
    due,
    seed,
    timeout,
    isolation,
    workers,
    cluster,
    only_list,
    report_only,
):
    """Grade a class: SUBMISSIONS is the folder or zip archive that a learning platform exports.

    Reads what Moodle, Canvas, nbgrader and GitHub Classroom write: whose a file is follows from the
    first part of its path, and --list shows it. The latest attempt counts. A run that was
    ended, in whatever way, goes on by the same command; nobody is graded twice.

    Writes into the folder of --out: grades.csv and overview.html for the instructor, feedback/ for
    learners, gradescope/ and junit.xml for other programs. What is typed into grades.csv under
    manual and late_days_counted, or in a column of your own, is kept.

    Ends with code 0 if all that could be read was graded, 1 if some of it was not, 2 if the command
    is wrong, and 130 after Ctrl+C.
    """
    if cluster and workers:
        raise click.UsageError("a cluster has workers of its own: give --cluster or --workers.")
    if submissions is None and not report_only:
        raise click.UsageError("say which SUBMISSIONS, a folder or a zip archive.")
    if out is None and not only_list:
        raise click.UsageError("say where the grades go: --out FOLDER.")
    with _in_words():
        from cnnlab.grading.batch import grade_all
        from cnnlab.grading.collect import CollectError
        from cnnlab.grading.gradebook import Gradebook, GradebookError, counted
        from cnnlab.grading.isolation import CHOICES, IsolationError
        from cnnlab.grading.reports import write_reports
        from cnnlab.grading.roster import RosterError, read_roster

        _expect_option("--isolation", isolation, CHOICES)
        try:
            options = {"assignment": assignment, "roster": roster and read_roster(roster)}
            if only_list:
                click.echo(_listing(submissions, options | {"without": out}))
                return
            interrupted = False
            if not report_only:
                options |= {"due": due and due.timestamp(), "seed": seed, "timeout": timeout}
                options |= {"isolation": isolation}
                interrupted = _grade_in_words(
                    grade_all, cluster, submissions, out, workers=workers, **options
                )
            with Gradebook(out, new=False) as book:
                if report_only and due:
                    book.enter([row.submission for row in book.rows()], due.timestamp())
                rows = write_reports(book)
        except (CollectError, GradebookError, IsolationError, RosterError) as error:
            raise click.ClickException(str(error)) from None
    counts = counted(rows)
    click.echo(f"{', '.join(f'{number} {status}' for status, number in counts.items())}.")
    click.echo(f"Grades in {out / 'grades.csv'}, an overview in {out / 'overview.html'}.")
    undone = set(counts) - {"graded", "unreadable", "missing"}
    sys.exit(130 if interrupted else 1 if undone else 0)


def _listing(submissions, options):
    from cnnlab.grading.collect import Listing, collect
    from cnnlab.grading.paper import course_root

    with tempfile.TemporaryDirectory(prefix="cnnlab-") as unpacked:
        return Listing(collect(submissions, Path(unpacked), root=course_root(), **options))


def _grade_in_words(grade_all, cluster, submissions, out, **options):
    """Grade; say in words what keeps a cluster from it. True where Ctrl+C ended it."""
    from contextlib import nullcontext

    from cnnlab.parallel import JobsInterrupted, connect

    say = functools.partial(click.echo, err=True)
    try:
        with connect(cluster) if cluster else nullcontext() as executor:
            grade_all(submissions, out, executor=executor, say=say, **options)
    except JobsInterrupted as error:
        click.echo(f"{error} The same command goes on with the others.", err=True)
        return True
    except ConnectionError as error:
        raise click.ClickException(str(error)) from None
    return False


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


# What decides how networks are trained, for every command that trains some.
_RECIPE_OPTIONS = [
    click.option(
        "--recipe",
        "recipe_name",
        default="default",
        show_default=True,
        help="What the options below vary: default, laptop, or alexnet, the recipe of the lecture.",
    ),
    click.option(
        "--model", help="Which network: alexnet, alexnet_small, convnet, lenet or linear."
    ),
    click.option(
        "--data",
        "data_name",
        default="fashion-mnist-small",
        show_default=True,
        help="Which images: cifar-10, fashion-mnist, fashion-mnist-small, mnist or shapes.",
    ),
    click.option("--epochs", type=click.IntRange(min=1)),
    click.option("--batch-size", type=click.IntRange(min=1)),
    click.option("--optimizer", help="sgd, nesterov or adam."),
    click.option(
        "--learning-rate", type=click.FloatRange(min=0), callback=_finite, help="At the start."
    ),
    click.option("--schedule", help="What becomes of it: constant, cosine, plateau or steps."),
    click.option("--momentum", type=click.FloatRange(0, 1, max_open=True), callback=_finite),
    click.option("--weight-decay", type=click.FloatRange(min=0), callback=_finite),
    click.option(
        "--validation",
        type=click.FloatRange(0, 1, max_open=True),
        callback=_finite,
        help="The share of the training images to hold out.",
    ),
    click.option(
        "--patience",
        type=click.IntRange(min=1),
        help="Stop after so many epochs without a better validation accuracy.",
    ),
    click.option("--seed", type=click.IntRange(min=0)),
    click.option(
        "--out",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder for the results.  [default: below runs/]",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print one line of JSON."),
    click.option("--quiet", is_flag=True, help="No progress, no tables."),
]


@main.command()
@_with(_RECIPE_OPTIONS)
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in that folder, if any.")
def train(recipe_name, data_name, out, resume, as_json, quiet, **options):
    """Train a network and measure it on images it has not seen.

    Writes curve.png, confusion.png, model.npz and result.json, and after every epoch
    checkpoint.npz, from which --resume goes on. Ctrl+C ends the training early, writes what
    there is and ends with code 130.
    """
    from cnnlab.train import CheckpointError, TrainingDiverged

    recipe, images, test, out = _prepare(
        recipe_name, data_name, out, "{model}", as_json, quiet, options
    )
    try:
        trained = recipe.run(
            images, test, checkpoint=out / "checkpoint.npz", resume=resume, progress=not quiet
        )
    except (TrainingDiverged, CheckpointError) as error:
        raise click.ClickException(str(error)) from None
    history = trained.history
    result = {
        **{"model": recipe.model, "data": data_name, "seed": recipe.seed},
        **{"epochs": recipe.epochs, "batch_size": recipe.batch_size},
        **{"learning_rate": recipe.learning_rate, "momentum": recipe.momentum},
        **{"weight_decay": recipe.weight_decay},
        **{"epochs_trained": history.epochs, "stopped": history.stopped},
        "seconds": round(sum(history.seconds), 2),
        **_write_results(out, trained, test),
    }
    report = {**result, "recipe": dict(recipe.table()[1:]), "history": history.as_dict()}
    (out / "result.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if as_json:
        click.echo(json.dumps(result))
    else:
        stopped = {None: "", "early": ", stopped early"}.get(history.stopped, ", interrupted")
        click.echo(
            f"Test accuracy {result['test_accuracy']:.2%} after {result['seconds']:.1f} s "
            f"(epochs: {result['epochs_trained']}{stopped}). "
            f"Results in {out}."
        )
    sys.exit(130 if history.stopped == "interrupted" else 0)


@main.command()
@_with(_RECIPE_OPTIONS)
@click.option(
    "--networks", type=click.IntRange(min=1), default=7, show_default=True, help="How many."
)
@click.option(
    "--workers", type=click.IntRange(min=1), help="Processes.  [default: one for each core]"
)
@click.option(
    "--cluster", metavar="ADDRESS", help="Of a Dask scheduler to send the work to, tcp://HOST:PORT."
)
def ensemble(recipe_name, data_name, out, as_json, quiet, networks, workers, cluster, **options):
    """Train several networks side by side, one seed after another, and let them answer together.

    Writes the weights of each, seed-N.npz, and result.json: the error of each network and of
    all together on images they have not seen. Ctrl+C ends with code 130.
    """
    from contextlib import nullcontext
    from dataclasses import replace

    from cnnlab.ensemble import Ensemble
    from cnnlab.parallel import JobsFailed, JobsInterrupted, connect
    from cnnlab.recipe import run_side_by_side

    if cluster and workers:
        raise click.UsageError("a cluster has workers of its own: give --cluster or --workers.")
    recipe, images, test, out = _prepare(
        recipe_name, data_name, out, "{model}-ensemble", as_json, quiet, options
    )
    recipes = [replace(recipe, seed=recipe.seed + number) for number in range(networks)]

    def save(results):
        for one in filter(None, results):
            one.model.save(out / f"seed-{one.recipe.seed}.npz")

    start = time.perf_counter()
    try:
        with connect(cluster) if cluster else nullcontext() as executor:
            trained = run_side_by_side(
                recipes, images, executor=executor, workers=workers, progress=not quiet
            )
    except JobsInterrupted as error:
        save(error.results)
        click.echo(f"{error} Their weights are in {out}.", err=True)
        sys.exit(130)
    except JobsFailed as error:
        save(error.results)
        raise click.ClickException(str(error)) from None
    except ModuleNotFoundError as error:
        raise click.ClickException(f"{error}: pip install 'cnnlab[cluster]'") from None
    except ConnectionError as error:
        raise click.ClickException(str(error)) from None
    seconds = time.perf_counter() - start
    save(trained)
    errors = Ensemble([(one.model, one.preprocess) for one in trained]).evaluate(test)
    result = {
        **{"model": recipe.model, "data": data_name, "seeds": [r.seed for r in recipes]},
        "single": [round(error, 6) for error in errors.single],
        "together": round(errors.together, 6),
        **{"seconds": round(seconds, 2), "out": str(out)},
    }
    report = {**result, "recipe": dict(recipe.table()[1:])}
    (out / "result.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    click.echo(json.dumps(result) if as_json else f"{errors}\nResults in {out}.")


def _prepare(recipe_name, data_name, out, folder, as_json, quiet, options):
    """The recipe, the images and the folder of a training command; shows what it is about."""
    import numpy as np

    from cnnlab import zoo
    from cnnlab.shapes import ShapeError

    recipe = _recipe(recipe_name, options)
    images, test = _load(data_name, "--data")
    try:
        # To be shown, and to see that all fits before a folder is made; training makes its own.
        model = recipe.build(images.image_shape, images.n_classes, rng=np.random.default_rng(0))
    except (zoo.UnknownModelError, ShapeError) as error:
        raise click.BadParameter(str(error), param_hint="--model") from None
    out = out or Path("runs") / folder.format(model=recipe.model)
    try:
        # Before the training: a folder that cannot be made should not cost minutes.
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.BadParameter(str(error), param_hint="--out") from None
    if not quiet:
        click.echo(f"{images}\n\n{recipe}\n\n{model.summary()}\n", err=as_json)
    return recipe, images, test, out


def _recipe(name, options):
    """The recipe of this name, with the options that were given."""
    from dataclasses import replace

    from cnnlab.optim import SCHEDULES, Plateau
    from cnnlab.recipe import RECIPES

    given = {key: value for key, value in options.items() if value is not None}
    _expect_option("--recipe", name, RECIPES)
    if "schedule" in given:
        _expect_option("--schedule", given["schedule"], SCHEDULES)
        given["schedule"] = SCHEDULES[given["schedule"]]
    if given.get("model", RECIPES[name].model) != RECIPES[name].model:
        given["model_options"] = {}  # those of the recipe are for its own network
    try:
        recipe = replace(RECIPES[name], **given)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if not recipe.validation and (recipe.patience or isinstance(recipe.schedule, Plateau)):
        raise click.UsageError(
            "a plateau schedule and --patience need images to validate on, got none: say how "
            "many to hold out, --validation 0.1."
        )
    return recipe


def _expect_option(hint, value, known):
    if value not in known:
        words = f"must be one of {', '.join(sorted(known))}, got {value!r}."
        raise click.BadParameter(words, param_hint=hint)


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


def _write_results(out, trained, test):
    """Write pictures and weights, return the numbers."""
    from matplotlib.figure import Figure

    from cnnlab import viz
    from cnnlab.metrics import confusion_matrix
    from cnnlab.train import predict_scores

    model = trained.model
    predictions = predict_scores(model, test, trained.preprocess).argmax(axis=1)
    matrix = confusion_matrix(test.labels, predictions, test.n_classes)
    # Figures without pyplot: no window, whatever the machine.
    curve = Figure(figsize=(6, 3.4), layout="constrained")
    viz.plot_history(trained.history, curve.subplots())
    curve.savefig(out / "curve.png", dpi=150)
    confusion = Figure(figsize=(7, 7), layout="constrained")
    viz.plot_confusion(matrix, test.class_names, confusion.subplots())
    confusion.savefig(out / "confusion.png", dpi=150)
    model.save(out / "model.npz")
    return {
        "parameters": model.parameter_count,
        "test_loss": round(trained.test_loss, 6),
        "test_accuracy": round(trained.test_accuracy, 6),
        "out": str(out),
    }


def _prepend(variable: str, folder: Path) -> None:
    os.environ[variable] = os.pathsep.join(filter(None, [str(folder), os.environ.get(variable)]))
