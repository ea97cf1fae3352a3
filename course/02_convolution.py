# %% [markdown]
# # 02 Convolution
#
# One small operation does most of the work in every network of this course. You meet it
# here by hand, then on a photograph, then as a set of wires.
#
# **After this page you can**
# - compute a 1-D and a 2-D convolution on paper, and say what flipping the kernel changes;
# - tell from a kernel's numbers what it will do to a photograph;
# - say which pixels an output sees, after one layer and after many;
# - say exactly when "shift first" and "convolve first" give the same result, and when not.
#
# **Time:** about 70 minutes, with a good place for a break. **You need:** NumPy arrays and their
# shapes; page [00 Start here](00_start_here.ipynb).
#
# The page asks before it shows. Write your guess down before you run a cell: a wrong guess
# that you noticed teaches more than a right answer that you read.

# %%
import numpy as np

from cnnlab import ops, shapes, viz
from cnnlab.data import photograph

viz.use_style()

# %% [markdown] tags=["T04"]
# ## Sliding along a line
#
# Take six numbers $x$ and a **kernel** of three numbers $w$:
#
# $$x = [1, 2, 0, 3, 1, 2] \qquad w = [2, 1, -1]$$
#
# Lay the kernel on the first three numbers, multiply what lies on top of each other, and
# add up. Then move one step to the right and do it again:
#
# $$s_i = \sum_u x_{i+u}\, w_u \qquad s_0 = 1\cdot 2 + 2\cdot 1 + 0\cdot(-1) = 4$$
#
# **Predict:** what are $s_1$, $s_2$ and $s_3$? And why is there no $s_4$?

# %%
x = np.array([1.0, 2, 0, 3, 1, 2])
w = np.array([2.0, 1, -1])
s = np.array([x[i : i + 3] @ w for i in range(4)])  # @ of two rows is their dot product
s

# %% [markdown] tags=["T04"]
# Six numbers leave room for a window of three at $6 - 3 + 1 = 4$ places. At the fifth the
# window would hang over the end.
#
# NumPy has a function for this, `np.convolve`. With `"valid"` it keeps to the places where
# the window fits.
#
# **Predict:** does it give the same four numbers?

# %%
np.convolve(x, w, "valid")

# %% [markdown] tags=["T04"]
# ## The flip
#
# It does not. In mathematics, **convolution** counts the two against each other:
#
# $$(x * w)_i = \sum_u x_{i-u}\, w_u$$
#
# As $u$ goes up in the kernel, it goes *down* in $x$. (The first place where all of it fits is
# $i = 2$; those are the four numbers of `"valid"`.) That is the same as turning the kernel
# around first and then sliding it. What we did above, without the turn, is called
# **cross-correlation**. So if we hand NumPy a kernel that is already turned around, the two
# turns should cancel:

# %%
turned = np.convolve(x, w[::-1], "valid")
print("our sum          ", s)
print("convolve, turned ", turned)
assert np.array_equal(s, turned)

# %% [markdown] tags=["T04"]
# **Which one do "convolution layers" compute?** Cross-correlation, in the deep-learning
# libraries of today and in this course too. Everybody says "convolution" all the same, and no
# harm comes of it: the weights of a layer are *learned*. If the library turned the
# kernel around, training would simply find the turned kernel.
#
# It matters in two places: when you compare your layer with `np.convolve` or
# `scipy.signal.convolve`, and when you put in a kernel from a book. A turned kernel is also
# a common mistake in a convolution written from scratch, and a kernel that looks the same
# upside down hides it.

# %% [markdown] tags=["T04"]
# ## Sliding over an image
#
# In two dimensions the window has rows and columns. Everything else stays:
#
# $$\text{out}_{ij} = \sum_u \sum_v \text{image}_{i+u,\, j+v}\;\, \text{kernel}_{uv}$$
#
# A 3×3 image and a 2×2 kernel, to do on paper:
#
# $$\begin{bmatrix}1&2&0\\3&1&2\\0&1&4\end{bmatrix}\qquad
# \begin{bmatrix}1&-1\\2&0\end{bmatrix}\qquad
# \text{out}_{00} = 1\cdot 1 + 2\cdot(-1) + 3\cdot 2 + 1\cdot 0 = 5$$
#
# **Predict:** the shape of the output, and $\text{out}_{01}$, where the window has moved one
# column to the right.

