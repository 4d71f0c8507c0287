"""The configuration file: its keys, every mistake in it, and advice."""
