"""Images and labels: loading, splitting, batching, preprocessing, augmentation.

>>> train, test = load("fashion-mnist-small")
>>> preprocess = Standardize.fit(train.images)
>>> preprocess(test[:3].images).shape
(3, 28, 28, 1)
"""

from cnnlab.data.augment import flip, shift
from cnnlab.data.dataset import Dataset, batches, split
from cnnlab.data.fetch import DownloadError
from cnnlab.data.folder import folder
from cnnlab.data.formats import DataFileError
from cnnlab.data.generated import generated_shapes
from cnnlab.data.image_files import ImageFiles
from cnnlab.data.photo import photograph
from cnnlab.data.preprocess import Standardize
from cnnlab.data.sources import UnknownDatasetError, load, names

__all__ = [
    "DataFileError",
    "Dataset",
    "DownloadError",
    "ImageFiles",
    "Standardize",
    "UnknownDatasetError",
    "batches",
    "flip",
    "folder",
    "generated_shapes",
    "load",
    "names",
    "photograph",
    "shift",
    "split",
]
