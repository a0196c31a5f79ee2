"""What each command does, as a function that Python can call without the command line.

Each takes a request, a dataclass of what the command line's options say, and a
:class:`facetl.reporting.Reporter`; it gives a result, another dataclass, and prints nothing.
"""
