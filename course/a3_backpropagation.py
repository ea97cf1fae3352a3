# %% [markdown]
# # Assignment 3: Backpropagation
#
# You compute derivatives of a formula step by step, from its end to its beginning. Then you write
# the tool that finds out whether a gradient is right: differences. And then the same way back
# through whole layers: affine, ReLU and the softmax loss, which is a network already.
#
# | | question | points | minutes | difficulty |
# |---|---|---|---|---|
# | 1 | three gates | 10 | 10 | ●○○ |
# | 2 | a value that goes two ways | 10 | 10 | ●●○ |
# | 3 | a gradient by differences | 15 | 10 | ●●○ |
# | 4 | how far two gradients are apart | 10 | 10 | ●○○ |
# | 5 | affine, forward | 5 | 5 | ●○○ |
# | 6 | affine, backward | 20 | 10 | ●●○ |
# | 7 | ReLU, forward | 5 | 3 | ●○○ |
# | 8 | ReLU, backward | 5 | 5 | ●○○ |
# | 9 | softmax loss and its gradient | 20 | 25 | ●●● |
# | + | a check with two calls, if you like | | 20 | ●●○ |
#
# With what there is to read between the questions, that makes a little less than two hours.
#
# **You need** derivatives, the product of two matrices, and in NumPy broadcasting and `keepdims`.
#
# **How it works.** Write your code where it says `NotImplementedError`, run the cell, then the
# check below it. `np` is there; helpers of your own have to stand *inside* the answer cell.
# Every answer stands alone, and so do its points. Hints unfold one by one below each check. Our
# answers are in [solutions/](../solutions/a3_backpropagation.ipynb), for afterwards.

# %%
import numpy as np

from cnnlab import graph, ops, viz
from cnnlab.graph import Value

viz.use_style()
rng = np.random.default_rng(0)

# %% [markdown] tags=["T18"]
# ## A circuit, and who asks whom
#
# Every formula is a circuit of simple gates. Here is $f = (x + y)\, z$ at $x = -2$, $y = 5$,
# $z = -4$. Above each wire stands its value, computed from left to right.
#
# The question of this assignment: **if an input moves a little, by how much does the end move?**
# That is its *gradient*, $\partial f/\partial x$: the derivative by $x$ while other inputs stand
# still. In code we call it `dx`, always the gradient *of the end*. With $q = x + y$ the chain rule
# of school says $\partial f/\partial x = \partial f/\partial q \cdot \partial q/\partial x$.
#
# So each gate needs to know little: its inputs, and the gradient of its output, which comes in from
# the right. We call that `dout`. The gate multiplies it by its own slopes and hands the products on
# to the left. Begin at the end, where it is 1 ($f$ moves with itself one to one).
# **Predict** what stands below each wire.

# %%
x, y, z = Value(-2, "x"), Value(5, "y"), Value(-4, "z")
f = (x + y) * z
f.backward()
viz.show(
    viz.computational_graph(f),
    alt="x −2 and y 5 add up to 3, times −4 makes −12. Gradients: f 1, sum −4, z 3, x −4, y −4.",
)

# %% [markdown] tags=["T18"]
# The mul gate gets 1 and hands $q$ the slope $z = -4$, and $z$ the slope $q = 3$. The add gate gets
# −4 and hands $x$ and $y$ −4 · 1 each. Try it: raise $x$ from −2 to −1. The sum is 4 and $f$ is
# −16; it moved by −4.
#
# ## Question 1: three gates
#
# **10 points · 10 minutes · difficulty ●○○**
#
# People have a word for each of the three: an **add** gate distributes the gradient, a **max**
# gate routes it, a **mul** gate switches. What do they mean by that?
#
# **Predict:** the inputs are $x = 3$ and $y = -4$. By how much does each gate's output move for
# each unit that $x$ moves, and for each unit that $y$ moves? The cell moves them a little and
# divides.

# %%
step = 1 / 1024
for name, gate in {"add": graph.add, "mul": graph.multiply, "max": graph.maximum}.items():
    by_x = (gate.forward(3 + step, -4) - gate.forward(3, -4)) / step
    by_y = (gate.forward(3, -4 + step) - gate.forward(3, -4)) / step
    print(f"{name}: {by_x:g} for x, {by_y:g} for y")

# %% [markdown] tags=["T18"]
# These are the *slopes* of the gates. What a gate hands back is slope times `dout`.
#
# | name | what it is |
# |---|---|
# | `gate` | `"add"`, `"mul"` or `"max"` |
# | `x`, `y` | the two inputs, as numbers |
# | `dout` | the gradient of the gate's output, a number |
# | result `dx`, `dy` | the gradients of the inputs, two numbers |
#
# Where the two inputs of a max gate are equal there is no derivative, and one has to agree on
# something: here **x gets all of it**.
#
# On paper first: a mul gate, $x = 3$, $y = -4$, and a `dout` of 2.


