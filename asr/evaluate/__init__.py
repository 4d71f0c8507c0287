"""How well and how fast an engine understands, on recordings of one's own and on espeak-ng callers.

``python -m asr.evaluate --help``. Every number stands beside the nature of what it was measured on.
"""

from asr.evaluate.items import Item, callers_of, recordings_of
from asr.evaluate.measure import Outcome, recognise

__all__ = ["Item", "Outcome", "callers_of", "recognise", "recordings_of"]
