# %% [markdown]
# # Assignment 1: Convolution
#
# You write a convolution layer twice, with plain loops and with matrix products, after the
# arithmetic of its size. At the end your fast version and your slow
# version check each other.
#
# | | question | points | minutes | difficulty |
# |---|---|---|---|---|
# | 1 | the size of the output | 20 | 20 | ●○○ |
# | 2 | convolution with loops | 40 | 40 | ●●○ |
# | 3 | convolution, vectorized | 40 | 50 | ●●● |
# | + | convolution with the flip, if you like | | 25 | ●●○ |
#
# With the reading between, that is two hours; whoever is new to NumPy may take three.
#
# **You need** page [02 Convolution](../notebooks/02_convolution.ipynb).
#
# **How it works.** Write your code where it says `NotImplementedError`, run the cell, then
# run the check below it: it says at once whether the answer is right, and if not, what it
# recognizes. The last cell of the page counts your points. The grader takes only the answer
# cells, so it does not matter what happens to the rest of the notebook. What the page imports is
# there; helpers and imports of your own have to stand *inside* the answer cell that needs them.
# Any way to the right result counts, except where a question says otherwise.
#
# Hints unfold one by one below each check, each saying more than the one before. Our answers are
# in [solutions/](../solutions/a1_convolution.ipynb), for afterwards.

# %%
import numpy as np

from cnnlab import shapes, viz
from cnnlab.check import when_written

viz.use_style()
rng = np.random.default_rng(0)

# %% [markdown] tags=["T09", "T10", "T11"]
# ## Question 1: the size of the output
#
# **20 points · 20 minutes · difficulty ●○○**
#
# **In a network:** every layer takes the size that the one below puts out. With this one formula a
# whole network can be laid out on paper before a line of it is written.
#
# A window of $F$ pixels slides along a row of $W$ pixels in steps of $S$. Before it starts, $P$
# zeros are added at *each* end. How many positions are there? (Down a column of $H$ pixels
# it is the same.)
#
# Think of the leftmost pixel of the window. It starts at 0, and the last place where the
# window still fits is $W + 2P - F$. In steps of $S$, counting both ends, the number of
# positions is
#
# $$\frac{W - F + 2P}{S} + 1$$
#
# Here the window has to fit **exactly**. Where the division leaves a remainder, or the
# window is larger than the padded input, there is no right answer to return, and the function has
# to stop: `raise ValueError("the window does not fit")` does that.
#
# Before you write it, work out three by hand: a 3-window on 7 pixels at stride 1, at
# stride 2, and at stride 3.
#
# <details><summary>By hand</summary>
#
# 5 positions, 3 positions, and at stride 3 it does not fit: there is room for 4 steps of one pixel,
# which is no multiple of 3.
# </details>
#
# (The lone `*` in the first line says that what follows is given by name:
# `output_size(7, 3, stride=2)`.)


# %% question="a1.output_size" points=20 minutes=20 difficulty=1
def output_size(size, kernel_size, *, stride=1, pad=0):
    """How many positions a window takes along one axis.

    size : W, pixels of the input.
    kernel_size : F, pixels of the window.
    stride : S, pixels from one position to the next.
    pad : P, zeros added at each end.

    Returns a whole number (int). Raises ValueError where the window does not fit exactly.
    """
    # BEGIN SOLUTION
    room = size - kernel_size + 2 * pad
    if room < 0 or room % stride != 0:
        raise ValueError(
            f"a window of {kernel_size} does not fit {size} pixels with stride {stride}, pad {pad}"
        )
    return room // stride + 1
    # END SOLUTION


# %% check="a1.output_size"
from cnnlab.check import check

check("a1.output_size", output_size)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# Compute the room to move first: $W - F + 2P$. Every special case is a special value of
# this one number.
# </details>
#
# <details><summary>Hint 2: how to see whether it fits</summary>
#
# Python's `%` gives the remainder of a division: `10 % 3` is 1. And a negative room means
# that the window is larger than the input.
# </details>
#
# <details><summary>Hint 3: the type</summary>
#
# `/` always makes a float (`4 / 2` is `2.0`), `//` keeps whole numbers whole.
# </details>

# %% [markdown] tags=["T08", "T13"]
# ## Question 2: convolution with loops
#
# **40 points · 40 minutes · difficulty ●●○**
#
# **In a network:** this is the operation that most of its time goes into. Here it is written so
# plainly that you can see every multiplication; whatever is faster has to agree with it. First a
# small example: one 3×3 image, one 2×2 filter, bias 10.

