"""The networks, one file each, in plain torch."""
