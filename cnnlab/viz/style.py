"""The look of all pictures, and how a page shows them.

Colors are those of Okabe and Ito, which readers of every kind of color vision
can tell apart; signed numbers run from blue (negative) over white to orange.
Pictures keep a white ground, so that they read the same on a dark page.
"""

import base64
import html
import io
import re
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib import rc_context, rcParams
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from PIL import Image as PillowImage

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
    >>> from cnnlab.viz import image
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
    >>> from cnnlab.viz import image
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


def grid(count: int, columns: int, *, width: float = 7.6) -> list[Axes]:
    """Empty Axes in rows of a few, for pictures with a line or two of text each.

    Parameters
    ----------
    count : how many.
    columns : how many side by side.
    width : inches, of all of them together.

    Examples
    --------
    >>> len(grid(7, 5))
    7
    """
    rows, side = -(-count // columns), width / columns
    figure = plt.figure(figsize=(width, rows * (side + 0.3)), layout="constrained")
    return [figure.add_subplot(rows, columns, place + 1) for place in range(count)]


def new_axes(ax, width, height):
    """The given Axes, or one on a new figure of this size in inches."""
    return plt.subplots(figsize=(width, height), layout="constrained")[1] if ax is None else ax


def grid_limits(ax, height, width):
    """Square cells, the first row on top, nothing around them."""
    ax.set(xlim=(-0.55, width - 0.45), ylim=(height - 0.45, -0.55), aspect="equal")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def ink_on(color):
    """Black or white, whichever stands out more from this color (WCAG contrast)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color[:3]]
    luminance = float(np.dot([0.2126, 0.7152, 0.0722], linear))
    return INK if (luminance + 0.05) ** 2 > 0.05 * 1.05 else PAPER


def _figure(picture):
    """The whole figure of an Axes, of the first of several, or a figure itself."""
    if isinstance(picture, (list, tuple, np.ndarray)):
        picture = np.ravel(picture)[0]
    return picture.get_figure() if isinstance(picture, Axes) else picture
