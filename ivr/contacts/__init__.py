"""The contact register: one record per call, written whatever happens to the call.

``records`` are the frozen facts that the engine hands over, ``writer`` keeps them in order and
safe, ``store`` commits and reads them (SQLite or PostgreSQL), ``retention`` expires them.
No telephony, no policy; personal data leaves only through the reading API.
"""
