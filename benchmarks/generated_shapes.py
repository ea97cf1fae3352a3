"""How hard the generated shapes are: a linear classifier and a small ConvNet on new images.

python benchmarks/generated_shapes.py
"""

import numpy as np

from cnnlab import data, zoo
from cnnlab.optim import SGD, cosine
from cnnlab.train import Trainer, evaluate

train, test = data.load("shapes")
preprocess = data.Standardize.fit(np.asarray(train.images))
for name, rate, epochs in (("linear", 0.001, 6), ("convnet", 0.05, 6)):
    rng = np.random.default_rng(0)
    model = zoo.build(name, train.image_shape, train.n_classes, rng=rng)
    trainer = Trainer(
        model,
        SGD(model, learning_rate=rate, momentum=0.9, weight_decay=5e-4),
        preprocess=preprocess,
        rng=rng,
        schedule=cosine,
    )
    history = trainer.fit(train, epochs=epochs)
    _, share = evaluate(model, test, preprocess)
    print(f"{name}: {share:.1%} after {epochs} epochs, {sum(history.seconds):.0f} s")
