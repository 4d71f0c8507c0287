"""What ``wegwijs demo`` starts around the service: a caller and a contact centre.

Each is a process of its own, because pjsua2 allows one endpoint a process. They speak JSON, one
object a line: events on standard output, commands on standard input.
"""