# %% question="a3.gate_backward" points=10 minutes=10 difficulty=1
def gate_backward(gate, x, y, dout):
    """What a gate hands back to its two inputs.

    gate : "add", "mul" or "max".
    x, y : the inputs, numbers.
    dout : the gradient of the output, a number.

    Returns dx and dy, two numbers. At a tie, the max gate gives all to x.
    """
    # BEGIN SOLUTION
    if gate == "add":
        return dout, dout
    if gate == "mul":
        return y * dout, x * dout
    return (dout, 0.0) if x >= y else (0.0, dout)
    # END SOLUTION


# %%
from cnnlab.check import when_written

with when_written("gate_backward"):
    print(gate_backward("mul", 3.0, -4.0, 2.0))

# %% check="a3.gate_backward"
from cnnlab.check import check

check("a3.gate_backward", gate_backward)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# Three cases, one for each name: `if gate == "add": …`. In each of them write down the two slopes
# from the cell above, in terms of x and y, and multiply both by `dout`.
# </details>
#
# <details><summary>Hint 2: what "switches" means</summary>
#
# At 3 and −4 the slope of the mul gate for x was −4, and for y it was 3. Each input gets what the
# *other* one was.
# </details>
#
# <details><summary>Hint 3: what "routes" means</summary>
#
# The maximum follows the larger input one to one and does not notice the other. So one of the two
# gets `dout`, and the other 0. Which comparison lets x win a tie?
# </details>

# %% [markdown] tags=["T18"]
# ## Question 2: a value that goes two ways
#
# **10 points · 10 minutes · difficulty ●●○**
#
# In $f = (x + y)\cdot\max(y, z)$ the value $y$ is read twice. Move it, and the end moves for two
# reasons at once. So what comes back on the two ways **adds up**. This one rule is behind every sum
# in the layers below: a weight that is used for all images goes as many ways as there are images.
#
# **Predict:** $x = 3$, $y = 2$, $z = -1$. What comes back to $y$ through the sum, and what through
# the maximum?

# %%
x, y, z = Value(3, "x"), Value(2, "y"), Value(-1, "z")
f = (x + y) * graph.maximum(y, z)
viz.show(
    viz.computational_graph(f),
    alt="x 3 and y 2 add up to 5; the larger of y and z is 2; their product is 10.",
)

# %% [markdown] tags=["T18"]
# Write it for any three numbers. Where $y$ and $z$ are equal, $y$ gets what the max gate hands
# back.


# %% question="a3.branches" points=10 minutes=10 difficulty=2
def branches(x, y, z):
    """The circuit f = (x + y) max(y, z), forward and backward.

    x, y, z : numbers.

    Returns f, and the gradients dx, dy and dz: four numbers.
    """
    # BEGIN SOLUTION
    q, m = x + y, max(y, z)
    dq, dm = m, q
    dx, dy, dz = dq, dq, 0.0
    if y >= z:
        dy += dm
    else:
        dz += dm
    return q * m, dx, dy, dz
    # END SOLUTION


# %%
with when_written("branches"):
    print(branches(3.0, 2.0, -1.0))

# %% check="a3.branches"
from cnnlab.check import check

check("a3.branches", branches)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# Give both values in between a name, `q = x + y` and `m = max(y, z)`. Back from the right: what do
# `q` and `m` get from the mul gate?
# </details>
#
# <details><summary>Hint 2: the max gate</summary>
#
# Its `dout` is not 1 but the gradient of `m`. One of `y` and `z` gets it.
# </details>
#
# <details><summary>Hint 3: two ways into one</summary>
#
# In the example y gets 2 through the sum and 5 through the maximum, together 7.
#
# Begin with what `y` gets through the sum. What it gets through the maximum, if it wins, is added:
# `+=`.
# </details>

# %% [markdown] tags=["T18"]
# ### Four gates that make one
#
# A neuron ends in a sigmoid, $\text{out} = 1/(1 + e^{-s})$. Written out, four gates lie between $s$
# and the end. At $s = 1$ their slopes are, from the right: 1/x has $-1/1.37^2 = -0.53$, +1 has 1,
# exp has its own output, 0.37, and ×(−1) has −1. **Predict:** what does $s$ get?

