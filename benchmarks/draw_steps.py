"""Draw what `alexnet_step.py --json` and `small_step.py --json` printed, one JSON line each.

python benchmarks/alexnet_step.py --json > steps.jsonl
python benchmarks/small_step.py --json >> steps.jsonl
python benchmarks/draw_steps.py steps.jsonl benchmarks/steps.png
"""

import json
from pathlib import Path

import click
import matplotlib.pyplot as plt

from cnnlab.viz.style import BLUE, FAINT, INK, VERMILLION, use_style


@click.command(help=__doc__)
@click.argument("lines", type=click.Path(exists=True, path_type=Path))
@click.argument("picture", type=click.Path(path_type=Path))
def main(lines, picture):
    use_style()
    found = [json.loads(line) for line in lines.read_text().splitlines()]
    fig, ax = plt.subplots(figsize=(7.5, 0.6 + 0.42 * len(found)))
    for row, race in enumerate(found):
        ratio = race["ratio"]
        left, right = ratio["median"] - ratio["least"], ratio["largest"] - ratio["median"]
        color = BLUE if ratio["median"] <= 1 else VERMILLION
        ax.barh(row, ratio["median"], color=color, height=0.6)
        ax.errorbar(ratio["median"], row, xerr=[[left], [right]], color=INK, capsize=3)
        ax.text(0.02, row, f"{ratio['median']:.2f}", va="center", color="white", weight="bold")
    ax.axvline(1, color=FAINT, linestyle="--", linewidth=1)
    ax.set_yticks(range(len(found)), [race["title"] for race in found])
    ax.invert_yaxis()
    ax.set_xlim(0, None)
    ax.set_xlabel("our time / PyTorch's: median, range")
    ax.set_title(f"Measured on {found[0]['date']}, {found[0]['processor']}, float32", fontsize=10)
    fig.savefig(picture, dpi=150)


if __name__ == "__main__":
    main()