# %%
tiny = np.array([[1.0, 2, 0], [3, 1, 2], [0, 1, 4]])
corner = np.array([[1.0, -1], [2, 0]])
step = viz.convolution_step(tiny, corner, 0, 1)
viz.show(step, alt="The window frames 2, 0, 1, 2 of a 3 by 3 image; the output so far is 5, 4.")

# %% [markdown]
# ### From one kernel to a layer
#
# A color photograph is not one table of numbers but three, one for red, green and blue: its
# **channels**. A **filter** has one kernel for each channel. Each kernel slides over its own
# channel, and what they answer at one place is added up, with one more number, the **bias**. So
# a filter turns many channels into one picture. Two channels of 2×2, on paper:
#
# $$\begin{bmatrix}1&2\\3&4\end{bmatrix}\text{ with }\begin{bmatrix}1&0\\0&1\end{bmatrix}
# \text{ gives } 5, \qquad
# \begin{bmatrix}0&1\\1&0\end{bmatrix}\text{ with }\begin{bmatrix}2&2\\2&2\end{bmatrix}
# \text{ gives } 4, \qquad \text{bias } 10: \quad 5 + 4 + 10 = 19$$
#
# The library's `ops.conv_forward(x, w, b)` takes a whole batch of images and any number of
# filters, so it asks for four axes. Said aloud: `x` is (N, H, W, C), *images, rows, columns,
# channels*; `w` is (FH, FW, C, K), *rows, columns, channels in, filters out*; `b` is (K,),
# one bias for each filter. So here the answer is one number in an array of shape (1, 1, 1, 1):

# %%
two_channels = np.stack([[[1.0, 2], [3, 4]], [[0, 1], [1, 0]]], axis=2)  # (2, 2, C)
two_kernels = np.stack([np.eye(2), np.full((2, 2), 2.0)], axis=2)  # (FH, FW, C)
ops.conv_forward(two_channels[None], two_kernels[..., None], np.array([10.0]))[0]


# %%
def slide(image, kernel, **options):
    """One gray image (H, W), one kernel (FH, FW) → (OH, OW): the four axes are put away here."""
    # None adds an axis of length 1.
    x, w = image[None, :, :, None], np.asarray(kernel, image.dtype)[:, :, None, None]
    return ops.conv_forward(x, w, np.zeros(1), **options)[0][0, :, :, 0]


slide(tiny, corner)

# %% [markdown] tags=["T04"]
# The top row is what you computed by hand, 5 and 4.
#
# ## Five kernels with a name
#
# Long before networks learned kernels, people wrote them by hand. These five are still in
# use wherever images are edited.
#
# **Predict**, from the numbers alone: which one smooths? Which ones answer with 0 wherever
# the photograph has one even brightness? (Add up all nine numbers of each.)

# %%
kernels = {
    "blur": np.full((3, 3), 1 / 9),
    "sharpen": np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
    "Sobel, left–right": np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
    "Sobel, up–down": np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]]),
    "Laplacian": np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
}
grids = viz.grids(kernels)
viz.show(grids, alt="The five kernels as 3 by 3 grids of numbers; negative cells are blue.")
print("sums:", [round(float(kernel.sum()), 2) for kernel in kernels.values()])

# %% [markdown] tags=["T04"]
# Blur and sharpen have nine numbers that add up to 1: an even patch keeps its brightness.
# The other three add up to 0: they say nothing about brightness and only answer where it
# *changes*. That is what "detects edges" means. Now on a photograph of 160×160 pixels, of which
# we keep only the brightness, the mean of red, green and blue:

# %%
photo = photograph(160).mean(axis=2).round()
soft, crisp = (slide(photo, kernels[name]).clip(0, 255) for name in ("blur", "sharpen"))
axes = viz.images({"photograph": photo, "blur": soft, "sharpen": crisp})
viz.show(axes, alt="A portrait three times: as it is, softened, and with harsh, crisp outlines.")

