"""The `cnnlab` command. Each subcommand imports what it needs when it runs."""

import json
import os
import sys
from pathlib import Path

import click

import cnnlab


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
    from cnnlab.grading.paper import course_root

    root = course_root()
    if not (root / page).is_file():
        raise click.BadParameter(f"there is no {page} in {root}.", param_hint="--page")
    command = [sys.executable, "-m", "jupyterlab", "--log-level=WARN"]
    command += [f"--ServerApp.root_dir={root}", f"--LabApp.default_url=/lab/tree/{page}"]
    # The course works offline: nothing is asked of the network.
    command += ["--LabApp.news_url=None", "--LabApp.extension_manager=readonly"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # as in most containers
    click.echo(f"Opening {page}. Without a browser, copy the address that follows.")
    click.echo("Ctrl+C ends it.")
    os.environ["PATH"] = os.pathsep.join(
        [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    )
    os.execv(sys.executable, [*command, *jupyter_options])


@main.command()
@click.argument("notebook", type=click.Path(path_type=Path))
@click.option("--assignment", help="Which one it answers, where the notebook does not say so.")
@click.option("--seed", type=int, help="Of the numbers in the checks; a fresh one by default.")
@click.option("--timeout", type=float, default=30.0, show_default=True, help="Seconds per cell.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def grade(notebook, assignment, seed, timeout, as_json):
    """Grade NOTEBOOK: points for each question, and the total.

    Ends with code 0 if it was graded, whatever the score, and 1 if it could not be.
    """
    from cnnlab.grading import grade
    from cnnlab.grading.paper import PaperError

    try:
        report = grade(notebook, assignment=assignment, seed=seed, timeout=timeout)
    except PaperError as error:
        raise click.UsageError(str(error)) from None
    click.echo(json.dumps(report.as_dict()) if as_json else str(report))
    sys.exit(0 if report.status == "graded" else 1)


@main.command()
@click.argument("names", nargs=-1)
@click.option("--check", is_flag=True, help="Write nothing; fail if a notebook is out of date.")
def build(names, check):
    """Build notebooks/, assignments/ and solutions/ from course/ (all, or just NAMES)."""
    from cnnlab.grading import build as builder
    from cnnlab.grading.paper import PaperError, course_root

    root = course_root()
    try:
        if check:
            stale = builder.stale(root, list(names) or None, say=click.echo)
            for path in stale:
                click.echo(f"out of date: {path}", err=True)
            if stale:
                raise click.ClickException("run 'cnnlab build' and commit what it writes.")
        else:
            for path in builder.build(root, list(names) or None, say=click.echo):
                click.echo(f"wrote {path}")
    except PaperError as error:
        raise click.ClickException(str(error)) from None