# %%
tiny_x = np.array([[1.0, 2, 0], [3, 1, 3], [0, 5, 2]]).reshape(1, 3, 3, 1)
tiny_w = np.array([[1.0, 0.0], [0.0, -1.0]]).reshape(2, 2, 1, 1)
tiny_b = np.array([10.0])
print(tiny_x[0, :, :, 0])
print(tiny_w[:, :, 0, 0], "and bias", tiny_b[0])

# %% [markdown] tags=["T08", "T13"]
# The window at the top left holds 1, 2, 3, 1. Its dot product with the filter is
# $1\cdot1 + 2\cdot0 + 3\cdot0 + 1\cdot(-1) = 0$, and with the bias it answers 10. What are
# the other three outputs? Write them down; a cell below runs your function on it.
#
# <details><summary>By hand</summary>
#
# Beside the 10 a 9; below them 8 and 9.
# </details>
#
# In general there are many images, channels and filters:
#
# | name | shape | what it is |
# |---|---|---|
# | `x` | (N, H, W, C) | a batch of N images, C channels each |
# | `w` | (FH, FW, C, K) | K filters; each spans all C channels |
# | `b` | (K,) | one bias for each filter |
# | result | (N, OH, OW, K) | one map for each filter |
#
# Everything here is channels last. PyTorch has (N, C, H, W) for images and (K, C, FH, FW) for
# filters.
#
# Output `[n, i, j, k]` is one dot product. Take image `n`, padded with `pad` rows and
# columns of zeros on every side. Its window starts at row `i * stride` and column
# `j * stride` and is FH × FW pixels large, all channels deep. Multiply it with filter
# `k`, place by place, add everything up, and add `b[k]`:
#
# $$\text{out}[n,i,j,k] = b[k] + \sum_{u}\sum_{v}\sum_{c}
#   x_\text{padded}[n,\; i\cdot S+u,\; j\cdot S+v,\; c]\;\, w[u,v,c,k]$$
#
# $S$ is `stride`. The sizes are given, with the library's answer to question 1: then a slip there
# costs you nothing here. And this is how NumPy pads, with a pair (before, after) for each axis:

# %%
print(np.pad([[1, 2]], ((0, 0), (1, 1))))


# %% question="a1.conv_loops" points=40 minutes=40 difficulty=2
def conv_loops(x, w, b, *, stride=1, pad=0):
    """Convolution as loops over images, rows, columns and filters.

    x : (N, H, W, C), w : (FH, FW, C, K), b : (K,).
    stride, pad : the same for both axes.

    Returns out : (N, OH, OW, K).
    """
    N, H, W, _ = x.shape
    FH, FW, _, K = w.shape
    OH = shapes.output_size(H, FH, stride=stride, pad=pad)
    OW = shapes.output_size(W, FW, stride=stride, pad=pad)
    # BEGIN SOLUTION
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    out = np.zeros((N, OH, OW, K))
    for n in range(N):
        for i in range(OH):
            for j in range(OW):
                top, left = i * stride, j * stride
                window = padded[n, top : top + FH, left : left + FW]
                for k in range(K):
                    out[n, i, j, k] = np.sum(window * w[:, :, :, k]) + b[k]
    return out
    # END SOLUTION


# %% check="a1.conv_loops"
from cnnlab.check import check

check("a1.conv_loops", conv_loops)

# %%
with when_written("conv_loops"):
    print(np.squeeze(conv_loops(tiny_x, tiny_w, tiny_b)))

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# Two steps, in this order: make the padded copy of `x` and the empty output; loop.
# </details>
#
# <details><summary>Hint 2: padding only two of four axes</summary>
#
# `x` has four axes, so `np.pad` wants four pairs. The batch and the channels get `(0, 0)`.
# </details>
#
# <details><summary>Hint 3: cutting out one window</summary>
#
# `padded[n, top : top + FH, left : left + FW]` has shape (FH, FW, C), and so has
# `w[:, :, :, k]`. Multiplied place by place they give (FH, FW, C) products, all of which
# are added up.
# </details>
#
# <details><summary>Help, it is right at stride 1 only</summary>
#
# The loops count *positions*: i = 0, 1, 2. The window starts at *pixel* `i * stride`.
# </details>