edges = {name: slide(photo, kernels[name]) for name in list(kernels)[2:]}
axes = viz.images(edges, signed=True)
viz.show(axes, alt="Left, upright edges in orange and blue; middle, level edges; right, outlines.")

# %% [markdown] tags=["T04"]
# Orange is positive, blue negative, white zero. The left–right Sobel kernel subtracts what
# is left of a pixel from what is right of it: orange says "it gets brighter to the right".
#
# ### The wrong way, and what it looks like
#
# **Predict:** what happens to the left–right picture if the kernel is turned by 180°? And if
# rows and columns of the kernel are swapped?

# %%
sobel = kernels["Sobel, left–right"]
wrong = {"right": sobel, "turned by 180°": sobel[::-1, ::-1], "rows and columns swapped": sobel.T}
results = {name: slide(photo, kernel) for name, kernel in wrong.items()}
print("turned is minus right:", np.array_equal(results["turned by 180°"], -results["right"]))
axes = viz.images(results, signed=True)
viz.show(axes, alt="Edges: right; turned, with the colors exchanged; swapped, with level edges.")

# %% [markdown]
# A turned Sobel kernel looks fine at first glance: the edges are all there, with the wrong
# sign. With the blur or the Laplacian you would have seen no difference at all. That is why
# the checks of this course use kernels without any symmetry.
#
# ## Move it yourself
#
# Step through the positions with the slider, or with the arrow keys in the box *position*.
#
# 1. Where does the left–right Sobel kernel answer most strongly, and where with 0?
# 2. Set the **stride**, the step of the window, to 3. What does the message say? Now find a
#    **padding**, a frame of zeros, with which it fits.
#
# <details><summary>What you may have found</summary>
#
# 1. Most strongly where the window straddles the upright edge, and with 0 wherever left and
#    right of it agree: on even ground, and along the level edge. At the lower end of the
#    upright edge the answers fade.
# 2. A window of 3 at stride 3 does not fit 7 pixels. With a padding of 1 it does: 9 pixels are
#    three windows side by side.
# </details>

# %%
from cnnlab.widgets import convolution_explorer

bright_corner = np.zeros((7, 7))
bright_corner[:5, 3:] = 9
convolution_explorer(bright_corner, kernels, kernel="Sobel, left–right", position=6)

# %% [markdown] tags=["T05"]
# ## Who sees whom
#
# In a fully connected layer each output is joined to each input. In a convolution an output
# sees only the window below it. To find out who sees whom, do not read the code: **ask the
# layer**. Put a 1 at one input, 0 everywhere else, and see which outputs move. We do it for
# nine inputs at once, as a batch of nine "images" of 1×9 pixels.
#
# **Predict:** with a kernel of 3 and no padding, the answers make a table of 9 inputs by how
# many outputs? How many of its numbers are not zero?

# %%
kernel = np.array([2.0, 1, -1]).reshape(1, 3, 1, 1)  # (FH, FW, C, K)
one_at_a_time = np.eye(9).reshape(9, 1, 9, 1)  # (N, H, W, C)
wires = ops.conv_forward(one_at_a_time, kernel, np.zeros(1))[0][:, 0, :, 0]
print(wires.shape, np.count_nonzero(wires), "of", wires.size)
axes = viz.row(3, height=2.9, ratios=[7, 9, 9])
viz.numbers(wires, axes[0], title="inputs ↓  outputs →")
viz.who_sees_whom(wires, ax=axes[1], title="convolution")
viz.who_sees_whom(np.ones((9, 7)), ax=axes[2], title="fully connected")
viz.show(axes, alt="A band of weights; outputs joined to three inputs; outputs joined to all nine.")

# %% [markdown] tags=["T05"]
# So a convolution *is* a matrix product, with a matrix that is mostly zeros (**sparse**) and
# repeats the same three numbers down the diagonal. The zeros save multiplications. The
# repetition saves parameters: that is a story for another page.
#
# In a real layer the savings are larger. Six filters of 5×5×3 take 32×32×3 numbers to 28×28×6.
#
# **Predict:** by which factor do the connections shrink: 4, 40 or 400?