# %%
s = Value(1, "s")
out = graph.reciprocal(graph.exp(-s) + 1)
out.backward()
viz.show(viz.computational_graph(out), alt="s is 1; four gates make 0.73 of it; s gets 0.2.")

# %% [markdown] tags=["T18"]
# The product of the four, 0.2. On paper they shrink to one gate, with $u = e^{-s}$:
#
# $$\frac{\partial\,\text{out}}{\partial s} = \frac{u}{(1+u)^2}
# = \frac{1}{1+u}\cdot\frac{u}{1+u} = \text{out}\cdot(1-\text{out})$$
#
# At $s = 1$ that is $0.731 \cdot 0.269 = 0.197$. Any part of a circuit whose slope you know can be
# a gate, and a whole layer too.

# %% [markdown] tags=["T20"]
# ## Ask differences
#
# How do you know that a gradient is right? You need not trust a formula: move an input, and look
# how the end moves. There are two ways to do so. From $x$ you can take a step $h$ to **one side**,
# or a step to **each side**:
#
# $$\frac{f(x+h) - f(x)}{h} \qquad\qquad \frac{f(x+h) - f(x-h)}{2h}$$
#
# We try both on $x^3$ at 1, where the slope is 3. **Predict:** if $h$ is halved, what happens to
# the two errors?

# %%
print("    h   one side  each side")
for h in (1 / 2, 1 / 4, 1 / 8, 1 / 16):
    one_side = ((1 + h) ** 3 - 1) / h
    each_side = ((1 + h) ** 3 - (1 - h) ** 3) / (2 * h)
    print(f"{h:6} {one_side - 3:9.4f} {each_side - 3:10.4f}")

# %% [markdown] tags=["T20"]
# The first error falls to about a half, the second to a quarter. Multiply it out:
# $(1 \pm h)^3 = 1 \pm 3h + 3h^2 \pm h^3$. In the difference of the two, 1 and $3h^2$ cancel: the
# error is $h^2$, and on one side $3h + h^2$. Such a difference is called *central*.
#
# So should $h$ be as small as possible? The next picture has $h$ on its axis, small
# to the left. **Predict:** are the errors smallest at the left end?

# %% tags=["nbval-ignore-output"]
steps = 10.0 ** np.arange(-14, 0.1, 0.25)
(axes,) = viz.row(1, width=5.5)
for kind in (np.float32, np.float64):
    h, one = steps.astype(kind), kind(1)
    slopes = (np.exp(one + h) - np.exp(one - h)) / (2 * h)
    axes.loglog(steps, np.abs(slopes - np.e) + 1e-16, ".-", label=kind.__name__)
axes.set(xlabel="step h", ylabel="error of the slope of exp at 1", ylim=(1e-13, 10))
axes.legend()
viz.show(axes, alt="Two V shapes: float64 is best near 1e-5, float32 near 1e-2 and far worse.")

# %% [markdown] tags=["T20"]
# To the right the formula errs, as $h^2$. To the left it is rounding: the two values have most of
# their digits in common, and what is left after subtracting them is divided by something tiny. In
# float64 the lowest point lies near $h = 10^{-5}$. The lowest of float32 is far higher.
# **A gradient check wants float64.**
#
# ## Question 3: a gradient by differences
#
# **15 points · 10 minutes · difficulty ●●○**
#
# Now for arrays. `f` takes an array and returns one number, for instance how wrong a network is:
# its *loss*. Its gradient at `x` has the shape of `x`: entry by entry, how `f` moves when *this*
# entry moves and all others stay.
#
# | name | what it is |
# |---|---|
# | `f` | a function: called with an array of the shape of `x`, it returns one number |
# | `x` | an array of any shape; it may hold float32 or whole numbers |
# | `h` | the step |
# | result | the gradient by central differences, in the shape of `x`, in float64 |
#
# The copy in float64 and the loop are given: `index` is the place of one entry after the other.
# What is left is one entry of the gradient.
#
# A small example: $f(x) = \sum x_i^2$ at $(1, -3)$. What is its gradient?


# %% question="a3.numeric_gradient" points=15 minutes=10 difficulty=2
def numeric_gradient(f, x, h=1e-5):
    """The gradient of a function, by a step up and a step down for every entry.

    f : takes an array in the shape of x, returns one number.
    x : an array of any shape; not changed.
    h : the step.

    Returns an array of float64 in the shape of x.
    """
    x = np.array(x, np.float64)
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        # BEGIN SOLUTION
        step = np.zeros(x.shape)
        step[index] = h
        gradient[index] = (f(x + step) - f(x - step)) / (2 * h)
        # END SOLUTION
    return gradient


