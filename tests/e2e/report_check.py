#!/usr/bin/env python3
"""Checks pages of `penstock plan --report`: their markup, and what a browser makes of them.

report_check.py variants RESULT.json DIR     writes result documents: no trial, one, a hundred trials, hostile text...
report_check.py static PAGE...               well-formed, self-contained, with the whole document and its text (beside it, .json and .txt)
report_check.py browser CHROMIUM PAGE...     at 360 and 1600 pixels, the sample in the dark, too: says what the document has, no foreign text became
                                             markup, fits, shows data, no texts overlap
"""
import copy
import html
import html.parser
import json
import random
import re
import subprocess
import sys
import tempfile

EVIL = '<script>alert(1)</script>"\'>&amp;<img src=x onerror=alert(2)>\u202e\u0007]]>--></svg></style><a href=http://evil.example/>'
WIDTHS = (360, 1600)


# ---- documents ----

def poison(value):
    if isinstance(value, str):
        return EVIL
    if isinstance(value, list):
        return [poison(one) for one in value]
    return {key: poison(one) for key, one in value.items()} if isinstance(value, dict) else value


def hostile(sample):
    document = poison(sample)
    for trial, original in zip(document['trials'], sample['trials']):
        trial['verdict'] = original['verdict']
        for second in trial['timeline']:
            second['fill'] = {EVIL: 0.5, EVIL * 40: 0.2, 'c' * 3000: 0.7, '日本語のチャンネル名': 0.9}
    document['trials'][3]['verdict'] = EVIL
    document['goals'][0].update(latency_limit_ns=None, loss_max=None)
    document['machine'][EVIL] = EVIL
    return document


def one(sample):
    document = copy.deepcopy(sample)
    document.update(trials=document['trials'][8:9], goals=document['goals'][:1], limits=document['limits'][:1], projection=None)
    del document['requirements'], document['comparison']
    document['scaling'] = {'points': document['scaling']['points'][:1]}
    return document


def many(sample):
    chance = random.Random(7)
    document = copy.deepcopy(sample)
    document['trials'] = [copy.deepcopy(sample['trials'][index % len(sample['trials'])]) for index in range(100)]
    for index, trial in enumerate(document['trials']):
        trial.update(number=index + 1, rate=int(trial['rate'] * chance.uniform(0.9, 1.1)))
    document['goals'] = [dict(sample['goals'][index % len(sample['goals'])], rate=780000 + 9000 * index, lower=775000 + 9000 * index,
                              upper=790000 + 9000 * index) for index in range(8)]
    return document


def wide(sample):
    """From a microsecond to a hundred seconds."""
    document = copy.deepcopy(sample)
    document['trials'] = []
    for index, ns in enumerate((1e3, 1e3, 2e3, 5e4, 1e6, 3e7, 5e8, 1e10, 1e11)):
        trial = copy.deepcopy(sample['trials'][8])
        top = [min(1e11, ns * times) for times in (1, 1.5, 2, 5, 8, 10)]
        trial.update(number=index + 1, rate=100000 * (index + 1), verdict='held' if index < 7 else 'late',
                     latency_ns=dict(zip(('p50', 'p90', 'p99', 'p99.9', 'p99.99', 'max'), top)),
                     histogram=[[value, 10 ** (5 - step)] for step, value in enumerate(top)])
        document['trials'].append(trial)
    return document


def long(sample):
    """Hours in steps of a second, more channels than the page shows."""
    document = copy.deepcopy(sample)
    document['trials'] = document['trials'][11:14]
    for trial in document['trials']:
        second = trial['timeline'][0]
        trial['timeline'] = [dict(second, t=t, outage=t in (1000, 1001, 3600), completed=trial['rate'] * (1 if t % 500 else 0.1),
                                  fill={f'a-channel-with-a-long-name-{channel}': channel / 10 for channel in range(9)})
                             for t in range(5000)]
    return document


