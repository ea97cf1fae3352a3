# %% [markdown]
# # 00 Start here
#
# A quarter of an hour, and you know how everything in this course works: you run a page, guess
# before you look, write a function, hear at once whether it is right, get it wrong on purpose,
# and collect your first points.
#
# **After this page you can**
# - run a page, and mend it when it is in a muddle;
# - predict, run, explain;
# - write an answer, check it, and have it graded.
#
# **Time:** about 15 minutes. **You need:** a little Python. It helps to have met NumPy arrays.
#
# ## A page is made of cells
#
# This text is a cell, and so is the gray box below. Click the box, then press **Shift+Enter**:
# that runs it and moves on.

# %%
import numpy as np

from cnnlab import viz

viz.use_style()
print("It runs.")

# %% [markdown]
# | key | what it does |
# |---|---|
# | Shift+Enter | run this cell, go to the next |
# | Ctrl+Enter | run this cell, stay |
# | Enter | start typing in the cell |
# | Esc | stop typing; then ↑ and ↓ move between cells |
# | Tab, Shift+Tab | while typing: complete a name, show its help |
# | Ctrl+S (Cmd+S) | save |
# | Esc, then I twice | stop a cell that does not end; so does the ■ button |
#
# The number in brackets, `[1]`, says in which order the cells ran. They share one memory,
# called the **kernel**: what one cell defines, all later ones can use. `[*]` means that a cell
# is still running. If a page behaves
# oddly, or you ran cells out of order, choose *Kernel → Restart Kernel and Run All Cells*.
# Nothing that you wrote is lost.
#
# ## Predict, run, explain
#
# Pages of this course ask before they show. Here is the first question. Two small tables of
# numbers, and the sign `*` between them:

# %%
a = np.array([[1, 2], [3, 4]])
b = np.array([[10, 0], [0, 10]])

# %% [markdown]
# **Predict:** what does `a * b` give? Write it on paper, really. Then run the next cell.

# %%
a * b

# %% [markdown]
# **Explain.** `*` multiplies place by place: top left with top left, and so on, so the zeros
# of `b` wipe out two places. If you expected `[[10, 20], [30, 40]]`, you had the matrix
# product in mind. NumPy writes that one with another sign:

# %%
a @ b

# %% [markdown]
# A wrong guess is worth more than a right one: you now know something that you did not know
# a minute ago.
#
# ## Your first answer
#
# A network looks at an image through small windows. In each window it compares the pixels with
# a small table of numbers, a **kernel**, and answers with one number. This is how:
#
# 1. multiply each pixel with the number of the kernel at the same place;
# 2. add up all the products.
#
# (The memory of a page is called a kernel too. The two have nothing to do with each other.)

# %%
patch = np.array([[1.0, 2, 9], [1, 2, 9], [0, 1, 8]])
kernel = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
axes = viz.grids({"pixels": patch, "kernel": kernel, "products": patch * kernel})
viz.show(axes, alt="Pixels, kernel, and their products place by place; nine numbers each.")

# %% [markdown]
# **Predict:** which number does this window answer with? Add up the nine products by hand.
#
# ### Question: what a window answers
#
# **10 points · 3 minutes · difficulty ●○○**
#
# Write the function `patch_response`. Both arrays have the same shape, (FH, FW), *rows,
# columns*; the result is one number. It has to work for every size, not only for 3×3.
#
# Replace the line that says `NotImplementedError` with your own code (one line is enough), run
# the cell, then run the check below it.


# %% question="s0.patch_response" points=10 minutes=3 difficulty=1
def patch_response(patch, kernel):
    """What a window answers: the sum of pixel times weight over all its places.

    patch : (FH, FW) pixels.
    kernel : (FH, FW) weights.

    Returns one number.
    """
    # BEGIN SOLUTION
    return float((patch * kernel).sum())
    # END SOLUTION


# %% check="s0.patch_response"
from cnnlab.check import check

check("s0.patch_response", patch_response)

# %% [markdown]
# The card says *not attempted yet* as long as `NotImplementedError` stands there, and
# *right* once every case agrees with the course's own function. The cases are windows of
# several sizes, filled with random numbers.
#
# Stuck? Hints unfold when you click them. Open one, try again, and only then open the next.
#
# <details><summary>Hint 1: where to begin</summary>
#
# Step 1 is what `a * b` did above.
# </details>
#
# <details><summary>Hint 2: adding up</summary>
#
# An array can add up its own numbers: `a.sum()`.
# </details>
#
# <details><summary>Help, the check still says "not attempted yet"</summary>
#
# Run the answer cell again after you changed it, then the check. And make sure that the line
# with `NotImplementedError` is gone.
# </details>
#
# <details><summary>Help, the answer cell itself shows a red error</summary>
#
# Then Python could not read your code, and the check sees the version before, or none. Mend the
# red error first: its last line names the trouble, and an arrow or ^ shows the place.
# </details>

# %%
from cnnlab.check import when_written

with when_written("patch_response"):
    print("This window answers with", patch_response(patch, kernel))

# %% [markdown]
# ## What you have just made
#
# Here is your function, run on a photograph: one call for each place of the window, and each
# answer becomes one pixel. **Predict:** this kernel takes the left from the right. What will
# it show?

