/* The rules for peers that may connect: Flume's ipFilterRules, a list of allow|deny:ip|name:pattern. The first rule
 * that matches decides; a peer that matches no rule may connect (netty's RuleBasedIpFilter,
 * org.apache.flume.netty.filter.PatternRule). In a pattern `*` is any text and `?` one character. "name:localhost" is
 * a peer on this machine.
 *
 * Thread: made by control, read by any. */
#pragma once

#include "core/arena.h"
#include "core/option.h"
#include "core/status.h"
#include "stages/lib/net/address.h"

struct ps_ip_rule {
    bool allow, name, local;
    const char *pattern;
};

struct ps_ip_filter {
    size_t count;
    struct ps_ip_rule *rules;
    bool names; /* a rule needs the peer's host name */
};

/* Parses the rules into the arena. */
enum ps_status ps_ip_filter_parse(struct ps_ip_filter *filter, const struct ps_texts *rules,
                                  struct ps_arena *arena, struct ps_err *err);

/* Returns the first rule that no peer can match: a network (10.0.0.0/8), a regular expression, an IPv6 address with its
 * zeros left out. NULL: there is none. */
const struct ps_ip_rule *ps_ip_filter_useless(const struct ps_ip_filter *filter);

/* Returns whether the peer may connect. `ip`: the address as InetAddress.getHostAddress prints it; `host`: the
 * peer's host name, or the address again; `local`: the peer is on this machine. */
bool ps_ip_filter_admits(const struct ps_ip_filter *filter, const struct ps_slice *ip,
                         const struct ps_slice *host, bool local);

/* Returns whether the peer of a connected socket is on this machine. */
bool ps_ip_filter_is_local(int fd, const struct ps_address *peer);