def absurd(sample):
    """The right names with wrong types and impossible numbers."""
    return dict(
        sample, goals=[3, 'x', None, {'goal': 5, 'rate': 'many', 'lower': [], 'upper': {}}],
        limits=[7, {'part': 'p', 'utilisation': 1e308, 'headroom': -5, 'rank': 'a'}, {'part': 'q', 'utilisation': -3}],
        trials=[1, None, [], {}, {'rate': 1e308, 'latency_ns': {'p50': 1e300, 'p99': -4}}, {'rate': -5},
                {'rate': 5, 'latency_ns': {'p50': 0, 'p99': 1}, 'utilisation': [3, {'part': 4}],
                 'histogram': [[1], [2, 3, 4], 'x', [5, -1], [1e30, 1e30], [1, 1e17], [2, 1]],
                 'timeline': [1, {'t': -1}, {'t': 1e300}, {'t': 0, 'fill': {'a': 'b', 'c': 4e17}}, {'t': 1e8, 'offered': 9e17}]}],
        scaling={'points': [1, {'workers': -1, 'rate': 4}, {'workers': 60000, 'rate': 1e17}, {'workers': 1, 'rate': 1e-9}],
                 'lambda': 1e17, 'sigma': -5, 'kappa': 1e17, 'error': 50, 'peak_workers': 1e17},
        projection={'machines': -1, 'assumptions': [1, 2, None], 'spare': 1e17, 'headroom': 1e17})


def bend(sample):
    """The latency of an M/M/1 queue: the knee is near its capacity."""
    trials = [{'rate': step * 1000, 'verdict': 'held', 'latency_ns': {'p50': 1e6, 'p99': 1e6 + step if step < 8 else step * 1e8}}
              for step in range(1, 10)]
    return {'trials': trials, 'command': ['penstock', 'plan', 'p99<20ms', "it's", '']}


def flat(sample):
    """A curve without a knee; goals of each kind; the plan was interrupted."""
    goals = [{'loss_max': 0.001, 'rate': 5000, 'status': 'out-of-time'}, {'percentile': 0.999, 'latency_limit_ns': 20e6, 'loss_max': 0},
             {'latency_limit_ns': 1e6},
             {'text': 'as <fast> as it goes'}]
    trials = [{'rate': step * 1000, 'verdict': 'held', 'latency_ns': {'p50': 1e6, 'p99': 1e6 + step * 1e5}} for step in range(1, 10)]
    return {'trials': trials, 'goals': goals, 'interrupted': True, 'subject': {'name': 'a1'}}


def numbers(sample):
    """Each kind of number that the table of trials prints: small, large, at the change of a unit."""
    return {'trials': [
        {'number': 1, 'received': 0, 'latency_ns': {'p50': 0, 'p99': 999, 'p99.9': 1000, 'max': 18.44e6}, 'seconds': 158.4, 'rss_bytes': 999},
        {'number': 2, 'received': 1e17, 'latency_ns': {'p50': 999.9e6, 'p99': 100e9}, 'seconds': 259200, 'rss_bytes': 1099.5e9, 'lost': -1}],
        'limits': [{'part': str(value), 'utilisation': value} for value in (0.97, 0.041, 1e-6)]}


# What the pages say. A narrow no-break space is a plain blank here.
SAYS = {
    'sample': ['quickstart holds 812,000 events/s with no event lost', '✓ found', 'not told: the time was used up', '▼ worse', '✓ met',
               'knee: 700 k/s', '(± 1.0 %)', '96 % sure', 'goal p99: 5 ms', 'peak: 9.6 workers', 'cost of a million events0.000236 EUR',
               'Trial 14: 822,000 events/s, too high (lost)', 'outage', '67.9 TiB for 3 d, copies: 3', 'AMD EPYC 9B14',
               'from the time an event was due', 'a projection, not a measurement', 'worker 0', 'headroom 4.0 %',
               "connections: 1 before, 4 now", "--goal 'p99<5ms'", '25 trials in 2 min 38 s'],
    'zero': ['No goal was measured', 'Not measured: no trial has a latency', 'Not measured: only one number of workers was run',
             'Not measured: no rate was asked for', 'Not measured: no trial was run'],
    'bend': ['knee: 7 k/s', "penstock plan 'p99<20ms' 'it'\\''s' ''"],
    'flat': ['a1 holds about 5,000 events/s with at most 0.1 % lost – not confirmed', 'p99.9 below 20 ms', 'as <fast> as it goes',
             'not told: the plan was interrupted'],
    'numbers': ['unknown–2 min 38 s–0––––0 s999 ns1 µs18.4 ms–999 B', 'unknown–3 d–1.00e+17––––1 s1 min 40 s–––1 TiB',
                '97 %', '4.1 %', '0.0001 %'],
    'hostile': ['<script>alert(1)</script>"\'>&amp;<img src=x onerror=alert(2)>\ufffd\ufffd]]>'],
}
SAYS_NOT = {'sample': ['Not measured'], 'one': ['Required and compared'], 'flat': ['knee: ', 'NaN'], 'hostile': ['\u202e', '\x07'], 'many': ['NaN', 'undefined'],
            'absurd': ['NaN', 'undefined', 'Infinity'], 'empty': ['NaN', 'undefined']}
