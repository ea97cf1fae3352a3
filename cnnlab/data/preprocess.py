"""Preprocessing: from pixels to numbers that a network likes to read.

All of it works in one way. `P.fit(images)` measures what it needs on the training images, and
only on those: what the network is tested on must not have helped to prepare it. The result is
a function p from images, (N, H, W, C) uint8, to float32, and `p.inverse(x)` goes back to pixels.
`fit` reads the images a few at a time, so that those in files need not fit into memory.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cnnlab.shapes import ShapeError, expect_floats, expect_number, expect_rank, expect_whole


@dataclass(frozen=True)
class ChannelMean:
    """Subtract the mean of each channel, as VGG does.

    out = image − mean, one mean per channel.

    Parameters
    ----------
    mean : one number per channel, in units of a pixel (0 to 255).

    Source: the lecture, "Preprocessing data"; Simonyan & Zisserman 2015, section 2.1.

    Examples
    --------
    >>> images = np.array([0, 10, 20, 30], np.uint8).reshape(1, 2, 2, 1)
    >>> preprocess = ChannelMean.fit(images)
    >>> preprocess.mean, preprocess(images).ravel()
    ((15.0,), array([-15.,  -5.,   5.,  15.], dtype=float32))
    """

    mean: tuple[float, ...]

    @classmethod
    def fit(cls, images: np.ndarray) -> "ChannelMean":
        """Measure the mean of each channel over the training images, (N, H, W, C) uint8.

        Raises
        ------
        ShapeError, TypeError
            If the images have the wrong axes, are not uint8, or there are none.
        """
        mean, _ = moments(images, axes=1)
        return cls(tuple(mean.tolist()))

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Centered images: (N, H, W, C) uint8 in, the same shape in float32 out."""
        return _centered(images, np.array(self.mean))

    def inverse(self, x: np.ndarray) -> np.ndarray:
        """The images again, in pixels: (N, H, W, C) float32, exact but for rounding."""
        return _numbers(x, np.shape(self.mean)) + np.array(self.mean, np.float32)


@dataclass(frozen=True)
class Standardize:
    """Subtract the mean of each channel and divide by its standard deviation.

    out = (image − mean) / std, one mean and one std per channel.

    Parameters
    ----------
    mean, std : one number per channel, in units of a pixel (0 to 255).

    Source: the lecture, "Preprocessing data"; LeCun et al. 1998, "Efficient BackProp",
    section 4.3.

    Examples
    --------
    >>> images = np.array([0, 10, 20, 30], np.uint8).reshape(1, 2, 2, 1)
    >>> preprocess = Standardize.fit(images)
    >>> preprocess.mean, preprocess(images).ravel().round(2)
    ((15.0,), array([-1.34, -0.45,  0.45,  1.34], dtype=float32))
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def fit(cls, images: np.ndarray) -> "Standardize":
        """Measure mean and standard deviation of each channel over the training images.

        Parameters
        ----------
        images : (N, H, W, C) uint8.

        Raises
        ------
        ShapeError, TypeError
            If the images have the wrong axes, are not uint8, or there are none.
        ValueError
            If a channel has the same value everywhere.
        """
        mean, covariance = moments(images, axes=1)
        std = np.sqrt(np.diag(covariance))
        if not std.all():
            channel = int(np.argmin(std))
            raise ValueError(
                f"every channel must vary to be scaled, got {mean[channel]:g} in every pixel of "
                f"channel {channel}."
            )
        return cls(tuple(mean.tolist()), tuple(std.tolist()))

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Standardized images: (N, H, W, C) uint8 in, the same shape in float32 out."""
        out = _centered(images, np.array(self.mean))
        out /= np.array(self.std, np.float32)
        return out

    def inverse(self, x: np.ndarray) -> np.ndarray:
        """The images again, in pixels: (N, H, W, C) float32, exact but for rounding."""
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        return _numbers(x, mean.shape) * std + mean


