"""Dose: physics, lease, guard, exposure log."""
