# %% [markdown]
# # Assignment 6: Training
#
# The layers are written; now they have to learn. AlexNet came with a recipe: prepared and
# augmented images, dropout, response normalization, a penalty on large weights, momentum, and a
# learning rate that is cut when progress stops. You write all of it. Each piece is a few lines, and
# the mistakes are in the details.
#
# | | question | points | minutes | difficulty |
# |---|---|---|---|---|
# | 1 | preprocessing | 15 | 15 | ●○○ |
# | 2 | augmentation: crop and flip | 10 | 12 | ●○○ |
# | 3 | dropout, forward | 15 | 15 | ●●○ |
# | 4 | dropout, backward | 5 | 5 | ●○○ |
# | 5 | local response normalization | 20 | 20 | ●●○ |
# | 6 | a step with momentum and weight decay | 20 | 18 | ●●○ |
# | 7 | the learning rate, until a plateau | 15 | 20 | ●●○ |
# | + | back through response normalization, if you like | | 45 | ●●● |
#
# With the reading, and training at the end, that is about two hours.
#
# **You need** page [02 Convolution](../notebooks/02_convolution.ipynb) for the shapes, and for
# question 4 and the one without points the chain rule, as in
# [assignment 3](a3_backpropagation.ipynb). You have trained a network once, and know what loss,
# epoch and batch are.
#
# **How it works.** Write your code where it says `NotImplementedError`, run the cell, then the
# check below it. Imports and helpers that an answer needs have to stand *inside* its answer cell.
# Every answer stands alone, and so do its points; take them in any order. Hints unfold one by one
# below each check. Our answers are in [solutions/](../solutions/a6_training.ipynb), for afterwards.

# %%
import numpy as np

from cnnlab import data, viz
from cnnlab.gradcheck import check_gradients

viz.use_style()
rng = np.random.default_rng(0)

# %% [markdown] tags=["T25"]
# ## Question 1: preprocessing
#
# **15 points · 15 minutes · difficulty ●○○**
#
# Pixels run from 0 to 255: none negative, and most large. A network learns faster from numbers
# around 0 that are about 1 in size. So there are two numbers **for each channel**: its *mean* is
# subtracted from every pixel, and what is left is divided by its *standard deviation*:
#
# $$x' = \frac{x - \text{mean}_c}{\text{std}_c} \qquad
# \text{std}_c = \sqrt{\text{mean of } (x - \text{mean}_c)^2}$$
#
# Where do these numbers come from? From the **training images, and only those**. Test images
# stand for what comes later, which nobody can measure beforehand. They go through the same formula,
# with the same numbers.
#
# A channel of four training pixels and of two test pixels. **Predict** on paper: the mean, the
# standard deviation, and all six results.

# %%
pixels_train = np.array([90, 110, 90, 110], np.uint8).reshape(1, 2, 2, 1)
pixels_test = np.array([100, 130], np.uint8).reshape(1, 1, 2, 1)
print("mean", pixels_train.mean(), " standard deviation", pixels_train.std())

# %% [markdown] tags=["T25"]
# <details><summary>On paper</summary>
#
# The mean is 100 and every pixel is 10 away from it, so the standard deviation is 10. Training:
# −1, 1, −1, 1. Test: 0 and 3. The test results need not have mean 0.
# </details>
#
# | name | shape | what it is |
# |---|---|---|
# | `train` | (N, H, W, C) uint8 | training images |
# | `test` | (M, H, W, C) uint8 | test images, as many channels |
# | results | the same two shapes, floats | the same images, standardized |


# %% question="a6.standardize" points=15 minutes=15 difficulty=1
def standardize(train, test):
    """Give each channel of the training images mean 0 and standard deviation 1.

    train : (N, H, W, C) uint8, test : (M, H, W, C) uint8.

    Returns both, standardized by the mean and the standard deviation of the training images.
    """
    # BEGIN SOLUTION
    mean = train.mean(axis=(0, 1, 2))
    std = train.std(axis=(0, 1, 2))
    return (train - mean) / std, (test - mean) / std
    # END SOLUTION


# %%
from cnnlab.check import when_written

with when_written("standardize"):
    for split in standardize(pixels_train, pixels_test):
        print(split.ravel())

# %% check="a6.standardize"
from cnnlab.check import check

