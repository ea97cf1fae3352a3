# %% [markdown]
# # Assignment 4: Backward through convolution and pooling
#
# You write the way back through three layers: average pooling, max pooling and convolution.
# All three slide a window, and all three hand a gradient back through it; they differ only in
# who in the window gets how much. At the end you check your gradients by moving each input a
# little and seeing what the output does.
#
# | | question | points | minutes | difficulty |
# |---|---|---|---|---|
# | 1 | average pooling | 10 | 8 | ●○○ |
# | 2 | max pooling | 25 | 15 | ●●○ |
# | 3 | convolution: the filters and the biases | 25 | 20 | ●●○ |
# | 4 | convolution: all three gradients | 40 | 25 | ●●● |
# | + | without a loop over positions, if you like | | 40 | ●●● |
#
# In questions 1 and 2 the loops are given, and you write what stands inside; in 3 and 4 you write
# them too, as in assignment 1. `np` is there already. With the reading between the questions it
# takes a little less than two hours. After question 2 is a good place for a break.
#
# **You need** page [02 Convolution](../notebooks/02_convolution.ipynb),
# [Assignment 1](a1_convolution.ipynb), and the chain rule.
#
# **How it works.** Write your code where it says `NotImplementedError`, run the cell, then the
# check below it. Imports and helpers that an answer needs have to stand *inside* its answer cell.
# Every answer stands alone, and so do its points. Hints unfold one by one below each check. Our
# answers are in [solutions/](../solutions/a4_conv_backward.ipynb), for afterwards.

# %%
import numpy as np

from cnnlab import ops, viz
from cnnlab.check import when_written
from cnnlab.gradcheck import check_gradients, numeric_gradient

viz.use_style()
rng = np.random.default_rng(0)

# %% [markdown] tags=["T19"]
# ## What comes in, and what goes out
#
# Somewhere above your layer stands a loss $L$, one number. On the way back, the layer above tells
# yours how $L$ changes with each number that yours put out. With the outputs numbered by $i$ and
# the pixels of the input by $p$, in whatever order:
#
# $$\text{dout}_i = \frac{\partial L}{\partial\, \text{out}_i} \qquad\text{and you answer}\qquad
# \text{dx}_p = \frac{\partial L}{\partial x_p} = \sum_i \text{dout}_i\,
# \frac{\partial\, \text{out}_i}{\partial x_p}$$
#
# Said aloud: `dout` has the shape of the output, `dx` the shape of the input. The sum runs over
# **every output in which** $x_p$ **took part**: that is the chain rule, and in this assignment it
# is all there is to know. What the forward pass had in hand comes along in a `cache`; each
# question says what is in it.
#
# Everything here is channels last: images (N, H, W, C), filters (FH, FW, C, K). PyTorch has
# (N, C, H, W) and (K, C, FH, FW).
#
# To try this out we want a loss whose gradient at the output is a `dout` of our choice. This one
# has it: $L = \sum_i \text{dout}_i \cdot \text{out}_i$, for there $\text{out}_i$ is multiplied by
# $\text{dout}_i$ and by nothing else. How it changes with a pixel we find out without a formula:
# move the pixel a little up and a little down, and see what $L$ does. `numeric_gradient` does that
# for each pixel in turn.
#
# Here 2×2 windows at stride 1 slide over a 3×3 image, and the output is the mean of each.
#
# **Predict:** the upper left pixel sits in one window, the pixel in the middle in all four. If
# `dout` is 4, 8 above 0, −4, what are their two gradients?

# %%
grid = np.array([[1.0, 2, 0], [3, 1, 3], [0, 5, 2]]).reshape(1, 3, 3, 1)
grid_dout = np.array([[4.0, 8], [0, -4]]).reshape(1, 2, 2, 1)


def loss(x):
    out, _ = ops.avg_pool_forward(x, kernel_size=2, stride=1)
    return (grid_dout * out).sum()


slopes = numeric_gradient(loss, grid).round(6)
axes = viz.grids({"x": grid[0, :, :, 0], "dout": grid_dout[0, :, :, 0], "dx": slopes[0, :, :, 0]})
viz.show(axes, alt="x, dout 4 8 0 −4, and dx: 1 3 2 above, 1 2 1 in the middle, 0 −1 −1 below.")

