"""What every process needs: services, run folder, ports, locks, append-only logs, frame files."""
