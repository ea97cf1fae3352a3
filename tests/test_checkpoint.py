"""Training that is killed and taken up again ends as if nothing had happened, to the last bit."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cnnlab import data
from cnnlab.data import Standardize
from cnnlab.layers import Affine, BatchNorm, Conv, Dropout, Flatten, MaxPool, ReLU
from cnnlab.model import Sequential
from cnnlab.optim import SGD, Adam, Plateau, cosine
from cnnlab.train import CheckpointError, History, Trainer, TrainingDiverged
from cnnlab.train.checkpoint import fingerprint, seed_of

TRAIN, TEST = data.load("fashion-mnist-small")
FEW, VALIDATION = TRAIN[:130], TEST[:60]
EPOCHS, STEPS = 5, 4  # a batch is 40 images


def augment(images, *, rng):
    return data.flip(data.shift(images, pixels=2, rng=rng), rng=rng)


def trainer(kind="sgd", *, seed=0, rate=0.5, **options):
    """With everything that remembers: dropout, running statistics, momentum, a plateau."""
    rng = np.random.default_rng(seed)
    layers = [Conv(3, 3, stride=5), BatchNorm(), ReLU(), MaxPool(2), Flatten(), Dropout(rate)]
    model = Sequential([*layers, Affine(10)], (28, 28, 1), rng=rng)
    optimizer = {
        "sgd": lambda: SGD(model, learning_rate=0.1, nesterov=True, weight_decay=1e-3),
        "adam": lambda: Adam(model, learning_rate=0.02),
    }[kind]()
    plain = {"batch_size": 40, "augment": augment, "schedule": Plateau(patience=1)}
    plain |= {"preprocess": Standardize.fit(FEW.images), "rng": rng}
    return Trainer(model, optimizer, **plain | options)


def fit(learner, path=None, *, train=FEW, **options):
    usual = {"validation": VALIDATION, "epochs": EPOCHS, "keep_best": True}
    return learner.fit(train, checkpoint=path, **usual | options)


def everything(learner, history):
    """All that training leaves behind, seconds apart."""
    arrays = learner.model.parameters() | learner.model.buffers() | learner.optimizer.state()
    generators = [learner.rng, *learner.model.generators()]
    return (
        {name: (array.dtype.str, array.tobytes()) for name, array in arrays.items()},
        [generator.bit_generator.state for generator in generators],
        replace(history, seconds=[]),
    )


def train_until_killed(path, kind, point, count):
    """Run in another process: it ends at the `count`-th step or file, as by kill -9."""
    learner = trainer(kind)
    calls = []

    def dying(plain):
        def call(*arguments, **options):
            calls.append(None)
            if len(calls) == int(count):
                if point == "in the middle of the file":
                    arguments[0].write(b"PK half of a file")
                    arguments[0].flush()
                os.kill(os.getpid(), signal.SIGKILL)
            return plain(*arguments, **options)

        return call

    if point == "step":
        learner.optimizer.step = dying(learner.optimizer.step)
    else:
        np.savez = dying(np.savez)
    fit(learner, path)


@pytest.fixture(scope="module")
def undisturbed():
    found = {}
    for kind in ("sgd", "adam"):
        learner = trainer(kind)
        history = fit(learner)
        assert history.learning_rate[-1] < history.learning_rate[0], "the plateau has its say"
        assert history.best_epoch < EPOCHS, "the best weights are not the last"
        found[kind] = everything(learner, history)
    return found


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no kill -9 here")
@pytest.mark.parametrize(
    ("kind", "point", "count", "epochs_kept"),
    [
        ("sgd", "step", 3, 0),
        ("sgd", "step", 2 * STEPS + 2, 2),
        ("sgd", "step", EPOCHS * STEPS, EPOCHS - 1),
        ("sgd", "in the middle of the file", 3, 2),
        ("adam", "step", 3 * STEPS + 1, 3),
    ],
)
def test_killed_and_resumed_is_the_same_to_the_last_bit(
    undisturbed, tmp_path, kind, point, count, epochs_kept
):
    path = tmp_path / "checkpoint.npz"
    code = "import sys, test_checkpoint; test_checkpoint.train_until_killed(*sys.argv[1:])"
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), kind, point, str(count)],
        cwd=here,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(here), str(here.parent)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert path.exists() == bool(epochs_kept)
    if epochs_kept:
        with np.load(path) as arrays:
            kept = json.loads(str(arrays["checkpoint"]))["history"]
        assert len(kept["train_loss"]) == epochs_kept
    learner = trainer(kind)
    history = fit(learner, path, resume=True)
    assert everything(learner, history) == undisturbed[kind]
    again = trainer(kind)
    assert everything(again, fit(again, path, resume=True)) == undisturbed[kind], "nothing to do"


def test_ctrl_c_and_resuming_with_the_same_objects(undisturbed, tmp_path, monkeypatch):
    path, learner = tmp_path / "checkpoint.npz", trainer()
    step, calls = learner.optimizer.step, []

    def interrupted():
        calls.append(None)
        if len(calls) == 2 * STEPS + 2:
            raise KeyboardInterrupt
        step()

    monkeypatch.setattr(learner.optimizer, "step", interrupted)
    assert fit(learner, path).stopped == "interrupted"
    assert everything(learner, fit(learner, path, resume=True)) == undisturbed["sgd"]


def test_training_that_stopped_early_has_nothing_to_go_on_with(tmp_path):
    path, learner, again = tmp_path / "checkpoint.npz", trainer(), trainer()
    history = fit(learner, path, patience=1)
    assert history.stopped == "early"
    assert history.epochs < EPOCHS
    assert everything(again, fit(again, path, patience=1, resume=True)) == everything(
        learner, history
    )


def test_without_resume_training_starts_anew(undisturbed, tmp_path):
    path = tmp_path / "checkpoint.npz"
    fit(trainer(seed=7), path)
    learner = trainer()
    assert everything(learner, fit(learner, path)) == undisturbed["sgd"]
    learner = trainer()
    assert everything(learner, fit(learner, path, resume=True)) == undisturbed["sgd"]
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.npz"]


@pytest.mark.parametrize(
    "kind", [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64]
)
def test_every_kind_of_generator_goes_on(tmp_path, kind):
    def stop(history):
        if history.epochs == 2:
            raise KeyboardInterrupt

    def run(**options):
        learner = trainer(rng=np.random.Generator(kind(5)))
        return everything(learner, fit(learner, **options))

    path = tmp_path / "checkpoint.npz"
    run(path=path, on_epoch=stop)
    np.testing.assert_equal(run(path=path, resume=True), run())


# What is refused


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("written") / "checkpoint.npz"
    fit(trainer(), path, epochs=1)
    return path


def resume_from(path, learner=None, **options):
    """Going on from there is refused and changes nothing; the words of the refusal."""
    learner = learner or trainer()
    before = everything(learner, History())
    content = path.read_bytes()
    with pytest.raises(CheckpointError) as caught:
        fit(learner, path, **{"epochs": 1, "resume": True} | options)
    assert everything(learner, History()) == before
    assert path.read_bytes() == content
    return str(caught.value)


@pytest.mark.parametrize(
    ("make", "options", "words"),
    [
        (trainer, {"epochs": 3}, "epochs: 1 there, 3 here"),
        (trainer, {"keep_best": False}, "keep_best: True there, False here"),
        (trainer, {"patience": 2}, "patience: None there, 2 here"),
        (trainer, {"validation": TEST[:59]}, "the validation images: 60 images, "),
        (lambda: trainer(seed=1), {}, "the seed: PCG64, 0 there, PCG64, 1 here"),
        (lambda: trainer(batch_size=41), {}, "batch_size: 40 there, 41 here"),
        (lambda: trainer("adam"), {}, "the optimizer: SGD(learning_rate=0.1, momentum=0.9, "),
        (lambda: trainer(rate=0.25), {}, "Dropout(0.25), Affine(10) for (28, 28, 1) in float32"),
        (
            lambda: trainer(schedule=cosine),
            {},
            "schedule: Plateau(factor=0.1, patience=1) there, <function cosine> here",
        ),
        (lambda: trainer(augment=None), {}, "augment: <function augment> there, None here"),
        (
            lambda: trainer(preprocess=Standardize((0.0,), (1.0,))),
            {},
            "there, Standardize(mean=(0.0,), std=(1.0,)) here",
        ),
    ],
)
def test_other_settings_are_named(written, make, options, words):
    learner = make()
    said = resume_from(written, learner, **options)
    assert "must come from training with the same settings; they differ in" in said
    assert words in said
    assert said.count(" there, ") == 1, "only what differs is named"


def test_other_training_images_are_named(written):
    with pytest.raises(CheckpointError, match=r"in the training images: 130 images, .* 129 images"):
        fit(trainer(), written, train=FEW[:129], epochs=1, resume=True)


def test_after_a_divergence_the_weights_are_those_of_the_checkpoint(tmp_path, monkeypatch):
    def stop(history):
        raise KeyboardInterrupt

    path, learner, again = tmp_path / "checkpoint.npz", trainer(), trainer()
    fit(learner, path, on_epoch=stop, keep_best=False)
    kept = {name: array.copy() for name, array in learner.model.parameters().items()}
    monkeypatch.setattr(again.model, "loss", lambda scores, labels: (np.nan, scores))
    with pytest.raises(TrainingDiverged, match=r"epoch 2, .*back at the end of epoch 1\."):
        fit(again, path, resume=True, keep_best=False)
    for name, array in again.model.parameters().items():
        np.testing.assert_array_equal(array, kept[name])


def test_progress_of_resumed_training_begins_where_it_is(tmp_path, capsys):
    def stop(history):
        if history.epochs == 3:
            raise KeyboardInterrupt

    fit(trainer(), tmp_path / "checkpoint.npz", on_epoch=stop)
    fit(trainer(progress=True), tmp_path / "checkpoint.npz", resume=True)
    assert f"{EPOCHS * STEPS}/{EPOCHS * STEPS}" in capsys.readouterr().err


def test_other_images_are_noticed(written):
    changed = FEW.images.copy()
    changed[77, 14, 14] ^= 1
    relabeled = FEW.labels.copy()
    relabeled[77] = (relabeled[77] + 1) % 10
    prints = {
        fingerprint(FEW),
        fingerprint(FEW[:129]),
        fingerprint(replace(FEW, images=changed)),
        fingerprint(replace(FEW, labels=relabeled)),
        fingerprint(None),
    }
    assert len(prints) == 5
    assert fingerprint(replace(FEW, name="another name")) in prints


def test_of_many_images_some_are_looked_at():
    read = []

    class Lazy:
        def __getitem__(self, part):
            read.append(part)
            return TRAIN.images[part]

    class Many:
        images, labels = Lazy(), TRAIN.labels

        def __len__(self):
            return len(self.labels)

    assert fingerprint(Many()) == fingerprint(TRAIN)
    assert 200 < len(read) < 400
    assert all(part.stop - part.start == 1 for part in read)


def test_a_child_has_a_seed_of_its_own():
    child, other = np.random.default_rng(3).spawn(2)
    assert len({seed_of(child), seed_of(other), seed_of(np.random.default_rng(3))}) == 3


@pytest.mark.parametrize("size", [0, 1, 100, -100, -1])
def test_a_damaged_file_is_refused(written, tmp_path, size):
    path = tmp_path / "damaged.npz"
    path.write_bytes(written.read_bytes()[:size])
    assert "must be a checkpoint written in training, complete and undamaged" in resume_from(path)


def test_a_file_with_a_changed_byte_is_refused(written, tmp_path):
    content = bytearray(written.read_bytes())
    with np.load(written) as arrays:
        content[content.index(arrays["6.affine.w"].tobytes()) + 3] ^= 1
    path = tmp_path / "damaged.npz"
    path.write_bytes(content)
    assert "complete and undamaged" in resume_from(path)


@pytest.mark.parametrize(
    "about",
    [None, "no JSON", "[]", "{}", '{"settings": {}, "generators": [], "history": {"a": 1}}'],
)
def test_a_foreign_file_is_refused(tmp_path, about):
    path = tmp_path / "foreign.npz"
    if about is None:
        trainer().model.save(path)
    else:
        np.savez(path, checkpoint=np.array(about))
    assert "must be a checkpoint written in training" in resume_from(path)


def test_a_file_with_other_arrays_is_refused(written, tmp_path):
    with np.load(written) as arrays:
        found = dict(arrays)
    del found["best.6.affine.b"]
    path = tmp_path / "other.npz"
    np.savez(path, **found)
    assert "they differ in best.6.affine.b: missing in the file" in resume_from(path)


def test_the_place_is_checked_before_training(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"folder of a checkpoint must exist, got .*nowhere"
    ):
        fit(trainer(), tmp_path / "nowhere" / "checkpoint.npz")
    with pytest.raises(IsADirectoryError, match=r"must be a file, got the folder"):
        fit(trainer(), tmp_path)
    with pytest.raises(ValueError, match=r"resume needs a checkpoint .* got checkpoint=None"):
        fit(trainer(), resume=True)
