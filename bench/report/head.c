/* The top of the report: what was measured, the answers in large type, what limits the subject, and the
 * command to repeat the measurement. */
#include "bench/report/figure.h"
#include "bench/report/internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *status, *class, *sign, *meaning;
} statuses[] = {
    {"found", "good", "✓", "found"},
    {"below-range", "bad", "✕", "not held even at the lowest rate tried"},
    {"above-range", "warn", "▲", "held even at the highest rate tried: the true figure is higher"},
    {"out-of-time", "warn", "◷", "not told: the time was used up before both ends were confirmed"},
    {"generator-limited", "warn", "▲",
     "above it the generator was too late to tell: the true figure is higher"},
    {"failed", "bad", "✕", "trials failed"},
};

/* Returns true when the figure is a lower bound. */
static bool at_least(const struct ps_report_goal *goal)
{
    return goal->status &&
           (!strcmp(goal->status, "above-range") || !strcmp(goal->status, "generator-limited"));
}

const char *ps_report_goal_words(const struct ps_report_goal *goal, char *words, size_t room)
{
    if (goal->latency_limit_ns > 0 && goal->percentile > 0)
        snprintf(words, room, "p%g below %s", goal->percentile, ps_figure_ns(goal->latency_limit_ns).text);
    else if (goal->loss_max == 0)
        snprintf(words, room, "no event lost");
    else if (goal->loss_max > 0)
        snprintf(words, room, "at most %s lost", ps_figure_share(goal->loss_max).text);
    else
        snprintf(words, room, "%.60s", goal->text ? goal->text : goal->goal ? goal->goal : "goal");
    return words;
}

/* ---- what was measured ---- */

static void write_subject(struct ps_html *html, const json_t *subject)
{
    const char *kind = ps_report_string(subject, "kind"), *name = ps_report_string(subject, "name");
    const char *file = ps_report_string(subject, "file"), *target = ps_report_string(subject, "target");
    const char *from = ps_report_string(subject, "from"), *brokers = ps_report_string(subject, "brokers");
    bool foreign = kind && !strcmp(kind, "foreign");
    ps_html_raw(html, foreign ? "System" : "Agent");
    if (name) {
        ps_html_raw(html, " <b>");
        ps_html_text(html, name);
        ps_html_raw(html, "</b>");
    }
    if (file) {
        ps_html_raw(html, " of ");
        ps_html_element(html, "code", file);
    }
    if (target) {
        ps_html_raw(html, ", fed at ");
        ps_html_element(html, "code", target);
    }
    if (from) {
        ps_html_raw(html, ", read back from ");
        ps_html_element(html, "code", from);
    }
    if (brokers && !strcmp(brokers, "embedded"))
        ps_html_raw(html, ", into the embedded broker");
    else if (brokers) {
        ps_html_raw(html, ", brokers ");
        ps_html_element(html, "code", brokers);
    }
}

static void write_load(struct ps_html *html, const json_t *load)
{
    const char *format = ps_report_string(load, "format"), *shape = ps_report_string(load, "shape");
    double size = ps_report_number(load, "size_bytes"), connections = ps_report_number(load, "connections");
    if (!format && !(size > 0))
        return;
    ps_html_raw(html, ". Load: ");
    if (format) {
        ps_html_text(html, format);
        ps_html_raw(html, " ");
    }
    ps_html_raw(html, "events");
    if (size > 0)
        ps_html_print(html, " of %s bytes", ps_figure_count(size).text);
    if (connections > 0)
        ps_html_print(html, " over %s connection%s", ps_figure_count(connections).text,
                      connections == 1 ? "" : "s");
    if (shape) {
        ps_html_raw(html, ", ");
        ps_html_text(html, shape);
        ps_html_raw(html, strcmp(shape, "constant") ? " shape" : " rate");
    }
    ps_html_raw(html, ", open loop");
}

static void write_headline(struct ps_html *html, const struct ps_report *report)
{
    const struct ps_report_goal *answer = ps_report_answer(report);
    const json_t *subject = json_object_get(report->json, "subject");
    const char *name = ps_report_string(subject, "name");
    char words[96];
    ps_html_raw(html, "<h1>");
    if (answer) {
        if (name)
            ps_html_text(html, name);
        else
            ps_html_raw(html, "The subject");
        bool confirmed = !answer->status || strcmp(answer->status, "out-of-time") != 0;
        ps_html_print(html, " holds %s<span class=\"nobreak\">%s events/s</span> with ",
                      at_least(answer) ? "at least "
                      : confirmed      ? ""
                                       : "about ",
                      ps_figure_count(answer->rate).text);
        ps_html_text(html, ps_report_goal_words(answer, words, sizeof(words)));
        ps_html_raw(html, confirmed ? "" : " – not confirmed");
    } else if (report->goal_count) {
        ps_html_raw(html, "No rate was found that ");
        if (name)
            ps_html_text(html, name);
        else
            ps_html_raw(html, "the subject");
        ps_html_raw(html, " holds");
    } else {
        ps_html_raw(html, "No goal was measured");
    }
    ps_html_raw(html, "</h1>\n<p class=\"subject\">");
    write_subject(html, subject);
    write_load(html, json_object_get(report->json, "load"));
    ps_html_raw(html, ".</p>\n");
}

