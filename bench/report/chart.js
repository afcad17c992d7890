/* The script of the page of `penstock plan --report`, which draws the result document in the element #result
 * (docs/PLANNING.md describes it): this file reads the document and has figures, elements, axes and pictures; curves.js
 * draws the figures, page.js fills the page. CMake joins them. The document may come from elsewhere: what it lacks, or
 * has in another type, appears as not measured, and its texts become text nodes, never markup. ES2015 without a library. */
'use strict';

const ITEMS_MAX = 64, TRIALS_MAX = 1000, GOALS_MAX = 12, TEXT_MAX = 2000;

// ---- the document: numbers that are missing or of another type become NaN, texts null, lists empty ----

function member(object, key) {
  const known = object !== null && typeof object === 'object' && Object.prototype.hasOwnProperty.call(object, key);
  return known ? object[key] : null;
}

function number(object, key) {
  const value = member(object, key);
  return typeof value === 'number' && Math.abs(value) <= 1e18 ? value : NaN;
}

// Counts, rates and times below zero are invalid.
function amount(object, key) {
  const value = number(object, key);
  return value >= 0 ? value : NaN;
}

function text(object, key) {
  const value = member(object, key);
  return typeof value === 'string' ? value : null;
}

function list(object, key, most = ITEMS_MAX) {
  const value = member(object, key);
  return Array.isArray(value) ? value.slice(0, most) : [];
}

const isObject = value => value !== null && typeof value === 'object' && !Array.isArray(value);
const largest = values => values.reduce((most, value) => (value > most || isNaN(most) ? value : most), NaN);
const smallest = values => -largest(values.map(value => -value));
// The last of those that `better` does not put behind another.
const best = (items, better) => items.reduce((one, other) => (one && better(one, other) ? one : other), null);
const within = (value, low, high) => Math.max(low, Math.min(value, high));

// One shape for each verdict, in the order of the legend: the path around (0, 0) for a radius.
const VERDICTS = {
  held: ['kept the goal', r => `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`],
  lost: ['lost more than the goal allows', r => `M${-r} ${-r}L${r} ${r}M${r} ${-r}L${-r} ${r}`],
  late: ['later than the goal allows, or a queue that grew',
    r => `M0 ${-r * 1.25}L${r * 1.2} ${r * 0.9}L${-r * 1.2} ${r * 0.9}z`],
  generator: ['the load was not offered: no result for the subject',
    r => `M0 ${-r * 1.3}L${r * 1.3} 0L0 ${r * 1.3}L${-r * 1.3} 0z`],
  failed: ['the trial could not be completed', r => `M${-r} ${-r}h${2 * r}v${2 * r}h${-2 * r}z`],
  untold: ['a first look, or shorter than the pipeline\'s rhythm: no result',
    r => `M${-r} ${-r / 3}h${2 * r}v${2 * r / 3}h${-2 * r}z`],
};

const QUANTILES = {p50: 0.5, p90: 0.9, p99: 0.99, 'p99.9': 0.999, 'p99.99': 0.9999, max: 1};

function trialOf(json) {
  const trial = {json, goal: text(json, 'goal'), word: text(json, 'verdict'), note: text(json, 'note'), latency: {},
    histogram: list(json, 'histogram', Infinity), timeline: list(json, 'timeline', Infinity)};
  for (const key of ['number', 'rate', 'seconds', 'offered', 'achieved_rate', 'received', 'lost', 'duplicated', 'reordered',
    'corrupted', 'cpu_seconds', 'rss_bytes'])
    trial[key] = amount(json, key);
  for (const quantile of Object.keys(QUANTILES))
    trial.latency[quantile] = amount(member(json, 'latency_ns'), quantile);
  trial.verdict = member(VERDICTS, trial.word) ? trial.word : 'failed';
  return trial;
}

function goalOf(json) {
  const goal = {goal: text(json, 'goal'), text: text(json, 'text'), status: text(json, 'status'), note: text(json, 'note')};
  for (const key of ['loss_max', 'percentile', 'latency_limit_ns', 'rate', 'lower', 'upper', 'confidence', 'repeats'])
    goal[key] = amount(json, key);
  goal.percentile *= goal.percentile <= 1 ? 100 : 1;
  goal.words = goalWords(goal);
  goal.told = goal.status !== 'out-of-time';
  goal.atLeast = goal.status === 'above-range' || goal.status === 'generator-limited';
  return goal;
}

// ---- figures for people, as core/quantity.h prints them: a narrow no-break space before the unit ----

