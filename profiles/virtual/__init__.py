"""The virtual beamline."""
