"""The way to other programs: networks as ONNX, weights as safetensors.

Both speak the layout of other frameworks, channels first (NCHW); `layout` knows how each
array of ours stands there. They need packages that the course does not:
`pip install 'cnnlab[export]'`.
"""

from cnnlab.export.onnx_graph import to_onnx
from cnnlab.export.weights import load_weights, save_weights

__all__ = ["load_weights", "save_weights", "to_onnx"]
