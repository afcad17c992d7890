/* Messages of the Internet Relay Chat protocol (RFC 1459, RFC 2812 section 2.3.1): one line each. Thread: any; no state. */
#pragma once

#include "core/base.h"

#define PS_IRC_LINE_BYTES 512U /* of a message, including CR LF */
#define PS_IRC_PARAMETERS_MAX 15U

struct ps_irc_message {
    struct ps_slice nick; /* of the prefix ":nick!user@host"; a server's name; empty without a prefix */
    struct ps_slice command;
    unsigned number; /* of a numeric reply, else 0 */
    unsigned count;
    struct ps_slice parameters[PS_IRC_PARAMETERS_MAX];
};

/* Parses a line without its end; the message points into it. Returns false if the line is not a message. */
bool ps_irc_message_read(const char *line, size_t length, struct ps_irc_message *message);

bool ps_irc_is_command(const struct ps_irc_message *message, const char *command);
/* Compares names without case; {}|^ are the lower case of []\~ (RFC 1459, section 2.2). */
bool ps_irc_same_name(struct ps_slice left, const char *right);
/* Returns an empty slice if there is none. */
struct ps_slice ps_irc_last_parameter(const struct ps_irc_message *message);
