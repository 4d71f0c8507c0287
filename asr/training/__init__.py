"""The recipe of the embedded Dutch telephone recogniser (``python -m asr.training``).

From texts, espeak-ng callers and recordings in a folder that the user names, to a folder that vosk
loads. Needs the extra ``asr-training``, espeak-ng and OpenFst's tools. Nothing here runs in a call,
and nothing here imports vosk except the step that measures the result.
"""
