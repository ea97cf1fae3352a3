"""Mistakes with whole networks: their tables, building, training, averaging and covering them."""

import numpy as np

from cnnlab import fast
from cnnlab.check.mistakes.base import mistake
from cnnlab.layers import LRN, Affine, AvgPool, Conv, Dropout, Flatten, MaxPool, ReLU
from cnnlab.model import Sequential
from cnnlab.shapes import output_size

# The table of volumes and parameters


def _table(
    input_shape,
    layers,
    *,
    size=lambda size, F, S, P: output_size(size, F, stride=S, pad=P),
    conv=lambda before, after, F, G: F * F * (before[2] // G) * after[2] + after[2],
    pool=lambda before, F: 0,
    normal=lambda before: 0,
    fc=lambda before, M: int(np.prod(before)) * M + M,
    pool_stride=lambda F, S: S,
    pool_size=lambda size, F, S: output_size(size, F, stride=S),
    depth=lambda before, K: K,
    square=False,
    norm=True,
):
    """A table whose every line can be replaced."""
    shape, volumes, counts = tuple(input_shape), [], []
    for kind, *settings in layers:
        before, count = shape, 0
        if kind == "conv":
            K, F, S, P, G = settings
            sizes = [size(side, F, S, P) for side in before[:2]]
            shape = (sizes[0], sizes[0 if square else 1], depth(before, K))
            count = conv(before, (*shape[:2], K), F, G)
        elif kind == "pool":
            F, S = settings
            sizes = [pool_size(side, F, pool_stride(F, S)) for side in before[:2]]
            shape = (sizes[0], sizes[0 if square else 1], before[2])
            count = pool(before, F)
        elif kind == "fc":
            shape = (settings[0],)
            count = fc(before, settings[0])
        elif not norm:
            continue
        else:
            count = normal(before)
        volumes.append(shape)
        counts.append(count)
    return volumes, counts


def _register_tables():
    def whole(name, look, **changed):
        mistake("alexnet_table", name, look)(lambda *args: _table(*args, **changed))

    def parameters(name, look, **changed):
        mistake("alexnet_table.parameters", name, look)(lambda *args: _table(*args, **changed)[1])

    ends = "Zeros are added at both ends of the axis, before the window starts."
    whole("The padding is ignored", ends, size=lambda w, F, S, P: output_size(w, F, stride=S))
    whole("Padding counted on one side only", ends, size=lambda w, F, S, P: (w - F + P) // S + 1)
    rounded = {
        "size": lambda w, F, S, P: (w - F + 2 * P) // S + 1,
        "pool_size": lambda w, F, S: (w - F) // S + 1,
    }
    for changed in (rounded, *({key: size} for key, size in rounded.items())):
        whole(
            "Rounded where the window does not fit",
            "A remainder disappears in silence. The library's output_size raises ValueError where "
            "there is one.",
            **changed,
        )
    whole(
        "The + 1 is missing",
        "CONV1 of the lecture: 227 − 11 is 216, 54 steps of 4. The position before the first step "
        "counts too.",
        size=lambda w, F, S, P: (w - F + 2 * P) // S,
        pool_size=lambda w, F, S: (w - F) // S,
    )
    whole(
        "The height is taken for the width",
        "The input need not be square. Each of the two axes has its own size.",
        square=True,
    )
    whole(
        "A convolution leaves the depth as it was",
        "Every filter makes one map: how deep is the volume behind K filters?",
        depth=lambda before, K: before[2],
    )
    whole(
        "The stride of pooling is forced to the window",
        "AlexNet's pooling windows overlap: 3 pixels wide, 2 apart.",
        pool_stride=lambda F, S: F,
    )
    whole(
        "A normalization has no row",
        "It changes neither the volume nor the count, but it is a layer: one row for each layer.",
        norm=False,
    )

    parameters(
        "The biases are missing",
        "Each filter and each unit has one bias besides its weights.",
        conv=lambda before, after, F, G: F * F * (before[2] // G) * after[2],
        fc=lambda before, M: int(np.prod(before)) * M,
    )
    parameters(
        "The towers are forgotten, and the biases are missing",
        "Two things: each filter has one bias, and with G towers it reads the channels of its own "
        "tower only.",
        conv=lambda before, after, F, G: F * F * before[2] * after[2],
        fc=lambda before, M: int(np.prod(before)) * M,
    )
    parameters(
        "The towers divide the filters as well",
        "In each tower there are K/G filters, but there are G towers. Only the depth of a filter "
        "is divided.",
        conv=lambda before, after, F, G: F * F * (before[2] // G) * (after[2] // G) + after[2],
    )
    parameters(
        "A fully connected layer reads itself",
        "It reads the volume before it. Has the shape been replaced before it was used?",
        fc=lambda before, M: M * M + M,
    )
    parameters(
        "Normalization is counted with parameters",
        "Local response normalization has nothing to learn.",
        normal=lambda before: 2 * before[-1],
    )
    parameters(
        "The biases of the convolutions are missing",
        "Each filter has one bias besides its weights.",
        conv=lambda before, after, F, G: F * F * (before[2] // G) * after[2],
    )
    parameters(
        "The biases of the fully connected layers are missing",
        "Each unit has one bias besides its weights.",
        fc=lambda before, M: int(np.prod(before)) * M,
    )
    parameters(
        "The filters are counted without their depth",
        "A filter spans all channels of what it reads: how many numbers are in one?",
        conv=lambda before, after, F, G: F * F * after[2] + after[2],
    )
    parameters(
        "A filter is counted as a row",
        "The window has two sides.",
        conv=lambda before, after, F, G: F * (before[2] // G) * after[2] + after[2],
    )
    parameters(
        "The depth behind the convolution is taken for the one before it",
        "A filter is as deep as the volume it reads. Has the shape been replaced before it was "
        "used?",
        conv=lambda before, after, F, G: F * F * (after[2] // G) * after[2] + after[2],
    )
    parameters(
        "Nothing is shared",
        "A filter is used at every position, and learned once.",
        conv=lambda before, after, F, G: (
            (F * F * (before[2] // G) + 1) * after[0] * after[1] * after[2]
        ),
    )
    parameters(
        "A bias for every position",
        "A filter has one bias, wherever it stands.",
        conv=lambda before, after, F, G: (
            F * F * (before[2] // G) * after[2] + after[0] * after[1] * after[2]
        ),
    )
    parameters(
        "The towers are forgotten",
        "With G towers a filter reads the channels of its own tower only: a G-th of them.",
        conv=lambda before, after, F, G: F * F * before[2] * after[2] + after[2],
    )
    parameters(
        "The towers divide the filters as well",
        "In each tower there are K/G filters, but there are G towers. Only the depth of a filter "
        "is divided.",
        conv=lambda before, after, F, G: F * F * (before[2] // G) * (after[2] // G) + after[2] // G,
    )
    parameters(
        "The towers divide the biases as well",
        "Every filter has a bias, in whichever tower it stands.",
        conv=lambda before, after, F, G: (F * F * before[2] + 1) * after[2] // G,
    )
    parameters(
        "Pooling is counted with parameters",
        "The maximum of a window needs no weights: there is nothing to learn.",
        pool=lambda before, F: F * F * before[2],
    )
    parameters(
        "Pooling is counted with parameters",
        "The maximum of a window needs no weights: there is nothing to learn.",
        pool=lambda before, F: F * F,
    )
    parameters(
        "A fully connected layer reads one pixel",
        "It reads the whole volume: height times width times depth.",
        fc=lambda before, M: before[-1] * M + M,
    )

    @mistake(
        "alexnet_table.parameters",
        "The counts are added up on the way",
        "Each row says what its own layer learns.",
    )
    def totals(*args):
        return np.cumsum(_table(*args)[1]).tolist()

    @mistake(
        "alexnet_table.parameters",
        "All convolutions read the input",
        "Each layer reads what the one before it wrote. How deep is that?",
    )
    def input_depth(input_shape, layers):
        def conv(before, after, F, G):
            return F * F * (input_shape[2] // G) * after[2] + after[2]

        return _table(input_shape, layers, conv=conv)[1]

    @mistake(
        "alexnet_table.volumes",
        "The depth comes first",
        "In this course a volume is (height, width, depth), the depth last.",
    )
    def depth_first(*args):
        return [(*shape[2:], *shape[:2]) for shape in _table(*args)[0]]

    @mistake(
        "alexnet_table.volumes",
        "A fully connected layer is given a height and a width",
        "What it writes is a row of M numbers, (M,).",
    )
    def rows_as_volumes(*args):
        return [shape if len(shape) == 3 else (1, 1, *shape) for shape in _table(*args)[0]]


_register_tables()

# The receptive field


def _field(layers, grow=lambda F, jump, S: (F - 1) * jump, *, start=1, jumps=lambda j, S: j * S):
    """A receptive field whose every line can be replaced."""
    field, jump = start, 1
    for F, S in layers:
        field += grow(F, jump, S)
        jump = jumps(jump, S)
    return field


def _register_fields():
    def wrong(name, look, **changed):
        mistake("receptive_field", name, look)(lambda layers: _field(layers, **changed))

    wrong(
        "Whole windows are added",
        "One place of the window is seen already: how many further ones does a window of F add?",
        grow=lambda F, jump, S: F * jump,
    )
    wrong(
        "The pixel at the start is missing",
        "Without any layer a unit is a pixel, and sees one.",
        start=0,
    )
    wrong(
        "The strides are ignored",
        "Behind a stride of 2 neighbors stand two pixels apart.",
        jumps=lambda jump, S: 1,
    )
    wrong(
        "Only the stride of the layer before counts",
        "The distances multiply: behind two strides of 2 neighbors stand four pixels apart.",
        jumps=lambda jump, S: S,
    )
    wrong(
        "The strides are added, not multiplied",
        "Behind two strides of 3 neighbors stand nine pixels apart, not six.",
        jumps=lambda jump, S: jump + S,
    )
    wrong(
        "The strides are added, not multiplied",
        "Behind two strides of 3 neighbors stand nine pixels apart, not six.",
        jumps=lambda jump, S: jump + S - 1,
    )
    wrong(
        "The jump is changed before it is used",
        "A layer's window moves over what it reads: its own stride matters to later layers only.",
        grow=lambda F, jump, S: (F - 1) * jump * S,
    )
    wrong(
        "The layer's own stride is used",
        "How far apart do the neighbors stand that the window reads? That is for the layers before "
        "it to say.",
        grow=lambda F, jump, S: (F - 1) * S,
    )

    @mistake(
        "receptive_field",
        "The layers are taken from the end",
        "Going up from the image, the jump is the product of the strides below.",
    )
    def backward(layers):
        return _field(layers[::-1])

    @mistake(
        "receptive_field",
        "The windows are multiplied",
        "Windows overlap: each layer adds to the field.",
    )
    def product(layers):
        return int(np.prod([F for F, _ in layers]))

    @mistake(
        "receptive_field",
        "The jump is returned, not the field",
        "That is how far apart two neighbors behind the last layer stand.",
    )
    def jump_alone(layers):
        return int(np.prod([S for _, S in layers]))

    @mistake(
        "receptive_field",
        "The area, not the side",
        "How many pixels along one axis?",
    )
    def area(layers):
        return _field(layers) ** 2


_register_fields()

# The network


def _network(
    input_shape,
    n_classes,
    *,
    dropout=0.5,
    rng,
    ops=fast.ops,
    relu=ReLU,
    pool=lambda: MaxPool(3, stride=2),
    norm=LRN,
    norm_first=False,
    pad=None,
    last_filters=16,
    hidden_relu=ReLU,
    drop=Dropout,
    behind=(),
):
    """The network of the assignment, in which every line can be replaced."""

    def some(layer):
        return [layer()] if layer else []

    def pooled():
        both = (norm, pool) if norm_first else (pool, norm)
        return [*some(relu), *some(both[0]), *some(both[1])]

    layers = [
        *(Conv(8, 4, pad=(34 - input_shape[0]) // 2 if pad is None else pad), *pooled()),
        *(Conv(16, 3, pad=1), *pooled()),
        *(Conv(24, 3, pad=1), *some(relu)),
        *(Conv(last_filters, 3, pad=1), *some(relu), *some(pool)),
        *(Flatten(), Affine(64), *some(hidden_relu), *([drop(dropout)] if drop else [])),
        *(Affine(n_classes), *(layer() for layer in behind)),
    ]
    return Sequential(layers, input_shape, rng=rng, ops=ops)


def _register_networks():
    def wrong(name, look, **changed):
        @mistake("small_alexnet", name, look)
        def build(input_shape, n_classes, **options):
            return _network(input_shape, n_classes, **options, **changed)

    order = "Read the table of the question from top to bottom, layer by layer."
    wrong("Dropout is missing", order, drop=None)
    wrong(
        "The rate of dropout is ignored",
        "The rate is an argument: 0 has to switch it off.",
        drop=lambda rate: Dropout(0.5),
    )
    wrong(
        "The convolutions have no ReLU",
        "Without a nonlinearity between them two convolutions are no more than one.",
        relu=None,
    )
    wrong(
        "The hidden layer has no ReLU",
        "Two fully connected layers without a ReLU between them are no more than one.",
        hidden_relu=None,
    )
    wrong(
        "A ReLU stands behind the scores",
        "A score may be negative: nothing comes after the last fully connected layer.",
        behind=(ReLU,),
    )
    wrong("The normalization is missing", order, norm=None)
    wrong(
        "The normalization stands before the pooling",
        "So it was in the paper. In the lecture, and here, pooling comes first.",
        norm_first=True,
    )
    wrong("Averages are pooled, not maxima", order, pool=lambda: AvgPool(3, stride=2))
    wrong(
        "Pooling windows of 2×2",
        "AlexNet's pooling windows overlap: 3 pixels wide, 2 apart.",
        pool=lambda: MaxPool(2),
    )
    wrong(
        "The stride of pooling is left out",
        "Left out, the stride is as large as the window. Here windows of 3 are 2 apart.",
        pool=lambda: MaxPool(3),
    )
    wrong(
        "The padding fits one size of images only",
        "Which padding leaves 31 positions depends on the height of the image.",
        pad=3,
    )
    wrong("The fourth convolution has as many filters as the third", order, last_filters=24)

    @mistake(
        "small_alexnet",
        "The table of operations is not handed on",
        "Where does the network take ops? Without it your own functions never run.",
    )
    def own_ops(input_shape, n_classes, *, dropout=0.5, rng, ops=None):
        return _network(input_shape, n_classes, dropout=dropout, rng=rng)

    @mistake(
        "small_alexnet",
        "The generator is not handed on",
        "Two generators give the same weights. Which one does the network draw from?",
    )
    def own_rng(input_shape, n_classes, *, rng, **options):
        return _network(input_shape, n_classes, rng=np.random.default_rng(0), **options)

    @mistake(
        "small_alexnet",
        "Ten classes, however many are asked for",
        "The number of scores is an argument.",
    )
    def ten_classes(input_shape, n_classes, **options):
        return _network(input_shape, 10, **options)


_register_networks()


@mistake(
    "training",
    "The network is as it was",
    "Each weight has to change in place, inside the "
    "network: w = w − … makes a new array that nobody reads, w −= … changes the old one.",
)
def untouched(network, x, labels, *, rng):
    pass


# The ensemble


def _softmax(scores, axis=-1):
    with np.errstate(all="ignore"):
        shifted = np.exp(scores - scores.max(axis=axis, keepdims=True))
        return shifted / shifted.sum(axis=axis, keepdims=True)


def _wrong_share(says, labels):
    return (says != labels).mean(axis=-1)


def _errors(scores, labels, softmax=_softmax):
    each = softmax(scores)
    single = _wrong_share(each.argmax(axis=-1), labels)
    return single, float(_wrong_share(each.mean(axis=0).argmax(axis=-1), labels))


@mistake(
    "ensemble_errors.together",
    "Scores are averaged, not probabilities",
    "A network with large scores outvotes the others. Turn the scores of each into probabilities "
    "first, and average those: to multiply them, or to average their logarithms, comes to the same "
    "as to average scores.",
)
def scores_averaged(scores, labels):
    return float(_wrong_share(scores.mean(axis=0).argmax(axis=-1), labels))


@mistake(
    "ensemble_errors.together",
    "Votes are counted",
    "Counted as a vote, a guess weighs as much as a certainty. Average the probabilities, and ask "
    "for the largest once, at the end.",
)
def votes(scores, labels):
    says = scores.argmax(axis=-1)
    counts = (says[..., np.newaxis] == np.arange(scores.shape[-1])).sum(axis=0)
    return float(_wrong_share(counts.argmax(axis=-1), labels))


@mistake(
    "ensemble_errors.together",
    "The numbers of the classes are averaged",
    "Between a 3 and a 5 there is no 4: classes have numbers, but no order. Average first, then "
    "ask for the largest.",
)
def classes_averaged(scores, labels):
    says = np.rint(scores.argmax(axis=-1).mean(axis=0)).astype(int)
    return float(_wrong_share(says, labels))


@mistake(
    "ensemble_errors.together",
    "The numbers of the classes are averaged",
    "Between a 3 and a 5 there is no 4: classes have numbers, but no order. Average first, then "
    "ask for the largest.",
)
def classes_averaged_down(scores, labels):
    return float(_wrong_share(scores.argmax(axis=-1).mean(axis=0).astype(int), labels))


@mistake(
    "ensemble_errors.together",
    "The errors are averaged",
    "That is how wrong one network is on average. Together they answer once for each image.",
)
def errors_averaged(scores, labels):
    return float(_errors(scores, labels)[0].mean())


@mistake(
    "ensemble_errors.together",
    "The best network answers alone",
    "All networks answer together: average what they say.",
)
def best_alone(scores, labels):
    return float(_errors(scores, labels)[0].min())


@mistake(
    "ensemble_errors.together",
    "The surest network answers alone",
    "The largest of all probabilities decides here; it is their mean that should.",
)
def surest_alone(scores, labels):
    return float(_wrong_share(_softmax(scores).max(axis=0).argmax(axis=-1), labels))


@mistake(
    "ensemble_errors.together",
    "The mean is taken over the images",
    "Say the shape aloud: (M, N, C) are networks, images, classes. Which axis goes?",
)
def mean_over_images(scores, labels):
    return float(_wrong_share(_softmax(scores).mean(axis=1).argmax(axis=-1), labels))


@mistake(
    "ensemble_errors",
    "The softmax runs over the networks",
    "For one network and one image the probabilities of all classes sum to 1: along which axis?",
)
def over_networks(scores, labels):
    return _errors(scores, labels, lambda scores: _softmax(scores, 0))


@mistake(
    "ensemble_errors",
    "The softmax runs over the images",
    "For one network and one image the probabilities of all classes sum to 1: along which axis?",
)
def over_images(scores, labels):
    return _errors(scores, labels, lambda scores: _softmax(scores, 1))


@mistake(
    "ensemble_errors",
    "exp of large scores is infinite",
    "Subtract the largest score of each image before exp: the probabilities stay the same.",
)
def overflowing_everywhere(scores, labels):
    with np.errstate(all="ignore"):
        powers = np.exp(scores)
        return _errors(scores, labels, lambda scores: powers / powers.sum(axis=-1, keepdims=True))


@mistake(
    "ensemble_errors.together",
    "The division by the sum is missing",
    "Probabilities sum to 1. Without the division, whoever has the largest scores decides.",
)
def undivided(scores, labels):
    powers = np.exp(scores - scores.max())
    return float(_wrong_share(powers.mean(axis=0).argmax(axis=-1), labels))


@mistake(
    "ensemble_errors",
    "How often they are right, not wrong",
    "The error is the share of images that get a wrong answer.",
)
def rights(scores, labels):
    single, together = _errors(scores, labels)
    return 1 - single, 1 - together


def _largest_of_all(scores):
    with np.errstate(all="ignore"):
        powers = np.exp(scores - scores.max())
        return powers / powers.sum(axis=-1, keepdims=True)


@mistake(
    "ensemble_errors",
    "The largest score of all is subtracted",
    "Far below it every exp is 0, and 0/0 is nan. Subtract from each image its own largest score.",
)
def largest_of_all_everywhere(scores, labels):
    return _errors(scores, labels, _largest_of_all)


@mistake(
    "ensemble_errors",
    "Mistakes are counted, not their share",
    "An error is a share of the images, between 0 and 1.",
)
def counted(scores, labels):
    single, together = _errors(scores, labels)
    return single * len(labels), together * len(labels)


@mistake(
    "ensemble_errors.single",
    "An error for each image, not for each network",
    "Say the shape aloud: the answers are (M, N). Which axis goes, so that (M,) is left?",
)
def by_image(scores, labels):
    return (scores.argmax(axis=-1) != labels).mean(axis=0)


@mistake(
    "ensemble_errors.single",
    "One error for all networks",
    "Each network has an error of its own: (M,).",
)
def averaged(scores, labels):
    return float((scores.argmax(axis=-1) != labels).mean())


# Occlusion


def _drops(predict, image, label, covers, after=lambda before, now: before - now):
    """What becomes of the answer, for each of several covered images."""
    before = predict(image[np.newaxis])[0, label]
    return np.array(
        [[after(before, predict(x[np.newaxis])[0, label]) for x in row] for row in covers]
    )


def _covered(image, rows, columns, value=0.0, channels=slice(None)):
    x = image.copy()
    x[rows, columns, channels] = value
    return x


def _squares(image, size, *, step=1, **how):
    H, W, _ = image.shape
    return [
        [
            _covered(image, slice(i, i + size), slice(j, j + size), **how)
            for j in range(0, W - size + 1, step)
        ]
        for i in range(0, H - size + 1, step)
    ]


@mistake(
    "occlusion",
    "The sign is turned around",
    "A drop is what was there before, less what is left.",
)
def risen(predict, image, label, size):
    return -_drops(predict, image, label, _squares(image, size))


@mistake(
    "occlusion",
    "What is left, not how far it falls",
    "Compare with the answer for the image that nothing covers.",
)
def left_over(predict, image, label, size):
    covers = _squares(image, size)
    return _drops(predict, image, label, covers, lambda before, now: now)


@mistake(
    "occlusion",
    "The squares stay",
    "Each time one square covers the image: begin with a fresh copy.",
)
def squares_stay(predict, image, label, size):
    x = image.copy()

    def cover(i, j):
        x[i : i + size, j : j + size] = 0
        return x.copy()

    H, W, _ = image.shape
    covers = [[cover(i, j) for j in range(W - size + 1)] for i in range(H - size + 1)]
    return _drops(predict, image, label, covers)


@mistake(
    "occlusion",
    "Only the first channel is covered",
    "A gray square hides all channels.",
)
def first_channel(predict, image, label, size):
    return _drops(predict, image, label, _squares(image, size, channels=0))


@mistake(
    "occlusion",
    "The square has the mean of the image",
    "The images are centered: gray is 0.",
)
def mean_square(predict, image, label, size):
    return _drops(predict, image, label, _squares(image, size, value=image.mean()))


@mistake("occlusion", "The square is white", "The images are centered: gray is 0.")
def white_square(predict, image, label, size):
    return _drops(predict, image, label, _squares(image, size, value=1.0))


@mistake(
    "occlusion",
    "The square jumps by its own size",
    "It moves one pixel at a time: there are H − size + 1 rows of positions.",
)
def tiles(predict, image, label, size):
    return _drops(predict, image, label, _squares(image, size, step=size))


@mistake(
    "occlusion",
    "The class with the largest answer is watched",
    "Which class to watch is an argument.",
)
def largest(predict, image, label, size):
    before = predict(image[np.newaxis])[0].max()
    covers = _squares(image, size)
    return np.array([[before - predict(x[np.newaxis])[0].max() for x in row] for row in covers])


@mistake(
    "occlusion",
    "The first class is watched",
    "Which class to watch is an argument.",
)
def first_class(predict, image, label, size):
    return _drops(predict, image, 0, _squares(image, size))


@mistake(
    "occlusion",
    "The batch axis is missing",
    "predict takes a batch, (N, H, W, C): one image is a batch of 1.",
)
def no_batch(predict, image, label, size):
    return predict(image)


@mistake(
    "occlusion",
    "The class is taken along the batch axis",
    "predict answers (1, classes) for one image: row 0 first, then the class.",
)
def class_along_batch(predict, image, label, size):
    return predict(image[np.newaxis])[label]


@mistake(
    "occlusion",
    "The square lies across the batch axis",
    "Once the image is a batch of 1, its rows are axis 1. Cover first, then add the axis.",
)
def across_batch(predict, image, label, size):
    def cover(i, j):
        x = image[np.newaxis].copy()
        x[i : i + size, j : j + size] = 0
        return x[0]

    H, W, _ = image.shape
    return _drops(predict, image, label, _covers(H - size + 1, W - size + 1, cover))


def _covers(rows, columns, cover):
    return [[cover(i, j) for j in range(columns)] for i in range(rows)]


def _places(name, look, places):
    """The square goes over another number of rows and columns than it should."""

    @mistake("occlusion", name, look)
    def wrong(predict, image, label, size):
        def cover(i, j):
            return _covered(image, slice(i, i + size), slice(j, j + size))

        H, W, _ = image.shape
        rows, columns = places(H, W, size)
        return _drops(predict, image, label, _covers(rows, columns, cover))


PLACES = "There are H − size + 1 rows of places and W − size + 1 columns."

_places(
    "The last places of the square are missing",
    f"{PLACES} Count for one row of three pixels and a square of two.",
    lambda H, W, size: (H - size, W - size),
)
_places(
    "The square runs over the edge",
    f"It has to lie within the image. {PLACES}",
    lambda H, W, size: (H, W),
)
_places("The height is used for both axes", PLACES, lambda H, W, size: (H - size + 1,) * 2)
_places("The width is used for both axes", PLACES, lambda H, W, size: (W - size + 1,) * 2)


def _square(name, look, cover):
    """Something else is covered than rows i to i + size and columns j to j + size."""

    @mistake("occlusion", name, look)
    def wrong(predict, image, label, size):
        H, W, _ = image.shape
        covers = _covers(H - size + 1, W - size + 1, lambda i, j: cover(image.copy(), i, j, size))
        return _drops(predict, image, label, covers)


def _hide(x, rows, columns):
    x[rows, columns] = 0
    return x


_square(
    "Rows and columns are swapped",
    "i counts rows, the first axis of the image, and j its columns.",
    lambda x, i, j, size: _hide(x, slice(j, j + size), slice(i, i + size)),
)
_square(
    "The square is one pixel too large",
    "A slice ends before its second number: i : i + size has size rows.",
    lambda x, i, j, size: _hide(x, slice(i, i + size + 1), slice(j, j + size + 1)),
)
_square(
    "The square is one pixel too small",
    "A slice ends before its second number: i : i + size has size rows.",
    lambda x, i, j, size: _hide(x, slice(i, i + size - 1), slice(j, j + size - 1)),
)
_square(
    "One pixel is covered, not a square",
    "Rows i : i + size and columns j : j + size.",
    lambda x, i, j, size: _hide(x, i, j),
)
_square(
    "A row of pixels is covered, not a square",
    "The square has size rows and size columns.",
    lambda x, i, j, size: _hide(x, i, slice(j, j + size)),
)
_square(
    "Whole rows are covered, not a square",
    "The square has an end to the right as well: columns j : j + size.",
    lambda x, i, j, size: _hide(x, slice(i, i + size), slice(None)),
)


@mistake(
    "occlusion",
    "The absolute value is taken",
    "Where the answer rises, the fall is negative: that is worth knowing too.",
)
def absolute(predict, image, label, size):
    return np.abs(_drops(predict, image, label, _squares(image, size)))


@mistake(
    "occlusion",
    "A share, not a difference",
    "The fall is what was there before, less what is left. Nothing is divided.",
)
def share(predict, image, label, size):
    return _drops(
        predict, image, label, _squares(image, size), lambda before, now: (before - now) / before
    )


@mistake(
    "occlusion",
    "Only the first place is tried",
    "The others are still zero. Does a return stand inside a loop?",
)
def first_place(predict, image, label, size):
    drops = _drops(predict, image, label, _squares(image, size))
    drops.ravel()[1:] = 0
    return drops
