/* The report of a process that the agent runs, about the components in it and about itself: the Java host
 * (stages/lib/java/figures.h). The table is global, because that process lives longer than a plan. Thread: any; it
 * has a lock. */
#pragma once

#include "core/base.h"

#define PS_FOREIGN_COMPONENTS_MAX 1000U
#define PS_FOREIGN_NUMBERS_MAX 16U

struct ps_page;

struct ps_foreign_component {
    const char *name;       /* "SOURCE.r1", as in Flume's JSON */
    const char *attributes; /* lines, each with a name, a tab and a value */
};

struct ps_foreign_number {
    const char *name, *help, *type; /* static: "penstock_java_heap_bytes", a sentence, "gauge" or "counter" */
    double value;
};

/* A copy of the report, made by ps_foreign_take and freed by ps_foreign_fini. */
struct ps_foreign {
    struct ps_foreign_component *components;
    struct ps_foreign_number numbers[PS_FOREIGN_NUMBERS_MAX];
    size_t component_count, number_count;
};

/* Replaces the known attributes of the component, or forgets it if there are no attributes. Attributes beyond the
 * maximum are ignored. */
void ps_foreign_set_component(const char *name, const char *attributes);
void ps_foreign_set_number(const struct ps_foreign_number *number);
/* Called when the process has ended: forgets the report. */
void ps_foreign_clear(void);

void ps_foreign_take(struct ps_foreign *foreign);
void ps_foreign_fini(struct ps_foreign *foreign);

/* Returns the component's attributes, or NULL. */
const char *ps_foreign_find(const struct ps_foreign *foreign, const char *name);
/* Reads the next attribute, and moves *at past it; names and values are in the text. Returns false after the
 * last one. A line without a tab or an end is skipped. */
bool ps_foreign_next(const char **at, const char **name, size_t *name_length, const char **value,
                     size_t *value_length);

/* Writes the whole report in Prometheus' text format. */
void ps_foreign_prometheus(struct ps_page *page);
