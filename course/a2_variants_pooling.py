# %% [markdown]
# # Assignment 2: Variants of convolution, and pooling
#
# A convolution looks at every place of an image through the same filters. Here you give each place
# filters of its own, then let a few sets of filters take turns, and connect everything with
# everything. You find out which of these layers follow a shift of the image, and count what each of
# them has to learn. At the end come the two layers that learn nothing: max pooling and average
# pooling. With the reading it all takes a little less than two hours.
#
# | | question | points | minutes | difficulty |
# |---|---|---|---|---|
# | 1 | a locally connected layer | 20 | 20 | ●●○ |
# | 2 | tiled convolution | 20 | 15 | ●●○ |
# | 3 | where a layer follows a shift | 10 | 12 | ●●○ |
# | 4 | fully connected, as a convolution | 15 | 10 | ●●○ |
# | 5 | counting parameters | 15 | 20 | ●○○ |
# | 6 | max pooling | 10 | 15 | ●○○ |
# | 7 | average pooling | 10 | 5 | ●○○ |
# | + | max pooling without a loop over positions, if you like | | 25 | ●●● |
#
# **You need** page [02 Convolution](../notebooks/02_convolution.ipynb) and questions 1 and 2 of
# [Assignment 1](a1_convolution.ipynb).
#
# **How it works.** Write your code where it says `NotImplementedError`, run the cell, then the
# check below it. `np`, `ops` and `shapes` are there already; everything else that an answer needs
# has to stand *inside* its answer cell. Every answer stands alone, and so do its points. Hints
# unfold one by one below each check. Our answers are in
# [solutions/](../solutions/a2_variants_pooling.ipynb), for afterwards.

# %%
import numpy as np

from cnnlab import ops, shapes, viz
from cnnlab.check import when_written

viz.use_style()
rng = np.random.default_rng(0)

# %% [markdown] tags=["T06"]
# ## Who looks through which filters?
#
# Take a layer with 4 × 6 output positions, and write into every position the number of the set of
# filters that it looks through. In a convolution there is one set, and everyone uses it. In a
# **locally connected** layer every position has a set of its own. Between the two lies **tiled
# convolution**: a few sets repeat like the tiles of a floor. Here a tile of 2 × 3 has sets 0 to 5,
# numbered row by row.
#
# **Predict** the picture in the middle: which set does the position in the last row and the last
# column use? And its neighbor to the left?

# %%
tile = np.arange(6).reshape(2, 3)
pictures = {
    "convolution": np.zeros((4, 6)),
    "tiled, 2 × 3": np.tile(tile, (2, 2)),
    "locally connected": np.arange(24).reshape(4, 6),
}
viz.show(
    viz.grids(pictures),
    alt="Three grids of 4 by 6 positions, each with the number of its set.",
)

# %% [markdown] tags=["T06", "T14"]
# ## Question 1: a locally connected layer
#
# **20 points · 20 minutes · difficulty ●●○**
#
# **In a network:** where things always stand in the same place, as eyes and mouth do in portraits
# that were cut to size, each place can learn what to look for there. Whoever shares filters gives
# that up. You build it to see what exactly is shared.
#
# A row of four pixels, windows of two, so three positions, each with two weights of its own and
# bias 0. **Predict** the three outputs; a cell below runs your function on them.

# %%
row = np.array([1.0, 2, 0, 3]).reshape(1, 1, 4, 1)
own = np.array([[1.0, -1], [2, 0], [0, 10]]).reshape(1, 3, 1, 2, 1, 1)
print("x", row.ravel())
for position in range(3):
    print(f"weights of position {position}", own[0, position].ravel())

