"""How long the convolution explorer takes to follow its slider, next to one Matplotlib picture.

python benchmarks/widget.py
"""

import time

import numpy as np

from cnnlab import viz
from cnnlab.widgets import convolution_explorer


def milliseconds(action, times):
    began = time.perf_counter()
    for number in range(1, times + 1):
        action(number)
    return (time.perf_counter() - began) / times * 1000


image, kernel = np.ones((12, 12)), np.ones((5, 5))
explorer = convolution_explorer(image, {"k": kernel}, pad=2)
moved = milliseconds(lambda n: setattr(explorer.position, "value", n), 50)
drawn = milliseconds(lambda n: viz.svg(viz.convolution_step(image, kernel, 0, n)), 5)
print(f"explorer {moved:.1f} ms a step, {moved / drawn:.3f} times one Matplotlib picture")
