"""How the cost of a training step grows: with the batch, and with the threads."""

import json
import statistics
from functools import partial

import click
import numpy as np
from peers import networks
from side_by_side import json_option, machine, rounds_option, take_turns

from cnnlab import fast
from cnnlab.optim import SGD


@click.command(help=__doc__)
@click.option("--network", default="alexnet_small", type=click.Choice(list(networks())))
@click.option("--threads", "counts", default=(1, 2), multiple=True, show_default=True)
@rounds_option
@json_option
def main(network, counts, rounds, as_json):
    builder, shape, classes = networks()[network]
    rng = np.random.default_rng(0)
    model = builder(shape, classes, rng=rng)
    optimizer = SGD(model, learning_rate=1e-4, momentum=0.9, weight_decay=5e-4)
    for batch in (1, 2, 4, 8, 16, 32, 64, 128, 256):
        x = rng.standard_normal((batch, *shape), np.float32)
        y = rng.integers(0, classes, batch)

        def step(count, x=x, y=y):
            fast.set_threads(count)
            model.loss_and_gradients(x, y)
            optimizer.step()

        peers = {str(count): partial(step, count) for count in counts}
        seconds = take_turns(peers, rounds)
        if as_json:
            print(json.dumps({"network": network, "batch": batch, "seconds": seconds} | machine()))
            continue
        words = [
            f"{threads} threads {1e3 * statistics.median(times):9.2f} ms, "
            f"{1e3 * statistics.median(times) / batch:7.3f} ms an image"
            for threads, times in seconds.items()
        ]
        print(f"{network}, batch {batch:4}: {'; '.join(words)}")


if __name__ == "__main__":
    main()