# %% [markdown] tags=["T17", "T19"]
# ## Question 1: average pooling
#
# **10 points · 8 minutes · difficulty ●○○**
#
# The upper left pixel got $4/4 = 1$, the middle $(4 + 8 + 0 - 4)/4 = 2$. Why: a mean over
# FH × FW pixels counts each of them with $1/(FH \cdot FW)$, so every pixel of a window gets that
# share of the window's gradient. A pixel in several windows gets a share from each of them, and
# **the shares add up**.
#
# | name | shape | what it is |
# |---|---|---|
# | `dout` | (N, OH, OW, C) | one gradient for each output |
# | `cache` | three things | `x`, `kernel_size` = (FH, FW), and `stride`, one number for both axes |
# | result `dx` | (N, H, W, C) | one gradient for each pixel of `x` |
#
# The window of output `[n, i, j, c]` starts at row `i * stride` and column `j * stride` of channel
# `c`. Windows may overlap. If the stride is larger than the window, some pixels between windows
# are seen by none; the last window ends exactly at the edge. The loop over all windows is there:
# one line is missing. (Here and below you may write it all in another way.)


# %% question="a4.avg_pool_backward" points=10 minutes=8 difficulty=1
def avg_pool_backward(dout, cache):
    """Hand each gradient back to the pixels of its window, in equal shares.

    dout : (N, OH, OW, C).
    cache : (x, kernel_size, stride), with x : (N, H, W, C) and kernel_size = (FH, FW).

    Returns dx : (N, H, W, C).
    """
    x, (FH, FW), stride = cache
    N, OH, OW, _ = dout.shape
    dx = np.zeros(x.shape)
    for n in range(N):
        for i in range(OH):
            for j in range(OW):
                top, left = i * stride, j * stride
                # BEGIN SOLUTION
                dx[n, top : top + FH, left : left + FW] += dout[n, i, j] / (FH * FW)
                # END SOLUTION
    return dx


# %%
with when_written("avg_pool_backward"):
    print(avg_pool_backward(grid_dout, (grid, (2, 2), 1))[0, :, :, 0])

# %% check="a4.avg_pool_backward"
from cnnlab.check import check

check("a4.avg_pool_backward", avg_pool_backward)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# Turn the forward pass around. Forward, you would cut out each window of `x` and *read* it. Here
# you find the same window in `dx`, and *add* to it.
# </details>
#
# <details><summary>Hint 2: one window</summary>
#
# `dx[n, top : top + FH, left : left + FW]` is a window of shape (FH, FW, C). What is the shape of
# `dout[n, i, j]`, and what happens when the two are added?
# </details>
#
# <details><summary>Help, only some of the cases are right</summary>
#
# Where the windows are square and lie side by side, much is forgiven. Else two things can go wrong:
# `=` where `+=` is meant, and FH and FW, which are two numbers.
# </details>

# %% [markdown] tags=["T17", "T19"]
# ## Question 2: max pooling
#
# **25 points · 15 minutes · difficulty ●●○**
#
# A maximum listens to one pixel of the window, the largest. Change that one a little, and the
# output follows one to one; change another, and nothing happens. So the **winner gets the whole
# gradient**, all others get zero.
#
# What if two pixels share the first place? After a ReLU that is common: whole windows are
# zero. Then there is no derivative, strictly speaking, and one has to agree on something. Here,
# as in most libraries, **the first wins, row by row, as one reads**.
#
# An example with 2×2 windows at stride 1, on `x` and `dout` as the next cell has them.
# **Predict** `dx`: which pixel wins each of the six windows, which two pixels win two windows each,
# and who gets the 6 of the last window in the upper row?

# %%
ties = np.array([[0.0, 3, 0, 0], [3, 1, 0, 0], [0, 0, 2, 0]]).reshape(1, 3, 4, 1)
ties_dout = np.array([[1.0, 2, 6], [3, 4, 5]]).reshape(1, 2, 3, 1)
out, ties_cache = ops.max_pool_forward(ties, kernel_size=2, stride=1)
pictures = {
    "x": ties,
    "out": out,
    "dout": ties_dout,
    "dx": ops.max_pool_backward(ties_dout, ties_cache),
}
axes = viz.grids({name: picture[0, :, :, 0] for name, picture in pictures.items()})
viz.show(axes, alt="dx holds 3 and 6 in the first row, 3 in the second and 9 in the third.")

