"""Live path: slices, verdicts and the page."""