# %%
with when_written("numeric_gradient"):
    print(numeric_gradient(lambda x: (x**2).sum(), np.array([1.0, -3.0])).round(6))

# %% check="a3.numeric_gradient"
from cnnlab.check import check

check("a3.numeric_gradient", numeric_gradient)

# %% [markdown]
# <details><summary>Hint 1: where to begin</summary>
#
# `f` wants the whole array, with one entry moved up, and then down. `x[index]` is that entry.
# </details>
#
# <details><summary>Hint 2: moving one entry</summary>
#
# An array of zeros with an `h` at `index` is a step: add it to `x`, and subtract it. Or work on a
# copy of `x`, and put each entry back before you go on to the next.
# </details>
#
# <details><summary>Hint 3: the types</summary>
#
# `np.array(x, np.float64)` is a copy of `x` in float64. In an array of whole numbers, $2 + h$
# becomes 2 again.
# </details>
#
# <details><summary>Help, all numbers are wrong by a factor</summary>
#
# The two points are $2h$ apart. And Python reads `a / 2 * h` as `(a / 2) * h`.
# </details>

# %% [markdown] tags=["T20"]
# ## Question 4: how far two gradients are apart
#
# **10 points · 10 minutes · difficulty ●○○**
#
# Two gradients never agree to the last digit. Is a difference of 0.001 much? Beside a gradient of
# 1000 it is nothing, beside one of 0.001 it is everything. So divide by the larger of the two,
# entry by entry, and take the worst:
#
# $$\max_i\; \frac{|a_i - b_i|}{\max(|a_i|,\, |b_i|)}$$
#
# Where both are zero they agree: the error is 0 there. Add no small constant to the denominator;
# it would hide gradients that are smaller than it. `a` and `b` are arrays of one shape, and the
# result is one number.
#
# **Predict:** what does it say of 2 beside 1.5? Of 2 beside 0? Of 2 beside −2?


# %% question="a3.relative_error" points=10 minutes=10 difficulty=1
def relative_error(a, b):
    """The largest relative difference of two arrays; 0 where both are zero.

    a, b : arrays of the same shape.

    Returns one number.
    """
    # BEGIN SOLUTION
    larger = np.maximum(np.abs(a), np.abs(b))
    larger[larger == 0] = 1
    return (np.abs(a - b) / larger).max()
    # END SOLUTION


# %%
with when_written("relative_error"):
    for other in (1.5, 0.0, -2.0):
        print(relative_error(np.array([2.0, 0.0]), np.array([other, 0.0])))

# %% check="a3.relative_error"
from cnnlab.check import check

check("a3.relative_error", relative_error)

# %% [markdown]
# <details><summary>Hint 1: the larger of two arrays</summary>
#
# `np.maximum(a, b)` compares entry by entry; `np.max(a)` is the largest number of one array. Take
# the absolute values first.
# </details>
#
# <details><summary>Hint 2: zero by zero</summary>
#
# Where both are zero the difference is 0 as well, so it does not matter what you divide by, as long
# as it is not 0.
# </details>
#
# <details><summary>Hint 3: the worst</summary>
#
# `.max()` of the array of errors. A single wrong entry has to show.
# </details>

# %% [markdown] tags=["T19"]
# ## From numbers to layers
#
# A layer is a circuit with very many wires, and it is handled as one gate. `dout` now has the shape
# of the output, and there is a gradient for each input in the shape of that input. What the way
# back needs to know of the way forward travels in a `cache`.
#
# This is a good place for a break.
#
# ## Question 5: affine, forward
#
# **5 points · 5 minutes · difficulty ●○○**
#
# The fully connected layer: every output is a weighted sum of all D features of its row, plus a
# bias of its own.
#
# $$\text{out}[n, m] = \sum_d x[n, d]\; w[d, m] + b[m]$$
#
# | name | shape | what it is |
# |---|---|---|
# | `x` | (N, D) | N rows of D features |
# | `w` | (D, M) | a column of weights for each output |
# | `b` | (M,) | a bias for each output |
# | `out` | (N, M) | M outputs for each row |
#
# Return `out`, and as `cache` `(x, w, b)`: the next question needs it. **Predict** `out` here:

# %%
small_x = np.array([[1.0, 2], [0, -1]])
small_w = np.array([[1.0, 0, 2], [3, -1, 0]])
small_b = np.array([0.0, 10, 20])
viz.show(
    viz.grids({"x": small_x, "w": small_w, "b": small_b[None]}),
    alt="x: 1 2, 0 −1. w: 1 0 2, 3 −1 0. b: 0 10 20.",
)