const NONE = '–', BLANK = '\u202f';

function threeDigits(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-6 || size >= 1e15))
    return value.toExponential(2);
  return String(Number(value.toFixed(size === 0 ? 0 : within(2 - Math.floor(Math.log10(size) + 1e-9), 0, 9))));
}

// The first unit whose size is at most the value, written [[size, name], ..] from the largest on.
function scaled(value, units) {
  const [size, name] = units.find(unit => Math.abs(value) >= unit[0] * 0.9995) || units[units.length - 1];
  return threeDigits(value / size) + (name && BLANK + name);
}

const measured = print => value => (isFinite(value) ? print(value) : NONE);
const count = measured(value => (Math.abs(value) >= 1e15 ? value.toExponential(2)
  : (Math.round(value) || 0).toLocaleString('en-US')));
const short = measured(value => (Math.abs(value) >= 1e15 ? threeDigits(value)
  : scaled(value, [[1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e3, 'k'], [1, '']])));
const plain = measured(threeDigits);
const bytes = measured(value => scaled(Math.max(value, 0),
  ['EiB', 'PiB', 'TiB', 'GiB', 'MiB', 'KiB', 'B'].map((name, index) => [Math.pow(1024, 6 - index), name])));

const share = measured(value => {
  const percent = Math.abs(value) < 1e-8 ? 0 : value * 100; // a rounding error of a sum counts as 0
  const digits = Math.abs(percent) < 9.95 ? 1 : 0;
  return (Math.abs(percent) < 1 ? threeDigits(percent) : Math.min(percent, 1e12).toFixed(digits)) + BLANK + '%';
});

const seconds = measured(value => {
  if (value <= 0)
    return '0' + BLANK + 's';
  if (value < 59.95)
    return scaled(value * 1e9, [[1e9, 's'], [1e6, 'ms'], [1e3, 'µs'], [1, 'ns']]);
  const two = (whole, name, part, small) => `${whole}${BLANK}${name}` + (part ? ` ${part}${BLANK}${small}` : '');
  const whole = Math.round(value), minutes = Math.round(whole / 60), hours = Math.round(minutes / 60);
  if (whole < 3600)
    return two(Math.floor(whole / 60), 'min', whole % 60, 's');
  return minutes < 1440 ? two(Math.floor(minutes / 60), 'h', minutes % 60, 'min')
    : two(Math.floor(hours / 24), 'd', hours % 24, 'h');
});
const nanoseconds = value => seconds(value / 1e9);
const plural = (number, one) => `${count(number)} ${one}${number === 1 ? '' : 's'}`;

const quantileName = percentile => `p${Number(percentile.toPrecision(6))}`;

function goalWords(goal) {
  if (goal.latency_limit_ns > 0 && goal.percentile > 0)
    return `${quantileName(goal.percentile)} below ${nanoseconds(goal.latency_limit_ns)}`;
  if (goal.loss_max >= 0)
    return goal.loss_max > 0 ? `at most ${share(goal.loss_max)} lost` : 'no event lost';
  return (goal.text || goal.goal || 'goal').slice(0, 60);
}

// ---- elements ----

// Control characters and those that change the direction of text (Unicode's UAX 9) are shown as U+FFFD.
function clean(foreign, most = TEXT_MAX) {
  const shown = foreign.length > most ? foreign.slice(0, most) + '…' : foreign;
  return shown.replace(/[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]/g, '\ufffd');
}

// Appends a list of parts, an element, the attributes of an object, or text; nothing for null, false and ''.
function add(into, part) {
  if (Array.isArray(part))
    part.forEach(one => add(into, one));
  else if (part instanceof Node)
    into.appendChild(part);
  else if (isObject(part))
    Object.keys(part).forEach(name => into.setAttribute(name, part[name]));
  else if (part)
    into.appendChild(document.createTextNode(clean(String(part))));
  return into;
}

// Makes an element from `tag.class.class` and parts as of add().
function make(space, what, parts) {
  const [tag, ...classes] = what.split('.');
  const made = document.createElementNS(space, tag);
  return add(classes.length ? add(made, {class: classes.join(' ')}) : made, parts);
}
const html = (what, ...parts) => make('http://www.w3.org/1999/xhtml', what, parts);
const svg = (what, ...parts) => make('http://www.w3.org/2000/svg', what, parts);

