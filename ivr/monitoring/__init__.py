"""What engineers watch: logs, metrics, and the phone's small HTTP port."""