# %% question="a3.affine_forward" points=5 minutes=5 difficulty=1
def affine_forward(x, w, b):
    """Multiply by a matrix and add a bias.

    x : (N, D). w : (D, M). b : (M,).

    Returns out : (N, M), and a cache of your own.
    """
    # BEGIN SOLUTION
    return x @ w + b, (x, w, b)
    # END SOLUTION


# %%
with when_written("affine_forward"):
    print(affine_forward(small_x, small_w, small_b)[0])

# %% check="a3.affine_forward"
from cnnlab.check import check

check("a3.affine_forward", affine_forward)

# %% [markdown]
# <details><summary>Hint 1: the product</summary>
#
# `@` is the product of two matrices: the rows of the first meet the columns of the second. Which
# order fits (N, D) and (D, M)?
# </details>
#
# <details><summary>Hint 2: the bias</summary>
#
# Added to an array of shape (N, M), an array of shape (M,) goes to every row.
# </details>
#
# <details><summary>Hint 3: two things</summary>
#
# `return out, cache` returns both. The next question keeps `(x, w, b)` in its cache; do as it does,
# and the two of them fit together.
# </details>

# %% [markdown] tags=["T19"]
# ## Question 6: affine, backward
#
# **20 points · 10 minutes · difficulty ●●○**
#
# Every product in that sum is a mul gate: $x[n, d]$ gets $w[d, m]$ times `dout[n, m]`, and the
# other way around. Now follow the wires. One feature $x[n, d]$ goes into all M outputs of its row.
# One weight $w[d, m]$ is used in all N rows, and so is a bias. Where a value goes several ways, its
# gradients add up:
#
# $$\text{dx}[n,d] = \sum_m \text{dout}[n,m]\, w[d,m] \qquad
# \text{dw}[d,m] = \sum_n x[n,d]\, \text{dout}[n,m] \qquad
# \text{db}[m] = \sum_n \text{dout}[n,m]$$
#
# The first two are products of matrices, once one of the two is transposed. Which one, the shapes
# will tell: for `dx` the M has to disappear, (N, M) @ (M, D). That line is given. Sums,
# nowhere means: if the loss is a mean over the rows, that is in `dout` already.
#
# | name | shape | what it is |
# |---|---|---|
# | `dout` | (N, M) | one gradient for each output |
# | `cache` | three things | `(x, w, b)` |
# | `dx`, `dw`, `db` | as `x`, `w`, `b` | the gradients |
#
# On paper first: with the arrays above, what is `dw` if `dout` is 1, 0, 0 in the first row and
# 10, 0, 1 in the second?

# %%
small_dout = np.array([[1.0, 0, 0], [10, 0, 1]])
viz.show(
    viz.grids({"x": small_x, "w": small_w, "dout": small_dout}),
    alt="x and w as before; dout: 1 0 0, 10 0 1.",
)


# %% question="a3.affine_backward" points=20 minutes=10 difficulty=2
def affine_backward(dout, cache):
    """Gradients of the affine layer.

    dout : (N, M).
    cache : (x, w, b), with x : (N, D), w : (D, M), b : (M,).

    Returns dx : (N, D), dw : (D, M), and db : (M,).
    """
    x, w, _ = cache
    dx = dout @ w.T
    # BEGIN SOLUTION
    return dx, x.T @ dout, dout.sum(axis=0)
    # END SOLUTION


# %%
with when_written("affine_backward"):
    for name, gradient in zip(
        ("dx", "dw", "db"),
        affine_backward(small_dout, (small_x, small_w, small_b)),
        strict=True,
    ):
        print(name, gradient.tolist())

# %% check="a3.affine_backward"
from cnnlab.check import check

check("a3.affine_backward", affine_backward)

# %% [markdown]
# <details><summary>Hint 1: dw</summary>
#
# `dw` is (D, M), made of `x`, (N, D), and `dout`, (N, M). What disappears is N.
# </details>
#
# <details><summary>Hint 2: db</summary>
#
# `sum` takes an `axis`: the one that disappears.
# </details>
#
# <details><summary>On paper: dw</summary>
#
# The first row of `x` times its row of `dout`, plus the second times its:
#
# $$\begin{bmatrix}1\\2\end{bmatrix}\begin{bmatrix}1&0&0\end{bmatrix} +
# \begin{bmatrix}0\\-1\end{bmatrix}\begin{bmatrix}10&0&1\end{bmatrix} =
# \begin{bmatrix}1&0&0\\-8&0&-1\end{bmatrix}$$
# </details>

