"""Reads what `penstock graph` wrote as DOT and as Mermaid, line by line and strictly; both must show the same graph.
Prints it in a form that a test can compare: one line a node, one an edge, sorted.

    graph_check.py A.dot A.mermaid
"""
import re
import sys

LABEL = r'"((?:[^"\\]|\\.)*)"'


def dot_text(text):
    return re.sub(r'\\(.)', lambda m: '\n' if m[1] == 'n' else m[1], text)


def mermaid_text(text):
    text = text.replace('<br/>', '\n')
    if re.search(r'[<>"`\[\]{}|&]|#(?!\d+;)', text):
        sys.exit(f'mermaid: markup in a label: {text}')
    return re.sub(r'#(\d+);', lambda m: chr(int(m[1])), text)


def read(path, forms, unescape):
    nodes, edges, clusters = {}, [], {}
    within = None
    for number, line in enumerate(open(path, encoding='utf-8'), 1):
        line = line.rstrip('\n')
        for kind, pattern in forms:
            match = re.fullmatch(pattern, line)
            if match:
                break
        else:
            sys.exit(f'{path}:{number}: not understood: {line}')
        if kind == 'cluster':
            within = match['id']
            if match['label'] is not None:
                clusters[within] = unescape(match['label'])
        elif kind == 'title':
            clusters[within] = unescape(match['label'])
        elif kind == 'end':
            within = None
        elif kind == 'node':
            if match['id'] in nodes:
                sys.exit(f'{path}:{number}: {match["id"]} twice')
            nodes[match['id']] = (unescape(match['label']), clusters[within] if within else '')
        elif kind == 'edge':
            label = match['label']
            edges.append((match['from'], match['to'], '' if label is None else unescape(label),
                          match['dashed'] is not None))
    for source, target, *_ in edges:
        if source not in nodes or target not in nodes:
            sys.exit(f'{path}: an edge from or to nothing: {source} {target}')
    return nodes, edges


dot = read(sys.argv[1], [
    ('other', r'digraph ' + LABEL + r' \{|  rankdir=LR;|  label=' + LABEL + r';|  labelloc=t;|  fontname="sans-serif";'
     r'|  (node|edge) \[fontname="sans-serif"(, fontsize=10)?\];|    style=rounded;|    color="#a0a0a0";|\}'),
    ('cluster', r'  subgraph (?P<id>cluster_\d+) \{(?P<label>)?'),
    ('title', r'    label=' + LABEL.replace('(', '(?P<label>', 1) + ';'),
    ('end', r'  \}'),
    ('node', r' +(?P<id>n\d+) \[label=' + LABEL.replace('(', '(?P<label>', 1) + r', [a-z]+=[^\]]*\];'),
    ('edge', r'  (?P<from>n\d+) -> (?P<to>n\d+)(?: \[(?:label=' + LABEL.replace('(', '(?P<label>', 1) +
     r')?(?:, )?(?P<dashed>style=dashed)?\])?;'),
], dot_text)
mermaid = read(sys.argv[2], [
    ('other', r'flowchart LR'),
    ('cluster', r'  subgraph (?P<id>cluster_\d+)\["(?P<label>[^"]*)"\]'),
    ('end', r'  end'),
    ('node', r' +(?P<id>n\d+)(?:\(|\[|\{\{|\[\(|\[/|\(\[)"(?P<label>[^"]*)"(?:\)|\]|\}\}|\)\]|/\]|\]\))'),
    ('edge', r'  (?P<from>n\d+) (?:-->|(?P<dashed>-\.->))(?:\|"(?P<label>[^"]*)"\|)? (?P<to>n\d+)'),
], mermaid_text)
if dot != mermaid:
    sys.exit(f'the two differ:\n{dot}\n{mermaid}')

nodes, edges = dot
flat = {key: label.replace('\n', ' | ') for key, (label, _) in nodes.items()}
for key, (_, cluster) in nodes.items():
    print(f'node {flat[key]}' + (f' in {cluster}' if cluster else ''))
for source, target, label, dashed in edges:
    name = [flat[key].split(' | ')[0] for key in (source, target)]
    print(f'edge {name[0]} -> {name[1]}' + (f' "{label}"'.replace('\n', ' | ') if label else '') +
          (' dashed' if dashed else ''))
