"""Arrays to scores: neighbour voting and the measures that judge it.

This package knows no files: learners take arrays and give arrays.
"""
