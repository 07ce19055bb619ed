"""The sync cycle and its executor, on ports only."""