# %% [markdown] tags=["T14"]
# The filters get two more axes, in front: the row and the column of the **output** position that
# they belong to. So do the biases.
#
# | name | shape | what it is |
# |---|---|---|
# | `x` | (N, H, W, C) | a batch of images |
# | `w` | (OH, OW, FH, FW, C, K) | K filters for each position |
# | `b` | (OH, OW, K) | their biases |
# | `stride`, `pad` | numbers | $S$ and $P$, as in a convolution |
# | result | (N, OH, OW, K) | as in a convolution |
#
# Position `[i, j]` sees the window it would see in a convolution, and looks at it through
# `w[i, j]`, which is (FH, FW, C, K):
#
# $$\text{out}[n,i,j,k] = b[i,j,k] + \sum_{u}\sum_{v}\sum_{c}
#   x_\text{padded}[n,\; iS+u,\; jS+v,\; c]\;\, w[i,j,u,v,c,k]$$


# %% question="a2.local_forward" points=20 minutes=20 difficulty=2
def local_forward(x, w, b, *, stride=1, pad=0):
    """A layer that looks at every window through filters of its own.

    x : (N, H, W, C), w : (OH, OW, FH, FW, C, K), b : (OH, OW, K).
    stride, pad : the same for both axes.

    Returns out : (N, OH, OW, K).
    """
    OH, OW, FH, FW, _, K = w.shape
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    # BEGIN SOLUTION
    out = np.zeros((len(x), OH, OW, K))
    for n in range(len(x)):
        for i in range(OH):
            for j in range(OW):
                top, left = i * stride, j * stride
                window = padded[n, top : top + FH, left : left + FW]
                for k in range(K):
                    out[n, i, j, k] = np.sum(window * w[i, j, :, :, :, k]) + b[i, j, k]
    return out
    # END SOLUTION


# %%
with when_written("local_forward"):
    print(local_forward(row, own, np.zeros((1, 3, 1))).ravel())

# %% check="a2.local_forward"
from cnnlab.check import check

check("a2.local_forward", local_forward)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# With the loops of a convolution, as in assignment 1: images, rows, columns, filters. Which two
# lines have to change?
# </details>
#
# <details><summary>Hint 2: sizes and zeros</summary>
#
# All sizes but N are read off `w`, OH and OW too: no formula is needed here. The zeros are in
# `padded` already, so that is where windows are cut from.
# </details>
#
# <details><summary>Hint 3: one dot product</summary>
#
# The window is (FH, FW, C). So is filter k of position (i, j): fix the first two axes of `w` and
# the last, and keep the three between.
# </details>
#
# <details><summary>Help, it is right at stride 1 only</summary>
#
# Two things are counted: positions and pixels. The window starts at *pixel* `i * stride`. The
# filters belong to *position* `i`.
# </details>
#
# <details><summary>Help, it stops with shapes that differ, such as (3,2,3) (3,3,3)</summary>
#
# A window hangs over the edge. Is it cut out of the padded copy, with zeros on both sides?
# </details>

# %% [markdown] tags=["T06", "T15"]
# ## Question 2: tiled convolution
#
# **20 points · 15 minutes · difficulty ●●○**
#
# **In a network:** neighbors look for different things, and still a filter is used in many places.
# Pooling over neighbors with different filters (question 6) can then ignore more than shifts, such
# as small turns.
#
# `w` holds the filters of one tile, TH × TW sets: its shape is (TH, TW, FH, FW, C, K), and `b`
# is (TH, TW, K). Along a row the columns of the tile take turns: 0, 1, …, TW − 1, 0, 1, … Down the
# image its rows do the same. Everything else is as in question 1. OH and OW are no longer in `w`:
# OH is `shapes.output_size(H, FH, stride=stride, pad=pad)`, and OW likewise.
#
# **Predict:** the row 1 2 0 3 of question 1, when its first two sets, (1, −1) and (2, 0), take
# turns. And what is the layer if the tile is 1 × 1? If it is as large as the output?