# %% [markdown] tags=["T17", "T19"]
# The 3 in the first row wins two windows and collects $1 + 2$. The first window holds two 3s, and
# the lower one gets nothing from it. The last window of the upper row is all zeros: its
# first pixel gets the 6. The 2 wins twice, $4 + 5$. Nothing is lost on the way: `dx` and `dout`
# have the same sum.
#
# Each channel of each image has winners of its own. Everything else is as in question 1, the
# cache too.


# %% question="a4.max_pool_backward" points=25 minutes=15 difficulty=2
def max_pool_backward(dout, cache):
    """Hand each gradient back to the pixel that won its window; the first one among equals.

    dout : (N, OH, OW, C).
    cache : (x, kernel_size, stride), with x : (N, H, W, C) and kernel_size = (FH, FW).

    Returns dx : (N, H, W, C).
    """
    x, (FH, FW), stride = cache
    N, OH, OW, C = dout.shape
    dx = np.zeros(x.shape)
    for n in range(N):
        for i in range(OH):
            for j in range(OW):
                for c in range(C):
                    top, left = i * stride, j * stride
                    # BEGIN SOLUTION
                    window = x[n, top : top + FH, left : left + FW, c]
                    u, v = np.unravel_index(window.argmax(), window.shape)
                    dx[n, top + u, left + v, c] += dout[n, i, j, c]
                    # END SOLUTION
    return dx


# %%
with when_written("max_pool_backward"):
    print(max_pool_backward(ties_dout, (ties, (2, 2), 1))[0, :, :, 0])

# %% check="a4.max_pool_backward"
from cnnlab.check import check

check("a4.max_pool_backward", max_pool_backward)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# Cut the window of this output out of one channel of `x`, shape (FH, FW), and find out where in it
# the largest number stands.
# </details>
#
# <details><summary>Hint 2: which place won</summary>
#
# `np.argmax` of an array numbers its places from 0, row by row, and gives the first of several
# largest. In a window three wide, place 4 is row 1, column 1. `np.unravel_index(place, shape)`
# works that out.
# </details>
#
# <details><summary>Hint 3: from the window to the image</summary>
#
# Row and column count from the corner of the window. The corner stands at `top`, `left` of the
# image.
# </details>
#
# <details><summary>Help, only a few numbers differ, most of them after a ReLU</summary>
#
# Look at the ties. Comparing with the maximum, `window == window.max()`, marks *all* that are
# equal to it. And a search of your own has to start with the first pixel, or at minus infinity,
# not at 0.
# </details>

# %% [markdown] tags=["T20"]
# ### What differences say about ties
#
# `check_gradients` compares a backward function with what `numeric_gradient` finds out about its
# forward function. Here it gets the library's max pooling, which is right. **Predict:** what can it
# say where two pixels share the first place? And on random numbers?

# %%
for name, x in {"ties": ties, "random numbers": rng.normal(size=(2, 5, 7, 3))}.items():
    report = check_gradients(
        ops.max_pool_forward, ops.max_pool_backward, x, rng=rng, kernel_size=(3, 2), stride=1
    )
    print(f"{name:15} {report.verdict}")

# %% [markdown] tags=["T20"]
# With ties, moving a pixel up changes the maximum and moving it down does not: two slopes, and no
# derivative to compare with. On random numbers nothing is ever tied, and the library's version
# passes. But so would a version that lets the last of several equals win, or one that pays each of
# them in full. What happens at ties was agreed upon, not derived, so it takes a case of its own:
# the check above has one.
#
# This is a good place for a break.

