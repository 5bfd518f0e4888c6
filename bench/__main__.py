"""`make bench`: brings everything up, measures, and prints the tables."""

import argparse
import tempfile
from pathlib import Path

from bench import tables
from bench.lab import Lab


def main() -> None:
    """Measure, print, and with --write keep the result as bench/RESULTS.md."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: a minute, and a rough answer")
    parser.add_argument("--write", metavar="FILE", help="keep the tables in FILE as well")
    parser.add_argument(
        "--only", metavar="WORDS", default="", help="only the tables whose title has one of these, with commas between"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="xman-bench") as name:
        directory = Path(name)
        directory.chmod(0o755)
        (directory / "realm").mkdir()
        lab = Lab(directory)
        try:
            text = tables.all_of(lab, quick=options.quick, only=options.only)
        finally:
            lab.close()
    if options.write:
        Path(options.write).write_text(text)


if __name__ == "__main__":
    main()