# %% [markdown] tags=["T20"]
# ### Your own tool
#
# With questions 3 and 4 you can find out for yourself. A layer has no loss, but a small trick makes
# one: $L = \sum \text{dout} \cdot \text{out}$ has the derivative `dout[n, m]` by
# `out[n, m]`, so we may choose it. Let it be **random**, and let no two sizes be alike, so that
# nothing can be confused without being seen.

# %%
x, w, b = rng.normal(size=(5, 4)), rng.normal(size=(4, 3)), rng.normal(size=3)
dout = rng.normal(size=(5, 3))
with when_written("numeric_gradient", "relative_error", "affine_backward"):
    dx, dw, db = affine_backward(dout, (x, w, b))
    slopes = {
        "dx": (dx, numeric_gradient(lambda x: (dout * (x @ w + b)).sum(), x)),
        "dw": (dw, numeric_gradient(lambda w: (dout * (x @ w + b)).sum(), w)),
        "db": (db, numeric_gradient(lambda b: (dout * (x @ w + b)).sum(), b)),
    }
    for name, (analytic, numeric) in slopes.items():
        print(name, "agrees" if relative_error(analytic, numeric) < 1e-6 else "is wrong")

# %% [markdown] tags=["T19"]
# ## Question 7: ReLU, forward
#
# **5 points · 3 minutes · difficulty ●○○**
#
# Between two affine layers there has to be something that is not affine, or the two could be
# multiplied into one. The simplest such thing is a max gate with a 0 on its other wire, one for
# each number: $\text{out} = \max(0, x)$.
#
# `x` has any shape, and `out` has the same. Return `out`, and a `cache` of your own. **Predict** it
# for $-1$, $0$ and $2$.


# %% question="a3.relu_forward" points=5 minutes=3 difficulty=1
def relu_forward(x):
    """Keep what is positive, set the rest to zero.

    x : any shape; not changed.

    Returns out : x's shape, and a cache of your own.
    """
    # BEGIN SOLUTION
    return np.maximum(x, 0), x
    # END SOLUTION


# %%
with when_written("relu_forward"):
    print(relu_forward(np.array([-1.0, 0.0, 2.0]))[0])

# %% check="a3.relu_forward"
from cnnlab.check import check

check("a3.relu_forward", relu_forward)

# %% [markdown]
# <details><summary>Hint 1: which maximum</summary>
#
# `np.max(x)` looks for the largest number in an array, Python's `max` wants to compare whole
# things. The one that compares entry by entry is `np.maximum`.
# </details>
#
# <details><summary>Hint 2: x stays as it is</summary>
#
# `x[x < 0] = 0` changes the array of whoever called you. Work on a copy, or on a new array.
# </details>
#
# <details><summary>Hint 3: the cache</summary>
#
# The next question gets `x` itself as its cache. Do as it does, and the two fit together.
# </details>

# %% [markdown] tags=["T19"]
# ## Question 8: ReLU, backward
#
# **5 points · 5 minutes · difficulty ●○○**
#
# A max gate routes: where `x` was positive, `dout` comes through as it is. Where `x` was negative
# the 0 won, and nothing comes through. At exactly 0 question 1
# agreed on x; here, as in most libraries, the 0 wins, and **nothing comes through** there either.
#
# | name | shape | what it is |
# |---|---|---|
# | `dout` | any | one gradient for each output |
# | `cache` | as `dout` | the `x` of the forward pass |
# | result `dx` | as `x` | one gradient for each input |
#
# **Predict** `dx` for an `x` of $-1, 0, 2, 3$ and a `dout` of $5, 5, -5, 0.5$.


# %% question="a3.relu_backward" points=5 minutes=5 difficulty=1
def relu_backward(dout, cache):
    """Let the gradient through where the input was positive.

    dout : any shape.
    cache : x, in the same shape.

    Returns dx, in the same shape; 0 where x is 0.
    """
    # BEGIN SOLUTION
    x = cache
    return dout * (x > 0)
    # END SOLUTION


# %%
with when_written("relu_backward"):
    print(relu_backward(np.array([5.0, 5, -5, 0.5]), np.array([-1.0, 0, 2, 3])))

# %% check="a3.relu_backward"
from cnnlab.check import check

check("a3.relu_backward", relu_backward)

# %% [markdown]
# <details><summary>Hint 1: who decides</summary>
#
# `x` decides what comes through; `dout` is what comes. A negative `dout` comes through as well.
# </details>
#
# <details><summary>Hint 2: a comparison as a number</summary>
#
# `x > 0` is an array of True and False. In a product they count as 1 and 0.
# </details>
#
# <details><summary>Hint 3: the edge</summary>
#
# `>` and `>=` differ at 0 only.
# </details>

