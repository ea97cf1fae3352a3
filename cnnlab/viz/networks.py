"""Inside a network: its filters, its feature maps, what its scores depend on, where it errs.

The numbers come from `cnnlab.interpret`; here they are drawn.
"""

import numpy as np
from matplotlib.axes import Axes

from cnnlab.data import Dataset
from cnnlab.shapes import ShapeError, expect_rank, output_size, pair
from cnnlab.viz.images import gallery, image, outline
from cnnlab.viz.style import grid, row


def plot_filters(w, ax: Axes | None = None, *, most: int = 16) -> Axes:
    """Draw the filters of a convolution, each in the full range of shades.

    Filters that look at a color image are drawn in color. Filters over any other number of
    channels are drawn in signed colors, blue for negative and orange for positive: over a
    gray image as a picture each, deeper in the network as a row each, channel by channel.

    Parameters
    ----------
    w : (FH, FW, C, K) filters, such as `model.layers[0].params["w"]`.
    ax : where to draw; a new figure by default.
    most : deeper in the network, how many filters and channels to draw at most.

    Raises
    ------
    ShapeError
        If w does not hold filters.

    Examples
    --------
    >>> w = np.random.default_rng(0).normal(size=(3, 3, 64, 128))
    >>> ax = plot_filters(w)
    >>> ax.get_ylabel(), ax.get_xlabel()
    ('filters 0 to 15 of 128', 'channels 0 to 15 of 64')
    """
    w = np.asarray(w)
    expect_rank("w", w, "FH FW C K")
    FH, FW, C, K = w.shape
    each = np.moveaxis(w, 3, 0)
    if C in (1, 3):
        return gallery(each, ax, signed=C == 1)
    # One scale for a filter: its weak channels look weak.
    each = each / np.abs(each).max(axis=(1, 2, 3), keepdims=True).clip(min=1e-30)
    shown = np.moveaxis(each, 3, 1)[:most, :most]
    rows, columns = shown.shape[:2]
    ax = gallery(shown.reshape(-1, FH, FW), ax, columns=columns, signed=True, together=True)
    ax.set_ylabel(_range("filters", rows, K))
    ax.set_xlabel(_range("channels", columns, C))
    return ax


def plot_feature_maps(maps, ax: Axes | None = None) -> Axes:
    """Draw what a layer makes of one image, channel by channel, each in the full range of shades.

    In gray if nothing is negative, as after a ReLU; else blue for negative, white for 0 and
    orange for positive.

    Parameters
    ----------
    maps : (H, W, K), such as `interpret.feature_maps(model, x, layer)[0]`.
    ax : where to draw; a new figure by default.

    Raises
    ------
    ShapeError
        If maps is not a volume.

    Examples
    --------
    >>> ax = plot_feature_maps(np.random.default_rng(0).random((14, 14, 32)))
    """
    maps = np.asarray(maps)
    expect_rank("maps", maps, "H W K")
    return gallery(np.moveaxis(maps, 2, 0), ax, signed=bool((maps < 0).any()))


def plot_saliency(pixels, saliency, *, axes=None) -> list[Axes]:
    """Draw an image and beside it how much a score depends on each pixel: the brighter, the more.

    Parameters
    ----------
    pixels : (H, W, C) the image.
    saliency : (H, W), such as `interpret.saliency(model, x, label)[0]`.
    axes : two Axes to draw on; a new figure by default.

    Raises
    ------
    ShapeError
        If the two are not of one size.

    Examples
    --------
    >>> axes = plot_saliency(np.eye(4), np.ones((4, 4)))
    >>> [ax.get_title() for ax in axes]
    ['image', 'saliency']
    """
    pixels, saliency = np.asarray(pixels), np.asarray(saliency)
    if pixels.shape[:2] != saliency.shape:
        raise ShapeError(
            f"saliency must hold one number for each pixel of the image, {pixels.shape[:2]}, got "
            f"{saliency.shape}."
        )
    axes = row(2, width=5.4, height=2.9) if axes is None else axes
    image(pixels, axes[0], title="image")
    image(saliency / (saliency.max() or 1), axes[1], title="saliency")
    return list(axes)