/* ---- the answers ---- */

static void write_interval(struct ps_html *html, const struct ps_report_goal *goal)
{
    /* a figure that was not told has no certainty next to it */
    bool told = !goal->status || strcmp(goal->status, "out-of-time") != 0;
    if (goal->lower >= 0 && goal->upper >= goal->lower) {
        ps_html_print(html, "<p class=\"interval-text\">%s – %s", ps_figure_count(goal->lower).text,
                      ps_figure_count(goal->upper).text);
        if (told && (goal->upper - goal->lower) / 2 < goal->rate / 2)
            ps_html_print(html, " <span class=\"quiet nobreak\">(± %.1f" PS_FIGURE_BLANK "%%)</span>",
                          (goal->upper - goal->lower) / 2 / goal->rate * 100);
        ps_html_raw(html, "</p>\n");
    }
    ps_html_raw(html, "<p class=\"quiet\">");
    if (goal->latency_limit_ns > 0 && goal->loss_max == 0)
        ps_html_raw(html, "and no event lost; ");
    if (told && goal->confidence > 0) /* never shows "100 % sure" */
        ps_html_print(html, "%.*f" PS_FIGURE_BLANK "%% sure", goal->confidence > 0.985 ? 1 : 0,
                      fmin(goal->confidence * 100, 99.9));
    if (goal->repeats > 0)
        ps_html_print(html, "%s%s full trial%s at each end", told && goal->confidence > 0 ? ", " : "",
                      ps_figure_count(goal->repeats).text, goal->repeats == 1 ? "" : "s");
    if (!(told && goal->confidence > 0) && !(goal->repeats > 0))
        ps_html_raw(html, "confidence not known");
    ps_html_raw(html, "</p>\n");
}

static void write_status(struct ps_html *html, const struct ps_report_goal *goal, bool interrupted)
{
    bool cut = interrupted && goal->status && strcmp(goal->status, "out-of-time") == 0;
    for (size_t index = 0; goal->status && index < PS_COUNT_OF(statuses); index++) {
        if (strcmp(goal->status, statuses[index].status) != 0)
            continue;
        ps_html_print(html, "<p class=\"status %s\"><span aria-hidden=\"true\">%s</span> %s</p>\n",
                      statuses[index].class, statuses[index].sign,
                      cut ? "not told: the plan was interrupted before both ends were confirmed"
                          : statuses[index].meaning);
        return;
    }
    ps_html_raw(html, "<p class=\"status warn\">");
    ps_html_text(html, goal->status ? goal->status : "status unknown");
    ps_html_raw(html, "</p>\n");
}

static void write_goal(struct ps_html *html, const struct ps_report_goal *goal, bool first, bool interrupted)
{
    char words[96];
    ps_html_print(html, "<article class=\"answer-card%s\">\n<h2>", first ? " first" : "");
    ps_html_text(html, ps_report_goal_words(goal, words, sizeof(words)));
    ps_html_raw(html, "</h2>\n");
    if (goal->rate > 0)
        ps_html_print(html, "<p class=\"big\">%s%s <span class=\"unit\">events/s</span></p>\n",
                      at_least(goal) ? "<span class=\"unit\">at least</span> " : "",
                      ps_figure_count(goal->rate).text);
    else
        ps_html_raw(html, "<p class=\"big\">" PS_FIGURE_NONE " <span class=\"unit\">no rate</span></p>\n");
    write_interval(html, goal);
    write_status(html, goal, interrupted);
    if (goal->note && goal->note[0]) {
        ps_html_raw(html, "<p class=\"note\">");
        ps_html_text(html, goal->note);
        ps_html_raw(html, "</p>\n");
    }
    ps_html_raw(html, "</article>\n");
}

