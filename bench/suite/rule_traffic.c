#include "bench/suite/rule_traffic.h"

#include <stdarg.h>
#include <string.h>

/* ---- words: four syllables, all different, unordered (none begins with z: rsyslog would uncompress
 * it) ---- */

#define SYLLABLES 75U /* 15 consonants, 5 vowels */
#define WORDS (SYLLABLES * SYLLABLES * SYLLABLES * SYLLABLES)
#define WORD_BYTES 8
/* prime, so it shares no factor with WORDS: every word occurs once */
#define WORDS_STEP UINT64_C(19260817)

enum word_set { OF_RULES, OF_NOBODY };

static void word_make(enum word_set set, uint64_t number, char word[WORD_BYTES])
{
    static const char consonants[] = "bdfghklmnprstvw", vowels[] = "aeiou";
    uint64_t place = (uint64_t)set * (WORDS / 2) + number % (WORDS / 2);
    uint64_t at = (place * WORDS_STEP + PS_RULE_TRAFFIC_SEED) % WORDS;
    for (int i = 0; i < WORD_BYTES; i += 2) {
        word[i] = consonants[at % SYLLABLES / 5];
        word[i + 1] = vowels[at % 5];
        at /= SYLLABLES;
    }
}

/* ---- randomness: splitmix64 ---- */

