"""Synthetic callers: espeak-ng's voices saying sentences over a telephone line."""
