"""Whole scans to volumes: read, correct, reconstruct, store, and go on after an interruption."""
