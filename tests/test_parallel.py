import contextlib
import functools
import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import BrokenExecutor, Executor, ThreadPoolExecutor, as_completed
from pathlib import Path

import numpy as np
import pytest

from cnnlab import data, parallel, zoo
from cnnlab.optim import SGD
from cnnlab.parallel import JobsFailed, JobsInterrupted, WorkerLost, connect, run_all
from cnnlab.train import Trainer, TrainingDiverged
from waiting import lives, wait_until

ROOT = Path(__file__).parents[1]
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

# What workers do. They import this module, as any module of a user's.


def square(number):
    return number**2


def train_one(dataset, seed, *, learning_rate=0.01):
    """Weights and losses of a small training.

    Its matrix products are so small that BLAS computes them in one thread whatever it may
    use, so the parent, with its own setting, is a fair reference.
    """
    rng = np.random.default_rng(seed)
    model = zoo.linear(dataset.image_shape, dataset.n_classes, rng=rng)
    trainer = Trainer(
        model,
        SGD(model, learning_rate=learning_rate),
        preprocess=data.Standardize.fit(dataset.images),
        batch_size=16,
        rng=rng,
        progress=False,
    )
    history = trainer.fit(dataset, epochs=2)
    return model.parameters(), history.step_losses


def few_images():
    train, _ = data.load("fashion-mnist-small")
    return train[:80]


def threads_and_interrupts(_):
    """What a worker finds: its process, BLAS's variables when NumPy was loaded, Ctrl-C."""
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    return os.getpid(), {name: os.environ.get(name) for name in THREADS}, ignored


def count(path, _):
    with path.open("a") as file:
        file.write("once\n")


def die_once(marker, number):
    """The worker of number 2 is killed the first time."""
    if number == 2 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return square(number)


def die_always(number):
    if number == 2:
        time.sleep(0.5)  # the others are done by then
        os.kill(os.getpid(), signal.SIGKILL)
    return square(number)


class TwoWordError(Exception):
    """One that pickle takes apart and cannot put together."""

    def __init__(self, first, second):
        super().__init__(f"{first} {second}")


def fail(number):
    if number == 1:
        raise ValueError("one is not liked")
    if number == 3:
        raise TwoWordError("nor", "three")
    return square(number)


def train_and_die_once(dataset, marker, seed):
    if seed == 1 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return train_one(dataset, seed)


@contextlib.contextmanager
def expect_no_processes_left():
    before = set(multiprocessing.active_children())
    yield
    assert set(multiprocessing.active_children()) == before


def expect_same(results, expected):
    for (weights, losses), (same, same_losses) in zip(results, expected, strict=True):
        assert losses == same_losses
        assert weights.keys() == same.keys()
        for name in weights:
            np.testing.assert_array_equal(weights[name], same[name])


# In processes


def test_training_side_by_side_gives_the_same_weights_to_the_last_bit():
    train = functools.partial(train_one, few_images())
    with expect_no_processes_left():
        results = run_all(train, range(3), workers=2)
    expect_same(results, [train(seed) for seed in range(3)])
    assert results[0][1] != results[1][1], "seeds differ"


def test_workers_share_the_threads_and_leave_ctrl_c_to_the_parent(monkeypatch):
    for name in THREADS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "7")
    monkeypatch.setattr(parallel, "_cores", lambda: 8)
    before = dict(os.environ)
    found = run_all(threads_and_interrupts, range(2), workers=2)
    assert dict(os.environ) == before
    for process, threads, interrupts_are_ignored in found:
        assert process != os.getpid()
        assert threads == dict.fromkeys(THREADS, "3"), "7 are allowed: three for each of two"
        assert interrupts_are_ignored


