"""Checkpoints: training written down so completely that it goes on as if nothing had happened."""

import json
import os
import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cnnlab.data import Dataset
from cnnlab.model import array_differences, read_arrays, write_arrays
from cnnlab.train.history import History

_ABOUT = "checkpoint"  # the entry of the file that holds all that is no array, as JSON
_LOOKED_AT = 256  # images


class CheckpointError(ValueError):
    """A file is no checkpoint, or that of some other training."""


class Checkpoint:
    """The file that training is written to and read from, an .npz without pickle.

    Parameters
    ----------
    path : of the file; its folder must exist.
    generators : all that training draws from.
    settings : name → what must be the same for training to go on.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If there is no such folder, or the path itself is one.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        generators: Sequence[np.random.Generator],
        settings: Mapping[str, str],
    ):
        self.path, self.generators, self.settings = Path(path), generators, settings
        # Now: a file that cannot be written should not cost an epoch.
        if not self.path.parent.is_dir():
            raise FileNotFoundError(
                f"the folder of a checkpoint must exist, got {self.path}: make the folder first."
            )
        if self.path.is_dir():
            raise IsADirectoryError(f"a checkpoint must be a file, got the folder {self.path}.")

    def save(self, history: History, arrays: dict[str, np.ndarray]) -> None:
        """Write all of it; the file appears complete or not at all."""
        about = {
            "settings": self.settings,
            "history": history.as_dict(),
            "generators": [generator.bit_generator.state for generator in self.generators],
        }
        # The state of some generators is an array.
        text = json.dumps(about, default=lambda array: array.tolist())
        write_arrays(self.path, arrays | {_ABOUT: np.array(text)})

    def load(self, arrays: dict[str, np.ndarray]) -> History:
        """Put everything back as it was when the file was written, and return the history.

        Parameters
        ----------
        arrays : name → array, changed in place; the generators are put back as well.

        Raises
        ------
        CheckpointError
            If the file is damaged, of another kind, or belongs to training with other
            settings; the message says which. Nothing has been changed then.
        """
        try:
            found = read_arrays(self.path)
            about = json.loads(str(found.pop(_ABOUT)))
            settings, states = about["settings"], about["generators"]
            history = History(**about["history"])
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(
                f"{self.path} must be a checkpoint written in training, complete and undamaged."
            ) from error
        if differences := _setting_differences(self.settings, settings):
            raise CheckpointError(
                f"{self.path} must come from training with the same settings; they differ in "
                f"{'; '.join(differences)}. Train without resuming, or into another file."
            )
        if differences := array_differences(arrays, found):
            raise CheckpointError(
                f"{self.path} must hold the arrays of this training; they differ in "
                f"{'; '.join(differences)}."
            )
        for name, array in arrays.items():
            array[...] = found[name]
        for generator, state in zip(self.generators, states, strict=True):
            generator.bit_generator.state = state
        return history


def description(thing) -> str:
    """How something is written, without its place in memory: the same in every process.

    Examples
    --------
    >>> from functools import partial
    >>> description(partial(np.clip, a_max=3)), description(lambda p: p / 2)
    ('functools.partial(<function clip>, a_max=3)', '<function <lambda>>')
    """
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(thing))


def fingerprint(dataset: Dataset | None) -> str:
    """What tells one data set from another: all labels, and a few hundred of the images.

    Examples
    --------
    >>> dataset = Dataset(np.zeros((3, 2, 2, 1), np.uint8), np.array([0, 1, 1]), ("a", "b"))
    >>> fingerprint(dataset), fingerprint(None)
    ('3 images, 0e64748e', 'none')
    """
    if dataset is None:
        return "none"
    # All images may be more than fits into memory: those looked at are spread evenly.
    found = zlib.crc32(dataset.labels.astype("<i8").tobytes())
    for i in range(0, len(dataset), max(1, len(dataset) // _LOOKED_AT)):
        found = zlib.crc32(np.asarray(dataset.images[i : i + 1]).tobytes(), found)
    return f"{len(dataset):,} images, {found:08x}"


def seed_of(rng: np.random.Generator) -> str:
    """What a generator was made from, which does not change as it is drawn from.

    Examples
    --------
    >>> seed_of(np.random.default_rng(3))
    'PCG64, 3'
    """
    kind = type(rng.bit_generator).__name__
    seed: Any = rng.bit_generator.seed_seq
    return f"{kind}, {seed.entropy}" + (f", child {seed.spawn_key}" if seed.spawn_key else "")


def _setting_differences(ours, theirs):
    return [
        f"{name}: {theirs.get(name)} there, {ours.get(name)} here"
        for name in ours | theirs
        if ours.get(name) != theirs.get(name)
    ]
