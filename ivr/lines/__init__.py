"""A called number: its rules, hours, and callers who are refused."""
