"""Pictures: functions that take and return Axes, in one style for every page.

Colors are those of Okabe and Ito, which readers of every kind of color vision
can tell apart; signed numbers run from blue (negative) over white to orange.
Pictures keep a white ground, so that they read the same on a dark page.
"""

import base64
import html
import io
import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib import rc_context, rcParams
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.patches import Circle, Polygon, Rectangle
from matplotlib.ticker import MaxNLocator
from PIL import Image as PillowImage

from cnnlab import graph, ops, shapes

BLUE, ORANGE, GREEN, VERMILLION, PURPLE = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#A6548A"
INK, FAINT, PAPER = "#111111", "#767676", "#FFFFFF"
SIGNED = LinearSegmentedColormap.from_list("signed", [BLUE, PAPER, ORANGE])

_STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": plt.cycler(color=[BLUE, VERMILLION, GREEN, PURPLE, ORANGE]),
    "axes.grid": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.figsize": (6, 3.4),
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "figure.constrained_layout.use": True,
    "image.cmap": "gray",
    "lines.linewidth": 2,
    "legend.frameon": False,
    # Letters as outlines: the picture looks the same whatever fonts a reader has.
    "svg.fonttype": "path",
    # Names inside an SVG are hashes; with a fixed salt the same picture gives the same bytes.
    "svg.hashsalt": "cnnlab",
}


def use_style() -> None:
    """Set Matplotlib to the look of the course, and to sharp (SVG) pictures in a notebook.

    Examples
    --------
    >>> use_style()
    >>> rcParams["svg.hashsalt"]
    'cnnlab'
    """
    rcParams.update(_STYLE)
    try:
        from IPython import get_ipython
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:
        return
    if get_ipython():
        set_matplotlib_formats("svg", metadata={"Date": None})


def show(picture, *, alt: str) -> None:
    """Display a picture in a notebook, with words for readers who do not see it.

    Parameters
    ----------
    picture : an Axes, a list of Axes or a Figure; the whole figure is shown, and closed.
    alt : what a reader needs to know from the picture, in a sentence or two.

    Raises
    ------
    ValueError
        If alt is empty.

    Examples
    --------
    >>> show(image(np.eye(3)), alt="A white diagonal on black.")
    [picture: A white diagonal on black.]
    """
    from IPython.display import display

    if not alt.strip():
        raise ValueError("every picture needs alt text: say in a sentence what it shows.")
    figure = _figure(picture)
    plt.close(figure)
    display(Picture(svg(figure), alt))


class Picture:
    """An SVG with its words: an `<img>` on a page, the words alone where there is only text.

    Parameters
    ----------
    source : bytes of the SVG.
    alt : what the picture shows.
    caption : a line below the picture.

    Examples
    --------
    >>> Picture(b"<svg/>", "Nothing at all.")
    [picture: Nothing at all.]
    """

    def __init__(self, source: bytes, alt: str, caption: str = ""):
        self.source, self.alt, self.caption = source, alt, caption

    def __repr__(self):
        return f"[picture: {self.alt}]"

    def _repr_html_(self):
        # As an image, not as inline SVG: GitHub and untrusted notebooks drop <svg> tags.
        source = base64.b64encode(self.source).decode()
        shown = f'<img alt="{html.escape(self.alt)}" src="data:image/svg+xml;base64,{source}">'
        return shown + (f"<p><em>{html.escape(self.caption)}</em></p>" if self.caption else "")


def svg(picture) -> bytes:
    """The picture as SVG: the same bytes for the same picture.

    Parameters
    ----------
    picture : an Axes, a list of Axes or a Figure.

    Examples
    --------
    >>> svg(image(np.eye(3))) == svg(image(np.eye(3)))
    True
    """
    buffer = io.BytesIO()
    fixed = {name: value for name, value in _STYLE.items() if name.startswith("svg.")}
    with rc_context(fixed):
        _figure(picture).savefig(
            buffer,
            format="svg",
            dpi=_RASTER_DPI,
            bbox_inches="tight",
            pad_inches=0.05,
            metadata={"Date": None, "Creator": None},
        )
    return _EMBEDDED.sub(_lighter, buffer.getvalue())


