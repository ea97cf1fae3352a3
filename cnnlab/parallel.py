"""Many jobs side by side: on the cores of this machine, or on a cluster.

All of it goes through `concurrent.futures.Executor` of the standard library.
"""

import os
import pickle
import reprlib
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    ProcessPoolExecutor,
    as_completed,
)
from contextlib import contextmanager, suppress
from multiprocessing import parent_process
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

from cnnlab.progress import bar
from cnnlab.shapes import expect_number, expect_whole

# Where the libraries behind NumPy's matrix product look for the number of their threads.
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)

_DIED = (
    "its worker died each time, most often for want of memory: try fewer workers. In a script, "
    "what starts workers must stand under 'if __name__ == \"__main__\":'."
)
_GIVEN_UP = "its executor gave it up, as a cluster does whose scheduler is no longer there."

# One start of a process at a time: each changes the environment and puts it back.
_ENVIRONMENT = threading.Lock()


class WorkerLost(RuntimeError):  # noqa: N818 - it tells what happened, as StopIteration does
    """A worker was lost with the job, or with one beside it, each time it was tried."""


class JobsFailed(RuntimeError):  # noqa: N818 - as above
    """Some jobs ended in an error; the others were finished first.

    Attributes
    ----------
    results : one per job, in order; None where a job failed.
    errors : position of a failed job → its exception.
    """

    def __init__(self, jobs: list, results: list, errors: dict[int, BaseException]):
        same: dict[str, list[str]] = {}
        for index, error in sorted(errors.items()):
            words = same.setdefault(f"{type(error).__name__}: {error}", [])
            words.append(f"job {index} ({reprlib.repr(jobs[index])})")
        words = [f"{', '.join(names)}: {error}" for error, names in same.items()]
        super().__init__(f"{len(errors)} of {len(jobs)} jobs failed. {'; '.join(words)}")
        self.results, self.errors = results, errors


class JobsInterrupted(KeyboardInterrupt):
    """Ctrl-C ended the workers.

    Attributes
    ----------
    results : one per job, in order; None where a job was not done.
    """

    def __init__(self, results: list, done: int):
        super().__init__(f"{done} of {len(results)} jobs were done.")
        self.results = results


def run_all(
    function: Callable[[Any], Any],
    jobs: Iterable[Any],
    *,
    executor: Executor | None = None,
    workers: int | None = None,
    retries: int = 1,
    progress: bool | None = None,
    on_result: Callable[[int, Any], None] | None = None,
) -> list:
    """The function of every job, computed side by side; the results in the order of the jobs.

    By default each worker is a fresh process of its own, and the threads that NumPy's matrix
    product may use are shared out among them: two workers on four cores get two each. The same
    jobs give the same results, however many workers there are; to the last bit where the
    threads of each are as many.

    A function and its jobs travel to the workers by pickle, so the function must stand in a
    module; what all jobs have in common is fixed first, as in `partial(function, data)`, and
    travels with each. That is no matter for the 9 MB of fashion-mnist-small. Of a large data set
    send the name, and load it inside the function. A function that shows progress should not:
    the bars of several workers would write over one another.

    Parameters
    ----------
    function : job → result.
    jobs : what to call it with, such as seeds.
    executor : where to run them, such as what `connect` gives; stays open. By default a pool of
        processes that lives as long as the call.
    workers : how many processes; by default one per core, at most one per job.
    retries : how often jobs are sent again that a worker took along when it died, for want of
        memory for instance.
    progress : True shows a bar, False does not; by default terminals and notebooks get one.
    on_result : called here, in this process, with the position and the result of each job as it
        ends. An error in it ends the workers, and is raised.

    Raises
    ------
    JobsFailed
        If a job raised an error, or was lost with its workers. It has the results of the others.
    JobsInterrupted
        A KeyboardInterrupt that has the results of the jobs that were done.
    TypeError
        If a function or a job cannot be sent to another process.
    ValueError
        If workers or retries is not a whole number, or workers is given besides an executor.

    Examples
    --------
    >>> import math
    >>> run_all(math.sqrt, [1, 4, 9], workers=2)
    [1.0, 2.0, 3.0]
    """
    jobs = list(jobs)
    expect_whole("retries", retries, 0)
    if executor is None:
        workers = min(_cores(), max(len(jobs), 1)) if workers is None else workers
        expect_whole("workers", workers)
        _expect_to_travel(function, jobs)
    elif workers is not None:
        raise ValueError(f"workers must be None where an executor has its own, got {workers!r}.")

    results: list[Any] = [None] * len(jobs)
    errors: dict[int, BaseException] = {}
    left = dict(enumerate(jobs))
    try:
        with bar(len(jobs), show=progress, unit="job") as shown:
            for _ in range(retries + 1):
                with _pool(workers) if executor is None else _lent(executor) as submit:
                    for index, future in _finished(submit, function, left):
                        error = future.exception()
                        if error is None:
                            results[index] = future.result()
                            if on_result is not None:
                                on_result(index, results[index])
                        else:
                            errors[index] = error
                        del left[index]
                        shown.update()
                if not left:
                    break
    except KeyboardInterrupt:
        done = len(jobs) - len(left) - len(errors)
        raise JobsInterrupted(results, done) from None
    errors |= {index: WorkerLost(_DIED if executor is None else _GIVEN_UP) for index in left}
    if errors:
        raise JobsFailed(jobs, results, errors) from errors[min(errors)]
    return results


