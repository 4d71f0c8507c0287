"""Errors of the contact register beyond :class:`ivr.errors.ContactStoreError`."""

from __future__ import annotations

from ivr.errors import ContactStoreError


class RecordRefusedError(ContactStoreError):
    """The database is well but will never take this record: trying again cannot help."""

    code = "contact_record"
