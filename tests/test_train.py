import json
import math
import pickle
from functools import partial

import numpy as np
import pytest

from cnnlab import data, zoo
from cnnlab.data import Standardize
from cnnlab.layers import Affine, BatchNorm, Flatten
from cnnlab.metrics import accuracy
from cnnlab.model import Sequential
from cnnlab.optim import SGD
from cnnlab.train import History, Trainer, TrainingDiverged, evaluate

TRAIN, TEST = data.load("fashion-mnist-small")
PREPROCESS = Standardize.fit(TRAIN.images)
FEW, FEW_VALIDATION = TRAIN[:200], TEST[:100]


def trainer(model="linear", seed=0, *, learning_rate=0.01, momentum=0.9, **options):
    rng = np.random.default_rng(seed)
    model = zoo.build(model, (28, 28, 1), 10, rng=rng)
    optimizer = SGD(model, learning_rate=learning_rate, momentum=momentum)
    options = {"preprocess": PREPROCESS, "batch_size": 50, "rng": rng, **options}
    return Trainer(model, optimizer, **options)


def weights(trainer):
    return {name: p.copy() for name, p in trainer.model.parameters().items()}


def expect_same(first, second):
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


# Learning


def test_the_first_loss_is_that_of_guessing():
    history = trainer("convnet").fit(TRAIN[:50], epochs=1)
    assert history.step_losses[0] == pytest.approx(np.log(10), abs=0.2)


def test_a_convnet_learns_in_two_epochs():
    learner = trainer("convnet", learning_rate=0.02)
    history = learner.fit(TRAIN[:500], validation=TEST[:500], epochs=2)
    assert history.train_loss[1] < history.train_loss[0]
    assert history.validation_accuracy[-1] > 0.6, "guessing gives 0.1"
    assert evaluate(learner.model, TEST[:500], PREPROCESS) == (
        history.validation_loss[-1],
        history.validation_accuracy[-1],
    )


def test_a_convnet_can_learn_50_images_by_heart():
    history = trainer("convnet", learning_rate=0.02, batch_size=25).fit(TRAIN[:50], epochs=25)
    assert history.train_accuracy[-1] == 1.0
    assert history.train_loss[-1] < 0.05


def test_the_same_seed_gives_the_same_result_to_the_last_bit():
    def run(seed):
        learner = trainer("convnet", seed, augment=data.flip)
        history = learner.fit(TRAIN[:120], validation=TEST[:50], epochs=2)
        return history, weights(learner)

    (first, w), (again, same), (other, _) = run(0), run(0), run(1)
    assert first.step_losses == again.step_losses
    assert first.validation_loss == again.validation_loss
    expect_same(w, same)
    assert first.step_losses != other.step_losses


def test_validation_images_are_never_learned_from():
    with_validation, without = trainer(), trainer()
    with_validation.fit(FEW, validation=FEW_VALIDATION, epochs=2)
    without.fit(FEW, epochs=2)
    expect_same(weights(with_validation), weights(without))


def test_fit_goes_on_from_where_it_was():
    in_two, at_once = trainer(), trainer()
    in_two.fit(FEW, epochs=1)
    second = in_two.fit(FEW, epochs=2)
    at_once.fit(FEW, epochs=3)
    assert second.epochs == 2
    expect_same(weights(in_two), weights(at_once))


# What is reported


def test_the_history_has_one_entry_per_epoch():
    history = trainer().fit(FEW[:120], validation=FEW_VALIDATION, epochs=3)
    for name in ("loss", "accuracy"):
        assert len(getattr(history, f"train_{name}")) == 3
        assert len(getattr(history, f"validation_{name}")) == 3
    assert len(history.seconds) == history.epochs == 3
    assert len(history.step_losses) == 3 * 3, "120 images make two batches of 50 and one of 20"
    assert history.stopped is None
    # An epoch's loss is the mean over its images, so the small batch counts for less.
    expected = np.dot(history.step_losses[:3], [50, 50, 20]) / 120
    assert history.train_loss[0] == pytest.approx(expected)


def test_train_accuracy_is_that_of_the_batches():
    learner = trainer(learning_rate=0.0)
    history = learner.fit(FEW, epochs=1)
    predictions = learner.model.predict(PREPROCESS(FEW.images))
    assert history.train_accuracy[0] == pytest.approx(accuracy(predictions, FEW.labels))


def test_without_validation_its_lists_are_empty():
    history = trainer().fit(FEW, epochs=2)
    assert history.validation_loss == history.validation_accuracy == []
    assert "validation" not in repr(history)


