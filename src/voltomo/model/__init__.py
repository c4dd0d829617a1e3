"""The vocabulary: geometry, scan, frame table, clock, verdict, sample, names."""