FIGURES = {'sample': {'latency', 'latency-close', 'percentiles', 'timeline-held', 'timeline-over', 'scaling-curve'}, 'empty': set(), 'zero': set(),
           'wrong': set()}


def variants(path, folder):
    with open(path, encoding='utf-8') as file:
        sample = json.load(file)
    what = {key: sample[key] for key in ('kind', 'version')}
    documents = {
        'sample': sample, 'empty': what, 'zero': dict(sample, trials=[], goals=[], limits=[], scaling=None, projection=None),
        'wrong': dict({key: 'text' if isinstance(value, (list, dict)) else [1, {}] for key, value in sample.items()}, **what),
    }
    for make in (one, many, wide, long, hostile, absurd, bend, flat, numbers):
        documents[make.__name__] = dict(make(sample), **what)
    for name, document in documents.items():
        with open(f'{folder}/{name}.json', 'w', encoding='utf-8') as file:
            json.dump(document, file)


# ---- the markup of a page ----

class Page(html.parser.HTMLParser):
    """Elements are nested correctly and are known ones, references stay inside the page."""
    VOID = {'meta', 'link', 'br', 'hr', 'input', 'img', 'base', 'col', 'embed', 'source', 'track', 'wbr'}
    EMPTY = {'path', 'line', 'rect', 'circle'}
    KNOWN = set('html head meta title link style script body main header footer section article div span p h1 h2 h3 b a code pre time '
                'ol ul li dl dt dd figure table thead tbody tr th td details summary svg g defs pattern text'.split()) | EMPTY

    def __init__(self):
        super().__init__()
        self.open, self.problems, self.ids, self.references = [], [], [], []

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        if tag not in self.KNOWN:
            self.problems.append(f'an element <{tag}>')
        for name, value in attributes:
            self.attribute(tag, name, value or '')
        if tag == 'th' and 'scope' not in named:
            self.problems.append('a <th> without scope')
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def attribute(self, tag, name, value):
        if name == 'id':
            self.ids.append(value)
        elif name in ('href', 'xlink:href'):
            if value.startswith('#'):
                self.references.append(value[1:])
            elif value != 'data:,':
                self.problems.append(f'<{tag} {name}="{value}"> leaves the page')
        elif name in ('aria-labelledby', 'aria-describedby'):
            self.references += value.split()
        elif name == 'src' or name.startswith('on') or name == 'style':
            self.problems.append(f'<{tag} {name}="{value[:60]}">')
        if re.search(r'\bnan\b|\binf\b', value) and name in ('d', 'x', 'y', 'x1', 'y1', 'x2', 'y2', 'width', 'height', 'viewbox'):
            self.problems.append(f'<{tag} {name}="{value[:60]}"> is no number')

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(f'</{tag}> closes something else')


def markup(text):
    page = Page()
    page.feed(text)
    page.close()
    problems = page.problems + [f'<{tag}> is not closed' for tag in page.open]
    problems += [f'id {one} twice' for one in set(page.ids) if page.ids.count(one) > 1]
    return problems + [f'no element has the id {one}' for one in set(page.references) - set(page.ids)]


