"""``python -m cej_sim`` is the command ``cej-sim``."""

from cej_sim.cli import main

if __name__ == "__main__":
    main()
