"""How good detections are: matching with the truth, figures, plots and the metrics file."""
