# %% [markdown]
# # Assignment 5: Signals
#
# A number on its way through a deep network is multiplied and bent again and again, and so is the
# gradient on its way back. If each layer makes it a little smaller, nothing is left after ten of
# them. You write the three things that keep a signal alive: activations that let the gradient
# through, weights that start with the right size, and batch normalization.
#
# | | question | points | minutes | difficulty |
# |---|---|---|---|---|
# | 1 | the sigmoid | 10 | 10 | ●○○ |
# | 2 | the sigmoid, backward | 10 | 10 | ●○○ |
# | 3 | leaky ReLU | 5 | 5 | ●○○ |
# | 4 | leaky ReLU, backward | 10 | 5 | ●○○ |
# | 5 | how wide weights start | 10 | 10 | ●●○ |
# | 6 | batch normalization | 25 | 25 | ●●○ |
# | 7 | batch normalization, backward | 20 | 25 | ●●● |
# | 8 | batch normalization after a convolution | 10 | 10 | ●●○ |
# | + | a slope that is learned, if you like | | 15 | ●●○ |
#
# With what there is to read and to run, that makes about two hours; one, if you have written such
# things before.
#
# **You need** the chain rule, and sums and means along an axis of an array.
#
# **How it works.** Write your code where it says `NotImplementedError`, run the cell, then the
# check below it. Imports and helpers that an answer needs have to stand *inside* its answer cell.
# Every answer stands alone, and so do its points. Hints unfold one by one below each check. Our
# answers are in [solutions/](../solutions/a5_signals.ipynb), for afterwards.

# %%
import numpy as np

from cnnlab import init, ops, viz

viz.use_style()
rng = np.random.default_rng(0)

# %% [markdown] tags=["T21", "T22", "T23", "T24"]
# ## What bends the signal
#
# Layers that only multiply and add, one after the other, are together a single such layer. Between
# them something has to bend: an *activation function*, applied to each number by itself. Here are
# four, and beside them their slopes.
#
# **Predict:** on the way back, the gradient is multiplied by the slope. Where on each curve does
# nothing come through?

# %%
line = np.linspace(-6, 6, 241)
curves = {
    "sigmoid": (ops.reference.sigmoid, {}),
    "tanh": (ops.reference.tanh, {}),
    "ReLU": (ops.reference.relu, {}),
    "leaky ReLU, slope 0.1": (ops.reference.leaky_relu, {"slope": 0.1}),
}
values, slopes = viz.row(2)
for name, (op, options) in curves.items():
    out, cache = op.forward(line, **options)
    values.plot(line, out, label=name)
    slopes.plot(line, op.backward(np.ones_like(line), cache))
values.set(title="out", xlabel="x", ylim=(-1.5, 3))
slopes.set(title="slope", xlabel="x")
values.legend(fontsize=8)
viz.show(
    [values, slopes],
    alt="Sigmoid and tanh level out at both ends, where their slopes are 0; ReLU is flat below 0.",
)

# %% [markdown] tags=["T21", "T22"]
# Sigmoid and tanh level out at both ends: they *saturate*, and what saturates passes nothing back.
# A ReLU does so on one side only, a leaky ReLU nowhere.
#
# ## Question 1: the sigmoid
#
# **10 points · 10 minutes · difficulty ●○○**
#
# It squashes any number into the range from 0 to 1. For a long time it was the usual activation,
# and it still sits wherever a probability is wanted.
#
# $$\sigma(x) = \frac{1}{1 + e^{-x}} = \frac{e^{x}}{1 + e^{x}}$$
#
# | name | shape | what it is |
# |---|---|---|
# | `x` | any | numbers of any size |
# | result `out` | as `x` | $\sigma$ of each |
#
# On paper the two forms are the same. In a computer they are not: $e^{1000}$ is too large for a
# float. **Predict** what each of them gives at 1000 and at −1000.

# %%
with np.errstate(all="ignore"):  # no warnings, for once
    for x in np.array([1000.0, -1000.0]):
        print(f"x = {x:5.0f}:  {1 / (1 + np.exp(-x)):.0f}  and  {np.exp(x) / (1 + np.exp(x)):.0f}")

# %% [markdown] tags=["T21", "T22"]
# One of the two ends in infinity divided by infinity, which is no number (`nan`), and training
# never recovers from one. The other gets away with one divided by infinity and a warning. Your
# answer has to be right at ±1000, and no exponential may overflow on the way.


# %% question="a5.sigmoid_forward" points=10 minutes=10 difficulty=1
def sigmoid_forward(x):
    """Squash every number into the range from 0 to 1.

    x : any shape.

    Returns out : as x.
    """
    # BEGIN SOLUTION
    e = np.exp(-np.abs(x))  # at most 1
    return np.where(x >= 0, 1, e) / (1 + e)
    # END SOLUTION


