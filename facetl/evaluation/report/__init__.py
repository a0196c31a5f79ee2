"""The report of an evaluation: its tables, its plots, its frames and the page that shows them."""