# %%
from cnnlab.data import photograph

photo = photograph(96).mean(axis=2)
with when_written("patch_response"):
    places = range(96 - 3 + 1)
    windows = [[photo[i : i + 3, j : j + 3] for j in places] for i in places]
    answers = np.array([[patch_response(window, kernel) for window in row] for row in windows])
    axes = viz.images({"photograph": photo, "your function": answers}, signed=["your function"])
    viz.show(axes, alt="A portrait, and beside it its upright edges in orange and blue.")

# %% [markdown]
# Once your function is right you see edges: orange where the picture gets brighter towards the
# right, blue where it gets darker. Sliding a kernel like this is a **convolution**, and a
# network is mostly made of them.
#
# ## Now get it wrong on purpose
#
# The checks of this course know the mistakes that people really make, and call them by name.
# See for yourself: go back to your answer, put one of these lines into it, run just that cell and
# the check below it, and read the card. Then try the next one.
#
# | instead of the right line | the mistake |
# |---|---|
# | `return patch.sum()` | the kernel is forgotten |
# | `return patch * kernel` | the products are not added up |
# | `return (patch * kernel).max()` | the largest instead of the sum |
# | `return (patch @ kernel).sum()` | the wrong product |
#
# The card also says in which case it first went wrong. A mistake that the check does not know
# gets no name, only the place and the numbers.
#
# Put the right line back, run the cell and the check once more, and go on.

# %% [markdown]
# ## Your points
#
# Save the page (Ctrl+S, or Cmd+S on a Mac), then run this cell. It takes a few seconds.

# %% tags=["nbval-skip"]
from cnnlab.grading import grade

grade("00_start_here.ipynb")

# %% [markdown]
# Checking and grading are two things. The check is there to help you, as often as you like. The
# **grader** takes only your answer cell out of the saved file, puts it into a clean copy of
# this page, runs the copy with fresh random numbers, and compares what comes out. So:
#
# - deleting or editing a check cell changes nothing;
# - an answer that only knows the numbers on the page gets nothing;
# - another way to the same result is as good as ours;
# - leftover prints and notes of your own do no harm.
#
# ## Where things are
#
# | folder | what is in it |
# |---|---|
# | `notebooks/` | pages to read and run, such as this one |
# | `assignments/` | questions to answer, with points |
# | `solutions/` | the same with our answers: for afterwards |
# | `cnnlab/` | the library, made of functions like those that you write |
#
# | so far there is | minutes |
# |---|---|
# | 00 Start here | 15 |
# | [02 Convolution](02_convolution.ipynb): sliding windows, by hand and on a photograph | 70 |
# | [Assignment 1](../assignments/a1_convolution.ipynb): write a convolution yourself | 120 |
# | [Assignment 2](../assignments/a2_variants_pooling.ipynb): variants, shifts, pooling | 110 |
# | [Assignment 3](../assignments/a3_backpropagation.ipynb): backpropagation | 115 |
# | [Assignment 4](../assignments/a4_conv_backward.ipynb): back through these layers | 115 |
# | [Assignment 5](../assignments/a5_signals.ipynb): activations, batch normalization | 120 |
# | [Assignment 6](../assignments/a6_training.ipynb): what training is made of | 120 |
# | [Assignment 7](../assignments/a7_alexnet.ipynb): AlexNet, on your own operations | 115 |
#
# That is also a good order. Page 02 comes before assignments 1, 2, 4 and 6; assignment 2 goes on
# from 1, and 4 from 1 and 3. Assignments 3 and 5 need no page, only the chain rule. Assignment 7
# puts the answers of all others to use, and above all needs 1 and 6. Page 01 and those after 02
# are still to come; what they will say, each assignment explains as far as it needs it.
#
# ## When you are stuck
#
# 1. Read the last line of a red error. Errors of this course say what was expected and what
#    came instead.
# 2. Print shapes: `print(x.shape)`. Most mistakes are mistakes of shape.
# 3. Make it smaller: a 3×3 image and a 2×2 kernel fit on paper.
# 4. Restart the kernel and run the page from the top.
# 5. Unfold a hint. That is what they are for.

# %% [markdown]
# ## Summary
#
# - Shift+Enter runs a cell; restarting the kernel cleans up.
# - Predict, run, explain.
# - The check helps at once and names mistakes; the grader looks at your answer cells only.
#
# ## Three questions
#
# Answer each aloud before you unfold it.
#
# <details><summary>1. Patch and kernel are both 5×5. How many multiplications does one answer
# take?</summary>
#
# One for each place: 25.
# </details>
#
# <details><summary>2. You delete the check cell, save, and have the page graded. What happens to
# your points?</summary>
#
# Nothing. The grader puts your answer cell into a copy of its own.
# </details>
#
# <details><summary>3. A page says that a name is not defined, although you can see the cell that
# defines it. What happened?</summary>
#
# That cell has not been run since the kernel started. Run it, or run the page from the top.
# </details>
#
# ## What comes next
#
# [02 Convolution](02_convolution.ipynb) lets your kernel slide.