# %%
from cnnlab.check import when_written

with when_written("sigmoid_forward"), np.printoptions(precision=3, suppress=True):
    print(sigmoid_forward(np.array([-1000.0, -2, 0, 2, 1000])))
# tanh is a sigmoid in disguise: twice as steep, and from −1 to 1
print(np.allclose(np.tanh(line), 2 * ops.sigmoid_forward(2 * line)[0] - 1))

# %% check="a5.sigmoid_forward"
from cnnlab.check import check

check("a5.sigmoid_forward", sigmoid_forward)

# %% [markdown]
# <details><summary>Hint 1: which form for which x</summary>
#
# An exponential overflows only if its exponent is large and *positive*. For which x is the exponent
# of the first form negative, for which that of the second?
# </details>
#
# <details><summary>Hint 2: both in one</summary>
#
# In either case only e to the power of −|x| is needed, which is never more than 1. `np.where`
# chooses what stands above the line.
# </details>
#
# <details><summary>Hint 3: another way</summary>
#
# The cell above says how tanh is made of a sigmoid. Solve that for the sigmoid: `np.tanh` never
# overflows.
# </details>

# %% [markdown] tags=["T21", "C2"]
# ## Question 2: the sigmoid, backward
#
# **10 points · 10 minutes · difficulty ●○○**
#
# With $\text{out} = (1 + e^{-x})^{-1}$ the chain rule gives
#
# $$\frac{d\,\text{out}}{dx} = \frac{e^{-x}}{(1 + e^{-x})^2}
#   = \frac{1}{1 + e^{-x}} \cdot \frac{e^{-x}}{1 + e^{-x}}$$
#
# The first factor is `out`. What is the second one, in terms of `out`? Once you see it, no
# exponential is needed on the way back, and the forward pass need only keep `out`.
#
# | name | shape | what it is |
# |---|---|---|
# | `dout` | any | the gradient of the loss with respect to `out` |
# | `cache` | as `dout` | `out` itself, what the sigmoid gave |
# | result `dx` | as `dout` | the gradient with respect to `x` |
#
# **Predict:** at which x is the slope largest, and how large is it there?


# %% question="a5.sigmoid_backward" points=10 minutes=10 difficulty=1
def sigmoid_backward(dout, cache):
    """Hand the gradient back through a sigmoid.

    dout : any shape.
    cache : out, what the sigmoid gave.

    Returns dx : as dout.
    """
    # BEGIN SOLUTION
    out = cache
    return dout * out * (1 - out)
    # END SOLUTION


# %%
with when_written("sigmoid_backward"), np.printoptions(precision=5, suppress=True):
    some_x = np.array([0.0, 2, 5, 10])
    print(sigmoid_backward(np.ones(4), ops.sigmoid_forward(some_x)[0]))

# %% check="a5.sigmoid_backward"
from cnnlab.check import check

check("a5.sigmoid_backward", sigmoid_backward)

# %% [markdown]
# <details><summary>Hint 1: the second factor</summary>
#
# The two factors have the same denominator, and their numerators, 1 and e to the power of −x, add
# up to it. So the two factors add up to 1.
# </details>
#
# <details><summary>Hint 2: the chain rule</summary>
#
# What comes from above is multiplied by the slope, number by number.
# </details>
#
# <details><summary>Hint 3: a number to try</summary>
#
# Where `out` is ½, the slope is ¼. Where `out` is 0 or 1, it is 0.
# </details>

# %% [markdown] tags=["T21", "T23", "C2"]
# ### Saturated units kill gradients
#
# At 0 a quarter comes through, which is the best a sigmoid can do, and at 10 next to nothing.
# **Predict:** a gradient goes back through eight layers of 100 units. What is left of it with
# sigmoids, and what with ReLUs? (Printed is its share, layer by layer.)


# %%
def way_back(op, std, depth=8, width=100):
    """The share of the gradient that is left, from the last layer to the first."""
    x, passed, sizes = rng.normal(size=(64, width)), [], []
    for _ in range(depth):
        w = rng.normal(0, std, (width, width))
        x, cache = op.forward(x @ w)
        passed.append((w, cache))
    dx = rng.normal(size=x.shape)
    first = np.linalg.norm(dx)
    for w, cache in reversed(passed):
        dx = op.backward(dx, cache) @ w.T
        sizes.append(np.linalg.norm(dx) / first)
    return sizes


print("sigmoid", *(f"{size:8.2g}" for size in way_back(ops.reference.sigmoid, 0.1)))
print("ReLU   ", *(f"{size:8.2g}" for size in way_back(ops.reference.relu, 0.02**0.5)))

