import pickle
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from cnnlab import data, zoo
from cnnlab.ops import Op, reference
from cnnlab.optim import SGD, Adam, Plateau, Steps, cosine
from cnnlab.parallel import JobsFailed
from cnnlab.recipe import ALEXNET, RECIPES, Recipe, run_side_by_side
from cnnlab.train import CheckpointError, Trainer, TrainingDiverged, evaluate

TRAIN, TEST = data.load("fashion-mnist-small")
FEW, FEW_TEST = TRAIN[:200], TEST[:100]
SMALL = Recipe(model="linear", epochs=2, batch_size=50, learning_rate=0.01)


def weights(trained):
    return {name: array.tobytes() for name, array in trained.model.parameters().items()}


def trainers(monkeypatch):
    """Those that are made from now on."""
    made, plain = [], Trainer.__init__

    def init(self, *arguments, **options):
        plain(self, *arguments, **options)
        made.append(self)

    monkeypatch.setattr(Trainer, "__init__", init)
    return made


# What a recipe is


def test_the_recipe_of_the_lecture_has_its_values():
    assert (ALEXNET.batch_size, ALEXNET.optimizer, ALEXNET.momentum) == (128, "sgd", 0.9)
    assert (ALEXNET.learning_rate, ALEXNET.weight_decay) == (1e-2, 5e-4)
    assert ALEXNET.schedule.factor == 0.1
    assert isinstance(ALEXNET.schedule, Plateau)
    assert ALEXNET.validation > 0, "a plateau needs it"
    assert ALEXNET.model_options == {"dropout": 0.5}
    assert ALEXNET.augmentation.keys() == {"shift", "flip"}
    assert RECIPES["alexnet"] is ALEXNET


def test_the_recipe_of_the_lecture_prints_itself():
    assert str(ALEXNET).splitlines() == [
        "setting        value",
        "model          alexnet_small(dropout=0.5)",
        "epochs         90",
        "batch size     128",
        "optimizer      SGD, momentum 0.9",
        "learning rate  0.01",
        "schedule       ÷10 after 3 epochs without a better validation accuracy",
        "L2             0.0005, biases spared",
        "early stop     no",
        "augmentation   shift(pixels=2), flip",
        "preprocessing  standardize",
        "validation     10 % of the training images",
        "seed           0",
    ]
    assert "<td" in ALEXNET._repr_html_()


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"optimizer": "nesterov"}, "optimizer      SGD, Nesterov, momentum 0.9"),
        ({"optimizer": "adam"}, "optimizer      Adam"),
        ({"schedule": None}, "schedule       constant"),
        ({"weight_decay": 0.0}, "L2             none"),
        ({"patience": 1}, "early stop     after 1 epoch without a best"),
        (
            {"patience": 4, "keep_best": True},
            "early stop     after 4 epochs without a best, with the best weights",
        ),
        ({"keep_best": True}, "early stop     no, with the best weights"),
        ({"augmentation": {}}, "augmentation   none"),
        ({"validation": 0}, "validation     none"),
    ],
    ids=str,
)
def test_every_setting_can_be_read(changes, line):
    assert line in str(replace(ALEXNET, **changes)).splitlines()


def test_a_recipe_is_a_value():
    assert pickle.loads(pickle.dumps(ALEXNET)) == ALEXNET
    varied = replace(ALEXNET, seed=3)
    assert varied != ALEXNET
    assert replace(varied, seed=0) == ALEXNET
    with pytest.raises(FrozenInstanceError):
        ALEXNET.seed = 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 0}, r"epochs must be a whole number of at least 1, got 0"),
        ({"batch_size": 1.5}, r"batch_size must .* got 1\.5"),
        ({"seed": -1}, r"seed must be a whole number of at least 0, got -1"),
        ({"patience": 0}, r"patience must .* got 0"),
        ({"learning_rate": -1}, r"learning_rate must .* got -1"),
        ({"weight_decay": np.nan}, r"weight_decay must .* got nan"),
        ({"momentum": 1}, r"momentum must .* less than 1, got 1"),
        ({"validation": 1.0}, r"validation must .* less than 1, got 1\.0"),
        ({"optimizer": "sdg"}, r"optimizer must be one of adam, nesterov, sgd, got 'sdg'"),
        (
            {"preprocess": "whiten"},
            r"preprocess must be one of channel mean, mean image, standardize, got 'whiten'",
        ),
        (
            {"augmentation": {"twist": {}}},
            r"augmentation must be one of color_jitter, cutout, flip, shift, got 'twist'",
        ),
    ],
    ids=str,
)
def test_values_that_make_no_sense_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        replace(SMALL, **changes)


