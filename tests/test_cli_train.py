import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

import cnnlab.data
from cnnlab import zoo
from cnnlab.cli import main
from cnnlab.optim import SCHEDULES, SGD
from cnnlab.recipe import OPTIMIZERS, RECIPES, Recipe
from cnnlab.train import evaluate


@pytest.fixture(autouse=True)
def few_images(monkeypatch):
    train, test = cnnlab.data.load("fashion-mnist-small")
    plain = cnnlab.data.load
    monkeypatch.setattr(
        cnnlab.data, "load", lambda name: (train[:400], test[:100]) if plain(name) else None
    )


def run(tmp_path, *options):
    arguments = ["train", "--model", "linear", "--epochs", "2", "--out", str(tmp_path / "run")]
    return CliRunner().invoke(main, [*arguments, *options])


def test_training_writes_pictures_weights_and_numbers(tmp_path):
    done = run(tmp_path)
    assert done.exit_code == 0, done.output
    out = tmp_path / "run"
    assert {path.name for path in out.iterdir()} == {
        *("curve.png", "confusion.png", "model.npz", "result.json", "checkpoint.npz")
    }
    for picture in ("curve.png", "confusion.png"):
        content = (out / picture).read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) > 5000
    assert "Affine(10)" in done.stdout
    assert "7,850" in done.stdout
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert f"Test accuracy {result['test_accuracy']:.2%} after" in done.stdout
    assert "(epochs: 2)." in done.stdout
    assert len(result["history"]["train_loss"]) == 2


def test_the_weights_written_are_those_measured_and_standardized_by_the_training_images(tmp_path):
    run(tmp_path)
    train, test = cnnlab.data.load("fashion-mnist-small")
    model = zoo.linear((28, 28, 1), 10, rng=np.random.default_rng(99))
    model.load(tmp_path / "run" / "model.npz")
    preprocess = cnnlab.data.Standardize.fit(train.images)
    loss, found = evaluate(model, test, preprocess)
    result = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    assert result["test_accuracy"] == pytest.approx(found)
    assert result["test_loss"] == pytest.approx(loss, abs=1e-6)
    assert found > 0.5, "two epochs on 400 images are enough for that"


def test_json_is_one_line_and_the_rest_goes_elsewhere(tmp_path):
    done = run(tmp_path, "--json", "--seed", "3", "--learning-rate", "0.02")
    assert done.stdout.count("\n") == 1
    line = json.loads(done.stdout)
    assert line["model"] == "linear"
    assert line["data"] == "fashion-mnist-small"
    assert (line["seed"], line["learning_rate"]) == (3, 0.02)
    assert (line["epochs"], line["epochs_trained"], line["stopped"]) == (2, 2, None)
    assert 0 <= line["test_accuracy"] <= 1
    assert line["parameters"] == 7850
    assert "Affine(10)" in done.stderr


def test_quiet_says_one_line(tmp_path):
    done = run(tmp_path, "--quiet")
    assert done.stdout.startswith("Test accuracy ")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_the_seed_decides_the_result(tmp_path):
    losses = [
        json.loads(run(tmp_path, "--json", "--seed", seed).stdout)["test_loss"] for seed in "001"
    ]
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        (
            "--model",
            "resnet",
            "one of alexnet, alexnet_small, convnet, lenet, linear, got 'resnet'",
        ),
        ("--data", "imagenet", "fashion-mnist-small, mnist, shapes, got 'imagenet'"),
        ("--epochs", "0", "--epochs"),
        ("--learning-rate", "-1", "--learning-rate"),
        ("--momentum", "1", "--momentum"),
        ("--learning-rate", "nan", "must be a finite number"),
        ("--weight-decay", "inf", "must be a finite number"),
        ("--optimizer", "sdg", "optimizer must be one of adam, nesterov, sgd, got 'sdg'"),
        ("--schedule", "linear", "one of constant, cosine, plateau, steps, got 'linear'"),
        ("--recipe", "pizza", "must be one of alexnet, default, laptop, got 'pizza'"),
        ("--schedule", "plateau", "need images to validate on"),
        ("--patience", "3", "need images to validate on"),
        ("--validation", "1", "--validation"),
    ],
)
def test_wrong_options_end_with_2_and_say_what_is_right(tmp_path, option, value, words):
    done = run(tmp_path, option, value)
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.split())
    assert done.stdout == ""
    assert not (tmp_path / "run").exists()


def test_the_help_lists_all_names():
    # Lines may be broken at a hyphen.
    words = "".join(CliRunner().invoke(main, ["train", "--help"]).output.split())
    names = [*zoo.MODELS, *cnnlab.data.names(), *RECIPES, *OPTIMIZERS, *SCHEDULES]
    assert all(name in words for name in names)