check("a6.standardize", standardize)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# First the two statistics of `train`. There is one of each for every channel, so both have
# shape (C,).
# </details>
#
# <details><summary>Hint 2: which axes</summary>
#
# A mean over an axis makes that axis go away. Only the last one is to stay. `mean` and `std`
# take several axes at once, as a tuple.
# </details>
#
# <details><summary>Hint 3: shapes that fit</summary>
#
# (N, H, W, C) minus (C,) works as it is: NumPy lines shapes up from the right.
# </details>

# %% [markdown] tags=["T31"]
# ## Question 2: augmentation
#
# **10 points · 12 minutes · difficulty ●○○**
#
# A shoe a little further left is still a shoe, and so is its mirror image. To a network these are
# new images, and they cost nothing. AlexNet was trained on windows of 224×224 cut out of images of
# 256×256, somewhere, half of them mirrored left to right: by the count of the paper, 2048 times as
# many images as there were. Chance says where, and which. Here it has spoken: the offsets and truth
# values are given, and your function only cuts and flips.
#
# **Predict:** mirrored first and cut then, with the same offsets: is that the same picture?


# %%
photo = data.photograph((96, 80))
viz.show(
    viz.images(
        {
            "image, 96×80": photo,
            "rows 10 to 82, columns 16 to 76": photo[10:82, 16:76],
            "cut, then mirrored": photo[10:82, 16:76][:, ::-1],
            "mirrored, then cut": photo[:, ::-1][10:82, 16:76],
        }
    ),
    alt="A portrait, a window cut out of it, its mirror image, and a window of the mirror image.",
)

# %% [markdown] tags=["T31"]
# Only a window in the middle gives the same: elsewhere the mirror image has something else at this
# offset. Here: cut first, then mirror the crop.
#
# | name | shape | what it is |
# |---|---|---|
# | `images` | (N, H, W, C) floats | a batch |
# | `tops`, `lefts` | (N,) whole numbers | row and column where the window of each image starts |
# | `mirrored` | (N,) truth values | whether the crop of each image is mirrored |
# | `size` | (height, width) | of the window, the same for all |
# | result | (N, height, width, C) floats | the crops |


# %% question="a6.crop_and_flip" points=10 minutes=12 difficulty=1
def crop_and_flip(images, tops, lefts, mirrored, *, size):
    """Cut a window out of each image, then mirror some of them left to right.

    images : (N, H, W, C).
    tops, lefts : (N,) where each window starts.
    mirrored : (N,) whether to mirror each crop.
    size : (height, width) of the windows.

    Returns crops : (N, height, width, C).
    """
    # BEGIN SOLUTION
    height, width = size
    crops = np.zeros((len(images), height, width, images.shape[3]))
    for n in range(len(images)):
        crop = images[n, tops[n] : tops[n] + height, lefts[n] : lefts[n] + width]
        if mirrored[n]:
            crop = crop[:, ::-1]
        crops[n] = crop
    return crops
    # END SOLUTION


# %%
with when_written("crop_and_flip"):
    grid = np.arange(16.0).reshape(1, 4, 4, 1)
    for mirror in (False, True):
        print(crop_and_flip(grid, [1], [0], [mirror], size=(2, 3))[0, :, :, 0])

# %% check="a6.crop_and_flip"
from cnnlab.check import check

check("a6.crop_and_flip", crop_and_flip)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# A loop over the images. Make the result first, with its shape, and fill in one crop after the
# other.
# </details>
#
# <details><summary>Hint 2: one crop</summary>
#
# A slice is `start : end`, and the end is `start + length`. One crop has shape (height, width, C).
# </details>
#
# <details><summary>Hint 3: the mirror</summary>
#
# `[::-1]` turns an axis round. In one crop the columns are axis 1, so one axis comes before them.
# </details>

# %% [markdown] tags=["T30"]
# ## Question 3: dropout, forward
#
# **15 points · 15 minutes · difficulty ●●○**
#
# During training, each number that comes out of a layer is set to zero with probability `rate`: the
# next layer cannot rely on any single number. At test time all of them are there.
#
# Suppose the rate is 3/4 and all numbers are 1. **Predict:** what is their mean after three of
# four have been dropped? And by which factor must those that are left grow, for the mean to be 1
# again? (Here every fourth is kept, without chance, to see the mean.)

# %%
ones = np.ones(10_000)
kept = np.tile([False, False, False, True], 2_500)
print(f"kept {kept.mean():.2f}, mean {(ones * kept).mean():.2f}")

