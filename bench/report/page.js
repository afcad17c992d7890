// Fills the page. See chart.js.

// ---- the head: what was measured, the answers in large type, what limits the subject, the command ----

const STATUSES = {
  'found': ['good', '✓', 'found'],
  'below-range': ['bad', '✕', 'not held even at the lowest rate tried'],
  'above-range': ['warn', '▲', 'held even at the highest rate tried: the true figure is higher'],
  'out-of-time': ['warn', '◷', 'not told: the time was used up before both ends were confirmed'],
  'generator-limited': ['warn', '▲', 'above it the generator was too late to tell: the true figure is higher'],
  'failed': ['bad', '✕', 'trials failed'],
};

function runWords(report) {
  const date = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d).*?(Z?)$/.exec(report.started);
  const time = number(report.json, 'seconds');
  return [date ? html('time', `${date[1]} ${date[2]}${date[3] && ' UTC'}`) : report.started || 'date not known',
    time > 0 && ` · ${plural(report.trials.length + report.trialsLeftOut, 'trial')} in ${seconds(time)}`,
    report.interrupted && ' · interrupted'];
}

function headline({answer, goals, subject}) {
  const name = text(subject, 'name');
  if (!answer)
    return goals.length ? `No rate was found that ${name || 'the subject'} holds` : 'No goal was measured';
  return [name || 'The subject', ' holds ', answer.atLeast ? 'at least ' : answer.told ? '' : 'about ',
    html('span.nobreak', `${count(answer.rate)} events/s`), ` with ${answer.words}`, !answer.told && ' – not confirmed'];
}

function subjectWords(subject, load) {
  const said = (before, key, tag = 'code') => text(subject, key) && [before, html(tag, text(subject, key))];
  const format = text(load, 'format'), shape = text(load, 'shape');
  const size = number(load, 'size_bytes'), connections = number(load, 'connections');
  const loadWords = ['. Load: ', format && `${format} `, 'events', size > 0 && ` of ${count(size)} bytes`,
    connections > 0 && ` over ${plural(connections, 'connection')}`,
    shape && `, ${shape} ${shape === 'constant' ? 'rate' : 'shape'}`, ', open loop'];
  return [text(subject, 'kind') === 'foreign' ? 'System' : 'Agent', said(' ', 'name', 'b'), said(' of ', 'file'),
    said(', fed at ', 'target'), said(', read back from ', 'from'),
    text(subject, 'brokers') === 'embedded' ? ', into the embedded broker' : said(', brokers ', 'brokers'),
    (format || size > 0) && loadWords, '.'];
}

const unit = words => html('span.unit', words);
const status = (kind, sign, words) => html(`p.status.${kind}`, sign && html('span', {'aria-hidden': 'true'}, sign), ` ${words}`);
const PROJECTED = status.bind(null, 'warn', '◇', 'a projection, not a measurement');

function answerCard(goal, index, interrupted) {
  const {rate, lower, upper, told, confidence} = goal, half = (upper - lower) / 2;
  const sure = told && confidence > 0 && // never "100 % sure"; what was not told has no certainty next to it
    `${Math.min(confidence * 100, 99.9).toFixed(confidence > 0.985 ? 1 : 0)}${BLANK}% sure`;
  const trials = goal.repeats > 0 && `${plural(goal.repeats, 'full trial')} at each end`;
  const [kind, sign, meaning] = member(STATUSES, goal.status) || ['warn', '', goal.status || 'status unknown'];
  return html(index ? 'article.answer-card' : 'article.answer-card.first',
    html('h2', goal.words),
    html('p.big', goal.atLeast && rate > 0 && [unit('at least'), ' '], rate > 0 ? count(rate) : NONE, ' ',
      unit(rate > 0 ? 'events/s' : 'no rate')),
    half >= 0 && html('p.interval-text', `${count(lower)} – ${count(upper)} `,
      told && half < rate / 2 && html('span.quiet.nobreak', `(± ${(half / rate * 100).toFixed(1)}${BLANK}%)`)),
    html('p.quiet', goal.latency_limit_ns > 0 && goal.loss_max === 0 && 'and no event lost; ',
      [sure, trials].filter(Boolean).join(', ') || 'confidence not known'),
    status(kind, sign, interrupted && !told ? meaning.replace('the time was used up', 'the plan was interrupted') : meaning),
    goal.note && html('p.note', goal.note));
}

