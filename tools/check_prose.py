#!/usr/bin/env python3
"""Checks that prose is at most 100 columns wide: Markdown, and comments that have a line of their own.

Not counted: code blocks, tables, headings, and lines that a single word (such as an address) makes too
long. With --fix, paragraphs that are too wide are filled anew.

    tools/check_prose.py [--fix] [--root DIR] [FILES]
"""
import argparse
import re
import subprocess
import sys
import textwrap
from pathlib import Path

WIDTH = 100
CPP_COMMENT = re.compile(r"^(\s*)(///|//)( )(.*)$")
HASH_COMMENT = re.compile(r"^(\s*)(#)( )(.*)$")
# Where a paragraph of a comment begins: a list item, an indented line, something aligned by blanks.
APART = re.compile(r"^(\s{2,}|[-*] |\d+\. |[A-Za-z_]+:$|\||$)")
ITEM = re.compile(r"^(\s*)([-*+]|\d+\.)(\s+)")


def is_too_wide(line):
    return len(line) > WIDTH and " " in line.strip()[:WIDTH].lstrip("/#-*> ")


def wrap(words, first, rest):
    return textwrap.wrap(words, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False,
                         break_on_hyphens=False)


def markdown(lines):
    """Yields (number, line, paragraph): paragraphs as (first, last, first indent, next indent)."""
    fenced, number = False, 0
    while number < len(lines):
        line = lines[number]
        if line.strip().startswith("```"):
            fenced = not fenced
        skip = (fenced or not line.strip() or line.strip().startswith(("```", "|", "#", "<", "![")) or
                (line.startswith("    ") and not ITEM.match(line)))
        if skip:
            number += 1
            continue
        item = ITEM.match(line)
        indent = item[0] if item else re.match(r"\s*(> ?)?", line)[0]
        last = number
        while last + 1 < len(lines):
            following = lines[last + 1]
            if (not following.strip() or ITEM.match(following) or following.strip().startswith(("|", "#", "```", "<")) or
                    (following.startswith("    ") and not item)):
                break
            last += 1
        yield number, last, indent, " " * len(indent) if item else indent
        number = last + 1


def comments(lines, comment):
    number = 0
    while number < len(lines):
        match = comment.match(lines[number])
        if not match or APART.match(match[4]):
            number += 1
            continue
        prefix = match[1] + match[2] + " "
        last = number
        while last + 1 < len(lines):
            following = comment.match(lines[last + 1])
            if not following or following[1] + following[2] + " " != prefix or APART.match(following[4]):
                break
            last += 1
        yield number, last, prefix, prefix
        number = last + 1


def check(path, name, fix):
    text = path.read_text()
    lines = text.split("\n")
    if path.suffix == ".md":
        paragraphs = list(markdown(lines))
    else:
        paragraphs = list(comments(lines, CPP_COMMENT if path.suffix in (".h", ".cc", ".c") else HASH_COMMENT))
    faults = []
    for first, last, indent, following in reversed(paragraphs):
        wide = [number for number in range(first, last + 1) if is_too_wide(lines[number])]
        if not wide:
            continue
        if fix:
            words = " ".join([lines[first][len(indent):].strip()] +
                             [lines[n][len(following):].strip() if lines[n].startswith(following) else lines[n].strip()
                              for n in range(first + 1, last + 1)])
            lines[first:last + 1] = wrap(words, indent, following)
        else:
            faults += [f"{name}:{number + 1}: {len(lines[number])} columns, expected at most {WIDTH}" for number in wide]
    if fix and "\n".join(lines) != text:
        path.write_text("\n".join(lines))
    return sorted(faults, key=lambda fault: int(fault.split(":")[1]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fix", action="store_true")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    names = options.files or subprocess.run(
        ["git", "-C", str(options.root), "ls-files", "--cached", "--others", "--exclude-standard", "*.md", "*.h", "*.cc",
         "*.c", "*.py", "*.cmake", "*CMakeLists.txt", "*.sh"], capture_output=True, text=True, check=True).stdout.split("\n")
    faults = []
    for name in names:
        path = options.root / name
        if name and path.is_file() and "/dist/" not in name:
            faults += check(path, name, options.fix)
    print("\n".join(faults) if faults else "ok: prose is at most 100 columns wide")
    return 1 if faults else 0


sys.exit(main())