static void write_projection_card(struct ps_html *html, const json_t *projection)
{
    double machines = ps_report_number(projection, "machines"),
           rate = ps_report_number(projection, "asked_rate");
    if (!(machines > 0))
        return;
    ps_html_print(
        html,
        "<article class=\"answer-card projected\">\n<h2>for %s events/s</h2>\n<p class=\"big\">%s%s <span "
        "class=\"unit\">machine%s</span></p>\n",
        ps_figure_count(rate).text,
        json_is_true(json_object_get(projection, "machines_at_most")) ? "<span class=\"unit\">at most</span> "
                                                                      : "",
        ps_figure_count(machines).text, machines == 1 ? "" : "s");
    double spare = ps_report_number(projection, "spare"), headroom = ps_report_number(projection, "headroom");
    ps_html_raw(html, "<p class=\"quiet\">");
    if (spare >= 0)
        ps_html_print(html, "%s of them spare", ps_figure_count(spare).text);
    if (headroom >= 0)
        ps_html_print(html, "%s%s headroom", spare >= 0 ? ", " : "", ps_figure_share(headroom).text);
    ps_html_raw(
        html,
        "</p>\n<p class=\"status warn\"><span aria-hidden=\"true\">◇</span> a projection, not a "
        "measurement</p>\n<p class=\"note\"><a href=\"#projection\">What it assumes</a></p>\n</article>\n");
}

/* ---- the command ---- */

static bool needs_quotes(const char *argument)
{
    return !*argument ||
           argument[strspn(argument, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                     "_-+=./,:@%^")] != '\0';
}

/* Writes an argument so that a shell would read it back unchanged. */
static void write_argument(struct ps_html *html, const char *argument)
{
    if (!needs_quotes(argument)) {
        ps_html_text(html, argument);
        return;
    }
    ps_html_raw(html, "&#39;");
    for (const char *at = argument, *quote; at; at = quote ? quote + 1 : NULL) {
        char piece[PS_HTML_TEXT_MAX + 2]; /* one byte more than is shown, so that a cut is visible */
        quote = strchr(at, '\'');
        size_t length = quote ? (size_t)(quote - at) : strlen(at);
        snprintf(piece, sizeof(piece), "%.*s", (int)(length < sizeof(piece) ? length : sizeof(piece) - 1),
                 at);
        ps_html_text(html, piece);
        if (quote)
            ps_html_raw(html, "&#39;\\&#39;&#39;");
    }
    ps_html_raw(html, "&#39;");
}

static void write_command(struct ps_html *html, const json_t *command)
{
    size_t index;
    json_t *argument;
    ps_html_raw(html, "<div class=\"reproduce\"><h2>Measured with</h2>\n");
    if (!json_array_size(command)) {
        ps_report_missing(html, "the command was not kept");
    } else {
        ps_html_raw(html, "<pre><code>");
        json_array_foreach((json_t *)(uintptr_t)command, index, argument)
        {
            if (index == 256 || !json_is_string(argument))
                break;
            ps_html_raw(html, index ? " " : "");
            write_argument(html, json_string_value(argument));
        }
        ps_html_raw(html, "</code></pre>\n");
    }
    ps_html_raw(html, "</div>\n");
}

/* Writes "2026-11-20T11:32:08Z" as "2026-11-20 11:32 UTC"; any other text unchanged. */
static void write_date(struct ps_html *html, const char *started)
{
    if (started && strlen(started) >= 16 && started[10] == 'T' && started[4] == '-') {
        char text[64];
        snprintf(text, sizeof(text), "%.10s %.5s%s", started, started + 11,
                 started[strlen(started) - 1] == 'Z' ? " UTC" : "");
        ps_html_element(html, "time", text);
    } else if (started) {
        ps_html_text(html, started);
    } else {
        ps_html_raw(html, "date not known");
    }
}

void ps_report_head(struct ps_html *html, const struct ps_report *report)
{
    ps_html_raw(html, "<header>\n<div class=\"eyebrow\"><span>penstock plan · capacity report</span> <span>");
    write_date(html, ps_report_string(report->json, "started"));
    double seconds = ps_report_number(report->json, "seconds");
    if (seconds > 0)
        ps_html_print(html, " · %zu trial%s in %s", report->trial_count + report->trials_left_out,
                      report->trial_count == 1 ? "" : "s", ps_figure_seconds(seconds).text);
    if (json_is_true(json_object_get(report->json, "interrupted")))
        ps_html_raw(html, " · interrupted");
    ps_html_raw(html, "</span></div>\n");
    write_headline(html, report);
    ps_html_raw(html, "<div class=\"answers\">\n");
    for (size_t index = 0; index < report->goal_count; index++)
        write_goal(html, &report->goals[index], index == 0,
                   json_is_true(json_object_get(report->json, "interrupted")));
    write_projection_card(html, json_object_get(report->json, "projection"));
    ps_html_raw(html, "</div>\n");
    const json_t *limit = json_array_get(json_object_get(report->json, "limits"), 0);
    const char *part = ps_report_string(limit, "part"), *text = ps_report_string(limit, "text");
    if (part || text) {
        ps_html_raw(html, "<p class=\"limit\"><b>What limits it:</b> ");
        ps_html_text(html, text ? text : part);
        ps_html_raw(html, ".</p>\n");
    }
    write_command(html, ps_report_array(report->json, "command"));
    ps_html_raw(html, "</header>\n");
}