def test_a_history_can_be_read_by_people_and_programs():
    history = History([2.0, 1.5], [0.3, 0.456], [1.9, 1.6], [0.31, 0.42], [1.25, 1.25])
    assert repr(history) == (
        "History(2 epochs in 2.5 s; train loss 1.500, accuracy 45.6%; "
        "validation loss 1.600, accuracy 42.0%)"
    )
    assert json.loads(json.dumps(history.as_dict()))["validation_accuracy"] == [0.31, 0.42]
    assert repr(History(stopped="interrupted")) == "History(0 epochs in 0.0 s; interrupted)"


def test_evaluate_does_not_depend_on_the_batch_size_and_changes_nothing():
    learner = trainer("convnet")
    before = weights(learner)
    loss, share = evaluate(learner.model, FEW, PREPROCESS)
    again, same_share = evaluate(learner.model, FEW, PREPROCESS, batch_size=7)
    scores = learner.model.forward(PREPROCESS(FEW.images))
    assert loss == pytest.approx(learner.model.loss(scores, FEW.labels)[0])
    assert loss == pytest.approx(again, rel=1e-5)
    assert share == same_share == accuracy(scores, FEW.labels)
    expect_same(weights(learner), before)
    assert learner.model.gradients() == {}
    with pytest.raises(ValueError, match=r"number of images must be .* at least 1, got 0"):
        evaluate(learner.model, FEW[:0], PREPROCESS)


@pytest.mark.parametrize(("progress", "shown"), [(True, True), (False, False), (None, False)])
def test_progress_is_shown_when_told_or_on_a_terminal(progress, shown, capsys):
    trainer(progress=progress).fit(FEW, epochs=2)
    out, err = capsys.readouterr()
    assert out == "", "progress is no result"
    assert ("8/8" in err) == ("epoch 2, loss" in err) == shown


# Options


def test_only_training_images_are_augmented():
    seen = []

    def augment(images, *, rng):
        assert images.dtype == np.uint8
        assert isinstance(rng, np.random.Generator)
        seen.append(len(images))
        return np.zeros_like(images)

    learner = trainer(augment=augment)
    history = learner.fit(FEW, validation=FEW_VALIDATION, epochs=1)
    assert seen == [50] * 4
    assert evaluate(learner.model, FEW_VALIDATION, PREPROCESS)[0] == history.validation_loss[0]
    plain = trainer()
    plain.fit(FEW, epochs=1)
    assert (
        learner.model.parameters()["1.affine.w"] != plain.model.parameters()["1.affine.w"]
    ).any()


def test_layers_are_told_what_is_training(monkeypatch):
    learner, told = trainer(), []
    forward = learner.model.forward
    monkeypatch.setattr(
        learner.model,
        "forward",
        lambda x, *, training=False: told.append(training) or forward(x, training=training),
    )
    learner.fit(FEW, validation=FEW_VALIDATION, epochs=1)
    assert told == [True] * 4 + [False]


def test_augmentations_of_the_library_can_be_passed_as_they_are():
    for augment in (data.flip, partial(data.shift, pixels=2)):
        assert trainer(augment=augment).fit(FEW, epochs=1).epochs == 1