function projectionCard(projection) {
  const machines = number(projection, 'machines'), spare = number(projection, 'spare');
  const headroom = number(projection, 'headroom');
  return machines > 0 && html('article.answer-card.projected',
    html('h2', `for ${count(number(projection, 'asked_rate'))} events/s`),
    html('p.big', member(projection, 'machines_at_most') === true && [unit('at most'), ' '], count(machines), ' ',
      unit(machines === 1 ? 'machine' : 'machines')),
    html('p.quiet', [spare >= 0 && `${count(spare)} of them spare`, headroom >= 0 && `${share(headroom)} headroom`]
      .filter(Boolean).join(', ')),
    PROJECTED(), html('p.note', html('a', {href: '#projection'}, 'What it assumes')));
}

// So that a shell reads the argument back unchanged.
const quoted = argument => (/^[\w\-+=./,:@%^]+$/.test(argument) ? argument : `'${argument.replace(/'/g, '\'\\\'\'')}'`);

function drawHead(report) {
  const {projection, limits} = report, name = text(report.subject, 'name');
  const limit = text(limits[0], 'text') || text(limits[0], 'part');
  const command = list(report.json, 'command', 256).filter(one => typeof one === 'string');
  document.title = `Capacity of ${clean(name || 'a pipeline')} – penstock plan`;
  fill('run', runWords(report));
  fill('headline', headline(report));
  fill('subject', subjectWords(report.subject, member(report.json, 'load')));
  fill('answers', report.goals.map((goal, index) => answerCard(goal, index, report.interrupted)), projectionCard(projection));
  fill('limit', limit && html('p.limit', html('b', 'What limits it:'), ` ${limit}.`));
  fill('command', command.length ? html('pre', html('code', command.map((one, index) => (index ? ' ' : '') + quoted(one))))
    : missing('the command was not kept'));
  fill('version', text(report.json, 'penstock'));
}

// ---- required and compared: the verdicts of --require and --compare ----

const SIGNS = {'met': ['good', '✓'], 'missed': ['bad', '✕'], 'not-shown': ['warn', '◷'], 'same': ['good', '='],
  'better': ['good', '▲'], 'worse': ['bad', '▼'], 'unknown': ['warn', '◷']};

function drawVerdicts({json}) {
  const comparison = member(json, 'comparison');
  const requirements = list(json, 'requirements'), figures = list(comparison, 'figures');
  const verdict = item => {
    const word = text(item, 'verdict'), [kind, sign] = member(SIGNS, word) || [];
    return kind ? html(`span.status.${kind}`, html('span', {'aria-hidden': 'true'}, sign), ` ${word}`) : word || NONE;
  };
  const verdicts = (key, items) => table(key, [[key, item => text(item, key)], ['verdict', verdict],
    ['why', item => text(item, 'text')]], items);
  if (requirements.length || figures.length)
    show('verdicts', [requirements.length && verdicts('requirement', requirements),
      figures.length && [html('p', 'Compared with ', html('code', text(comparison, 'with')), ', measured ',
        text(comparison, 'started'), ' with penstock ', text(comparison, 'penstock'), '.'),
      verdicts('figure', figures), heading('Not the same in both', texts(comparison, 'differences'))]]);
  else
    document.getElementById('verdicts').remove();
}

// ---- what limits it: how busy each part was at the answer, in the order in which the parts saturate ----

