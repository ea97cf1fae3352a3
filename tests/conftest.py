"""Settings for all tests."""

from hypothesis import settings

# The same examples on every run; slow machines are no failure.
settings.register_profile("cnnlab", derandomize=True, deadline=None, database=None, max_examples=40)
settings.load_profile("cnnlab")