@pytest.mark.parametrize(
    ("cores", "allowed", "workers", "threads"),
    [(8, "", 2, 4), (8, "", 3, 2), (2, "", 7, 1), (8, "1", 2, 1), (4, "8", 2, 2), (8, "4,2", 2, 4)],
)  # fmt: skip
def test_threads_are_shared_out_and_never_more_than_allowed(
    monkeypatch, cores, allowed, workers, threads
):
    for name in THREADS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", allowed)
    monkeypatch.setattr(parallel, "_cores", lambda: cores)
    assert parallel._share(workers) == threads


def test_there_are_as_many_workers_as_cores_but_not_more_than_jobs(monkeypatch):
    asked = []

    def pool(workers):
        asked.append(workers)
        return parallel._lent(ThreadPoolExecutor(1))

    monkeypatch.setattr(parallel, "_pool", pool)
    monkeypatch.setattr(parallel, "_cores", lambda: 4)
    assert run_all(square, range(9)) == [number**2 for number in range(9)]
    assert run_all(square, range(3)) == [0, 1, 4]
    assert run_all(square, range(3), workers=2) == [0, 1, 4]
    assert asked == [4, 3, 2]


def test_jobs_lost_with_a_worker_are_done_again(tmp_path):
    marker = tmp_path / "killed"
    with expect_no_processes_left():
        found = run_all(functools.partial(die_once, marker), range(5), workers=2)
    assert marker.exists()
    assert found == [0, 1, 4, 9, 16]


def test_a_job_that_always_kills_its_worker_does_not_go_on_for_ever():
    words = r"1 of 3 jobs failed\. job 2 \(2\): WorkerLost: .* died each time.*fewer workers"
    with expect_no_processes_left(), pytest.raises(JobsFailed, match=words) as caught:
        run_all(die_always, range(3), workers=2)
    assert caught.value.results == [0, 1, None]
    assert isinstance(caught.value.errors[2], WorkerLost)


def test_an_error_names_its_job_and_keeps_the_results_of_the_others():
    words = (
        r"^2 of 5 jobs failed\. job 1 \(1\): ValueError: one is not liked; "
        r"job 3 \(3\): RuntimeError: (.|\n)*TwoWordError: nor three"
    )
    with pytest.raises(JobsFailed, match=words) as caught:
        run_all(fail, range(5), workers=1)
    assert caught.value.results == [0, None, 4, None, 16]
    assert isinstance(caught.value.errors[1], ValueError)
    assert caught.value.__cause__ is caught.value.errors[1]
    assert "in fail" in str(caught.value.errors[1].__cause__), "where it happened"


def test_a_training_that_diverged_comes_back_with_its_history():
    train = functools.partial(train_one, few_images(), learning_rate=1e38)
    with pytest.raises(JobsFailed, match=r"job 0 \(5\): TrainingDiverged: .*ten times") as caught:
        run_all(train, [5], workers=1)
    error = caught.value.errors[0]
    assert isinstance(error, TrainingDiverged)
    assert error.history.stopped == "diverged"


