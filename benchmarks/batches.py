"""How much sooner an epoch ends when its batches are prepared in the background.

python benchmarks/batches.py
"""

import time
from functools import partial
from io import BytesIO

import numpy as np
from PIL import Image

from cnnlab import zoo
from cnnlab.data import Augment, Dataset, Standardize, batches, flip, load, shift
from cnnlab.optim import SGD

ROUNDS = 3
train = load("fashion-mnist-small")[0][:2000]
augment = Augment([flip, partial(shift, pixels=2)])
images = np.asarray(train.images)
standardize = Standardize.fit(images)


def prepare(images, *, rng):
    return standardize(augment(images, rng=rng))


def encode(image):
    """The bytes of a JPEG file of 224×224, and zeros behind them, as an image of one row."""
    file = BytesIO()
    Image.fromarray(image[..., 0]).resize((224, 224)).save(file, "JPEG")
    return np.frombuffer(file.getvalue().ljust(20_000, b"\0"), np.uint8).reshape(1, -1, 1)


def decode_and_prepare(images, *, rng):
    files = (Image.open(BytesIO(image.tobytes())) for image in images)
    decoded = np.stack([np.asarray(file.resize((28, 28))) for file in files])
    return prepare(decoded[..., None], rng=rng)


def epoch(model, dataset, prepare, ahead):
    """Seconds for one epoch, and those of them in which the network waited for its batch."""
    rng, optimizer, waited = np.random.default_rng(0), SGD(model, learning_rate=0.01), 0.0
    began = asked = time.perf_counter()
    for x, y in batches(dataset, 128, rng, prepare=prepare, ahead=ahead):
        waited += time.perf_counter() - asked
        _, dscores = model.loss(model.forward(x, training=True), y)
        model.backward(dscores)
        optimizer.step()
        asked = time.perf_counter()
    return time.perf_counter() - began, waited


files = np.stack([encode(image) for image in images])
for name, dataset, how in (
    ("arrays", train, prepare),
    ("JPEG files", Dataset(files, train.labels, train.class_names), decode_and_prepare),
):
    model = zoo.convnet((28, 28, 1), 10, rng=np.random.default_rng(0))
    epoch(model, dataset, how, 0)
    # In turn, so that a busy minute of the machine slows both.
    runs = [[epoch(model, dataset, how, ahead) for ahead in (0, 2)] for _ in range(ROUNDS)]
    (plain, waited), (background, rest) = np.median(runs, axis=0)
    print(
        f"{name}: ahead=0 {plain:.2f} s, {waited / plain:.1%} of it waiting; ahead=2 "
        f"{background:.2f} s, {rest / background:.1%} waiting; {background / plain:.2f} times"
    )
