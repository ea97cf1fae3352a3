"""Pictures: functions that take and return Axes, in one style for every page."""

from cnnlab.viz.diagrams import (
    computational_graph,
    convolution_step,
    receptive_field_tower,
    sliding_window,
    who_sees_whom,
)
from cnnlab.viz.images import grids, image, images, number, numbers, outline
from cnnlab.viz.style import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    PAPER,
    PURPLE,
    SIGNED,
    VERMILLION,
    Picture,
    row,
    show,
    svg,
    use_style,
)
from cnnlab.viz.training import plot_confusion, plot_history

__all__ = [
    "BLUE",
    "FAINT",
    "GREEN",
    "INK",
    "ORANGE",
    "PAPER",
    "PURPLE",
    "SIGNED",
    "VERMILLION",
    "Picture",
    "computational_graph",
    "convolution_step",
    "grids",
    "image",
    "images",
    "number",
    "numbers",
    "outline",
    "plot_confusion",
    "plot_history",
    "receptive_field_tower",
    "row",
    "show",
    "sliding_window",
    "svg",
    "use_style",
    "who_sees_whom",
]
