"""The phone service of Wegwijs: calls in, questions understood, callers put through.

Who may import whom is stated in ARCHITECTURE.md and enforced by ``make check``.
"""