# %% [markdown] tags=["T21", "T23", "C2"]
# With sigmoids each layer leaves about a quarter, and the first layer hardly learns. (A quarter,
# because 100 weights of std 0.1 by themselves keep the size. Larger weights could make up for it,
# but then more units saturate.) With ReLUs nothing is lost. Why
# the two began with weights of different size, you will see in question 5.
#
# The sigmoid has two more problems. Its output is never negative, so all weights of the next unit
# are pushed the same way at once; and an exponential costs more than a comparison.

# %% [markdown] tags=["T23", "T24"]
# ## Question 3: leaky ReLU
#
# **5 points · 5 minutes · difficulty ●○○**
#
# A ReLU, max(0, x), has one weak side: a unit that is negative for every image gets no gradient,
# so it never changes again. It is dead. A *leaky* ReLU lets a little through there:
#
# $$\text{out} = \begin{cases} x & \text{where } x > 0\\ \text{slope} \cdot x & \text{elsewhere}
#   \end{cases}$$
#
# | name | shape | what it is |
# |---|---|---|
# | `x` | any | |
# | `slope` | one number | of the negative side; 0.01 unless the caller says otherwise |
# | result `out` | as `x` | |
#
# With slope 0 it is a plain ReLU. (It comes from Maas and others, 2013. A later paper made the
# slope something to learn: that is the optional question at the end.)
#
# **Predict** the output for −8, 0 and 8 with slope 0.25.


# %% question="a5.leaky_relu_forward" points=5 minutes=5 difficulty=1
def leaky_relu_forward(x, *, slope=0.01):
    """Keep what is positive, and multiply the rest by the slope.

    x : any shape.
    slope : of the negative side, from 0 to 1.

    Returns out : as x.
    """
    # BEGIN SOLUTION
    return np.where(x > 0, x, slope * x)
    # END SOLUTION


# %%
with when_written("leaky_relu_forward"):
    print(leaky_relu_forward(np.array([-8.0, 0, 8]), slope=0.25))

# %% check="a5.leaky_relu_forward"
from cnnlab.check import check

check("a5.leaky_relu_forward", leaky_relu_forward)

# %% [markdown]
# <details><summary>Hint 1: choosing, number by number</summary>
#
# `np.where(condition, a, b)` takes from `a` where the condition holds, and from `b` elsewhere.
# </details>
#
# <details><summary>Hint 2: another way</summary>
#
# Both lines go through 0. Which of the two, x and slope · x, is the upper one on the right, and
# which on the left, if the slope lies between 0 and 1?
# </details>
#
# <details><summary>Help, the numbers I passed in have changed</summary>
#
# `x[x < 0] *= slope` works on the caller's own array. Work on a copy.
# </details>

# %% [markdown] tags=["T23", "T24"]
# ## Question 4: leaky ReLU, backward
#
# **10 points · 5 minutes · difficulty ●○○**
#
# The slope of the curve is 1 on one side and `slope` on the other. At exactly 0 there is a kink and
# no slope, so one has to agree on something: here **0 counts as the negative side**.
#
# | name | shape | what it is |
# |---|---|---|
# | `dout` | any | the gradient of the loss with respect to `out` |
# | `cache` | two things | `(x, slope)`, as they went into the forward pass |
# | result `dx` | as `dout` | the gradient with respect to `x` |
#
# **Predict** `dx` for x = −8, 0, 8, slope 0.25 and `dout` 4, 4, −4.


# %% question="a5.leaky_relu_backward" points=10 minutes=5 difficulty=1
def leaky_relu_backward(dout, cache):
    """Hand the gradient back through a leaky ReLU.

    dout : any shape.
    cache : (x, slope), with x as dout and slope one number.

    Returns dx : as dout.
    """
    # BEGIN SOLUTION
    x, slope = cache
    return dout * np.where(x > 0, 1, slope)
    # END SOLUTION


# %%
with when_written("leaky_relu_backward"):
    print(leaky_relu_backward(np.array([4.0, 4, -4]), (np.array([-8.0, 0, 8]), 0.25)))

# %% check="a5.leaky_relu_backward"
from cnnlab.check import check

check("a5.leaky_relu_backward", leaky_relu_backward)

# %% [markdown]
# <details><summary>Hint 1: who decides</summary>
#
# `x` decides which side of the kink a number is on, whatever the sign of `dout`.
# </details>
#
# <details><summary>Hint 2: what comes through</summary>
#
# On one side all of `dout`, on the other `slope` times as much.
# </details>
#
# <details><summary>Help, a few numbers differ</summary>
#
# Look at the places where x is exactly 0. `x > 0` and `x >= 0` differ there only.
# </details>

