#include "bench/plan/result.h"
#include "bench/plan/goal.h"
#include "bench/plan/machine.h"
#include "bench/support/output.h"
#include "core/clock.h"
#include "core/quantity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RESULT_VERSION 1 /* of the document */
#define MORE_TIME 2.0    /* a plan whose time was used up is advised to take the time multiplied by this */
#define RHYTHM_TRIALS 14 /* a search finds its figure in about this many full trials */

/* Returns a number, or null when it is not known. */
static json_t *number(double value, bool known)
{
    if (!known || !isfinite(value))
        return json_null();
    return value == floor(value) && fabs(value) < 9e15 ? json_integer((json_int_t)value) : json_real(value);
}

static void set(json_t *object, const char *key, json_t *value)
{
    json_object_set_new(object, key, value);
}

/* ---- goals ---- */

/* Writes "3 trials of 4 s at 806,000 events/s: 2 held, 1 late". */
static void trials_at(const struct ps_planning *planning, unsigned goal, double rate, char *text, size_t room)
{
    unsigned counts[PS_TRIAL_VERDICTS] = {0}, all = 0;
    char came[96] = "";
    size_t length = 0;
    double least_s = ps_search_long_s(planning->search), seconds = INFINITY;
    for (unsigned i = 0; i < planning->trial_count; i++) {
        const struct ps_search_ask *ask = &ps_search_trial(planning->search, i)->ask;
        enum ps_trial_verdict verdict = ps_search_verdict(planning->search, i, goal);
        if (ask->rate != rate || ask->seconds < least_s * 0.999 || verdict == PS_TRIAL_UNTOLD)
            continue;
        counts[verdict]++;
        seconds = fmin(seconds, ask->seconds);
        all++;
    }
    for (unsigned verdict = 0; verdict < PS_COUNT_OF(counts); verdict++)
        if (counts[verdict] > 0)
            length +=
                (size_t)snprintf(came + length, sizeof came - length, "%s%u %s", length > 0 ? ", " : "",
                                 counts[verdict], ps_trial_verdict_text((enum ps_trial_verdict)verdict));
    const struct ps_quantity_text shown = ps_quantity_print_event_rate(rate);
    if (all == 0)
        snprintf(text, room, "%s: short trials only", shown.text);
    else
        snprintf(text, room, "%u trial%s of %s at %s: %s", all, all == 1 ? "" : "s",
                 ps_quantity_print_s(round(seconds * 10) / 10).text, shown.text, came);
}

/* Writes what to do when the time was used up or the plan was interrupted. */
static void advice_text(const struct ps_planning *planning, const struct ps_search_figure *figure,
                        const struct ps_search_pipeline *pipeline, char *text, size_t room)
{
    double within_s = planning->config->search.budget_s / planning->config->search.goal_count;
    double needed_s = fmax(MORE_TIME * within_s, pipeline->least_s * RHYTHM_TRIALS);
    char needed[32];
    if (figure->status != PS_SEARCH_OUT_OF_TIME || pipeline->silent)
        return;
    /* as --within takes it, in whole minutes */
    snprintf(needed, sizeof needed, needed_s < 60 ? "%.0fs" : "%.0fm",
             needed_s < 60 ? ceil(needed_s) : ceil(needed_s / 60));
    if (planning->interrupted)
        snprintf(text, room, "; let it run to its end");
    else if (pipeline->least_s > ps_search_long_s(planning->search))
        snprintf(text, room, "; at this pipeline's rhythm a trial takes %s: give --within %s or more",
                 ps_quantity_print_s(round(pipeline->least_s)).text, needed);
    else if (!figure->busy)
        snprintf(text, room, "; give --within %s or more", needed);
}

