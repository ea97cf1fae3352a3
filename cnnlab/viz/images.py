"""Arrays as pictures, and as grids of their numbers."""

import math

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from cnnlab.shapes import ShapeError
from cnnlab.viz.style import PAPER, SIGNED, VERMILLION, grid_limits, ink_on, new_axes, row


def image(pixels, ax: Axes | None = None, *, title: str = "", signed: bool = False) -> Axes:
    """Show an array as a picture, without ticks.

    Parameters
    ----------
    pixels : (H, W) or (H, W, 1) brightness, or (H, W, 3) color. Bytes run from 0 (black)
        to 255 (white), other numbers from 0 to 1, or to their smallest and largest
        where these lie outside.
    ax : where to draw; a new figure by default.
    title : written above.
    signed : blue for negative, white for 0, orange for positive, equally far both ways;
        the strongest 1 % share the strongest color.

    Raises
    ------
    ValueError
        If pixels is not an image.

    Examples
    --------
    >>> image(np.eye(3), title="diagonal").get_title()
    'diagonal'
    """
    pixels = np.asarray(pixels)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim != 2 and pixels.shape[2:] != (3,):
        raise ValueError(f"an image is (H, W), (H, W, 1) or (H, W, 3), got shape {pixels.shape}.")
    ax = new_axes(ax, 3, 3)
    # Pixels too small to be seen one by one are stored as they are: it takes fewer bytes.
    smoothing = "none" if 100 <= max(pixels.shape) <= 300 else None
    if pixels.ndim == 3:
        ax.imshow(pixels, interpolation=smoothing)
    elif signed:
        # A few extreme pixels would leave all others pale.
        reach = np.percentile(np.abs(pixels), 99) or np.abs(pixels).max() or 1
        ax.imshow(pixels, cmap=SIGNED, vmin=-reach, vmax=reach, interpolation=smoothing)
    else:
        top = 255 if pixels.dtype == np.uint8 else max(1, pixels.max(initial=1))
        low = min(0, pixels.min(initial=0))
        ax.imshow(pixels, cmap="gray", vmin=low, vmax=top, interpolation=smoothing)
    ax.set_title(title)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    return ax


def images(pictures: dict, *, signed=(), height: float | None = None) -> list[Axes]:
    """Show several arrays side by side, each under its name.

    Parameters
    ----------
    pictures : from a title to an array, as `image` takes them.
    signed : the titles of those that are drawn in signed colors, or True for all.
    height : inches; by default what the shape of the pictures asks for.

    Examples
    --------
    >>> axes = images({"photograph": np.eye(3), "edges": -np.eye(3)}, signed=["edges"])
    >>> [ax.get_title() for ax in axes]
    ['photograph', 'edges']
    """
    arrays = [np.asarray(array) for array in pictures.values()]
    side = min(3, 7.6 / len(arrays))
    if height is None:
        height = side * max(array.shape[0] / array.shape[1] for array in arrays) + 0.35
    axes = row(len(arrays), width=side * len(arrays), height=height)
    for ax, (title, array) in zip(axes, pictures.items(), strict=True):
        image(array, ax, title=title, signed=signed is True or (signed and title in signed))
    return axes


