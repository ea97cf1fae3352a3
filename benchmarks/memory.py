"""The most memory that a training step of AlexNet takes, here and in PyTorch.

Each runs three steps in a process of its own; the figure is the peak of that process, less what it
had after its imports.
"""

import json
import multiprocessing
import resource

import click
import numpy as np
from peers import networks, torch_step
from side_by_side import json_option, machine, torch_with

from cnnlab import fast
from cnnlab.optim import SGD


@click.command(help=__doc__)
@click.option("--network", default="alexnet", type=click.Choice(list(networks())))
@click.option("--batch", "batches", default=(32, 128), multiple=True, show_default=True)
@json_option
def main(network, batches, as_json):
    context = multiprocessing.get_context("spawn")
    for batch in batches:
        found = {}
        for peer in ("cnnlab", "PyTorch NCHW", "PyTorch channels-last"):
            queue = context.Queue()
            process = context.Process(target=measure, args=(peer, network, batch, queue))
            process.start()
            found[peer] = queue.get()
            process.join()
        best = min(size for peer, size in found.items() if peer != "cnnlab")
        if as_json:
            title = {"network": network, "batch": batch, "bytes": found}
            print(json.dumps(title | {"ratio": found["cnnlab"] / best} | machine()))
            continue
        print(f"{network}, batch {batch}: peak of a step")
        for peer, size in found.items():
            print(f"    {peer:28} {size / 1e6:8.0f} MB")
        print(f"    ratio {found['cnnlab'] / best:.2f}")


def measure(peer, network, batch, queue):
    """Put the peak of one peer into the queue, in bytes."""
    torch = None if peer == "cnnlab" else torch_with(fast.threads())
    builder, shape, classes = networks()[network]
    rng = np.random.default_rng(0)
    before = peak()
    x = rng.standard_normal((batch, *shape), np.float32)
    y = rng.integers(0, classes, batch)
    model = builder(shape, classes, rng=rng)
    if torch is None:
        optimizer = SGD(model, learning_rate=1e-4, momentum=0.9, weight_decay=5e-4)
        for _ in range(3):
            model.loss_and_gradients(x, y)
            optimizer.step()
    else:
        last = peer.endswith("last")
        recipe = {"lr": 1e-4, "momentum": 0.9, "weight_decay": 5e-4}
        _, step = torch_step(torch, model, x, y, channels_last=last, recipe=recipe)
        # Ours was the plan only; its weights must not count.
        weights = sum(p.nbytes for p in model.parameters().values())
        before += weights
        for _ in range(3):
            step()
    queue.put(peak() - before)


def peak():
    """The most memory this process had so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
