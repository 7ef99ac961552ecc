"""Media and face crops as tables of samples: index, extract, split, check, show."""
