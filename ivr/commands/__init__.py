"""The command line: one file a command or family. Prints, asks and exits; decides nothing."""
