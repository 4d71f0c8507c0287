"""The running service: what is joined, how it starts, recovers and stops, its supervisor, its check.

The only room that names concrete adapters.
"""
