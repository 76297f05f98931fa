"""The benchmark report: a folder of results to one Markdown file and one HTML page."""

from benchmarks.report.results import ResultLine, read_results
from benchmarks.report.writing import write_report

__all__ = ["ResultLine", "read_results", "write_report"]
