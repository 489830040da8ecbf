#!/usr/bin/env python3
"""Writes the tables of inputs and outputs into the README of the root, of each module and of each
example, from their variables and outputs.

docs.py                  writes them
docs.py --check [ROOT]   changes nothing, shows what would differ

The tables stand between two comments; the rest of a README is a person's.
Exit codes: 0 written, or nothing to write; 1 a README is not current, or has no place for tables.
"""

import difflib
import json
import re
import sys
from pathlib import Path

BEGIN = "<!-- inputs and outputs, written by `make docs` -->"
END = "<!-- end of inputs and outputs -->"

# A longer type is told by the description's own list of fields.
TYPE_CHARACTERS_MAX = 40


def main():
    check = "--check" in sys.argv[1:]
    roots = [argument for argument in sys.argv[1:] if argument != "--check"]
    infra = Path(roots[0] if roots else Path(__file__).resolve().parents[2]) / "infra"
    wrong, looked = [], 0
    for folder in [infra, *sorted(infra.glob("modules/*/")), *sorted(infra.glob("examples/*/"))]:
        looked += 1
        wrong += current(folder, check)
    for finding in wrong:
        print(finding)
    print(f"{looked - len(wrong)} of {looked} current")
    return 1 if wrong else 0


def current(folder, check):
    """Makes a README's tables current, or says why they are not."""
    readme = folder / "README.md"
    name = f"infra/{readme.relative_to(folder.parents[1])}" if folder.name != "infra" else "infra/README.md"
    before = readme.read_text() if readme.is_file() else ""
    if before.count(BEGIN) != 1 or before.count(END) != 1:
        return [f"{name} has no place for its tables: write what it makes and how it is used, and these two lines:\n{BEGIN}\n{END}"]
    after = before[: before.index(BEGIN)] + f"{BEGIN}\n{tables(folder)}{END}" + before[before.index(END) + len(END) :]
    if after == before:
        return []
    if not check:
        readme.write_text(after)
        return []
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), name, f"{name} as it should be", lineterm="", n=0)
    return [f"{name} is not current; run: make docs\n" + "\n".join(lines)]


def tables(folder):
    text = ""
    variables, outputs = blocks(folder, "variable"), blocks(folder, "output")
    if variables:
        # What must be given stands first.
        variables.sort(key=lambda variable: ("default" in variable[1], variable[0]))
        text += "| input | type | default | what |\n|---|---|---|---|\n"
        for name, body in variables:
            default = code(literal(body["default"])) if "default" in body else "required"
            text += row(code(name), code(short_type(body.get("type", "any"))), default, said(body))
    if outputs:
        text += "\n" if text else ""
        text += "| output | what |\n|---|---|\n"
        for name, body in sorted(outputs, key=lambda output: output[0]):
            text += row(code(name), said(body))
    return text


def blocks(folder, kind):
    """Name and body of every variable or output of a folder, whichever file it stands in."""
    import hcl2

    found = []
    for path in sorted(folder.glob("*.tf")):
        with path.open() as file:
            for block in hcl2.load(file).get(kind, []):
                found += [(name.strip('"'), body) for name, body in block.items()]
    return found


def row(*cells):
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def code(text):
    return f"`{text}`"


def said(body):
    """The description, its list of fields as lines of the cell."""
    text = body.get("description", '""')
    text = text[1:-1]
    heredoc = re.fullmatch(r"<<-?(\w+)\n(.*)\n\s*\1", text, re.DOTALL)
    if heredoc:
        lines = [line.strip() for line in heredoc[2].splitlines()]
        return "<br>".join(line for line in lines if line)
    return json.loads(f'"{text}"')


def short_type(value):
    text = re.sub(r"^\$\{(.*)\}$", r"\1", value, flags=re.DOTALL)
    if len(text) <= TYPE_CHARACTERS_MAX:
        return text
    return re.sub(r"object\(.*\)", lambda found: "object" + ")" * (found[0].count(")") - found[0].count("(")), text, flags=re.DOTALL)


def literal(value):
    """A default as it is written."""
    if isinstance(value, dict):
        fields = [f"{name} = {literal(part)}" for name, part in value.items() if not name.startswith("__")]
        return "{ " + ", ".join(fields) + " }" if fields else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    return re.sub(r"^\$\{(.*)\}$", r"\1", str(value), flags=re.DOTALL)


def with_its_packages():
    """Runs this in the environment that has the HCL parser, where this one has not."""
    try:
        import hcl2  # noqa: F401
    except ImportError:
        import environments
        import os

        python = str(environments.emulator())
        os.execv(python, [python, __file__, *sys.argv[1:]])


if __name__ == "__main__":
    with_its_packages()
    sys.exit(main())