/* Writes the trials behind a goal's figure: "3 trials of 4 s at 806,000 events/s: 3 held; ..." */
static void write_note(const struct ps_planning *planning, unsigned goal, char *text, size_t room)
{
    struct ps_search_figure figure;
    char lower[160] = "", upper[160] = "", interval[128] = "", more[192] = "";
    struct ps_search_pipeline pipeline;
    ps_search_pipeline(planning->search, &pipeline);
    ps_search_figure(planning->search, goal, &figure);
    if (figure.lower > 0)
        trials_at(planning, goal, figure.lower, lower, sizeof lower);
    if (figure.upper > 0)
        trials_at(planning, goal, figure.upper, upper, sizeof upper);
    const struct ps_quantity_text low = ps_quantity_print_count((uint64_t)figure.low95),
                                  high = ps_quantity_print_event_rate(figure.high95);
    if (figure.high95 > 0)
        snprintf(interval, sizeof interval, "; 95 %% interval %s to %s", low.text, high.text);
    else if (figure.low95 > 0)
        snprintf(interval, sizeof interval, "; with 95 %% at least %s: at the upper end the generator %s",
                 low.text, figure.offered ? "was too late to tell" : "failed");
    static const char *const endings[] = {
        [PS_SEARCH_OUT_OF_TIME] = "; the time was used up before both ends were confirmed",
        [PS_SEARCH_FOUND] = "",
        [PS_SEARCH_BELOW_RANGE] = "; the goal is not met at the lowest rate allowed (--rate-min)",
        [PS_SEARCH_ABOVE_RANGE] = "; at least: it was met at the highest rate allowed (--rate-max)",
        [PS_SEARCH_GENERATOR_LIMITED] = "; at least: the generator could not offer more",
        [PS_SEARCH_FAILED] = "; trials failed",
    };
    char busy[192] = "";
    if (figure.busy)
        snprintf(busy, sizeof busy,
                 "; this machine was too busy: %.0f %% of the events were sent late; stop what else runs, or "
                 "measure from another "
                 "machine",
                 figure.bunched * 100);
    const char *ending =
        figure.busy && figure.status == PS_SEARCH_OUT_OF_TIME ? ""
        : pipeline.silent
            ? "; nothing arrived at the far end: do target and far end belong together, and does "
              "the pipeline pass these events on?"
        : figure.status == PS_SEARCH_GENERATOR_LIMITED && figure.lower <= 0
            ? "; the generator was too late even at the lowest rate allowed (--rate-min)"
        : figure.status == PS_SEARCH_GENERATOR_LIMITED && figure.offered
            ? (planning->config->search.goals[goal].percentile > 0
                   ? "; at least: the generator offered more, but was itself later than this goal allows"
                   : "; at least: the generator offered more, but so many events at once that losses tell "
                     "nothing")
        : planning->interrupted && figure.status == PS_SEARCH_OUT_OF_TIME
            ? "; it was interrupted before both ends were confirmed"
            : endings[figure.status];
    advice_text(planning, &figure, &pipeline, more, sizeof more);
    const char *all =
        ending[0] == ';' && lower[0] == '\0' && upper[0] == '\0' && interval[0] == '\0' ? ending + 2 : ending;
    snprintf(text, room, "%s%s%s%s%s%s%s", lower, lower[0] != '\0' && upper[0] != '\0' ? "; " : "", upper,
             interval, all, more, busy);
}