function limitItem(part) {
  const {used, headroom, words, full} = part, kind = used >= 0.9 ? 'busy' : used >= 0.7 ? 'tight' : 'calm';
  return html(`li.${kind}`,
    html('div.part', html('b', part.name), part.of && html('span.quiet', `of its ${part.of}`), html('span.used', share(used)),
      isFinite(headroom) && html('span.quiet', `headroom ${share(Math.max(headroom, 0))}`)),
    isFinite(used) && svg('svg.bar', {viewBox: '0 0 100 6', preserveAspectRatio: 'none', 'aria-hidden': 'true'},
      svg('rect.track', {width: 100, height: 6}), svg('rect.fill.mark', {width: Math.min(used, 1) * 100, height: 6})),
    words ? html('p.quiet', words) : full > 0 && html('p.quiet', `full at about ${count(full)} events/s`));
}

function drawLimits({limits, answer, held}) {
  const trial = held(answer ? answer.rate : Infinity), ranked = limits.length > 0;
  const parts = (ranked ? limits : trial ? list(trial.json, 'utilisation') : []).map(json => {
    const used = amount(json, ranked ? 'utilisation' : 'value');
    return {used, name: text(json, 'part'), of: text(json, 'of'), words: text(json, 'text'), full: number(json, 'saturates_at'),
      headroom: ranked ? number(json, 'headroom') : 1 - used, rank: ranked && number(json, 'rank') || 0};
  }).filter(part => part.name).sort((a, b) => a.rank - b.rank || b.used - a.used || 0);
  const shown = parts.filter((part, index) => index < 3 || !(part.used < 0.01)).slice(0, 8); // the next limits are of interest
  const more = parts.length - shown.length;
  show('limits', shown.length ? [html('ol.parts', shown.map(limitItem)), more > 0 && html('p.note',
    `${count(more)} more ${more === 1 ? 'part, less busy, is' : 'parts, less busy, are'} in the result document.`)] : [],
  'the subject\'s own figures were not read (a foreign system shows none)');
}

// ---- how many machines, every trial, the machine ----

function projectionFigures(json) {
  const at = key => number(json, key), quiet = words => html('span.quiet', ` ${words}`);
  const cost = member(json, 'cost'), currency = text(cost, 'currency') || '';
  const costs = [['the machines', 'per_hour', 'an hour'], ['the machines', 'per_month', 'a month'],
    ['a million events', 'per_million_events', 'at the rate asked for']];
  const money = sum => `${sum >= 1000 ? count(sum) : plain(sum)} ${currency}`;
  return pairs([
    ['asked for', `${count(at('asked_rate'))} events/s`],
    ['event size', `${count(at('size_bytes'))} bytes`],
    [member(json, 'machines_at_most') === true ? 'machines, at most' : 'machines', count(at('machines')),
      at('spare') >= 0 && quiet(`${count(at('spare'))} may be down`)],
    ['counted on each', `${count(at('machine_rate'))} events/s`],
    ['workers on each', count(at('workers_per_machine'))],
    ['headroom kept', share(at('headroom'))],
    ['brokers', count(at('brokers'))],
    ['Kafka partitions', count(at('partitions'))],
    ['disk on each broker', bytes(at('disk_bytes_per_broker')), at('retention_s') > 0 &&
      quiet(`for ${seconds(at('retention_s'))}` + (at('replication') > 0 ? `, copies: ${count(at('replication'))}` : ''))],
    ...costs.filter(([, key]) => number(cost, key) > 0).map(([what, key, words]) =>
      [`cost of ${what}`, money(number(cost, key)), quiet(words)]),
    ['error of the measurement', share(at('error'))]]);
}

function drawProjection({projection}) {
  const assumptions = texts(projection, 'assumptions');
  const assumed = assumptions.length ? heading('It assumes', assumptions) : missing('its assumptions were not kept');
  show('projection', isObject(projection) && Object.keys(projection).length
    ? [html('div.projection', PROJECTED(), projectionFigures(projection), assumed)] : [],
  'no rate was asked for (ask with --machines-for RATE)');
}