# %% [markdown] tags=["T30"]
# Only a share of $1 - \text{rate}$ is kept, so what is kept is divided by it: here by 1/4, so
# multiplied by 4. That happens **in training**, so that at test time there is nothing to do: out is
# x. (The older way leaves training alone and makes everything smaller at test time.)
#
# $$\text{out} = \frac{m \cdot x}{1 - \text{rate}} \qquad
# m = 0 \text{ with probability rate, else } 1$$
#
# | name | shape | what it is |
# |---|---|---|
# | `x` | any | what comes in |
# | `rate` | a number, 0 or more and less than 1 | the probability of being set to zero |
# | `rng` | as `np.random.default_rng(0)` | NumPy's source of chance: draw from this one alone |
# | `training` | True or False | whether to drop anything |
# | result `out` | as `x` | with zeros in it, in training |
# | result `mask` | as `x` | True where a number was kept |
#
# Draw a decision **for each number** of `x`. At test time the mask may be anything.
# Since you may draw as you like, the check cannot compare number by number: it measures the share
# of zeros, the factor, and whether anything was decided in common.


# %% question="a6.dropout_forward" points=15 minutes=15 difficulty=2
def dropout_forward(x, *, rate, rng, training):
    """In training, drop each number with probability rate, and enlarge the others.

    x : any shape.
    rate : the probability of being set to zero.
    rng : the generator to draw from.
    training : whether to drop anything.

    Returns out and mask, both in the shape of x; the mask is True where a number was kept.
    """
    # BEGIN SOLUTION
    if not training:
        return x, np.ones(x.shape, bool)
    mask = rng.random(x.shape) >= rate
    return x * mask / (1 - rate), mask
    # END SOLUTION


# %%
with when_written("dropout_forward"):
    out, mask = dropout_forward(ones, rate=0.75, rng=rng, training=True)
    print(f"kept {mask.mean():.2f}, mean {out.mean():.2f}, values {np.unique(out)}")

# %% check="a6.dropout_forward"
from cnnlab.check import check

check("a6.dropout_forward", dropout_forward)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# With the case in which nothing is to be done.
# </details>
#
# <details><summary>Hint 2: chance with a given probability</summary>
#
# `rng.random(x.shape)` gives numbers between 0 and 1, all equally likely. Which share of them
# lies below `rate`? And are those the ones to keep?
# </details>
#
# <details><summary>Hint 3: making use of the mask</summary>
#
# In a product True counts as 1 and False as 0. And the mask that is returned has to be the one that
# was used: draw once only.
# </details>
#
# <details><summary>Help, the input is overwritten</summary>
#
# `x *= mask` and `x[~mask] = 0` change the array of the caller. `x * mask` makes a new one.
# </details>

# %% [markdown] tags=["T30"]
# ## Question 4: dropout, backward
#
# **5 points · 5 minutes · difficulty ●○○**
#
# On the way back, `dout` says how the loss changes with each number that came out. You answer how
# it changes with each number that went in. Forward, everything was multiplied: by 0, or by
# $1/(1-\text{rate})$.
#
# **Predict:** at rate 3/4, the mask is True, False, True, and `dout` is 1, 2, 3. What is `dx`?
#
# <details><summary>On paper</summary>
#
# Kept numbers were multiplied by 4, the dropped one by 0. So are their gradients: 4, 0, 12.
# </details>
#
# | name | shape | what it is |
# |---|---|---|
# | `dout` | as `x` | one gradient for each output |
# | `cache` | two things | `mask`, True where a number was kept, and `rate` |
# | result `dx` | as `x` | one gradient for each input |


# %% question="a6.dropout_backward" points=5 minutes=5 difficulty=1
def dropout_backward(dout, cache):
    """Gradient of dropout in training.

    dout : any shape.
    cache : (mask, rate), with the mask of the forward pass, in the shape of dout.

    Returns dx, in the shape of dout.
    """
    # BEGIN SOLUTION
    mask, rate = cache
    return dout * mask / (1 - rate)
    # END SOLUTION


# %%
with when_written("dropout_backward"):
    print(dropout_backward(np.array([1.0, 2, 3]), (np.array([True, False, True]), 0.75)))

# %% check="a6.dropout_backward"
from cnnlab.check import check

check("a6.dropout_backward", dropout_backward)

