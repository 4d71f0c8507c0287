"""Where things lie: the home folder, the data that Wegwijs carries, what can be written."""
