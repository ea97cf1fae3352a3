"""Diagrams of the lecture: windows that slide, units that see each other, values that flow."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, Polygon, Rectangle

from cnnlab import graph, ops, shapes
from cnnlab.viz.images import number, numbers, outline
from cnnlab.viz.style import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    PAPER,
    VERMILLION,
    grid_limits,
    new_axes,
    row,
)


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
    ax = new_axes(ax, 0.4 * (starts[-1] + kernel_size) + 0.8, 0.34 * len(starts) + 1.1)
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
    grid_limits(ax, 0.8 * len(starts) + 1.2, max(width, starts[-1] + kernel_size))
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

    ax = new_axes(ax, 0.5 * max(sizes) + 0.6, 0.95 * len(layers) + 0.9)
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
    ax = new_axes(ax, min(7.6, 0.3 * counts[0] + 1.8), 0.62 * len(layers) + 0.9)
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
    # A wire may bend beyond all nodes.
    heights = [tall * y for wire in plan.wires for _, y in wire.points]
    right, low, high = (
        max(x for x, _ in places.values()) + 1.1,
        min(heights) - 0.55,
        max(heights) + 0.55,
    )
    ax = new_axes(ax, 0.78 * (right + 0.4), 0.78 * (high - low))
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
        else:
            points[-1] = _toward(points[-1], points[-2], 0.3)
        ax.plot(*zip(*points, strict=True), color=FAINT, linewidth=1.3, zorder=1)
        x, y = _free_place(points, taken)
        taken.append((x, y))
        written = [(-0.04, "bottom", GREEN, wire.value)]
        if wire.gradient is not None:
            written.append((0.04, "top", VERMILLION, wire.gradient))
        for shift, side, color, value in written:
            words = ax.text(x, y + shift, _short(value), color=color, ha="center", va=side)
            words.set(fontsize=9.5, zorder=2)
            words.set_bbox({"facecolor": PAPER, "edgecolor": "none", "pad": 0.4})
    ax.set(xlim=(-0.4, right), ylim=(high, low), aspect="equal")
    ax.axis("off")
    return ax


def _short(value):
    """A number for a wire: two decimals, or two digits where these would show nothing."""
    small = 0 < abs(value) < 0.095
    return f"{value:.2g}".replace("-", "−") if small else number(value)


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