_EMBEDDED = re.compile(rb"(?<=data:image/png;base64,)[A-Za-z0-9+/=\s]+")


def _lighter(found):
    """The same picture in at most 128 colors: half the bytes, and no eye sees a difference."""
    buffer = io.BytesIO()
    full = PillowImage.open(io.BytesIO(base64.b64decode(found[0]))).convert("RGB")
    full.quantize(128, dither=PillowImage.Dither.NONE).save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue())


_RASTER_DPI = 110  # photographs inside an SVG: sharp enough, and a page stays under 1 MB


def row(count: int, *, width: float = 7.6, height: float = 2.6, ratios=None) -> list[Axes]:
    """Empty Axes side by side, for pictures that are to be compared.

    Parameters
    ----------
    count : how many.
    width, height : inches, of all of them together.
    ratios : relative widths, equal by default.

    Examples
    --------
    >>> len(row(3))
    3
    """
    figure = plt.figure(figsize=(width, height), layout="constrained")
    return list(figure.subplots(1, count, width_ratios=ratios, squeeze=False)[0])


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
    ax = _new(ax, 3, 3)
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
    ax = _new(ax, 0.42 * W + 0.4, 0.42 * H + 0.7)
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
            ax.text(j, i, number(value), ha="center", va="center", color=_ink_on(color))
    _grid_limits(ax, H, W)
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


def convolution_step(pixels, kernel, i: int, j: int, *, stride=1, pad=0, axes=None) -> list[Axes]:
    """Show one step of a convolution: input with its window, kernel, and output so far.

    The numbers come from `ops.conv_forward`; outputs after (i, j), in reading order,
    are left empty, as if they had still to be computed.

    Parameters
    ----------
    pixels : (H, W) input.
    kernel : (FH, FW).
    i, j : row and column in the output.
    stride, pad : pixels, the same on both axes.
    axes : three Axes to draw on; a new figure by default.

    Raises
    ------
    ShapeError
        If the window does not fit.
    IndexError
        If the output has no such place.

    Examples
    --------
    >>> axes = convolution_step(np.eye(3), np.ones((2, 2)), 0, 1)
    >>> [ax.get_title() for ax in axes]
    ['input 3×3', 'kernel 2×2', 'output 2×2']
    """
    pixels, kernel = np.asarray(pixels, float), np.asarray(kernel, float)
    out = ops.conv_forward(
        pixels[None, :, :, None], kernel[:, :, None, None], np.zeros(1), stride=stride, pad=pad
    )[0][0, :, :, 0]
    (H, W), (FH, FW), (OH, OW) = pixels.shape, kernel.shape, out.shape
    if not (0 <= i < OH and 0 <= j < OW):
        raise IndexError(f"the output is {OH}×{OW}: it has no place ({i}, {j}).")
    padded = np.pad(pixels, pad)
    tall = max(len(padded), FH)
    if axes is None:
        wide = [padded.shape[1], FW, OW]
        axes = row(3, width=0.34 * sum(wide) + 1.2, height=0.34 * tall + 0.5, ratios=wide)
    so_far = np.where(np.arange(OH * OW).reshape(OH, OW) <= i * OW + j, out, np.nan)
    border = f", pad {pad}" if pad else ""
    numbers(padded, axes[0], title=f"input {H}×{W}{border}", shade="none")
    numbers(kernel, axes[1], title=f"kernel {FH}×{FW}")
    numbers(so_far, axes[2], title=f"output {OH}×{OW}", shade="none")
    cells = zip(axes[0].patches, axes[0].texts, strict=True)
    for (u, v), (cell, text) in zip(np.ndindex(padded.shape), cells, strict=True):
        if not (pad <= u < pad + H and pad <= v < pad + W):
            cell.set_facecolor("#EEEEEE")
            text.set_color(FAINT)
    outline(axes[0], i * stride, j * stride, FH, FW)
    outline(axes[2], i, j, 1, 1)
    for ax, rows in zip(axes, (len(padded), FH, OH), strict=True):
        room = (tall - rows) / 2  # the same height for all three: the same size of cells
        ax.set_ylim(rows - 0.45 + room, -0.55 - room)
    return list(axes)