# %% [markdown]
# <details><summary>Hint 1: one number</summary>
#
# If out is 4 times x, and the loss changes by 3 when out changes by 1: by how much does it change
# when x changes by 1?
# </details>
#
# <details><summary>Hint 2: a number that was dropped</summary>
#
# Its output was 0 whatever x was. Nothing that x does can change the loss.
# </details>
#
# <details><summary>Hint 3: all of them</summary>
#
# Forward, x was multiplied by a factor for each number. Backward, dout is multiplied by the same
# factors.
# </details>

# %% [markdown] tags=["T29"]
# ## Question 5: local response normalization
#
# **20 points · 20 minutes · difficulty ●●○**
#
# In AlexNet channels compete: where the neighbors of a channel shout, it is turned down. Neighbors
# are **channels at the same place of the same image**, $n$ in all: the channel itself and $n//2$ on
# either side. At the ends, what is not there counts as zero.
#
# $$\text{out}_i = \frac{x_i}{s_i^{\,\beta}} \qquad
# s_i = k + \alpha \sum_{j = i - n//2}^{i + n//2} x_j^2$$
#
# The paper has $n = 5$, $k = 2$, $\alpha = 10^{-4}$, $\beta = 0.75$. An example with $n = 3$,
# $k = 1$, $\alpha = 1$, $\beta = 1$ and three channels: 1, 2, 3. **Predict** the three sums $s$.

# %%
three = np.array([1.0, 2, 3])
sums = 1 + np.array([1 + 4, 1 + 4 + 9, 4 + 9])
print(sums, (three / sums).round(3))

# %% [markdown] tags=["T29"]
# | name | shape | what it is |
# |---|---|---|
# | `x` | (N, H, W, C) | what comes out of a layer |
# | `n` | an odd number | channels that a sum runs over, if they exist |
# | `k`, `alpha`, `beta` | numbers | of the formula |
# | result | as `x` | |


