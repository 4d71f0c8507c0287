"""The running service: what is joined, how it starts, recovers and stops, and its supervisor.

The only room that names concrete adapters.
"""
