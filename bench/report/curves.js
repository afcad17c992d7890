// The figures of curves: each chooses its trials, reads them and draws them. See chart.js.

// ---- latency over offered rate: a point for each trial, a line through the median of those at the same rate ----

const CURVES = [['p50', 's3'], ['p99', 's1'], ['p99.9', 's2']];
const ROW = 27; // height of an answer above the plot: its label, and its interval below that

function median(values) {
  const sorted = values.filter(value => value > 0).sort((a, b) => a - b), middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// Joins trials of about the same rate into one point; those that the generator could not offer are ignored.
function pointsOf(trials, near) {
  const groups = [];
  for (const trial of trials.filter(one => one.verdict !== 'generator')) {
    if (!groups.length || trial.rate > groups[groups.length - 1][0].rate + near)
      groups.push([]);
    groups[groups.length - 1].push(trial);
  }
  return groups.map(group => Object.assign({rate: group[0].rate},
    ...CURVES.map(([quantile]) => ({[quantile]: median(group.map(trial => trial.latency[quantile]))}))));
}

/* Finds the point where the curve of p99 is farthest below the chord from its first to its last point, on the axes as
 * drawn (Satopää and others, "Finding a kneedle in a haystack", 2011). Only for a curve that rises by more than half a
 * decade. */
function kneeOf(points) {
  const first = points[0], last = points[points.length - 1];
  const rise = last && Math.log10(last.p99 / first.p99), width = last && last.rate - first.rate;
  let knee = null, farthest = 0.1;
  if (points.length < 4 || !(rise > 0.5) || !(width > 0))
    return knee;
  for (const point of points.slice(1, -1)) {
    const below = (point.rate - first.rate) / width - Math.log10(point.p99 / first.p99) / rise;
    if (below > farthest)
      [knee, farthest] = [point, below];
  }
  return knee;
}

// The trials with rates in this range, their points and the ends of both axes; null without a trial.
function latencyOf(report, from, to, whole) {
  const latencies = trial => CURVES.map(([quantile]) => trial.latency[quantile]).filter(ns => ns > 0);
  const all = report.trials.filter(one => one.rate > 0 && latencies(one).length && one.rate >= from && one.rate <= to);
  const told = all.filter(one => one.verdict !== 'untold'), rates = told.map(one => one.rate);
  const offered = told.filter(one => one.verdict !== 'generator').map(one => one.rate);
  const low = smallest(rates), high = largest(offered.length ? offered : rates);
  const trials = all.filter(one => one.rate <= high).sort((a, b) => a.rate - b.rate);
  const limits = report.goals.map(goal => goal.latency_limit_ns).filter(ns => ns > 0);
  const shown = [].concat(limits, ...trials.map(latencies));
  const points = pointsOf(trials, (whole ? high : high - low) / 150);
  return trials.length > 0 && {report, trials, points, low, high, beyond: all.length - trials.length,
    heights: [420, 380].map(height => height + report.goals.length * ROW / 2),
    lowest: smallest(shown), highest: largest(shown), knee: whole ? kneeOf(points) : null};
}

// The rates found, one row above the plot each: a label, the interval as a bracket, and a line down to the axis.
function drawAnswers(picture, goals, plot, rates) {
  const rows = goals.filter(goal => goal.rate >= rates.low && goal.rate <= rates.high)
    .map((goal, index) => ({goal, x: axisAt(rates, goal.rate), y: plot.top - 6 - index * ROW}));
  for (const {goal: {lower, upper}, x, y} of rows) {
    picture.line(x, y, x, plot.bottom, 'answer');
    if (upper >= lower) {
      const ends = [lower, upper].map(end => axisAt(rates, end));
      picture.line(ends[0], y, ends[1], y, 'bracket');
      ends.forEach(end => picture.line(end, y - 3, end, y + 3, 'bracket'));
    }
    picture.mark('generator', x, y, 3, 'ink');
  }
  for (const {goal: {rate, words}, x, y} of rows)
    picture.label(x, y - 9, 'label.strong', `${words}: ${short(rate)}/s`);
}

function drawLatency(picture, {report, trials, points, low, high, lowest, highest, knee}) {
  const answers = report.goals.filter(goal => goal.rate > 0);
  const plot = {top: 34 + answers.length * ROW, right: picture.width - (picture.narrow ? 98 : 136), bottom: picture.height - 44};
  const latencies = logAxis(lowest, highest, 10, plot.bottom, plot.top);
  plot.left = roomOf(latencies, nanoseconds);
  const rates = linearAxis(low > high / 2 ? low : 0, high, picture.narrow ? 5 : 9, plot.left, plot.right);
  picture.axisBottom(plot, rates, short, 'offered rate, events per second');
  picture.axisLeft(plot, latencies, nanoseconds);
  picture.text(0, 13, 'start', 'axis', 'latency from the time an event was due');
  drawAnswers(picture, answers, plot, rates);
  const labels = [], limits = {};
  for (const [quantile, classes] of CURVES) {
    const known = points.filter(point => point[quantile] > 0);
    const at = known.map(point => [axisAt(rates, point.rate), axisAt(latencies, point[quantile])]);
    picture.path(at, `series.${classes}`);
    at.slice(-1).forEach(end => labels.push([end[1], classes, quantile]));
    for (const trial of trials.filter(one => one.latency[quantile] > 0))
      picture.mark(trial.verdict, axisAt(rates, trial.rate), axisAt(latencies, trial.latency[quantile]),
        trials.length > 60 ? 3 : 4.5, classes, `trial ${count(trial.number)}: ${count(trial.rate)} events/s, ${quantile} ` +
        `${nanoseconds(trial.latency[quantile])}, ${trial.verdict}`);
  }
  for (const {latency_limit_ns: limit, percentile} of report.goals)
    if (limit > 0 && percentile > 0)
      limits[`goal ${quantileName(percentile)}` + (picture.narrow ? '' : `: ${nanoseconds(limit)}`)] = axisAt(latencies, limit);
  for (const words of Object.keys(limits)) {
    picture.line(plot.left, limits[words], plot.right, limits[words], 'goal');
    labels.push([limits[words], 'goal', words]);
  }
  picture.labelsRight(plot, labels);
  if (knee) {
    const x = axisAt(rates, knee.rate), y = axisAt(latencies, knee.p99);
    add(picture.element, svg('circle.ring', {cx: x, cy: y, r: 10}));
    picture.label(x, y + 25 < plot.bottom ? y + 25 : y - 16, 'label', `knee: ${short(knee.rate)}/s`);
  }
}

// A close-up where the answers are so near together that the whole chart has no room for the trials around them.
function closeUpOf(report) {
  const found = report.goals.filter(goal => goal.rate > 0);
  const low = smallest(found.map(goal => (goal.lower > 0 ? Math.min(goal.lower, goal.rate) : goal.rate)));
  const high = largest([].concat(...found.map(goal => [goal.upper, goal.rate])));
  const widest = largest(report.trials.filter(one => one.verdict !== 'generator').map(one => one.rate));
  if (!((high - low) * 6 < widest && high * 1.02 - low * 0.98 < widest / 3))
    return null;
  const data = latencyOf(report, low * 0.98, high * 1.02, false);
  return data && data.trials.length >= 5 && data;
}

function drawLatencies(report) {
  const data = latencyOf(report, 0, Infinity, true), close = closeUpOf(report), parts = [];
  if (data) {
    const present = Object.keys(VERDICTS).filter(verdict => data.trials.some(one => one.verdict === verdict));
    parts.push(figure('latency', 'Latency over offered rate', data.heights, picture => drawLatency(picture, data)),
      html('ul.legend', {'aria-label': 'Verdicts of trials'}, present.map(verdict => html('li', key(verdict),
        html('span', html('b', verdict), ` ${VERDICTS[verdict][0]}`)))),
      data.beyond > 0 && html('p.note',
        `${plural(data.beyond, 'trial')} at higher rates not shown: the generator could not offer them.`));
  }
  if (close)
    parts.push(html('h3', 'Close to the answer'), figure('latency-close', 'Close to the answer', close.heights,
      picture => drawLatency(picture, close)));
  show('throughput-latency', parts, 'no trial has a latency');
}

/* ---- latency by percentile as in HdrHistogram's plots: x is 1/(1 - percentile) on a logarithmic axis, so 90 %, 99 %,
 * 99.9 % are equally far apart and the tail is visible ---- */

const NINES_MAX = 7;
const ninesOf = part => (part < 1 ? Math.min(-Math.log10(1 - part), NINES_MAX) : NINES_MAX);
const printNines = nines => {
  const percent = (100 * (1 - Math.pow(10, -nines))).toFixed(Math.max(0, Math.floor(nines - 1.5)));
  return (nines < 0.5 ? '0' : percent) + BLANK + '%';
};

// Points [nines, ns] of a histogram.
function histogramPoints(histogram) {
  const buckets = histogram.filter(pair => amount(pair, 0) >= 0 && amount(pair, 1) > 0)
    .map(pair => [Math.max(pair[0], 1), pair[1]]).sort((a, b) => a[0] - b[0]);
  const total = buckets.reduce((sum, pair) => sum + pair[1], 0), most = within(Math.log10(total), 0.5, NINES_MAX);
  let before = 0;
  const points = buckets.map(([ns, times]) => [Math.min(ninesOf((before += times) / total), most), ns]);
  return points.length ? [[0, points[0][1]], ...points] : [];
}

// Without a histogram: the percentiles of the document.
function quantilePoints(trial) {
  const most = within(Math.log10(Math.max(trial.received, 10) || 10), 4.1, NINES_MAX);
  return Object.keys(QUANTILES).filter(name => trial.latency[name] > 0)
    .map(name => [Math.min(ninesOf(QUANTILES[name]), most), trial.latency[name]]);
}

const byRate = (a, b) => a.rate - b.rate;
const isUsable = trial => trial.rate > 0 && trial.verdict !== 'generator' && trial.verdict !== 'untold' &&
  (trial.histogram.length > 0 || trial.latency.p50 > 0);
// About half of the answer, nine tenths of it, the answer, and the first rate that was too high: [trial, class].
function chooseTrials({trials, answer, held}) {
  const usable = trials.filter(isUsable), rate = answer ? answer.rate : largest(usable.map(trial => trial.rate));
  const distance = (trial, wanted) => Math.abs(Math.log(trial.rate / wanted));
  const nearest = wanted => best(usable, (a, b) => distance(a, wanted) < distance(b, wanted));
  const higher = usable.filter(trial => trial.verdict !== 'held' && trial.rate > rate * 1.001).sort(byRate);
  const top = held(rate), wanted = [top && isUsable(top) ? top : nearest(rate),
    higher.find(trial => answer && answer.goal === trial.goal) || higher[0],
    ...[0.5, 0.9, 0.7, 0.3, 1.5].map(part => nearest(rate * part))];
  for (const trial of usable) {
    const points = histogramPoints(trial.histogram);
    trial.points = points.length > 2 ? points : quantilePoints(trial);
  }
  const chosen = wanted.filter((trial, index) => trial && trial.points.length >= 2 && wanted.indexOf(trial) === index)
    .slice(0, 4);
  return chosen.map((trial, index) => [trial, ['s1', 's2', 's3', 's5'][index]]).sort((a, b) => byRate(a[0], b[0]));
}

function drawPercentile(picture, series) {
  const plot = {top: 34, right: picture.width - (picture.narrow ? 92 : 150), bottom: picture.height - 44};
  const all = [].concat(...series.map(([trial]) => trial.points));
  const times = all.map(point => point[1]);
  const latencies = logAxis(smallest(times), largest(times), 10, plot.bottom, plot.top);
  plot.left = roomOf(latencies, nanoseconds);
  const high = Math.max(1, largest(all.map(point => point[0])));
  const ticks = Array.from({length: Math.floor(high) + 1}, (_, nines) => nines);
  const nines = {low: 0, high, from: plot.left, to: plot.right, ticks};
  picture.axisBottom(plot, nines, printNines, 'share of events');
  picture.axisLeft(plot, latencies, nanoseconds);
  picture.text(0, 13, 'start', 'axis', cut('latency that this share of events stays within', picture.width));
  for (const [{points, rate, verdict}, classes] of series) {
    picture.path(points.map(point => [axisAt(nines, point[0]), axisAt(latencies, point[1])]), `series.${classes}`);
    for (const whole of nines.ticks.slice(1)) { // a mark at each tick; its tool tip gives the value
      const index = points.findIndex(point => point[0] >= whole), [after, before] = [points[index], points[index - 1]];
      if (index < 1)
        continue;
      const ns = before[1] * Math.pow(after[1] / before[1], (whole - before[0]) / (after[0] - before[0]));
      picture.mark(verdict, axisAt(nines, whole), axisAt(latencies, ns), 3.5, classes,
        `${count(rate)} events/s: ${printNines(whole)} within ${nanoseconds(ns)}`);
    }
  }
  picture.labelsRight(plot, series.map(([{points, rate, verdict}, classes]) =>
    [axisAt(latencies, points[points.length - 1][1]), classes, `${short(rate)}/s${picture.narrow ? '' : ` ${verdict}`}`]));
}

function drawPercentiles(report) {
  const series = chooseTrials(report);
  show('latency-percentiles', series.length ? [figure('percentiles', 'Latency by percentile', [400, 360],
    picture => drawPercentile(picture, series))] : [], 'no trial has a latency histogram or percentiles');
}

// ---- second by second: rates, backlog, fill and latency of a trial, one above the other on one time axis ----

const COLUMNS_MAX = 400, FILLS_MAX = 6, PANEL_TITLE = 30, PANEL_GAP = 16;

// Columns {from, to, samples} by time, at most COLUMNS_MAX, without those after the end of the load.
function columnsOf(trial) {
  const at = sample => number(sample, 't');
  const isOver = json => ['offered', 'completed'].every(key => isNaN(number(json, key))) && !(number(json, 'received') > 0);
  const all = trial.timeline.filter(json => at(json) >= 0 && at(json) < 1e9).sort((a, b) => at(a) - at(b));
  while (all.length > 1 && isOver(all[all.length - 1]))
    all.pop();
  const size = Math.floor(all.length / COLUMNS_MAX) + 1, columns = [];
  for (let samples = all.splice(0, size); samples.length; samples = all.splice(0, size))
    columns.push({samples, from: columns.length ? columns[columns.length - 1].to : 0, to: at(samples[samples.length - 1])});
  if (columns.length > 1)
    columns[0].from = Math.max(2 * columns[0].to - columns[1].to, 0);
  return columns;
}

// The panels with their lines that have a value: [name, class, a value for each column].
function panelsOf(columns) {
  // A mean would hide a stall: a column shows the extreme value.
  const line = (name, classes, read, pick = largest) => [name, classes, columns.map(({samples}) => pick(samples.map(read)))];
  const at = key => json => number(json, key);
  const fills = [];
  for (const {samples: [json]} of columns)
    fills.push(...Object.keys(member(json, 'fill') || {}).filter(name => fills.indexOf(name) < 0));
  const panels = [
    {title: 'events per second', height: 130, print: short, lines: [line('offered', 'wide-line.s6', at('offered')),
      line('completed', 's1', at('completed'), smallest), line('received', 's2', at('received'), smallest)]},
    {title: 'backlog: events due and not completed', height: 70, print: short, lines: [line('backlog', 's1', at('backlog'))]},
    {title: 'channel fill', height: 70, print: share, high: 1, lines: fills.slice(0, FILLS_MAX).map((name, index) =>
      line(name, `s${index + 1}`, json => number(member(json, 'fill'), name)))},
    {title: 'latency, p99 of each step', height: 80, print: nanoseconds, log: true,
      lines: [line('p99', 's1', at('latency_p99_ns'))]},
  ];
  for (const panel of panels) {
    panel.has = value => isFinite(value) && (!panel.log || value > 0);
    panel.lines = panel.lines.filter(one => one[2].some(panel.has));
    panel.height = Math.max(panel.height, panel.lines.length * TEXT * 1.35);
  }
  return panels.filter(panel => panel.lines.length > 0);
}

function drawLine(picture, columns, panel, [name, classes, values], times, axis) {
  const place = index => axisAt(axis, values[index]);
  let run = [];
  for (let index = 0; index <= columns.length; index++) {
    if (index < columns.length && panel.has(values[index])) {
      run.push([axisAt(times, columns[index].from), place(index)], [axisAt(times, columns[index].to), place(index)]);
    } else { // a gap in the data is a gap in the line
      picture.path(run, `series.${classes}`);
      run = [];
    }
  }
  if (columns.length <= 60 && name !== 'offered')
    columns.forEach(({from, to}, index) => panel.has(values[index]) && picture.mark('held', axisAt(times, (from + to) / 2),
      place(index), 2, `${classes}.small`, `${plain(from)} s to ${plain(to)} s: ${panel.print(values[index])}`));
  return [place(values.map(panel.has).lastIndexOf(true)), classes, name];
}

function drawOutages(picture, columns, plot, times, first) {
  const isOut = column => column && column.samples.some(json => member(json, 'outage') === true);
  for (let index = 0, end = 0; index < columns.length; index = end + 1) {
    for (end = index; isOut(columns[index]) && isOut(columns[end + 1]);)
      end++;
    if (!isOut(columns[index]))
      continue;
    const left = axisAt(times, columns[index].from), right = Math.max(axisAt(times, columns[end].to), left + 2);
    add(picture.element, svg('rect.outage', {x: left, y: plot.top, width: right - left, height: plot.bottom - plot.top}));
    if (first)
      picture.label((left + right) / 2, plot.top + 14, 'label', 'outage');
    first = false;
  }
}

function drawPanels(picture, columns, panels) {
  const right = picture.width - (picture.narrow ? 112 : 124), plots = [];
  let top = 0;
  for (const panel of panels) {
    const all = [].concat(...panel.lines.map(line => line[2])).filter(panel.has);
    const bottom = top + PANEL_TITLE + panel.height;
    const axis = panel.log ? logAxis(smallest(all), largest(all), 5, bottom, top + PANEL_TITLE)
      : linearAxis(0, Math.max(panel.high || 0, largest(all)), 4, bottom, top + PANEL_TITLE);
    plots.push({top: top + PANEL_TITLE, bottom, right, axis});
    top = bottom + PANEL_GAP;
  }
  const left = Math.max(...plots.map((plot, index) => roomOf(plot.axis, panels[index].print)));
  const times = linearAxis(0, columns[columns.length - 1].to, picture.narrow ? 6 : 11, left, right);
  plots.forEach((plot, index) => {
    const panel = panels[index], isLast = index === panels.length - 1;
    plot.left = left;
    picture.text(0, plot.top - 14, 'start', 'axis', cut(panel.title, picture.width));
    drawOutages(picture, columns, plot, times, index === 0);
    picture.axisLeft(plot, plot.axis, panel.print);
    picture.axisBottom(plot, times, plain, isLast && 'seconds since the trial began');
    picture.labelsRight(plot, panel.lines.map(line => drawLine(picture, columns, panel, line, times, plot.axis)));
  });
}

function timelineFigure(id, trial, what) {
  const columns = trial ? columnsOf(trial) : [], panels = columns.length ? panelsOf(columns) : [];
  if (!panels.length)
    return [];
  const title = `Trial ${count(trial.number)}: ${count(trial.rate)} events/s, ${what}`;
  const height = panels.reduce((sum, panel) => sum + panel.height + PANEL_TITLE + PANEL_GAP, 44 - PANEL_GAP);
  return [html('h3', title), figure(id, title, [height, height], picture => drawPanels(picture, columns, panels))];
}

function drawTimeline({trials, answer}) {
  const top = answer ? answer.rate * 1.01 : Infinity;
  const isSame = trial => !answer || !answer.goal || !trial.goal || answer.goal === trial.goal;
  // Trials with few samples count when there are none with more.
  const longest = items => [4, 3, 2, 1].map(least => items.filter(trial => trial.timeline.length >= least))
    .find(some => some.length) || [];
  const held = best(longest(trials.filter(one => one.verdict === 'held' && one.rate <= top && isSame(one))),
    (a, b) => a.rate > b.rate);
  const over = best(longest(trials.filter(one => ['lost', 'late', 'failed'].indexOf(one.verdict) >= 0 &&
    (!held || one.rate > held.rate))), (a, b) => a.rate < b.rate);
  show('timeline', timelineFigure('timeline-held', held, 'held').concat(
    timelineFigure('timeline-over', over, over && `too high (${over.verdict})`)), 'no trial has a timeline');
}

/* ---- rate over the number of workers: measured points and the Universal Scalability Law fitted to them (Gunther, "A
 * General Theory of Computational Scalability", 2008): X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1)) ---- */

function scalingOf(json) {
  const scaling = {points: [], note: text(json, 'note')};
  for (const key of ['lambda', 'sigma', 'kappa', 'error', 'peak_workers'])
    scaling[key] = number(json, key);
  scaling.points = list(json, 'points').map(point => [number(point, 'workers'), number(point, 'rate')])
    .filter(([workers, rate]) => workers > 0 && workers <= 65536 && rate > 0);
  const {lambda, sigma, kappa, peak_workers: peak} = scaling;
  scaling.fitted = lambda > 0 && isFinite(sigma) && isFinite(kappa);
  scaling.rateAt = workers => lambda * workers / Math.max(0, 1 + sigma * (workers - 1) + kappa * workers * (workers - 1));
  scaling.measuredTo = largest(scaling.points.map(point => point[0]));
  scaling.shownTo = Math.max(scaling.measuredTo * 2, 4);
  if (peak > scaling.shownTo && peak <= scaling.shownTo * 2)
    scaling.shownTo = Math.ceil(peak * 1.1);
  return scaling;
}

// Points [workers, rate] of the fitted curve.
function curveOf(scaling, from, to, factor = 1) {
  return Array.from({length: 81}, (_, step) => from + (to - from) * step / 80)
    .map(workers => [workers, scaling.rateAt(workers) * factor]).filter(point => isFinite(point[1]));
}

function drawScaling(picture, scaling) {
  const {points, lambda, error, peak_workers: peak, measuredTo, shownTo, fitted} = scaling;
  const plot = {top: 34, right: picture.width - 104, bottom: picture.height - 44};
  const band = fitted && error > 0 && error < 1 ? error : 0;
  const upper = fitted ? curveOf(scaling, 1, shownTo, 1 + band) : [];
  const rates = linearAxis(0, largest(points.concat(upper).map(point => point[1])) * 1.04, 7, plot.bottom, plot.top);
  plot.left = roomOf(rates, short);
  const workers = linearAxis(0, shownTo, picture.narrow ? 6 : 11, plot.left, plot.right);
  const place = ([count, rate]) => [axisAt(workers, count), axisAt(rates, rate)];
  picture.axisBottom(plot, workers, plain, 'workers');
  picture.axisLeft(plot, rates, short);
  picture.text(0, 13, 'start', 'axis', 'events per second');
  if (fitted) {
    const end = Math.min(shownTo, rates.high / lambda), ahead = curveOf(scaling, measuredTo, shownTo).map(place);
    if (band)
      picture.path(upper.concat(curveOf(scaling, 1, shownTo, 1 - band).reverse()).map(place), 'interval');
    picture.line(...place([0, 0]), ...place([end, end * lambda]), 'series.ideal');
    picture.path(curveOf(scaling, 1, measuredTo).map(place), 'series.s1');
    picture.path(ahead, 'series.s1.projected');
    picture.labelsRight(plot, [[place([end, end * lambda])[1], 'ideal', 'linear'],
      ...ahead.slice(-1).map(last => [last[1], 's1.projected', 'projected'])]);
  }
  for (const point of points)
    picture.mark('held', ...place(point), 5, 's1', `${plain(point[0])} workers: ${count(point[1])} events/s measured`);
  if (fitted && peak >= 1 && peak <= workers.high) {
    const [x, y] = place([peak, scaling.rateAt(peak)]);
    picture.mark('generator', x, y, 4, 'ink');
    picture.label(x, y - 12, 'label', `peak: ${plain(peak)} workers`);
  }
}

function drawScalings({json}) {
  const scaling = scalingOf(member(json, 'scaling')), {points, error, peak_workers: peak} = scaling;
  const rows = [['λ', count(scaling.lambda), 'events/s of one worker'],
    ['σ', plain(scaling.sigma), 'share of the work that only one can do at a time'],
    ['κ', plain(scaling.kappa), 'cost of workers agreeing with each other'],
    ['error', share(error), `of the fit at the measured points${isFinite(error) ? '' : ': too few points to tell'}`],
    ['peak', peak > 0 ? plain(peak) : 'none', 'workers, after which more make it slower']];
  const columns = [['parameter', row => row[0]], ['value', row => row[1], 'n'], ['meaning', row => row[2]]];
  show('scaling', points.length ? [
    figure('scaling-curve', 'Rate over number of workers', [360, 320], picture => drawScaling(picture, scaling)),
    scaling.fitted && [html('h3', 'The fit'), table('The fit', columns, rows)], scaling.note && html('p.note', scaling.note)] : [],
  'only one number of workers was run (use --workers 1..N)');
}
