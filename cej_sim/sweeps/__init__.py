"""Sweeps: many cells of a design, each with paired runs of its scenarios, that survive whatever happens to them.

``design`` says what is to be run (``reading`` reads it from a file, ``ablation`` swaps parts of scenarios), ``runner``
has it done: ``worker`` runs cells, ``crew`` and ``cluster`` share them out, here and on other computers. ``analysis``
makes tables of it, ``figures`` and ``page`` show them.

What it gives is kept in a directory: ``content`` says what a cell's numbers are and hashes them, ``files`` writes and
reads them, ``ledger`` lists what is done, ``results`` is a sweep for reading, and ``store`` looks after it all.
"""
