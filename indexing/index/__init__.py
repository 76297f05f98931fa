"""Vectors to neighbours: the contract of an index, exact search, and the forms of FAISS."""

from indexing.index.backends import BACKENDS, build_index, load_index
from indexing.index.base import Index
from indexing.index.description import IndexDescription
from indexing.index.neighbors import Metric, Neighbors
from indexing.index.transform import VectorTransform
from indexing.index.vectors import ArraySource, VectorSource

__all__ = [
    "BACKENDS",
    "ArraySource",
    "Index",
    "IndexDescription",
    "Metric",
    "Neighbors",
    "VectorSource",
    "VectorTransform",
    "build_index",
    "load_index",
]