const fill = (id, ...parts) => add(document.getElementById(id), parts);
const missing = why => html('p.missing', `Not measured: ${why}.`);
// Shows these parts in a section or, when there are none, why they were not measured.
const show = (id, parts, why) => add(document.querySelector(`#${id} .content`), parts.length ? parts : missing(why));
const bullets = texts => texts.length > 0 && html('ul.assumptions', texts.map(one => html('li', one)));
const heading = (title, texts) => (texts.length ? [html('h3', title), bullets(texts)] : []);
const texts = (object, key) => list(object, key).filter(one => typeof one === 'string');
const pairs = rows => html('dl.figures', rows.map(([name, ...value]) => html('div', html('dt', name), html('dd', value))));
const mark = (verdict, radius, ...parts) => svg(`path.mark.v-${verdict}`, {d: VERDICTS[verdict][1](radius)}, parts);
const key = verdict => svg('svg.key', {viewBox: '-8 -8 16 16', 'aria-hidden': 'true'},
  svg('g.ink', mark(verdict, 4.5)));

// Columns: [title, print(row), class of the cell or a function of the row]. The first is the head of its row.
function table(title, columns, rows) {
  const kind = (column, row) => (typeof column[2] === 'function' ? column[2](row) : column[2] || '');
  const head = columns.map(column => html('th', {scope: 'col'}, kind(column) && {class: kind(column)}, column[0]));
  const cell = (column, index, row) => html(index ? 'td' : 'th', index ? null : {scope: 'row'},
    kind(column, row) && {class: kind(column, row)}, column[1](row));
  return html('div.scroll', {role: 'region', 'aria-label': title, tabindex: 0}, html('table',
    html('thead', html('tr', head)),
    html('tbody', rows.map(row => html('tr', columns.map((column, index) => cell(column, index, row)))))));
}

// ---- axes: values to positions ----

const axisAt = (axis, value) => {
  const place = axis.log ? Math.log(value / axis.low) / Math.log(axis.high / axis.low)
    : (value - axis.low) / (axis.high - axis.low);
  return axis.from + (place > 0 ? Math.min(place, 1) : 0) * (axis.to - axis.from);
};

// The smallest of 1, 2, 2.5, 5 times a power of ten that is at least `step`.
function roundStep(step) {
  const power = Math.pow(10, Math.floor(Math.log10(step)));
  return power * [1, 2, 2.5, 5, 10].find(factor => factor * power >= step * (1 - 1e-9) || factor === 10);
}

// Covers low to high (0 or more), ends at round numbers and has at most `most` ticks.
function linearAxis(low, high, most, from, to) {
  if (!(high - low > high * 1e-9))
    [low, high] = high > 0 ? [low * 0.9, high * 1.1] : [0, 1];
  for (let step = roundStep((high - low) / (most - 1)); ; step = roundStep(step * 1.01)) {
    const first = Math.floor(low / step + 1e-9), last = Math.ceil(high / step - 1e-9);
    if (last - first >= most) // rounding both ends outwards took one tick too many
      continue;
    const ticks = Array.from({length: last - first + 1}, (_, index) => (first + index) * step);
    return {low: first * step, high: last * step, from, to, ticks};
  }
}

// Ticks at powers of ten, with 2 and 5 between them when there is room. Both ends are above 0.
function logAxis(low, high, most, from, to) {
  low = Math.max(low, high * 1e-15);
  const first = Math.floor(Math.log10(low * 0.6)), last = Math.ceil(Math.log10(high * 1.5));
  let ticks = [];
  for (let power = first; power <= last; power++)
    ticks.push(...[1, 2, 5].map(factor => factor * Math.pow(10, power)));
  const start = ticks.filter(tick => tick <= low * (1 + 1e-9)).pop(), end = ticks.find(tick => tick >= high * (1 - 1e-9));
  ticks = ticks.filter(tick => tick >= start && tick <= (end > start ? end : start * 2.5));
  if (ticks.length > most) {
    const stride = Math.ceil((last - first + 1) / most);
    ticks = [];
    for (let power = first; power - stride < last; power += stride)
      ticks.push(Math.pow(10, power));
  }
  return {log: true, low: ticks[0], high: ticks[ticks.length - 1], from, to, ticks};
}

// ---- pictures ----

const WIDE = 800, NARROW = 340, TEXT = 13;
const ruler = document.createElement('canvas').getContext('2d'), FONT = getComputedStyle(document.body).fontFamily;

function widthOf(words, strong) {
  ruler.font = `${strong ? '650 ' : ''}${TEXT}px ${FONT}`;
  return ruler.measureText(words).width * 1.04;
}

