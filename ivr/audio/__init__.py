"""The latency-sensitive core: what arrives from every caller, 20 ms at a time.

Frames of all calls lie in one matrix; levels, voice activity, turns and inband keys are
computed for all of them at once. Nothing here knows SIP, asyncio, a clock or the recogniser.
"""
