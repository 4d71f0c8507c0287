"""The call machine: pure, without clock, log, metric or I/O.

``machine.handle(event) -> list[Action]``; the table of rows is data, the diagram in
ARCHITECTURE.md is generated from it. Imports nothing of ours but itself.
"""
