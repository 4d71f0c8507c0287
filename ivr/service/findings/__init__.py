"""What is wrong with a configuration and all that it points to; nothing is started or changed.

``check`` looks at everything in turn; beside it, one file a subject. No phone is loaded for it.
"""
