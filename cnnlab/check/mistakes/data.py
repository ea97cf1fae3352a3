"""Mistakes in preparing and augmenting images."""

import numpy as np

from cnnlab.check.mistakes.base import mistake

CHANNELS = (0, 1, 2)  # the axes over which the statistics of a channel are taken


def _with(train, test, axis=CHANNELS, ddof=0, keepdims=True):
    mean = train.mean(axis=axis, keepdims=keepdims)
    std = train.std(axis=axis, keepdims=keepdims, ddof=ddof)
    return (train - mean) / std, (test - mean) / std


@mistake(
    "standardize",
    "The test images are measured too",
    "Each split has got statistics of its own. What is known of the test images must not prepare "
    "them: take mean and standard deviation of the training images for both.",
)
def each_by_itself(train, test):
    return _with(train, train)[0], _with(test, test)[0]


@mistake(
    "standardize",
    "The statistics are those of the test images",
    "Measured are the training images, and only those.",
)
def measured_on_test(train, test):
    return _with(test, train)[1], _with(test, test)[0]


@mistake(
    "standardize",
    "Training and test images are measured together",
    "The test images have a say in the mean, if only a small one. Measure the training images "
    "alone.",
)
def measured_together(train, test):
    both, _ = _with(np.concatenate([train, test]), test)
    return both[: len(train)], both[len(train) :]


@mistake(
    "standardize",
    "One mean and one standard deviation for all channels",
    "Each channel has its own: which axes does mean() run over?",
)
def over_all_channels(train, test):
    return _with(train, test, axis=None)


@mistake(
    "standardize",
    "The standard deviation is taken over all channels",
    "The mean of each channel is right. The standard deviation has to run over the same axes.",
)
def std_over_all_channels(train, test):
    mean, std = train.mean(axis=CHANNELS), train.std()
    return (train - mean) / std, (test - mean) / std


@mistake(
    "standardize",
    "The mean is taken over all channels",
    "The standard deviation of each channel is right. The mean has to run over the same axes.",
)
def mean_over_all_channels(train, test):
    mean, std = train.mean(), train.std(axis=CHANNELS)
    return (train - mean) / std, (test - mean) / std


PLACES = "Each place has statistics of its own"
ALL_PLACES = "Here one number for a channel is asked for: all images and all places count together."


@mistake("standardize", PLACES, ALL_PLACES)
def each_place(train, test):
    with np.errstate(all="ignore"):
        return _with(train, test, axis=0)


@mistake(
    "standardize",
    "The channels are taken for the second axis",
    "Here the channels stand last: (N, H, W, C). The statistics run over axes 0, 1 and 2.",
)
def channels_first(train, test):
    return _with(train, test, axis=(0, 2, 3))


BY_ITSELF = "Each image is measured by itself"
ALL_IMAGES = "The mean of a channel runs over all training images, not only over the places of one."


@mistake("standardize", BY_ITSELF, ALL_IMAGES)
def each_image(train, test):
    return tuple(_with(images, images, axis=(1, 2))[0] for images in (train, test))


def _by_images_of(axis, keepdims):
    """Statistics of each training image, which fit the test images by chance only."""

    def wrong(train, test):
        with np.errstate(all="ignore"):
            return _with(train, test, axis=axis, keepdims=keepdims)

    return wrong


for axis in ((1, 2), (1, 2, 3)):
    for keepdims in (True, False):
        mistake("standardize", BY_ITSELF, ALL_IMAGES)(_by_images_of(axis, keepdims))


@mistake(
    "standardize",
    "It divides by the variance",
    "The variance is a squared pixel. The standard deviation is its root.",
)
def by_variance(train, test):
    mean, var = train.mean(axis=CHANNELS), train.var(axis=CHANNELS)
    return (train - mean) / var, (test - mean) / var


@mistake(
    "standardize",
    "It divides by a standard deviation with N − 1",
    "Here the squares are divided by their count, as np.std does without ddof.",
)
def with_ddof(train, test):
    return _with(train, test, ddof=1)


@mistake(
    "standardize",
    "Nothing is divided by the standard deviation",
    "The mean is gone, but the numbers still spread as far as before.",
)
def centered(train, test):
    mean = train.mean(axis=CHANNELS)
    return train - mean, test - mean