# %% question="a2.tiled_forward" points=20 minutes=15 difficulty=2
def tiled_forward(x, w, b, *, stride=1, pad=0):
    """A convolution whose sets of filters take turns from position to position.

    x : (N, H, W, C), w : (TH, TW, FH, FW, C, K), b : (TH, TW, K).
    stride, pad : the same for both axes.

    Returns out : (N, OH, OW, K).
    """
    N, H, W, _ = x.shape
    TH, TW, FH, FW, _, K = w.shape
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    # BEGIN SOLUTION
    OH = shapes.output_size(H, FH, stride=stride, pad=pad)
    OW = shapes.output_size(W, FW, stride=stride, pad=pad)
    out = np.zeros((N, OH, OW, K))
    for n in range(N):
        for i in range(OH):
            for j in range(OW):
                top, left = i * stride, j * stride
                window = padded[n, top : top + FH, left : left + FW]
                p, q = i % TH, j % TW
                for k in range(K):
                    out[n, i, j, k] = np.sum(window * w[p, q, :, :, :, k]) + b[p, q, k]
    return out
    # END SOLUTION


# %%
with when_written("tiled_forward"):
    print(tiled_forward(row, own[:, :2], np.zeros((1, 2, 1))).ravel())

# %% check="a2.tiled_forward"
from cnnlab.check import check

check("a2.tiled_forward", tiled_forward)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# Take your answer to question 1 along, or the loops of a convolution. What is new is one question
# in the middle: position (i, j) is given, whose turn is it?
# </details>
#
# <details><summary>Hint 2: taking turns</summary>
#
# With three sets, positions 0, 1, 2, 3, 4, 5, 6 use sets 0, 1, 2, 0, 1, 2, 0. Which operator makes
# the second row out of the first?
# </details>
#
# <details><summary>Hint 3: the biases</summary>
#
# A position takes its biases from the place it takes its filters from.
# </details>
#
# <details><summary>Help, it stops with "index out of bounds"</summary>
#
# Is the place in `w` worked out from the position, or is it the position itself? And rows go with
# TH, columns with TW.
# </details>

# %% [markdown] tags=["T06", "T15"]
# ### Both ends of the scale
#
# With a tile of 1 × 1 it is a convolution. With a tile as large as the output it is a locally
# connected layer. Your functions can prove it: for each of the two, one line computes the same
# thing in two ways.

# %%
with when_written("local_forward", "tiled_forward"):
    x = rng.normal(size=(2, 6, 7, 3))
    w, b = rng.normal(size=(4, 6, 3, 2, 3, 5)), rng.normal(size=(4, 6, 5))
    conv, _ = ops.conv_forward(x, w[0, 0], b[0, 0])
    print("tile 1 × 1:", np.allclose(tiled_forward(x, w[:1, :1], b[:1, :1]), conv))
    print("tile 4 × 6:", np.allclose(tiled_forward(x, w, b), local_forward(x, w, b)))

# %% [markdown] tags=["T07"]
# ## Question 3: where a layer follows a shift
#
# **10 points · 12 minutes · difficulty ●●○**
#
# **In a network:** a cat that has moved is the same cat. If the output moves along with the input,
# nothing has to be learned twice. That is *equivariance* (page 02), and sharing is what brings it.
#
# Move the image, then apply the layer. Or apply the layer, then move what came out. You write the
# function that says, position by position, whether the two agree. To shift by `rows` and `columns`
# (both 0 or more) is to move everything down and to the right; zeros come in from the top and from
# the left, and what leaves at the other side is gone.
#
# | name | what it is |
# |---|---|
# | `layer` | a function from an image (H, W) to an output of the same size |
# | `image` | (H, W) |
# | `rows`, `columns` | by how much to shift, whole numbers; less than H and W |
# | result | (H, W) truth values: True where both ways agree |
#
# **Predict** for one row, 1 2 0 3, shifted by one column: where do the two ways agree if the layer
# doubles each number? And if it adds to each number its column, 0 1 2 3?
#
# <details><summary>On paper</summary>
#
# Shifted, the row is 0 1 2 0. Doubled before or after, it is 0 2 4 0: they agree everywhere. With
# the columns added: 0 2 4 3 if the shift comes first, and 0 1 3 2 if it comes last. Only the zero
# at the left agrees: what a place adds for itself does not move along.
# </details>