static json_t *goal_object(const struct ps_planning *planning, unsigned index)
{
    const struct ps_goal *goal = &planning->config->search.goals[index];
    struct ps_search_figure figure;
    char text[96], note[1024];
    json_t *object = json_object();
    ps_search_figure(planning->search, index, &figure);
    write_note(planning, index, note, sizeof note);
    set(object, "goal", json_string(goal->name));
    set(object, "text", json_string(ps_goal_text(goal, text, sizeof text)));
    set(object, "loss_max", number(goal->loss_max, true));
    set(object, "percentile", number(goal->percentile, goal->percentile > 0));
    set(object, "latency_limit_ns", number((double)goal->latency_limit_ns, goal->percentile > 0));
    set(object, "rate", number(round(figure.rate), figure.rate > 0));
    set(object, "lower", number(figure.lower, figure.lower > 0));
    set(object, "upper", number(figure.upper, figure.upper > 0));
    set(object, "held", number(figure.held, figure.held > 0));
    set(object, "held_s", number(figure.held_s, figure.held_s > 0));
    set(object, "failed", number(figure.failed, figure.failed > 0));
    set(object, "confidence", number(figure.confidence, figure.confidence > 0));
    set(object, "low95", number(round(figure.low95), figure.low95 > 0));
    set(object, "high95", number(round(figure.high95), figure.high95 > 0));
    set(object, "repeats", number(figure.repeats, true));
    set(object, "status", json_string(ps_search_status_text(figure.status)));
    set(object, "note", json_string(note));
    return object;
}

bool ps_result_goal(const json_t *document, size_t index, struct ps_result_goal *found)
{
    const json_t *object = json_array_get(json_object_get(document, "goals"), index);
    const char *name = json_string_value(json_object_get(object, "goal")),
               *status = json_string_value(json_object_get(object, "status"));
    double latency_ns = json_number_value(json_object_get(object, "latency_limit_ns"));
    if (!json_is_object(object))
        return false;
    *found = (struct ps_result_goal){
        .goal = {.loss_max = json_number_value(json_object_get(object, "loss_max")),
                 .percentile = json_number_value(json_object_get(object, "percentile")),
                 .latency_limit_ns = latency_ns > 0 && latency_ns < 1e18 ? (uint64_t)latency_ns : 0},
        .status = PS_SEARCH_FAILED,
        .rate = json_number_value(json_object_get(object, "rate")),
        .lower = json_number_value(json_object_get(object, "lower")),
        .upper = json_number_value(json_object_get(object, "upper")),
        .low95 = json_number_value(json_object_get(object, "low95")),
        .high95 = json_number_value(json_object_get(object, "high95")),
    };
    /* results of earlier versions do not have these */
    const json_t *held = json_object_get(object, "held"), *failed = json_object_get(object, "failed");
    found->held = held != NULL ? json_number_value(held) : found->lower;
    found->failed = failed != NULL ? json_number_value(failed) : found->upper;
    found->held_s = json_number_value(json_object_get(object, "held_s"));
    snprintf(found->goal.name, sizeof found->goal.name, "%s", name != NULL ? name : "?");
    for (int known = 0; status != NULL && known <= PS_SEARCH_FAILED; known++)
        if (strcmp(status, ps_search_status_text((enum ps_search_status)known)) == 0)
            found->status = (enum ps_search_status)known;
    return true;
}

bool ps_result_goal_find(const json_t *document, const struct ps_goal *goal, struct ps_result_goal *found)
{
    for (size_t i = 0; ps_result_goal(document, i, found); i++)
        if (ps_goal_equal(&found->goal, goal))
            return true;
    return false;
}

bool ps_result_is_confirmed(const struct ps_result_goal *figure)
{
    return figure->lower > 0 &&
           (figure->status == PS_SEARCH_FOUND || figure->status == PS_SEARCH_ABOVE_RANGE ||
            figure->status == PS_SEARCH_GENERATOR_LIMITED);
}

/* ---- trials ---- */

static json_t *parts_array(const struct ps_parts *parts)
{
    json_t *array = json_array();
    for (unsigned i = 0; i < parts->count; i++)
        json_array_append_new(array, json_pack("{s:s,s:f,s:s}", "part", parts->items[i].part, "value",
                                               parts->items[i].value, "of", parts->items[i].of));
    return array;
}