@mistake(
    "standardize",
    "The mean is not subtracted",
    "The numbers spread as they should, but not around 0.",
)
def scaled(train, test):
    std = train.std(axis=CHANNELS)
    return train / std, test / std


@mistake(
    "standardize",
    "It divides first and subtracts the mean of the pixels then",
    "The mean is measured in pixels: subtract it before you divide.",
)
def divided_first(train, test):
    mean, std = train.mean(axis=CHANNELS), train.std(axis=CHANNELS)
    return train / std - mean, test / std - mean


@mistake(
    "standardize",
    "The images are scaled to the range from 0 to 1",
    "Asked for are mean 0 and standard deviation 1, not the smallest and the largest number.",
)
def to_unit_range(train, test):
    low, high = train.min(axis=CHANNELS), train.max(axis=CHANNELS)
    reach = high.astype(float) - low
    return (train - low.astype(float)) / reach, (test - low.astype(float)) / reach


@mistake(
    "standardize",
    "The pixels are divided by 255",
    "That makes them small, but neither is their mean 0 nor their standard deviation 1.",
)
def by_255(train, test):
    return train / 255, test / 255


@mistake(
    "standardize",
    "Only the mean is divided",
    "A division comes before a subtraction: look at the brackets.",
)
def mean_divided(train, test):
    ratio = train.mean(axis=CHANNELS) / train.std(axis=CHANNELS)
    return train - ratio, test - ratio


@mistake(
    "standardize",
    "The pixels are divided by 255",
    "That and a half less is near what is asked for, but the mean and the standard deviation of "
    "these images are others.",
)
def by_255_less_a_half(train, test):
    return train / 255 - 0.5, test / 255 - 0.5


WRAPS = "Numbers wrap round at 256"
IN_FLOATS = (
    "uint8 holds 0 to 255 only: a large square, or a difference below 0, starts again at the other "
    "end. Are squares taken of whole numbers, or is the mean made one? Compute in floats."
)


@mistake("standardize", WRAPS, IN_FLOATS)
def squares_wrap(train, test):
    mean = train.mean(axis=CHANNELS)
    with np.errstate(all="ignore"):
        std = np.sqrt((train**2).mean(axis=CHANNELS) - mean**2)
        return (train - mean) / std, (test - mean) / std


@mistake("standardize", WRAPS, IN_FLOATS)
def differences_wrap(train, test):
    mean, std = train.mean(axis=CHANNELS).astype(np.uint8), train.std(axis=CHANNELS)
    return (train - mean) / std, (test - mean) / std


@mistake(
    "standardize",
    "The test images are left as they are",
    "The network was trained on standardized images. It has to see such images in the test too.",
)
def test_untouched(train, test):
    return _with(train, test)[0], test


@mistake(
    "standardize",
    "The test images are as they were",
    "Are mean and standard deviation measured again after train has changed? By then they are 0 "
    "and 1, and do nothing. Measure both first, and keep them.",
)
def measured_again(train, test):
    return _with(train, test)[0], test.astype(float)


@mistake(
    "standardize",
    "The mean is not subtracted from the test images",
    "It is from the training images. Or is it measured again after they have changed? By then it "
    "is 0. Measure first, and keep it.",
)
def mean_measured_again(train, test):
    return _with(train, test)[0], test / train.std(axis=CHANNELS)


@mistake(
    "standardize",
    "The test images are not divided by the standard deviation",
    "The training images are. Or is it measured again after they have changed? By then it is 1. "
    "Measure first, and keep it.",
)
def std_measured_again(train, test):
    return _with(train, test)[0], test - train.mean(axis=CHANNELS)


@mistake(
    "standardize",
    "Training and test images are returned in the wrong order",
    "First the training images, then the test images.",
)
def wrong_order(train, test):
    return _with(train, test)[::-1]


# Augmentation


def _cut(images, tops, lefts, size):
    height, width = size
    return np.stack(
        [
            image[top : top + height, left : left + width]
            for image, top, left in zip(images, tops, lefts, strict=True)
        ]
    )


def _mirror(crops, which, axes=(2,)):
    done = crops.copy()
    which = np.asarray(which, bool)
    done[which] = np.flip(crops[which], axes)
    return done


