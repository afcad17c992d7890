#include "bench/plan/result.h"
#include "bench/plan/goal.h"
#include "bench/plan/machine.h"
#include "bench/support/quantity.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Returns a number, or null when it is not known. */
static json_t *number(double value, bool known)
{
    if (!known || !isfinite(value))
        return json_null();
    return value == floor(value) && fabs(value) < 9e15 ? json_integer((json_int_t)value) : json_real(value);
}

static json_t *text_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? json_string(text) : json_null();
}

static void set(json_t *object, const char *key, json_t *value)
{
    json_object_set_new(object, key, value);
}

/* ---- goals ---- */

/* Writes "3 trials of 4 s at 806,000 events/s: 2 held, 1 late". */
static void trials_at(const struct ps_planning *planning, unsigned goal, double rate, char *text, size_t room)
{
    unsigned counts[PS_TRIAL_FAILED + 1] = {0}, all = 0;
    char shown[32], came[96] = "";
    size_t length = 0;
    double seconds = ps_search_long_s(planning->search);
    for (unsigned i = 0; i < planning->trial_count; i++) {
        const struct ps_search_ask *ask = &ps_search_trial(planning->search, i)->ask;
        if (ask->rate != rate || ask->seconds < seconds * 0.999)
            continue;
        counts[ps_search_verdict(planning->search, i, goal)]++;
        all++;
    }
    for (unsigned verdict = 0; verdict < PS_COUNT_OF(counts); verdict++)
        if (counts[verdict] > 0)
            length +=
                (size_t)snprintf(came + length, sizeof came - length, "%s%u %s", length > 0 ? ", " : "",
                                 counts[verdict], ps_trial_verdict_text((enum ps_trial_verdict)verdict));
    ps_quantity_print_count((uint64_t)rate, shown, sizeof shown);
    if (all == 0)
        snprintf(text, room, "%s events/s: short trials only", shown);
    else
        snprintf(text, room, "%u trial%s of %.3g s at %s events/s: %s", all, all == 1 ? "" : "s", seconds,
                 shown, came);
}

void ps_result_note(const struct ps_planning *planning, unsigned goal, char *text, size_t room)
{
    struct ps_search_figure figure;
    char lower[160] = "", upper[160] = "", interval[128] = "", low[32], high[32];
    ps_search_figure(planning->search, goal, &figure);
    if (figure.lower > 0)
        trials_at(planning, goal, figure.lower, lower, sizeof lower);
    if (figure.upper > 0)
        trials_at(planning, goal, figure.upper, upper, sizeof upper);
    if (figure.lower > 0 && figure.upper > 0)
        snprintf(interval, sizeof interval, "; 95 %% interval %s to %s",
                 ps_quantity_print_count((uint64_t)figure.low95, low, sizeof low),
                 ps_quantity_print_count((uint64_t)figure.high95, high, sizeof high));
    static const char *const endings[] = {
        [PS_SEARCH_OUT_OF_TIME] = "; the time was used up before both ends were confirmed",
        [PS_SEARCH_FOUND] = "",
        [PS_SEARCH_BELOW_RANGE] = "; the goal is not met at the lowest rate allowed (--rate-min)",
        [PS_SEARCH_ABOVE_RANGE] = "; at least: it was met at the highest rate allowed (--rate-max)",
        [PS_SEARCH_GENERATOR_LIMITED] = "; at least: the generator could not offer more",
        [PS_SEARCH_FAILED] = "; trials failed",
    };
    const char *ending = planning->interrupted && figure.status == PS_SEARCH_OUT_OF_TIME
                             ? "; it was interrupted before both ends were confirmed"
                             : endings[figure.status];
    snprintf(text, room, "%s%s%s%s%s", lower, lower[0] != '\0' && upper[0] != '\0' ? "; " : "", upper,
             interval, ending);
}

