"""What is wrong with a configuration and all that it points to; nothing is started or changed.

``check`` looks at everything in turn; beside it, one file a subject. Every function there takes a
configuration whose values are right by themselves and its path, for messages, and yields findings.
No phone is loaded for it.
"""