# %% [markdown] tags=["T19"]
# ## Convolution, on paper
#
# Now the window has weights. One dimension first, with the six numbers and the kernel of page 02,
# stride 1, and a `dout` for each of the four outputs:
#
# $$x = [1, 2, 0, 3, 1, 2] \qquad w = [2, 1, -1] \qquad \text{out}_i = \sum_u x_{i+u}\, w_u
# \qquad \text{dout} = [1, 0, -2, 3]$$
#
# In which outputs did $x_2$ take part? In $\text{out}_0$, where it met $w_2$; in
# $\text{out}_1$, where it met $w_1$; in $\text{out}_2$, where it met $w_0$. So the chain rule says
#
# $$\text{dx}_2 = \text{dout}_0\, w_2 + \text{dout}_1\, w_1 + \text{dout}_2\, w_0
# = 1\cdot(-1) + 0\cdot 1 + (-2)\cdot 2 = -5$$
#
# **Predict** on paper: $\text{dx}_0$ and $\text{dx}_5$. $x_0$ and $x_5$ took part in one output
# each.
#
# There are two ways to do the bookkeeping. One asks each *pixel*: who saw you? The other asks each
# *output*: what do you hand back? Output $i$ hands $\text{dout}_i \cdot w$ to its window. Here is a
# row for each output; what lands in a column adds up, in the frame.

# %%
line = np.array([1.0, 2, 0, 3, 1, 2])
kernel = np.array([2.0, 1, -1])
line_dout = np.array([1.0, 0, -2, 3])
shares = np.full((4, 6), np.nan)
for i in range(4):
    shares[i, i : i + 3] = line_dout[i] * kernel
line_dx = np.nansum(shares, axis=0)

table = viz.numbers(np.vstack([shares, line_dx]), title="what each output hands back, and the sums")
viz.outline(table, 4, 0, 1, 6)
viz.show(
    table, alt="Four rows of three shares, each a step to the right; their sums 2 1 −5 4 5 −3."
)

# %% [markdown] tags=["T19"]
# Look at the indices in $\text{dx}_2$ again: as the one of `dout` goes up, that of $w$ goes *down*.
#
# $$\text{dx}_p = \sum_i \text{dout}_i\; w_{p-i}$$
#
# (Outside the kernel, $w$ counts as 0.)
# On page 02 that was the convolution of mathematics, the one with the flip. So the way back through
# a cross-correlation is a true convolution, over all places where the two touch at all. NumPy
# calls that "full", and it is what `np.convolve` does.
#
# And the kernel? $w_u$ met $x_{i+u}$ in output $i$, for every $i$. So $w_u$ collects
#
# $$\text{dw}_u = \sum_i \text{dout}_i\; x_{i+u} \qquad \text{dw}_0 = 1\cdot 1 + 0\cdot 2
# + (-2)\cdot 0 + 3\cdot 3 = 10$$
#
# Both indices go up together: `dout` slides over `x` as if it were a kernel, with no flip. That is
# what `np.correlate` does. And a bias, added once to each output, collects
# $\sum_i \text{dout}_i = 2$.
#
# **Predict** the other two: $\text{dw}_1$ and $\text{dw}_2$.

# %%
print("dx", line_dx, np.array_equal(line_dx, np.convolve(line_dout, kernel)))
print("dw", np.correlate(line, line_dout, "valid"))

# %% [markdown] tags=["T19"]
# ### A stride puts zeros between
#
# At stride 2 the window starts at 0, 2, 4: on seven numbers there are three outputs. **Predict:**
# what is $\text{dx}$ at places 0 to 6 if `dout` is $[1, -2, 3]$ and $w$ as before? Do it as above:
# each output hands $\text{dout}_i \cdot w$ back to where its window starts.
#
# <details><summary>On paper</summary>
#
# $[2, 1, -1]$ from place 0, $[-4, -2, 2]$ from place 2 and $[6, 3, -3]$ from place 4. Place 3 is in
# one window only and gets $-2$; place 2 is in two and gets $-1 - 4 = -5$. In full:
# $[2, 1, -5, -2, 8, 3, -3]$.
# </details>
#
# Another way to see it: stride 2 is stride 1 with every other output thrown away. At stride 1,
# seven numbers have five outputs. The two that are thrown away have no influence on the loss: their
# gradient is 0. Put those zeros back in, and the full convolution is right again.

# %%
spread = np.zeros(5)
spread[::2] = [1, -2, 3]
print(spread)
print(np.convolve(spread, kernel))

