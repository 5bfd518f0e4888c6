"""`python -m rxmweb`."""

from rxmweb.cli import main

main()
