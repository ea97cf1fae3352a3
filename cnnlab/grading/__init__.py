"""Building the course's notebooks from their sources, and grading what learners hand in."""

import sys

# The validator that nbformat brings compiles a grammar of web addresses, a second's work in each
# process, for a format that notebooks do not use. It does without where the module is missing.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

from cnnlab.grading.report import Report  # noqa: E402
from cnnlab.grading.run import grade  # noqa: E402

__all__ = ["Report", "grade"]
