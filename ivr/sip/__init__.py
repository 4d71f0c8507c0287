"""The SIP side: the only place, with the demo's agents, that knows pjsua2.

One thread owns the library; what it hears reaches the engine's loop as events, and what the
engine asks reaches it as queued commands. No call logic lives here.
"""
