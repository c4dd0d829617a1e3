"""Command line and supervisor."""
