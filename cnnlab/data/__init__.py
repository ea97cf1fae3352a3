"""Images and labels: loading, splitting, batching, preprocessing, augmentation.

>>> train, test = load("fashion-mnist-small")
>>> preprocess = Standardize.fit(train.images)
>>> preprocess(test[:3].images).shape
(3, 28, 28, 1)
"""

from cnnlab.data.augment import flip, shift
from cnnlab.data.dataset import Dataset, batches, split
from cnnlab.data.photo import photograph
from cnnlab.data.preprocess import Standardize
from cnnlab.data.sources import UnknownDatasetError, load, names

__all__ = [
    "Dataset",
    "Standardize",
    "UnknownDatasetError",
    "batches",
    "flip",
    "load",
    "names",
    "photograph",
    "shift",
    "split",
]
