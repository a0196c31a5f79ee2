"""Studies: methods of transfer side by side, from a description to cells, figures and plots."""
