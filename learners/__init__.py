"""Arrays to scores: neighbour voting, baselines, and the measures that judge them.

This package knows no files: learners take arrays and give arrays.
"""