def test_a_network_that_does_not_exist_is_refused_before_training():
    with pytest.raises(zoo.UnknownModelError, match="got 'resnet'"):
        replace(SMALL, model="resnet").run(FEW)


# What it does


def test_a_recipe_trains_and_measures(monkeypatch):
    made = trainers(monkeypatch)
    trained = SMALL.run(FEW, FEW_TEST)
    assert trained.recipe is SMALL
    assert trained.history.epochs == 2
    measured = evaluate(trained.model, FEW_TEST, trained.preprocess)
    assert (trained.test_loss, trained.test_accuracy) == measured
    assert trained.preprocess == data.Standardize.fit(FEW.images)
    assert repr(trained).startswith("Trained(Sequential(2 layers, 7,850 parameters); History(2 ep")
    assert repr(trained).endswith(f"; test accuracy {trained.test_accuracy:.1%})")
    (trainer,) = made
    assert (trainer.batch_size, trainer.schedule) == (50, cosine)
    assert repr(trainer.optimizer) == "SGD(learning_rate=0.01, momentum=0.9, weight_decay=0.0005)"


def test_it_is_what_one_would_write_by_hand():
    rng = np.random.default_rng(0)
    model = zoo.linear((28, 28, 1), 10, rng=rng)
    optimizer = SGD(model, learning_rate=0.01, weight_decay=5e-4)
    options = {"batch_size": 50, "rng": rng, "augment": data.flip, "schedule": cosine}
    preprocess = data.Standardize.fit(FEW.images)
    history = Trainer(model, optimizer, preprocess=preprocess, **options).fit(FEW, epochs=2)
    trained = SMALL.run(FEW)
    assert trained.history.step_losses == history.step_losses
    assert (trained.test_loss, trained.test_accuracy) == (None, None)
    assert "test" not in repr(trained)


def test_the_seed_decides():
    first, same, other = (weights(replace(SMALL, seed=s).run(FEW)) for s in (0, 0, 1))
    assert first == same != other


@pytest.mark.parametrize(
    ("changes", "kind", "options"),
    [
        ({"optimizer": "nesterov", "momentum": 0.5}, SGD, {"nesterov": True, "momentum": 0.5}),
        ({"optimizer": "sgd", "momentum": 0.5}, SGD, {"nesterov": False, "momentum": 0.5}),
        ({"optimizer": "adam", "weight_decay": 0.1}, Adam, {"weight_decay": 0.1}),
    ],
    ids=str,
)
def test_the_optimizer_is_the_one_named(monkeypatch, changes, kind, options):
    made = trainers(monkeypatch)
    replace(SMALL, epochs=1, **changes).run(FEW)
    assert type(made[0].optimizer) is kind
    assert {name: getattr(made[0].optimizer, name) for name in options} == options
    assert made[0].optimizer.learning_rate == 0.01


def test_augmentations_follow_one_another(monkeypatch):
    made = trainers(monkeypatch)
    steps = {"shift": {"pixels": 3}, "flip": {}}
    replace(SMALL, epochs=1, augmentation=steps).run(FEW)
    found = made[0].augment(FEW.images, rng=np.random.default_rng(5))
    rng = np.random.default_rng(5)
    expected = data.flip(data.shift(FEW.images, pixels=3, rng=rng), rng=rng)
    np.testing.assert_array_equal(found, expected)
    replace(SMALL, epochs=1, augmentation={}).run(FEW)
    assert made[1].augment is None


def test_a_share_of_the_images_is_held_out():
    trained = replace(SMALL, validation=0.25).run(FEW)
    assert len(trained.history.validation_accuracy) == 2
    assert len(trained.history.step_losses) == 2 * 3, "150 images are left to train on"
    rest, _ = data.split(FEW, 0.25, np.random.default_rng(0))
    assert trained.preprocess == data.Standardize.fit(rest.images)


def test_validation_images_that_are_given_are_used():
    trained = replace(SMALL, validation=0.25).run(FEW, validation=FEW_TEST)
    assert len(trained.history.step_losses) == 2 * 4
    loss, _ = evaluate(trained.model, FEW_TEST, trained.preprocess)
    assert trained.history.validation_loss[-1] == loss


def test_patience_and_the_best_weights_reach_the_trainer():
    recipe = replace(SMALL, epochs=30, learning_rate=0.0, patience=2, keep_best=True)
    history = recipe.run(FEW, validation=FEW_TEST).history
    assert (history.epochs, history.stopped) == (3, "early")
    with pytest.raises(ValueError, match="got none with patience=2, keep_best=True"):
        recipe.run(FEW)


