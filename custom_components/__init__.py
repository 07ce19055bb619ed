"""Makes the integration importable where Home Assistant looks for it."""
