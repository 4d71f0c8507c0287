"""Reading a yes or a no out of what the recogniser heard."""

from __future__ import annotations

from ivr.call.events import Answer

_YES = frozenset(
    "ja jaja jaa jawel jazeker zeker inderdaad klopt juist correct ok oké okee oke graag "
    "absoluut tuurlijk natuurlijk voilà voila exact precies yes oui yep".split()
)
_NO = frozenset(
    "nee neen neeje nene nee's niet fout verkeerd mis anders ander andere "
    "no non nope bijlange".split()
)


def read_answer(text: str) -> Answer:
    """Return yes, no, or unclear when both or neither were said.

    "nee" wins over a polite "ja maar": sending a caller on against a no is the dearer mistake.
    """
    words = {word.strip(".,!?'").lower() for word in text.split()}
    if words & _NO:
        return Answer.NO
    if words & _YES:
        return Answer.YES
    return Answer.UNCLEAR