static json_t *goal_object(const struct ps_planning *planning, unsigned index)
{
    const struct ps_goal *goal = &planning->config->search.goals[index];
    struct ps_search_figure figure;
    char text[96], note[640];
    json_t *object = json_object();
    ps_search_figure(planning->search, index, &figure);
    ps_result_note(planning, index, note, sizeof note);
    set(object, "goal", json_string(goal->name));
    set(object, "text", json_string(ps_goal_text(goal, text, sizeof text)));
    set(object, "loss_max", number(goal->loss_max, true));
    set(object, "percentile", number(goal->percentile, goal->percentile > 0));
    set(object, "latency_limit_ns", number((double)goal->latency_limit_ns, goal->percentile > 0));
    set(object, "rate", number(round(figure.rate), figure.rate > 0));
    set(object, "lower", number(figure.lower, figure.lower > 0));
    set(object, "upper", number(figure.upper, figure.upper > 0));
    set(object, "confidence", number(figure.confidence, figure.confidence > 0));
    set(object, "low95", number(round(figure.low95), figure.low95 > 0));
    set(object, "high95", number(round(figure.high95), figure.high95 > 0));
    set(object, "repeats", number(figure.repeats, true));
    set(object, "status", json_string(ps_search_status_text(figure.status)));
    set(object, "note", json_string(note));
    return object;
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
    set(object, "queue_growth", json_real(trial->growth));
    set(object, "verdict",
        json_string(ps_trial_verdict_text(ps_search_verdict(planning->search, index, goal))));
    set(object, "note", text_or_null(trial->note));
    set(object, "latency_ns", trial->latency != NULL ? json_deep_copy(trial->latency) : json_null());
    set(object, "histogram", trial->histogram != NULL ? json_deep_copy(trial->histogram) : json_array());
    set(object, "cpu_seconds", number(trial->cpu_seconds, trial->cpu_seconds >= 0));
    set(object, "rss_bytes", number(trial->rss_bytes, trial->rss_bytes >= 0));
    set(object, "timeline", trial->timeline != NULL ? json_deep_copy(trial->timeline) : json_array());
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
    set(object, "name", text_or_null(config->agent));
    set(object, "file", text_or_null(config->file));
    set(object, "target", text_or_null(subject->target));
    set(object, "from", from[0] != '\0' ? json_string(from) : json_string("the agent's own counters"));
    set(object, "brokers", text_or_null(subject->embedded_broker ? "embedded" : subject->brokers));
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
        set(object, "utilisation", json_real(limit->utilisation));
        set(object, "headroom", json_real(limit->headroom));
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
        json_array_append_new(points, json_pack("{s:i,s:o,s:o,s:o}", "workers", (int)point->workers, "rate",
                                                number(round(point->figure.rate), true), "lower",
                                                number(point->figure.lower, true), "upper",
                                                number(point->figure.upper, point->figure.upper > 0)));
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

static json_t *projection_object(const struct ps_planning *planning)
{
    const struct ps_projection *projection = &planning->projection;
    const struct ps_projection_wish *wish = &planning->config->wish;
    if (!planning->projected)
        return json_null();
    json_t *object = json_object(), *assumptions = json_array();
    for (unsigned i = 0; i < projection->assumption_count; i++)
        assumption_add(assumptions, projection->assumptions[i]);
    ps_result_assumptions(planning, assumption_add, assumptions);
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
    set(object, "error", isfinite(projection->error) ? json_real(projection->error) : json_null());
    set(object, "assumptions", assumptions);
    return object;
}

void ps_result_assumptions(const struct ps_planning *planning, void (*line)(void *argument, const char *text),
                           void *argument)
{
    for (unsigned i = 0; i < planning->subject.note_count; i++)
        line(argument, planning->subject.notes[i]);
    if (planning->config->paced_by_sleep)
        line(argument,
             "the generator sleeps between due times (--pace sleep): on 2 CPUs or fewer a spinning one "
             "would take CPU time from the subject");
}

json_t *ps_result_document(const struct ps_planning *planning)
{
    const struct ps_planning_config *config = planning->config;
    json_t *document = json_object(), *command = json_array(), *goals = json_array(), *trials = json_array(),
           *assumptions = json_array();
    char started[32];
    time_t seconds = (time_t)(planning->started_wall_ms / 1000);
    struct tm broken;
    gmtime_r(&seconds, &broken);
    strftime(started, sizeof started, "%Y-%m-%dT%H:%M:%SZ", &broken);
    for (unsigned i = 0; config->command != NULL && config->command[i] != NULL; i++)
        json_array_append_new(command, json_string(config->command[i]));
    for (unsigned i = 0; i < config->search.goal_count; i++)
        json_array_append_new(goals, goal_object(planning, i));
    for (unsigned i = 0; i < planning->trial_count; i++)
        json_array_append_new(trials, ps_result_trial(planning, i));
    ps_result_assumptions(planning, assumption_add, assumptions);
    set(document, "kind", json_string("penstock-plan"));
    set(document, "version", json_integer(1));
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
    set(document, "assumptions", assumptions);
    set(document, "interrupted", json_boolean(planning->interrupted));
    return document;
}

enum ps_status ps_result_write(const json_t *document, const char *path, struct ps_err *err)
{
    char beside[4096];
    snprintf(beside, sizeof beside, "%s.%d.part", path, (int)getpid());
    if (json_dump_file(document, beside, JSON_COMPACT | JSON_REAL_PRECISION(12)) != 0 ||
        rename(beside, path) != 0) {
        ps_err_set(err, "cannot write %s: %s", path, strerror(errno));
        unlink(beside);
        return PS_FAIL;
    }
    return PS_OK;
}

enum ps_status ps_result_read(json_t **document, const char *path, struct ps_err *err)
{
    json_error_t error;
    *document = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (*document == NULL)
        return ps_err_set(err, "%s: %s", path, error.text);
    const char *kind = json_string_value(json_object_get(*document, "kind"));
    if (kind != NULL && strcmp(kind, "penstock-plan") == 0)
        return PS_OK;
    json_decref(*document);
    *document = NULL;
    return ps_err_set(err, "%s is not a result of `penstock plan --result`", path);
}
