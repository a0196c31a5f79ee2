"""Training: windows and their labels, patch files, losses, and the one loop."""