# %% [markdown] tags=["T26", "C3", "C4"]
# ## Question 5: how wide weights start
#
# **10 points · 10 minutes · difficulty ●●○**
#
# Weights are drawn from a Gaussian around 0. How wide should it be? Follow the size of the signal
# through ten layers of 200 ReLUs.
#
# **Predict:** with which of the widths 0, 0.01, 0.07, 0.1 and 0.5 does a signal reach the end?


# %%
def way_forward(std, depth=10, width=200):
    """The standard deviation of what each layer puts out."""
    x, sizes = rng.normal(size=(64, width)), []
    for _ in range(depth):
        x, _ = ops.relu_forward(x @ rng.normal(0, std, (width, width)))
        sizes.append(x.std())
    return sizes


print("after layer", *(f"{layer:>5}   " for layer in (1, 4, 7, 10)))
for std in (0, 0.01, 0.07, 0.1, 0.5):
    print(f"std {std:<7}", *(f"{size:8.1e}" for size in way_forward(std)[::3]))

# %% [markdown] tags=["T26", "C3", "C4"]
# Somewhere near 0.1 it lives, and a factor of 1.4 already costs most of it. Where does 0.1 come
# from? A unit adds up $n$ products $w_i x_i$. If the weights are drawn independently around 0, the
# variances add up:
#
# $$\operatorname{Var}\Big(\sum_i w_i x_i\Big) = n \cdot \operatorname{Var}(w) \cdot E[x^2]$$
#
# If x comes from a ReLU, half of a symmetric signal has been set to zero: $E[x^2]$ is half the
# variance there was before. For the variance to stay the same from layer to layer,
# $n \cdot \operatorname{Var}(w) \cdot \frac12 = 1$:
#
# $$\text{he} = \sqrt{\frac{2}{n_\text{in}}} \qquad\qquad
#   \text{xavier} = \sqrt{\frac{2}{n_\text{in} + n_\text{out}}}$$
#
# The second one does without the half, as for a tanh near 0, and in the place of $n$ it puts the
# mean of $n_\text{in}$, which the way forward wants, and $n_\text{out}$, which the way back wants.

# %% [markdown] tags=["T26"]
# $n_\text{in}$ is the number of **inputs** that one unit adds up. (Some lecture notes say
# outputs; the paper, He and others 2015, and the line above say inputs.) $n_\text{out}$ is the
# number of units that one input goes to.
#
# | shape of the weights | $n_\text{in}$ | $n_\text{out}$ |
# |---|---|---|
# | matrix (D, M) | D | M |
# | filters (FH, FW, C, K) | FH · FW · C | FH · FW · K |
#
# **If you come from PyTorch:** there outputs come first, (M, D) and (K, C, FH, FW).
#
# A filter reads its window over all C channels; and a pixel is read by each of the K filters, once
# from each place of the window.
#
# On paper: what are $n_\text{in}$ and $n_\text{out}$ for (5, 5, 3, 10)?
#
# <details><summary>On paper</summary>
#
# $5 \cdot 5 \cdot 3 = 75$ and $5 \cdot 5 \cdot 10 = 250$.
# </details>


# %% question="a5.initial_std" points=10 minutes=10 difficulty=2
def initial_std(shape):
    """Standard deviations to draw weights with.

    shape : of the weights, (D, M) or (FH, FW, C, K).

    Returns he and xavier, two numbers.
    """
    # BEGIN SOLUTION
    *window, inputs, outputs = shape
    places = np.prod(window)  # 1 for a matrix
    n_in, n_out = places * inputs, places * outputs
    return np.sqrt(2 / n_in), np.sqrt(2 / (n_in + n_out))
    # END SOLUTION


# %%
with when_written("initial_std"):
    for shape in ((200, 200), (5, 5, 3, 10)):
        with np.printoptions(precision=4):
            print(shape, np.array(initial_std(shape)))
print("drawn by the library:", f"{init.he((5, 5, 3, 1000), rng=rng).std():.3f}")

# %% check="a5.initial_std"
from cnnlab.check import check

check("a5.initial_std", initial_std)

# %% [markdown]
# <details><summary>Hint 1: take the shape apart</summary>
#
# The last axis counts outputs, the one before it inputs, also for filters. What is in front of
# them is the window: `*window, inputs, outputs = shape` puts it into a list.
# </details>
#
# <details><summary>Hint 2: the window</summary>
#
# The number of its places is a factor of both. A matrix has no window: the product of an empty
# list is 1, as `np.prod` and `math.prod` know.
# </details>
#
# <details><summary>Help, only the matrices are right</summary>
#
# A filter reads FH · FW pixels, of each of its C channels.
# </details>

