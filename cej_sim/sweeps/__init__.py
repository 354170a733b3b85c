"""Many cells: designs of scenarios, computed, kept and analyzed."""
