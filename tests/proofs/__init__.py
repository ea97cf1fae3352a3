"""The proofs of all operations, by their name in the table; and of all fast variants."""

from dataclasses import replace
from functools import partial

from cnnlab import fast
from cnnlab.ops import reference
from proofs import filters, signals

PROOFS = {proof.op: proof for proof in (*filters.PROOFS, *signals.PROOFS)}


def _winograd(x, w, b, **options):
    """Winograd wherever it is possible, also where it does not pay."""
    for algorithm in ("winograd", "auto"):
        try:
            return fast.conv_forward(x, w, b, **options, algorithm=algorithm)
        except ValueError as error:
            if "winograd needs" not in str(error):
                raise
    raise AssertionError("auto is always possible")


def _conv(forward):
    return replace(fast.ops, conv=replace(fast.ops.conv, forward=forward))


# What differs from the plain functions must stand every test that these stand.
FAST = [
    *(
        replace(proof, table=fast.ops, variant="fast")
        for name, proof in PROOFS.items()
        if getattr(fast.ops, name) != getattr(reference, name)
    ),
    replace(PROOFS["conv"], table=_conv(_winograd), variant="winograd"),
    replace(
        PROOFS["conv"],
        table=_conv(partial(fast.conv_forward, algorithm="gemm")),
        variant="gemm",
    ),
]
EVERY = [*PROOFS.values(), *FAST]
