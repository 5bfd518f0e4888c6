"""rxm's launcher starts Python without its `site` module; what few commands need of it is fetched here."""

import sys


def installed_packages() -> None:
    """Make importable what is installed beside Python (python-gssapi, ClusterShell), where the launcher left it out."""
    if sys.flags.no_site and "site" not in sys.modules:
        import site

        site.main()
