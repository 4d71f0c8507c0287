"""Whom espeak-ng can be: voices to train with, and voices kept from training."""

from __future__ import annotations

_NAMES = """
m1 m2 m3 m4 m5 m7 m8 f1 f2 f3 f5 adam Alex Alicia Andrea Annie antonio aunty belinda benjamin
boris caleb david Denis Diogo ed edward edward2 Gene Gene2 grandma grandpa gustave Henrique Hugo
iven iven2 iven3 iven4 Jacky john kaukovalta klatt klatt2 klatt3 klatt4 Lee linda marcelo Marco
Mario max Michael michel Mike Mr Nguyen norbert pablo paul pedro quincy RicishayMax RicishayMax2
RicishayMax3 robert sandro shelby steph2 steph3 travis Tweaky victor zac anika AnxiousAndy
"""
TRAINING_VOICES: tuple[str, ...] = tuple(_NAMES.split())
HELD_OUT_VOICES: tuple[str, ...] = ("f4", "m6", "Andy", "steph", "rob", "miguel")
"""Never trained on. The whispering, croaking and robot variants are in neither list."""