def sliding_window(
    size: int, kernel_size: int, *, stride: int = 1, pad: int = 0, ax: Axes | None = None
) -> Axes:
    """Draw every position of a window along one axis, and the one that falls off the end.

    Parameters
    ----------
    size, kernel_size, stride, pad : pixels, as in `shapes.output_size`.
    ax : where to draw; a new figure by default.

    Examples
    --------
    The title says what the picture shows:

    >>> sliding_window(7, 3, stride=2).get_title()
    '7 pixels, window 3, stride 2: 3 positions'
    >>> sliding_window(7, 3, stride=3).get_title()
    '7 pixels, window 3, stride 3: does not fit'
    """
    width = size + 2 * pad
    starts = list(range(0, max(width - kernel_size, 0) + 1, stride))
    if width > kernel_size and (width - kernel_size) % stride:
        starts.append(starts[-1] + stride)
    ax = _new(ax, 0.4 * (starts[-1] + kernel_size) + 0.8, 0.34 * len(starts) + 1.1)
    for cell in range(width):
        inside = pad <= cell < pad + size
        ax.add_patch(
            Rectangle(
                (cell - 0.5, -0.5), 1, 1, facecolor="#D9D9D9" if inside else PAPER, edgecolor=FAINT
            )
        )
        if not inside:
            ax.text(cell, 0, "0", ha="center", va="center")
    for place, start in enumerate(starts):
        off = start + kernel_size > width
        ax.add_patch(
            Rectangle(
                (start - 0.44, 0.75 + 0.8 * place),
                kernel_size - 0.12,
                0.55,
                facecolor=PAPER if off else BLUE,
                edgecolor=VERMILLION if off else BLUE,
                linestyle="--" if off else "-",
                linewidth=2,
            )
        )
    _grid_limits(ax, 0.8 * len(starts) + 1.2, max(width, starts[-1] + kernel_size))
    try:
        said = f"{shapes.output_size(size, kernel_size, stride=stride, pad=pad)} positions"
    except shapes.ShapeError:
        said = "does not fit"
    border = f", pad {pad}" if pad else ""
    ax.set_title(f"{size} pixels, window {kernel_size}, stride {stride}{border}: {said}")
    return ax