# %% question="a2.equivariance" points=10 minutes=12 difficulty=2
def follows_shift(layer, image, rows, columns):
    """Where a layer's output moves along when its input is shifted.

    layer : (H, W) → (H, W). image : (H, W).
    rows, columns : shift down and to the right, 0 or more.

    Returns truth values : (H, W).
    """
    # BEGIN SOLUTION
    H, W = image.shape

    def shift(a):
        moved = np.zeros((H, W))
        moved[rows:, columns:] = a[: H - rows, : W - columns]
        return moved

    return np.isclose(layer(shift(image)), shift(layer(image)))
    # END SOLUTION


# %% check="a2.equivariance"
from cnnlab.check import check

check("a2.equivariance", follows_shift)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# With a little function inside yours that shifts an array. It is needed twice: for the image, and
# for what the layer makes of it.
# </details>
#
# <details><summary>Hint 2: one shift</summary>
#
# Begin with zeros. Row 0 goes to row `rows`, so the result's rows from `rows` on are the first
# H − `rows` of the old ones: `a[: H - rows]` also works where `rows` is 0. The columns likewise.
# </details>
#
# <details><summary>Hint 3: truth values</summary>
#
# `a == b` compares two arrays place by place; `np.isclose(a, b)` forgives rounding.
# </details>

# %% [markdown] tags=["T07"]
# Three layers with 3×3 windows on a padded image of 8×12: a convolution, tiled with a tile of
# 1 × 2, and locally connected. **Predict:** which of the three follows a shift of one column, and
# which a shift of two? And is it True at the border?

# %%
with when_written("follows_shift"):
    image = rng.normal(size=(8, 12))
    w = rng.normal(size=(8, 12, 3, 3, 1, 1))
    layers = {"convolution": w[:1, :1], "tiled, 1 × 2": w[:1, :2], "locally connected": w}
    print("share of positions that follow a shift by")
    for name, sets in layers.items():

        def layer(x, sets=sets):
            # One tile for all, a few that take turns, or one for each position.
            b = np.zeros((*sets.shape[:2], 1))
            return ops.tiled_forward(x[None, :, :, None], sets, b, pad=1)[0][0, :, :, 0]

        shares = [follows_shift(layer, image, 0, columns).mean() for columns in (1, 2)]
        print(f"  {name:18} one column {shares[0]:4.0%}   two columns {shares[1]:4.0%}")

# %% [markdown] tags=["T07"]
# The convolution follows both, but for one column on each side. At the right edge the window used
# to see a pixel that has now left the image; now it sees a zero of the frame. On the left zeros
# came in: the last of those columns sees the image's first pixel, but the output that was shifted
# holds a zero there. Two sets that take turns follow where everyone meets the same set again,
# after two columns. Where every place has filters of its own, nothing follows, except in the first
# column after a shift of two, where both ways give 0.

# %% [markdown] tags=["T16"]
# ## Question 4: fully connected, as a convolution
#
# **15 points · 10 minutes · difficulty ●●○**
#
# **In a network:** the last layers of AlexNet (2012), the network of assignment 7, are fully
# connected (also *dense*; in this library, with the bias, *affine*): each *unit*, so each output,
# has a weight for each input. The first of them reads 6×6×256 numbers, flattened into one long row.
# Written as a convolution, the same weights slide over a larger photograph and give an answer for
# each place of it.
#
# The idea: a window **as large as the image** fits in one place only, and there it sees everything.
# So each unit becomes one filter of the size of the image. All that is needed is to write its
# weights in another form: each has to meet the number it met before.
#
# In which order were those numbers? **Predict** the line: 2×2 pixels, two channels each.

# %%
volume = np.array([[["a0", "a1"], ["b0", "b1"]], [["c0", "c1"], ["d0", "d1"]]])  # (H, W, C)
print(volume.reshape(-1))

