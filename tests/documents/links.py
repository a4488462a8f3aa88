"""Checks every relative link and anchor of the documents: the file exists, and has that heading."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^ *```.*?^ *```$", re.M | re.S)
LINK = re.compile(r"\]\(([^)\s]+)\)|<(?:img|a)\b[^>]*?\b(?:src|href)=\"([^\"]+)\"")
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.M)


def documents() -> list[Path]:
    """Returns the Markdown files that git tracks or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sorted(path for name in set(names.split("\0")) - {""} if (path := ROOT / name).exists())


def anchors(path: Path) -> set[str]:
    """Returns the anchors of the headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", path.read_text(encoding="utf-8"))):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        slug = name = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        number = 0
        while name in found:
            number += 1
            name = f"{slug}-{number}"
        found.add(name)
    return found


def broken(document: Path) -> list[str]:
    """Returns the links of a document that lead nowhere, each with its line."""
    text = document.read_text(encoding="utf-8")
    # Code blocks are blanked, so that the lines keep their numbers.
    text = FENCE.sub(lambda block: "\n" * block.group().count("\n"), text)
    errors = []
    for match in LINK.finditer(text):
        link = match.group(1) or match.group(2)
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (document.parent / path).resolve() if path else document
        place = f"{document.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}"
        if not target.exists():
            errors.append(f"{place}: {link}: there is no such file")
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            errors.append(f"{place}: {link}: the document has no such heading")
    return errors


def main() -> int:
    checked = documents()
    errors = [error for document in checked for error in broken(document)]
    print(*errors, sep="\n", end="\n" if errors else "")
    print(f"{len(checked)} documents, {len(errors)} broken links")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
