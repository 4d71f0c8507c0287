"""The running service: its parts joined, its start, drain and stop, its supervisor, its check.

The only room that names concrete adapters.
"""