def test_options_of_the_network_are_handed_on(monkeypatch):
    def mine(input_shape, n_classes, *, width, **options):
        return zoo.linear(input_shape, n_classes * width, **options)

    monkeypatch.setitem(zoo.MODELS, "mine", mine)
    recipe = replace(SMALL, model="mine", model_options={"width": 3}, epochs=1)
    assert recipe.run(FEW).model.output_shape == (30,)
    with pytest.raises(TypeError, match="width"):
        replace(SMALL, model_options={"width": 3}).run(FEW)


def test_a_recipe_runs_on_the_operations_it_is_given():
    calls = []

    def forward(*arguments):
        calls.append(None)
        return reference.affine.forward(*arguments)

    table = replace(reference, affine=Op(forward, reference.affine.backward))
    assert weights(SMALL.run(FEW, ops=table)) == weights(SMALL.run(FEW))
    assert len(calls) == 2 * 4


def test_the_recipe_of_the_lecture_trains_a_network_that_exists():
    recipe = replace(ALEXNET, model="linear", model_options={}, epochs=2)
    history = recipe.run(FEW).history
    assert (history.epochs, len(history.validation_loss)) == (2, 2)
    assert history.learning_rate == [0.01, 0.01]


def test_what_was_trained_can_be_sent_to_another_process():
    trained = replace(SMALL, model="convnet", epochs=1).run(FEW[:50], FEW_TEST)
    sent = pickle.dumps(trained)
    parameters = sum(array.nbytes for array in trained.model.parameters().values())
    assert len(sent) < 3 * parameters, "weights and gradients, not the activations of a batch"
    found = pickle.loads(sent)
    assert weights(found) == weights(trained)
    assert evaluate(found.model, FEW_TEST, found.preprocess)[1] == trained.test_accuracy
    assert (found.recipe, found.history) == (trained.recipe, trained.history)


def test_a_recipe_goes_on_from_its_checkpoint(tmp_path):
    path = tmp_path / "checkpoint.npz"
    recipe = replace(SMALL, epochs=3, schedule=Steps(), validation=0.2, optimizer="adam")

    def stop(history):
        if history.epochs == 2:
            raise KeyboardInterrupt

    assert recipe.run(FEW, checkpoint=path, on_epoch=stop).history.stopped == "interrupted"
    resumed = recipe.run(FEW, FEW_TEST, checkpoint=path, resume=True)
    undisturbed = recipe.run(FEW, FEW_TEST)
    assert weights(resumed) == weights(undisturbed)
    assert resumed.test_loss == undisturbed.test_loss
    assert resumed.history.step_losses == undisturbed.history.step_losses
    with pytest.raises(CheckpointError, match=r"the seed: PCG64, 0 there, PCG64, 1 here"):
        replace(recipe, seed=1).run(FEW, checkpoint=path, resume=True)
    shift = {"shift": {"pixels": 1}}
    with pytest.raises(CheckpointError, match=r"there, Augment.*function shift"):
        replace(recipe, augmentation=shift).run(FEW, checkpoint=path, resume=True)


def test_progress_is_shown_when_told(capsys):
    SMALL.run(FEW, progress=True)
    assert "8/8" in capsys.readouterr().err


def test_a_divergence_says_so():
    with pytest.raises(TrainingDiverged):
        replace(SMALL, learning_rate=1e38).run(FEW)


def test_side_by_side_is_the_same_as_alone():
    recipes = [replace(SMALL, seed=seed) for seed in (0, 1)]
    both = run_side_by_side(recipes, FEW, FEW_TEST, workers=2, progress=False)
    for recipe, one in zip(recipes, both, strict=True):
        alone = recipe.run(FEW, FEW_TEST)
        assert one.recipe == recipe
        assert one.test_accuracy == alone.test_accuracy
        np.testing.assert_allclose(one.history.step_losses, alone.history.step_losses, rtol=1e-5)
    assert both[0].history.step_losses != both[1].history.step_losses


def test_side_by_side_names_the_recipe_that_failed():
    recipes = [replace(SMALL, learning_rate=rate) for rate in (0.01, 1e38)]
    with pytest.raises(
        JobsFailed, match=r"1 of 2 jobs failed. job 1 \(.*TrainingDiverged"
    ) as found:
        run_side_by_side(recipes, FEW, workers=1, progress=False)
    assert found.value.results[0].history.epochs == SMALL.epochs
    assert found.value.results[1] is None