def static(path):
    with open(path, encoding='utf-8') as file:
        text = file.read()
    with open(path.replace('.html', '.json'), encoding='utf-8') as file:
        document = json.load(file)
    with open(path.replace('.html', '.txt'), encoding='utf-8') as file:
        words = file.read()
    problems = markup(text)
    scripts = re.findall(r'<script([^>]*)>(.*?)</script>', text, re.S)
    if [one[0] for one in scripts] != [' nonce="page"', ' type="application/json" id="result"']:
        problems.append(f'scripts {[one[0] for one in scripts]}')
    elif '<' in scripts[1][1] or json.loads(scripts[1][1]) != document:
        problems.append('the page has not the document')
    shown = re.search(r'<pre>(.*?)</pre></details>', text, re.S)
    if not shown or html.unescape(shown.group(1)) != words:
        problems.append('without scripts it does not say what the text says')
    if "default-src 'none'" not in text.split('</head>')[0]:
        problems.append('it may load something')
    return problems + [f'{one} in the style' for one in re.findall(r'url\((?!#)[^)]*\)|@import', text.split('</style>')[0])]


# ---- rendering in a browser ----

LOOK = '''<script nonce="page">
const page = location.pathname.split('/').pop();
addEventListener('error', event => parent.postMessage({page: page, error: String(event.message)}, '*'));
addEventListener('load', () => {
  const found = {page: page, width: innerWidth, background: getComputedStyle(document.body).backgroundColor, charts: {}, problems: []};
  const wrong = text => { if (found.problems.length < 20) found.problems.push(text); };
  if (document.documentElement.scrollWidth > innerWidth)
    wrong('the page is ' + document.documentElement.scrollWidth + ' pixels wide');
  for (const entry of performance.getEntriesByType('resource')) wrong('it loads ' + entry.name);
  document.querySelectorAll('script').forEach(one => one.remove()); // the document is long
  found.dom = document.documentElement.outerHTML;
  found.text = document.querySelector('main').textContent.replace(/\\s+/g, ' ');
  if (document.getElementById('text').open) wrong('it shows the text');
  const shown = one => { const box = one.getBoundingClientRect(); return box.width > 0 && box.height > 0; };

  for (const figure of document.querySelectorAll('figure.chart')) {
    const pictures = [...figure.querySelectorAll('svg')].filter(shown);
    if (![...figure.querySelectorAll('svg')].every(one => one.firstChild.tagName == 'title' && one.getAttribute('role') == 'img'))
      wrong(figure.id + ' has a picture without title or role');
    if (pictures.length != 1) { wrong(figure.id + ' shows ' + pictures.length + ' pictures'); continue; }
    found.charts[figure.id] = pictures[0].querySelectorAll('.mark, path.series').length;
    const frame = pictures[0].getBoundingClientRect();
    const texts = [...pictures[0].querySelectorAll('text')].map(one => [one.textContent, one.getBoundingClientRect()]);
    texts.forEach(([text, box], index) => {
      if (box.left < frame.left - 1.5 || box.right > frame.right + 1.5 || box.top < frame.top - 1.5 || box.bottom > frame.bottom + 1.5)
        wrong(figure.id + ': "' + text + '" leaves the picture');
      for (const [other, its] of texts.slice(index + 1)) // boxes have three empty pixels above and below the glyphs
        if (box.left + 1 < its.right && its.left + 1 < box.right && box.top + 3 < its.bottom && its.top + 3 < box.bottom)
          wrong(figure.id + ': "' + text + '" overlaps "' + other + '"');
    });
  }

  const light = colour => { // WCAG 2.1: relative luminance
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(one => (one /= 255) <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = one => {
    for (; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (colour != 'rgba(0, 0, 0, 0)') return colour;
    }
    return found.background;
  };
  for (const one of document.querySelectorAll('main *, footer *, summary')) {
    if (![...one.childNodes].some(node => node.nodeType == 3 && node.data.trim()) || !shown(one)) continue;
    const style = getComputedStyle(one), colour = one.closest('svg') ? style.fill : style.color;
    const [low, high] = [light(colour), light(behind(one))].sort((a, b) => a - b);
    if ((high + 0.05) / (low + 0.05) < 4.5) wrong('"' + one.textContent.trim().slice(0, 40) + '" is hard to read: ' + colour + ' on ' + behind(one));
  }
  parent.postMessage(found, '*');
});
</script>'''


