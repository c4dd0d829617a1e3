"""The experiment file, its conditions and its runner."""
