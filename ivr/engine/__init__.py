"""Runs call machines: feeds them what telephony, audio and recognition report, does what they ask.

Knows its neighbours by the ports of ``ivr.ports``, and writes and reads recordings itself, by
``ivr.audio.recording``. ``engine`` has all calls, ``call`` one of them, ``turns`` and ``turn``
what its caller says; ``recognition`` joins the speech engines.
"""
