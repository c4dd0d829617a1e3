"""One folder a beamline: its file and its start-up."""
