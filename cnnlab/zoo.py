"""Networks by name: functions that build them for images of any size."""

from collections.abc import Callable
from functools import partial

import numpy as np

from cnnlab import fast
from cnnlab.init import he, normal, xavier
from cnnlab.layers import (
    LRN,
    Affine,
    AvgPool,
    Conv,
    Dropout,
    Flatten,
    Layer,
    MaxPool,
    ReLU,
    Shape,
    Tanh,
)
from cnnlab.model import Sequential
from cnnlab.ops import Ops
from cnnlab.shapes import ShapeError, expect_whole

# Small first scores: the network starts out undecided, with a loss of about ln C.
_scores = partial(Affine, init=partial(normal, std=0.01))


class UnknownModelError(ValueError):
    """There is no network of this name."""


def linear(
    input_shape: Shape,
    n_classes: int,
    *,
    rng: np.random.Generator,
    dtype=np.float32,
    ops: Ops = fast.ops,
) -> Sequential:
    """One affine layer, from pixels to scores: what everything else must beat.

    Parameters
    ----------
    input_shape : (H, W, C) of one image.
    n_classes : how many scores.
    rng : draws the weights.
    dtype : float32 to train, float64 to check gradients.
    ops : the table of operations.

    Examples
    --------
    >>> linear((28, 28, 1), 10, rng=np.random.default_rng(0))
    Sequential(2 layers, 7,850 parameters)
    """
    return Sequential([Flatten(), _scores(n_classes)], input_shape, rng=rng, dtype=dtype, ops=ops)


def convnet(
    input_shape: Shape,
    n_classes: int,
    *,
    rng: np.random.Generator,
    dtype=np.float32,
    ops: Ops = fast.ops,
) -> Sequential:
    """Two rounds of convolution, ReLU and pooling, then a hidden layer and the scores.

    Parameters
    ----------
    input_shape : (H, W, C) of one image; H and W must be multiples of 4, for two poolings.
    n_classes : how many scores.
    rng : draws the weights.
    dtype : float32 to train, float64 to check gradients.
    ops : the table of operations.

    Raises
    ------
    ShapeError
        If the pooling windows do not fit the image.

    Examples
    --------
    >>> print(convnet((28, 28, 1), 10, rng=np.random.default_rng(0)).summary())
       layer                           output    parameters    memory
       input                           28×28×1            0    3.1 KB
    0  Conv(32, kernel_size=3, pad=1)  28×28×32         320  100.4 KB
    1  ReLU()                          28×28×32           0  100.4 KB
    2  MaxPool(2)                      14×14×32           0   25.1 KB
    3  Conv(64, kernel_size=3, pad=1)  14×14×64      18,496   50.2 KB
    4  ReLU()                          14×14×64           0   50.2 KB
    5  MaxPool(2)                      7×7×64             0   12.5 KB
    6  Flatten()                       3136               0   12.5 KB
    7  Affine(128)                     128          401,536     512 B
    8  ReLU()                          128                0     512 B
    9  Affine(10)                      10             1,290      40 B
       total                                        421,642  355.4 KB
    """
    layers = [
        *(Conv(32, 3, pad=1), ReLU(), MaxPool(2)),
        *(Conv(64, 3, pad=1), ReLU(), MaxPool(2)),
        *(Flatten(), Affine(128), ReLU(), _scores(n_classes)),
    ]
    return Sequential(layers, input_shape, rng=rng, dtype=dtype, ops=ops)


