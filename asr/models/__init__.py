"""Model folders: what is installed, where from, whole or damaged."""