json_t *ps_result_trial(const struct ps_planning *planning, unsigned index)
{
    const struct ps_trial *trial = &planning->trials[index];
    unsigned goal = ps_search_trial(planning->search, index)->ask.goal;
    json_t *object = json_object();
    set(object, "number", json_integer((json_int_t)index + 1));
    set(object, "goal", json_string(planning->config->search.goals[goal].name));
    set(object, "rate", number(trial->rate, true));
    double started_s = trial->start_unix_ns / 1e9 - (double)planning->started_wall_ms / 1e3;
    set(object, "started_s", number(round(started_s * 1000) / 1000, trial->start_unix_ns > 0));
    set(object, "seconds", json_real(trial->seconds));
    set(object, "offered", number(trial->offered, true));
    set(object, "sent", number(trial->sent, true));
    set(object, "achieved_rate", number(trial->achieved_rate, true));
    set(object, "received", number(trial->received, !trial->failed));
    set(object, "lost", number(trial->lost, !trial->failed));
    set(object, "duplicated", number(trial->duplicated, !trial->failed));
    set(object, "reordered", number(trial->reordered, !trial->failed));
    set(object, "corrupted", number(trial->corrupted, !trial->failed));
    set(object, "loss", json_real(trial->loss));
    bool judged = trial->flow.verdict != PS_FLOW_UNKNOWN;
    set(object, "queue_growth", json_real(trial->growth));
    set(object, "delay_growth_s", number(trial->flow.growth_s, judged));
    set(object, "on_its_way", number(trial->flow.on_its_way, judged));
    set(object, "starved_connection", number(trial->flow.connection, trial->flow.verdict == PS_FLOW_STARVED));
    set(object, "verdict",
        json_string(ps_trial_verdict_text(ps_search_verdict(planning->search, index, goal))));
    set(object, "note", ps_output_json_text(trial->note));
    set(object, "latency_ns",
        trial->json.latency != NULL ? json_deep_copy(trial->json.latency) : json_null());
    set(object, "histogram",
        trial->json.histogram != NULL ? json_deep_copy(trial->json.histogram) : json_array());
    set(object, "cpu_seconds", number(trial->cpu_seconds, trial->cpu_seconds >= 0));
    set(object, "rss_bytes", number(trial->rss_bytes, trial->rss_bytes >= 0));
    set(object, "foreign_cpu", number(trial->foreign_cpu, trial->foreign_cpu >= 0));
    set(object, "timeline",
        trial->json.timeline != NULL ? json_deep_copy(trial->json.timeline) : json_array());
    set(object, "utilisation", parts_array(&trial->parts));
    return object;
}

/* ---- other parts ---- */

static json_t *subject_object(const struct ps_planning *planning)
{
    static const char *const kinds[] = {"agent-file", "running-agent", "foreign"};
    const struct ps_subject *subject = &planning->subject;
    const struct ps_subject_config *config = &planning->config->subject;
    char from[PS_TRIAL_FROM_MAX * 128] = "";
    size_t length = 0;
    for (unsigned i = 0; i < subject->from_count && length < sizeof from; i++)
        length +=
            (size_t)snprintf(from + length, sizeof from - length, "%s%s", i > 0 ? " " : "", subject->from[i]);
    json_t *object = json_object();
    set(object, "kind", json_string(kinds[subject->kind]));
    set(object, "name", ps_output_json_text(config->agent));
    set(object, "file", ps_output_json_text(config->file));
    set(object, "target", ps_output_json_text(subject->target));
    set(object, "from", from[0] != '\0' ? json_string(from) : json_string("the agent's own counters"));
    set(object, "brokers", ps_output_json_text(subject->embedded_broker ? "embedded" : subject->brokers));
    set(object, "workers", number(planning->config->workers_max, planning->config->workers_max > 0));
    return object;
}

static json_t *load_object(const struct ps_planning *planning)
{
    const struct ps_planning_config *config = planning->config;
    json_t *object = json_object(), *options = json_array();
    double bytes = config->size_bytes > 0 ? (double)config->size_bytes : round(planning->event_bytes);
    set(object, "format", json_string(config->format));
    set(object, "size_bytes", number(bytes, bytes > 0));
    set(object, "connections", json_integer(config->connections));
    set(object, "shape", json_string(config->shape));
    for (unsigned i = 0; i < config->load_option_count; i++)
        json_array_append_new(options, json_string(config->load_options[i]));
    set(object, "options", options);
    return object;
}

