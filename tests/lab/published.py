"""The published schema of results, read once: to jsonschema.validate it is new each time, and judged itself."""

import jsonschema

from xman.result import schema

RESULTS = jsonschema.Draft202012Validator(schema())
