"""How networks are trained on forgeries and sent out as model files."""
