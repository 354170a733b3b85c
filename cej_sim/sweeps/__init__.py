"""Sweeps: many cells of a design, each with paired runs of its scenarios, that survive whatever happens to them.

``design`` says what is to be run (``reading`` reads it from a file, ``ablation`` swaps parts of scenarios), ``worker``
runs it, ``store`` keeps it, ``runner`` and ``cluster`` share out the work, ``analysis`` makes tables of it, ``figures``
and ``page`` show them.
"""
