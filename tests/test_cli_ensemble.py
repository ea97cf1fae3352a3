import json

import numpy as np
import pytest
from click.testing import CliRunner

import cnnlab.data
from cnnlab import cli, recipe, zoo
from cnnlab.ensemble import Ensemble
from cnnlab.parallel import JobsFailed, JobsInterrupted


@pytest.fixture(autouse=True)
def few_images(monkeypatch):
    train, test = cnnlab.data.load("fashion-mnist-small")
    monkeypatch.setattr(cnnlab.data, "load", lambda name: (train[:400], test[:100]))


def run(tmp_path, *options):
    fixed = ["ensemble", "--model", "linear", "--epochs", "1", "--networks", "3"]
    return CliRunner().invoke(cli.main, [*fixed, "--out", str(tmp_path / "out"), *options])


def test_every_seed_is_trained_and_all_answer_together(tmp_path):
    done = run(tmp_path, "--seed", "4", "--workers", "2", "--quiet")
    assert done.exit_code == 0, done.output
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["seeds"] == [4, 5, 6]
    train, test = cnnlab.data.load("")
    preprocess = cnnlab.data.Standardize.fit(train.images)
    networks = [zoo.linear((28, 28, 1), 10, rng=np.random.default_rng(0)) for _ in range(3)]
    for seed, network in zip(result["seeds"], networks, strict=True):
        network.load(tmp_path / "out" / f"seed-{seed}.npz")
    errors = Ensemble([(network, preprocess) for network in networks]).evaluate(test)
    assert result["single"] == pytest.approx(errors.single)
    assert result["together"] == pytest.approx(errors.together)
    assert len(set(errors.single)) > 1
    assert str(errors) in done.output


def test_json_is_one_line(tmp_path):
    done = run(tmp_path, "--networks", "1", "--quiet", "--json")
    assert json.loads(done.stdout)["single"] == [json.loads(done.stdout)["together"]]


def test_a_cluster_gets_the_work(tmp_path, monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    used = []

    def connect(address):
        used.append(address)
        return ThreadPoolExecutor(1)

    monkeypatch.setattr("cnnlab.parallel.connect", connect)
    seen = []
    plain = recipe.parallel.run_all
    monkeypatch.setattr(
        recipe.parallel,
        "run_all",
        lambda *args, executor, **options: (
            seen.append(executor) or plain(*args, executor=executor, **options)
        ),
    )
    assert run(tmp_path, "--cluster", "tcp://there:1", "--quiet").exit_code == 0
    assert used == ["tcp://there:1"]
    assert isinstance(seen[0], ThreadPoolExecutor)


def test_a_cluster_that_does_not_answer_ends_in_a_sentence(tmp_path, monkeypatch):
    def connect(address):
        raise ConnectionError(f"no scheduler answers at {address}.")

    monkeypatch.setattr("cnnlab.parallel.connect", connect)
    done = run(tmp_path, "--cluster", "tcp://there:1", "--quiet")
    assert done.exit_code == 1
    assert "Error: no scheduler answers at tcp://there:1." in done.output


def test_workers_and_a_cluster_exclude_each_other(tmp_path):
    done = run(tmp_path, "--cluster", "tcp://there:1", "--workers", "2")
    assert done.exit_code == 2
    assert "give --cluster or --workers" in done.output


def test_networks_that_diverge_are_named(tmp_path):
    done = run(tmp_path, "--learning-rate", "1e38", "--workers", "1", "--quiet")
    assert done.exit_code == 1
    assert "3 of 3 jobs failed" in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("stop", "code", "words"),
    [
        (lambda jobs, done: JobsFailed(jobs, done, {1: ValueError("no")}), 1, "1 of 3 jobs failed"),
        (lambda jobs, done: JobsInterrupted(done, 2), 130, "2 of 3 jobs were done. Their weights"),
    ],
    ids=["failed", "interrupted"],
)
def test_networks_that_were_trained_are_kept(tmp_path, monkeypatch, stop, code, words):
    def run_all(function, jobs, **options):
        done = [None if number == 1 else function(job) for number, job in enumerate(jobs)]
        raise stop(jobs, done)

    monkeypatch.setattr(recipe.parallel, "run_all", run_all)
    done = run(tmp_path, "--quiet")
    assert done.exit_code == code
    assert words in done.output
    kept = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert kept == ["seed-0.npz", "seed-2.npz"]


@pytest.mark.parametrize("command", ["train", "ensemble"])
def test_a_network_that_does_not_fit_the_images_is_told(tmp_path, command):
    options = [command, "--model", "alexnet", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(cli.main, options)
    assert done.exit_code == 2
    assert "layer 1" in done.output or "layer 0" in done.output
    assert "does not fit" in " ".join(done.output.split())
    assert not (tmp_path / "out").exists()
