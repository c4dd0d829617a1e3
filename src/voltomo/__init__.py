"""Dose-managed operando X-ray imaging of batteries: acquire, see, and know every gray."""
