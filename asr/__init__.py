"""Speech to text: the port, its engines, the embedded model's training, and WER.

Lives here: everything that turns 8 kHz caller audio into words. May not: know what a word means
(``intent``) or that there is a call (``ivr``).
"""
