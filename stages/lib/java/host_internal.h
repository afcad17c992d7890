/* The structures of the Java host that host.c and links.c share. */
#pragma once

#include "stages/lib/java/host.h"
#include "stages/lib/java/jars.h"
#include "stages/lib/java/lines.h"

#include <pthread.h>
#include <sys/types.h>

#define PS_JAVA_REASON_BYTES 512U

enum ps_java_host_state { PS_JAVA_HOST_STARTING, PS_JAVA_HOST_RUNNING, PS_JAVA_HOST_DOWN };

/* Links whose component must still be stopped: the pipe was full when their stages were closed. */
struct ps_java_stops {
    uint32_t *links;
    size_t count, room;
};

struct ps_java_host {
    struct ps_java_launch launch;
    pthread_t thread;
    int wake_fd;

    pthread_mutex_t lock; /* protects the members below */
    enum ps_java_host_state state;
    bool ending;
    bool renews;              /* the process ends, because its jars have changed */
    bool renewed;             /* the last process ended because its jars had changed */
    bool asked;               /* a reload came while the process was being started */
    const char *const *fresh; /* the arguments for the next start; or NULL */
    /* the jars as they were when the process was started; NULL: it was never started */
    struct ps_java_jars *jars;
    uint32_t run; /* the number of starts */
    uint32_t patience_ms;
    char reason[PS_JAVA_REASON_BYTES];  /* DOWN: the reason. RUNNING: the fault that was found, or empty */
    char renewal[PS_JAVA_REASON_BYTES]; /* what has changed */
    char end
        [PS_JAVA_REASON_BYTES]; /* why the last process ended: a component may look when there is a new one */
    uint64_t again_ns;          /* DOWN: time of the next start */
    int out;                    /* the host's input, or -1 */
    uint32_t last_link;
    struct ps_java_link *links;
    struct ps_java_stops stops;
    bool
        all_stopped; /* the agent has asked a component to stop, and attached none since; links.c looks at the attached ones */
    struct ps_java_region *region;

    /* Used only by the thread. */
    pid_t pid;
    int in; /* messages */
    struct ps_java_lines lines;
    uint64_t started_ns, heard_ns, looked_ns, rest_ns;
    uint64_t ran_ns;         /* since when the process has run; 0: it does not run yet */
    uint64_t renew_until_ns; /* when the process must have ended for a renewal; 0: it was not asked to end */
    uint64_t ends_ns;        /* since when the process has been ending by itself; 0: it is not ending */
    const char *ends_how;    /* the reason to report if the process does not end in time */
    size_t used;
    char bytes[4 * PS_JAVA_MESSAGE_BYTES_MAX];
    struct ps_java_message message;
};

void ps_java_host_wake(int fd);

/* ---- links.c; the caller has the lock ---- */

/* Called when the run has ended: marks all links as lost, and wakes their workers. */
void ps_java_links_lose(struct ps_java_host *host);
/* Appends the message to the inbox of its link; drops a message for a link that is gone. Returns a text that
 * says what is wrong with the message; NULL: nothing is. */
const char *ps_java_links_deliver(struct ps_java_host *host, const char *bytes, size_t length);
/* Sends the STOP messages that found the pipe full. */
void ps_java_links_stop(struct ps_java_host *host);
/* Returns whether the run had components and the agent has asked each of them to stop. Then no further run is
 * needed. */
bool ps_java_links_all_stop(const struct ps_java_host *host);
