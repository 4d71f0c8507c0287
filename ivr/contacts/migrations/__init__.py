"""Alembic migrations of the contact register; :class:`ivr.contacts.store.ContactStore` runs them.

Written by hand, one file a step under ``versions``; a test holds them equal to the models.
"""