# %% [markdown] tags=["T13", "T19"]
# ## Question 3: the filters and the biases
#
# **25 points · 20 minutes · difficulty ●●○**
#
# In two dimensions, with images, channels and filters, the forward pass was
#
# $$\text{out}[n,i,j,k] = b[k] + \sum_{u}\sum_{v}\sum_{c}
#   x_\text{padded}[n,\; iS+u,\; jS+v,\; c]\;\, w[u,v,c,k]$$
#
# ($S$ is the stride; $x_\text{padded}$ is `x` with `pad` rows and columns of zeros on every side.)
#
# The weight `w[u, v, c, k]` took part in output channel `k` of **every** position of **every**
# image, and each time it met one pixel. So it collects
#
# $$\text{dw}[u,v,c,k] = \sum_{n}\sum_{i}\sum_{j}
#   x_\text{padded}[n,\; iS+u,\; jS+v,\; c]\;\, \text{dout}[n,i,j,k]$$
#
# One window at a time that is easier than it looks: the window of position `[n, i, j]`, multiplied
# by the one number `dout[n, i, j, k]`, is what this position adds to the gradient of filter `k`.
# And `b[k]` was added once to each output of channel `k`.
#
# | name | shape | what it is |
# |---|---|---|
# | `dout` | (N, OH, OW, K) | one gradient for each output |
# | `cache` | five things | `(x, w, b, stride, pad)` |
# | `x` | (N, H, W, C) | the images |
# | `w` | (FH, FW, C, K) | the filters |
# | `b` | (K,) | the biases |
# | `stride`, `pad` | numbers | the same for both axes |
# | `dw` | (FH, FW, C, K) | as `w` |
# | `db` | (K,) | as `b` |
#
# Everything is a sum; do not divide by N. If the loss is a mean over the images, `dout` has been
# divided already. The windows are those of the forward pass, so they are cut from the padded `x`,
# which is given, and fit it exactly. You write the loops, as they stand in question 1, and one more
# for the filters.
#
# **Predict** dw and db for this example, two outputs side by side.

# %%
small_x = np.array([[1.0, 2, 0], [3, 1, 3]]).reshape(1, 2, 3, 1)
small_w = np.array([[1.0, 0], [2, -1]]).reshape(2, 2, 1, 1)
small_dout = np.array([[10.0, 1]]).reshape(1, 1, 2, 1)
small_cache = (small_x, small_w, np.zeros(1), 1, 0)
viz.show(
    viz.grids({"x": small_x[0, :, :, 0], "w": small_w[:, :, 0, 0], "dout": small_dout[0, :, :, 0]}),
    alt="x: 1 2 0 above 3 1 3; w: 1 0 above 2 −1; dout: 10 1.",
)

# %% [markdown] tags=["T19"]
# <details><summary>On paper</summary>
#
# $$\text{dw} = 10 \cdot \begin{bmatrix}1&2\\3&1\end{bmatrix} +
# 1 \cdot \begin{bmatrix}2&0\\1&3\end{bmatrix} =
# \begin{bmatrix}12&20\\31&13\end{bmatrix} \qquad \text{db} = 10 + 1 = 11$$
# </details>


# %% question="a4.conv_backward_params" points=25 minutes=20 difficulty=2
def conv_backward_params(dout, cache):
    """Gradients of the filters and the biases of a convolution.

    dout : (N, OH, OW, K).
    cache : (x, w, b, stride, pad), with x : (N, H, W, C), w : (FH, FW, C, K), b : (K,).

    Returns dw : (FH, FW, C, K), and db : (K,).
    """
    x, w, _, stride, pad = cache
    FH, FW, _, K = w.shape
    N, OH, OW, _ = dout.shape
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    dw = np.zeros(w.shape)
    # BEGIN SOLUTION
    for n in range(N):
        for i in range(OH):
            for j in range(OW):
                rows = slice(i * stride, i * stride + FH)
                columns = slice(j * stride, j * stride + FW)
                for k in range(K):
                    dw[:, :, :, k] += padded[n, rows, columns] * dout[n, i, j, k]
    return dw, dout.sum(axis=(0, 1, 2))
    # END SOLUTION


# %%
with when_written("conv_backward_params"):
    small_dw, small_db = conv_backward_params(small_dout, small_cache)
    print(small_dw[:, :, 0, 0], small_db)

# %% check="a4.conv_backward_params"
from cnnlab.check import check

