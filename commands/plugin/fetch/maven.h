/* Maven, which brings the jars of a list from the repositories that its own settings name. Used by commands/plugin/fetch
 * only. Thread: main. */
#pragma once

#include "commands/plugin/fetch/lists.h"
#include "core/status.h"

#include <signal.h>

struct ps_maven {
    struct ps_arena *arena;
    const char *program;              /* the path of `mvn` */
    const char *work;                 /* an absolute folder, which gets the project */
    const char *into;                 /* the name of the folder in `work` that gets lib and libext */
    const struct ps_fetch_list *list; /* what to bring */
    volatile sig_atomic_t *interrupts;
};

/* Runs Maven, and says on standard error how far it is, at first after two seconds. Returns PS_FAIL with its last lines
 * when it fails, and with "interrupted" when `interrupts` counts: then Maven was ended. */
enum ps_status ps_maven_run(const struct ps_maven *maven, struct ps_err *err);
