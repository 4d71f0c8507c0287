"""A model's folder on the disk: its files and their checksums, its name, where it came from."""