def lenet(
    input_shape: Shape,
    n_classes: int,
    *,
    rng: np.random.Generator,
    dtype=np.float32,
    ops: Ops = fast.ops,
) -> Sequential:
    """LeNet-5, the network that read checks: two convolutions, each with pooling, three layers.

    It is the network as it is usually taught. In the paper pooling also multiplied by a learned
    number, added another and was squashed; each filter of the second convolution saw only some
    of the six maps, by a table; tanh was scaled; and the scores were squared distances to drawn
    digits. With an image of 32×32 the first fully connected layer is the paper's third
    convolution, whose 5×5 windows cover all of their input.

    Parameters
    ----------
    input_shape : (H, W, C) of one image; H and W must be multiples of 4. Images of less than 32
        pixels, such as MNIST's 28×28, get two zeros on each side, as they did in the paper.
    n_classes : how many scores.
    rng : draws the weights, by Xavier's rule as tanh likes it.
    dtype : float32 to train, float64 to check gradients.
    ops : the table of operations.

    Raises
    ------
    ShapeError
        If the windows do not fit the image.

    Source: LeCun et al. 1998, "Gradient-based learning applied to document recognition",
    section 2.

    Examples
    --------
    >>> print(lenet((28, 28, 1), 10, rng=np.random.default_rng(0)).summary())
        layer                          output   parameters   memory
        input                          28×28×1           0   3.1 KB
    0   Conv(6, kernel_size=5, pad=2)  28×28×6         156  18.8 KB
    1   Tanh()                         28×28×6           0  18.8 KB
    2   AvgPool(2)                     14×14×6           0   4.7 KB
    3   Conv(16, kernel_size=5)        10×10×16      2,416   6.4 KB
    4   Tanh()                         10×10×16          0   6.4 KB
    5   AvgPool(2)                     5×5×16            0   1.6 KB
    6   Flatten()                      400               0   1.6 KB
    7   Affine(120)                    120          48,120    480 B
    8   Tanh()                         120               0    480 B
    9   Affine(84)                     84           10,164    336 B
    10  Tanh()                         84                0    336 B
    11  Affine(10)                     10              850     40 B
        total                                       61,706  63.1 KB
    """
    conv, affine = partial(Conv, init=xavier), partial(Affine, init=xavier)
    layers = [
        *(conv(6, 5, pad=2 if max(_height_and_width(input_shape)) < 32 else 0), Tanh(), AvgPool(2)),
        *(conv(16, 5), Tanh(), AvgPool(2), Flatten()),
        *(affine(120), Tanh(), affine(84), Tanh(), _scores(n_classes)),
    ]
    return Sequential(layers, input_shape, rng=rng, dtype=dtype, ops=ops)


def alexnet(
    input_shape: Shape = (227, 227, 3),
    n_classes: int = 1000,
    *,
    towers: int = 1,
    dropout: float = 0.5,
    init: Callable[..., np.ndarray] = he,
    rng: np.random.Generator,
    dtype=np.float32,
    ops: Ops = fast.ops,
) -> Sequential:
    """AlexNet, layer by layer as in the lecture: 62 million numbers to learn.

    The order is the lecture's: convolution, ReLU, pooling, normalization. In the paper
    normalization comes before pooling. The weights start by He's rule; the paper's own start,
    a standard deviation of 0.01 in every layer and biases of 1 in some, makes the signal fade
    on its way, and learns only with patience.

    Parameters
    ----------
    input_shape : (H, W, C) of one image. Besides 227, heights and widths of 67, 99, 131, 163
        and 195 pixels fit, and so on in steps of 32.
    n_classes : how many scores.
    towers : 1 for the lecture's simplified network. 2 for the paper's, which lived on two
        graphics cards: the filters of the second, fourth and fifth convolution see only the
        maps of their own tower, half of them.
    dropout : the rate behind both hidden layers.
    init : draws the weights of all layers but the last. Full size takes a second or two, and
        `zeros` no time: enough to look at shapes.
    rng : draws the weights.
    dtype : float32 to train, float64 to check gradients.
    ops : the table of operations.

    Raises
    ------
    ShapeError
        If the windows do not fit the image, or the towers do not divide the channels.
    ValueError
        If the rate of dropout is not at least 0 and less than 1.

    Source: the lecture, "Case study: AlexNet"; Krizhevsky et al. 2012, "ImageNet classification
    with deep convolutional neural networks".

    Examples
    --------
    >>> from cnnlab.init import zeros
    >>> alexnet(init=zeros, rng=np.random.default_rng(0))
    Sequential(23 layers, 62,378,344 parameters)
    >>> alexnet(towers=2, init=zeros, rng=np.random.default_rng(0))
    Sequential(23 layers, 60,965,224 parameters)
    """
    layers = _alexnet(
        Conv(96, 11, stride=4, init=init),
        *(256, 384, 384, 256),
        *(4096, n_classes),
        kernel_size=5,
        towers=towers,
        dropout=dropout,
        init=init,
    )
    return Sequential(layers, input_shape, rng=rng, dtype=dtype, ops=ops)


