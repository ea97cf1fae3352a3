"""Things to move by hand, each with a still picture for readers who have no kernel."""

import html

import ipywidgets
import numpy as np

from cnnlab import ops, viz
from cnnlab.shapes import ShapeError, expect_rank

_CELL = 26  # pixels on the screen
_MOST_PAD = 2


def convolution_explorer(
    image,
    kernels: dict,
    *,
    kernel: str | None = None,
    stride: int = 1,
    pad: int = 0,
    position: int = 0,
):
    """A small image, a kernel, and one step of their convolution, to be moved by hand.

    Parameters
    ----------
    image : (H, W) numbers, at most 12×12, so that each of them can be read.
    kernels : from a name to an (FH, FW) array, at most 5×5.
    kernel : the name of the one to begin with, by default the first.
    stride, pad, position : where to begin; positions count from 0 in reading order.

    Returns
    -------
    explorer : a `ConvolutionExplorer`; as the last line of a cell it shows itself.

    Raises
    ------
    ShapeError
        If the image or a kernel is not a matrix, or is too large to be read.

    Examples
    --------
    >>> explorer = convolution_explorer(np.eye(4), {"sum": np.ones((2, 2))})
    >>> explorer.output[0, 0]
    np.float64(2.0)
    >>> explorer.position.value = 1
    >>> explorer
    [picture: Input 4×4, kernel sum 2×2, stride 1, pad 0: output 3×3. The window stands at row 0,
    column 1 of the output, and the dot product is 1.]
    """
    begin = {"kernel": kernel, "stride": stride, "pad": pad, "position": position}
    return ConvolutionExplorer(image, kernels, **begin)


class ConvolutionExplorer(ipywidgets.VBox):
    """What `convolution_explorer` returns: the controls, and the numbers they lead to.

    Attributes
    ----------
    kernel, position, stride, pad : the controls; set their `value` to move them by code.
    output : (OH, OW) what `ops.conv_forward` computes, or None where the window does not fit.
    message : why it does not fit, else empty.
    """

    def __init__(self, image, kernels, *, kernel=None, stride=1, pad=0, position=0):
        self.image = _matrix("image", image, 12)
        self.kernels = {name: _matrix(name, kernel, 5) for name, kernel in kernels.items()}
        self.output: np.ndarray | None = None
        self.message = ""
        look = {"style": {"description_width": "5em"}, "layout": {"width": "18em"}}
        names, strides, pads = list(kernels), range(1, 5), range(_MOST_PAD + 1)
        self.kernel = _choice("kernel", names, kernel or names[0], look)
        self.stride = _choice("stride", strides, stride, look)
        self.pad = _choice("padding", pads, pad, look)
        self.position = ipywidgets.BoundedIntText(description="position", **look)
        # Screen readers get no label from a slider: the number beside it has one.
        self._slider = ipywidgets.IntSlider(readout=False, layout={"width": "16em"})
        ipywidgets.link((self.position, "value"), (self._slider, "value"))
        self._picture = ipywidgets.HTML()
        rows = [[self.kernel, self.stride, self.pad], [self.position, self._slider]]
        wrap = ipywidgets.Layout(flex_flow="row wrap")
        boxes = [ipywidgets.Box(controls, layout=wrap) for controls in rows]
        super().__init__([*boxes, self._picture])
        for control in (self.kernel, self.stride, self.pad):
            control.observe(self._compute, "value")
        self.position.observe(self._draw, "value")
        self._compute()
        self.position.value = position

    def __repr__(self):
        return repr(self.still())

    def _repr_mimebundle_(self, **options):
        """The widget for a page with a kernel, and the still picture for one without."""
        bundle = super()._repr_mimebundle_(**options)
        still = self.still()
        return bundle | {"text/html": still._repr_html_(), "text/plain": repr(still)}

    def still(self) -> viz.Picture:
        """The picture as it stands, without the controls."""
        source = self._svg(most_pad=self.pad.value).encode()
        return viz.Picture(source, self.words, "A still picture. Run this cell to move it.")

    @property
    def words(self) -> str:
        """The picture in words, for screen readers and for plain text."""
        (H, W), (FH, FW) = self.image.shape, self.kernels[self.kernel.value].shape
        start = (
            f"Input {H}×{W}, kernel {self.kernel.value} {FH}×{FW}, "
            f"stride {self.stride.value}, pad {self.pad.value}: "
        )
        if self.output is None:
            return start + " ".join(self.message.split())
        (OH, OW), (i, j) = self.output.shape, self._place()
        return (
            f"{start}output {OH}×{OW}. The window stands at row {i}, column {j} of the output, "
            f"and the dot product is {viz.number(self.output[i, j])}."
        )

    def _compute(self, _=None):
        """Convolve anew; a position that no longer exists becomes the last one."""
        w, b = self.kernels[self.kernel.value][:, :, None, None], np.zeros(1)
        options = {"stride": self.stride.value, "pad": self.pad.value}
        try:
            out, _ = ops.conv_forward(self.image[None, :, :, None], w, b, **options)
            self.output, self.message = out[0, :, :, 0], ""
        except ShapeError as error:
            self.output, self.message = None, str(error)
        for control in (self.position, self._slider):
            control.disabled = self.output is None
            if self.output is not None:
                control.max = self.output.size - 1
        self._draw()

    def _draw(self, _=None):
        words = html.escape(self.words)
        self._picture.value = f'<div role="img" aria-label="{words}">{self._svg()}</div>'

    def _place(self):
        """Row and column in the output."""
        columns = 1 if self.output is None else self.output.shape[1]
        return divmod(self.position.value, columns)

    def _svg(self, most_pad=_MOST_PAD):
        """The picture, written by hand: Matplotlib would need too long for a slider.

        There is room for the most padding and the largest kernel, so that nothing jumps.
        """
        kernel, stride, pad = self.kernels[self.kernel.value], self.stride.value, self.pad.value
        padded = np.pad(self.image, pad)
        (H, W), (FH, FW) = self.image.shape, kernel.shape
        tall = max(H + 2 * most_pad, *(k.shape[0] for k in self.kernels.values()))
        wide = W + 2 * most_pad
        middle = max(3, *(k.shape[1] for k in self.kernels.values()))
        lines = max(2, *(k.shape[0] + 1 for k in self.kernels.values()))
        size = (2 * wide + middle + 4, tall + lines + 2.5)
        source = _Panel(1, 1.4, wide, tall, padded)
        weights = _Panel(wide + 2, 1.4, middle, tall, kernel)
        parts = [
            *source.title(f"input {H}×{W}, pad {pad}"),
            *source.cells(lambda u, v: _PLAIN if _inside(u, v, H, W, pad) else _BORDER),
            *weights.title(f"kernel {FH}×{FW}"),
            *weights.cells(lambda u, v: _SIGNS[int(np.sign(kernel[u, v]))]),
        ]
        if self.output is None:
            said = [(line, viz.VERMILLION) for line in self.message.splitlines()]
        else:
            (OH, OW), (i, j), now = self.output.shape, self._place(), self.position.value
            result = _Panel(wide + middle + 3, 1.4, wide, tall, self.output)
            parts += [
                *result.title(f"output {OH}×{OW}"),
                *result.cells(lambda u, v: _PLAIN if u * OW + v <= now else _LATER),
                source.frame(i * stride, j * stride, FH, FW),
                result.frame(i, j, 1, 1),
            ]
            window = padded[i * stride :, j * stride :][:FH, :FW]
            said = [(line, viz.INK) for line in _dot_product(window, kernel)]
        for number, (line, ink) in enumerate(said):
            parts.append(_text(1, tall + 2.2 + number, line, ink, anchor="start"))
        width, height = (side * _CELL for side in size)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
            f'viewBox="0 0 {width:g} {height:g}" font-family="sans-serif" font-size="13" '
            f'style="max-width:100%;height:auto">'
            f'<rect width="100%" height="100%" fill="{viz.PAPER}"/>{"".join(parts)}</svg>'
        )


