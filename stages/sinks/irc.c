/* Sink irc (Flume's IRCSink): sends events to a channel of an IRC server. Thread: its worker. */
#include "core/stage.h"

#include <string.h>

#include "stages/lib/irc/session.h"
#include "stages/lib/remote/probe.h"

#define NAME_BYTES_MAX PS_IRC_NICK_BYTES
#define CHANNEL_BYTES_MAX 200U
#define HOST_BYTES 63U /* longest client address in a message that the server passes on */

struct irc_plan {
    const char *host, *nick, *password, *user, *name, *channel, *separator;
    int64_t port, interval_ms;
    bool splits;
    struct ps_regex *regex; /* NULL: bodies are not split */
    struct ps_irc_plan session;
};

#define FIELD(member) offsetof(struct irc_plan, member)

static const struct ps_option options[] = {
    PS_OPTION_ROW("hostname", TEXT, FIELD(host), "address or name of the server",
                  .flags = PS_OPTION_REQUIRED),
    PS_OPTION_ROW("port", INT, FIELD(port), "TCP port of the server", .fallback = "6667", .min = 1,
                  .max = 65535),
    PS_OPTION_ROW("nick", TEXT, FIELD(nick),
                  "nick name; one that is in use gets an underscore behind it, or up to four",
                  .flags = PS_OPTION_REQUIRED),
    PS_OPTION_ROW("password", TEXT, FIELD(password), "password of the connection (PASS); unset: none",
                  .flags = PS_OPTION_SECRET),
    PS_OPTION_ROW("user", TEXT, FIELD(user), "user name; unset: the nick name"),
    PS_OPTION_ROW("name", TEXT, FIELD(name), "real name; unset: the nick name"),
    PS_OPTION_ROW("chan", TEXT, FIELD(channel), "channel to join, without the # in front of it",
                  .flags = PS_OPTION_REQUIRED),
    PS_OPTION_ROW("splitlines", BOOL, FIELD(splits),
                  "send each line of a body as a message; false: each body is one, with blanks for line ends",
                  .fallback = "false"),
    PS_OPTION_ROW(
        "splitchars", TEXT, FIELD(separator),
        "Java regular expression of the separator between lines, with splitlines; unset: a line end"),
    PS_OPTION_ROW(
        "penstock.line.interval", INT, FIELD(interval_ms),
        "time between two messages; 0: as fast as the server confirms them, 32 messages or 4 KiB at a time",
        .fallback = "0", .min = 0, .max = INT32_MAX, .unit = "ms", .flags = PS_OPTION_EXTENSION),
    PS_OPTION_END,
};

/* Returns whether a message can contain the text as one word. */
static bool is_word(const char *text, size_t most)
{
    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at <= ' ' || *at == ',')
            return false;
    }
    return *text != '\0' && *text != ':' && strlen(text) <= most;
}

static bool is_line(const char *text, size_t most)
{
    return strpbrk(text, "\r\n") == NULL && strlen(text) <= most;
}

static bool check_text(const struct ps_context *context, const char *key, const char *text, size_t most,
                       bool word)
{
    if (text == NULL || (word ? is_word(text, most) : is_line(text, most)))
        return true;
    ps_report(context, PS_LOG_ERROR, key, "is to be %s of at most %zu bytes", word ? "one word" : "one line",
              most);
    return false;
}

static const char *separator_of(const struct irc_plan *plan)
{
    return plan->separator != NULL ? plan->separator : "\n";
}

static enum ps_status check(const void *plan_, const struct ps_context *context)
{
    const struct irc_plan *plan = plan_;
    bool good = check_text(context, "nick", plan->nick, NAME_BYTES_MAX, true);
    good &= check_text(context, "user", plan->user, NAME_BYTES_MAX, true);
    good &= check_text(context, "name", plan->name, NAME_BYTES_MAX, false);
    good &= check_text(context, "password", plan->password, CHANNEL_BYTES_MAX, false);
    good &= check_text(context, "chan", plan->channel, CHANNEL_BYTES_MAX, true);
    if (plan->channel[0] == '#')
        ps_report(context, PS_LOG_WARN, "chan", "a # is put in front of it, as in Flume: this is #%s",
                  plan->channel);
    if (plan->splits) {
        struct ps_err err = {.length = 0};
        struct ps_regex *regex = ps_regex_create(separator_of(plan), 0, PS_REGEX_FIND, &err);
        if (regex == NULL)
            ps_report(context, PS_LOG_ERROR, "splitchars", "%s", err.text);
        else
            ps_regex_destroy(regex);
        good &= regex != NULL;
    }
    return good ? PS_OK : PS_FAIL;
}

