"""The twelve phases of a month, a file each: its rules and its equations side by side.

A phase file declares ``RULES`` (what a scenario may set) and one kernel that carries the file's name.
``cej_sim/month.py`` lists the phases in their order.
"""