# %%
with when_written("initial_std"):
    he, xavier = initial_std((200, 200))
    (ax,) = viz.row(1, width=6)
    for name, std in {"0.01": 0.01, "xavier": xavier, "he": he, "0.5": 0.5}.items():
        ax.semilogy(range(1, 11), way_forward(std), "o-", label=name)
    ax.set(xlabel="layer", ylabel="standard deviation of the output")
    ax.legend(title="std of the weights", loc="center left", bbox_to_anchor=(1, 0.5))
    viz.show(ax, alt="With he the line is level; xavier falls slowly, 0.01 steeply, 0.5 climbs.")

# %% [markdown] tags=["C4"]
# ### And zeros?
#
# With all weights at zero every unit gives the same. **Predict:** two layers, 5 → 4 → 3, all
# weights equal, a ReLU between them. What do the columns of the first gradient look like if all
# weights are 0.5? And if all are 0?

# %%
x, dscores = np.abs(rng.normal(size=(6, 5))), rng.normal(size=(6, 3))
for start in (0.5, 0.0):
    w1, w2 = np.full((5, 4), start), np.full((4, 3), start)
    _, positive = ops.relu_forward(x @ w1)
    dw1 = x.T @ ops.relu_backward(dscores @ w2.T, positive)
    print(f"all weights {start}: the first two rows of dw1 are\n{dw1[:2].round(3)}")

# %% [markdown] tags=["C4"]
# Equal columns: the four units get the same gradient, so they stay alike for ever, and the layer is
# worth one unit. With zeros no gradient arrives at all. Chance breaks the symmetry; that is what it
# is for.
#
# This is a good place for a break.

# %% [markdown] tags=["T27"]
# ## Question 6: batch normalization
#
# **25 points · 25 minutes · difficulty ●●○**
#
# Instead of hoping that the signal keeps its size, one can see to it. A batch normalization layer
# measures each feature over the batch, brings it to mean 0 and variance 1, and then lets training
# choose a scale γ and a shift β (Ioffe and Szegedy, 2015):
#
# $$\mu = \frac1N \sum_n x_n \qquad \sigma^2 = \frac1N \sum_n (x_n - \mu)^2 \qquad
#   \hat x_n = \frac{x_n - \mu}{\sqrt{\sigma^2 + \varepsilon}} \qquad
#   \text{out}_n = \gamma\, \hat x_n + \beta$$
#
# Said aloud: `x` is (N, C), N images with C features each. Everything runs down the columns: `mu`,
# the variance, γ and β are (C,). The small ε keeps a constant feature from being divided by 0.
#
# A worked example, by the library: two images, three features. The second feature is ten times the
# first, the third is the same in both images. **Predict** what comes out with γ = 1 and β = 0.

# %%
two_images = np.array([[1.0, 10, 5], [3, 30, 5]])
out, _ = ops.batch_norm_forward(two_images, np.ones(3), np.zeros(3))
print(out.round(3))

# %% [markdown] tags=["T27"]
# The first two come out alike, and in the third nothing is left. But there is a catch: what becomes
# of an image depends on the other images in its batch. At test time that will not do, and a single
# image would always come out as β. So in training the layer gathers running statistics, and at test
# time it uses those:
#
# $$\text{new mean} = m \cdot \text{running mean} + (1 - m) \cdot \mu \qquad
#   \text{new var} = m \cdot \text{running var} + (1 - m) \cdot \sigma^2$$
#
# The **momentum** $m$ is the share of the old value that is kept, 0.9 for example. **If you come
# from PyTorch:** there momentum is the share of the new one, 0.1, and the running variance divides
# by N − 1. Here it is the same $\sigma^2$, divided by N.
#
# | `training` | normalize with | running statistics |
# |---|---|---|
# | True | $\mu$, $\sigma^2$ of this batch | return the new ones |
# | False | the running ones | return them as they are |
#
# `x` is (N, C), all others (C,). Nothing that is passed in may be overwritten.


# %% question="a5.batch_norm_forward" points=25 minutes=25 difficulty=2
def batch_norm_forward(x, gamma, beta, running_mean, running_var, *, momentum, eps, training):
    """Normalize each feature over the batch, then scale and shift it.

    x : (N, C).
    gamma, beta : (C,), scale and shift.
    running_mean, running_var : (C,), what was gathered so far.
    momentum : the share of it that is kept.
    eps : added to the variance.
    training : True or False.

    Returns out : (N, C), new_mean : (C,), and new_var : (C,).
    """
    # BEGIN SOLUTION
    if training:
        mean, var = x.mean(axis=0), x.var(axis=0)
        running_mean = momentum * running_mean + (1 - momentum) * mean
        running_var = momentum * running_var + (1 - momentum) * var
    else:
        mean, var = running_mean, running_var
    normalized = (x - mean) / np.sqrt(var + eps)
    return gamma * normalized + beta, running_mean, running_var
    # END SOLUTION