check("a4.conv_backward_params", conv_backward_params)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# Take the loops of a forward pass: images, rows, columns, filters. Forward, the innermost line
# made one output out of a window and a filter. Here it makes a contribution to a filter's gradient
# out of a window and one number.
# </details>
#
# <details><summary>Hint 2: one window and one number</summary>
#
# The window is (FH, FW, C), and so is `dw[:, :, :, k]`. `dout[n, i, j, k]` is a number.
# </details>
#
# <details><summary>Hint 3: the bias</summary>
#
# Of the four axes of `dout` only the last is left: sum over the other three. `sum` takes several
# axes at once, as a tuple.
# </details>
#
# <details><summary>Help, it stops with "operands could not be broadcast together"</summary>
#
# Print the shape of the window. If it gets smaller towards the edge, the windows are cut from `x`
# where they should be cut from the padded `x`. If it is (FH, FW, C), as it should be: what has to
# have the same shape?
# </details>

# %% [markdown] tags=["T20"]
# ### A tool of your own
#
# You need no check of ours to find out whether a gradient is right. Give `check_gradients` a
# forward function that returns `out` and a cache, a backward function that takes `dout` and that
# cache, and a point to check at. It moves each number of each argument up and down and compares.
# Here `x` stays as it is, and `w` and `b` are moved. Note the sizes: no two of N, H, W, C, FH, FW,
# K, OH and OW are alike, and stride and padding are on, so that nothing can be confused without
# being seen. (`print(report)` also says where a gradient is wrong, and by how much.)

# %%
images = rng.normal(size=(2, 13, 16, 5))
filters, biases = rng.normal(size=(3, 4, 5, 6)), rng.normal(size=6)


def forward(x, w, b):
    out, _ = ops.conv_forward(x, w, b, stride=2, pad=1)
    return out, (x, w, b, 2, 1)


with when_written("conv_backward_params"):
    report = check_gradients(
        lambda w, b: forward(images, w, b), conv_backward_params, filters, biases, rng=rng
    )
    for finding in report.findings:
        print(finding.name, finding.verdict)

# %% [markdown] tags=["T13", "T19"]
# ## Question 4: all three gradients
#
# **40 points · 25 minutes · difficulty ●●●**
#
# What is missing is `dx`, for the layers below. As on paper, every output hands back to the pixels
# of its window the weights it used, each times its gradient; and now there are K filters at every
# position that do so:
#
# $$\text{dx}_\text{padded}[n,\; iS+u,\; jS+v,\; c] \;\mathrel{+}=\;
#   \sum_k w[u,v,c,k]\;\, \text{dout}[n,i,j,k]$$
#
# The windows slid over the *padded* image, so collect in an array of that size. The zeros around
# the image were no part of `x`. Their gradients interest nobody: cut the border off at the end, and
# `dx` has the shape of `x`, also where `pad` is 0.
#
# On paper first, for the example of question 3: what does the pixel in the middle of the upper row
# get, the 2?
#
# <details><summary>On paper</summary>
#
# It met $w_{01} = 0$ in the first window and $w_{00} = 1$ in the second:
# $10 \cdot 0 + 1 \cdot 1 = 1$. In full:
#
# $$\text{dx} = \begin{bmatrix}10&1&0\\20&-8&-1\end{bmatrix}$$
# </details>
#
# Return `dx`, `dw` and `db`, in this order. The last two are those of question 3: copy your lines,
# for if you call the function, this answer is wrong whenever that is. The check judges each of the
# three by itself. If you have not got `dw` yet, return zeros for it and begin with `dx`. The
# points come when all three are right.


# %% question="a4.conv_backward" points=40 minutes=25 difficulty=3
def conv_backward(dout, cache):
    """Gradients of a convolution: input, filters and biases.

    dout : (N, OH, OW, K).
    cache : (x, w, b, stride, pad), with x : (N, H, W, C), w : (FH, FW, C, K), b : (K,).

    Returns dx : (N, H, W, C), dw : (FH, FW, C, K), and db : (K,).
    """
    x, w, _, stride, pad = cache
    (_, H, W, _), (FH, FW, _, K), (N, OH, OW, _) = x.shape, w.shape, dout.shape
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    # BEGIN SOLUTION
    dpadded, dw = np.zeros(padded.shape), np.zeros(w.shape)
    for n in range(N):
        for i in range(OH):
            for j in range(OW):
                rows = slice(i * stride, i * stride + FH)
                columns = slice(j * stride, j * stride + FW)
                for k in range(K):
                    dpadded[n, rows, columns] += w[:, :, :, k] * dout[n, i, j, k]
                    dw[:, :, :, k] += padded[n, rows, columns] * dout[n, i, j, k]
    return dpadded[:, pad : pad + H, pad : pad + W], dw, dout.sum(axis=(0, 1, 2))
    # END SOLUTION


