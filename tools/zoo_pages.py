"""Writes the explorer's page of each model of the zoo, and prints how large they are.

python tools/zoo_pages.py runs/zoo_pages
python tools/zoo_pages.py runs/zoo_pages an_bn digits
"""

import argparse
import sys
from pathlib import Path

from byhand import zoo
from byhand.__main__ import main as byhand


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the explorer's page of each model of the zoo.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help="which (default: all)")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    codes = [
        byhand(["explore", f"zoo:{name}", "--save", str(options.folder / f"{name}.html")])
        for name in options.names or zoo.names()
    ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
