"""The contact register: one record per call, written whatever happens to the call.

The engine hands over the frozen facts of ``ivr.ports.records``; ``writer`` keeps them in order
and safe, ``store`` commits and reads them (SQLite or PostgreSQL), ``retention`` expires them.
No telephony, no policy; personal data leaves only through the reading API.
"""