@contextmanager
def connect(address: str, *, timeout: float = 10.0) -> Iterator[Executor]:
    """An executor that sends jobs to a Dask cluster, for as long as the block lasts.

    Dask decides which worker does what; its workers do whatever they are sent, so let only those
    reach it whom you trust. It runs jobs again that were lost with a worker, up to
    three times, and lets each worker's matrix products use one thread. The workers need this
    library, in the same version, and whatever module the function stands in.

    A cluster by hand: `dask scheduler` on one machine, which prints its address, then
    `dask worker ADDRESS --nthreads 1 --nworkers auto` on each.

    Parameters
    ----------
    address : of the scheduler, such as "tcp://192.168.0.7:8786".
    timeout : seconds to wait for the scheduler, and then for its first worker.

    Raises
    ------
    ModuleNotFoundError
        If Dask is not installed.
    ConnectionError
        If no scheduler answers at this address, or it has no workers.

    Examples
    --------
    ::

        with connect("tcp://192.168.0.7:8786") as executor:
            results = run_all(train_one, range(7), executor=executor)
    """
    expect_number("timeout", timeout, least=0)
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "a cluster needs Dask, which is not installed: pip install 'cnnlab[cluster]'.",
            name="distributed",
        ) from None
    try:
        client = Client(address, timeout=timeout, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"a Dask scheduler must listen at {address}, got no answer in {timeout:g} s: "
            f"start one with 'dask scheduler', which prints its address."
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=timeout)
        except TimeoutError:
            raise ConnectionError(
                f"the scheduler at {address} must have workers, got none in {timeout:g} s: "
                f"start some with 'dask worker {address}'."
            ) from None
        # pure: jobs that look alike are each done, as everywhere else.
        yield client.get_executor(pure=False)


def _call(function, job):
    """What a worker does. The error it ends with can be sent back, whatever it was."""
    try:
        return function(job)
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            # One that cannot be put together again would take the whole pool along.
            text = "".join(traceback.format_exception(error))
            raise RuntimeError(text) from None
        raise


def _finished(submit, function, jobs):
    """(position, future) of each job as it ends; not of those that were lost with a worker."""
    futures = {}
    # A pool may break while it is filled.
    with suppress(BrokenExecutor):
        for index, job in jobs.items():
            futures[submit(_call, function, job)] = index
    for future in as_completed(futures):
        if not future.cancelled() and not isinstance(future.exception(), BrokenExecutor):
            yield futures[future], future


@contextmanager
def _lent(executor):
    """The way into an executor that stays open; what it has not done by then, it need not do."""
    futures = []

    def submit(*call):
        futures.append(executor.submit(*call))
        return futures[-1]

    try:
        yield submit
    finally:
        for future in futures:
            future.cancel()


@contextmanager
def _pool(workers):
    """The way into a pool of new processes; when the block is left, they are gone."""
    context = _Workers(_share(workers))
    try:
        with ProcessPoolExecutor(workers, context, initializer=_begin_worker) as pool:
            try:
                yield pool.submit
            except BaseException:
                context.end()  # or the pool would wait until all is done
                raise
    finally:
        context.end()


class _Workers(SpawnContext):
    """Starts fresh processes with a number of threads each, and remembers them.

    Fresh, because a copy of a process in which BLAS has threads can hang.
    """

    def __init__(self, threads: int):
        self.threads = threads
        self.started: list[_Worker] = []

    def Process(self, *args, **options):  # type: ignore[override]
        process = _Worker(*args, **options)
        process.threads = self.threads
        self.started.append(process)
        return process

    def end(self):
        alive = [process for process in self.started if process.pid and process.is_alive()]
        for process in alive:
            process.terminate()
        for process in alive:
            process.join()


class _Worker(SpawnProcess):
    threads: int

    def start(self):
        # BLAS reads its variables when NumPy is loaded, which is before any code of ours runs
        # in the new process. Our own BLAS has read them long ago.
        with _ENVIRONMENT:
            before = {name: os.environ.get(name) for name in _THREADS}
            os.environ.update(dict.fromkeys(_THREADS, str(self.threads)))
            try:
                super().start()
            finally:
                for name, value in before.items():
                    if value is None:
                        del os.environ[name]
                    else:
                        os.environ[name] = value


def _begin_worker():
    # Ctrl-C reaches all processes of a terminal; the first among them ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Else a worker whose parent was killed would go on with what is queued, and then wait forever.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _share(workers: int) -> int:
    """Threads for each of the workers: of the cores, or of as many as the user allows."""
    wanted = [os.environ.get(name, "") for name in _THREADS]
    limits = [int(value) for value in wanted if value.isdigit() and int(value)]
    return max(1, min([_cores(), *limits]) // workers)


def _cores():
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _expect_to_travel(function, jobs):
    in_notebook = not hasattr(sys.modules["__main__"], "__file__")
    for index, job in enumerate(jobs):
        try:
            sent = pickle.dumps((function, job))
        except Exception as error:
            raise TypeError(
                f"pickle must be able to send the function and job {index} to another process, "
                f"got {type(error).__name__}: {error}"
            ) from error
        if in_notebook and b"__main__" in sent:
            raise TypeError(
                f"what the workers run must stand in a module, got a function and job {index} that "
                f"need something defined here: put it into a file, such as mine.py, and import it."
            )