def plot_occlusion(
    pixels, probabilities, *, size, stride=1, class_name: str = "the class", axes=None
) -> list[Axes]:
    """Draw an image and beside it how probable a class stays when a patch hides a part.

    Each place of the patch is colored where its center lies; the frame on the image is the
    patch that costs the class most.

    Parameters
    ----------
    pixels : (H, W, C) the image.
    probabilities : (OH, OW), such as `interpret.occlusion(model, x, label, size=…)[0]`.
    size, stride : of the patch, pixels, as `interpret.occlusion` took them.
    class_name : whose probability it is.
    axes : two Axes to draw on; a new figure by default.

    Raises
    ------
    ShapeError
        If there is not one probability for each place of the patch.

    Examples
    --------
    >>> axes = plot_occlusion(np.eye(4), [[0.9, 0.8], [0.7, 0.1]], size=2, stride=2)
    >>> frame = axes[0].patches[-1]
    >>> frame.get_xy(), frame.get_width()
    ((1.5, 1.5), 2)
    """
    pixels, probabilities = np.asarray(pixels), np.asarray(probabilities)
    (H, W), (FH, FW), (SH, SW) = pixels.shape[:2], pair(size), pair(stride)
    OH, OW = output_size(H, FH, stride=SH), output_size(W, FW, stride=SW)
    if probabilities.shape != (OH, OW):
        raise ShapeError(
            f"probabilities must hold one number for each place of the patch, {(OH, OW)}, got "
            f"{probabilities.shape}."
        )
    axes = row(2, width=6.2, height=2.9) if axes is None else axes
    image(pixels, axes[0], title="image")
    i, j = divmod(int(probabilities.argmin()), OW)
    outline(axes[0], i * SH, j * SW, FH, FW)
    top, left = (FH - 1 - SH) / 2, (FW - 1 - SW) / 2
    drawn = axes[1].imshow(
        probabilities,
        cmap="Blues",
        vmin=0,
        vmax=1,
        interpolation="none",
        extent=(left, left + OW * SW, top + OH * SH, top),
    )
    axes[1].set(xlim=(-0.5, W - 0.5), ylim=(H - 0.5, -0.5), xticks=[], yticks=[])
    axes[1].spines[:].set_visible(True)  # the frame of the image: no center comes close to it
    axes[1].set_title(f"probability of {class_name}")
    axes[1].figure.colorbar(drawn, ax=axes[1], shrink=0.8)
    return list(axes)


def plot_mistakes(dataset: Dataset, probabilities, indices, *, columns: int = 5) -> list[Axes]:
    """Draw images that a network got wrong: what it says, how sure it is, and what is right.

    Parameters
    ----------
    dataset : the images with their labels and the names of their classes.
    probabilities : (N, C) what the network says of them.
    indices : which to draw, such as `interpret.worst_mistakes(probabilities, labels)`.
    columns : how many side by side.

    Returns
    -------
    axes : one for each image.

    Raises
    ------
    ShapeError
        If there is not one row of probabilities for each image, one number for each class.
    ValueError
        If there is nothing to draw.

    Examples
    --------
    >>> images, labels = np.zeros((2, 28, 28, 1), np.uint8), np.array([0, 1])
    >>> dataset = Dataset(images, labels, ("shirt", "bag"))
    >>> (ax,) = plot_mistakes(dataset, [[0.9, 0.1], [0.8, 0.2]], [1])
    >>> ax.get_title()
    'says shirt, 80 %\\nis bag'
    """
    probabilities, indices = np.asarray(probabilities), np.asarray(indices, dtype=int)
    if probabilities.shape != (len(dataset), dataset.n_classes):
        raise ShapeError(
            f"probabilities must be of shape {(len(dataset), dataset.n_classes)}, one row for "
            f"each image, got {probabilities.shape}."
        )
    if len(indices) == 0:
        raise ValueError("indices must name at least one image to draw, got none.")
    axes = grid(len(indices), columns)
    for ax, index in zip(axes, indices, strict=True):
        said, true = probabilities[index].argmax(), dataset.labels[index]
        sure = f"{probabilities[index, said]:.0%}".replace("%", " %")
        title = f"says {dataset.class_names[said]}, {sure}\nis {dataset.class_names[true]}"
        image(dataset.images[index], ax).set_title(title, fontsize=9)
    return axes


def _range(what, shown, count):
    """Which are shown, in words."""
    return what if shown == count else f"{what} 0 to {shown - 1} of {count}"
