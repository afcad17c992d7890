/* What all connections of one file system share on its worker: an epoll of its own inside the port's, timers, and a resolver
 * for names. The file system's `turn` calls ps_hadoop_loop_turn, which calls back what is ready, and nothing calls back from
 * anywhere else.
 *
 * A callback may add and remove watches and timers, those included that are ready in the same turn: they are not called any
 * more then.
 *
 * Thread: the worker of the file system. */
#pragma once

#include "core/clock.h"
#include "core/stage.h"
#include "stages/lib/net/resolver.h"

struct ps_hadoop_loop;

/* ---- descriptors ---- */

/* Embedded in its owner's structure; zeroed but for `ready` it watches nothing. */
struct ps_hadoop_watch {
    int fd;
    uint32_t events; /* 0: not watched */
    /* `events`: what epoll_wait said. */
    void (*ready)(struct ps_hadoop_watch *watch, uint32_t events);
};

/* Watches `fd` for `events` (EPOLLIN, EPOLLOUT), level-triggered; changes what it is watched for. Does nothing when nothing
 * changes. */
void ps_hadoop_loop_watch(struct ps_hadoop_loop *loop, struct ps_hadoop_watch *watch, int fd,
                          uint32_t events);
/* Before the descriptor is closed. Does nothing if it is not watched. */
void ps_hadoop_loop_unwatch(struct ps_hadoop_loop *loop, struct ps_hadoop_watch *watch);

/* ---- timers ---- */

/* Embedded in its owner's structure; zeroed but for `fire` it is not set. */
struct ps_hadoop_timer {
    uint64_t due_ns; /* mono_ns */
    void (*fire)(struct ps_hadoop_timer *timer);
    bool set;
    struct ps_hadoop_timer *child, *sibling,
        *before; /* a pairing heap; `before`: the parent, or the sibling before it */
};

/* Sets it, or sets it to another time. `fire` is called once, in the first turn at or after `due_ns`; PS_NEVER unsets it.
 * A time that has passed fires in the next turn, or in this one. */
void ps_hadoop_loop_set(struct ps_hadoop_loop *loop, struct ps_hadoop_timer *timer, uint64_t due_ns);
void ps_hadoop_loop_unset(struct ps_hadoop_loop *loop, struct ps_hadoop_timer *timer);

/* ---- names ---- */

/* Embedded in its owner's structure; zeroed but for `found` it is not under way. */
struct ps_hadoop_lookup {
    /* Called once, in a later turn. `error`: 0, or as of getaddrinfo. The address has the port that was asked for. */
    void (*found)(struct ps_hadoop_lookup *lookup, const struct ps_address *address, int error);
    struct ps_hadoop_lookup *next;
    bool busy, asked;
    unsigned port;
    char host[PS_HOST_NAME_BYTES];
};

/* Asks for the address of `host`, a name or digits; digits need no name server. Names are asked for one after another, and one
 * that several ask for at the same time only once. */
void ps_hadoop_loop_look_up(struct ps_hadoop_loop *loop, struct ps_hadoop_lookup *lookup, const char *host,
                            unsigned port);
/* `found` is not called any more. Does nothing if it is not under way. */
void ps_hadoop_loop_forget(struct ps_hadoop_loop *loop, struct ps_hadoop_lookup *lookup);

/* ---- the loop ---- */

/* `port` gives epoll_fd and wake_fd, and is used as long as the loop is there. Owns: the caller closes it, after all that it
 * watches. */
enum ps_status ps_hadoop_loop_open(struct ps_hadoop_loop **loop, const struct ps_port *port,
                                   struct ps_err *err);
void ps_hadoop_loop_close(struct ps_hadoop_loop *loop);

/* Calls what is ready or due. Returns the mono_ns at which it must be called again at the latest, or PS_NEVER. */
uint64_t ps_hadoop_loop_turn(struct ps_hadoop_loop *loop, const struct ps_now *now);
/* The time of the turn that runs, or of the last one; 0 before the first. */
struct ps_now ps_hadoop_loop_now(const struct ps_hadoop_loop *loop);
