#!/usr/bin/env python3
"""Writes a C array of the operations that a header declares, so that a test can demand a case of each."""
import re
import sys

header, output = sys.argv[1:]
names = re.findall(r"^pct_tensor \*pct_op_(\w+)\(", open(header, encoding="utf-8").read(), re.MULTILINE)
with open(output, "w", encoding="utf-8") as out:
    out.write("static const char *const declared_operations[] = {\n")
    for name in names:
        out.write(f'    "{name}",\n')
    out.write("};\n")
