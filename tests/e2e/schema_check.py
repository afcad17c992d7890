"""Checks a JSON document against a JSON schema: with a validator of its own, which knows what the schema uses and refuses
other keywords, and with the package jsonschema where it is installed. Then breaks the document in many ways; each must be
refused.

    schema_check.py SCHEMA DOCUMENT
"""
import copy
import json
import sys

TYPES = {'object': dict, 'array': list, 'string': str, 'boolean': bool, 'integer': int}
KNOWN = {'$schema', 'title', 'description', '$defs', '$ref', 'type', 'required', 'additionalProperties', 'properties', 'items',
         'enum', 'const', 'minLength', 'minItems'}


def valid(root, schema, value, at='$'):
    """Returns the first fault, or None."""
    if unknown := set(schema) - KNOWN:
        sys.exit(f'the schema uses {unknown}, which this check does not know')
    if '$ref' in schema:
        fault = valid(root, root['$defs'][schema['$ref'].removeprefix('#/$defs/')], value, at)
        if fault:
            return fault
    kind = schema.get('type')
    if kind and (not isinstance(value, TYPES[kind]) or (kind == 'integer' and isinstance(value, bool))):
        return f'{at}: not of type {kind}'
    if 'const' in schema and (value != schema['const'] or isinstance(value, bool)):
        return f'{at}: not {schema["const"]}'
    if 'enum' in schema and value not in schema['enum']:
        return f'{at}: {value!r} is none of {schema["enum"]}'
    if len(value) < schema.get('minLength', 0) if isinstance(value, str) else False:
        return f'{at}: too short'
    if isinstance(value, list):
        if len(value) < schema.get('minItems', 0):
            return f'{at}: too few'
        for i, item in enumerate(value):
            fault = 'items' in schema and valid(root, schema['items'], item, f'{at}[{i}]')
            if fault:
                return fault
    if isinstance(value, dict):
        for key in schema.get('required', []):
            if key not in value:
                return f'{at}: no {key}'
        for key, item in value.items():
            if key in schema.get('properties', {}):
                fault = valid(root, schema['properties'][key], item, f'{at}.{key}')
                if fault:
                    return fault
            elif schema.get('additionalProperties') is False:
                return f'{at}: {key} is not described'
    return None


def broken(document):
    """Copies of the document, each with one fault."""
    def change(what):
        other = copy.deepcopy(document)
        what(other)
        return other
    source = 'first component'
    def component(d): return d['kinds'][0]['components'][0]
    def option(d): return d['kinds'][0]['options'][0]
    yield 'another format', change(lambda d: d.update(format=2))
    yield 'no version', change(lambda d: d.pop('version'))
    yield 'no kinds', change(lambda d: d.update(kinds=[]))
    yield 'an unknown member', change(lambda d: d.update(extra=1))
    yield 'an unknown kind', change(lambda d: d['kinds'][0].update(kind='sauce'))
    yield f'{source}: no name', change(lambda d: component(d).pop('name'))
    yield f'{source}: an empty name', change(lambda d: component(d).update(name=''))
    yield f'{source}: aliases are a text', change(lambda d: component(d).update(aliases='seq'))
    yield 'an option of unknown type', change(lambda d: option(d).update(type='float'))
    yield 'an option without meaning', change(lambda d: option(d).pop('meaning'))
    yield 'a flag that is a text', change(lambda d: option(d).update(required='yes'))
    yield 'a limit that is a text', change(lambda d: option(d).update(minimum='1'))
    yield 'a default that is a number', change(lambda d: option(d).update(default=1))


schema, document = (json.load(open(path, encoding='utf-8')) for path in sys.argv[1:])
try:
    import jsonschema
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
except (ImportError, AttributeError):
    validator = None

fault = valid(schema, schema, document)
if fault:
    sys.exit(fault)
if validator:
    validator.validate(document)
for what, wrong in broken(document):
    if valid(schema, schema, wrong) is None:
        sys.exit(f'accepted: {what}')
    if validator and validator.is_valid(wrong):
        sys.exit(f'jsonschema accepts: {what}')
print('with jsonschema' if validator else 'without jsonschema')
