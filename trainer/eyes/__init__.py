"""Whether both eyes of a drawn face agree in colour, size and finish.

``measure`` finds the eyes and compares them by two small networks, the files beside it;
``networks`` and ``made_pairs`` are what these learn by. docs/measuring.md says how far to trust it.
"""