@mistake(
    "crop_and_flip",
    "Images are mirrored top to bottom",
    "A mirror swaps left and right: the columns of the crop turn round, the rows stay.",
)
def upside_down(images, tops, lefts, mirrored, *, size):
    return _mirror(_cut(images, tops, lefts, size), mirrored, axes=(1,))


@mistake(
    "crop_and_flip",
    "Images are turned by 180°",
    "Rows and columns are both turned round. A mirror turns the columns only.",
)
def turned(images, tops, lefts, mirrored, *, size):
    return _mirror(_cut(images, tops, lefts, size), mirrored, axes=(1, 2))


@mistake(
    "crop_and_flip",
    "All axes are turned round",
    "Rows, columns and colors. Which of them does a mirror turn?",
)
def all_turned(images, tops, lefts, mirrored, *, size):
    return _mirror(_cut(images, tops, lefts, size), mirrored, axes=(1, 2, 3))


@mistake(
    "crop_and_flip",
    "The channels are turned round",
    "The last axis holds the colors. The columns are the axis before it.",
)
def colors_turned(images, tops, lefts, mirrored, *, size):
    return _mirror(_cut(images, tops, lefts, size), mirrored, axes=(3,))


@mistake(
    "crop_and_flip",
    "Columns and channels are turned round",
    "The columns are right. Are the colors still in their order?",
)
def columns_and_colors_turned(images, tops, lefts, mirrored, *, size):
    return _mirror(_cut(images, tops, lefts, size), mirrored, axes=(2, 3))


@mistake(
    "crop_and_flip",
    "The order of the images is turned round",
    "The first axis of the batch is the images, not the rows of one. Which axis did you turn?",
)
def batch_turned(images, tops, lefts, mirrored, *, size):
    return _mirror(_cut(images, tops, lefts, size), mirrored, axes=(0,))


@mistake(
    "crop_and_flip",
    "Nothing is mirrored",
    "Crops are cut where they should be. What does `mirrored` say of each image?",
)
def never_mirrored(images, tops, lefts, mirrored, *, size):
    return _cut(images, tops, lefts, size)


@mistake(
    "crop_and_flip",
    "All images are mirrored",
    "`mirrored` holds one truth value for each image. Only where it is True is the crop mirrored.",
)
def always_mirrored(images, tops, lefts, mirrored, *, size):
    return _mirror(_cut(images, tops, lefts, size), np.ones(len(images), bool))


@mistake(
    "crop_and_flip",
    "The wrong images are mirrored",
    "Those are mirrored that should not be, and the other way round.",
)
def others_mirrored(images, tops, lefts, mirrored, *, size):
    return _mirror(_cut(images, tops, lefts, size), ~mirrored)


@mistake(
    "crop_and_flip",
    "It is mirrored first and cut then",
    "The mirror image holds another window at the same offset. Cut first, then mirror the crop.",
)
def mirrored_first(images, tops, lefts, mirrored, *, size):
    return _cut(_mirror(images, mirrored), tops, lefts, size)


@mistake(
    "crop_and_flip",
    "All crops are cut at the offset of the first image",
    "Each image has an offset of its own: tops[n] and lefts[n].",
)
def first_offset(images, tops, lefts, mirrored, *, size):
    N = len(images)
    crops = _cut(images, [tops[0]] * N, [lefts[0]] * N, size)
    return _mirror(crops, mirrored)


@mistake(
    "crop_and_flip",
    "One mirrored image is enough for all to be mirrored",
    "Each image has its own truth value: ask for mirrored[n], in the loop.",
)
def any_mirrored(images, tops, lefts, mirrored, *, size):
    return _mirror(_cut(images, tops, lefts, size), np.full(len(images), np.any(mirrored)))


@mistake(
    "crop_and_flip",
    "Only mirrored crops are stored",
    "The others are cut as well. Does the line that stores a crop stand inside the if?",
)
def mirrored_only(images, tops, lefts, mirrored, *, size):
    crops = _mirror(_cut(images, tops, lefts, size), mirrored)
    return np.where(np.asarray(mirrored)[:, None, None, None], crops, 0)


@mistake(
    "crop_and_flip",
    "Only the first crop is there",
    "Does a return stand inside the loop?",
)
def returned_early(images, tops, lefts, mirrored, *, size):
    crops = _mirror(_cut(images, tops, lefts, size), mirrored)
    crops[1:] = 0
    return crops