// As much of a text as fits, with "…" when it was cut, between characters.
function cut(words, width, strong) {
  const letters = Array.from(clean(words)).slice(0, 200);
  if (widthOf(words, strong) <= width)
    return words;
  while (letters.length && widthOf(letters.join('') + '…', strong) > width)
    letters.pop();
  return letters.join('') + '…';
}

// Moves positions down, then up, until they are `gap` away from each other; keeps their order.
function spread(places, gap, low, high) {
  const order = places.map((place, index) => index).sort((a, b) => places[a] - places[b] || a - b);
  const moved = places.slice();
  let limit = low;
  for (const index of order) {
    moved[index] = Math.max(moved[index], limit);
    limit = moved[index] + gap;
  }
  limit = high;
  for (const index of order.reverse()) {
    moved[index] = Math.min(moved[index], limit);
    limit = moved[index] - gap;
  }
  return moved;
}

// Colours, fonts and line styles are classes of the style. A plot is {left, top, right, bottom}.
class Picture {
  constructor(width, height) {
    Object.assign(this, {width, height, narrow: width === NARROW});
    this.element = svg(this.narrow ? 'svg.narrow' : 'svg.wide', {viewBox: `0 0 ${width} ${height}`, role: 'img'});
  }

  line(x1, y1, x2, y2, classes) {
    add(this.element, svg(`line.${classes}`, {x1, y1, x2, y2}));
  }

  path(points, classes) {
    if (points.length)
      add(this.element, svg(`path.${classes}`,
        {d: 'M' + points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join('L')}));
  }

  mark(verdict, x, y, radius, classes, tip) {
    add(this.element, svg(`g.${classes}`, {transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`},
      mark(verdict, radius, tip && svg('title', tip))));
  }

  text(x, y, anchor, classes, words) {
    add(this.element, svg(`text.${classes}`, {x, y, 'text-anchor': anchor}, words));
  }

  // A text around x, moved to stay inside the picture.
  label(x, y, classes, words) {
    const strong = classes.includes('strong'), shown = cut(words, this.width - 8, strong), half = widthOf(shown, strong) / 2;
    this.text(within(x, half, this.width - half), y, 'middle', classes, shown);
  }

  // Without a title: grid lines only. Leaves out labels that would touch their neighbour.
  axisBottom(plot, axis, print, title) {
    let behind = -Infinity; // right edge of the last label
    this.line(plot.left, plot.bottom, plot.right, plot.bottom, 'base');
    for (const tick of axis.ticks) {
      const x = axisAt(axis, tick), half = widthOf(print(tick)) / 2, middle = Math.min(x, this.width - half);
      this.line(x, plot.top, x, plot.bottom, 'grid');
      if (!title || middle - half < behind + 4)
        continue;
      this.text(middle, plot.bottom + 18, 'middle', 'tick', print(tick));
      behind = middle + half;
    }
    if (title)
      this.label((plot.left + plot.right) / 2, plot.bottom + 37, 'axis', title);
  }

  axisLeft(plot, axis, print) {
    let above = Infinity;
    for (const tick of axis.ticks) {
      const y = axisAt(axis, tick);
      this.line(plot.left, y, plot.right, y, 'grid');
      if (y + TEXT > above)
        continue;
      this.text(plot.left - 8, y + 4, 'end', 'tick', print(tick));
      above = y;
    }
  }

  // Labels right of the plot, [y, class, words] each, for the ends of its lines; a thin line leads to one that moved.
  labelsRight(plot, labels) {
    const places = spread(labels.map(label => label[0]), TEXT * 1.3, plot.top + 2, this.height - TEXT / 2);
    labels.forEach(([end, classes, words], index) => {
      const x = plot.right + 4, y = places[index];
      if (Math.abs(y - end) > 3)
        this.line(x, end, x + 8, y, 'leader');
      this.line(x + 9, y, x + 25, y, `series.${classes}`);
      this.text(x + 30, y + 4.5, 'start', 'label', cut(words, this.width - x - 30));
    });
  }
}

const roomOf = (axis, print) => Math.max(...axis.ticks.map(tick => widthOf(print(tick)))) + 8;

// Draws the picture twice; the style shows the one that fits the screen, with text of the same size.
function figure(id, title, [wideHeight, narrowHeight], draw) {
  const pictures = [new Picture(WIDE, wideHeight), new Picture(NARROW, narrowHeight)];
  for (const picture of pictures) {
    add(picture.element, svg('title', title));
    draw(picture);
  }
  return html('figure.chart', {id}, pictures.map(picture => picture.element));
}
