"""Reads an OpenAPI document and fails where it breaks the standard or an example breaks its schema."""

import json
import sys

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

DOCUMENT = "urn:document"

document = json.load(sys.stdin)
validate(document, cls=OpenAPIV31SpecValidator)
registry = Registry().with_resource(DOCUMENT, Resource(document, DRAFT202012))


def examples(part, place):
    """Every example with the schema beside it."""
    if isinstance(part, dict):
        if "schema" in part:
            values = {name: example["value"] for name, example in part.get("examples", {}).items()}
            if "example" in part:
                values["example"] = part["example"]
            for name, value in values.items():
                yield f"{place} {name}", part["schema"], value
        for name, inner in part.items():
            yield from examples(inner, f"{place} {name}")
    elif isinstance(part, list):
        for number, inner in enumerate(part):
            yield from examples(inner, f"{place} {number}")


count = 0
for place, schema, value in [*examples(document["paths"], ""), *examples(document["components"]["headers"], " of header")]:
    schema = json.loads(json.dumps(schema).replace('"#/', f'"{DOCUMENT}#/'))
    validator = Draft202012Validator(
        schema, registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    for error in validator.iter_errors(value):
        sys.exit(f"the example{place} breaks its schema: {error.message}")
    count += 1
print(f"{len(document['paths'])} paths, {count} examples")
