"""`python -m rxm`."""

from rxm.cli import main

main()
