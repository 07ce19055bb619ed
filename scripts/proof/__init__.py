"""The proof: worlds small enough that everything that can happen in a few steps does happen, and a judge who saw it all."""
