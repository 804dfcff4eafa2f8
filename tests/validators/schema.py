"""Holds JSON documents against a JSON Schema, with a validator that is not ours.

usage: schema.py SCHEMA < DOCUMENTS

DOCUMENTS: a JSON object of documents by name. JSON out: for each name what is wrong with it, which
is nothing or
"place: problem" lines. Exit code 2 if the schema itself is none.
"""

import json
import sys

from jsonschema import Draft202012Validator, SchemaError


def main(path):
    with open(path, encoding="utf-8") as file:
        schema = json.load(file)
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        sys.exit(f"the schema is none: {error.message}")
    validator = Draft202012Validator(schema)
    found = {}
    for name, document in json.load(sys.stdin).items():
        found[name] = sorted(
            f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(document)
        )
    print(json.dumps(found))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
