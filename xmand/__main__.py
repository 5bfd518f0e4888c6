"""`python -m xmand`."""

from xmand.cli import main

main()