@dataclass(frozen=True, eq=False, repr=False)
class MeanImage:
    """Subtract the mean of all images, pixel by pixel, as AlexNet does.

    out = image − mean, one mean for each place and channel.

    It fits images of one size only: crop first, then measure.

    Parameters
    ----------
    mean : (H, W, C), in units of a pixel (0 to 255).

    Source: the lecture, "Preprocessing data"; Krizhevsky et al. 2012, section 2.

    Examples
    --------
    >>> images = np.array([[0, 10], [20, 40]], np.uint8).reshape(2, 1, 2, 1)
    >>> preprocess = MeanImage.fit(images)
    >>> preprocess, preprocess.mean.ravel()
    (MeanImage(1×2×1), array([10., 25.]))
    >>> preprocess(images).reshape(2, 2)
    array([[-10., -15.],
           [ 10.,  15.]], dtype=float32)
    """

    mean: np.ndarray

    @classmethod
    def fit(cls, images: np.ndarray) -> "MeanImage":
        """Measure the mean of the training images, (N, H, W, C) uint8.

        Raises
        ------
        ShapeError, TypeError
            If the images have the wrong axes, are not uint8, or there are none.
        """
        return cls(sum(part.sum(axis=0, dtype=np.int64) for part in _parts(images)) / len(images))

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Centered images: (N, H, W, C) uint8 in, the same shape in float32 out."""
        return _centered(images, self.mean)

    def inverse(self, x: np.ndarray) -> np.ndarray:
        """The images again, in pixels: (N, H, W, C) float32, exact but for rounding."""
        return _numbers(x, self.mean.shape) + self.mean.astype(np.float32)

    def __repr__(self) -> str:
        return f"MeanImage({'×'.join(map(str, self.mean.shape))})"


@dataclass(frozen=True, eq=False, repr=False)
class PCA:
    """Describe each image by how much it has of the patterns in which the images vary most.

    out = (image − mean) · components

    The numbers of the output are uncorrelated over the training images, the first varies
    most, and no other K directions keep more of the variance. With all components this turns
    the cloud of images and changes no distance. A component is a filter as large as the image,
    so K of them make a volume of 1×1×K; a convolution finds no neighbors left in it.

    Parameters
    ----------
    mean : (H, W, C), in units of a pixel (0 to 255).
    components : (H, W, C, K) float32, K patterns of length 1, perpendicular to each other, each
        with its largest number positive.
    variances : (K,), in squared pixels, falling.

    Source: the lecture, "Preprocessing data"; Bishop 2006, "Pattern Recognition and Machine
    Learning", section 12.1.

    Examples
    --------
    Two pixels that rise and fall together; one number says nearly everything:

    >>> images = np.array([[0, 2], [10, 8], [20, 22], [30, 28]], np.uint8).reshape(4, 1, 2, 1)
    >>> preprocess = PCA.fit(images, components=1)
    >>> preprocess, preprocess.components.ravel().round(2)
    (PCA(1×2×1, 1 of 2 components), array([0.73, 0.68], dtype=float32))
    >>> preprocess(images).ravel().round(1)
    array([-19.8,  -8.4,   8.4,  19.8], dtype=float32)
    >>> preprocess.inverse(preprocess(images)).reshape(4, 2).round(1)
    array([[ 0.5,  1.5],
           [ 8.8,  9.2],
           [21.2, 20.8],
           [29.5, 28.5]], dtype=float32)
    """

    mean: np.ndarray
    components: np.ndarray
    variances: np.ndarray

    @classmethod
    def fit(cls, images: np.ndarray, *, components: int | None = None) -> "PCA":
        """Measure the principal components of the training images.

        It holds a matrix of (H·W·C)² numbers: 5 MB for 28×28×1, 75 MB for 32×32×3.

        Parameters
        ----------
        images : (N, H, W, C) uint8.
        components : K, how many to keep; by default all H·W·C.

        Raises
        ------
        ShapeError, TypeError
            If the images have the wrong axes, are not uint8, or there are none.
        ValueError
            If components is not a whole number from 1 to H·W·C.
        """
        shape = np.shape(images)[1:]
        if components is not None:
            expect_whole("components", components)
            if components > math.prod(shape):
                raise ValueError(
                    f"components must be at most {math.prod(shape)}, the numbers of one image, "
                    f"got {components}."
                )
        mean, variances, vectors = principal(images, axes=3)
        kept = vectors[:, :components].astype(np.float32, order="C")
        return cls(mean.reshape(shape), kept.reshape(*shape, -1), variances[:components])

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Images in components: (N, H, W, C) uint8 in, (N, 1, 1, K) float32 out."""
        out = _flat(_centered(images, self.mean)) @ self._matrix()
        return out[:, None, None, :]

    def inverse(self, x: np.ndarray) -> np.ndarray:
        """The nearest images made of these components, in pixels: (N, H, W, C) float32.

        With all components these are the images themselves, but for rounding.
        """
        x = _numbers(x, (1, 1, len(self.variances)))
        out = (_flat(x) @ self._matrix().T).reshape(-1, *self.mean.shape)
        return out + self.mean.astype(np.float32)

    def _matrix(self):
        return self.components.reshape(-1, len(self.variances))

    def __repr__(self) -> str:
        size, kept = "×".join(map(str, self.mean.shape)), len(self.variances)
        return f"PCA({size}, {kept} of {self.mean.size} components)"


