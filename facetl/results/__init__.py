"""What a detector found: values, and the files that keep them."""
