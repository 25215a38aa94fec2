"""The directory: clinics, their vocabulary and an index, and the questions one asks of them."""

from ketafind.directory.core import Directory
from ketafind.directory.loading import load_directory

__all__ = ["Directory", "load_directory"]
