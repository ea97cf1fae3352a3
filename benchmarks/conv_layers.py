"""Each convolution of AlexNet, LeNet and a VGG-like network, by every algorithm, and by PyTorch.

Forward and backward, in float32. GFLOP/s count the multiplications and additions of the plain
algorithm, whatever the algorithm does: that is why Winograd can exceed the peak, which is what a
large matrix product reaches on as many threads.
"""

import json
import statistics

import click
import numpy as np
from side_by_side import json_option, machine, rounds_option, take_turns, torch_with

from cnnlab import fast, ops

# Name → (image (H, W, C), filters (FH, FW, K), options).
LAYERS = {
    "AlexNet 1, 11×11": ((227, 227, 3), (11, 11, 96), {"stride": 4}),
    "AlexNet 2, 5×5": ((27, 27, 96), (5, 5, 256), {"pad": 2}),
    "AlexNet 3, 3×3": ((13, 13, 256), (3, 3, 384), {"pad": 1}),
    "AlexNet 4, 3×3": ((13, 13, 384), (3, 3, 384), {"pad": 1}),
    "AlexNet 5, 3×3": ((13, 13, 384), (3, 3, 256), {"pad": 1}),
    "LeNet 1, 5×5": ((28, 28, 1), (5, 5, 6), {"pad": 2}),
    "LeNet 2, 5×5": ((14, 14, 6), (5, 5, 16), {}),
    "VGG-like, 3×3": ((56, 56, 128), (3, 3, 128), {"pad": 1}),
}


@click.command(help=__doc__)
@click.option("--batch", default=32, show_default=True)
@click.option("--threads", default=fast.threads(), show_default=True)
@rounds_option
@json_option
def main(batch, threads, rounds, as_json):
    torch = torch_with(threads)
    fast.set_threads(threads)
    peak = matrix_product_peak(torch)
    if not as_json:
        print(f"peak of the matrix product: {peak:.0f} GFLOP/s, {threads} threads, batch {batch}")
    for name, (image, (FH, FW, K), options) in LAYERS.items():
        rng = np.random.default_rng(0)
        x = rng.standard_normal((batch, *image), np.float32)
        w = rng.standard_normal((FH, FW, image[2], K), np.float32)
        peers = {}
        for algorithm in ("plain", *fast.ALGORITHMS):
            work = ours(algorithm, x, w, options)
            if work is not None:
                peers[algorithm] = work
        peers["PyTorch NCHW"] = theirs(torch, x, w, options, channels_last=False)
        peers["PyTorch channels-last"] = theirs(torch, x, w, options, channels_last=True)
        out = ops.conv_forward(x[:1], w, np.zeros(K, np.float32), **options)[0]
        # There and back: three products of the same size.
        flops = 3 * 2 * batch * out[0].size * FH * FW * image[2]
        report(name, take_turns(peers, rounds), flops, peak, as_json)


def ours(algorithm, x, w, options):
    """There and back by one of our algorithms; None where it cannot be used."""
    b = np.zeros(w.shape[3], np.float32)
    forward, backward = ops.conv_forward, ops.conv_backward
    if algorithm != "plain":
        options, backward = options | {"algorithm": algorithm}, fast.conv_backward
        forward = fast.conv_forward
        try:
            forward(x[:1], w, b, **options)
        except ValueError:
            return None

    def work():
        out, cache = forward(x, w, b, **options)
        backward(out, cache)

    return work


def theirs(torch, x, w, options, *, channels_last):
    """There and back by PyTorch."""
    FH, FW, C, K = w.shape
    layer = torch.nn.Conv2d(
        C, K, (FH, FW), stride=options.get("stride", 1), padding=options.get("pad", 0)
    )
    images = torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
    if channels_last:
        layer = layer.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    images.requires_grad_()

    def work():
        out = layer(images)
        out.backward(out.detach())

    return work


def matrix_product_peak(torch):
    """GFLOP/s of a large matrix product, by NumPy or PyTorch, whichever is faster."""
    a = np.random.default_rng(0).standard_normal((2048, 2048), np.float32)
    t = torch.from_numpy(a)
    times = take_turns({"NumPy": lambda: a @ a, "PyTorch": lambda: t @ t}, 10)
    return 2 * 2048**3 / min(min(found) for found in times.values()) / 1e9


def report(name, seconds, flops, peak, as_json):
    """Print what every peer took."""
    medians = {peer: statistics.median(times) for peer, times in seconds.items()}
    if as_json:
        print(
            json.dumps(
                {"layer": name, "seconds": seconds, "flops": flops, "peak": peak} | machine()
            )
        )
        return
    print(name)
    for peer, median in medians.items():
        speed = flops / median / 1e9
        print(f"    {peer:22} {1e3 * median:8.1f} ms  {speed:6.0f} GFLOP/s  {speed / peak:5.0%}")


if __name__ == "__main__":
    main()
