"""Peers that take turns, and the ratio of their times: what all benchmarks of speed share."""

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import click
import numpy as np

# Seconds that one turn takes at least. A step that is over in a few milliseconds is repeated: in
# training it follows on itself, and not on a peer whose threads are still waiting for more work.
_TURN = 0.3


def take_turns(peers: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each peer for one call, round by round, after a first round to set all up."""
    seconds: dict[str, list[float]] = {name: [] for name in peers}
    calls = {}
    for name, work in peers.items():
        work()
        calls[name] = max(1, round(_TURN / _time(work, 1)))
    for _ in range(rounds):
        for name, work in peers.items():
            if calls[name] > 1:
                work()
            seconds[name].append(_time(work, calls[name]))
    return seconds


def _time(work, calls):
    start = time.perf_counter()
    for _ in range(calls):
        work()
    return (time.perf_counter() - start) / calls


def ratios(seconds: dict[str, list[float]], ours: str) -> dict[str, float]:
    """Our time over the best peer's, round by round: median, least and largest."""
    others = [times for name, times in seconds.items() if name != ours]
    best = min(others, key=statistics.median)
    found = [mine / theirs for mine, theirs in zip(seconds[ours], best, strict=True)]
    return {"median": statistics.median(found), "least": min(found), "largest": max(found)}


def machine() -> dict[str, str]:
    """When and on what it was measured."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def show(title: str, seconds: dict[str, list[float]], ours: str, as_json: bool) -> None:
    """Print the medians and our ratio, as a table or as one line of JSON."""
    ratio = ratios(seconds, ours) if len(seconds) > 1 else None
    if as_json:
        print(json.dumps({"title": title, "seconds": seconds, "ratio": ratio} | machine()))
        return
    print(title)
    for name, times in seconds.items():
        print(
            f"    {name:28} {1e3 * statistics.median(times):9.1f} ms   "
            f"({1e3 * min(times):.1f} to {1e3 * max(times):.1f})"
        )
    if ratio:
        print("    ratio {median:.2f} ({least:.2f} to {largest:.2f})".format(**ratio))


def torch_with(threads: int):
    """PyTorch, told how many threads to use; a sentence and the end where it is missing."""
    try:
        import torch
    except ModuleNotFoundError:
        sys.exit("this benchmark compares with PyTorch: pip install 'cnnlab[benchmarks]'.")
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    return torch


json_option = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON each.")
rounds_option = click.option("--rounds", default=7, show_default=True, help="Rounds to measure.")
