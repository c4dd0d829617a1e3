"""Projections of the logs: run documents, NXtomo files, reports."""