# %%
with when_written("batch_norm_forward"):
    results = batch_norm_forward(
        two_images,
        np.array([1.0, 2, 1]),  # gamma
        np.array([0.0, 5, 7]),  # beta
        np.zeros(3),  # running_mean
        np.ones(3),  # running_var
        momentum=0.9,
        eps=1e-5,
        training=True,
    )
    with np.printoptions(precision=3, suppress=True):
        print(results)

# %% check="a5.batch_norm_forward"
from cnnlab.check import check

check("a5.batch_norm_forward", batch_norm_forward)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# Begin with training alone: mean and variance down the columns are `x.mean(axis=0)` and
# `x.var(axis=0)`, both (C,). Broadcasting pairs (C,) with the last axis of (N, C), so the formulas
# can be typed as they stand.
# </details>
#
# <details><summary>Hint 2: the two modes</summary>
#
# They differ in *which* mean and variance the output is made with. Choose those first, in an
# `if`; the lines that make the output are the same for both.
# </details>
#
# <details><summary>Hint 3: the running statistics</summary>
#
# In training mix the old with that of the batch, into new arrays. In the other branch there is
# nothing to compute. In the example the means are 2, 20 and 5: with momentum 0.9 a tenth of them
# arrives.
# </details>
#
# <details><summary>Help, the input is overwritten</summary>
#
# `running_mean *= momentum` and `running_mean[:] = …` change the caller's array. Give the result a
# name of its own: `a = m * b + …`.
# </details>

# %% [markdown] tags=["T27", "C3"]
# ### What it does to a signal
#
# The ten layers from above, with weights of std 0.01 and 0.5, both fatal before. Now each layer
# normalizes its sums before the ReLU. **Predict:** do the two rows differ, and does either fall?

# %%
with when_written("batch_norm_forward"):
    settings = {"momentum": 0.9, "eps": 1e-5, "training": True}
    print("after layer", *(f"{layer:>5}" for layer in (1, 4, 7, 10)))
    for std in (0.01, 0.5):
        signal, sizes = rng.normal(size=(64, 200)), []
        for _ in range(10):
            sums = signal @ rng.normal(0, std, (200, 200))
            start = np.ones(200), np.zeros(200), np.zeros(200), np.ones(200)
            signal = np.maximum(batch_norm_forward(sums, *start, **settings)[0], 0)
            sizes.append(signal.std())
        print(f"std {std:<7}", *(f"{size:.3f}" for size in sizes[::3]))

# %% [markdown] tags=["T27"]
# The size of the weights hardly matters any more. (0.58 is the standard deviation of a ReLU's
# output if mean 0 and variance 1 go in: the mean square is ½, the mean 0.40, and
# √(0.5 − 0.40²) = 0.58.) Why it helps training as much as it does is not settled: the reason the
# paper gives did not hold up in experiments by Santurkar and others (2018), who found a smoother
# loss instead.
#
# ## Question 7: batch normalization, backward
#
# **20 points · 25 minutes · difficulty ●●●**
#
# One column is enough on paper; all columns are alike. The cache holds $\hat x$ and
# $s = \sqrt{\sigma^2 + \varepsilon}$. γ and β are easy. `out` is γ · x̂ + β in every row, and what
# the rows hand back adds up:
#
# $$\text{dγ} = \sum_n \text{dout}_n\, \hat x_n \qquad\qquad \text{dβ} = \sum_n \text{dout}_n$$
#
# For `dx` let $g_n = \gamma \cdot \text{dout}_n$, the gradient of $\hat x_n$. Changing one $x_n$
# changes the output in **three ways**: by itself, because it moves the mean, and because it moves
# the variance. The three add up.

