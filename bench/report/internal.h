/* The sections of the report's page, one file each, in the order of the page. Each writes its own <section>,
 * and a note when its data was not measured.
 *
 * Thread: any. */
#pragma once

#include "bench/report/data.h"
#include "bench/report/html.h"

extern const char ps_report_style[];

/* Writes the page of a result document into `html`. Returns false when there is no memory. Owns: the caller
 * frees `html` either way. */
bool ps_report_page(struct ps_html *html, const json_t *result);

void ps_report_head(struct ps_html *html, const struct ps_report *report);
void ps_report_verdicts(struct ps_html *html, const struct ps_report *report);
void ps_report_latency(struct ps_html *html, const struct ps_report *report);
void ps_report_percentiles(struct ps_html *html, const struct ps_report *report);
void ps_report_timeline(struct ps_html *html, const struct ps_report *report);
void ps_report_limits(struct ps_html *html, const struct ps_report *report);
void ps_report_scaling(struct ps_html *html, const struct ps_report *report);
void ps_report_projection(struct ps_html *html, const struct ps_report *report);
void ps_report_trials(struct ps_html *html, const struct ps_report *report);
void ps_report_machine(struct ps_html *html, const struct ps_report *report);

/* section.c: begins a <section> with its heading and an explanation (markup of the report). */
void ps_report_section_begin(struct ps_html *html, const char *id, const char *heading,
                             const char *explanation);
void ps_report_section_end(struct ps_html *html);
/* Writes "Not measured: why" in place of a chart. */
void ps_report_missing(struct ps_html *html, const char *why);
/* Writes a heading and a list of foreign texts; nothing when the list is NULL. */
void ps_report_list(struct ps_html *html, const char *heading, const json_t *texts);
/* Describes a goal: "p99 below 20 ms". Uses its numbers; the goal's `text` when it has none. */
const char *ps_report_goal_words(const struct ps_report_goal *goal, char *words, size_t room);