# %% [markdown] tags=["T16"]
# | name | shape | what it is |
# |---|---|---|
# | `w` | (H·W·C, M) | M units; column m holds the weights of unit m, in the order above |
# | `shape` | (H, W, C) | of the volume, before it was flattened |
# | result | (H, W, C, M) | M filters |


# %% question="a2.affine_as_conv" points=15 minutes=10 difficulty=2
def affine_as_conv(w, shape):
    """The weights of a fully connected layer, as filters of a convolution that is equal to it.

    w : (H * W * C, M).
    shape : (H, W, C).

    Returns filters : (H, W, C, M).
    """
    # BEGIN SOLUTION
    H, W, C = shape
    return w.reshape(H, W, C, -1)
    # END SOLUTION


# %% check="a2.affine_as_conv"
from cnnlab.check import check

check("a2.affine_as_conv", affine_as_conv)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# Begin with one unit: `w[:, m]` holds H·W·C weights in the order in which a volume is flattened.
# How do you turn a flattened volume back into one?
# </details>
#
# <details><summary>Hint 2: all units</summary>
#
# `reshape` reads along the last axis first. In `w` the last axis counts the units, and in the
# result it does too: this axis may stay where it is.
# </details>
#
# <details><summary>Help, the shape is right but the numbers are not</summary>
#
# Try it on `np.arange(8).reshape(8, 1)` and the shape (2, 2, 2), and compare with the line of
# letters. A `transpose` before or after moves weights away from the numbers they belong to.
# </details>

# %% [markdown] tags=["T16"]
# Are the two layers equal? **Predict** the second line before you run it: the same filters, made
# for images of 6×5 pixels, slide over images of 8×9. What shape comes out?

# %%
with when_written("affine_as_conv"):
    x = rng.normal(size=(2, 6, 5, 4))
    w, b = rng.normal(size=(6 * 5 * 4, 7)), rng.normal(size=7)
    filters = affine_as_conv(w, (6, 5, 4))
    dense, _ = ops.affine_forward(x.reshape(2, -1), w, b)
    conv, _ = ops.conv_forward(x, filters, b)
    print(dense.shape, conv.shape, np.allclose(dense, conv[:, 0, 0]))
    larger = rng.normal(size=(2, 8, 9, 4))
    print(ops.conv_forward(larger, filters, b)[0].shape)

# %% [markdown] tags=["T16"]
# A window of 6×5 fits into 8×9 at 3 × 5 places: seven answers for each of them, in one go.

# %% [markdown] tags=["T06", "C11"]
# ## Question 5: counting parameters
#
# **15 points · 20 minutes · difficulty ●○○**
#
# **In a network:** what has to be learned has to be stored, moved and paid for with examples. A
# count before the first line of code says whether a layer is affordable.
#
# The same input, a volume (H, W, C), and the same output, a volume (OH, OW, K). How many numbers,
# weights and biases together, does each of four layers learn?
#
# - **dense**: each of the OH·OW·K output numbers is a unit that reads the whole input;
# - **local**: each position has K filters of its own, of FH × FW pixels, all channels deep;
# - **tiled**: TH × TW sets of K filters take turns;
# - **conv**: one set of K filters for all.
#
# A unit or a filter has one bias. What is used in many places is counted once.
#
# **Predict**, for an image of 32×32×3 and ten 5×5 filters, so an output of 28×28×10: is
# dense thirty, a thousand or thirty thousand times as expensive as conv?


# %% question="a2.parameter_counts" points=15 minutes=20 difficulty=1
def parameter_counts(size_in, size_out, kernel_size, tile):
    """How many numbers four layers learn that turn one volume into another of the same sizes.

    size_in : (H, W, C), size_out : (OH, OW, K).
    kernel_size : (FH, FW), tile : (TH, TW).

    Returns four whole numbers: dense, local, tiled, conv.
    """
    # BEGIN SOLUTION
    (H, W, C), (OH, OW, K), (FH, FW), (TH, TW) = size_in, size_out, kernel_size, tile
    dense = (H * W * C + 1) * OH * OW * K
    conv = (FH * FW * C + 1) * K
    return dense, OH * OW * conv, TH * TW * conv, conv
    # END SOLUTION


