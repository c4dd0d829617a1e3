"""Ophyd devices of what stands on a beamline."""
