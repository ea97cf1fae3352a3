"""Grade a class: every submission in processes of its own, several side by side.

A batch may be ended at any moment. The same command goes on with it: what has a result is not
graded again, unless its file has changed.
"""

import hashlib
import secrets
import tempfile
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import cnnlab
from cnnlab.grading.collect import Submission, collect
from cnnlab.grading.gradebook import Gradebook, Row, is_final
from cnnlab.grading.isolation import Tier, choose_for_others
from cnnlab.grading.paper import course_root, digest, load_paper, paper_names
from cnnlab.grading.report import CRASHED, Report
from cnnlab.grading.roster import Student
from cnnlab.grading.run import grade
from cnnlab.parallel import JobsFailed, run_all

RETRIES = 9  # a worker that dies takes those along that wait: each time some more are done


@dataclass(frozen=True)
class Job:
    """A submission on its way to a worker: on this machine its path, to others its content."""

    place: str
    assignment: str
    path: Path | None = None
    content: bytes | None = None
    records: Path | None = None


def grade_all(
    tree: Path,
    out: Path,
    *,
    assignment: str | None = None,
    roster: list[Student] | None = None,
    due: float | None = None,
    seed: int | None = None,
    timeout: float = 30.0,
    isolation: str = "auto",
    root: Path | None = None,
    executor: Executor | None = None,
    workers: int | None = None,
    progress: bool | None = None,
    say: Callable[[str], object] = print,
) -> list[Row]:
    """Grade what a class handed in, and write what is found into a folder.

    Parameters
    ----------
    tree : the exported folder or zip archive.
    out : the folder for the grades; one of an earlier run is gone on with.
    assignment : grade this one only; by default all that are found.
    roster : the class; whoever handed in nothing is listed as missing.
    due : when it was due, in seconds since 1970.
    seed : of the numbers in the checks, the same for all; by default a fresh one, or that of the
        run that is gone on with.
    timeout : seconds for each cell.
    isolation : where the code runs: "bwrap", "container", "none", or "auto" for the first of them
        that holds; "none" has to be asked for.
    root : the folder that holds the course; by default the one this package came with.
    executor : such as what `connect` gives; by default processes on this machine. Its workers may
        be on other machines, which need the course in the same version; no records are then
        written while a submission is graded.
    workers : how many processes; by default one per core.
    progress : True shows a bar, False does not; by default terminals and notebooks get one.
    say : is told what a person should know meanwhile.

    Raises
    ------
    CollectError
        If there is nothing to grade.
    GradebookError
        If the folder for the grades cannot be used.
    IsolationError
        If no isolation holds on this machine, or not the one that was asked for.
    PaperError
        If there is no such assignment, or no course.
    JobsInterrupted
        If Ctrl-C ended it; finished results are kept.
    """
    root = course_root() if root is None else Path(root).resolve()
    private = (tree.resolve(), out.resolve())
    # Each machine of a cluster is tried by itself, when it gets its first submission.
    place: Tier | str = isolation
    if executor is None:
        place = choose_for_others(isolation, root, private)
        say(str(place))
    with Gradebook(out) as book:
        wanted = {"seed": seed, "timeout": timeout, "course": course_digest(root)}
        fresh = {"seed": secrets.randbits(32)} if seed is None and not book.is_begun else {}
        settings = book.settle(wanted | fresh)
        with book.unpacking() as unpacked:
            submissions = collect(
                tree, unpacked, root=root, assignment=assignment, roster=roster, without=out
            )
            book.enter(submissions, due)
            waiting = [one for one in submissions if _is_to_be_graded(one, book, say)]
            jobs = [_job(one, book, send=executor is not None) for one in waiting]
            grade_one = partial(_grade_one, root=root, settings=settings, place=place)
            try:
                run_all(
                    grade_one,
                    jobs,
                    executor=executor,
                    workers=workers,
                    retries=RETRIES,
                    progress=progress,
                    on_result=lambda index, result: book.write_result(waiting[index], result),
                )
            except JobsFailed as failed:
                for index, error in failed.errors.items():
                    book.write_result(waiting[index], _crashed(waiting[index], error, settings))
        return book.rows()


def course_digest(root: Path) -> str:
    """A short fingerprint of the papers, their points, and the version of the library."""
    papers = [load_paper(name, root) for name in paper_names(root)]
    words = [cnnlab.__version__] + [
        f"{paper.name} {digest(paper.notebook)} {paper.items}" for paper in papers
    ]
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]


def _is_to_be_graded(submission: Submission, book: Gradebook, say) -> bool:
    if submission.path is None or is_final(book.result(submission)):
        return False
    who = f"{submission.student}, {submission.assignment}"
    before = book.any_result(submission)
    if before and before["sha256"] != submission.sha256:
        say(f"{who}: the file has changed since it was graded, and is graded anew.")
    elif before:
        say(f"{who}: could not be graded the last time, and is tried again.")
    return True


def _job(submission: Submission, book: Gradebook, *, send: bool) -> Job:
    job = Job(submission.place, submission.assignment)
    if send and submission.path is not None:
        return replace(job, content=submission.path.read_bytes())
    path = submission.path and submission.path.absolute()
    return replace(job, path=path, records=book.records(submission).absolute())


def _grade_one(job: Job, *, root: Path, settings: dict, place: Tier | str) -> dict:
    """What a worker does: the result of one submission, ready to be written down."""
    root = root if root.is_dir() else course_root()
    _expect_same_course(root, settings["course"])
    content = job.content if job.path is None else job.path.read_bytes()
    assert content is not None, "a job has a path or a content"
    with tempfile.TemporaryDirectory(prefix="cnnlab-") as folder:
        # A copy: what is graded is what the fingerprint is of, whatever becomes of the file.
        path = Path(folder, "submission.ipynb")
        path.write_bytes(content)
        report = grade(
            path,
            assignment=job.assignment,
            seed=settings["seed"],
            timeout=settings["timeout"],
            root=root,
            records=job.records,
            isolation=place if isinstance(place, Tier) else _here(place, root),
        )
        # Where the copy lay helps nobody.
        message = report.message.replace(str(path.resolve()), job.place)
    report = replace(report, submission=job.place, message=message)
    return report.as_dict() | {"sha256": hashlib.sha256(content).hexdigest()}


@cache
def _here(isolation: str, root: Path) -> Tier:
    return choose_for_others(isolation, root)


@cache
def _expect_same_course(root: Path, expected: str) -> None:
    if course_digest(root) != expected:
        raise RuntimeError(f"the course in {root} on this worker is another version")


def _crashed(submission: Submission, error: BaseException, settings: dict) -> dict:
    words = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    report = Report(
        submission.place, CRASHED, submission.assignment, settings["seed"], message=words
    )
    return report.as_dict() | {"sha256": submission.sha256}