# %% check="a2.parameter_counts"
from cnnlab.check import check

check("a2.parameter_counts", parameter_counts)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# With conv. How many weights has one filter? How many numbers has it with its bias? How many
# filters are there?
# </details>
#
# <details><summary>Hint 2: tiled and local</summary>
#
# You know what one set of K filters costs. How many sets does a tile hold? How many does the layer
# hold in which every position has its own?
# </details>
#
# <details><summary>Hint 3: dense</summary>
#
# How many units are there, how many numbers does each of them read, and what has each of them
# besides?
# </details>

# %%
with when_written("parameter_counts"):
    layers = {
        "32×32×3, ten 5×5 filters": ((32, 32, 3), (28, 28, 10), (5, 5)),
        "the first layer of AlexNet": ((227, 227, 3), (55, 55, 96), (11, 11)),
    }
    for name, sizes in layers.items():
        counts = parameter_counts(*sizes, (2, 2))
        print(f"{name}, a tile of 2×2")
        for layer, count in zip(("dense", "local", "tiled", "conv"), counts, strict=True):
            print(f"  {layer:6}{count:16,}{count / counts[-1]:14,.0f} × conv")

# %% [markdown] tags=["T06", "C11"]
# Two steps lead from dense to conv. **Seeing less**, from dense to local, saves the more the
# smaller the window is beside the image. **Sharing**, from local to conv, saves exactly a factor
# of OH·OW, the number of positions, and a tile takes TH·TW of it back. The dense layer of the last
# table would be hard to train: in float32, 4 bytes each, its weights
# alone fill about 180 GB.
#
# This is a good place for a break.

# %% [markdown] tags=["T17"]
# ## Question 6: max pooling
#
# **10 points · 15 minutes · difficulty ●○○**
#
# **In a network:** pooling makes volumes smaller, without anything to learn: less work for all
# layers above, and each of them sees more of the image. And where a thing moves by a pixel, the
# largest number of a window often stays the same. AlexNet pools three times.
#
# Each window is summarized by its largest number, **channel by channel**: the output has as many
# channels as the input. The first example is 4×4 with 2×2 windows at stride 2, side by side. The
# second is 3×5, with the overlapping windows of AlexNet: 3×3 at stride 2. **Predict** both outputs.

# %%
apart = np.array([[1.0, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]])
overlap = np.array([[-1.0, -2, -1, 3, 1], [-4, -1, -3, 0, 2], [-2, -3, -5, 1, 0]])
viz.show(
    viz.grids({"2×2 at stride 2": apart, "3×3 at stride 2": overlap}),
    alt="A 4 by 4 and a 3 by 5 grid of numbers; in the second the left is below zero.",
)

# %% [markdown] tags=["T17"]
# | name | shape | what it is |
# |---|---|---|
# | `x` | (N, H, W, C) | a batch of volumes |
# | `kernel_size` | (FH, FW) | rows and columns of the window |
# | `stride` | a number | pixels from one window to the next, for both axes |
# | result | (N, OH, OW, C) | one number for each window of each channel |
#
# $$\text{out}[n,i,j,c] = \max_{u,\,v}\; x[n,\; iS+u,\; jS+v,\; c]$$
#
# Nothing is padded: pooling layers rarely are. OH and OW come from `shapes.output_size`.


# %% question="a2.max_pool_forward" points=10 minutes=15 difficulty=1
def max_pool_forward(x, *, kernel_size, stride):
    """The largest number of every window, channel by channel.

    x : (N, H, W, C).
    kernel_size : (FH, FW).
    stride : one number for both axes.

    Returns out : (N, OH, OW, C).
    """
    # BEGIN SOLUTION
    (N, H, W, C), (FH, FW) = x.shape, kernel_size
    OH = shapes.output_size(H, FH, stride=stride)
    OW = shapes.output_size(W, FW, stride=stride)
    out = np.zeros((N, OH, OW, C))
    for i in range(OH):
        for j in range(OW):
            top, left = i * stride, j * stride
            out[:, i, j] = x[:, top : top + FH, left : left + FW].max(axis=(1, 2))
    return out
    # END SOLUTION