def look(chromium, texts, dark):
    """Returns what LOOK reports of each page at each width, and console errors. Frames have the widths: windows have a minimum width.
    One run of the browser shows all pages, because its start takes more of the CPU than the pages."""
    with tempfile.TemporaryDirectory() as folder:
        frames = ''
        for name, text in texts.items():
            with open(f'{folder}/{name}', 'w', encoding='utf-8') as file:
                file.write(text.replace('</head>', LOOK + '</head>', 1))
            frames += ''.join(f'<iframe src="{name}" width="{width}" height="900" frameborder="0"></iframe>' for width in WIDTHS)
        with open(f'{folder}/frames.html', 'w', encoding='utf-8') as file:
            file.write('<!DOCTYPE html><meta name="color-scheme" content="light dark"><pre id="found"></pre><script>addEventListener("message", '
                       'event => document.getElementById("found").append(JSON.stringify(event.data) + "\\n"));</script>' + frames)
        command = [chromium, '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
                   '--disable-background-networking', '--disable-component-update', '--disable-sync', '--hide-scrollbars',
                   '--enable-logging=stderr', f'--user-data-dir={folder}/user', '--window-size=1700,1000',
                   f'--blink-settings=preferredColorScheme={0 if dark else 1}', '--virtual-time-budget=10000', '--dump-dom',
                   f'file://{folder}/frames.html']
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    printed = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.S)
    found = [json.loads(line) for line in html.unescape(printed.group(1)).splitlines()] if printed else []
    console = [line for line in done.stderr.splitlines() if 'CONSOLE' in line and 'source: chrome://' not in line]  # not the browser's own pages
    return found, console


def content(name, view):
    """Problems of what the page says, and of the elements that the script made."""
    name = name.split('.')[0]
    problems = markup(view['dom'])
    problems += [f'it does not say {one!r}' for one in SAYS.get(name, []) if one not in view['text']]
    problems += [f'it says {one!r}' for one in SAYS_NOT.get(name, []) if one in view['text']]
    if name in FIGURES and set(view['charts']) != FIGURES[name]:
        problems.append(f'its figures are {sorted(view["charts"])}')
    return problems


def browser(chromium, paths):
    texts = {}
    for path in paths:
        with open(path, encoding='utf-8') as file:
            texts[path.rsplit('/', 1)[-1]] = file.read()
    problems, backgrounds = [], {}
    for dark in (False, True):
        scheme = 'dark' if dark else 'light'
        shown = {name: text for name, text in texts.items() if not dark or name == 'sample.html'}
        found, console = look(chromium, shown, dark)
        problems += console
        for name in shown:
            mine = [one for one in found if one['page'] == name]
            problems += [f'{name}: {one["error"]}' for one in mine if 'error' in one]
            views = {one['width']: one for one in mine if 'width' in one}
            if sorted(views) != sorted(WIDTHS):
                problems.append(f'{name}: the browser showed widths {sorted(views)}, {scheme}')
                continue
            for width, view in views.items():
                where = f'{name}: {width} pixels, {scheme}: '
                problems += [where + one for one in view['problems'] + content(name, view)]
                problems += [f'{where}{chart} shows no data' for chart, marks in view['charts'].items() if not marks]
                backgrounds[name, dark] = view['background']
    for name in texts:
        if (name, True) in backgrounds and backgrounds.get((name, False)) == backgrounds[name, True]:
            problems.append(f'{name}: light and dark have the same background {backgrounds[name, True]}')
    return problems


def main():
    if sys.argv[1] == 'variants':
        return variants(*sys.argv[2:])
    if sys.argv[1] == 'static':
        problems = [f'{path.rsplit("/", 1)[-1]}: {problem}' for path in sys.argv[2:] for problem in static(path)]
    else:
        problems = browser(sys.argv[2], sys.argv[3:])
    for problem in problems:
        print(problem)
    return sys.exit(1 if problems else 0)


main()
