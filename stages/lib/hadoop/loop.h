/* The event loop that all connections of a file system share on its worker: an epoll inside the port's epoll, timers, and a
 * resolver for names. The file system's `turn` calls ps_hadoop_loop_turn, and callbacks are called only from there.
 *
 * A callback may add and remove watches and timers. The callback of a removed watch or timer is no longer called,
 * even if the watch or timer was ready in the same turn.
 *
 * Thread: the worker of the file system. */
#pragma once

#include "core/clock.h"
#include "core/stage.h"
#include "stages/lib/net/resolver.h"

struct ps_hadoop_loop;

/* ---- descriptors ---- */

/* Embedded in its owner's structure. A watch whose members are zero, except `ready`, watches nothing. */
struct ps_hadoop_watch {
    int fd;
    uint32_t events; /* 0: not watched */
    /* `events`: from epoll_wait. */
    void (*ready)(struct ps_hadoop_watch *watch, uint32_t events);
};

/* Watches `fd` for `events` (EPOLLIN, EPOLLOUT), level-triggered, or changes the events. Does nothing if they are the same. */
void ps_hadoop_loop_watch(struct ps_hadoop_loop *loop, struct ps_hadoop_watch *watch, int fd,
                          uint32_t events);
/* Ends a watch; call it before the descriptor is closed. Does nothing if the descriptor is not watched. */
void ps_hadoop_loop_unwatch(struct ps_hadoop_loop *loop, struct ps_hadoop_watch *watch);

/* ---- timers ---- */

/* Embedded in its owner's structure. A timer whose members are zero, except `fire`, is not set. */
struct ps_hadoop_timer {
    uint64_t due_ns; /* mono_ns */
    void (*fire)(struct ps_hadoop_timer *timer);
    bool set;
    struct ps_hadoop_timer *child, *sibling,
        *before; /* a pairing heap; `before`: the parent, or the previous sibling */
};

/* The heap of timers by their time, without a loop: *first is the timer that is due first; NULL: none is set. */
void ps_hadoop_timer_set(struct ps_hadoop_timer **first, struct ps_hadoop_timer *timer, uint64_t due_ns);
void ps_hadoop_timer_unset(struct ps_hadoop_timer **first, struct ps_hadoop_timer *timer);

/* Sets the timer, or changes its time. `fire` is called once, in the first turn at or after `due_ns`; PS_NEVER unsets the
 * timer. A time in the past fires in this turn or the next. */
void ps_hadoop_loop_set(struct ps_hadoop_loop *loop, struct ps_hadoop_timer *timer, uint64_t due_ns);
void ps_hadoop_loop_unset(struct ps_hadoop_loop *loop, struct ps_hadoop_timer *timer);

/* ---- names ---- */

/* Embedded in its owner's structure. A lookup whose members are zero, except `found`, is not in progress. */
struct ps_hadoop_lookup {
    /* Called once, in a later turn. `error`: 0, or an error of getaddrinfo. The address has the requested port. */
    void (*found)(struct ps_hadoop_lookup *lookup, const struct ps_address *address, int error);
    struct ps_hadoop_lookup *next;
    bool busy, asked;
    unsigned port;
    char host[PS_HOST_NAME_BYTES];
};

/* Looks up the address of `host`, a name or a numeric address; the latter needs no name server. A name that several lookups
 * ask for is resolved once. */
void ps_hadoop_loop_look_up(struct ps_hadoop_loop *loop, struct ps_hadoop_lookup *lookup, const char *host,
                            unsigned port);
/* Ends the lookup without calling `found`. Does nothing if it is not in progress. */
void ps_hadoop_loop_forget(struct ps_hadoop_loop *loop, struct ps_hadoop_lookup *lookup);

/* ---- the loop ---- */

/* Opens a loop. `port` gives epoll_fd and wake_fd, and must outlive the loop. The caller closes the loop, after ending all its watches. */
enum ps_status ps_hadoop_loop_open(struct ps_hadoop_loop **loop, const struct ps_port *port,
                                   struct ps_err *err);
void ps_hadoop_loop_close(struct ps_hadoop_loop *loop);

/* Calls the callbacks that are ready or due. Returns the mono_ns at which it must be called again at the latest, or PS_NEVER. */
uint64_t ps_hadoop_loop_turn(struct ps_hadoop_loop *loop, const struct ps_now *now);
/* Returns the time of the present or last turn; 0 before the first. */
struct ps_now ps_hadoop_loop_now(const struct ps_hadoop_loop *loop);
