"""Studies: methods of transfer compared, from a description to cells, figures and plots."""
