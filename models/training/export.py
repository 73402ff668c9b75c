"""Exports a training folder in Hugging Face layout, float16.

python export.py --model out/policy --out ../pebble
"""

import argparse
from pathlib import Path

from pebble.store import export, load_checkpoint


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    export(*load_checkpoint(options.model), options.out)


if __name__ == "__main__":
    main()