@dataclass(frozen=True, eq=False)
class Whiten:
    """Turn the images to their principal components and scale each to variance 1.

    out = pca(image) / √(variance + eps), with zca turned back by · componentsᵀ

    The components of the output are uncorrelated and vary equally, but for those whose variance
    is small against eps: those are mostly noise, and eps keeps it from being blown up.

    Parameters
    ----------
    pca : the components and their variances.
    eps : in squared pixels, at least 0.
    zca : turn the result back, so that it is an image again, (N, H, W, C), in which a
        convolution finds neighbors; of all whitened images this is the one nearest to the
        original. Without it the output is (N, 1, 1, K).

    Source: the lecture, "Preprocessing data"; Bell & Sejnowski 1997, "The 'independent
    components' of natural scenes are edge filters"; Kessy et al. 2018, "Optimal Whitening and
    Decorrelation", for nearest.

    Examples
    --------
    Two neighboring pixels of real images, which are rarely far apart:

    >>> from cnnlab import data
    >>> train, _ = data.load("fashion-mnist-small")
    >>> images = train.images[:, 20:21, 13:15]
    >>> np.corrcoef(images.reshape(-1, 2).T).round(2)
    array([[1.  , 0.87],
           [0.87, 1.  ]])
    >>> x = Whiten.fit(images, eps=0)(images)
    >>> np.cov(x.reshape(-1, 2).T).round(2) + 0
    array([[1., 0.],
           [0., 1.]])
    """

    pca: PCA
    eps: float = 10.0
    zca: bool = False

    def __post_init__(self):
        expect_number("eps", self.eps, least=0)
        # What varies only by rounding must not count as varying.
        if self.eps == 0 and self.pca.variances[-1] <= 1e-12 * self.pca.variances[0]:
            raise ValueError(
                "eps must be greater than 0 where a component does not vary, got 0: nothing "
                "can be scaled to vary by 1 that is the same in all images."
            )

    @classmethod
    def fit(cls, images: np.ndarray, *, eps: float = 10.0, zca: bool = False) -> "Whiten":
        """Measure all principal components of the training images, (N, H, W, C) uint8.

        Raises
        ------
        ShapeError, TypeError
            If the images have the wrong axes, are not uint8, or there are none.
        ValueError
            If eps is negative, or 0 where a component does not vary.
        """
        return cls(PCA.fit(images), eps, zca)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Whitened images: (N, H, W, C) uint8 in, float32 out, in shape as `zca` says."""
        out = self.pca(images) / self._scale()
        if self.zca:
            out = (_flat(out) @ self.pca._matrix().T).reshape(-1, *self.pca.mean.shape)
        return out

    def inverse(self, x: np.ndarray) -> np.ndarray:
        """The images again, in pixels: (N, H, W, C) float32.

        Exact but for rounding, and the nearest image where `pca` keeps only some components.
        """
        if self.zca:
            x = _flat(_numbers(x, self.pca.mean.shape)) @ self.pca._matrix()
            x = x[:, None, None, :]
        return self.pca.inverse(_numbers(x, (1, 1, len(self.pca.variances))) * self._scale())

    def _scale(self):
        return np.sqrt(self.pca.variances + self.eps).astype(np.float32)


def moments(images: np.ndarray, *, axes: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance over many examples, in float64.

    Parameters
    ----------
    images : (N, H, W, C) uint8.
    axes : how many of the last axes make one example: 1 for pixels of C numbers, 3 for
        images of H·W·C numbers.

    Returns
    -------
    mean : (D,) for examples of D numbers, in pixels.
    covariance : (D, D), in squared pixels; divided by the number of examples, not by one less.

    Examples
    --------
    >>> images = np.array([[0, 2], [4, 6]], np.uint8).reshape(2, 1, 2, 1)
    >>> moments(images, axes=1)
    (array([3.]), array([[5.]]))
    >>> moments(images, axes=3)
    (array([2., 4.]), array([[4., 4.],
           [4., 4.]]))
    """
    count, total, products = 0, np.zeros(()), np.zeros(())
    for part in _parts(images):
        x = part.reshape(-1, math.prod(part.shape[-axes:])).astype(np.float64)
        # Sums of whole numbers, exact in float64: nothing is lost by subtracting the mean later.
        count, total, products = count + len(x), total + x.sum(axis=0), products + x.T @ x
    mean = total / count
    return mean, products / count - np.outer(mean, mean)