# %% [markdown] tags=["T27"]
# <details><summary>The derivation, step by step</summary>
#
# With $\hat x_n = (x_n - \mu)/s$:
#
# 1. **By itself:** $g_n / s$.
# 2. **Through the mean:** $\mu$ stands in every $\hat x_m$ with slope $-1/s$, so it collects
#    $-\frac1s \sum_m g_m$. And $\mu$ moves by $\frac1N$ of what $x_n$ moves. Together:
#    $-\frac1s \cdot \text{mean}(g)$. ($\mu$ stands in $\sigma^2$ too, but nothing comes along that
#    way: its slope there is $-\frac2N \sum_m (x_m - \mu)$, and the distances from the mean sum
#    to 0.)
# 3. **Through the variance:** $s$ stands in every $\hat x_m$ below the line, so it collects
#    $-\frac1s \sum_m g_m \hat x_m$. And $s$, the root of a mean of squares, moves by
#    $\frac{1}{2s} \cdot \frac{2 (x_n - \mu)}{N} = \frac{\hat x_n}{N}$. Together:
#    $-\frac1s\, \hat x_n \cdot \text{mean}(g\, \hat x)$.
#
# </details>
#
# <details><summary>The result, if you want to begin with it</summary>
#
# $$\text{dx}_n = \frac{1}{s} \Big( g_n - \text{mean}(g) - \hat x_n \cdot
#   \text{mean}(g\, \hat x) \Big)$$
#
# </details>
#
# Two things you can check without any formula. Add the same number to a whole column:
# the mean takes it away again, so the output stays, and $\sum_n \text{dx}_n$ has to be 0. Stretch
# a column: the standard deviation takes that away too, so $\sum_n \text{dx}_n \hat x_n$ has to be 0
# (but for ε).
#
# | name | shape | what it is |
# |---|---|---|
# | `dout` | (N, C) | the gradient of the loss with respect to the output |
# | `cache` | three things | `x_hat` (N, C); `std` (C,), the root with ε in it; `gamma` (C,) |
# | `dx` | (N, C) | the first of three results |
# | `dgamma`, `dbeta` | (C,) | the other two |
#
# The check judges each of the three by itself, so you can begin with `dgamma` and `dbeta` and
# return zeros for `dx`. The points are for all three.

# %% [markdown] tags=["T27"]
# An example first: four images, one feature. The loss does not look at the second and the fourth
# output: their `dout` is 0. **Predict:** is their `dx` 0 as well, and if not, which sign has it?

# %%
column = np.array([[1.0], [2], [6], [3]])
column_dout = np.array([[4.0], [0], [-1], [0]])
_, library_cache = ops.batch_norm_forward(column, np.array([2.0]), np.zeros(1))
column_dx, _, _ = ops.batch_norm_backward(column_dout, library_cache)
x_hat = (column - column.mean()) / column.std()
sums = abs(column_dx.sum()), abs((column_dx * x_hat).sum())
print("dx", column_dx.ravel().round(3))
print("sums of dx and of dx · x̂, without sign:", *(f"{total:.4f}" for total in sums))


# %% question="a5.batch_norm_backward" points=20 minutes=25 difficulty=3
def batch_norm_backward(dout, cache):
    """Hand the gradient back through batch normalization, in training.

    dout : (N, C).
    cache : (x_hat, std, gamma), with x_hat : (N, C), std : (C,), gamma : (C,).

    Returns dx : (N, C), dgamma : (C,), and dbeta : (C,).
    """
    # BEGIN SOLUTION
    x_hat, std, gamma = cache
    g = gamma * dout
    dx = (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0)) / std
    return dx, (dout * x_hat).sum(axis=0), dout.sum(axis=0)
    # END SOLUTION


# %%
with when_written("batch_norm_backward"):
    column_cache = x_hat, column.std(axis=0), np.array([2.0])
    with np.printoptions(precision=3, suppress=True):
        print(batch_norm_backward(column_dout, column_cache))  # dx, dgamma, dbeta

# %% check="a5.batch_norm_backward"
from cnnlab.check import check

check("a5.batch_norm_backward", batch_norm_backward)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# With γ and β: each is one line, a sum down the columns. Their results have one number for each
# feature.
# </details>
#
# <details><summary>Hint 2: dx, without the corrections</summary>
#
# If mean and variance were constants, `dx` would be `gamma * dout / std`. Write that first: the
# check calls it by its name. Two terms are still to be subtracted, inside, before the division.
# </details>
#
# <details><summary>Hint 3: the two corrections</summary>
#
# With `g = gamma * dout`, both are means down the columns, (C,): one of `g`, the other of `g`
# times `x_hat`. The second is multiplied by `x_hat` once more, which makes it (N, C).
# </details>
#
# <details><summary>Help, dx is right for one case only</summary>
#
# Is it the one with one feature? Then a mean runs over everything: it needs its axis.
# </details>

# %% [markdown] tags=["T27"]
# ## Question 8: after a convolution
#
# **10 points · 10 minutes · difficulty ●●○**
#
# After a convolution the features are the **channels**. A filter looks for the same thing at every
# position, so all positions of all images count together: C means and C variances, each over
# $N \cdot H \cdot W$ numbers.
#
# | name | shape | what it is |
# |---|---|---|
# | `x` | (N, H, W, C) | feature maps |
# | `gamma`, `beta` | (C,) | scale and shift of each channel |
# | `eps` | one number | added to the variance |
# | result `out` | (N, H, W, C) | normalized, as in training |
#
# **If you come from PyTorch:** here the channels are the last axis, not the second.
#
# No running statistics this time. One way is to take the means over three axes at once; another
# is to make a matrix of it, (N·H·W, C), normalize its columns and go back.
#
# **Predict:** two images of 4×5 pixels with 3 channels. How many means are there, and how many
# would `axis=0` alone give?
#
# <details><summary>On paper</summary>
#
# 3 means, each over $2 \cdot 4 \cdot 5 = 40$ numbers; `axis=0` alone gives
# $4 \cdot 5 \cdot 3 = 60$, each over 2.
# </details>


