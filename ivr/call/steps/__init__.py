"""What the rows of the table do, and what each state does on entry.

A step writes the facts and yields actions; it never changes the state: the row does.
"""
