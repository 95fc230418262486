"""The hot path, and every transition of a task."""