def script(tmp_path, code):
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(code), encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, str(path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.skipif(os.name == "nt", reason="sends a signal to a group of processes")
@pytest.mark.parametrize("to", ["parent", "terminal"])
def test_ctrl_c_ends_the_workers_at_once(tmp_path, to):
    running = script(
        tmp_path,
        """
        import signal
        import time
        from pathlib import Path
        from cnnlab.parallel import run_all

        # Where tests run in the background, Ctrl-C is ignored at first.
        signal.signal(signal.SIGINT, signal.default_int_handler)

        def wait(number):
            Path(f"{number}.started").touch()
            time.sleep(600 if number else 0)

        if __name__ == "__main__":
            run_all(wait, range(6), workers=2)
        """,
    )
    with running:
        wait_until(lambda: len(list(tmp_path.glob("*.started"))) == 3)
        time.sleep(0.5)  # until the result of the first has arrived
        (os.kill if to == "parent" else os.killpg)(running.pid, signal.SIGINT)
        _, errors = running.communicate(timeout=60)
    assert errors.rstrip().endswith("JobsInterrupted: 1 of 6 jobs were done.")
    assert errors.count("Traceback") == 1, "the workers are silent"
    wait_until(lambda: group_is_gone(running.pid))


def group_is_gone(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_script_without_a_guard_is_told_about_it(tmp_path):
    with script(tmp_path, "from cnnlab.parallel import run_all\nrun_all(abs, [1])\n") as running:
        _, errors = running.communicate(timeout=60)
    assert "WorkerLost" in errors
    assert "must stand under 'if __name__ == \"__main__\":'" in errors


def test_a_function_of_a_notebook_is_refused_before_anything_starts(monkeypatch):
    notebook = type(sys)("__main__")
    exec("def mine(number): return number", notebook.__dict__)
    monkeypatch.setitem(sys.modules, "__main__", notebook)
    with pytest.raises(TypeError, match=r"stand in a module, got a function and job 0 .*mine\.py"):
        run_all(functools.partial(fail, notebook.mine), [1])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: run_all(lambda job: job, [1]), TypeError, r"pickle must be able.*job 0.*lambda"),
        (lambda: run_all(square, [1, square, lambda: 2]), TypeError, r"pickle must be able.*job 2"),
        (lambda: run_all(square, [1], workers=0), ValueError, r"workers .* at least 1, got 0"),
        (lambda: run_all(square, [1], retries=-1), ValueError, r"retries .* at least 0, got -1"),
        (
            lambda: run_all(square, [1], workers=2, executor=ThreadPoolExecutor(1)),
            ValueError,
            r"workers must be None where an executor has its own, got 2",
        ),
    ],
    ids=["function", "job", "workers", "retries", "both"],
)
def test_what_cannot_be_run_is_said_before_anything_starts(call, error, words):
    with pytest.raises(error, match=words):
        call()


# In any executor


def test_results_come_in_the_order_of_the_jobs():
    def slow_first(number):
        time.sleep(0.2 if number == 0 else 0)
        return number

    with ThreadPoolExecutor(4) as executor:
        assert run_all(slow_first, iter(range(4)), executor=executor) == [0, 1, 2, 3]
        assert run_all(square, [], executor=executor) == []
        assert run_all(square, [3], executor=executor) == [9], "it stays open"


def test_ctrl_c_keeps_what_was_done_and_leaves_a_lent_executor_nothing_to_do(monkeypatch):
    begun = []

    def work(number):
        begun.append(number)
        time.sleep(0.1)
        return square(number)

    def interrupted(futures):
        yield from itertools.islice(as_completed(futures), 1)
        raise KeyboardInterrupt

    monkeypatch.setattr(parallel, "as_completed", interrupted)
    with (
        ThreadPoolExecutor(1) as executor,
        pytest.raises(JobsInterrupted, match=r"1 of 9 jobs were done") as caught,
    ):
        run_all(work, range(2, 11), executor=executor)
    assert caught.value.results == [4, *[None] * 8]
    assert isinstance(caught.value, KeyboardInterrupt)
    assert len(begun) <= 3, "the others are never begun"


def test_what_a_lent_executor_gives_up_is_lost():
    class GivesUp(Executor):
        def submit(self, function, *args):
            future = threads.submit(function, *args)
            if args[-1] > 1:
                future.cancel()
            return future

    words = r"2 of 3 jobs failed\. job 1 \(2\), job 2 \(3\): WorkerLost: its executor gave it up"
    with ThreadPoolExecutor(1) as threads:
        threads.submit(time.sleep, 0.3)
        with pytest.raises(JobsFailed, match=words) as caught:
            run_all(square, [1, 2, 3], executor=GivesUp())
    assert caught.value.results == [1, None, None]


def test_what_a_broken_executor_does_not_take_is_lost_and_the_rest_is_kept():
    class Breaks(Executor):
        def submit(self, function, *args):
            if args[-1] > 1:
                raise BrokenExecutor("no more")
            return threads.submit(function, *args)

    with (
        ThreadPoolExecutor(1) as threads,
        pytest.raises(JobsFailed, match=r"1 of 2 jobs failed\. job 1 \(5\): WorkerLost") as caught,
    ):
        run_all(square, [1, 5], executor=Breaks())
    assert caught.value.results == [1, None]


