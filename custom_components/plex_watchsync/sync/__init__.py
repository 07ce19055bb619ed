"""The pure core: what a watch state is, which items are one, who wins, what is to be written. Standard library only."""
