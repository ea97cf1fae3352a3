"""Building the course's notebooks from their sources, and grading what learners hand in."""

from cnnlab.grading.run import Report, grade

__all__ = ["Report", "grade"]
