"""``python -m everloop`` is ``everloop``."""

from everloop.cli import main

if __name__ == "__main__":
    main()
