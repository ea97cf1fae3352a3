"""Images and labels: loading, splitting, batching, preprocessing, augmentation.

>>> train, test = load("fashion-mnist-small")
>>> preprocess = Standardize.fit(train.images)
>>> preprocess(test[:3].images).shape
(3, 28, 28, 1)
"""

from cnnlab.data.augment import (
    Augment,
    ColorJitter,
    center_crop,
    cutout,
    flip,
    random_crop,
    shift,
    ten_crops,
)
from cnnlab.data.batching import batches
from cnnlab.data.dataset import Dataset, split
from cnnlab.data.fetch import DownloadError
from cnnlab.data.folder import folder
from cnnlab.data.formats import DataFileError
from cnnlab.data.generated import generated_shapes
from cnnlab.data.image_files import ImageFiles
from cnnlab.data.photo import photograph
from cnnlab.data.preprocess import PCA, ChannelMean, MeanImage, Standardize, Whiten
from cnnlab.data.sources import UnknownDatasetError, load, names

__all__ = [
    "PCA",
    "Augment",
    "ChannelMean",
    "ColorJitter",
    "DataFileError",
    "Dataset",
    "DownloadError",
    "ImageFiles",
    "MeanImage",
    "Standardize",
    "UnknownDatasetError",
    "Whiten",
    "batches",
    "center_crop",
    "cutout",
    "flip",
    "folder",
    "generated_shapes",
    "load",
    "names",
    "photograph",
    "random_crop",
    "shift",
    "split",
    "ten_crops",
]
