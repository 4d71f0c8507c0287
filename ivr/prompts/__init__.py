"""What callers hear: Dutch texts, their recordings, and a voice for what has no recording.

``texts.toml`` holds every sentence, ``book`` turns a prompt of the call machine into WAV files,
``make`` writes the committed recordings. No telephony; nothing here is slow during a call.
"""