def principal(images: np.ndarray, *, axes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, variances (D,) from large to small, and their directions (D, D), one per column.

    The parameters are those of `moments`. Each direction could as well point the opposite way;
    here its largest number is positive.
    """
    mean, covariance = moments(images, axes=axes)
    variances, vectors = np.linalg.eigh(covariance)
    variances, vectors = variances[::-1].clip(0), vectors[:, ::-1]
    largest = np.abs(vectors).argmax(axis=0)
    return mean, variances, vectors * np.sign(vectors[largest, np.arange(len(largest))])


def expect_pixels(images) -> None:
    """Raise an error unless these are images of bytes.

    Examples
    --------
    >>> expect_pixels(np.zeros((2, 28, 28, 1)))
    Traceback (most recent call last):
        ...
    TypeError: images must be uint8, from 0 to 255, got float64: were they preprocessed before?
    """
    expect_rank("images", images, "N H W C")
    if images.dtype != np.uint8:
        raise TypeError(
            f"images must be uint8, from 0 to 255, got {images.dtype}: were they "
            f"preprocessed before?"
        )


def expect_measured(name: str, array, shape: tuple[int, ...]) -> None:
    """Raise ShapeError unless the last axes have the sizes of what was measured.

    Examples
    --------
    >>> expect_measured("images", np.zeros((2, 28, 28, 1)), (3,))
    Traceback (most recent call last):
        ...
    cnnlab.shapes.ShapeError: images must have 3 channels, as those that were measured, got shape
    (2, 28, 28, 1).
    """
    if array.shape[-len(shape) :] != shape:
        size = "×".join(map(str, shape))
        needed = f"have {size} channels" if len(shape) == 1 else f"be {size}"
        raise ShapeError(
            f"{name} must {needed}, as those that were measured, got shape {array.shape}."
        )


def _parts(images) -> Iterator[np.ndarray]:
    """The images, about four million numbers at a time."""
    step = max(1, 2**22 // max(1, math.prod(np.shape(images)[1:])))
    for start in range(0, max(1, len(images)), step):
        part = np.asarray(images[start : start + step])
        expect_pixels(part)
        if part.size == 0:
            raise ShapeError(f"the mean of no pixels is not defined, got shape {part.shape}.")
        yield part


def _centered(images, mean):
    """Images minus a mean, of each channel or of each pixel, in float32."""
    images = np.asarray(images)
    expect_pixels(images)
    expect_measured("images", images, mean.shape)
    out = images.astype(np.float32)
    out -= mean.astype(np.float32)
    return out


def _numbers(x, shape):
    """What a network reads, in float32, once it has the shape in which it was made."""
    expect_rank("x", x, "N H W C")
    expect_floats("x", x)
    expect_measured("x", x, shape)
    return x.astype(np.float32, copy=False)


def _flat(x):
    return x.reshape(len(x), math.prod(x.shape[1:]))