# %%
with when_written("max_pool_forward"):
    for image, window in ((apart, (2, 2)), (overlap, (3, 3))):
        print(max_pool_forward(image[None, :, :, None], kernel_size=window, stride=2)[0, :, :, 0])

# %% check="a2.max_pool_forward"
from cnnlab.check import check

check("a2.max_pool_forward", max_pool_forward)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# With the loops of a convolution, without filters and without padding. The window is cut out as
# there. What is made of it is not a sum of products but its largest number.
# </details>
#
# <details><summary>Hint 2: one maximum for each channel</summary>
#
# The window of one image is (FH, FW, C), and C maxima are wanted. `max` takes the axes over which
# it looks, as a tuple; the others stay.
# </details>
#
# <details><summary>Help, it is wrong only where no number of a window is above zero</summary>
#
# Where does your search begin? With 0 it never finds anything below.
# </details>

# %% [markdown] tags=["T17"]
# ## Question 7: average pooling
#
# **10 points · 5 minutes · difficulty ●○○**
#
# **In a network:** LeNet pooled with means, in 1998. Today many networks end with one: a window as
# large as the whole map makes one number out of each channel, whatever the size of the image.
#
# Everything is as in question 6, but each window is summarized by its mean:
#
# $$\text{out}[n,i,j,c] = \frac{1}{FH\cdot FW}\sum_{u}\sum_{v} x[n,\; iS+u,\; jS+v,\; c]$$
#
# **Predict** the four means of the first example of question 6.


# %% question="a2.avg_pool_forward" points=10 minutes=5 difficulty=1
def avg_pool_forward(x, *, kernel_size, stride):
    """The mean of every window, channel by channel.

    x : (N, H, W, C).
    kernel_size : (FH, FW).
    stride : one number for both axes.

    Returns out : (N, OH, OW, C).
    """
    # BEGIN SOLUTION
    (N, H, W, C), (FH, FW) = x.shape, kernel_size
    OH = shapes.output_size(H, FH, stride=stride)
    OW = shapes.output_size(W, FW, stride=stride)
    out = np.zeros((N, OH, OW, C))
    for i in range(OH):
        for j in range(OW):
            top, left = i * stride, j * stride
            out[:, i, j] = x[:, top : top + FH, left : left + FW].mean(axis=(1, 2))
    return out
    # END SOLUTION


# %%
with when_written("avg_pool_forward"):
    print(avg_pool_forward(apart[None, :, :, None], kernel_size=(2, 2), stride=2)[0, :, :, 0])

# %% check="a2.avg_pool_forward"
from cnnlab.check import check

check("a2.avg_pool_forward", avg_pool_forward)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# With your answer to question 6, or with the loops of a convolution. One line changes.
# </details>
#
# <details><summary>Hint 2: what is divided by what</summary>
#
# If you add up yourself: how many numbers of *one channel* are in one window? The stride has
# nothing to do with it.
# </details>
#
# <details><summary>Help, the channels have become one</summary>
#
# `window.mean()` without an axis takes the mean of all there is. Name the two axes of the window.
# </details>

# %% [markdown] tags=["T17"]
# ### What is left of a photograph
#
# Here are the edges of a photograph, as the absolute values of a Laplacian, and the same edges
# pooled in two ways, with windows of 4×4. **Predict:** which of the two keeps thin bright lines
# bright, and which one turns them gray?

# %%
from cnnlab.data import photograph