def _choice(name, options, value, look):
    return ipywidgets.Dropdown(options=list(options), value=value, description=name, **look)


# How a cell looks: its ground and its ink.
_PLAIN, _BORDER, _LATER = (viz.PAPER, viz.INK), ("#EEEEEE", viz.FAINT), (viz.PAPER, "none")
_SIGNS = {-1: ("#BFDDF0", viz.INK), 0: _PLAIN, 1: ("#F8DFA8", viz.INK)}


class _Panel:
    """A grid of numbers in the middle of the room it is given; all in units of cells."""

    def __init__(self, left, top, width, height, values):
        self.values, (rows, columns) = values, values.shape
        self.center, self.head = left + width / 2, top - 0.5
        self.left, self.top = left + (width - columns) / 2, top + (height - rows) / 2

    def title(self, text):
        yield _text(self.center, self.head, text, viz.INK, bold=True)

    def cells(self, look):
        for (u, v), value in np.ndenumerate(self.values):
            ground, ink = look(u, v)
            yield _box(self.left + v, self.top + u, 1, 1, fill=ground, stroke="#B8B8B8")
            if ink != "none":
                yield _text(self.left + v + 0.5, self.top + u + 0.68, viz.number(value), ink)

    def frame(self, row, column, rows, columns):
        look = {"fill": "none", "stroke": viz.VERMILLION, "stroke-width": 3}
        return _box(self.left + column, self.top + row, columns, rows, **look)


def _box(x, y, width, height, **look):
    places = {"x": x, "y": y, "width": width, "height": height}
    scaled = {name: f"{value * _CELL:g}" for name, value in places.items()}
    return "<rect " + " ".join(f'{k}="{v}"' for k, v in (scaled | look).items()) + "/>"


def _text(x, y, text, ink, *, anchor="middle", bold=False):
    weight = ' font-weight="bold"' if bold else ""
    # Numbers of four digits and more are set smaller, to stay inside their cell.
    small = ' font-size="10"' if anchor == "middle" and not bold and len(text) > 3 else ""
    return (
        f'<text x="{x * _CELL:g}" y="{y * _CELL:g}" fill="{ink}" text-anchor="{anchor}"'
        f"{weight}{small}>{html.escape(text)}</text>"
    )


def _dot_product(window, kernel):
    """The sum in words: one line per row of the kernel, then the total."""
    for u, (pixels, weights) in enumerate(zip(window, kernel, strict=True)):
        terms = " + ".join(
            f"{viz.number(x)}·{_bracketed(w)}" for x, w in zip(pixels, weights, strict=True)
        )
        yield f"row {u}:  {terms} = {viz.number(pixels @ weights)}"
    yield f"dot product = {viz.number((window * kernel).sum())}"


def _bracketed(value):
    text = viz.number(value)
    return f"({text})" if value < 0 else text


def _inside(u, v, height, width, pad):
    return pad <= u < pad + height and pad <= v < pad + width


def _matrix(name, values, most):
    values = np.asarray(values, dtype=float)
    expect_rank(name, values, "H W")
    if max(values.shape) > most or min(values.shape) < 1:
        raise ShapeError(
            f"{name} must have 1 to {most} rows and columns to be readable, got {values.shape}."
        )
    return values
