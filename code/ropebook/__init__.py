"""The library that the chapters of The Rotary Book import.

This level is NumPy only and quick to import; the modules that need torch (`rotation_torch`, `rotary`, `roformer`, `training`
and others) are imported by name where a chapter needs them.
"""

from ropebook.frequencies import frequencies
from ropebook.rotation import angles, rotate, rotate_half_split, rotation_matrix, to_half_split, to_interleaved

__version__ = "0.1.0"
__all__ = ["angles", "frequencies", "rotate", "rotate_half_split", "rotation_matrix", "to_half_split", "to_interleaved"]