photo = photograph(162).mean(axis=2).round()
laplacian = np.array([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]).reshape(3, 3, 1, 1)
edges = np.abs(ops.conv_forward(photo[None, :, :, None], laplacian, np.zeros(1))[0])
edges = np.minimum(edges / 128, 1)
with when_written("max_pool_forward", "avg_pool_forward"):
    pools = {"largest": max_pool_forward, "mean": avg_pool_forward}
    small = {name: pool(edges, kernel_size=(4, 4), stride=4) for name, pool in pools.items()}
    axes = viz.images({name: x[0, :, :, 0] for name, x in ({"edges": edges} | small).items()})
    viz.show(axes, alt="The edges, and the two that were pooled.")

# %% [markdown] tags=["T17"]
# The maximum says *how strong* the strongest edge of the window was, the mean *how much* of the
# window was edge. Neither says where in the window it was: that is the price, and it is also what
# makes small shifts matter less.

# %% [markdown] tags=["T17"]
# ## If you like: max pooling without a loop over positions
#
# **no points · 25 minutes · difficulty ●●●**
#
# **In a network:** a step of training pools thousands of positions, and each of them costs a turn
# of the loop in Python. The last cell below measures what that adds up to. (If your answer to
# question 6 does without such loops already, it passes here too.)
#
# Turn the loops inside out. Fix one *place of the window*, (u, v): at all positions together it
# sees one slice of the image, OH rows and OW columns that lie `stride` apart. A loop over the few
# places is allowed, one over the many positions is not.


# %% question="a2.max_pool_fast" points=0 minutes=25 difficulty=3
def max_pool_fast(x, *, kernel_size, stride):
    """The largest number of every window, without a loop over positions.

    x : (N, H, W, C).
    kernel_size : (FH, FW).
    stride : one number for both axes.

    Returns out : (N, OH, OW, C).
    """
    # BEGIN SOLUTION
    (_, H, W, _), (FH, FW), S = x.shape, kernel_size, stride
    OH, OW = shapes.output_size(H, FH, stride=S), shapes.output_size(W, FW, stride=S)
    out = x[:, : S * OH : S, : S * OW : S]
    for u in range(FH):
        for v in range(FW):
            out = np.maximum(out, x[:, u : u + S * OH : S, v : v + S * OW : S])
    return out
    # END SOLUTION


# %% check="a2.max_pool_fast"
from cnnlab.check import check

check("a2.max_pool_fast", max_pool_fast)

# %% [markdown]
# <details><summary>Hint 1: what place (u, v) sees</summary>
#
# At position (i, j) it sees row `i * stride + u`. For i = 0, 1, 2 … those rows begin at `u` and lie
# `stride` apart: a slice with a step, OH of them. The columns likewise.
# </details>
#
# <details><summary>Help, the slices differ in size</summary>
#
# Where does a slice end? Its last row is the one that place u sees at position OH − 1, and the end
# of a slice lies one behind.
# </details>
#
# <details><summary>Hint 2: from places to the maximum</summary>
#
# There are FH·FW slices, all of the shape (N, OH, OW, C). `np.maximum(a, b)` takes the larger
# number of two arrays, place by place.
# </details>
#
# <details><summary>Hint 3: where to start</summary>
#
# With the slice of place (0, 0), not with zeros.
# </details>

# %% tags=["nbval-ignore-output"]
from timeit import repeat

with when_written("max_pool_forward", "max_pool_fast"):
    x = rng.normal(size=(4, 64, 64, 8))

    def seconds(pool):
        return min(repeat(lambda: pool(x, kernel_size=(2, 2), stride=2), number=1, repeat=5))

    times = seconds(max_pool_forward) / seconds(max_pool_fast)
    print(f"the answer to question 6 took {times:.0f} times as long")

# %% [markdown]
# ## Your points
#
# Save the notebook (Ctrl+S, or Cmd+S on a Mac), then run this cell. It takes some seconds.
# The grader draws fresh numbers for every run, so an answer that only fits the numbers
# above gets nothing.

# %% tags=["nbval-skip"]
from cnnlab.grading import grade

grade("a2_variants_pooling.ipynb")