/* Returns the limit of a line, so that the message that the server passes on, ":nick!user@host PRIVMSG #channel :line",
 * is not too long. A server may put a ~ before the user name. */
static uint32_t line_bytes_max(const struct ps_irc_plan *session)
{
    size_t head = strlen(":!~@ PRIVMSG # :\r\n") + strlen(session->nick) + 4 + strlen(session->user) +
                  HOST_BYTES + strlen(session->channel);
    return PS_IRC_LINE_BYTES - (uint32_t)head;
}

static enum ps_status build(void *plan_, struct ps_context *, struct ps_err *err)
{
    struct irc_plan *plan = plan_;
    plan->session = (struct ps_irc_plan){
        .password = plan->password,
        .nick = plan->nick,
        .user = plan->user != NULL ? plan->user : plan->nick,
        .name = plan->name != NULL ? plan->name : plan->nick,
        .channel = plan->channel,
        .interval_ns = (uint64_t)plan->interval_ms * PS_NS_PER_MS,
    };
    if (plan->splits && (plan->regex = ps_regex_create(separator_of(plan), 0, PS_REGEX_FIND, err)) == NULL)
        return PS_FAIL;
    plan->session.text =
        (struct ps_irc_text){.separator = plan->regex, .bytes_max = line_bytes_max(&plan->session)};
    if (ps_remote_target_build(&plan->session.target, plan->host, (unsigned)plan->port, err) == PS_OK)
        return PS_OK;
    if (plan->regex != NULL)
        ps_regex_destroy(plan->regex);
    plan->regex = NULL;
    return PS_FAIL;
}

static void teardown(void *plan_)
{
    struct irc_plan *plan = plan_;
    ps_remote_target_teardown(&plan->session.target);
    if (plan->regex != NULL)
        ps_regex_destroy(plan->regex);
}

/* Connects without registering, because an agent that runs may use the nick. */
static void probe(const void *plan_, struct ps_context *context, const struct ps_probe *probe)
{
    struct irc_plan plan = *(const struct irc_plan *)plan_;
    struct ps_err err = {.length = 0};
    char shown[300];
    struct ps_client_plan to = {.connect_ns = probe->timeout_ms * PS_NS_PER_MS,
                                .transport = &ps_transport_plain};
    snprintf(shown, sizeof shown, "%.256s:%u", plan.host, (unsigned)plan.port);
    if (probe->local) {
        ps_probe_skipped(probe, shown, "not asked");
        return;
    }
    if (build(&plan, context, &err) != PS_OK) {
        ps_probe_failed(probe, shown, err.text, NULL);
        return;
    }
    if (ps_remote_probe_address(probe, &plan.session.target, shown, &to)) {
        char what[320];
        snprintf(what, sizeof what, "IRC server at %s", shown);
        ps_remote_probe_connection(probe, &to, what);
    }
    teardown(&plan);
}

static enum ps_status open_sink(const void *plan_, void *state, struct ps_port *port, struct ps_err *)
{
    const struct irc_plan *plan = plan_;
    ps_irc_session_open(state, &plan->session, port);
    return PS_OK;
}

static void close_sink(const void *, void *state)
{
    ps_irc_session_close(state);
}

static void outline(const void *plan_, const struct ps_context *, FILE *out)
{
    const struct irc_plan *plan = plan_;
    fprintf(out, "sends events to channel #%s of %s:%u as %s", plan->channel, plan->host,
            (unsigned)plan->port, plan->nick);
}

const struct ps_stage_ops ps_sink_irc = {
    PS_STAGE(PS_KIND_SINK),
    .name = "irc",
    .aliases = PS_WORDS("org.apache.flume.sink.irc.IRCSink"),
    .summary = "Sends events to a channel of an IRC server, which confirms each of them",
    .options = options,
    .plan_size = sizeof(struct irc_plan),
    .state_size = sizeof(struct ps_irc_session),
    .check = check,
    .build = build,
    .teardown = teardown,
    .open = open_sink,
    .close = close_sink,
    .outline = outline,
    .probe = probe,
    .sink = &ps_remote_sink_ops,
};