static uint64_t random_next(struct ps_rule_traffic *traffic)
{
    uint64_t z = traffic->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint32_t random_below(struct ps_rule_traffic *traffic, uint32_t limit)
{
    return (uint32_t)(((random_next(traffic) >> 32) * limit) >> 32);
}

/* The rules of one service in a dense set. Every event of the service is hit by one of the first four; the
 * other two hit some of the events that the fourth one hits. */
static const char *const dense_patterns[] = {
    "service=(%s-%u) status=2[0-9][0-9]", "service=(%s-%u) status=3[0-9][0-9]",
    "service=(%s-%u) status=4[0-9][0-9]", "service=(%s-%u) status=5[0-9][0-9]",
    "service=(%s-%u) status=50[0-9]",     "service=(%s-%u) status=503",
};
#define DENSE_EACH 4U /* the first rules of a service, of which exactly one hits each event of the service */

void ps_rule_traffic_init(struct ps_rule_traffic *traffic, enum ps_rule_traffic_kind kind, uint32_t rules)
{
    PS_ASSERT(rules >= (kind == PS_RULE_TRAFFIC_DENSE ? DENSE_EACH : 1) &&
              rules <= PS_RULE_TRAFFIC_RULES_MAX);
    *traffic =
        (struct ps_rule_traffic){.kind = kind, .rules = rules, .one_in = 100, .random = PS_RULE_TRAFFIC_SEED};
}

const char *ps_rule_traffic_name(enum ps_rule_traffic_kind kind)
{
    return kind == PS_RULE_TRAFFIC_SPREAD ? "spread" : "dense";
}

/* ---- rules ---- */

enum shape { STATUS, PATH, EXCEPTION, TAG, USER, HOST, BETWEEN, ANCHORED };

static const char *const channel_names[PS_RULE_TRAFFIC_SHAPES] = {"status", "path", "exception", "program",
                                                                  "user",   "host", "between",   "anchored"};

/* Typical expressions; %s is the rule's own word. They also contain text that all traffic has ("request", "status=5"):
 * if the expressions consisted of their own words only, 10 rules would cost a sixth of what they cost, and 10,000 rules
 * a third. */
static const char *const spread_patterns[PS_RULE_TRAFFIC_SHAPES] = {
    [STATUS] = "status=5[0-9][0-9] .*service=(%s)",
    [PATH] = "\"[A-Z]+ /api/v[0-9]/(%s)/",
    [EXCEPTION] = "(%s)[a-z]*Exception",
    [TAG] = " (%s)\\[[0-9]+\\]: ",
    [USER] = "user=(%s)( |,|$)",
    [HOST] = "host=(%s)[0-9]+[.](eu|us|ap)[.]",
    [BETWEEN] = "request .*(%s)",
    [ANCHORED] = "^(%s) (started|stopped|failed)",
};

static const char *const service_names[] = {"checkout", "payment", "inventory", "shipping",
                                            "search",   "session", "catalogue", "billing"};

unsigned ps_rule_traffic_pattern(const struct ps_rule_traffic *traffic, uint32_t rule,
                                 char pattern[PS_RULE_TRAFFIC_PATTERN_BYTES])
{
    PS_ASSERT(rule < traffic->rules);
    int length;
    if (traffic->kind == PS_RULE_TRAFFIC_DENSE) {
        uint32_t service = rule / PS_COUNT_OF(dense_patterns);
        length = snprintf(pattern, PS_RULE_TRAFFIC_PATTERN_BYTES,
                          dense_patterns[rule % PS_COUNT_OF(dense_patterns)],
                          service_names[service % PS_COUNT_OF(service_names)], service);
    } else {
        char word[WORD_BYTES + 1] = "";
        word_make(OF_RULES, rule, word);
        if (rule % PS_RULE_TRAFFIC_SHAPES == EXCEPTION)
            word[0] = (char)(word[0] - 'a' + 'A');
        length = snprintf(pattern, PS_RULE_TRAFFIC_PATTERN_BYTES,
                          spread_patterns[rule % PS_RULE_TRAFFIC_SHAPES], word);
    }
    PS_ASSERT(length > 0 && length < (int)PS_RULE_TRAFFIC_PATTERN_BYTES);
    return (unsigned)length;
}

unsigned ps_rule_traffic_word(const struct ps_rule_traffic *traffic, uint32_t rule,
                              char word[PS_RULE_TRAFFIC_PATTERN_BYTES])
{
    ps_rule_traffic_pattern(traffic, rule, word);
    char *from = strchr(word, '('), *to = strchr(word, ')');
    PS_ASSERT(from != NULL && to != NULL);
    *to = '\0';
    memmove(word, from + 1, (size_t)(to - from));
    return (unsigned)(to - from - 1);
}

const char *ps_rule_traffic_channel(const struct ps_rule_traffic *traffic, uint32_t rule)
{
    return channel_names[traffic->kind == PS_RULE_TRAFFIC_SPREAD
                             ? rule % PS_RULE_TRAFFIC_SHAPES
                             : rule / PS_COUNT_OF(dense_patterns) % PS_RULE_TRAFFIC_SHAPES];
}

void ps_rule_traffic_rules(const struct ps_rule_traffic *traffic, enum ps_rule_traffic_action action,
                           FILE *to)
{
    char pattern[PS_RULE_TRAFFIC_PATTERN_BYTES];
    fprintf(to, "# %s, %u rules, made by bench/suite/rule_traffic.c\nmode first\n%s\n",
            ps_rule_traffic_name(traffic->kind), traffic->rules,
            action == PS_RULE_TRAFFIC_ROUTE ? "default rest\n" : "");
    for (uint32_t rule = 0; rule < traffic->rules; rule++) {
        const char *channel = ps_rule_traffic_channel(traffic, rule);
        ps_rule_traffic_pattern(traffic, rule, pattern);
        if (action == PS_RULE_TRAFFIC_ROUTE)
            fprintf(to, "rule r%u { when body ~ m!%s! route %s }\n", rule, pattern, channel);
        else
            fprintf(to, "rule r%u { when body ~ m!%s! set header.route = \"%s\" }\n", rule, pattern, channel);
    }
}

/* ---- events ---- */

struct line {
    char *at, *end;
};

static void put(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct line *line, const char *format, ...)
{
    char text[PS_RULE_TRAFFIC_BYTES + 1];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    PS_ASSERT(length >= 0 && length <= line->end - line->at);
    memcpy(line->at, text, (size_t)length);
    line->at += length;
}

/* Adds words of free text up to the event's size, before `tail`. */
static void put_text(struct ps_rule_traffic *traffic, struct line *line, const char *tail)
{
    static const char *const words[] = {
        "request", "from",    "cache", "was",  "taken",   "after",  "retry",   "of",    "the", "queue",
        "while",   "reading", "index", "with", "timeout", "on",     "primary", "shard", "and", "waiting",
        "for",     "commit",  "log",   "to",   "flush",   "before", "next",    "poll",  "in",  "worker"};
    size_t behind = strlen(tail);
    PS_ASSERT(line->end - line->at >= (ptrdiff_t)behind);
    char *stop = line->end - behind;
    while (line->at < stop) {
        const char *word = words[random_below(traffic, PS_COUNT_OF(words))];
        for (; *word != '\0' && line->at < stop; word++)
            *line->at++ = *word;
        if (line->at < stop)
            *line->at++ = ' ';
    }
    memcpy(line->at, tail, behind);
    line->at += behind;
}

struct words {
    char word[WORD_BYTES + 1];      /* the rule's word, or one that no rule has */
    char others[4][WORD_BYTES + 1]; /* words that no rule has */
};

static unsigned status_of(struct ps_rule_traffic *traffic)
{
    static const unsigned statuses[] = {200, 200, 200, 200, 200, 204, 301, 304, 404, 500, 503};
    return statuses[random_below(traffic, PS_COUNT_OF(statuses))];
}

static void put_key_values(struct ps_rule_traffic *traffic, struct line *line, const struct words *words,
                           enum shape shape)
{
    static const char *const regions[] = {"eu", "us", "ap"};
    uint32_t bits = random_below(traffic, 1000);
    unsigned status = shape == STATUS ? 500 + bits % 5 : status_of(traffic);
    put(line,
        "time=2026-11-20T09:%02u:%02u.%03uZ level=%s host=%s%u.%s.example user=%s status=%u service=%s "
        "ms=%u ",
        bits % 60, bits * 7 % 60, bits, bits % 10 == 0 ? "WARN" : "INFO",
        shape == HOST ? words->word : words->others[0], bits % 40, regions[bits % 3],
        shape == USER ? words->word : words->others[1], status,
        shape == STATUS ? words->word : words->others[2], bits);
    if (shape == BETWEEN)
        put(line, "request taken over by %s ", words->word);
    put(line, "msg=\"");
    put_text(traffic, line, "\"");
}

static void put_access(struct ps_rule_traffic *traffic, struct line *line, const struct words *words)
{
    static const char *const methods[] = {"GET", "GET", "GET", "POST", "PUT"};
    uint32_t bits = random_below(traffic, 10000);
    put(line,
        "10.%u.%u.%u - %s [20/Nov/2026:09:%02u:%02u +0000] \"%s /api/v%u/%s/%u HTTP/1.1\" %u %u \"-\" \"",
        bits % 200, bits % 250, bits % 100, words->others[0], bits % 60, bits * 7 % 60, methods[bits % 5],
        1 + bits % 2, words->word, bits, status_of(traffic), bits * 3);
    put_text(traffic, line, "\"");
}

static void put_syslog(struct ps_rule_traffic *traffic, struct line *line, const struct words *words)
{
    uint32_t bits = random_below(traffic, 10000);
    put(line, "Nov 20 09:%02u:%02u %s %s[%u]: ", bits % 60, bits * 7 % 60, words->others[0], words->word,
        bits);
    put_text(traffic, line, "");
}

static void put_exception(struct ps_rule_traffic *traffic, struct line *line, const struct words *words)
{
    uint32_t bits = random_below(traffic, 1000);
    char name[WORD_BYTES + 1];
    memcpy(name, words->word, sizeof name);
    name[0] = (char)(name[0] - 'a' + 'A');
    put(line,
        "2026-11-20 09:%02u:%02u,%03u ERROR [worker-%u] com.example.%s: org.%s.%sException: ", bits % 60,
        bits * 7 % 60, bits, bits % 16, words->others[0], words->others[1], name);
    put_text(traffic, line, "");
}

static void put_job(struct ps_rule_traffic *traffic, struct line *line, const struct words *words)
{
    static const char *const verbs[] = {"started", "stopped", "failed"};
    put(line, "%s %s: ", words->word, verbs[random_below(traffic, PS_COUNT_OF(verbs))]);
    put_text(traffic, line, "");
}

static void spread_event(struct ps_rule_traffic *traffic, struct line *line, uint32_t rule)
{
    /* Shapes of events without a hit; most are key=value and access lines. */
    static const enum shape shapes[] = {STATUS, USER, HOST, BETWEEN,   PATH,
                                        PATH,   TAG,  TAG,  EXCEPTION, ANCHORED};
    struct words words = {0};
    bool hit = rule != PS_RULE_TRAFFIC_NONE;
    enum shape shape = hit ? (enum shape)(rule % PS_RULE_TRAFFIC_SHAPES)
                           : shapes[random_below(traffic, PS_COUNT_OF(shapes))];
    for (size_t i = 0; i < PS_COUNT_OF(words.others); i++)
        word_make(OF_NOBODY, random_next(traffic) >> 8, words.others[i]);
    word_make(hit ? OF_RULES : OF_NOBODY, hit ? rule : random_next(traffic) >> 8, words.word);
    switch (shape) {
    case PATH:
        put_access(traffic, line, &words);
        break;
    case EXCEPTION:
        put_exception(traffic, line, &words);
        break;
    case TAG:
        put_syslog(traffic, line, &words);
        break;
    case ANCHORED:
        put_job(traffic, line, &words);
        break;
    case STATUS:
    case USER:
    case HOST:
    case BETWEEN:
        put_key_values(traffic, line, &words, shape);
        break;
    }
}

static uint32_t dense_event(struct ps_rule_traffic *traffic, struct line *line)
{
    uint32_t each = (uint32_t)PS_COUNT_OF(dense_patterns), bits = random_below(traffic, 1000);
    uint32_t service = random_below(traffic, (traffic->rules + each - DENSE_EACH) / each);
    unsigned status = status_of(traffic);
    put(line, "time=2026-11-20T09:%02u:%02u.%03uZ level=INFO service=%s-%u status=%u ms=%u msg=\"", bits % 60,
        bits * 7 % 60, bits, service_names[service % PS_COUNT_OF(service_names)], service, status, bits);
    put_text(traffic, line, "\"");
    return service * each + status / 100 - 2;
}

uint32_t ps_rule_traffic_event(struct ps_rule_traffic *traffic, char event[PS_RULE_TRAFFIC_BYTES])
{
    struct line line = {event, event + PS_RULE_TRAFFIC_BYTES};
    uint32_t rule = PS_RULE_TRAFFIC_NONE;
    if (traffic->kind == PS_RULE_TRAFFIC_DENSE)
        rule = dense_event(traffic, &line);
    else {
        if (traffic->one_in > 0 && random_below(traffic, traffic->one_in) == 0)
            rule = random_below(traffic, traffic->rules);
        spread_event(traffic, &line, rule);
    }
    PS_ASSERT(line.at == line.end);
    return rule;
}