# %% [markdown] tags=["T13"]
# ## Question 3: convolution, vectorized
#
# **40 points · 50 minutes · difficulty ●●●**
#
# **In a network:** training runs this thousands of times, so it has to be fast. How much faster it
# is than the loops, you measure below.
#
# The loops make N·OH·OW·K small dot products. A matrix product makes them all in one go, and
# NumPy hands it to code that was made fast over decades. So: collect the windows into one large
# matrix, a row for each position; reshape the filters into another, a column for each
# filter; multiply.
#
# | matrix | shape | a row is |
# |---|---|---|
# | `rows` | (N·OH·OW, FH·FW·C) | one window, flattened |
# | `w.reshape(-1, K)` | (FH·FW·C, K) | one place of the window, in all K filters |
# | product | (N·OH·OW, K) | one position of the output |
#
# (Others call this *im2col*, image to columns. In a `reshape`, `-1` means: work this one out. A
# loop over the window's places, the images or the filters is fine, one over positions is not.)
# One thing to know first: in which order does `reshape` read an array?
#
# **Predict** all three lines before you run them: two pixels with three channels each, and then
# (7, 2, 5) or (5, 7, 2)?

# %%
pixels = np.array([["a0", "a1", "a2"], ["b0", "b1", "b2"]])  # (pixel, channel)
print(pixels.reshape(-1))
print(pixels.transpose(1, 0).reshape(-1))
print(np.zeros((2, 5, 7)).transpose(2, 0, 1).shape)

# %% [markdown] tags=["T13"]
# `reshape` always reads along the last axis first; `transpose` decides which axis that is. Its
# numbers say, place by place, which *old* axis comes there. Now the windows. NumPy can show all of
# them without copying anything:

# %%
from numpy.lib.stride_tricks import sliding_window_view

images = rng.normal(size=(2, 6, 8, 5))
windows = sliding_window_view(images, (3, 2), axis=(1, 2))
print(windows.shape)

# %% [markdown]
# Two images, 4 × 7 positions of a 3×2 window, then 5 channels, then the 3 × 2 pixels
# of the window. The new axes stand at the end: **the channels come before the pixels of
# the window**, while in a filter they come after them. Which order of axes puts the two in
# line?
#
# Return **two** things, `out` and `cache`. The cache is for a later assignment, about how a
# network learns: it will want to know what went in. So `(x, w, b, stride, pad)` is a good
# choice, and only your own functions ever look inside.


# %% question="a1.conv_forward" points=40 minutes=50 difficulty=3
def conv_forward(x, w, b, *, stride=1, pad=0):
    """Convolution as one matrix product, without a loop over positions.

    x : (N, H, W, C), w : (FH, FW, C, K), b : (K,).
    stride, pad : the same for both axes.

    Returns out : (N, OH, OW, K), and cache : whatever a later assignment will need.
    """
    N, H, W, C = x.shape
    FH, FW, _, K = w.shape
    OH = shapes.output_size(H, FH, stride=stride, pad=pad)
    OW = shapes.output_size(W, FW, stride=stride, pad=pad)
    # BEGIN SOLUTION
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    windows = sliding_window_view(padded, (FH, FW), axis=(1, 2))[:, ::stride, ::stride]
    rows = windows.transpose(0, 1, 2, 4, 5, 3).reshape(N * OH * OW, FH * FW * C)
    out = (rows @ w.reshape(-1, K) + b).reshape(N, OH, OW, K)
    return out, (x, w, b, stride, pad)
    # END SOLUTION


# %% check="a1.conv_forward"
from cnnlab.check import check

check("a1.conv_forward", conv_forward)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# Six steps: pad; all windows; only every stride-th of them; put the axes in order and flatten
# each window to a row; multiply by the reshaped filters and add `b`; give the result its four
# axes back.
# </details>
#
# <details><summary>Hint 2: stride</summary>
#
# `sliding_window_view` gives every position, stride 1. Positions are axes 1 and 2:
# slice them with `[:, ::stride, ::stride]` to keep every stride-th.
# </details>
#
# <details><summary>Hint 3: the order of the axes</summary>
#
# The windows come as (N, OH, OW, C, FH, FW), axes 0 to 5. A filter is (FH, FW, C). `transpose`
# takes six numbers: for each place the old axis that comes there. Axis 3 belongs last; only then
# reshape.
# </details>
#
# <details><summary>Help, the shape is right but the numbers are not</summary>
#
# Reshape only reads numbers off, along the last axis first. Try it with C = 2, and print one row of
# the windows and one column of the filters: do they stand in the same order?
# </details>

# %% [markdown]
# ## Do the two agree?
#
# This is how every fast layer of this course was made: the slow one, plainly right, keeps
# watch over the fast one. Before you run it: the loops make one small dot product for each
# output number. How many is that here, and how much faster do you expect the second version
# to be?

