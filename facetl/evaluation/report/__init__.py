"""The report: one page on what each run finds and misses, its plots and tables."""
