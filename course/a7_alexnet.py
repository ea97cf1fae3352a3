# %% [markdown]
# # Assignment 7: AlexNet
#
# In 2012 one network won a contest by such a distance that a whole field changed its mind. You
# work out its table, build a small one, let it run on operations that you wrote yourself, teach it
# fifty images by heart and then clothes it has never seen, average several of them, and look
# inside.
#
# | | question | points | minutes | difficulty |
# |---|---|---|---|---|
# | 1 | the table of volumes and parameters | 15 | 15 | ●●○ |
# | 2 | a small AlexNet | 15 | 15 | ●○○ |
# | 3 | fifty images by heart | 20 | 15 | ●●○ |
# | 4 | images it has never seen | 25 | 20 | ●●○ |
# | 5 | what the filters look for, in words | 10 | 12 | ●○○ |
# | 6 | an ensemble | 15 | 15 | ●●○ |
# | + | how far a unit sees, if you like | | 10 | ●○○ |
# | + | what the network looks at, if you like | | 15 | ●●○ |
#
# With the reading, and with what the networks take to learn, that is a little less than two hours.
#
# **You need** Assignments [1](a1_convolution.ipynb) and [6](a6_training.ipynb). The way back
# through a convolution, from [Assignment 4](a4_conv_backward.ipynb), makes it all yours; without
# it ours stands in.
#
# **How it works.** Write your code where it says `NotImplementedError`, run the cell, then the
# check below it. Imports and helpers that an answer needs have to stand *inside* its answer cell.
# Every answer stands alone, and so do its points. Question 5 is answered in words and read by a
# person. Here networks really learn, so some cells take a quarter of a minute. Hints unfold
# below each check, and our answers are in [solutions/](../solutions/a7_alexnet.ipynb).

# %%
from pathlib import Path

import numpy as np

from cnnlab import data, fast, shapes, viz, zoo
from cnnlab.layers import LRN, Affine, Conv, Dropout, Flatten, MaxPool, ReLU
from cnnlab.model import Sequential
from cnnlab.optim import SGD

viz.use_style()

# %% [markdown] tags=["T28"]
# ## Question 1: the table of volumes and parameters
#
# **15 points · 15 minutes · difficulty ●●○**
#
# Whoever designs a network first makes this table: does every window fit, where does the memory
# go, and where do the parameters sit? Here is AlexNet as the lecture prints it, one line for each
# layer that is more than a ReLU.

# %%
ALEXNET = [
    ("conv", 96, 11, 4, 0, 1),
    ("pool", 3, 2),
    ("norm",),
    ("conv", 256, 5, 1, 2, 1),
    ("pool", 3, 2),
    ("norm",),
    ("conv", 384, 3, 1, 1, 1),
    ("conv", 384, 3, 1, 1, 1),
    ("conv", 256, 3, 1, 1, 1),
    ("pool", 3, 2),
    ("fc", 4096),
    ("fc", 4096),
    ("fc", 1000),
]

# %% [markdown] tags=["T28"]
# | line | a layer of | volume after it |
# |---|---|---|
# | `("conv", K, F, S, P, G)` | K filters of F×F, stride S, padding P, in G towers | (H₂, W₂, K) |
# | `("pool", F, S)` | windows of F×F, stride S, no padding | (H₂, W₂, C) |
# | `("norm",)` | normalization | as before |
# | `("fc", M)` | M units, each of which reads the whole volume | (M,) |
#
# Filters and units learn weights, and one bias each. The other two learn nothing.
#
# On paper, the first line: a 227×227×3 image, 96 filters of 11×11 at stride 4.
#
# $$\frac{227 - 11 + 2 \cdot 0}{4} + 1 = 55 \qquad 55 \times 55 \times 96 \qquad
# 11 \cdot 11 \cdot 3 \cdot 96 + 96 = 34{,}944$$
#
# **Towers.** The paper's network lived on two graphics cards, each with half of the filters. With
# G = 2 a filter reads only the channels of its own tower, C/2 of them. Nothing else changes: there
# are still K filters, each with a bias. In the lecture's simplified table G is 1 everywhere.
#
# **Predict**, before you compute: which single layer holds more than half of all the parameters?
#
# Return two lists with an entry for each line: the volumes as tuples, and the numbers of
# parameters. Heights and widths may differ. The loop over the lines is there, and so are pooling
# and normalization; convolutions and fully connected layers are yours.
# `shapes.output_size(size, F, stride=S, pad=P)` is the library's; it raises `ValueError` where a
# window does not fit, which is what is wanted here too.