# %% question="a6.lrn_forward" points=20 minutes=20 difficulty=2
def lrn_forward(x, *, n, k, alpha, beta):
    """Divide every number by a power of what its neighbors among the channels amount to.

    x : (N, H, W, C).
    n : how many channels are summed over, odd.
    k, alpha, beta : constants.

    Returns out : (N, H, W, C).
    """
    C = x.shape[3]
    out = np.zeros(x.shape)
    for i in range(C):  # x[..., i] is channel i of all images and places
        # BEGIN SOLUTION
        first, last = max(0, i - n // 2), min(C - 1, i + n // 2)
        total = (x[..., first : last + 1] ** 2).sum(axis=3)
        out[..., i] = x[..., i] / (k + alpha * total) ** beta
        # END SOLUTION
    return out


# %%
with when_written("lrn_forward"):
    print(lrn_forward(three.reshape(1, 1, 1, 3), n=3, k=1.0, alpha=1.0, beta=1.0))

# %% check="a6.lrn_forward"
from cnnlab.check import check

check("a6.lrn_forward", lrn_forward)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# With the neighbors of channel i: a slice of the last axis of `x`, `x[..., first : last + 1]`. Its
# squares are summed over that axis, which leaves (N, H, W), as `out[..., i]` is.
# </details>
#
# <details><summary>Hint 2: the neighbors of channel i</summary>
#
# The first is `i - n // 2`, the last `i + n // 2`. A slice ends *before* its second number, and
# may run over the end of the axis without harm.
# </details>
#
# <details><summary>Hint 3: the first channels</summary>
#
# In a slice −1 does not mean "before the beginning": it is the last channel. So the start of the
# slice must not be less than 0.
# </details>
#
# <details><summary>Help, only the numbers at the ends differ</summary>
#
# Look at which channels are summed there. No wrapping round, no repeating, and no mean: just fewer
# terms.
# </details>

# %% [markdown]
# This is a good place for a break. What comes next moves the weights.

# %% [markdown] tags=["T32"]
# ## Question 6: a step with momentum and weight decay
#
# **20 points · 18 minutes · difficulty ●●○**
#
# Large weights make a function that jumps, and one that fits every training image by heart. So
# they are made to cost something: the *L2 penalty* $\frac{\lambda}{2} \sum w^2$ is added to the
# loss. Its gradient, $\lambda w$, is added to the gradient $g$ that the loss itself has, and pulls
# each weight towards 0: *weight decay*. Biases are left alone; they shift a function and make it no
# wilder.
#
# A plain step is $w \leftarrow w - \eta g$. In a long valley with steep walls it goes to and fro
# between the walls and hardly along. A heavy ball does better: it has a velocity $v$, of
# which a share $\mu$ is left after each step. To and fro cancels out, and along adds up.
#
# $$v \leftarrow \mu v - \eta\,(g + \lambda w) \qquad\text{then}\qquad w \leftarrow w + v$$
#
# There are other ways to write it, with the signs or $\eta$ elsewhere. In this one $v$ **is the
# step that is taken**.
#
# **Predict** two steps from $w = 1$, $v = 0$, with $\mu = 1/2$, $\eta = 1/4$, $\lambda = 0$ and
# $g = 2$ both times.
#
# <details><summary>On paper</summary>
#
# First $v = -0.5$ and $w = 0.5$; then $v = -0.25 - 0.5 = -0.75$ and $w = -0.25$.
# </details>
#
# | name | shape | what it is |
# |---|---|---|
# | `w`, `g`, `v` | any, the same | the weights, their gradient, and their velocity so far |
# | `learning_rate`, `momentum`, `weight_decay` | numbers | η, μ and λ |
# | results `w`, `v` | the same | the new weights and the new velocity, **new arrays** |


# %% question="a6.momentum_step" points=20 minutes=18 difficulty=2
def momentum_step(w, g, v, *, learning_rate, momentum, weight_decay):
    """One step of gradient descent with momentum and weight decay.

    w, g, v : weights, their gradient and their velocity, all of one shape.
    learning_rate, momentum, weight_decay : η, μ and λ.

    Returns the new w and the new v.
    """
    # BEGIN SOLUTION
    v = momentum * v - learning_rate * (g + weight_decay * w)
    return w + v, v
    # END SOLUTION


# %%
with when_written("momentum_step"):
    w, v = np.array([1.0]), np.array([0.0])
    for _ in range(2):
        w, v = momentum_step(
            w, np.array([2.0]), v, learning_rate=0.25, momentum=0.5, weight_decay=0.0
        )
        print("w", w, "v", v)

# %% check="a6.momentum_step"
from cnnlab.check import check

check("a6.momentum_step", momentum_step)

# %% [markdown]
# <details><summary>Hint 1: the order</summary>
#
# First the new velocity, from the old one. Then the new weights, from the new velocity.
# </details>
#
# <details><summary>Hint 2: the brackets</summary>
#
# Weight decay joins the gradient, and the learning rate multiplies both of them, but not the old
# velocity.
# </details>
#
# <details><summary>Hint 3: one line each</summary>
#
# The two formulas above, read from left to right, are the two lines. `v = …` gives a new array its
# name; `v *= …` and `w += v` would change those that came in.
# </details>

# %% [markdown] tags=["T32"]
# ### In the valley
#
# Along this valley the slope is gentle, across it fifty times as steep:
# $L = \frac12 (w_0^2 + 50\, w_1^2)$, and the gradient is $(w_0, 50\, w_1)$. Across, a learning rate
# above $2/50 = 0.04$ would jump out of it, so 0.03 is about all that one can do. **Predict:**
# after 100 steps, which is closer to the bottom at (0, 0), momentum 0 or 0.9? How many times?

# %%
with when_written("momentum_step"):
    for momentum in (0.0, 0.9):
        w, v = np.array([5.0, 1.0]), np.zeros(2)
        for _ in range(100):
            w, v = momentum_step(
                w, w * [1, 50], v, learning_rate=0.03, momentum=momentum, weight_decay=0.0
            )
        print(f"momentum {momentum}: {np.linalg.norm(w):.4f} from the bottom")

# %% [markdown] tags=["T32"]
# Without momentum the ball is 0.24 away, with it 0.01: about twenty times closer, with the same
# learning rate and as many steps. Along the valley ten small steps in the same direction have made
# a large one: a share of 0.9 that is kept adds up to $1/(1 - 0.9) = 10$.

# %% [markdown] tags=["T32"]
# ## Question 7: the learning rate, until a plateau
#
# **15 points · 20 minutes · difficulty ●●○**
#
# Large steps get ahead at first, and later they jump about the bottom of the valley. So AlexNet's
# learning rate was divided by 10, by hand, whenever the accuracy on *validation* images, which are
# held back from training, stopped rising. Your function is that hand. The rules:
#
# - An epoch is an improvement if its accuracy is **above the best** so far, however little. As good
#   is not better. The first epoch always is one, even with an accuracy of 0.
# - After `patience` epochs **in a row** without improvement the rate is divided by 10, and the
#   counting starts anew. The best accuracy stays what it was.
#
# **Predict** with patience 2 and a rate of 0.01: what is the rate after 50 %, 60 %, 55 %, 60 %? And
# how many more epochs of 58 % until the next division?
#
# <details><summary>On paper</summary>
#
# 60 % is the best. 55 % and the second 60 % are two in a row without improvement: 0.001. Two
# more make it 0.0001.
# </details>
#
# | name | what it is |
# |---|---|
# | `accuracies` | a list of numbers, one for each epoch so far; at first it **is empty** |
# | `learning_rate` | the rate at the start |
# | `patience` | how many epochs in a row, at least 1 |
# | result | the rate for the next epoch, one number |


# %% question="a6.plateau" points=15 minutes=20 difficulty=2
def plateau(accuracies, *, learning_rate, patience):
    """The learning rate after these epochs: divided by 10 for each plateau.

    accuracies : a list, the validation accuracy after each epoch.
    learning_rate : at the start.
    patience : epochs in a row without a new best accuracy until the rate is divided.

    Returns the learning rate for the next epoch.
    """
    # BEGIN SOLUTION
    best, waited = -1.0, 0
    for accuracy in accuracies:
        if accuracy > best:
            best, waited = accuracy, 0
        else:
            waited += 1
        if waited == patience:
            learning_rate, waited = learning_rate / 10, 0
    return learning_rate
    # END SOLUTION


# %%
with when_written("plateau"):
    history = [0.5, 0.6, 0.55, 0.6, 0.58, 0.58]
    for epochs in range(1, 7):
        print(history[:epochs], f"{plateau(history[:epochs], learning_rate=0.01, patience=2):g}")

# %% check="a6.plateau"
from cnnlab.check import check

check("a6.plateau", plateau)

# %% [markdown]
# <details><summary>Hint 1: what to remember</summary>
#
# Walk through the epochs as if you were there. Three things change on the way: the best accuracy so
# far, how many epochs you have waited, and the rate.
# </details>
#
# <details><summary>Hint 2: one epoch</summary>
#
# Either it is a new best: remember it, and waiting starts again at 0. Or you have waited one more.
# Only then look whether patience is at its end.
# </details>
#
# <details><summary>Hint 3: the first epoch</summary>
#
# It has to be an improvement: start with a best that any accuracy is above, 0 too. And there may be
# no first epoch yet.
# </details>
#
# <details><summary>Help, it is right up to the first division only</summary>
#
# After a division waiting starts again at 0, and the loop goes on.
# </details>

# %% [markdown] tags=["T25", "T30", "T32"]
# ## Four of your pieces at once
#
# And the smallest network there is: one layer, ten scores for the ten classes of
# Fashion-MNIST, and the softmax loss. Dropout sits on the pixels, a batch has 128 images, momentum
# is 0.9 and λ is 5e-4, as in AlexNet. The accuracies that decide on the rate are those of the
# validation images; the test images stay untouched until the end.
#
# **Predict:** guessing gets one in ten right. What will a single layer get? And will its accuracy
# on the validation images tell what it is on the test images?

# %% tags=["nbval-ignore-output"]
from cnnlab import ops

needed = ("standardize", "dropout_forward", "momentum_step", "plateau")
draw = np.random.default_rng(0)
with when_written(*needed):
    everything, test = data.load("fashion-mnist-small")
    train, validation = data.split(everything, 0.2, draw)
    x_train, x_validation = standardize(train.images, validation.images)
    _, x_test = standardize(train.images, test.images)
    x_train = x_train.reshape(len(train), -1)

    params = {"w": np.zeros((784, 10)), "b": np.zeros(10)}
    velocity = {name: np.zeros_like(p) for name, p in params.items()}

    def accuracy(x, labels):
        scores = x.reshape(len(x), -1) @ params["w"] + params["b"]
        return float((scores.argmax(axis=1) == labels).mean())

    history = []
    for epoch in range(6):
        rate = plateau(history, learning_rate=0.01, patience=1)
        order = draw.permutation(len(train))
        for start in range(0, len(train) - 127, 128):
            batch = order[start : start + 128]
            x, _ = dropout_forward(x_train[batch], rate=0.25, rng=draw, training=True)
            scores, cache = ops.affine_forward(x, params["w"], params["b"])
            _, loss_cache = ops.softmax_loss_forward(scores, train.labels[batch])
            _, dw, db = ops.affine_backward(ops.softmax_loss_backward(1.0, loss_cache), cache)
            for name, gradient, decay in (("w", dw, 5e-4), ("b", db, 0.0)):
                params[name], velocity[name] = momentum_step(
                    params[name],
                    gradient,
                    velocity[name],
                    learning_rate=rate,
                    momentum=0.9,
                    weight_decay=decay,
                )
        history.append(accuracy(x_validation, validation.labels))
        print(f"epoch {epoch + 1}, rate {rate:g}: {history[-1]:.3f} of the validation images right")
    print(f"{accuracy(x_test, test.labels):.3f} of the test images right")

# %% [markdown] tags=["T25", "T32"]
# More than eight in ten; the last digits depend on your machine and on how you draw. The
# validation images helped to choose the learning rate, so their accuracy is a little flattered.
# What counts is the last line.

# %% [markdown] tags=["T29"]
# ## If you like: back through response normalization
#
# **no points · 45 minutes · difficulty ●●●**
#
# $x_i$ stands in the formula of question 5 in two places: above the line of its own $\text{out}_i$,
# and in the sums $s_j$ of all its neighbors, its own among them. So its gradient has two terms.
# With the power rule, $s_j^{-\beta}$ changes by $-\beta\, s_j^{-\beta-1} \cdot 2\alpha x_i$:
#
# $$\text{dx}_i = \frac{\text{dout}_i}{s_i^{\,\beta}} - 2\alpha\beta\, x_i
# \sum_{j = i - n//2}^{i + n//2} \text{dout}_j\, \frac{x_j}{s_j^{\,\beta + 1}}$$
#
# Work it out on paper before you write it: which of the indices are $i$, which are $j$? `cache` is
# `(x, n, k, alpha, beta)`, so $s$ has to be computed again. Both sums run over the same
# neighbors: a little function inside yours saves you from writing that twice.


# %% question="a6.lrn_backward" points=0 minutes=45 difficulty=3
def lrn_backward(dout, cache):
    """Gradient of local response normalization.

    dout : (N, H, W, C).
    cache : (x, n, k, alpha, beta), with x : (N, H, W, C).

    Returns dx : (N, H, W, C).
    """
    # BEGIN SOLUTION
    x, n, k, alpha, beta = cache

    def around(a):
        total = np.zeros(a.shape)
        for i in range(a.shape[3]):
            total[..., i] = a[..., max(0, i - n // 2) : i + n // 2 + 1].sum(axis=3)
        return total

    s = k + alpha * around(x**2)
    power = s**beta
    return dout / power - 2 * alpha * beta * x * around(dout * x / power / s)
    # END SOLUTION


# %% check="a6.lrn_backward"
from cnnlab.check import check

check("a6.lrn_backward", lrn_backward)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# With the inner function: it takes an array (N, H, W, C) and gives the sums over the neighbors of
# each channel, in the same shape. Applied to the squares of x, it makes s.
# </details>
#
# <details><summary>Hint 2: the second term</summary>
#
# Look at each letter below the sum sign: is its index i or j? What may stand outside of the sum?
# </details>
#
# <details><summary>Hint 3: the powers</summary>
#
# Dividing by $s^{\beta+1}$ is dividing by $s^\beta$ and then by $s$.
# </details>

# %% [markdown] tags=["T29"]
# Differences of your own forward pass have the last word:

# %%
with when_written("lrn_forward", "lrn_backward"):
    constants = {"n": 3, "k": 2.0, "alpha": 0.5, "beta": 0.75}

    def forward(x):
        return lrn_forward(x, **constants), (x, *constants.values())

    print(check_gradients(forward, lrn_backward, rng.normal(size=(2, 3, 4, 5)), rng=rng).verdict)

# %% [markdown]
# ## Your points
#
# Save the notebook (Ctrl+S, or Cmd+S on a Mac), then run this cell. It takes some seconds.
# The grader draws fresh numbers for every run, so an answer that only fits the numbers
# above gets nothing.

# %% tags=["nbval-skip"]
from cnnlab.grading import grade

grade("a6_training.ipynb")
