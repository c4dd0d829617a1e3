"""Numerics: normalise, filter, back-project, measure. Arrays in, arrays out."""
