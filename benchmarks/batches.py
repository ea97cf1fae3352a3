"""How much sooner an epoch ends when batches are prepared in the background.

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


class Encoded:
    """Images as JPEG files hold them: decoded when they are used."""

    def __init__(self, files, shape):
        self.files, self.shape = files, (len(files), *shape)
        self.ndim, self.dtype = 4, np.dtype(np.uint8)

    def __len__(self):
        return len(self.files)

    def __getitem__(self, chosen):
        return Encoded(self.files[chosen], self.shape[1:])

    def __array__(self, dtype=None, copy=None):
        opened = (Image.open(BytesIO(file)) for file in self.files)
        return np.stack([np.asarray(image.resize((28, 28))) for image in opened])[..., None]


def jpeg(image):
    """An image eight times as large in each direction, as a JPEG file."""
    file = BytesIO()
    Image.fromarray(image[..., 0]).resize((224, 224)).save(file, "JPEG")
    return file.getvalue()


def epoch(model, train, prepare, ahead):
    """Seconds for one epoch, and those of them in which the step waited for its batch."""
    rng, optimizer, waited = np.random.default_rng(0), SGD(model, learning_rate=0.01), 0.0
    began = asked = time.perf_counter()
    for x, y in batches(train, 128, rng, prepare=prepare, ahead=ahead):
        waited += time.perf_counter() - asked
        _, dscores = model.loss(model.forward(x, training=True), y)
        model.backward(dscores)
        optimizer.step()
        asked = time.perf_counter()
    return time.perf_counter() - began, waited


train = load("fashion-mnist-small")[0][:2000]
augment = Augment([flip, partial(shift, pixels=2)])
standardize = Standardize.fit(train.images)
files = np.array([jpeg(image) for image in train.images], object)
sets = {
    "arrays": train,
    "JPEG files of 224×224": Dataset(Encoded(files, (28, 28, 1)), train.labels, train.class_names),
}


def prepare(images, *, rng):
    return standardize(augment(images, rng=rng))


for name, dataset in sets.items():
    model = zoo.convnet((28, 28, 1), 10, rng=np.random.default_rng(0))
    epoch(model, dataset, prepare, 0)
    # In turn, so that a busy minute of the machine slows both.
    runs = np.array([[epoch(model, dataset, prepare, ahead) for ahead in (0, 2)] for _ in range(5)])
    (now, waited_now), (ahead, waited_ahead) = np.median(runs, axis=0)
    print(
        f"{name}: {now:.2f} s with ahead=0, of which {waited_now / now:.1%} waiting; "
        f"{ahead:.2f} s with ahead=2, {waited_ahead / ahead:.1%} waiting; {ahead / now:.2f} times"
    )