static json_t *limits_array(const struct ps_limits *limits)
{
    json_t *array = json_array();
    for (unsigned i = 0; i < limits->count; i++) {
        const struct ps_limit *limit = &limits->items[i];
        json_t *object = json_object();
        set(object, "rank", json_integer((json_int_t)i + 1));
        set(object, "part", json_string(limit->part));
        bool measured = limit->kind != PS_PART_PIPELINE;
        set(object, "utilisation", measured ? json_real(limit->utilisation) : json_null());
        set(object, "headroom", measured ? json_real(limit->headroom) : json_null());
        set(object, "beyond", number(limit->beyond, limit->beyond > 0));
        set(object, "saturates_at", number(round(limit->saturates_at), limit->saturates_at > 0));
        set(object, "text", json_string(limit->text));
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *scaling_object(const struct ps_planning *planning)
{
    const struct ps_scaling *scaling = &planning->scaling;
    json_t *object = json_object(), *points = json_array();
    char note[256];
    if (planning->point_count == 0) {
        json_decref(points);
        json_decref(object);
        return json_null();
    }
    for (unsigned i = 0; i < planning->point_count; i++) {
        const struct ps_planning_point *point = &planning->points[i];
        json_t *one = json_object();
        set(one, "workers", json_integer(point->workers));
        set(one, "rate", number(round(point->figure.rate), true));
        set(one, "lower", number(point->figure.lower, true));
        set(one, "upper", number(point->figure.upper, point->figure.upper > 0));
        set(one, "low95", number(round(point->figure.low95), point->figure.low95 > 0));
        set(one, "high95", number(round(point->figure.high95), point->figure.high95 > 0));
        json_array_append_new(points, one);
    }
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    snprintf(note, sizeof note, "Universal Scalability Law through %u point%s%s%s", planning->point_count,
             planning->point_count == 1 ? "" : "s",
             scaling->free_count >= planning->point_count
                 ? "; as many unknowns as points, so the error is always 0"
                 : "",
             planning->config->workers_max >= (unsigned)cpus
                 ? "; workers share the CPUs with the generator and the far end"
                 : "");
    set(object, "points", points);
    if (!planning->scaled) { /* the points alone */
        set(object, "note", json_string("no fit, because a figure is \"at least\""));
        return object;
    }
    set(object, "lambda", json_real(scaling->lambda));
    set(object, "sigma", json_real(scaling->sigma));
    set(object, "kappa", json_real(scaling->kappa));
    set(object, "error", json_real(scaling->error));
    set(object, "peak_workers", number(scaling->peak_workers, scaling->peak_workers > 0));
    set(object, "note", json_string(note));
    return object;
}

static void assumption_add(void *argument, const char *text)
{
    json_array_append_new(argument, json_string(text));
}

static json_t *cost_object(const struct ps_planning *planning)
{
    const struct ps_projection *projection = &planning->projection;
    json_t *object = json_object();
    if (!(projection->cost_per_hour > 0)) {
        json_decref(object);
        return json_null();
    }
    set(object, "currency", ps_output_json_text(planning->config->wish.cost.currency));
    set(object, "machine_per_hour", json_real(planning->config->wish.cost.per_hour));
    set(object, "per_hour", json_real(projection->cost_per_hour));
    set(object, "per_month", json_real(projection->cost_per_month));
    set(object, "per_million_events", json_real(projection->cost_per_million));
    return object;
}

/* Lists the assumptions from subject, load and machine; calls `line` for each. */
static void list_assumptions(const struct ps_planning *planning,
                             void (*line)(void *argument, const char *text), void *argument);

static json_t *projection_object(const struct ps_planning *planning)
{
    const struct ps_projection *projection = &planning->projection;
    const struct ps_projection_wish *wish = &planning->config->wish;
    if (!planning->projected)
        return json_null();
    json_t *object = json_object(), *assumptions = json_array();
    for (unsigned i = 0; i < projection->assumption_count; i++)
        assumption_add(assumptions, projection->assumptions[i]);
    list_assumptions(planning, assumption_add, assumptions);
    set(object, "asked_rate", number(wish->rate, true));
    set(object, "size_bytes",
        number(wish->size_bytes > 0 ? wish->size_bytes : round(planning->event_bytes), true));
    set(object, "headroom", json_real(wish->headroom));
    set(object, "spare", json_integer(wish->spare));
    set(object, "machine_rate", number(round(projection->machine_rate), true));
    set(object, "machines", json_integer(projection->machines));
    set(object, "machines_at_most", json_boolean(projection->at_most));
    set(object, "workers_per_machine", number(projection->workers, projection->workers > 0));
    set(object, "partitions", json_integer(projection->partitions));
    set(object, "brokers", json_integer(projection->brokers));
    set(object, "disk_bytes_per_broker",
        number(round(projection->disk_bytes_per_broker), projection->disk_bytes_per_broker > 0));
    set(object, "retention_s", number(wish->retention_s, wish->retention_s > 0));
    set(object, "replication", number(wish->replication, wish->replication > 0));
    set(object, "cost", cost_object(planning));
    set(object, "error", isfinite(projection->error) ? json_real(projection->error) : json_null());
    set(object, "assumptions", assumptions);
    return object;
}

/* Writes how much of this machine other programs used, when it was enough to matter. */
static bool foreign_text(const struct ps_planning *planning, char *text, size_t room)
{
    double sum_s = 0, seconds = 0;
    for (unsigned i = 0; i < planning->trial_count; i++) {
        if (planning->trials[i].foreign_cpu < 0)
            continue;
        sum_s += planning->trials[i].foreign_cpu * planning->trials[i].seconds;
        seconds += planning->trials[i].seconds;
    }
    if (seconds <= 0 || sum_s / seconds < PS_PLANNING_FOREIGN_SHARE)
        return false;
    snprintf(text, room,
             "other programs used %.0f %% of this machine's CPUs during the trials: the figures are for the "
             "CPU time that they left, and are less certain than stated",
             sum_s / seconds * 100);
    return true;
}

static void rhythm_text(const struct ps_search_pipeline *pipeline, char *text, size_t room)
{
    snprintf(text, room,
             "the pipeline delivers in steps: up to %s passed without any event, so that a trial needs %s or "
             "longer to tell",
             ps_quantity_print_s(round(pipeline->rhythm_s * 10) / 10).text,
             ps_quantity_print_s(round(pipeline->least_s)).text);
}

static void list_assumptions(const struct ps_planning *planning,
                             void (*line)(void *argument, const char *text), void *argument)
{
    char foreign[192], text[256];
    struct ps_search_pipeline pipeline;
    ps_search_pipeline(planning->search, &pipeline);
    if (foreign_text(planning, foreign, sizeof foreign))
        line(argument, foreign);
    for (unsigned i = 0; i < planning->subject.note_count; i++)
        line(argument, planning->subject.notes[i]);
    if (pipeline.rhythm_s > 0)
        rhythm_text(&pipeline, text, sizeof text);
    if (pipeline.rhythm_s > 0)
        line(argument, text);
    if (pipeline.passes < 1) {
        snprintf(
            text, sizeof text,
            "%.4g %% of the events arrive whatever the rate: the others are taken for what a filter of the "
            "pipeline drops, not for losses",
            pipeline.passes * 100);
        line(argument, text);
    }
    if (pipeline.burst > 0) {
        snprintf(text, sizeof text,
                 "the pipeline takes a burst of some %s events, and then %s: a rate that such a burst may "
                 "have carried for "
                 "the length of a trial counts as not held",
                 ps_quantity_print_count((uint64_t)pipeline.burst).text,
                 ps_quantity_print_event_rate(pipeline.lasting).text);
        line(argument, text);
    }
    if (planning->config->paced_by_sleep)
        line(argument, "the generator sleeps between due times (--pace sleep): on 2 CPUs or fewer a spinning "
                       "one would take CPU time from the subject");
}

char *ps_result_text(const json_t *document)
{
    return json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(12));
}

/* Returns the document with the numbers that a reader of its file gets, so that a page and verdicts that are made from the
 * file later are the same: 12 digits turn 0.014500000000000002 into 0.0145, which is printed as another percentage. Takes
 * ownership. */
static json_t *as_written(json_t *document)
{
    char *text = ps_result_text(document);
    json_t *read = json_loads(text, 0, NULL);
    PS_ASSERT(read != NULL);
    free(text);
    json_decref(document);
    return read;
}

json_t *ps_result_document(const struct ps_planning *planning)
{
    const struct ps_planning_config *config = planning->config;
    json_t *document = json_object(), *command = json_array(), *goals = json_array(), *trials = json_array(),
           *assumptions = json_array();
    char started[32];
    ps_utc_print(started, sizeof started, "%Y-%m-%dT%H:%M:%SZ", planning->started_wall_ms / 1000);
    for (unsigned i = 0; config->command != NULL && config->command[i] != NULL; i++)
        json_array_append_new(command, json_string(config->command[i]));
    for (unsigned i = 0; i < config->search.goal_count; i++)
        json_array_append_new(goals, goal_object(planning, i));
    for (unsigned i = 0; i < planning->trial_count; i++)
        json_array_append_new(trials, ps_result_trial(planning, i));
    list_assumptions(planning, assumption_add, assumptions);
    set(document, "kind", json_string("penstock-plan"));
    set(document, "version", json_integer(RESULT_VERSION));
    set(document, "command", command);
    set(document, "penstock", json_string(config->version));
    set(document, "seed", json_integer((json_int_t)config->seed));
    set(document, "started", json_string(started));
    set(document, "seconds", json_real(planning->seconds));
    set(document, "machine", ps_machine_describe());
    set(document, "subject", subject_object(planning));
    set(document, "load", load_object(planning));
    set(document, "goals", goals);
    set(document, "trials", trials);
    set(document, "limits", limits_array(&planning->limits));
    set(document, "scaling", scaling_object(planning));
    set(document, "projection", projection_object(planning));
    set(document, "projection_note",
        ps_output_json_text(config->project && !planning->projected ? planning->projection_note : NULL));
    set(document, "assumptions", assumptions);
    set(document, "interrupted", json_boolean(planning->interrupted));
    return as_written(document);
}

enum ps_status ps_result_write(const json_t *document, const char *path, struct ps_err *err)
{
    char *text = ps_result_text(document);
    enum ps_status status = ps_output_write(path, text, strlen(text), err);
    if (status != PS_OK)
        ps_err_append(err, "writing the result");
    free(text);
    return status;
}

enum ps_status ps_result_read(json_t **document, const char *path, struct ps_err *err)
{
    json_error_t error;
    *document = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (*document == NULL)
        return ps_err_set(err, "%s: %s", path, error.text);
    const char *kind = json_string_value(json_object_get(*document, "kind"));
    json_int_t version = json_integer_value(json_object_get(*document, "version"));
    if (kind == NULL || strcmp(kind, "penstock-plan") != 0)
        ps_err_set(err, "%s is not a result of `penstock plan --result`", path);
    else if (version != RESULT_VERSION)
        ps_err_set(err, "%s is a result of version %lld; this penstock reads version %d", path,
                   (long long)version, RESULT_VERSION);
    else
        return PS_OK;
    json_decref(*document);
    *document = NULL;
    return PS_FAIL;
}
