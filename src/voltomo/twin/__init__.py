"""The virtual beamline: one world, its physics, and IOC processes that show it."""
