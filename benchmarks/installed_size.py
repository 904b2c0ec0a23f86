"""Bytes on disk of packages and all that they require: python installed_size.py PACKAGE..."""

import importlib.metadata
import re
import sys


def required(name, seen):
    """Adds the package and what it requires, extras left out."""
    name = re.sub(r"[-_.]+", "-", name).lower()
    if name in seen:
        return
    try:
        package = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return  # for another system
    seen[name] = package
    for requirement in package.requires or []:
        if "extra ==" not in requirement:
            required(re.match(r"[\w.-]+", requirement)[0], seen)


if __name__ == "__main__":
    packages = {}
    for name in sys.argv[1:]:
        required(name, packages)
    files = {file.locate() for package in packages.values() for file in package.files or []}
    print(sum(file.stat().st_size for file in files if file.is_file()))
