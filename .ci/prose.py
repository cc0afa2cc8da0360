"""Finds phrases in comments and documents that readers stumble over. CONTRIBUTING.md has the style."""

import pathlib
import re
import subprocess
import sys

# A phrase, and what to write instead.
PHRASES = [
    (r"(?:^|[.:;,] )[Ww]here (?:it|its|the|a|an|there|no|they|nothing|not|one|that|this|several|nobody)\b", "if"),
    (r"\b(?:is|are|be|was) told\b|\bto be told\b", "report, log or return"),
    (r"\bwants? to be\b", "must be"),
    (r"\b[Bb]ut for\b(?! example)", "except"),
    (r"\b[Oo]f ours\b", "our"),
    (r"\bof late\b", "recently"),
    (r"\banew\b", "again, or new"),
    (r"\bwould else\b|\belse it would\b", "otherwise"),
    (r"\b(?:does|is|are|do) as well\b", "too, or also"),
    (r"\bwhat is no(?:ne|t)?\b", "name the thing"),
    (r"\bnone of its\b|\bis none of\b", "no, or not a"),
    (r"\b[Ss]hould (?:it|one|the)\b [^?]*,", "if"),
    (r"\bsees? to it\b", "ensures"),
    (r"\bcame of it\b|\bcame to\b|\bcomes of it\b", "the result"),
    (r"\bgot through\b|\bnot yet through\b", "succeeded"),
    (r"\bas (?:it|they) came\b", "unchanged"),
    (r"\bthat there is not\b|\bwhich there is not\b|\bnobody (?:is|whom)\b|\bthere is nobody\b", "say it directly"),
    (r"\bhalf done\b", "partly done, or no change was made"),
    (r"\bis there for\b", "is for"),
]

# Comments that start with two slashes or with `/*`, whose next lines start with `*`.
SLASHES = r"^\s*(?://|/\*+|\*(?!/)) ?(.*)"

# Comments, by the ending of a file's name. Other files have those of a shell.
COMMENTS = {
    ".rs": r"^\s*//[/!]? ?(.*)",
    ".cts": SLASHES,
    ".go": SLASHES,
    ".hbs": r"^\s*(?://|/\*|\{\{!|<!--) ?(.*)",
    ".js": SLASHES,
    ".mjs": SLASHES,
    ".php": SLASHES,
    ".ts": SLASHES,
    ".py": r"^\s*(?:#|\"\"\") ?(.*)",
    ".toml": r"(?:^|\s)# ?(.*)",
    ".yaml": r"(?:^|\s)# ?(.*)|^\s*(?:[Dd]escription|summary): ?(.*)|^\s{4,}([A-Z`].*)",
    ".yml": r"(?:^|\s)# ?(.*)",
    ".md": r"(.*)",
    ".txt": r"(.*)",
}


def paragraphs(path):
    """Returns the prose of a file, as pairs of a line number and a paragraph."""
    pattern = re.compile(COMMENTS.get(path.suffix, r"^\s*# ?(.*)"))
    start, words = 1, []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines() + [""], 1):
        match = pattern.search(line)
        text = next((group for group in match.groups() if group), "") if match else ""
        if text.strip():
            if not words:
                start = number
            words.append(text.strip())
        elif words:
            yield start, " ".join(words)
            words = []


def main():
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout
    skipped = {".lock", ".json", ".svg"}
    files = [pathlib.Path(name) for name in listed.split()]
    found = 0
    for path in files:
        # This file contains all phrases.
        if path.suffix in skipped or path.name in ("LICENSE", "prose.py") or not path.exists():
            continue
        for number, paragraph in paragraphs(path):
            for phrase, instead in PHRASES:
                for match in re.finditer(phrase, paragraph):
                    found += 1
                    context = paragraph[max(0, match.start() - 30) : match.end() + 30]
                    print(f"{path}:{number}: …{context}…: instead: {instead}")
    if found:
        sys.exit(f".ci/prose.py: {found} phrases that readers stumble over")


main()
