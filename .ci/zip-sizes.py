"""Holds the functions to the size of their zip archives, which Lambda fetches on a cold start.

Usage: zip-sizes.py DIRECTORY, with the binaries of a release build. BENCHMARKS.md says what they take
beside the least that such a function can take.
"""

import pathlib
import sys
import zlib

# What each took on x86_64 when it was last looked at, in kB.
SIZES = {
    "create-group": 2918,
    "delete-group": 2828,
    "fallback": 750,
    "get-group": 2813,
    "issue-token": 2773,
    "list-groups": 2834,
    "purge-messages": 2789,
    "revoke-token": 2818,
    "update-group": 2875,
}

# How much more it may be: a compiler's and a dependency's comings and goings.
MARGIN = 1.1

directory = pathlib.Path(sys.argv[1])
functions = {path.name for path in pathlib.Path("functions").iterdir()}
if functions != set(SIZES):
    sys.exit(f"zip-sizes.py: SIZES and functions/ differ in {functions ^ set(SIZES)}")
failed = False
for function, size in SIZES.items():
    found = len(zlib.compress((directory / function).read_bytes())) / 1000
    verdict = "ok" if found <= size * MARGIN else "TOO LARGE"
    failed |= verdict != "ok"
    print(f"{function:16} {found:6.0f} kB, at most {size * MARGIN:6.0f}: {verdict}")
if failed:
    sys.exit("zip-sizes.py: find out why, and make it smaller or say in BENCHMARKS.md why not")