# %% question="a5.batch_norm_conv" points=10 minutes=10 difficulty=2
def batch_norm_conv(x, gamma, beta, *, eps):
    """Normalize each channel over all images and positions, then scale and shift it.

    x : (N, H, W, C).
    gamma, beta : (C,).
    eps : added to the variance.

    Returns out : (N, H, W, C).
    """
    # BEGIN SOLUTION
    columns = x.reshape(-1, x.shape[-1])
    x_hat = (columns - columns.mean(axis=0)) / np.sqrt(columns.var(axis=0) + eps)
    return (gamma * x_hat + beta).reshape(x.shape)
    # END SOLUTION


# %%
with when_written("batch_norm_conv"):
    maps = rng.normal(size=(2, 4, 5, 3)) * [1, 10, 100]
    out = batch_norm_conv(maps, np.ones(3), np.array([0.0, 0, 7]), eps=1e-5)
    print("means", np.abs(out.mean(axis=(0, 1, 2))).round(3), "widths", out.std((0, 1, 2)).round(3))

# %% check="a5.batch_norm_conv"
from cnnlab.check import check

check("a5.batch_norm_conv", batch_norm_conv)

# %% [markdown]
# <details><summary>Hint 1: over three axes</summary>
#
# `mean` and `var` take several axes at once, as a tuple. What is left is the last axis, and (C,)
# goes with (N, H, W, C) without any more ado.
# </details>
#
# <details><summary>Hint 2: as a matrix</summary>
#
# `reshape(-1, C)` leaves the last axis alone and lines up all others. A column of the result is one
# channel.
# </details>
#
# <details><summary>Help, it is right for one channel only</summary>
#
# Then the channels got mixed or were counted together. `reshape(C, -1)` does not move the last axis
# to the front: it cuts the numbers, as they lie, into C pieces.
# </details>

# %% [markdown] tags=["T24"]
# ## If you like: a slope that is learned
#
# **no points · 15 minutes · difficulty ●●○**
#
# A PReLU (He and others, 2015) is a leaky ReLU with a slope for each channel, and the slopes are
# learned like weights. So `slope` gets a gradient too. Where x is positive, the slope took no part;
# elsewhere the output was `slope * x`, and every such place adds its share:
#
# $$\text{dslope}_c = \sum_{x_c \le 0} \text{dout}_c \cdot x_c$$
#
# The sum runs over all axes but the last. `dx` is that of question 4, with the slope of the
# channel, and as there, 0 counts as the negative side.


# %% question="a5.prelu_backward" points=0 minutes=15 difficulty=2
def prelu_backward(dout, cache):
    """Hand the gradient back through a PReLU, and give that of its slopes.

    dout : (N, C) or (N, H, W, C).
    cache : (x, slope), with x as dout, and slope : (C,).

    Returns dx : as dout, and dslope : (C,).
    """
    # BEGIN SOLUTION
    x, slope = cache
    dx = dout * np.where(x > 0, 1, slope)
    shares = dout * np.minimum(x, 0)
    return dx, shares.reshape(-1, len(slope)).sum(axis=0)
    # END SOLUTION


# %% check="a5.prelu_backward"
from cnnlab.check import check

check("a5.prelu_backward", prelu_backward)

# %% [markdown]
# <details><summary>Hint 1: dx</summary>
#
# `slope` of shape (C,) pairs with the last axis by itself. Question 4 needs hardly a change.
# </details>
#
# <details><summary>Hint 2: only where it leaked</summary>
#
# `np.minimum(x, 0)` is x on the negative side and 0 on the other.
# </details>
#
# <details><summary>Hint 3: all axes but the last</summary>
#
# There may be one of them or three. `reshape(-1, C)` makes one of them in either case.
# </details>

# %% [markdown]
# ## Your points
#
# Save the notebook (Ctrl+S, or Cmd+S on a Mac), then run this cell. It takes some seconds.
# The grader draws fresh numbers for every run, so an answer that only fits the numbers
# above gets nothing.

# %% tags=["nbval-skip"]
from cnnlab.grading import grade

grade("a5_signals.ipynb")
