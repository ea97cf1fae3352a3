"""Does the full AlexNet learn? Sixteen images at 227 pixels, by heart.

    python benchmarks/overfit_alexnet.py [STEPS]

Prints the loss of every step and writes the curve to benchmarks/overfit_alexnet.png. A network
that cannot learn a handful of images by heart has a mistake in it.
"""

import resource
import sys
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from cnnlab import data, zoo
from cnnlab.metrics import accuracy
from cnnlab.optim import SGD
from cnnlab.viz import BLUE, FAINT


def main(steps: int = 50) -> None:
    """Train and report."""
    rng = np.random.default_rng(0)
    few = data.generated_shapes(16, size=227, rng=rng)
    model = zoo.alexnet(few.image_shape, few.n_classes, rng=rng)
    optimizer = SGD(model, learning_rate=0.003, weight_decay=5e-4)
    images, losses = np.asarray(few.images), []
    x = data.Standardize.fit(images)(images)
    print(f"{model!r}, {few!r}")
    start = time.perf_counter()
    for step in range(steps):
        loss, _ = model.loss_and_gradients(x, few.labels)
        optimizer.step()
        losses.append(loss)
        print(f"step {step + 1}: loss {loss:.4f}", flush=True)
    seconds = (time.perf_counter() - start) / steps
    right = accuracy(model.predict_scores(x, batch_size=16), few.labels)
    # Linux counts in units of 1,024 bytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(f"{right:.0%} right at test time; {seconds:.2f} s a step; at most {peak:.1f} GB")

    figure = Figure(figsize=(6, 3.4), layout="constrained")
    ax = figure.subplots()
    ax.plot(range(1, steps + 1), losses, "o-", color=BLUE, markersize=4)
    ax.axhline(np.log(few.n_classes), color=FAINT, linewidth=1)
    ax.text(steps, np.log(few.n_classes), "ln 10, a guess", color=FAINT, ha="right", va="bottom")
    ax.set(xlabel="step", ylabel="loss", title="AlexNet learns 16 images by heart", ylim=(0, None))
    ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=120)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