def who_sees_whom(
    weights, *, output: int | None = None, title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw units as dots and weights as lines; what one output sees is colored.

    Parameters
    ----------
    weights : (n_in, n_out) array, or a list of them from the input upwards. A line is
        drawn for every weight that is not zero.
    output : the output whose inputs are colored; by default the middle one.
    title : written above.
    ax : where to draw; a new figure by default.

    Raises
    ------
    ValueError
        If a layer does not have as many inputs as the one below has outputs.

    Examples
    --------
    >>> ax = who_sees_whom(np.eye(3), title="each sees one")
    >>> len(ax.lines)
    3
    """
    layers = [np.asarray(w) for w in (weights if isinstance(weights, list) else [weights])]
    sizes = [layers[0].shape[0], *(w.shape[1] for w in layers)]
    for w, below in zip(layers, sizes, strict=False):
        if w.shape[0] != below:
            raise ValueError(f"a layer of shape {w.shape} cannot stand on {below} units.")
    output = sizes[-1] // 2 if output is None else output
    seen = [np.zeros(n, bool) for n in sizes]
    seen[-1][output] = True
    for depth in reversed(range(len(layers))):
        seen[depth] = (layers[depth] != 0)[:, seen[depth + 1]].any(axis=1)

    ax = _new(ax, 0.5 * max(sizes) + 0.6, 0.95 * len(layers) + 0.9)
    place = [np.arange(n) + (max(sizes) - n) / 2 for n in sizes]
    for depth, w in enumerate(layers):
        for i, o in zip(*np.nonzero(w), strict=True):
            lit = seen[depth + 1][o]
            ax.plot(
                [place[depth][i], place[depth + 1][o]],
                [depth, depth + 1],
                color=VERMILLION if lit else "#BBBBBB",
                linewidth=2 if lit else 0.9,
                zorder=2 if lit else 1,
            )
    for depth, n in enumerate(sizes):
        colors = [VERMILLION if lit else PAPER for lit in seen[depth]]
        ax.scatter(
            place[depth], [depth] * n, s=130, c=colors, edgecolors=INK, linewidths=1.2, zorder=3
        )
    ax.set(xlim=(-0.6, max(sizes) - 0.4), ylim=(-0.35, len(layers) + 0.35))
    ax.set_yticks(range(len(sizes)), ["input", *(f"layer {d}" for d in range(1, len(sizes)))])
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(title)
    return ax


def receptive_field_tower(layers, ax: Axes | None = None) -> Axes:
    """Draw what one unit at the top sees, layer by layer down to the pixels (one axis).

    Parameters
    ----------
    layers : (kernel_size, stride) pairs, from the input upwards.
    ax : where to draw; a new figure by default.

    Examples
    --------
    >>> ax = receptive_field_tower([(3, 1), (3, 1)])
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['input: 5', 'layer 1: 3', 'layer 2: 1']
    """
    layers = list(layers)
    counts = [shapes.receptive_field(layers[depth:]) for depth in range(len(layers) + 1)]
    ax = _new(ax, min(7.6, 0.3 * counts[0] + 1.8), 0.62 * len(layers) + 0.9)
    edges, step = [], 1
    for depth, count in enumerate(counts):
        reach = (count - 1) * step / 2
        centers = np.arange(count) * step - reach
        for center in centers:
            ax.add_patch(
                Rectangle(
                    (center - 0.42, depth - 0.19),
                    0.84,
                    0.38,
                    facecolor=BLUE if depth == 0 else (VERMILLION if count == 1 else "#CFCFCF"),
                    edgecolor=INK,
                    linewidth=0.8,
                    zorder=3,
                )
            )
        edges.append(reach + 0.42)
        if depth < len(layers):
            step *= layers[depth][1]
    for depth in range(len(layers)):
        low, high = edges[depth], edges[depth + 1]
        corners = [(-low, depth), (low, depth), (high, depth + 1), (-high, depth + 1)]
        ax.add_patch(Polygon(corners, facecolor=ORANGE, alpha=0.25, edgecolor="none"))
    names = ["input", *(f"layer {depth}" for depth in range(1, len(layers) + 1))]
    ax.set_yticks(
        range(len(counts)), [f"{name}: {n}" for name, n in zip(names, counts, strict=True)]
    )
    ax.set(xlim=(-edges[0] - 0.3, edges[0] + 0.3), ylim=(-0.4, len(layers) + 0.4))
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def computational_graph(end: graph.Value, ax: Axes | None = None) -> Axes:
    """Draw a computational graph: above each wire its value, below it its gradient.

    Parameters
    ----------
    end : the value that comes out. Gradients are drawn once `end.backward()` has been called;
        after `end.backward(gates=2)` those that two gates have passed on.
    ax : where to draw; a new figure of the right size by default.

    Returns
    -------
    ax : the Axes with one circle per gate and the name of each input.

    Source: the lecture, "Back propagation".

    Examples
    --------
    >>> x, y, z = graph.Value(-2, "x"), graph.Value(5, "y"), graph.Value(-4, "z")
    >>> f = (x + y) * z
    >>> f.backward()
    >>> ax = computational_graph(f)
    >>> sorted(text.get_text() for text in ax.texts if text.get_color() == VERMILLION)
    ['1', '3', '−4', '−4', '−4']
    """
    plan = graph.drawing(end)
    wide, tall = 1.55, 1.2  # from column to column and from row to row
    places = {node: (wide * x, tall * y) for node, x, y in plan.nodes}
    right, low, high = (
        max(x for x, _ in places.values()) + 1.1,
        min(y for _, y in places.values()) - 0.55,
        max(y for _, y in places.values()) + 0.55,
    )
    ax = _new(ax, 0.78 * (right + 0.4), 0.78 * (high - low))
    for node, (x, y) in places.items():
        if node.gate is None:
            name = node.name or number(node.value)
            ax.text(x, y, name, ha="center", va="center", fontsize=11, zorder=4)
        else:
            ax.add_patch(Circle((x, y), 0.3, facecolor="#E8F1F8", edgecolor=INK, zorder=3))
            size = {1: 13, 2: 11, 3: 10}.get(len(node.gate.symbol), 8)
            ax.text(x, y, node.gate.symbol, ha="center", va="center", fontsize=size, zorder=4)
    taken = list(places.values())
    for wire in plan.wires:
        points = [(wide * x, tall * y) for x, y in wire.points]
        points[0] = _toward(points[0], points[1], 0.3 if wire.start.gate else 0.22)
        if wire.end is None:
            points[-1] = (right - 0.1, points[-1][1])
        ax.plot(*zip(*points, strict=True), color=FAINT, linewidth=1.3, zorder=1)
        x, y = _free_place(points, taken)
        taken.append((x, y))
        written = [(-0.04, "bottom", GREEN, wire.value)]
        if wire.gradient is not None:
            written.append((0.04, "top", VERMILLION, wire.gradient))
        for shift, side, color, value in written:
            words = ax.text(x, y + shift, number(value), color=color, ha="center", va=side)
            words.set(fontsize=9.5, zorder=2)
            words.set_bbox({"facecolor": PAPER, "edgecolor": "none", "pad": 0.4})
    ax.set(xlim=(-0.4, right), ylim=(high, low), aspect="equal")
    ax.axis("off")
    return ax


def _toward(start, end, distance):
    """The point this far from the start on the way to the end."""
    step = np.subtract(end, start)
    return tuple(np.add(start, step * distance / np.hypot(*step)))


def _free_place(points, taken):
    """Where to write on a line: on its last piece, clear of what is written already."""
    start, end = map(np.asarray, points[-2:])
    candidates = [start + share * (end - start) for share in (0.5, 0.4, 0.6, 0.3, 0.7, 0.2)]

    def crowd(place):
        apart = [np.hypot(0.8 * (place[0] - x), place[1] - y) for x, y in taken]
        return -min(*apart, 0.6, 0.6)

    return tuple(min(candidates, key=crowd))


def plot_history(history, ax: Axes | None = None) -> Axes:
    """Draw the loss of every epoch, for training and (where measured) for validation.

    Where there are validation accuracies, the last one is written in the legend.

    Parameters
    ----------
    history : has the lists train_loss, train_accuracy, validation_loss and
        validation_accuracy, one number per epoch; the last two may be empty.
    ax : where to draw; a new figure by default.

    Returns
    -------
    ax : the Axes with one line per split.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> history = SimpleNamespace(train_loss=[2.3, 1.9], train_accuracy=[0.1, 0.3],
    ...                           validation_loss=[], validation_accuracy=[])
    >>> [line.get_label() for line in plot_history(history).lines]
    ['training (accuracy 30 %)']
    """
    ax = _new(ax, 6, 3.4)
    splits = (
        ("training", history.train_loss, history.train_accuracy, BLUE, "o-"),
        ("validation", history.validation_loss, history.validation_accuracy, VERMILLION, "s--"),
    )
    for name, losses, accuracies, color, marks in splits:
        if len(losses):
            label = f"{name} (accuracy {accuracies[-1]:.0%})".replace("%", " %")
            epochs = range(1, len(losses) + 1)
            ax.plot(epochs, losses, marks, color=color, label=label, markersize=5)
    ax.set(xlabel="epoch", ylabel="loss")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlim(0.5, max(len(history.train_loss), 1) + 0.5)
    ax.spines[["top", "right"]].set_visible(False)
    if ax.lines:
        ax.legend(frameon=False)
    return ax


def live() -> Callable[[Any], None]:
    """What to give to `Trainer.fit(on_epoch=…)`: the curve of `plot_history`, growing.

    In a notebook one figure is drawn anew after every epoch; elsewhere each epoch is a line
    of text.

    Returns
    -------
    draw : a function of the history.

    Examples
    --------
    >>> from cnnlab.train import History
    >>> live()(History([2.0, 1.5], [0.3, 0.456], seconds=[1.0, 1.25]))
    epoch 2 in 1.2 s; train loss 1.500, accuracy 45.6%
    """
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        return lambda history: print(history.last_epoch(), flush=True)
    from IPython.display import display

    handle: Any = None

    def draw(history):
        nonlocal handle
        ax = plot_history(history)
        picture = Picture(svg(ax), f"Learning curve: {history.last_epoch()}.")
        plt.close(_figure(ax))
        if handle is None:
            handle = display(picture, display_id=True)
        else:
            handle.update(picture)

    return draw


def plot_confusion(matrix, class_names, ax: Axes | None = None) -> Axes:
    """Draw a confusion matrix: which class was taken for which, and how often.

    Each row is shaded by its share, so that rare classes can be read as well as
    common ones; the counts stand in the cells.

    Parameters
    ----------
    matrix : (C, C) counts, one row per true class, one column per predicted class.
    class_names : C names, in the order of the rows.
    ax : where to draw; a new figure by default.

    Returns
    -------
    ax : the Axes with C² cells.

    Raises
    ------
    ValueError
        If the matrix is not square or the names are not one per row.

    Examples
    --------
    >>> ax = plot_confusion([[9, 1], [3, 7]], ["cat", "dog"])
    >>> [text.get_text() for text in ax.texts]
    ['9', '1', '3', '7']
    """
    matrix = np.asarray(matrix)
    C = len(class_names)
    if matrix.shape != (C, C):
        raise ValueError(
            f"a confusion matrix of {C} classes has shape {(C, C)}, got {matrix.shape}."
        )
    side = max(3.2, 0.55 * C + 1.6)
    ax = _new(ax, side, side)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1, interpolation="none")
    for (row, column), count in np.ndenumerate(matrix):
        ink = _ink_on(plt.get_cmap("Blues")(share[row, column])) if count else FAINT
        ax.text(column, row, f"{count}", ha="center", va="center", color=ink, fontsize=10)
    turned: dict[str, Any] = (
        {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if C > 3 else {}
    )
    ax.set_xticks(range(C), class_names, **turned)
    ax.set_yticks(range(C), class_names)
    ax.set(xlabel="predicted class", ylabel="true class")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def _new(ax, width, height):
    """The given Axes, or one on a new figure of this size in inches."""
    return plt.subplots(figsize=(width, height), layout="constrained")[1] if ax is None else ax


def _figure(picture):
    """The whole figure of an Axes, of the first of several, or a figure itself."""
    if isinstance(picture, (list, tuple, np.ndarray)):
        picture = np.ravel(picture)[0]
    return picture.get_figure() if isinstance(picture, Axes) else picture


def _grid_limits(ax, height, width):
    """Square cells, the first row on top, nothing around them."""
    ax.set(xlim=(-0.55, width - 0.45), ylim=(height - 0.45, -0.55), aspect="equal")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def _ink_on(color):
    """Black or white, whichever stands out more from this color (WCAG contrast)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color[:3]]
    luminance = float(np.dot([0.2126, 0.7152, 0.0722], linear))
    return INK if (luminance + 0.05) ** 2 > 0.05 * 1.05 else PAPER
