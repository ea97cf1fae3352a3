"""A training step of AlexNet, and a forward pass alone, against PyTorch on the same processor.

The network is the full one, 227×227 pixels, with LRN and dropout; a step is forward, backward and
SGD with momentum and weight decay, in float32.
"""

import click
import numpy as np
from peers import networks, torch_step
from side_by_side import json_option, rounds_option, show, take_turns, torch_with

from cnnlab import fast
from cnnlab.optim import SGD


@click.command(help=__doc__)
@click.option("--batch", "batches", default=(32, 128), multiple=True, show_default=True)
@click.option("--threads", default=fast.threads(), show_default=True)
@rounds_option
@json_option
def main(batches, threads, rounds, as_json):
    for batch in batches:
        race("alexnet", batch, threads, rounds, as_json)


def race(name, batch, threads, rounds, as_json):
    """One network and one size of the batch, against PyTorch."""
    torch = torch_with(threads)
    fast.set_threads(threads)
    title = f"{name}, batch {batch}, {threads} threads"
    builder, shape, classes = networks()[name]
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, *shape), np.float32)
    y = rng.integers(0, classes, batch)
    model = builder(shape, classes, rng=rng)
    optimizer = SGD(model, learning_rate=1e-4, momentum=0.9, weight_decay=5e-4)

    def step():
        model.loss_and_gradients(x, y)
        optimizer.step()

    forwards, steps = {"cnnlab": lambda: model.forward(x)}, {"cnnlab": step}
    recipe = {"lr": 1e-4, "momentum": 0.9, "weight_decay": 5e-4}
    for layout in ("NCHW", "channels-last"):
        last = layout == "channels-last"
        forward, their_step = torch_step(torch, model, x, y, channels_last=last, recipe=recipe)
        forwards[f"PyTorch {layout}"], steps[f"PyTorch {layout}"] = forward, their_step
    show(f"{title}: step", take_turns(steps, rounds), "cnnlab", as_json)
    show(f"{title}: forward", take_turns(forwards, rounds), "cnnlab", as_json)


if __name__ == "__main__":
    main()