def gallery(
    pictures,
    ax: Axes | None = None,
    *,
    columns: int | None = None,
    signed: bool = False,
    together: bool = False,
) -> Axes:
    """Show many small arrays in rows and columns, each in the full range of shades.

    Parameters
    ----------
    pictures : (N, H, W) or (N, H, W, 1) numbers, or (N, H, W, 3) color.
    ax : where to draw; a new figure by default.
    columns : how many side by side; by default about as many as there are rows.
    signed : blue for negative, white for 0, orange for positive, equally far both ways.
    together : all in the range of all, so that their strengths can be compared.

    Raises
    ------
    ShapeError
        If pictures is not a batch of images.

    Examples
    --------
    >>> ax = gallery(np.random.default_rng(0).normal(size=(6, 5, 5)), signed=True)
    >>> ax.images[0].get_array().shape
    (13, 25)
    """
    pictures = np.asarray(pictures, dtype=float)
    if pictures.ndim == 3:
        pictures = pictures[..., None]
    if pictures.ndim != 4 or pictures.shape[3] not in (1, 3) or pictures.size == 0:
        raise ShapeError(
            f"pictures must be a batch of images, (N, H, W), (N, H, W, 1) or (N, H, W, 3), got "
            f"shape {pictures.shape}."
        )
    N, H, W, C = pictures.shape
    columns = columns or 2 ** math.ceil(math.log2(N) / 2)
    rows, gap = math.ceil(N / columns), max(1, max(H, W) // 16)
    # What lies between the pictures is not a number, until it gets a color of its own.
    wall = np.full((rows, gap + H, columns, gap + W, C), np.nan)
    wall[np.arange(N) // columns, gap:, np.arange(N) % columns, gap:] = _full_range(
        pictures, signed, None if together else (1, 2, 3)
    )
    wall = wall.reshape(rows * (gap + H), columns * (gap + W), C)
    wall = np.pad(wall, ((0, gap), (0, gap), (0, 0)), constant_values=np.nan)
    # Small filters stay large enough to be seen, large maps side by side fit the page.
    cell = min(max(0.5, 0.03 * max(H, W)), 7.6 / columns)
    ax = new_axes(ax, cell * columns, cell * columns * wall.shape[0] / wall.shape[1])
    # Sharp squares, but where there are too many of them, as they are: it takes fewer bytes.
    smoothing = "nearest" if wall.shape[1] <= 400 else "none"
    if C == 3:
        ax.imshow(np.nan_to_num(wall, nan=1), interpolation=smoothing)
    elif signed:
        colors = SIGNED.with_extremes(bad="#DDDDDD")  # not white, as the number 0 is
        ax.imshow(wall[..., 0], cmap=colors, vmin=-1, vmax=1, interpolation=smoothing)
    else:
        colors = plt.get_cmap("gray").with_extremes(bad=PAPER)
        ax.imshow(wall[..., 0], cmap=colors, vmin=0, vmax=1, interpolation=smoothing)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    return ax


def _full_range(pictures, signed, axes):
    """From 0 to 1, or signed from −1 to 1 with 0 where it was; what is constant becomes 0."""
    if signed:
        low, span = 0, np.abs(pictures).max(axis=axes, keepdims=True)
    else:
        low = pictures.min(axis=axes, keepdims=True)
        span = pictures.max(axis=axes, keepdims=True) - low
    return (pictures - low) / np.where(span > 0, span, 1)


def numbers(values, ax: Axes | None = None, *, title: str = "", shade: str = "signed") -> Axes:
    """Show a small array as a grid of its numbers: a kernel, a patch, an output.

    Parameters
    ----------
    values : (H, W); a cell that is NaN stays empty.
    ax : where to draw; a new figure by default.
    title : written above.
    shade : "signed" (blue, white, orange) or "none".

    Examples
    --------
    >>> [text.get_text() for text in numbers([[1, -2.5]]).texts]
    ['1', '−2.5']
    """
    values = np.atleast_2d(np.asarray(values, dtype=float))
    H, W = values.shape
    ax = new_axes(ax, 0.42 * W + 0.4, 0.42 * H + 0.7)
    finite = np.nan_to_num(values)
    reach = np.abs(finite).max() or 1
    for (i, j), value in np.ndenumerate(values):
        # Half strength at most: numbers in the cells stay easy to read.
        signed = SIGNED(0.5 + 0.35 * finite[i, j] / reach)
        color = signed if shade == "signed" else to_rgb(PAPER)
        empty = np.isnan(value)
        ax.add_patch(
            Rectangle(
                (j - 0.5, i - 0.5), 1, 1, facecolor=PAPER if empty else color, edgecolor="#B8B8B8"
            )
        )
        if not empty:
            ax.text(j, i, number(value), ha="center", va="center", color=ink_on(color))
    grid_limits(ax, H, W)
    ax.set_title(title)
    return ax


def grids(matrices: dict) -> list[Axes]:
    """Show several small arrays as grids of numbers, side by side, each under its name.

    Parameters
    ----------
    matrices : from a title to an (H, W) array.

    Examples
    --------
    >>> [ax.get_title() for ax in grids({"sum": np.ones((3, 3)), "keep": np.eye(3)})]
    ['sum', 'keep']
    """
    arrays = [np.atleast_2d(array) for array in matrices.values()]
    widths = [array.shape[1] + 0.3 for array in arrays]
    cell = min(0.45, 7.6 / sum(widths))
    tallest = max(array.shape[0] for array in arrays)
    axes = row(len(arrays), width=cell * sum(widths), height=cell * tallest + 0.35, ratios=widths)
    for ax, (title, array) in zip(axes, matrices.items(), strict=True):
        numbers(array, ax, title=title)
    return axes


def number(value: float) -> str:
    """A number as pages write it: at most two decimals, and a real minus sign.

    Examples
    --------
    >>> number(-2.0), number(1 / 9), number(1234)
    ('−2', '0.11', '1234')
    """
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text.replace("-", "−")


def outline(
    ax: Axes, top: float, left: float, height: float, width: float, *, color=VERMILLION
) -> Axes:
    """Draw a frame around cells of an image or a grid of numbers.

    Parameters
    ----------
    top, left : row and column of the first cell.
    height, width : how many cells.

    Examples
    --------
    >>> ax = outline(numbers(np.eye(3)), 0, 0, 2, 2)
    >>> ax.patches[-1].get_width()
    2
    """
    ax.add_patch(
        Rectangle(
            (left - 0.5, top - 0.5),
            width,
            height,
            fill=False,
            edgecolor=color,
            linewidth=2.5,
            zorder=5,
            clip_on=False,
        )
    )
    return ax
