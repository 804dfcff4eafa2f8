"""Holds the document of the API against OpenAPI 3.1, and answers against the document.

usage: openapi.py FOLDER

FOLDER has `openapi.json` and `answers.json`: [{"path", "status", "body", "kind"}, …]. JSON out:
what is wrong, and how
many answers were held. Exit code 1 if anything is wrong.
"""

import json
import pathlib
import sys

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator


def main(folder):
    folder = pathlib.Path(folder)
    document = json.loads((folder / "openapi.json").read_text("utf-8"))
    wrong = [
        f"{error.json_path}: {error.message}"
        for error in OpenAPIV31SpecValidator(document).iter_errors()
    ]
    if not document["openapi"].startswith("3.1"):
        wrong.append(f"it is of {document['openapi']}")
    answers = json.loads((folder / "answers.json").read_text("utf-8"))
    for answer in answers:
        responses = document["paths"][answer["path"]]["get"]["responses"]
        response = responses.get(str(answer["status"]), responses["default"])
        schema = response["content"][answer["kind"]]["schema"]
        whole = {**schema, "components": document["components"]}
        for error in Draft202012Validator(whole).iter_errors(answer["body"]):
            wrong.append(f"{answer['path']} {answer['status']}: {error.json_path}: {error.message}")
        unknown(document, schema, answer["body"], answer["path"], wrong)
    print(json.dumps({"wrong": wrong, "answers": len(answers)}, indent=1, ensure_ascii=False))
    sys.exit(1 if wrong else 0)


def unknown(document, schema, value, at, wrong):
    """A field that the document does not name is wrong too."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    for one in schema.get("anyOf", []):
        if value is not None and "$ref" in one:
            return unknown(document, one, value, at, wrong)
    if isinstance(value, dict) and "properties" in schema:
        for name, inner in value.items():
            if name not in schema["properties"]:
                wrong.append(f"{at}: {name} is not in the document")
            else:
                unknown(document, schema["properties"][name], inner, f"{at}.{name}", wrong)
    if isinstance(value, list) and "items" in schema:
        for number, inner in enumerate(value):
            unknown(document, schema["items"], inner, f"{at}[{number}]", wrong)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