def test_a_folder_that_cannot_be_made_is_noticed_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    done = run(tmp_path, "--out", str(tmp_path / "file" / "run"))
    assert done.exit_code == 2
    assert "--out" in done.stderr


def test_ctrl_c_writes_what_there_is(tmp_path, monkeypatch):
    step, calls = SGD.step, []

    def interrupted(optimizer):
        calls.append(None)
        if len(calls) == 6:
            raise KeyboardInterrupt
        step(optimizer)

    monkeypatch.setattr(SGD, "step", interrupted)
    done = run(tmp_path, "--json")
    assert done.exit_code == 130
    line = json.loads(done.stdout)
    assert (line["stopped"], line["epochs_trained"]) == ("interrupted", 1)
    assert len(list((tmp_path / "run").iterdir())) == 5


def test_ctrl_c_in_the_first_epoch_writes_what_there_is(tmp_path, monkeypatch):
    def interrupted(optimizer):
        raise KeyboardInterrupt

    monkeypatch.setattr(SGD, "step", interrupted)
    done = run(tmp_path)
    assert done.exit_code == 130
    assert re.search(r"accuracy .*% after \d+\.\d s \(epochs: 0, interrupted\)\.", done.stdout)
    assert len(list((tmp_path / "run").iterdir())) == 4


def test_a_divergence_is_explained(tmp_path):
    done = run(tmp_path, "--learning-rate", "1e30")
    assert done.exit_code == 1
    assert "training diverged in epoch 1" in " ".join(done.stderr.split())
    assert "Traceback" not in done.output


def test_the_default_folder_is_named_after_the_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(main, ["train", "--model", "linear", "--epochs", "1"])
    assert (tmp_path / "runs" / "linear" / "result.json").exists()


def result(tmp_path):
    return json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))


def test_the_recipe_is_shown_and_written_down(tmp_path):
    done = run(tmp_path, "--optimizer", "adam", "--schedule", "constant", "--weight-decay", "0")
    assert "optimizer      Adam\n" in done.stdout
    assert "schedule       constant\n" in done.stdout
    expected = Recipe("linear", epochs=2, optimizer="adam", schedule=None, weight_decay=0.0)
    assert result(tmp_path)["recipe"] == dict(expected.table()[1:])
    assert result(tmp_path)["history"]["learning_rate"] == [0.05, 0.05]


def test_the_command_does_what_the_recipe_does(tmp_path):
    line = json.loads(run(tmp_path, "--json", "--seed", "4").stdout)
    images, test = cnnlab.data.load("fashion-mnist-small")
    trained = Recipe("linear", epochs=2, seed=4).run(images, test)
    assert line["test_loss"] == round(trained.test_loss, 6)


def test_options_vary_the_recipe_of_the_lecture(tmp_path):
    done = run(tmp_path, "--recipe", "alexnet", "--batch-size", "64", "--json")
    line = json.loads(done.stdout)
    assert (line["model"], line["epochs"], line["batch_size"]) == ("linear", 2, 64)
    assert (line["learning_rate"], line["weight_decay"]) == (0.01, 5e-4)
    assert len(result(tmp_path)["history"]["validation_loss"]) == 2


def test_early_stop_is_no_failure(tmp_path):
    options = ["--epochs", "9", "--learning-rate", "0", "--validation", "0.2", "--patience", "2"]
    done = run(tmp_path, *options)
    assert done.exit_code == 0
    assert "(epochs: 3, stopped early)." in done.stdout


def test_resume_goes_on_where_ctrl_c_ended(tmp_path, monkeypatch):
    undisturbed = run(tmp_path, "--json").stdout
    with monkeypatch.context() as patch:
        step, calls = SGD.step, []

        def interrupted(optimizer):
            calls.append(None)
            if len(calls) == 6:
                raise KeyboardInterrupt
            step(optimizer)

        patch.setattr(SGD, "step", interrupted)
        assert run(tmp_path).exit_code == 130
    done = run(tmp_path, "--json", "--resume")
    assert done.exit_code == 0
    first, second = json.loads(undisturbed), json.loads(done.stdout)
    del first["seconds"], second["seconds"]
    assert first == second


def test_resume_with_other_settings_says_which(tmp_path):
    run(tmp_path)
    done = run(tmp_path, "--resume", "--seed", "1")
    assert done.exit_code == 1
    assert "the seed: PCG64, 0 there, PCG64, 1 here" in " ".join(done.stderr.split())