# %%
with when_written("conv_backward"):
    print(conv_backward(small_dout, small_cache)[0][0, :, :, 0])
    report = check_gradients(forward, conv_backward, images, filters, biases, rng=rng)
    for finding in report.findings:
        print(finding.name, finding.verdict)

# %% check="a4.conv_backward"
from cnnlab.check import check

check("a4.conv_backward", conv_backward)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# Begin with your answer to question 3. Beside `dw`, make an array of zeros in the shape of the
# padded `x`. The loops stay the same, and the line in the middle gets a sister.
# </details>
#
# <details><summary>Hint 2: the new line</summary>
#
# For `dw` you took the window of the padded `x`, times a number. For `dx` take filter `k`, times
# the same number, and add it to the same window of the new array.
# </details>
#
# <details><summary>Hint 3: the border</summary>
#
# The first pixel of the image lies in row `pad` and column `pad` of the padded one, and there are
# H rows and W columns of them. `pad : pad + H` also works where `pad` is 0; `pad : -pad` does not.
# </details>
#
# <details><summary>Help, dx is right at stride 1 only</summary>
#
# The loops count positions. The window starts at *pixel* `i * stride`, on the way back too.
# </details>

# %% [markdown] tags=["T20"]
# ## How a gradient check can mislead
#
# A gradient check compares at one point, with one `dout`. At a bad point a wrong backward
# pass looks right. Here are four backward passes of a convolution in one dimension, the one from
# above and three wrong ones. (Read their first lines; the rest is bookkeeping.)


# %%
def right(dout, kernel, stride):
    spread = np.zeros(stride * (len(dout) - 1) + 1)
    spread[::stride] = dout
    return np.convolve(spread, kernel)


def kernel_turned(dout, kernel, stride):
    return right(dout, kernel[::-1], stride)


def dout_turned(dout, kernel, stride):
    return right(dout[::-1], kernel, stride)


def stride_ignored(dout, kernel, stride):
    dx = right(dout, kernel, 1)
    return np.append(dx, np.zeros(7 - len(dx)))  # as long as the input of seven numbers


# %% [markdown] tags=["T20"]
# Each is compared with differences, at four points. **Predict:** at the first, with ones for
# `dout`, how many of the three wrong ones are caught?
#
# The next cell makes a table of it: read the table, skip the code. All four points have the same
# input, seven ones. That does no harm, for the output is linear in `x`, so its slopes are the same
# everywhere.


# %%
def slopes_at(dout, kernel, stride):
    def loss(x):
        return np.correlate(x, kernel, "valid")[::stride] @ dout

    return numeric_gradient(loss, np.ones(7))


points = {
    "ones, kernel 1 2 1, stride 1": (np.ones(5), np.array([1.0, 2, 1]), 1),
    "dout drawn, kernel 1 2 1, stride 1": (rng.normal(size=5), np.array([1.0, 2, 1]), 1),
    "dout drawn, kernel 2 1 −1, stride 1": (rng.normal(size=5), np.array([2.0, 1, -1]), 1),
    "dout drawn, kernel 2 1 −1, stride 2": (rng.normal(size=3), np.array([2.0, 1, -1]), 2),
}
versions = [right, kernel_turned, dout_turned, stride_ignored]
print(" " * 36, *(f"{version.__name__:15}" for version in versions))
for name, point in points.items():
    passes = [np.allclose(version(*point), slopes_at(*point)) for version in versions]
    print(f"{name:36}", *(f"{'passes' if ok else 'caught':15}" for ok in passes))

# %% [markdown] tags=["T20"]
# At the first point everything passes. Ones hide where a gradient came from, a kernel that looks
# the same from both ends hides a flip, and stride 1 hides the stride. So:
#
# - **draw** `dout` at random (`check_gradients` does);
# - let no two sizes be alike, those of the output included, so that no two axes can be swapped
#   unseen;
# - turn on everything that your function has: stride, padding, overlap, several images;
# - stay away from ties and other kinks, and test those on their own.
#
# And one thing no gradient check can know: whether the *forward* pass is the one you wanted.

