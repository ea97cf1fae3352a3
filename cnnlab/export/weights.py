"""Weights as plain arrays in a file that every framework reads."""

import os
from pathlib import Path

import numpy as np

from cnnlab.export.extra import extra
from cnnlab.export.layout import Stored, places
from cnnlab.model import ModelFileError, Sequential, expect_same_arrays, write_whole


def save_weights(model: Sequential, path: str | os.PathLike) -> None:
    """Write parameters and buffers to a safetensors file, in the layout of other frameworks.

    Names are `index.name`, the index that of the layer: those of a `torch.nn.Sequential` with
    the same layers in the same order. Where the layers of the other network are named or
    counted in another way, rename; the arrays fit as they are.

    ===================  =================================================================
    Conv                 weight (K, C/G, FH, FW), bias (K,)
    Affine               weight (M, D), bias (M,); after Flatten, D counts a volume channel
                         by channel, in C, H, W order
    BatchNorm            weight, bias, running_mean, running_var, each (C,)
    PReLU                weight (C,), or (1,) if shared
    LocallyConnected     weight (OH, OW, K, C, FH, FW), bias (OH, OW, K)
    TiledConv            weight (TH, TW, K, C, FH, FW), bias (TH, TW, K)
    ===================  =================================================================

    A row that Flatten made keeps its C, H, W order through whatever treats number by number;
    Maxout and LRN, which join neighbors, read it in our order, H, W, C.

    Parameters
    ----------
    model : the network; its arrays are written in its dtype, bit for bit.
    path : of the file, such as "model.safetensors"; the folder must exist. The file appears
        complete or not at all.

    Raises
    ------
    TypeError
        If a layer is not one of `cnnlab.layers`, or the dtype is none that safetensors has.

    Source: the format, https://huggingface.co/docs/safetensors.

    Examples
    --------
    >>> import tempfile
    >>> from cnnlab import zoo
    >>> model = zoo.linear((28, 28, 1), 10, rng=np.random.default_rng(0))
    >>> twin = zoo.linear((28, 28, 1), 10, rng=np.random.default_rng(1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(model, f"{folder}/linear.safetensors")
    ...     load_weights(twin, f"{folder}/linear.safetensors")
    >>> bool((twin.parameters()["1.affine.w"] == model.parameters()["1.affine.w"]).all())
    True
    """
    safetensors = extra("safetensors.numpy")
    if model.dtype.itemsize > 8:
        raise TypeError(f"the network must be of float64 at most to be saved, got {model.dtype}.")
    arrays = {name: np.ascontiguousarray(s.read()) for name, s in _stored(model).items()}
    with write_whole(path) as file:
        file.write(safetensors.save(arrays))


def load_weights(model: Sequential, path: str | os.PathLike) -> None:
    """Read parameters and buffers from a safetensors file, as `save_weights` lays them out.

    A counter that PyTorch keeps beside its batch normalization, num_batches_tracked, is
    passed over: nothing here needs it.

    Parameters
    ----------
    model : takes the numbers; its layers say what the file must hold.
    path : of the file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If the file is damaged, is of another kind, or holds other arrays; the message says
        which differ. The network is then as it was before.
    TypeError
        If a layer is not one of `cnnlab.layers`.
    """
    own, found = _stored(model), _read(Path(path))
    expect_same_arrays(path, {name: stored.read() for name, stored in own.items()}, found)
    for name, stored in own.items():
        stored.write(found[name])


def _stored(model) -> dict[str, Stored]:
    return {
        f"{place.index}.{name}": stored
        for place in places(model)
        for name, stored in place.stored().items()
    }


def _read(path):
    safetensors, content = extra("safetensors.numpy"), path.read_bytes()
    try:
        arrays = safetensors.load(content)
    # Damaged, or of a type that NumPy does not have: each part raises an error of its own.
    except Exception as error:
        raise ModelFileError(
            f"{path} must be a safetensors file with arrays of a type that NumPy has, complete "
            f"and undamaged."
        ) from error
    return {k: v for k, v in arrays.items() if not k.endswith(".num_batches_tracked")}
