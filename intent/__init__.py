"""From words to thema: catalogue, classifier, training, evaluation, model registry.

Lives here: everything between a transcript and a ranking of themas. May not: import ``ivr`` or
``asr``, print, read a clock, or write outside the folders it is given.
"""
