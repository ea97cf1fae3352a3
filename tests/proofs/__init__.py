"""The proofs of all operations, by their name in the table."""

from proofs import filters, signals

PROOFS = {proof.op: proof for proof in (*filters.PROOFS, *signals.PROOFS)}