# %%
inputs, outputs, window = 32 * 32 * 3, 28 * 28 * 6, 5 * 5 * 3
print(f"fully connected {inputs * outputs:>11,}")
print(f"convolution     {window * outputs:>11,}   1 of {inputs / window:.0f}")

# %% [markdown] tags=["T05"]
# ## Far sight through depth
#
# A window of three pixels is short-sighted. Stack the layers, and it is not any more: an
# output of layer 2 sees three outputs of layer 1, and each of those sees three pixels, which
# overlap. The pixels that an output sees are its **receptive field**.
#
# **Predict:** how many pixels does an output of layer 2 see? Of layer 3? Then ask the layers.

# %%
signal = np.eye(15).reshape(15, 1, 15, 1)
for depth in range(1, 4):
    signal = ops.conv_forward(signal, np.ones((1, 3, 1, 1)), np.zeros(1))[0]
    middle = signal[:, 0, signal.shape[2] // 2, 0]
    print("layer", depth, "sees", np.count_nonzero(middle), "pixels")

# %% [markdown] tags=["T05"]
# On paper: the first layer sees $F$ pixels, and each further one adds $F - 1$, so $n$ layers
# with a window of $F$ see $1 + n(F-1)$. Three layers of 3×3 see as far as one of 7×7.
#
# A stride makes it faster. With stride 2, neighbors in layer 1 stand on pixels two apart: a
# window in layer 2 takes in two neighbors more, and sees $3 + 2\cdot 2 = 7$ pixels. In the next
# layer they are four apart: $7 + 2\cdot 4 = 15$. The account is kept by
# `shapes.receptive_field`, from (kernel size, stride) pairs.

# %%
axes = viz.row(2, height=2.7, ratios=[7, 15])
viz.receptive_field_tower([(3, 1)] * 3, axes[0]).set_title("stride 1")
viz.receptive_field_tower([(3, 2)] * 3, axes[1]).set_title("stride 2")
viz.show(axes, alt="Three layers with a window of 3 see 7 pixels; with stride 2 they see 15.")

# %% [markdown] tags=["T05"]
# **Predict:** how many layers of 3×3 does it take until one output sees all of an image 224
# pixels wide, with stride 1, and with stride 2? (Only the count matters here: whether the windows
# fit exactly is a question of padding.)

# %%
for stride in (1, 2):
    depth = next(n for n in range(1, 999) if shapes.receptive_field([(3, stride)] * n) >= 224)
    print(f"224 pixels, stride {stride}: {depth} layers")

# %% [markdown] tags=["T07"]
# This is a good place for a break. In what follows, read the outputs first; the code is there
# for those who want to know how it was measured.
#
# ## Shift first, or convolve first?
#
# Move the photograph three pixels to the right, then look for edges. Or look for edges and
# then move the picture of edges. If both give the same, the operation is **equivariant** to
# shifts: when the input moves, the output moves along. A cat is found wherever it sits.
#
# **Predict:** is the difference exactly zero, or nearly, and where might it not be?


# %%
def shift(image, pixels):
    """Move to the right; zeros come in from the left."""
    moved = np.zeros_like(image)
    moved[:, pixels:] = image[:, :-pixels]
    return moved


for pad in (0, 1):
    difference = slide(shift(photo, 3), sobel, pad=pad) - shift(slide(photo, sobel, pad=pad), 3)
    columns = np.unique(np.nonzero(difference)[1]).tolist()
    print(f"padding {pad}: columns {columns} of {difference.shape[1]} differ")

# %% [markdown] tags=["T07"]
# In the interior the difference is not small, it is **zero**: every output there is the same
# sum of the same numbers, found three places further on.
#
# ### Where it breaks: borders
#
# The columns that differ on the left see both the photograph and the zeros that came in
# behind it. (Further left there are zeros only, either way.) With padding, the last column on
# the right differs too: it used to see its right neighbor, and now sees the frame of zeros,
# which does not move along. So a padded network can tell where the border is.
#
# ### Where it breaks: stride 2
#
# With stride 2 the output has half as many rows and columns, so a shift of 2 in the
# photograph should be a shift of 1 in the output.
#
# We measure how far apart two pictures are, relative to their own size: 0 is the same, and
# 1 is as wrong as answering with nothing but zeros. **Predict:** what happens at a shift of 1?


# %%
def apart(a, b):
    """Relative difference of two pictures, without a border of 4 pixels."""
    a, b = a[4:-4, 4:-4], b[4:-4, 4:-4]
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


odd = photo[:159, :159]  # 159 pixels: a window of 3 fits at stride 2
halved = slide(odd, sobel, stride=2)
for pixels in (1, 2, 3, 4):
    moved = slide(shift(odd, pixels), sobel, stride=2)
    nearest = min(apart(moved, np.roll(halved, steps, axis=1)) for steps in range(4))
    print(f"shift by {pixels}: {nearest:.2f} from the nearest shift of the output")

# %% [markdown] tags=["T07"]
# Even shifts are exact. For odd ones there is no place to move to: the window now stands on
# pixels that it used to skip, and it finds other edges there. A stack of such
# layers is equivariant only to multiples of all its strides multiplied.
#
# ### Where it breaks: rotation and scale
#
# Nothing in the sum says that a turned or a smaller cat is still a cat. **Predict:** a
# rotation by 90° does no harm to some of our five kernels. To which, and why?


# %%
def half_size(image):
    """Each 2×2 block becomes its mean."""
    return image.reshape(image.shape[0] // 2, 2, image.shape[1] // 2, 2).mean(axis=(1, 3))


for name, k in kernels.items():
    turned = apart(slide(np.rot90(photo), k), np.rot90(slide(photo, k)))
    scaled = apart(slide(half_size(photo), k, pad=1), half_size(slide(photo, k, pad=1)))
    print(f"{name:18} rotation {turned:.2f}   half size {scaled:.2f}")

# %% [markdown] tags=["T07"]
# Blur, sharpen and Laplacian look the same after a quarter turn, so they do not notice one.
# The two Sobel kernels do. Half size disturbs all five: a kernel of three pixels now covers
# a piece of the scene that is twice as wide. The blur suffers least, because it asks for
# nothing that a smaller picture has lost.
#
# | change of the input | is the output changed in the same way? |
# |---|---|
# | shift, interior | yes, exactly |
# | shift, within a window of the border | no |
# | shift with stride $S$ | only by multiples of $S$ |
# | rotation by 90° | only if the kernel looks the same turned |
# | scale | no |
#
# This is why networks are trained on turned, scaled and shifted copies of their images: what
# the operation does not give for free has to be learned.

# %% [markdown]
# ## Summary
#
# - A convolution slides a kernel and takes one dot product at every place.
# - Convolution layers do not turn the kernel around: strictly they compute
#   cross-correlation.
# - Kernels whose numbers add up to 0 answer to change, not to brightness.
# - Each output sees one window (sparse connectivity). Depth widens it by $F - 1$ for each
#   layer, strides by more.
# - Shift and convolution can be exchanged exactly, away from borders and at stride 1.
#
# ## Three questions
#
# Answer each aloud before you unfold it.
#
# <details><summary>1. A kernel is [[1, 0], [0, -1]]. What does it answer on an even patch, and on
# which edges does it answer?</summary>
#
# Its numbers add up to 0, so 0 on an even patch. It subtracts the lower right pixel from the
# upper left one, so it answers to any change along that diagonal, and stays at 0 where the
# brightness changes only along the other diagonal.
# </details>
#
# <details><summary>2. Your layer agrees with scipy.signal.convolve on a blur but not on a Sobel
# kernel. What happened, and which of the two is right?</summary>
#
# SciPy turns the kernel around, your layer does not. A blur looks the same either way. Both
# are right: they compute two different things. Compare with scipy.signal.correlate.
# </details>
#
# <details><summary>3. Two layers of 3×3 or one of 5×5: which sees further, and which has fewer
# weights for one channel?</summary>
#
# Both see 1 + 2·2 = 5 pixels each way. Two layers of 3×3 have 18 weights, one of 5×5 has 25.
# </details>
#
# ## What comes next
#
# Write it yourself: [Assignment 1: Convolution](../assignments/a1_convolution.ipynb) takes
# you from the size of the output over plain loops to a fast version.
