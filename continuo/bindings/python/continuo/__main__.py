"""`python -m continuo` is the program `continuo`."""

import sys

from continuo._program import main

if __name__ == "__main__":
    sys.exit(main())
