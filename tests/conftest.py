"""Settings for all tests."""

import pytest
from hypothesis import settings

# The same examples on every run; slow machines are no failure.
settings.register_profile("cnnlab", derandomize=True, deadline=None, database=None, max_examples=40)
settings.load_profile("cnnlab")


@pytest.fixture(scope="module")
def cluster():
    """Dask's scheduler, and two workers that are processes of their own."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as cluster:
        yield cluster