const TRIAL_COLUMNS = [
  ['trial', trial => count(trial.number), 'n'], ['asked, 1/s', trial => count(trial.rate), 'n'],
  ['verdict', trial => [key(trial.verdict), trial.word || 'unknown'], 'verdict'], ['goal', trial => trial.goal || NONE],
  ['time', trial => seconds(trial.seconds), 'n'], ['achieved, 1/s', trial => count(trial.achieved_rate), 'n'],
  ['received', trial => count(trial.received), 'n'],
  // These should be 0; anything else is highlighted.
  ...[['lost', 'lost'], ['doubled', 'duplicated'], ['reordered', 'reordered'], ['changed', 'corrupted']].map(([title, name]) =>
    [title, trial => count(trial[name]), trial => (trial && trial[name] > 0 ? 'n fault' : 'n')]),
  ...['p50', 'p99', 'p99.9', 'max'].map(name => [name, trial => nanoseconds(trial.latency[name]), 'n']),
  ['CPU time', trial => seconds(trial.cpu_seconds), 'n'], ['memory', trial => bytes(trial.rss_bytes), 'n']];

function drawTrials({trials, trialsLeftOut}) {
  const notes = trials.filter(trial => trial.note).slice(0, ITEMS_MAX)
    .map(trial => `Trial ${count(trial.number)}: ${trial.note}`);
  show('trials', trials.length ? [table('Table of trials', TRIAL_COLUMNS, trials), bullets(notes),
    trialsLeftOut > 0 && html('p.note', `${count(trialsLeftOut)} more trials are in the result document.`)] : [],
  'no trial was run');
}

function drawMachine({json}) {
  const machine = member(json, 'machine'), seed = number(json, 'seed');
  const known = {cpu: 'processor', cpus: 'CPUs', memory_bytes: 'memory', os: 'system', kernel: 'kernel', librdkafka: 'librdkafka',
    hyperscan: 'Hyperscan'};
  const value = name => text(machine, name) || (name === 'memory_bytes' ? bytes : count)(number(machine, name));
  const others = isObject(machine) ? Object.keys(machine).filter(name => !member(known, name) &&
    ['string', 'number'].indexOf(typeof machine[name]) >= 0).slice(0, ITEMS_MAX) : [];
  const names = Object.keys(known).concat(others);
  show('machine', [pairs(names.map(name => [member(known, name) || name, value(name)]).concat([
    ['penstock', text(json, 'penstock') || NONE], ['seed of the load', isFinite(seed) ? seed.toFixed(0) : NONE]])),
  ...heading('Further assumptions', texts(json, 'assumptions'))]);
}

// ---- the page ----

function reportOf(json) {
  const all = list(json, 'trials', Infinity), trials = all.slice(0, TRIALS_MAX).filter(isObject).map(trialOf);
  const goals = list(json, 'goals', GOALS_MAX).filter(isObject).map(goalOf);
  return {json, trials, goals, trialsLeftOut: Math.max(all.length - TRIALS_MAX, 0), answer: goals.find(goal => goal.rate > 0),
    subject: member(json, 'subject'), projection: member(json, 'projection'), limits: list(json, 'limits'),
    started: text(json, 'started'), interrupted: member(json, 'interrupted') === true,
    // The held trial with the highest rate up to `rate` (plus one percent); the latest of several.
    held: rate => best(trials.filter(trial => trial.verdict === 'held' && trial.rate <= rate * 1.01),
      (a, b) => a.rate > b.rate)};
}

document.addEventListener('DOMContentLoaded', () => {
  const report = reportOf(JSON.parse(document.getElementById('result').textContent));
  for (const draw of [drawHead, drawVerdicts, drawLatencies, drawPercentiles, drawTimeline, drawLimits, drawScalings,
    drawProjection, drawTrials, drawMachine])
    draw(report);
  const words = document.getElementById('text');
  words.lastElementChild.textContent = clean(words.lastElementChild.textContent, Infinity);
  words.open = false;
  document.querySelectorAll('[hidden]').forEach(element => element.removeAttribute('hidden'));
});