def test_the_schedule_sets_the_learning_rate_of_each_step(monkeypatch):
    progress, rates = [], []
    learner = trainer(learning_rate=0.5, schedule=lambda p: progress.append(p) or 1 - p)
    step = learner.optimizer.step
    monkeypatch.setattr(
        learner.optimizer, "step", lambda: rates.append(learner.optimizer.learning_rate) or step()
    )
    learner.fit(FEW, epochs=2)
    assert progress == [i / 8 for i in range(8)]
    assert rates == pytest.approx([0.5 * (1 - i / 8) for i in range(8)])
    assert learner.optimizer.learning_rate == 0.5, "it is as it was afterwards"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: trainer(batch_size=0), r"batch_size must be a whole number.* got 0"),
        (lambda: trainer(batch_size=2.5), r"batch_size .* got 2\.5"),
        (lambda: trainer().fit(FEW, epochs=0), r"epochs must be a whole number.* got 0"),
        (lambda: trainer().fit(FEW, epochs=1.5), r"epochs .* got 1\.5"),
        (lambda: trainer().fit(FEW[:0], epochs=1), r"number of training images .* got 0"),
        (
            lambda: Trainer(
                trainer().model, trainer().optimizer, preprocess=PREPROCESS, rng=None
            ),
            r"optimizer must change the network that is trained, got SGD\(learning_rate=0\.01",
        ),
    ],
    ids=["no-batch", "part-batch", "no-epoch", "part-epoch", "no-images", "other-network"],
)  # fmt: skip
def test_errors_say_what_was_expected(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# When it goes wrong


@pytest.mark.parametrize("model", ["convnet", "linear"])
def test_a_loss_that_is_no_number_is_explained(model):
    learner = trainer(model, learning_rate=1e38)
    before = weights(learner)
    words = (
        r"diverged in epoch 1, at step \d: the loss became (nan|inf), with a learning rate of "
        r"1e\+38.*steps are too large.*ten times smaller.*gradient check.*back where they started"
    )
    with pytest.raises(TrainingDiverged, match=words) as caught:
        learner.fit(FEW, epochs=3)
    history = caught.value.history
    assert history.stopped == "diverged"
    assert history.epochs == 0
    assert len(history.step_losses) < 4, "it is noticed at once"
    assert not math.isfinite(history.step_losses[-1])
    expect_same(weights(learner), before)


def test_a_divergence_can_come_back_from_another_process():
    with pytest.raises(TrainingDiverged) as caught:
        trainer(learning_rate=1e38).fit(FEW, epochs=1)
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert repr(again.history) == repr(caught.value.history)


def test_after_a_divergence_a_smaller_rate_works():
    learner, plain = trainer(learning_rate=1e38), trainer(learning_rate=0.01)
    with pytest.raises(TrainingDiverged):
        learner.fit(FEW, epochs=1)
    learner.optimizer.learning_rate = 0.01
    learner.rng = np.random.default_rng(5)
    plain.rng = np.random.default_rng(5)
    learner.fit(FEW, epochs=1)
    plain.fit(FEW, epochs=1)
    expect_same(weights(learner), weights(plain))


def test_weights_go_back_to_the_end_of_the_last_good_epoch():
    learner = trainer(schedule=lambda progress: 1 if progress < 0.5 else 1e40)
    with pytest.raises(TrainingDiverged, match=r"epoch 3,.*back at the end of epoch 2\.") as caught:
        learner.fit(FEW, epochs=4)
    good = trainer()
    expected = good.fit(FEW, epochs=2)
    assert caught.value.history.train_loss == expected.train_loss
    expect_same(weights(learner), weights(good))


def test_running_statistics_go_back_too():
    layers = [Flatten(), BatchNorm(), Affine(10)]
    model = Sequential(layers, (28, 28, 1), rng=np.random.default_rng(0))
    optimizer = SGD(model, learning_rate=1e38)
    learner = Trainer(model, optimizer, preprocess=PREPROCESS, rng=np.random.default_rng(0))
    with pytest.raises(TrainingDiverged):
        learner.fit(FEW, epochs=1)
    assert not model.buffers()["1.batchnorm.mean"].any()
    assert (model.buffers()["1.batchnorm.var"] == 1).all()


def test_a_last_step_that_spoils_the_weights_is_noticed():
    learner = trainer(learning_rate=1e45, batch_size=200)
    before = weights(learner)
    with pytest.raises(TrainingDiverged, match=r"at step 1: the sum of 1\.affine\.w became"):
        learner.fit(FEW, epochs=1)
    expect_same(weights(learner), before)


def test_a_validation_loss_that_is_no_number_is_noticed(monkeypatch):
    monkeypatch.setattr("cnnlab.train.evaluate", lambda *args: (math.nan, 0.1))
    with pytest.raises(TrainingDiverged, match=r"the validation loss became nan") as caught:
        trainer().fit(FEW, validation=FEW_VALIDATION, epochs=1)
    assert caught.value.history.epochs == 0


def interrupt_at(monkeypatch, owner, name, count):
    """Press Ctrl-C when a function is called for the `count`-th time."""
    plain, calls = getattr(owner, name), []

    def interrupted(*args, **options):
        calls.append(None)
        if len(calls) == count:
            raise KeyboardInterrupt
        return plain(*args, **options)

    monkeypatch.setattr(owner, name, interrupted)


def test_ctrl_c_returns_what_was_learned(monkeypatch):
    learner = trainer(schedule=lambda progress: 0.5)
    before = weights(learner)
    interrupt_at(monkeypatch, learner.optimizer, "step", 7)
    history = learner.fit(FEW, validation=FEW_VALIDATION, epochs=5)
    assert history.stopped == "interrupted"
    assert history.epochs == len(history.validation_loss) == len(history.seconds) == 1
    assert len(history.step_losses) == 7
    assert (weights(learner)["1.affine.w"] != before["1.affine.w"]).any()
    assert learner.optimizer.learning_rate == 0.01


def test_ctrl_c_while_validating_leaves_lists_of_equal_length(monkeypatch):
    import cnnlab.train

    interrupt_at(monkeypatch, cnnlab.train, "evaluate", 2)
    history = trainer().fit(FEW, validation=FEW_VALIDATION, epochs=5)
    assert history.stopped == "interrupted"
    lists = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "seconds")
    assert {len(getattr(history, name)) for name in lists} == {1}