# %% [markdown] tags=["T20"]
# ### A kink misleads the differences
#
# **Predict:** what do central differences say of a ReLU at $-1$, at 0 and at 2?

# %%
from cnnlab import gradcheck

print(gradcheck.numeric_gradient(lambda x: ops.relu_forward(x)[0].sum(), np.array([-1.0, 0, 2])))

# %% [markdown] tags=["T20"]
# At 0 one of the two steps goes up the slope and the other stays on the floor: they meet at ½. Your
# `relu_backward` says 0 there, and neither is wrong, since there is no derivative. A gradient check
# should keep away from kinks. Random numbers nearly always do.

# %% [markdown] tags=["T19"]
# ## Question 9: softmax loss and its gradient
#
# **20 points · 25 minutes · difficulty ●●●**
#
# At the end of the network stand C scores for each image, and one of the classes is right. The
# softmax makes probabilities of a row of scores, and the loss (*cross-entropy*) is the mean of
# −ln p of the right class, the *label*:
#
# $$p[n,c] = \frac{e^{s[n,c]}}{\sum_j e^{s[n,j]}} \qquad
# \text{loss} = -\frac{1}{N}\sum_n \ln p\big[n, y[n]\big]$$
#
# For one row the logarithm of the quotient is a difference: its loss is $\ln\sum_j e^{s_j} - s_y$.
# **Predict** on paper: the derivative of that by $s_c$, for a class that is not $y$, and for $y$
# itself. What is it for four scores of 0 with $y = 2$, and what is the loss?
#
# <details><summary>On paper: the derivative</summary>
#
# $\ln\sum_j e^{s_j}$ has the derivative $e^{s_c}/\sum_j e^{s_j} = p_c$ by $s_c$, and $-s_y$ adds
# $-1$ at the label. So a row's gradient is $p$, less 1 at the label, and it adds up to 0. The mean
# over the rows brings in 1/N.
# </details>

# %%
loss, loss_cache = ops.softmax_loss_forward(np.zeros((1, 4)), np.array([2]))
print(f"{loss:.4f}, and ln 4 is {np.log(4):.4f}")
print(ops.softmax_loss_backward(1.0, loss_cache))

# %% [markdown] tags=["T19"]
# All is well on paper. In floats, $e^{1000}$ is infinite, and ∞/∞ is not a number. There is a way
# around it: **subtract the same number from all scores of a row**, and no probability changes. If
# that number is the row's largest score, no exponent is above 0.
#
# The other end is dangerous too: a probability may become too small for a float, and $\ln 0$ is
# $-\infty$. So take no logarithm of $p$. The difference $s_y - \ln\sum_j e^{s_j}$, computed with
# the shifted scores, has no such trouble.
#
# | name | shape | what it is |
# |---|---|---|
# | `scores` | (N, C) | a row of scores for each image; not to be changed |
# | `y` | (N,) | the right class of each, from 0 to C − 1 |
# | `loss` | a number | the mean over the rows |
# | `dscores` | (N, C) | the gradient of the loss, with its 1/N |


# %% question="a3.softmax_loss" points=20 minutes=25 difficulty=3
def softmax_loss(scores, y):
    """The mean cross-entropy of the softmax of the scores, and its gradient.

    scores : (N, C); not changed.
    y : (N,), whole numbers from 0 to C − 1.

    Returns loss, a number, and dscores : (N, C).
    """
    rows = np.arange(len(y))  # a[rows, y] takes entry y[n] of row n
    # BEGIN SOLUTION
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    dscores = np.exp(log_p)
    dscores[rows, y] -= 1
    return -log_p[rows, y].mean(), dscores / len(y)
    # END SOLUTION


# %%
with when_written("softmax_loss"):
    loss, dscores = softmax_loss(np.array([[1000.0, 1000.0], [0.0, 0.0]]), np.array([0, 1]))
    print(np.round(loss, 4), np.round(dscores, 4).tolist())

# %% check="a3.softmax_loss"
from cnnlab.check import check

check("a3.softmax_loss", softmax_loss)

# %% [markdown]
# <details><summary>Hint 1: row by row, all at once</summary>
#
# `scores.max(axis=1, keepdims=True)` has shape (N, 1): one number for each row, and it can be
# subtracted from (N, C). The same goes for a sum.
# </details>
#
# <details><summary>Hint 2: all the ln p</summary>
#
# With the shifted scores $t$, all of $\ln p[n, c]$ is $t[n, c]$ minus the logarithm of the row's
# sum of $e^{t}$. `np.exp` of that is $p$.
# </details>
#
# <details><summary>Hint 3: one entry of each row</summary>
#
# `a[np.arange(N), y]` takes entry `y[n]` of row n. `a[:, y]` would take whole columns.
# </details>
#
# <details><summary>Help, I get nan</summary>
#
# Print the largest $t$ of each row: it has to be 0 in *every* row.
# </details>

