"""cnnlab: convolutional neural networks you write yourself, in NumPy.

Importing the package loads NumPy and nothing else; pictures, widgets and the
grader load what they need when they are used.
"""

__version__ = "0.1.0"