# %% [markdown] tags=["T13", "T19"]
# ## If you like: without a loop over positions
#
# **no points · 40 minutes · difficulty ●●●**
#
# If you wrote loops in question 4, they visit every position of every image for every filter. That
# is fine for a check and too slow for training. (If you did not, hand in the same code.) Do the
# same without a loop over positions. A loop over the few *places of the window*, FH times FW, is
# allowed. There are at least three ways:
#
# - **place by place**: for one place `(u, v)` of the window, all positions at once see one slice
#   of the padded image, with steps of `stride`;
# - **as matrices**: forward, a matrix of windows was multiplied by a matrix of filters. Backward,
#   one of the two gradients is a product with the transposed windows, the other with the transposed
#   filters, and what comes out as rows has to be added back to where it was cut from;
# - **as convolutions**: on paper `dx` was a full convolution over `dout` with zeros put in.


# %% question="a4.conv_backward_fast" points=0 minutes=40 difficulty=3
def conv_backward_fast(dout, cache):
    """Gradients of a convolution, without a loop over positions.

    dout : (N, OH, OW, K).
    cache : (x, w, b, stride, pad), with x : (N, H, W, C), w : (FH, FW, C, K), b : (K,).

    Returns dx : (N, H, W, C), dw : (FH, FW, C, K), and db : (K,).
    """
    x, w, _, S, pad = cache
    (_, H, W, _), (FH, FW, _, _), (_, OH, OW, _) = x.shape, w.shape, dout.shape
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    # BEGIN SOLUTION
    dpadded, dw = np.zeros(padded.shape), np.zeros(w.shape)
    for u in range(FH):
        for v in range(FW):
            seen = np.s_[:, u : u + S * OH : S, v : v + S * OW : S]
            dw[u, v] = np.tensordot(padded[seen], dout, axes=((0, 1, 2), (0, 1, 2)))
            dpadded[seen] += dout @ w[u, v].T
    return dpadded[:, pad : pad + H, pad : pad + W], dw, dout.sum(axis=(0, 1, 2))
    # END SOLUTION


# %% check="a4.conv_backward_fast"
from cnnlab.check import check

check("a4.conv_backward_fast", conv_backward_fast)

# %% [markdown]
# <details><summary>Hint 1: what place (u, v) sees</summary>
#
# At position (i, j) it sees row `i * stride + u` and column `j * stride + v`. For all positions
# together those are OH rows and OW columns, `stride` apart: a slice with a step. Its shape is (N,
# OH, OW, C).
# </details>
#
# <details><summary>Hint 2: the weights of one place</summary>
#
# `dw[u, v]` is (C, K): the slice (N, OH, OW, C) and `dout` (N, OH, OW, K), multiplied and summed
# over their first three axes. `np.tensordot` and `np.einsum` do that in one line.
# </details>
#
# <details><summary>Hint 3: what one place hands back</summary>
#
# `dout` is (N, OH, OW, K), and the slice of the new array wants (N, OH, OW, C). Which of `w[u, v]`
# and its transpose has K rows and C columns? `+=` on a slice adds in place.
# </details>

# %% tags=["nbval-ignore-output"]
from timeit import repeat

with when_written("conv_backward", "conv_backward_fast"):
    many_x, many_w = rng.normal(size=(4, 16, 16, 3)), rng.normal(size=(5, 5, 3, 8))
    many = rng.normal(size=(4, 16, 16, 8)), (many_x, many_w, np.zeros(8), 1, 2)
    before = min(repeat(lambda: conv_backward(*many), number=1, repeat=3))
    fast = min(repeat(lambda: conv_backward_fast(*many), number=1, repeat=10))
    if before < 1.5 * fast:
        print("your question 4 was fast already")
    else:
        print(f"your question 4 took {before / fast:.0f} times as long")

# %% [markdown]
# ## Your points
#
# Save the notebook (Ctrl+S, or Cmd+S on a Mac), then run this cell. It takes some seconds.
# The grader draws fresh numbers for every run, so an answer that only fits the numbers
# above gets nothing.

# %% tags=["nbval-skip"]
from cnnlab.grading import grade

grade("a4_conv_backward.ipynb")