# %% [markdown] tags=["T19", "T20"]
# ## All of it together
#
# Affine, ReLU, affine, softmax loss: that is a network of two layers. The way back runs through the
# same functions in the opposite order; each `dout` is what the function before it has returned. If
# your functions are right, the gradient of the first weights agrees with differences of the
# whole.

# %%
x, y = rng.normal(size=(6, 5)), np.array([0, 2, 1, 1, 2, 0])
w1, b1, w2, b2 = (rng.normal(size=shape) for shape in ((5, 4), 4, (4, 3), 3))


def network(w1):
    hidden, _ = affine_forward(x, w1, b1)
    bent, _ = relu_forward(hidden)
    scores, _ = affine_forward(bent, w2, b2)
    return hidden, bent, *softmax_loss(scores, y)


with when_written("the functions of questions 3 to 9"):
    hidden, bent, loss, dscores = network(w1)
    dbent, dw2, db2 = affine_backward(dscores, (bent, w2, b2))
    dhidden = relu_backward(dbent, hidden)
    dx, dw1, db1 = affine_backward(dhidden, (x, w1, b1))
    error = relative_error(dw1, numeric_gradient(lambda w1: network(w1)[2], w1))
    print("dw1 agrees" if error < 1e-6 else "dw1 is wrong")

# %% [markdown] tags=["T20"]
# ## If you like: a check with two calls
#
# **no points · 20 minutes · difficulty ●●○**
#
# Entry by entry, a network with a million weights takes two million forward passes. There is a
# cheaper question to ask. Move *all* entries at once, each by its own share: a step of $h$ along a
# direction $v$. By the chain rule `f` moves as the sum of gradient times share:
#
# $$\sum_i \text{analytic}_i\, v_i \;\approx\; \frac{f(x + hv) - f(x - hv)}{2h}$$
#
# Return the relative error of the two sides, as in question 4: their difference over the larger of
# the two in size, and 0 where both are zero. `f` may be called **twice**, no more. (With a random
# `v`, a wrong entry can hide only by an unlikely accident.)


# %% question="a3.directional_error" points=0 minutes=20 difficulty=2
def directional_error(f, x, analytic, v, h=1e-5):
    """How far a gradient is from differences along one direction.

    f : takes an array in the shape of x, returns one number; may be called twice.
    x, analytic, v : the point, the gradient to check, and the direction, all of one shape.
    h : the step.

    Returns one number, 0 where both slopes are zero.
    """
    # BEGIN SOLUTION
    numeric = (f(x + h * v) - f(x - h * v)) / (2 * h)
    expected = (analytic * v).sum()
    larger = max(abs(numeric), abs(expected))
    return abs(numeric - expected) / larger if larger > 0 else 0.0
    # END SOLUTION


# %%
with when_written("directional_error"):
    point, direction = rng.normal(size=1000), rng.normal(size=1000)
    wrong = 2 * point
    wrong[17] += 1
    for gradient in (2 * point, wrong):
        error = directional_error(lambda x: (x**2).sum(), point, gradient, direction)
        print("agrees" if error < 1e-6 else "is wrong")

# %% check="a3.directional_error"
from cnnlab.check import check

check("a3.directional_error", directional_error)

# %% [markdown]
# <details><summary>Hint 1: two slopes</summary>
#
# One comes from `f`, at `x + h * v` and at `x - h * v`. The other comes from `analytic` and `v`
# without any call.
# </details>
#
# <details><summary>Hint 2: the sum</summary>
#
# `analytic * v` is an array of products; add them all up.
# </details>
#
# <details><summary>Hint 3: two numbers instead of two arrays</summary>
#
# Python's own `max` and `abs` will do. Mind the case where both are 0.
# </details>

# %% [markdown]
# ## Your points
#
# Save the notebook (Ctrl+S, or Cmd+S on a Mac), then run this cell. It takes some seconds.
# The grader draws fresh numbers for every run, so an answer that only fits the numbers
# above gets nothing.

# %% tags=["nbval-skip"]
from cnnlab.grading import grade

grade("a3_backpropagation.ipynb")

# %% [markdown]
# Affine, ReLU and softmax loss are operations of the library as well, and yours can take their
# place: `cnnlab.student.load_answers()` takes them out of your saved notebook, and a network that
# is given `load_answers().ops` runs on them.
