"""cnnlab: convolutional neural networks you write yourself, in NumPy.

Importing the package costs nothing: each room loads what it needs when it is
imported, and the library up to training needs NumPy alone.
"""

__version__ = "0.1.0"
