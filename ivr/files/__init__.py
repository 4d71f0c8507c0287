"""Where things lie: the home folder, the data that Wegwijs carries, and how files are written."""
