"""A picture of where a result is wrong: expected, yours, and the difference, side by side."""

from dataclasses import dataclass

import numpy as np

LEGIBLE = 8  # rows and columns of which the numbers can be read


@dataclass(frozen=True)
class Sight:
    """One channel of an expected and of a returned array, the one that is most wrong."""

    where: str
    expected: np.ndarray
    got: np.ndarray
    differs: np.ndarray

    def html(self) -> str:
        """An `<img>` on a white ground, with words for those who do not see it."""
        from matplotlib import pyplot as plt

        from cnnlab import viz

        # What is no number stays an empty cell.
        got = np.where(np.isfinite(self.got), self.got, np.nan)
        pictures = {
            "expected": self.expected,
            "yours": got,
            "yours − expected": got - self.expected,
        }
        if max(self.expected.shape) <= LEGIBLE:
            # Of a large number one decimal is enough, and two do not fit.
            short = {k: np.where(np.abs(v) < 10, v, np.round(v, 1)) for k, v in pictures.items()}
            axes = viz.grids(short)
        else:
            axes = viz.images({k: np.nan_to_num(v) for k, v in pictures.items()}, signed=True)
            reach = np.abs(self.expected).max() or 1
            for ax in axes[:2]:
                ax.images[0].set_clim(-reach, reach)
        page = viz.Picture(viz.svg(axes), self.words())._repr_html_()
        plt.close(axes[0].get_figure(root=True))
        return page

    def words(self) -> str:
        """What is to be seen, as a sentence."""
        rows, columns = np.nonzero(self.differs)
        return (
            f"{self.where}: expected, yours, and the difference side by side. "
            f"{len(rows)} of {self.differs.size} numbers differ, in {_span('row', rows)} and "
            f"{_span('column', columns)}."
        )


def sight(part: str, expected: np.ndarray, got: np.ndarray, close: np.ndarray) -> Sight | None:
    """The channel with the worst number, where these are images or filters of at least 3×3."""
    if expected.ndim != 4 or close.all():
        return None
    rows, columns, names = (0, 1, "channel filter") if part == "dw" else (1, 2, "image channel")
    if min(expected.shape[rows], expected.shape[columns]) < 3:
        return None
    with np.errstate(invalid="ignore"):
        error = np.nan_to_num(np.abs(got - expected), nan=np.inf)
    worst = np.unravel_index(np.argmax(np.where(close, -1.0, error)), expected.shape)
    place = tuple(
        slice(None) if axis in (rows, columns) else worst[axis] for axis in range(expected.ndim)
    )
    numbers = [worst[axis] for axis in range(expected.ndim) if axis not in (rows, columns)]
    where = ", ".join(f"{name} {n}" for name, n in zip(names.split(), numbers, strict=True))
    return Sight((f"{part}, " if part else "") + where, expected[place], got[place], ~close[place])


def _span(word: str, places) -> str:
    first, last = places.min(), places.max()
    return f"{word} {first}" if first == last else f"{word}s {first} to {last}"
