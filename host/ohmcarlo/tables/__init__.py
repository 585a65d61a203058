"""One reader for every delimited text: data sets, predictions, measurements, presets."""