@pytest.mark.parametrize(("progress", "shown"), [(True, True), (False, False), (None, False)])
def test_progress_is_shown_when_told(progress, shown, capsys):
    with ThreadPoolExecutor(1) as executor:
        run_all(square, range(3), executor=executor, progress=progress)
    out, err = capsys.readouterr()
    assert out == ""
    assert ("3/3" in err) == shown


def test_results_are_handed_over_as_they_come():
    seen = []
    with ThreadPoolExecutor(1) as executor:
        run_all(square, [3, 4], executor=executor, on_result=lambda *pair: seen.append(pair))
    assert sorted(seen) == [(0, 9), (1, 16)]


def test_an_error_in_taking_a_result_ends_the_workers():
    def refuse(index, result):
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        run_all(square, range(4), workers=2, on_result=refuse)
    assert multiprocessing.active_children() == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent("""
        import functools, pathlib, sys
        sys.path.insert(0, sys.argv[1])
        from test_parallel import note_and_wait
        from cnnlab.parallel import run_all

        if __name__ == "__main__":
            run_all(functools.partial(note_and_wait, pathlib.Path(sys.argv[2])), [1, 2], workers=2)
        """)
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(script), str(ROOT / "tests"), str(tmp_path)]
    with subprocess.Popen(command, env=environment) as parent:
        wait_until(lambda: len(list(tmp_path.glob("*.pid"))) == 2)
        parent.kill()
    pids = [int(path.stem) for path in tmp_path.glob("*.pid")]
    wait_until(lambda: not any(map(lives, pids)))


def note_and_wait(folder, number):
    (folder / f"{os.getpid()}.pid").touch()
    time.sleep(120)


# On a cluster


def test_a_cluster_of_which_a_worker_is_killed_gives_the_same_weights(cluster, tmp_path):
    marker, images = tmp_path / "killed", few_images()
    with connect(cluster.scheduler_address) as executor:
        train = functools.partial(train_and_die_once, images, marker)
        results = run_all(train, range(4), executor=executor)
    assert marker.exists()
    expect_same(results, [train_one(images, seed) for seed in range(4)])


def test_errors_and_threads_on_a_cluster(cluster):
    with connect(cluster.scheduler_address) as executor:
        with pytest.raises(JobsFailed, match=r"job 1 \(1\): ValueError: one is not") as caught:
            run_all(fail, range(3), executor=executor)
        assert caught.value.results == [0, None, 4]
        ((process, threads, _),) = run_all(threads_and_interrupts, [0], executor=executor)
    assert process != os.getpid()
    assert threads["OPENBLAS_NUM_THREADS"] == threads["OMP_NUM_THREADS"] == "1"


def test_jobs_that_look_alike_are_each_done_on_a_cluster(cluster, tmp_path):
    with connect(cluster.scheduler_address) as executor:
        run_all(functools.partial(count, tmp_path / "times"), [7, 7], executor=executor)
    assert (tmp_path / "times").read_text() == "once\n" * 2


def test_a_cluster_that_is_not_there_is_said():
    pytest.importorskip("distributed")
    with (
        pytest.raises(ConnectionError, match=r"must listen at tcp://127\.0\.0\.1:1, got no answer"),
        connect("tcp://127.0.0.1:1", timeout=0.2),
    ):
        pass


def test_a_cluster_without_workers_is_said():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as empty,
        pytest.raises(ConnectionError, match=r"must have workers, got none in 0\.2 s"),
        connect(empty.scheduler_address, timeout=0.2),
    ):
        pass


def test_without_dask_a_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    words = r"needs Dask, which is not installed: pip install 'cnnlab\[cluster\]'"
    with pytest.raises(ModuleNotFoundError, match=words) as caught, connect("tcp://127.0.0.1:1"):
        pass
    assert caught.value.name == "distributed"
