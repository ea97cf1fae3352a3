"""A bar that shows how far a long computation is."""

import sys


def bar(total: int, *, show: bool | None = None, unit: str):
    """A tqdm bar on stderr.

    Parameters
    ----------
    total : how many updates there will be.
    show : True shows it, False does not; by default terminals and notebooks get one.
    unit : what is counted, such as "step".

    Examples
    --------
    >>> with bar(3, show=False, unit="step") as steps:
    ...     steps.update()
    """
    # In a notebook this import loads ipywidgets.
    from tqdm.auto import tqdm

    ipython = sys.modules.get("IPython")
    seen = sys.stderr.isatty() or (ipython is not None and ipython.get_ipython() is not None)
    show = seen if show is None else show
    # In a file or a log, a line now and then is enough.
    return tqdm(total=total, disable=not show, unit=unit, mininterval=0.1 if seen else 5)