def _stored(images, size, window):
    """Windows put into an array made beforehand, which is an error where one does not fit."""
    crops = np.zeros((len(images), *size, images.shape[3]))
    for n in range(len(images)):
        crops[n] = window(n)
    return crops


SWAPPED = "Top and left are swapped"
ROWS_FIRST = "tops count rows, which are axis 1 of the batch; lefts count columns."


@mistake("crop_and_flip", SWAPPED, ROWS_FIRST)
def offsets_swapped(images, tops, lefts, mirrored, *, size):
    return _mirror(_cut(images, lefts, tops, size), mirrored)


@mistake("crop_and_flip", SWAPPED, ROWS_FIRST)
def offsets_swapped_and_stored(images, tops, lefts, mirrored, *, size):
    def window(n):
        crop = images[n, lefts[n] : lefts[n] + size[0], tops[n] : tops[n] + size[1]]
        return crop[:, ::-1] if mirrored[n] else crop

    return _stored(images, size, window)


@mistake(
    "crop_and_flip",
    "The window is a row and a column too small",
    "A slice ends before its second number: start + length is right, without − 1.",
)
def end_too_early(images, tops, lefts, mirrored, *, size):
    def window(n):
        rows = slice(tops[n], tops[n] + size[0] - 1)
        crop = images[n, rows, lefts[n] : lefts[n] + size[1] - 1]
        return crop[:, ::-1] if mirrored[n] else crop

    return _stored(images, size, window)


@mistake(
    "crop_and_flip",
    "Height and width of the crop are swapped",
    "size is (height, width): rows first.",
)
def size_swapped(images, tops, lefts, mirrored, *, size):
    return _mirror(_cut(images, tops, lefts, size[::-1]), mirrored)


@mistake(
    "crop_and_flip",
    "The crops are cut from the corner",
    "The window of image n starts at row tops[n] and column lefts[n], not at 0.",
)
def from_the_corner(images, tops, lefts, mirrored, *, size):
    zeros = [0] * len(images)
    return _mirror(_cut(images, zeros, zeros, size), mirrored)


@mistake(
    "crop_and_flip",
    "The crops are cut from the middle",
    "That is what one does at test time. Here the offsets are given.",
)
def from_the_middle(images, tops, lefts, mirrored, *, size):
    N, H, W, _ = images.shape
    rows, columns = [(H - size[0]) // 2] * N, [(W - size[1]) // 2] * N
    return _mirror(_cut(images, rows, columns, size), mirrored)


SIZE_AS_END = "The window ends where its size says, not that far from where it starts"
START_AND_END = "A slice is start : end. A window of 3 rows that starts at row 2 ends before row 5."


@mistake("crop_and_flip", SIZE_AS_END, START_AND_END)
def end_is_size_and_stored(images, tops, lefts, mirrored, *, size):
    def window(n):
        crop = images[n, tops[n] : size[0], lefts[n] : size[1]]
        return crop[:, ::-1] if mirrored[n] else crop

    return _stored(images, size, window)


@mistake("crop_and_flip", SIZE_AS_END, START_AND_END)
def end_is_size(images, tops, lefts, mirrored, *, size):
    height, width = size
    return np.stack(
        [
            image[top:height, left:width][:, :: -1 if mirror else 1]
            for image, top, left, mirror in zip(images, tops, lefts, mirrored, strict=True)
        ]
    )


@mistake(
    "crop_and_flip",
    "Mirroring loses a column",
    "A slice from −1 down to 0 leaves column 0 out; without an end it goes all the way.",
)
def loses_a_column(images, tops, lefts, mirrored, *, size):
    crops = np.zeros((len(images), *size, images.shape[3]))
    for n, crop in enumerate(_cut(images, tops, lefts, size)):
        crops[n] = crop[:, -1:0:-1] if mirrored[n] else crop
    return crops


@mistake(
    "crop_and_flip",
    "All images look like the first one",
    "Image n of the result comes from image n of the batch.",
)
def first_image(images, tops, lefts, mirrored, *, size):
    return _mirror(_cut(images[:1].repeat(len(images), axis=0), tops, lefts, size), mirrored)