# %% question="a7.table" points=15 minutes=15 difficulty=2
def table(input_shape, layers):
    """The volume behind each layer, and how many numbers each layer learns.

    input_shape : (H, W, C).
    layers : a list of ("conv", K, F, S, P, G), ("pool", F, S), ("norm",) and ("fc", M).

    Returns volumes : a list of (H, W, C) or (M,), and parameters : a list of int.
    """
    shape, volumes, parameters = input_shape, [], []
    for kind, *settings in layers:  # the first word of a line, and a list of what follows it
        count = 0  # what this layer learns
        if kind == "conv":
            K, F, S, P, G = settings
            H, W, C = shape
            # BEGIN SOLUTION
            H2 = shapes.output_size(H, F, stride=S, pad=P)
            W2 = shapes.output_size(W, F, stride=S, pad=P)
            count = F * F * (C // G) * K + K
            shape = (H2, W2, K)
            # END SOLUTION
        elif kind == "pool":
            F, S = settings
            H, W, C = shape
            shape = (shapes.output_size(H, F, stride=S), shapes.output_size(W, F, stride=S), C)
        elif kind == "fc":
            # BEGIN SOLUTION
            count = int(np.prod(shape)) * settings[0] + settings[0]
            shape = (settings[0],)
            # END SOLUTION
        volumes.append(shape)
        parameters.append(count)
    return volumes, parameters


# %% check="a7.table"
from cnnlab.check import check

check("a7.table", table)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# `shape` is the volume that a layer reads. Give `count` its new value, then `shape`; the two lines
# at the end write both down.
# </details>
#
# <details><summary>Hint 2: the numbers in one filter</summary>
#
# A filter is F pixels high, F wide, and as deep as what it *reads*: count before you replace the
# volume. With towers it reads C/G channels; `//` keeps whole numbers whole.
# </details>
#
# <details><summary>Hint 3: the first fully connected layer</summary>
#
# It reads all numbers of a volume: $6 \cdot 6 \cdot 256 = 9216$. The next one reads a row of 4096.
# `np.prod` multiplies the sizes of either; `int(…)` makes a plain number of the result.
# </details>

# %%
from cnnlab.check import when_written

with when_written("table"):
    volumes, parameters = table((227, 227, 3), ALEXNET)
    for layer, volume, count in zip(ALEXNET, volumes, parameters, strict=True):
        size = shapes.memory(volume) / 1e6
        print(f"{layer[0]:5} {'×'.join(map(str, volume)):10} {count:11,}  {size:5.2f} MB")
    print(f"{'total':16} {sum(parameters):11,}")

# %% [markdown] tags=["T28"]
# The first fully connected layer has 37,752,832 of 62,378,344 parameters, six in ten. With
# the memory it is the other way around: the early volumes are the large ones. Is the table true?
# The library can build the network itself; with zeros for weights that takes no time. With two
# towers in the second, fourth and fifth convolution it is the paper's. **Predict:** do two towers
# save half of all parameters?

# %%
from cnnlab.init import zeros

for towers in (1, 2):
    network = zoo.alexnet(towers=towers, init=zeros, rng=np.random.default_rng(0))
    print(towers, f"{network.parameter_count:,}")

# %% [markdown] tags=["T28"]
# They save 1.4 million, a fortieth: the towers halve convolutions, and those hold few of the
# parameters.

# %% [markdown] tags=["T28"]
# ## Question 2: a small AlexNet
#
# **15 points · 15 minutes · difficulty ●○○**
#
# For images of 28 or 32 pixels we make it small: the same order of layers, one convolution less,
# few filters. From top to bottom:
#
# | layers | settings | on 28×28 |
# |---|---|---|
# | `Conv`, `ReLU` | 8 filters of 4×4, padding to be worked out | 31×31×8 |
# | `MaxPool`, `LRN` | windows of 3×3, stride 2 | 15×15×8 |
# | `Conv`, `ReLU` | 16 filters of 3×3, padding 1 | 15×15×16 |
# | `MaxPool`, `LRN` | windows of 3×3, stride 2 | 7×7×16 |
# | `Conv`, `ReLU` | 24 filters of 3×3, padding 1 | 7×7×24 |
# | `Conv`, `ReLU` | 16 filters of 3×3, padding 1 | 7×7×16 |
# | `MaxPool`, `Flatten` | windows of 3×3, stride 2 | 3×3×16, then 144 |
# | `Affine`, `ReLU`, `Dropout` | 64 units; the rate is an argument | 64 |
# | `Affine` | a score for each class | `n_classes` |
#
# (`LRN` is local response normalization, AlexNet's own. Without arguments it has the paper's.)
#
# The first convolution has to leave 31 × 31 positions, so that three poolings fit. Images are
# square and of even size; which padding does a height of 28 need, which one 32? **Work it out**
# from the formula, for any height.
#
# A `Sequential` takes a list of layers, the shape of one image, `rng`, which draws the weights, and
# `ops`, the table of operations. Layers do no mathematics: they call what stands in that table.
# Hand both on; what `ops` is good for comes right after.


# %% question="a7.build" points=15 minutes=15 difficulty=1
def small_alexnet(input_shape, n_classes, *, dropout=0.5, rng, ops=fast.ops):
    """A small AlexNet for square images of even size.

    input_shape : (H, W, C). n_classes : how many scores. dropout : the rate.
    rng, ops : handed on to the Sequential.

    Returns a Sequential.
    """
    # BEGIN SOLUTION
    pad = (34 - input_shape[0]) // 2
    layers = [
        *(Conv(8, 4, pad=pad), ReLU(), MaxPool(3, stride=2), LRN()),
        *(Conv(16, 3, pad=1), ReLU(), MaxPool(3, stride=2), LRN()),
        *(Conv(24, 3, pad=1), ReLU()),
        *(Conv(16, 3, pad=1), ReLU(), MaxPool(3, stride=2)),
        *(Flatten(), Affine(64), ReLU(), Dropout(dropout)),
        Affine(n_classes),
    ]
    return Sequential(layers, input_shape, rng=rng, ops=ops)
    # END SOLUTION


# %% check="a7.build"
from cnnlab.check import check

check("a7.build", small_alexnet)

# %% [markdown]
# <details><summary>Hint 1: how layers are written</summary>
#
# `Conv(16, 3, pad=1)` has 16 filters of 3×3. `MaxPool(3, stride=2)`, `ReLU()`, `LRN()`,
# `Flatten()`, `Affine(64)`, `Dropout(0.5)`. How many channels come in, each layer finds out by
# itself. Each layer of the list has to be a new one.
# </details>
#
# <details><summary>Hint 2: the padding</summary>
#
# $(H - 4 + 2P)/1 + 1 = 31$. Solve for P.
# </details>
#
# <details><summary>Hint 3: handing on</summary>
#
# `Sequential` takes `rng` and `ops` by name, after the list and the shape.
# </details>

# %%
with when_written("small_alexnet"):
    print(small_alexnet((28, 28, 1), 10, rng=np.random.default_rng(0)).summary())

# %% [markdown] tags=["T28"]
# ## The network, on your own code
#
# What you wrote in earlier assignments can take the place of ours. `load_answers` reads the
# notebooks in the folder of this one, checks each answer, and uses those that are right. What is
# missing or wrong costs nothing: ours stands in.

# %% tags=["nbval-ignore-output", "uses-answers"]
from cnnlab.student import load_answers

answers = load_answers(Path.cwd())
answers

# %% [markdown]
# Now eight images of clothes, and a network whose operations are `answers.ops`. Plain loops
# take many times as long as tuned code (the last column says how long), so eight images and ten
# steps have to do here; everything further down uses the library's `fast.ops`.
#
# **Predict** the first loss. The network knows nothing yet, and there are ten classes: if it gave
# each of them a tenth, it would be $-\ln 0.1$. How much is that, and is it that?

# %% tags=["nbval-ignore-output"]
from time import perf_counter

train_set, test_set = data.load("fashion-mnist-small")
standardize = data.Standardize.fit(train_set.images)
few = train_set[:8]


def ten_steps(ops):
    network = small_alexnet((28, 28, 1), 10, dropout=0.0, rng=np.random.default_rng(2), ops=ops)
    optimizer, losses, began = SGD(network, learning_rate=0.02), [], perf_counter()
    for _ in range(10):
        loss, _ = network.loss_and_gradients(standardize(few.images), few.labels)
        optimizer.step()
        losses.append(loss)
    return losses, perf_counter() - began


with when_written("small_alexnet"):
    for whose, ops in {"ours": fast.ops, "yours": answers.ops}.items():
        losses, seconds = ten_steps(ops)
        print(f"{whose:5}", *(f"{loss:.3f}" for loss in losses), f" {seconds:5.1f} s")

# %% [markdown]
# The two rows agree, as far as float32 can tell: the network learns on the code that is yours in
# the table above (where nothing is, both rows are ours). And the first loss? $\ln 10 = 2.303$,
# but here it starts above 3. The weights of the last layer are drawn like all others, so the
# scores differ by about 1, and the network is sure of itself without a reason. AlexNet's last
# layer starts with tiny weights; the library's does too, and its first loss, in the cell behind
# the next question, is close to 2.303.
#
# This is a good place for a break.

# %% [markdown] tags=["T32"]
# ## Question 3: fifty images by heart
#
# **20 points · 15 minutes · difficulty ●●○**
#
# Before you train a network for hours, let it learn a handful of images by heart. If it cannot do
# even that, something is broken: the gradients, the labels, the step. It takes seconds, and it is
# the most useful test there is.
#
# Write the loop yourself. You get a network that exists already (your own is not needed here, nor
# is dropout in it), fifty standardized images `x`, (50, 28, 28, 1), and their labels `y`, (50,). In
# each step take **all fifty** at once:
#
# - `loss, _ = network.loss_and_gradients(x, y)` runs the network there and back;
# - `SGD(network, learning_rate=…, momentum=0.9)`, made once before the loop, is the step of
#   assignment 6 for all weights. It keeps their velocities, and its method `step()` finds the
#   gradients by itself.
#
# (Or write the step yourself: what `loss_and_gradients` returns second is a dict of gradients, and
# `network.parameters()` has the weights under the same names. Change these arrays in place: they
# *are* the network's.) Nothing is returned.
#
# The check trains a new network on fifty images of its own choice, asks it for their classes, and
# wants **at least 48 of 50**. You have 15 seconds; our loop takes about two. Which learning
# rate and how many steps is for you to find: try it below first, and leave some room, since the
# grader draws other images. The check's network is that of question 2, so its loss begins above 3.
#
# **Predict:** a step of a weight is $v$. With momentum 0.9 and a gradient $g$ that stays the same,
# how large does $v$ become in the end, as a multiple of $\eta g$?
#
# <details><summary>On paper</summary>
#
# It stands still where $v = 0.9\,v - \eta g$, so $v = -10\,\eta g$. Momentum makes steps up to ten
# times as large: a learning rate that was fine without it may be far too large with it.
# </details>


# %% question="a7.overfit" points=20 minutes=15 difficulty=2
def overfit(network, x, y, *, rng):
    """Train a network in place until it knows all images by heart.

    network : a Sequential. x : (N, H, W, C). y : (N,) labels.
    rng : a generator, which may be ignored here.
    """
    # BEGIN SOLUTION
    optimizer = SGD(network, learning_rate=0.01, momentum=0.9)
    for _ in range(100):
        network.loss_and_gradients(x, y)
        optimizer.step()
    # END SOLUTION


# %% tags=["nbval-ignore-output"]
with when_written("overfit"):
    x, y = standardize(train_set.images[:50]), train_set.labels[:50]
    network = zoo.alexnet_small((28, 28, 1), 10, width=2, dropout=0.0, rng=np.random.default_rng(3))
    before, _ = network.loss_and_gradients(x, y)
    overfit(network, x, y, rng=np.random.default_rng(4))
    after, _ = network.loss_and_gradients(x, y)
    print(f"loss {before:.3f} → {after:.3f}, {(network.predict(x) == y).sum()} of 50 right")

# %% check="a7.overfit" tags=["nbval-ignore-output"]
from cnnlab.check import check

check("a7.overfit", overfit)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# The ten steps of the last cell were such a loop. Print the loss every ten steps.
# </details>
#
# <details><summary>Hint 2: the learning rate</summary>
#
# Go up or down by threes: 0.003, 0.01, 0.03. Too small, and the loss creeps; too large, and it
# jumps, or stays at 2.3 for good because all ReLUs are dead.
# </details>
#
# <details><summary>Help, I find no learning rate</summary>
#
# With 0.01 a hundred steps are plenty.
# </details>
#
# <details><summary>Help, I wrote the step myself, and the network is as it was</summary>
#
# `w = w + v` makes a new array and leaves the network as it was. `w += v` changes the array that
# the network holds.
# </details>

# %% [markdown] tags=["T32"]
# ## Question 4: images it has never seen
#
# **25 points · 20 minutes · difficulty ●●○**
#
# Knowing by heart is not knowing. Now the check hands you **2,000 images** of clothes, and then
# asks about **1,000 others**. This is AlexNet's recipe:
#
# | | in the paper | here |
# |---|---|---|
# | batches | of 128, in a new order for each epoch | smaller: there are few images |
# | steps | SGD with momentum 0.9 | the same |
# | learning rate | 0.01, a tenth when validation stands still | a tenth for the last epochs |
# | L2 penalty | 0.0005 | the same |
#
# An *epoch* is one pass through all images. `SGD` takes `weight_decay=5e-4` as well, and its
# `learning_rate` may be changed on the way. A new order is `rng.permutation(len(x))`: take the
# images and the labels in the same one.
#
# Wanted are **at least 750 of 1,000** in at most 25 seconds. Ours takes about six and gets
# around 820; leave some room, since the grader draws other images. **Predict:** 2,000 images in
# batches of 32, eight epochs: how many steps is that?
#
# <details><summary>On paper</summary>
#
# 2,000 / 32 = 62.5: 62 whole batches and one of 16, which is a step like any other. 8 · 63 = 504.
# </details>


# %% question="a7.train" points=25 minutes=20 difficulty=2
def train(network, x, y, *, rng):
    """Train a network in place, so that it is good at images it has not seen.

    network : a Sequential. x : (N, H, W, C) standardized images. y : (N,) labels.
    rng : a generator, for the order of the images.
    """
    # BEGIN SOLUTION
    optimizer = SGD(network, learning_rate=0.01, momentum=0.9, weight_decay=5e-4)
    for epoch in range(8):
        if epoch == 6:
            optimizer.learning_rate /= 10
        order = rng.permutation(len(x))
        for start in range(0, len(x), 32):
            batch = order[start : start + 32]
            network.loss_and_gradients(x[batch], y[batch])
            optimizer.step()
    # END SOLUTION


# %% check="a7.train" tags=["nbval-ignore-output"]
from cnnlab.check import check

check("a7.train", train)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# Two loops: epochs outside, batches inside. In each epoch draw an order, and walk through it in
# slices of one batch.
# </details>
#
# <details><summary>Hint 2: one batch</summary>
#
# A slice of the order is an array of numbers of images. Indexed with it, `x[…]` gives those images
# and `y[…]` their labels.
# </details>
#
# <details><summary>Hint 3: which numbers</summary>
#
# Batches of 32, a learning rate of 0.01, eight epochs, the last two of them with a tenth of it.
# </details>
#
# <details><summary>Help, it takes too long</summary>
#
# Every step costs the same for each image, so an epoch costs the same whatever the size of the
# batches, or nearly. Count your epochs.
# </details>

# %% [markdown] tags=["T32"]
# ### Is that good?
#
# A number by itself says little: compare. Your loop trains anything, so let it train a linear
# classifier as well: one matrix from pixels to scores, no filters at all. And let both try a
# second data set, shapes in color that stand anywhere in the image. **Predict** the four numbers.
# (The networks are those of question 2. This takes a quarter of a minute.)

# %% tags=["nbval-ignore-output"]
clothes = (train_set.take(np.random.default_rng(5).permutation(12000)[:2000]), test_set[:1000])
figures = [data.generated_shapes(n, rng=np.random.default_rng(n)) for n in (2000, 1000)]
trained = {}


def that_of_the_shapes():
    """The network that has learned shapes, and what its images go through first."""
    if ("shapes", "small_alexnet") not in trained:
        raise NotImplementedError
    return trained["shapes", "small_alexnet"]


with when_written("small_alexnet", "train"):
    for what, (seen, unseen) in {"clothes": clothes, "shapes": figures}.items():
        preprocess = data.Standardize.fit(seen.images)
        for build in (zoo.linear, small_alexnet):
            options = {"dropout": 0.0} if build is small_alexnet else {}
            rng = np.random.default_rng(6)
            network = build(seen.image_shape, 10, rng=rng, **options)
            train(network, preprocess(seen.images), seen.labels, rng=rng)
            right = network.predict(preprocess(unseen.images)) == unseen.labels
            trained[what, build.__name__] = network, preprocess
            print(f"{what:8} {build.__name__:14} {right.mean():.1%}")

# %% [markdown] tags=["T34"]
# On the clothes there is hardly a difference. They stand in the middle of their images, all upright
# and of one size: with 2,000 of them a weight for each pixel does as well. The shapes stand
# anywhere, and there a weight for one pixel says next to nothing, while a filter finds its edge
# wherever it is. That is the reason for all the convolutions of this course.
#
# ## Question 5: what the filters look for
#
# **10 points · 12 minutes · answered in words**
#
# The 8 filters of the first convolution, 4×4 pixels in color, of the network that learned shapes.
# Above as they were drawn before training, below after it, each in the full range of its colors.
# Below that what each makes of one image: filter 0 makes map 0.


# %% tags=["nbval-ignore-output"]
def numbered(axes):
    """Number eight columns."""
    axes.set_xticks(np.linspace(*axes.get_xlim(), 17)[1::2], range(8))
    return axes


with when_written("small_alexnet", "train"):
    network, preprocess = that_of_the_shapes()
    start = small_alexnet((32, 32, 3), 10, dropout=0.0, rng=np.random.default_rng(6))
    filters = [np.moveaxis(one.layers[0].params["w"], 3, 0) for one in (start, network)]
    picture = viz.gallery(np.concatenate(filters), *viz.row(1), columns=8)
    viz.show(
        numbered(picture), alt="Eight filters of 4×4 pixels in color, before and after training."
    )

# %% tags=["nbval-ignore-output"]
from cnnlab import interpret

with when_written("small_alexnet", "train"):
    network, preprocess = that_of_the_shapes()
    image = preprocess(figures[1].images[:1])
    maps = interpret.feature_maps(network, image, layer=1)
    viz.show(viz.image(figures[1].images[0]), alt="The image: one shape in color on a ground.")
    picture = viz.gallery(np.moveaxis(maps[0], 2, 0), *viz.row(1, height=1.6), columns=8)
    viz.show(numbered(picture), alt="What each of the eight filters makes of it.")

# %% [markdown] tags=["T34"]
# Look at the filters and at what they make of the image. Write three or four sentences: What has
# changed from the upper row to the lower? Name two filters that look for different things, an edge
# in some direction, a color, a brightness, and say by its number in which map you see it.
#
# 4 points for what changed, 3 for each of the two filters with its map.

# %% [markdown] manual="a7.filters" points=10 minutes=12
# <!-- BEGIN SOLUTION -->
# *Points as stated: 4, 3, 3.* Before training the filters are noise.
# Afterward some are smoother: one side of the filter is light and the other dark, or of another
# color, and the map of such a filter lights up along one side of the shape only. Others have nearly
# one color all over; their maps show the whole shape, or the whole ground, not its edge. A filter
# that still looks like noise, or whose map is black, has learned little: eight filters and 2,000
# images are few.
# <!-- END SOLUTION -->

# %% [markdown] tags=["T33", "C10"]
# ## Question 6: an ensemble
#
# **15 points · 15 minutes · difficulty ●●○**
#
# Networks that started from different weights make different mistakes. AlexNet's authors let seven
# answer together, and the error fell from 18.2 % to 15.4 %. How does one let networks answer
# together? Each gives probabilities: average them, then take the class with the largest. A network
# that is sure then weighs more than one that guesses.
#
# You get the **scores** of M networks for N images and C classes, `scores` of shape (M, N, C), and
# the labels, (N,). Turn the scores of each network into probabilities,
#
# $$p_c = \frac{e^{s_c}}{\sum_j e^{s_j}}$$
#
# and subtract the largest score of an image first: it changes nothing, and $e^{1000}$ is infinite.
# An *error* is the share of images that get the wrong class.
#
# **Predict** by hand, with M = 2 networks, one image, two classes: the scores are (0, 1) and
# (3, 0). The first network says class 1. What do the two say together?
#
# <details><summary>By hand</summary>
#
# The probabilities are about (0.27, 0.73) and (0.95, 0.05), their mean (0.61, 0.39): class 0. The
# second is sure, the first is not.
# </details>


# %% question="a7.ensemble" points=15 minutes=15 difficulty=2
def ensemble_errors(scores, labels):
    """How often each network is wrong by itself, and how often all are together.

    scores : (M, N, C) of M networks for N images and C classes. labels : (N,).

    Returns single : (M,), and together : one number, from 0 to 1.
    """
    # BEGIN SOLUTION
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    probabilities = powers / powers.sum(axis=-1, keepdims=True)
    single = (probabilities.argmax(axis=-1) != labels).mean(axis=1)
    together = (probabilities.mean(axis=0).argmax(axis=-1) != labels).mean()
    return single, together
    # END SOLUTION


# %% check="a7.ensemble"
from cnnlab.check import check

check("a7.ensemble", ensemble_errors)

# %% [markdown]
# <details><summary>Hint 1: say the axes aloud</summary>
#
# (M, N, C): networks, images, classes. The softmax runs along the classes, the last axis;
# `keepdims=True` keeps it there, so that the division fits. The mean runs over the networks.
# </details>
#
# <details><summary>Hint 2: one error for each network</summary>
#
# The classes that all networks say are (M, N). Compared with the labels, (N,), that gives truth
# values (M, N), and the mean of truth values is the share that is true.
# </details>
#
# <details><summary>Hint 3: all together</summary>
#
# First the mean of the probabilities, (N, C), then the largest of each row: once, at the end.
# </details>

# %% [markdown] tags=["T33", "C10"]
# Five networks, alike but for the seed, each trained by your loop on the same 1,000 images.
# **Predict:** is the ensemble better than the average network, than the best of them, or neither?

# %% tags=["nbval-ignore-output"]
with when_written("small_alexnet", "train", "ensemble_errors"):
    seen, unseen = clothes[0][:1000], clothes[1]
    scores = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        network = small_alexnet((28, 28, 1), 10, dropout=0.0, rng=rng)
        train(network, standardize(seen.images), seen.labels, rng=rng)
        scores.append(network.predict_scores(standardize(unseen.images)))
    single, together = ensemble_errors(np.array(scores), unseen.labels)
    print("one:     ", *(f"{error:.1%}" for error in single), f" best {single.min():.1%}")
    print(f"on average {single.mean():.1%}, together {together:.1%}:", end=" ")
    print(f"{1 - together / single.mean():.0%} fewer mistakes")

# %% [markdown] tags=["T33", "C10"]
# Compare all three: the average network, the best, and all together. Which one is the best, nobody
# knows in advance. From 18.2 to 15.4 % AlexNet's ensemble made 15 % fewer mistakes; compare with
# your number. Its networks cost seven times as much to train, and seven times as much to ask.

# %% [markdown] tags=["T05"]
# ## If you like: how far a unit sees
#
# **no points · 10 minutes · difficulty ●○○**
#
# A unit reads one window, but what it reads has read windows too: through all layers it sees a
# square of the image, its *receptive field*. What is larger than that no filter there can find.
#
# Go up from the image. A pixel sees 1 pixel. A window of F adds F − 1 neighbors, and these stand
# as far apart in the image as the strides of all layers *before* it, multiplied, say. On paper:
# 3×3 at stride 2 sees 3 pixels; 3×3 on top of it adds 2 neighbors, 2 apart, so 3 + 2·2 = 7.
#
# **Predict:** how many of 227 pixels does AlexNet's last pooling see along one axis?


# %% question="a7.receptive_field" points=0 minutes=10 difficulty=1
def receptive_field(layers):
    """How many pixels of the image one unit behind the last layer sees, along one axis.

    layers : a list of (kernel_size, stride), convolutions and poolings, from the image on.

    Returns an int.
    """
    # BEGIN SOLUTION
    field, jump = 1, 1
    for kernel_size, stride in layers:
        field += (kernel_size - 1) * jump
        jump *= stride
    return field
    # END SOLUTION


# %% check="a7.receptive_field"
from cnnlab.check import check

check("a7.receptive_field", receptive_field)

# %% [markdown]
# <details><summary>Hint 1: two numbers to keep</summary>
#
# The field so far, and how far apart in the image two neighbors stand. Both begin with 1.
# </details>
#
# <details><summary>Hint 2: in which order</summary>
#
# First the field grows, by the distance as it was; then the layer's own stride widens the distance.
# </details>
#
# <details><summary>Hint 3: AlexNet's first layers</summary>
#
# 11 at stride 4: the field is 11, the distance 4. Pooling of 3 at stride 2: 11 + 2·4 = 19, then 8.
# </details>

# %%
windows = [layer[2:4] if layer[0] == "conv" else layer[1:3] for layer in ALEXNET[:10]]
windows = [pair for pair in windows if pair]
with when_written("receptive_field"):
    print("the last pooling sees", receptive_field(windows), "of 227 pixels")

# %% [markdown] tags=["T34"]
# ## If you like: what the network looks at
#
# **no points · 15 minutes · difficulty ●●○**
#
# Cover a part of the image with a gray square, and ask again. Where the probability of the right
# class falls, there was something that the network needs. Move the square over the image one pixel
# at a time, and the falls make a picture.
#
# You get `predict`, a function from images (N, H, W, C) to numbers for each class (N, classes);
# one standardized image, (H, W, C), in which gray is 0; the class to watch; and the side of the
# square, in pixels. Return the falls: what was there before, less what is left, for each place of
# the square.


# %% question="a7.occlusion" points=0 minutes=15 difficulty=2
def occlusion(predict, image, label, size):
    """How far the answer for a class falls when a gray square covers a part of the image.

    predict : (N, H, W, C) → (N, classes). image : (H, W, C). label : which class.
    size : the side of the square, pixels.

    Returns falls : (H − size + 1, W − size + 1).
    """
    # BEGIN SOLUTION
    H, W, _ = image.shape
    falls = np.zeros((H - size + 1, W - size + 1))
    before = predict(image[np.newaxis])[0, label]
    for i in range(H - size + 1):
        for j in range(W - size + 1):
            covered = image.copy()
            covered[i : i + size, j : j + size] = 0
            falls[i, j] = before - predict(covered[np.newaxis])[0, label]
    return falls
    # END SOLUTION


# %% check="a7.occlusion"
from cnnlab.check import check

check("a7.occlusion", occlusion)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# Ask once without a square. Then two loops over the places of its upper left corner; in each a
# fresh copy of the image.
# </details>
#
# <details><summary>Hint 2: one image is a batch of one</summary>
#
# `image[np.newaxis]` has shape (1, H, W, C). The answer has shape (1, classes): take row 0.
# </details>
#
# <details><summary>Hint 3: the square</summary>
#
# Rows `i : i + size`, columns `j : j + size`, all channels, set to 0.
# </details>

# %% tags=["nbval-ignore-output"]
with when_written("small_alexnet", "train", "occlusion"):
    network, preprocess = that_of_the_shapes()
    for number in range(2):
        pixels, label = figures[1].images[number], figures[1].labels[number]
        image, name = preprocess(pixels[np.newaxis]), figures[1].class_names[label]
        falls = occlusion(network.predict_probabilities, image[0], label, 8)
        left = network.predict_probabilities(image)[0, label] - falls
        viz.show(
            viz.plot_occlusion(pixels, left, size=8, class_name=name),
            alt="A shape, and beside it how sure the network stays for each place of the square.",
        )

# %% [markdown] tags=["T34"]
# Each place of the square is colored where its center lies; the frame is the square that costs the
# most. Where it is pale, the network has lost what it knew the shape by.

# %% [markdown]
# ## Your points
#
# Save the notebook (Ctrl+S, or Cmd+S on a Mac), then run this cell. It takes up to a minute: the
# networks of questions 3 and 4 are trained again, on images drawn afresh. What you wrote in words
# is listed, and read by a person. The cell grades the file of this name: change it in a renamed
# copy.

# %% tags=["nbval-skip"]
from cnnlab.grading import grade

grade("a7_alexnet.ipynb")
