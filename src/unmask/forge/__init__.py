"""How fakes are made, for training detectors and for testing them."""