def alexnet_small(
    input_shape: Shape,
    n_classes: int,
    *,
    width: int = 8,
    towers: int = 1,
    dropout: float = 0.5,
    rng: np.random.Generator,
    dtype=np.float32,
    ops: Ops = fast.ops,
) -> Sequential:
    """AlexNet made narrow, for small images: the same layers, a laptop trains it in minutes.

    Two windows are smaller. The first, 4×4 without a stride, with its padding brings 28 and 32
    pixels to 31, and poolings of 3×3 and stride 2 go on to 15, 7 and 3. The second is 3×3: on
    15×15 maps that is as wide as AlexNet's 5×5 on 27×27, for a third of the products.

    Parameters
    ----------
    input_shape : (H, W, C) of one image; H and W must be even, and at least 12.
    n_classes : how many scores.
    width : multiplies all counts: 3, 8, 12, 12 and 8 filters, and 128 units in both hidden
        layers. AlexNet's own is 32.
    towers, dropout : as in `alexnet`.
    rng : draws the weights.
    dtype : float32 to train, float64 to check gradients.
    ops : the table of operations.

    Raises
    ------
    ShapeError
        If the image is too small or its sizes are odd, or the towers do not divide the channels.
    ValueError
        If width is not a whole number of at least 1, or the rate of dropout is not at least 0
        and less than 1.

    Examples
    --------
    >>> model = alexnet_small((28, 28, 1), 10, rng=np.random.default_rng(0))
    >>> model, [model.shapes[after] for after in (1, 3, 7, 15)]
    (Sequential(23 layers, 1,858,786 parameters),
     [(31, 31, 24), (15, 15, 24), (7, 7, 64), (3, 3, 64)])
    """
    expect_whole("width", width)
    layers = _alexnet(
        Conv(3 * width, 4, pad=_pad_for_three_poolings(input_shape)),
        *(8 * width, 12 * width, 12 * width, 8 * width),
        *(128 * width, n_classes),
        kernel_size=3,
        towers=towers,
        dropout=dropout,
        init=he,
    )
    return Sequential(layers, input_shape, rng=rng, dtype=dtype, ops=ops)


def _alexnet(
    conv1, filters2, filters3, filters4, filters5, units, n_classes, *, kernel_size, **options
) -> list[Layer]:
    """The layers that all sizes of AlexNet have."""
    towers, dropout, init = options["towers"], options["dropout"], options["init"]
    conv, affine = partial(Conv, init=init), partial(Affine, init=init)
    return [
        *(conv1, ReLU(), MaxPool(3, stride=2), LRN()),
        *(conv(filters2, kernel_size, pad=kernel_size // 2, groups=towers), ReLU()),
        *(MaxPool(3, stride=2), LRN()),
        *(conv(filters3, 3, pad=1), ReLU()),
        *(conv(filters4, 3, pad=1, groups=towers), ReLU()),
        *(conv(filters5, 3, pad=1, groups=towers), ReLU(), MaxPool(3, stride=2), Flatten()),
        *(affine(units), ReLU(), Dropout(dropout)),
        *(affine(units), ReLU(), Dropout(dropout)),
        # Many units, each enlarged by dropout: weights ten times smaller for a loss of ln C.
        Affine(n_classes, init=partial(normal, std=0.001)),
    ]


def _pad_for_three_poolings(input_shape):
    """Zeros to add at both ends so that a window of 4 leaves 15, 23, 31 … positions."""
    sizes = _height_and_width(input_shape)
    if any(size % 2 or size < 12 for size in sizes):
        raise ShapeError(
            f"height and width must be even numbers of at least 12, for three poolings, "
            f"got {'×'.join(map(str, sizes))}."
        )
    vertical, horizontal = ((2 - size) % 8 // 2 for size in sizes)
    return vertical if vertical == horizontal else (vertical, horizontal)


def _height_and_width(input_shape):
    if not isinstance(input_shape, tuple | list) or len(input_shape) != 3:
        raise ShapeError(f"input_shape must be (height, width, channels), got {input_shape!r}.")
    return input_shape[0], input_shape[1]


MODELS: dict[str, Callable[..., Sequential]] = {
    "alexnet": alexnet,
    "alexnet_small": alexnet_small,
    "convnet": convnet,
    "lenet": lenet,
    "linear": linear,
}


def build(
    name: str, input_shape: Shape, n_classes: int, *, rng: np.random.Generator, **options
) -> Sequential:
    """The network of this name, for images of this shape.

    Parameters
    ----------
    name : one of `MODELS`.
    input_shape, n_classes, rng : as the network's own function takes them.
    options : dtype, ops, and what only some networks have, such as width or dropout.

    Raises
    ------
    UnknownModelError
        A ValueError that lists the names there are.

    Examples
    --------
    >>> build("linear", (32, 32, 3), 10, rng=np.random.default_rng(0))
    Sequential(2 layers, 30,730 parameters)
    """
    if name not in MODELS:
        raise UnknownModelError(f"name must be one of {', '.join(sorted(MODELS))}, got {name!r}.")
    return MODELS[name](input_shape, n_classes, rng=rng, **options)