# %%
with when_written("conv_loops", "conv_forward"):
    many = rng.normal(size=(4, 16, 16, 3)), rng.normal(size=(5, 5, 3, 8)), rng.normal(size=8)
    slow, fast = conv_loops(*many, pad=2), conv_forward(*many, pad=2)[0]
    print("outputs:", slow.size)
    print("largest difference below 1e-12:", np.abs(slow - fast).max() < 1e-12)

# %% tags=["nbval-ignore-output"]
from timeit import repeat

with when_written("conv_loops", "conv_forward"):
    loops = min(repeat(lambda: conv_loops(*many, pad=2), number=1, repeat=5))
    product = min(repeat(lambda: conv_forward(*many, pad=2), number=1, repeat=20))
    if np.abs(slow - fast).max() > 1e-4:
        print("first the two have to agree")
    elif loops < 1.5 * product:
        print("your question 2 was fast already")
    else:
        print(f"your question 2 took {loops / product:.0f} times as long")

# %% [markdown]
# Python starts a small job for each of the 8192 outputs; the product is a single one.

# %% [markdown] tags=["T04"]
# ## If you like: convolution with the flip
#
# **no points · 25 minutes · difficulty ●●○**
#
# **In a network:** when a network learns, each output hands a correction back to the pixels that it
# saw. That is a convolution too, but the one of mathematics, with the flip.
# Assignment 4 needs it; here you find out where the flip comes from.
#
# Think of a telescope that is a little out of focus: it draws each star as a small blot, always the
# same one, brighter or fainter. Where two blots overlap, their light adds up. The image is the
# stars, the kernel is the blot, and what the telescope sees is their **convolution**:
#
# $$\text{out}[i+u,\; j+v] \;\mathrel{+}=\; \text{image}[i,j]\;\, \text{kernel}[u,v]$$
#
# A blot may hang over the edge, so the result is larger than the image: H + FH − 1 rows and
# W + FW − 1 columns. **Predict** it for the two stars below.

# %%
stars = np.array([[0.0, 2, 0, 0], [0, 0, 1, 0]])
blot = np.array([[1.0, 2], [3, 4]])
viz.show(viz.grids({"stars": stars, "blot": blot}), alt="stars: a 2 and a 1; blot: 1 2 above 3 4.")

# %% [markdown] tags=["T04"]
# <details><summary>By hand</summary>
#
# The star of 2 draws 2 4 above 6 8, the other 1 2 above 3 4, one row lower and one column farther
# right. In the middle row 8 and 1 meet: 0 6 9 2 0.
# </details>
#
# The same, seen from one output: it collects from the pixels above it and to its *left*, and the
# pixel one to the left meets the number one to the right in the kernel. Whoever slides a window,
# and so collects, has to turn the kernel by 180° first. Whoever hands out turns nothing.
# Either way is fine here.


# %% question="a1.convolve" points=0 minutes=25 difficulty=2
def convolve(image, kernel):
    """The convolution of mathematics, over all places where image and kernel touch.

    image : (H, W), kernel : (FH, FW).

    Returns out : (H + FH - 1, W + FW - 1).
    """
    # BEGIN SOLUTION
    (H, W), (FH, FW) = image.shape, kernel.shape
    out = np.zeros((H + FH - 1, W + FW - 1))
    for i in range(H):
        for j in range(W):
            out[i : i + FH, j : j + FW] += image[i, j] * kernel
    return out
    # END SOLUTION


# %% check="a1.convolve"
from cnnlab.check import check

check("a1.convolve", convolve)

# %%
with when_written("convolve"):
    print(convolve(stars, blot))

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# With zeros of the size of the result, and a loop over the *pixels of the image*. What does one
# pixel add, and where?
# </details>
#
# <details><summary>Hint 2: one pixel</summary>
#
# The blot of pixel (i, j) begins at row i and column j of the result and is FH × FW pixels large.
# `+=` works on a slice as well.
# </details>
#
# <details><summary>Hint 3: or with windows</summary>
#
# Zeros around the image, FH − 1 rows and FW − 1 columns at each side; the kernel turned by
# `kernel[::-1, ::-1]`; then slide as in question 2.
# </details>

# %% [markdown]
# ## Your points
#
# Save the notebook (Ctrl+S, or Cmd+S on a Mac), then run this cell. It takes some seconds.
# The grader draws fresh numbers for every run, so an answer that only fits the numbers
# above gets nothing.

# %% tags=["nbval-skip"]
from cnnlab.grading import grade

grade("a1_convolution.ipynb")
