"""A training step of small networks, and a forward pass alone, against PyTorch.

The small AlexNet with 32×32×3 pixels, and LeNet-5 with 28×28; otherwise as `alexnet_step.py`.
"""

import click
from alexnet_step import race
from side_by_side import json_option, rounds_option

from cnnlab import fast


@click.command(help=__doc__)
@click.option("--batch", default=128, show_default=True)
@click.option("--threads", default=fast.threads(), show_default=True)
@rounds_option
@json_option
def main(batch, threads, rounds, as_json):
    for network in ("alexnet_small", "lenet"):
        race(network, batch, threads, rounds, as_json)


if __name__ == "__main__":
    main()
