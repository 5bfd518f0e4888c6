"""What setup.cfg cannot say: the packages, found in two folders, and a version that tells one build from another."""

import re
import subprocess
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

_VERSION = subprocess.run(["packaging/version"], check=True, capture_output=True, text=True).stdout.strip()  # noqa: S607


class _Stamped(build_py):
    """Writes the version into the copy that is packed; an editable installation is the tree, and stays as it is."""

    def run(self) -> None:
        super().run()
        stamped = Path(self.build_lib) / "xman" / "__init__.py"
        if not self.editable_mode:
            stamped.write_text(re.sub(r'^(__version__ = ")[^"]*', rf"\g<1>{_VERSION}", stamped.read_text(), flags=re.M))


setup(
    version=_VERSION,
    package_dir={"xman": "common/xman"},
    packages=[*find_packages("common"), *find_packages(include=["rxm*", "xmand*"])],
    cmdclass={"build_py": _Stamped},
)
