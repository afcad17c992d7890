"""The dashboard and the alerts use metrics that an agent exposes, with labels that they have; what an operator is told to
watch is in one of them. Writes the expressions as a rule file, for promtool.

    dashboards_check.py DASHBOARD ALERTS METRICS OPERATIONS RULES-OUT
"""
import json
import re
import sys

dashboard_path, alerts_path, metrics_path, operations_path, rules_path = sys.argv[1:]
dashboard = json.load(open(dashboard_path, encoding='utf-8'))
alerts = open(alerts_path, encoding='utf-8').read()
faults = []

# ---- what the agent exposes: names, types, labels ----
types, labels = {}, {}
for line in open(metrics_path, encoding='utf-8'):
    if match := re.match(r'# TYPE (\S+) (\S+)', line):
        types[match[1]] = match[2]
    elif match := re.match(r'([a-z_]+)(?:\{(.*)\})? \S', line):
        found = set(re.findall(r'([a-z_]+)="', match[2] or ''))
        labels.setdefault(match[1], set()).update(found | {'instance', 'job'})

# ---- the dashboard's own form ----
panels = dashboard['panels']
numbers = [panel['id'] for panel in panels]
if len(numbers) != len(set(numbers)):
    faults.append('two panels have one id')
taken = {}
for panel in panels:
    at = panel['gridPos']
    if at['x'] + at['w'] > 24:
        faults.append(f'{panel["title"]}: wider than the page')
    for cell in ((x, y) for x in range(at['x'], at['x'] + at['w']) for y in range(at['y'], at['y'] + at['h'])):
        if cell in taken:
            faults.append(f'{panel["title"]} lies over {taken[cell]}')
            break
        taken[cell] = panel['title']
    if panel['type'] != 'row' and not (panel.get('targets') and panel['datasource']['uid'] == '${datasource}'):
        faults.append(f'{panel["title"]}: no query, or a data source of one installation')

expressions = [(f'panel {panel["title"]}', target['expr']) for panel in panels for target in panel.get('targets', [])]
expressions += [('annotation', note['expr']) for note in dashboard['annotations']['list']]
expressions += [('variable', variable['definition']) for variable in dashboard['templating']['list'] if 'definition' in variable]
# Enough of YAML for this file: expr: on one line, or folded (>-).
for match in re.finditer(r'- alert: (\w+)\n +expr: (?:>-\n((?: {10}.*\n)+)|(.*)\n)', alerts):
    expressions.append((f'alert {match[1]}', ' '.join((match[2] or match[3]).split())))
if len([name for name, _ in expressions if name.startswith('alert')]) != alerts.count('- alert:'):
    faults.append('an alert has no expression that this test can read')

# ---- every name is exposed, as what it is used as ----
used = set()
for name, expression in expressions:
    for metric, selector in re.findall(r'\b((?:penstock|process)_[a-z0-9_]+)(\{[^}]*\})?', expression):
        used.add(metric)
        family = re.sub(r'_(bucket|sum|count)$', '', metric) if metric not in types else metric
        if family not in types:
            faults.append(f'{name}: no agent exposes {metric}')
            continue
        for label in re.findall(r'([a-z_]+)\s*(?:=|!)', selector):
            if label not in labels.get(metric, {'instance', 'job'}):
                faults.append(f'{name}: {metric} has no label {label}')
        counted = re.search(rf'\b(rate|increase)\({metric}\b', expression)
        if (types[family] in ('counter', 'histogram')) != bool(counted) and f'changes({metric}' not in expression:
            faults.append(f'{name}: {metric} is a {types[family]}')
for panel in panels:
    for target in panel.get('targets', []):
        first = re.search(r'(?:penstock|process)_[a-z0-9_]+', target['expr'])[0]
        for label in re.findall(r'\{\{(\w+)\}\}', target['legendFormat']):
            if label not in labels.get(first, set()):
                faults.append(f'panel {panel["title"]}: {first} has no label {label}')

# ---- what docs/OPERATIONS.md tells to watch is in one of them, and exists ----
table = open(operations_path, encoding='utf-8').read().split('What to monitor in Prometheus:')[1].split('\n###')[0]
for metric in re.findall(r'penstock_[a-z_]*[a-z](?![a-z]|_?\.\.\.|_\*)', table):  # not penstock_sink_...
    family = re.sub(r'_(bucket|sum|count)$', '', metric)
    if family not in types and metric not in types:
        faults.append(f'OPERATIONS.md: no agent exposes {metric}')
    elif metric not in used:
        faults.append(f'OPERATIONS.md tells to watch {metric}; neither the dashboard nor an alert does')

with open(rules_path, 'w', encoding='utf-8') as out:
    print('groups:\n  - name: dashboard\n    rules:', file=out)
    for number, (name, expression) in enumerate(expressions):
        if name == 'variable':
            continue
        expression = expression.replace('$__rate_interval', '5m').replace('$instance', '.*')
        print(f'      - record: test:panel:{number}\n        expr: {json.dumps(expression)}', file=out)

if faults:
    sys.exit('\n'.join(faults))
print(f'{len(expressions)} expressions use {len(used)} metrics; an agent exposes {len(types)}')
