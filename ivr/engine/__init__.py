"""Runs call machines: feeds them what telephony, audio and recognition report, does what they ask.

Holds the ports (Protocols) behind which the adapters live, and no adapter.
"""
