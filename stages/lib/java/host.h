/* The Java host: one process beside the agent, which runs the components that are Java classes. It is started
 * when the first plan with such a component is built, and ended when the last such plan is torn down. A host
 * that dies is started again, after a longer wait each time.
 *
 *   thread "java-host"   starts the process; reads its messages into the inboxes of the links, and its log lines
 *                        into the agent's log; ends a host that is silent or breaks the protocol; waits for the
 *                        end of the process
 *   workers              send messages through links; no call waits
 *
 * A link connects one open stage with its component in the host. A link belongs to one run of the host: when
 * the run ends, the link is lost, and its worker is woken. */
#pragma once

#include "stages/lib/java/exchange/message.h"
#include "stages/lib/java/exchange/region.h"
#include "stages/lib/java/inbox.h"
#include "rings/flag.h"

struct ps_java_host;

/* Settings: how the process is started, and when it counts as dead. */
struct ps_java_launch {
    const char *const *argv;        /* ends with NULL */
    const char *const *environment; /* ends with NULL; NULL: the environment of this process */
    /* after this time without a sign of life the host counts as dead, unless a signal has stopped it */
    uint64_t silence_ns;
    uint64_t start_ns; /* limit until the first sign of life; 0: silence_ns */
    /* wait before the host is started again; it doubles each time, up to rest_max_ns */
    uint64_t rest_ns, rest_max_ns;
};

/* Starts the thread, and with it the process. Copies the launch. Returns NULL if there is no thread or
 * descriptor. Thread: control. */
struct ps_java_host *ps_java_host_create(const struct ps_java_launch *launch, struct ps_err *err);
/* Ends the process: closes its input, and gives it `patience_ms` to stop its components. */
void ps_java_host_destroy(struct ps_java_host *host, uint32_t patience_ms);

/* For a reload: if a jar of the class path has changed since the host was started, or the command is another
 * one now, the host stops its components, ends, and is started again; the log says what has changed. `argv`
 * NULL: the command is the same. The function looks at the jars, and waits for the file system, without the
 * lock that workers take. Thread: control. */
void ps_java_host_renew(struct ps_java_host *host, const char *const *argv);

/* Returns whether the host does not run; writes the reason, and the time of its next start, to `text`, one line.
 * Thread: any. */
bool ps_java_host_is_down(struct ps_java_host *host, char *text, size_t room);

/* ---- links ---- */

/* The members belong to the host, whose lock protects them. */
struct ps_java_link {
    struct ps_java_host *host; /* NULL: the link is not attached */
    struct ps_java_link *next;
    struct ps_java_region *region;
    int wake_fd;
    uint32_t number;
    bool lost;
    bool stops;              /* the agent has asked the component to stop */
    struct ps_flag has_news; /* the link is lost, or the inbox has bytes; also read without the lock */
    struct ps_java_inbox inbox;
};

/* Connects the link to the host. Returns false while the host does not run: try again later. `wake_fd` (an
 * eventfd, or -1) is written when a message has come or the link is lost. Thread, of all functions of a link:
 * the worker of the stage. */
bool ps_java_link_attach(struct ps_java_link *link, struct ps_java_host *host, int wake_fd);
/* Disconnects the link; does nothing if it is not attached. */
void ps_java_link_detach(struct ps_java_link *link);

enum ps_java_sent { PS_JAVA_SENT, PS_JAVA_BUSY /* the pipe is full: try again later */, PS_JAVA_LOST };
enum ps_java_sent ps_java_link_send(struct ps_java_link *link, enum ps_java_message_type type,
                                    const uint64_t *numbers, uint32_t number_count, const char *text);

/* Stops the component of a closed stage, which does not wait for the answer. If the pipe is full, the host's
 * thread sends the message later. */
void ps_java_link_stop(struct ps_java_link *link);

/* Takes the oldest message. Returns false when there is none; `*lost` is then true if no more messages will
 * come. */
bool ps_java_link_next(struct ps_java_link *link, struct ps_java_message *message, bool *lost);

/* Returns whether the link's run of the host has ended. */
bool ps_java_link_is_lost(struct ps_java_link *link);

/* Writes to `text`, in one line, why the host's last process ended. There may be a new process by then. Returns
 * whether the link's run ends, or has ended, because the jars or the command have changed. */
bool ps_java_link_end(struct ps_java_link *link, char *text, size_t room);

/* Called when the host breaks the protocol: ends the host, and logs the reason. */
void ps_java_link_accuse(struct ps_java_link *link, const char *what);
