"""Write docs/ops.md: every operation with its formulas, and how exactly it was found to be right.

    make docs

The formulas are those of the docstrings. The figures are measured by the proofs in tests/proofs.
"""

import dataclasses
import inspect
import math
import re
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "ops.md"
sys.path.insert(0, str(ROOT / "tests"))

from cnnlab import layers, ops  # noqa: E402
from proofs import PROOFS  # noqa: E402
from proofs.base import Proof, check, forward  # noqa: E402

HEAD = """\
# The operations

Every operation is a pure pair in `cnnlab.ops`: `forward(x, …) → (out, cache)` and
`backward(dout, cache) → gradients`. Layers reach them through the table `cnnlab.ops.reference`.
Letters as in the lecture: N images, H, W, C a volume, K filters of extent F = FH×FW, stride S,
padding P.

`make docs` writes this page, and a test holds it true. Two figures say how exactly an operation
was found to be right, in float64, each the largest over all cases in `tests/proofs`, all outputs
and all gradients, rounded up to a power of ten and at least 10⁻¹⁵:

- **gradient error**: |analytic − numeric| / (max(|analytic|, |numeric|) + 0.01), against central
  differences of step 10⁻⁵, whose own error is about 10⁻¹⁰ to 10⁻⁸;
- **difference**: |output − oracle| / max(1, |oracle|), against other ways to the same result that
  share no code with the library: loops, SciPy, and the reference evaluator of ONNX.

"""


def measure(proof: Proof) -> tuple[float, float]:
    """The largest relative gradient error and the largest difference from an oracle."""
    error, difference = 0.0, 0.0
    for case in proof.cases:
        report = check(proof, case)
        error = max(error, *(finding.largest_error or 0.0 for finding in report.findings))
        out, _ = forward(proof, case)
        for oracle in proof.oracles.values():
            answer = oracle(*case.arguments, **case.options)
            if answer is not None:
                distance = np.abs(out - answer) / np.maximum(1, np.abs(answer))
                difference = max(difference, float(np.max(distance)))
    return error, difference


def rounded_up(value: float) -> str:
    """A power of ten above the value, with room for another machine's last digits."""
    return f"1e{math.ceil(math.log10(2 * max(value, 5e-16))):03d}"


def formula(function) -> str:
    """The second paragraph of a docstring: the formula, and nothing else."""
    return _paragraphs(function)[1]


def source(function) -> str:
    """What stands after "Source:" in a docstring."""
    found = [text for text in _paragraphs(function) if text.startswith("Source: ")]
    return " ".join(found[0].split()) if found else ""


def _paragraphs(function):
    return re.split(r"\n\s*\n", inspect.getdoc(function) or "")


def layers_of(name: str) -> list[str]:
    """The layers that this operation does the mathematics for."""
    classes = (getattr(layers, public) for public in layers.__all__)
    return [c.__name__ for c in classes if getattr(c, "op", None) == name]


def render(figures: dict[str, tuple[str, str]]) -> str:
    """The page, with these figures: name → gradient error, difference."""
    lines = [
        "| operation | layer | gradient error | difference | oracles |",
        "|---|---|---|---|---|",
    ]
    sections = []
    for field in dataclasses.fields(ops.Ops):
        name, op = field.name, getattr(ops.reference, field.name)
        error, difference = figures[name]
        used_by = ", ".join(f"`{layer}`" for layer in layers_of(name))
        oracles = ", ".join(PROOFS[name].oracles)
        lines.append(f"| [{name}](#{name}) | {used_by} | {error} | {difference} | {oracles} |")
        signature = inspect.signature(op.forward)
        summary = _paragraphs(op.forward)[0].replace("\n", " ")
        sections.append(
            f"## {name}\n\n{summary}\n\n"
            f"```text\n{name}_forward{signature}\n\n{formula(op.forward)}\n\n"
            f"{name}_backward{inspect.signature(op.backward)}\n\n{formula(op.backward)}\n```\n\n"
            f"{source(op.forward)}\n"
        )
    return HEAD + "\n".join(lines) + "\n\n" + "\n".join(sections)


def stated(page: str) -> dict[str, tuple[str, str]]:
    """The figures that a page states."""
    rows = re.findall(r"^\| \[(\w+)\]\(#\w+\) \|[^|]*\| (\S+) \| (\S+) \|", page, re.MULTILINE)
    return {name: (error, difference) for name, error, difference in rows}


def main() -> None:
    measured = {name: measure(proof) for name, proof in PROOFS.items()}
    figures = {name: (rounded_up(e), rounded_up(d)) for name, (e, d) in measured.items()}
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(render(figures), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}: {len(figures)} operations")


if __name__ == "__main__":
    main()
