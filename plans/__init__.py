"""Bluesky plans: thin generators over protocols."""
