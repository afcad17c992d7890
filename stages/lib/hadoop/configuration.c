/* More than 600 lines: the XML, the variables and the kinds of values are read into one table of keys. */
#include "stages/lib/hadoop/configuration.h"

#include <errno.h>
#include <expat.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/array.h"
#include "stages/lib/byte_buffer.h"
#include "stages/lib/hadoop/user.h"

struct entry {
    char *key;
    char *written; /* as in the file, trimmed */
    char *value;   /* with variables replaced; NULL before that */
    char *place;   /* file:line */
    bool final;
};

struct ps_hadoop_configuration {
    struct entry *entries;
    size_t count, room;
};

#define SUBSTITUTIONS_MAX 20U /* Configuration.MAX_SUBST */
#define VALUE_BYTES_MAX (1U << 20)
#define FILE_BYTES_MAX (16U << 20)
#define TOKEN_BYTES_MAX (1U << 20)
#define INCLUDES_MAX 16U
#define DEPTH_MAX 64U

/* ---- entries ---- */

/* Renamed keys of older versions (Configuration.DeprecationDelta, HdfsConfiguration). */
static const char *const renamed[][2] = {
    {"fs.default.name", "fs.defaultFS"},
    {"dfs.block.size", "dfs.blocksize"},
    {"dfs.umaskmode", "fs.permissions.umask-mode"},
    {"dfs.federation.nameservices", "dfs.nameservices"},
    {"dfs.http.address", "dfs.namenode.http-address"},
    {"dfs.https.address", "dfs.namenode.https-address"},
    {"dfs.write.packet.size", "dfs.client-write-packet-size"},
    {"dfs.socket.timeout", "dfs.client.socket-timeout"},
};

static const char *current_key(const char *key)
{
    for (size_t i = 0; i < PS_COUNT_OF(renamed); i++) {
        if (strcmp(key, renamed[i][0]) == 0)
            return renamed[i][1];
    }
    return key;
}

/* Returns the entry of a key, by its old or new name; NULL if there is none. */
static struct entry *find_entry(const struct ps_hadoop_configuration *configuration, const char *key)
{
    key = current_key(key);
    for (size_t i = 0; configuration != NULL && i < configuration->count; i++) {
        if (strcmp(configuration->entries[i].key, key) == 0)
            return &configuration->entries[i];
    }
    return NULL;
}

static void free_entry(struct entry *entry)
{
    free(entry->key);
    free(entry->written);
    free(entry->value);
    free(entry->place);
}

/* Sets a key, unless it is final. Copies `place` and the texts. */
static void set_entry(struct ps_hadoop_configuration *configuration, const char *key, const char *value,
                      const char *place, bool final)
{
    const char *purpose = "Hadoop's configuration";
    struct entry *entry = find_entry(configuration, key);
    if (entry != NULL && entry->final)
        return;
    if (entry != NULL) {
        free_entry(entry);
    } else {
        PS_ARRAY_GROW(configuration->entries, configuration->count, configuration->room, purpose);
        entry = &configuration->entries[configuration->count++];
    }
    *entry = (struct entry){.key = ps_must_copy_text(current_key(key), purpose),
                            .written = ps_must_copy_text(value, purpose),
                            .place = ps_must_copy_text(place, purpose),
                            .final = final};
}

void ps_hadoop_configuration_free(struct ps_hadoop_configuration *configuration)
{
    if (configuration == NULL)
        return;
    for (size_t i = 0; i < configuration->count; i++)
        free_entry(&configuration->entries[i]);
    free(configuration->entries);
    free(configuration);
}

/* ---- parsing XML, as Configuration.Parser does ---- */

/* A file that is being read. */
struct file {
    struct ps_hadoop_configuration *configuration;
    XML_Parser parser;
    const char *path;
    unsigned includes; /* nesting of included files */
    unsigned depth;    /* nesting of elements */
    struct ps_err *err;
    bool failed;
    char *name, *value; /* of the property */
    bool final;
    unsigned long line; /* of the property */
    bool collects;      /* the text of the present element is collected */
    struct ps_byte_buffer token;
    /* `missing`: the file of the <include> does not exist; `fallback`: the <include> has a <fallback>. */
    bool missing, fallback;
    unsigned fallback_depth; /* depth of the <fallback>; 0: not in one */
};

static enum ps_status read_file(struct ps_hadoop_configuration *configuration, const char *path,
                                unsigned includes, struct ps_err *err);

static void fail(struct file *file, const char *reason)
{
    if (!file->failed)
        ps_err_set(file->err, "%s:%lu: %s", file->path,
                   (unsigned long)XML_GetCurrentLineNumber64(file->parser), reason);
    file->failed = true;
    XML_StopParser(file->parser, XML_FALSE);
}

static char *trimmed(const char *text)
{
    size_t length;
    text += strspn(text, " \t\r\n");
    length = strlen(text);
    while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
        length--;
    char *copy = ps_must_alloc(length + 1, 1, "Hadoop's configuration");
    memcpy(copy, text, length);
    return copy;
}

static void set_text(char **to, char *text)
{
    free(*to);
    *to = text;
}

/* Returns the name without the namespace, which expat puts before it, with a blank between them. */
static const char *local_name(const char *name)
{
    const char *blank = strrchr(name, ' ');
    return blank != NULL ? blank + 1 : name;
}

static const char *attribute(const XML_Char **attributes, const char *name)
{
    for (; *attributes != NULL; attributes += 2) {
        if (strcmp(local_name(attributes[0]), name) == 0)
            return attributes[1];
    }
    return NULL;
}

static void begin_property(struct file *file, const XML_Char **attributes)
{
    const char *name = attribute(attributes, "name"), *value = attribute(attributes, "value");
    const char *final = attribute(attributes, "final");
    set_text(&file->name, name != NULL ? trimmed(name) : NULL);
    set_text(&file->value, value != NULL ? trimmed(value) : NULL);
    file->final = final != NULL && strcmp(final, "true") == 0;
    file->line = XML_GetCurrentLineNumber64(file->parser);
}

static void end_property(struct file *file)
{
    char place[PATH_MAX + 32];
    snprintf(place, sizeof place, "%s:%lu", file->path, file->line);
    if (file->fallback_depth > 0 && !file->missing)
        return; /* the included file exists, so its fallback is not used */
    if (file->name != NULL && file->name[0] != '\0' && file->value != NULL)
        set_entry(file->configuration, file->name, file->value, place, file->final);
}

/* Includes a file. A relative name is relative to the present file's directory. */
static void include(struct file *file, const XML_Char **attributes)
{
    const char *href = attribute(attributes, "href"), *slash = strrchr(file->path, '/');
    char path[PATH_MAX];
    file->missing = file->fallback = false;
    if (href == NULL) {
        fail(file, "<include> without href");
        return;
    }
    if (strncmp(href, "file://", 7) == 0)
        href += 7;
    else if (strncmp(href, "file:", 5) == 0)
        href += 5;
    else if (strstr(href, "://") != NULL) {
        fail(file, "<include> names an address: only files can be included");
        return;
    }
    if (href[0] == '/' || slash == NULL)
        snprintf(path, sizeof path, "%s", href);
    else
        snprintf(path, sizeof path, "%.*s/%s", (int)(slash - file->path), file->path, href);
    FILE *there = fopen(path, "re");
    if (there == NULL) {
        file->missing = true; /* allowed if there is a <fallback> */
        return;
    }
    fclose(there);
    if (file->includes >= INCLUDES_MAX)
        fail(file, "too many files include one another");
    else if (read_file(file->configuration, path, file->includes + 1, file->err) != PS_OK) {
        ps_err_append(file->err, "%s:%lu: included here", file->path,
                      (unsigned long)XML_GetCurrentLineNumber64(file->parser));
        file->failed = true;
        XML_StopParser(file->parser, XML_FALSE);
    }
}

static void XMLCALL begin_element(void *file_, const XML_Char *name, const XML_Char **attributes)
{
    struct file *file = file_;
    name = local_name(name);
    if (++file->depth > DEPTH_MAX) {
        fail(file, "elements are nested too deep");
    } else if (file->depth == 1 && strcmp(name, "configuration") != 0) {
        fail(file, "the file's first element is not <configuration>");
    } else if (strcmp(name, "property") == 0) {
        begin_property(file, attributes);
    } else if (strcmp(name, "include") == 0) {
        include(file, attributes);
    } else if (strcmp(name, "fallback") == 0) {
        file->fallback = true;
        file->fallback_depth = file->depth;
    }
    file->collects = strcmp(name, "name") == 0 || strcmp(name, "value") == 0 || strcmp(name, "final") == 0;
    file->token.length = 0;
}

static void XMLCALL add_text(void *file_, const XML_Char *text, int length)
{
    struct file *file = file_;
    if (!file->collects)
        return;
    if (file->token.length + (size_t)length > TOKEN_BYTES_MAX)
        fail(file, "the text is longer than 1 MiB");
    else
        (void)ps_byte_buffer_append(&file->token, text, (size_t)length); /* parse has made room */
}

static void XMLCALL end_element(void *file_, const XML_Char *name)
{
    struct file *file = file_;
    (void)ps_byte_buffer_append(&file->token, "", 1);
    const char *token = file->token.data;
    name = local_name(name);
    if (strcmp(name, "name") == 0)
        set_text(&file->name, trimmed(token));
    else if (strcmp(name, "value") == 0)
        set_text(&file->value, trimmed(token));
    else if (strcmp(name, "final") == 0)
        file->final = strcmp(token, "true") == 0;
    else if (strcmp(name, "property") == 0)
        end_property(file);
    else if (strcmp(name, "include") == 0 && file->missing && !file->fallback)
        fail(file, "the file that <include> names is not there, and there is no <fallback>");
    if (file->depth == file->fallback_depth)
        file->fallback_depth = 0;
    file->depth--;
    file->collects = false;
    file->token.length = 0;
}

static enum ps_status parse(struct file *file, const char *text, size_t length)
{
    file->token.data = ps_must_alloc(file->token.room = TOKEN_BYTES_MAX + 1, 1, "Hadoop's configuration");
    file->parser = XML_ParserCreateNS(NULL, ' ');
    if (file->parser == NULL)
        ps_out_of_memory(0, "Hadoop's configuration");
    XML_SetUserData(file->parser, file);
    XML_SetElementHandler(file->parser, begin_element, end_element);
    XML_SetCharacterDataHandler(file->parser, add_text);
    if (XML_Parse(file->parser, text, (int)length, 1) != XML_STATUS_OK && !file->failed)
        fail(file, XML_ErrorString(XML_GetErrorCode(file->parser)));
    XML_ParserFree(file->parser);
    free(file->name);
    free(file->value);
    free(file->token.data);
    return file->failed ? PS_FAIL : PS_OK;
}

static enum ps_status parse_text(struct ps_hadoop_configuration *configuration, const char *path,
                                 unsigned includes, const char *text, size_t length, struct ps_err *err)
{
    struct file file = {.configuration = configuration, .path = path, .includes = includes, .err = err};
    if (length > FILE_BYTES_MAX)
        return ps_err_set(err, "%s: longer than 16 MiB", path);
    return parse(&file, text, length);
}

static enum ps_status read_file(struct ps_hadoop_configuration *configuration, const char *path,
                                unsigned includes, struct ps_err *err)
{
    FILE *stream = fopen(path, "re");
    if (stream == NULL)
        return ps_err_set(err, "%s: %s", path, strerror(errno));
    char *text = ps_must_alloc(FILE_BYTES_MAX + 1, 1, "Hadoop's configuration");
    size_t length = fread(text, 1, FILE_BYTES_MAX + 1, stream);
    bool good = !ferror(stream);
    int error = errno;
    fclose(stream);
    enum ps_status status = good ? parse_text(configuration, path, includes, text, length, err)
                                 : ps_err_set(err, "%s: %s", path, strerror(error));
    free(text);
    return status;
}

/* ---- variables ---- */

/* Returns a value of the environment: "NAME", "NAME-default" (if not set), "NAME:-default" (if not set or empty). May
 * shorten `name`, and return a pointer into it. */
static const char *environment_value(char *name)
{
    char *colon = strstr(name, ":-"), *dash = strchr(name, '-'), *fallback = NULL;
    bool also_empty = colon != NULL && (dash == NULL || colon < dash);
    if (also_empty) {
        *colon = '\0';
        fallback = colon + 2;
    } else if (dash != NULL) {
        *dash = '\0';
        fallback = dash + 1;
    }
    const char *value = getenv(name);
    return value == NULL || (also_empty && value[0] == '\0') ? fallback : value;
}

/* Returns the value of a variable; NULL if it is unknown. May shorten `name`; `user` has room for a user's name. */
static const char *variable(const struct ps_hadoop_configuration *configuration, char *name,
                            char user[PS_HADOOP_USER_BYTES])
{
    if (strncmp(name, "env.", 4) == 0)
        return environment_value(name + 4);
    if (strcmp(name, "user.name") == 0)
        return ps_hadoop_user(user);
    if (strcmp(name, "user.home") == 0)
        return getenv("HOME");
    if (strcmp(name, "java.io.tmpdir") == 0)
        return "/tmp";
    const struct entry *entry = find_entry(configuration, name);
    return entry != NULL ? entry->written : NULL;
}

/* Finds the first ${..} whose name has no blank, '$' or '}' (Configuration.findSubVariable). Returns false if there is none. */
static bool find_variable(const char *text, size_t *start, size_t *end)
{
    for (const char *at = text; (at = strstr(at, "${")) != NULL; at += 2) {
        size_t length = strcspn(at + 2, "}$ ");
        if (length > 0 && at[2 + length] == '}') {
            *start = (size_t)(at - text);
            *end = *start + length + 3;
            return true;
        }
    }
    return false;
}

static enum ps_status expand(const struct ps_hadoop_configuration *configuration, struct entry *entry,
                             struct ps_err *err)
{
    const char *purpose = "Hadoop's configuration";
    char *text = ps_must_copy_text(entry->written, purpose), user[PS_HADOOP_USER_BYTES];
    size_t start, end;
    unsigned count = 0;
    enum ps_status status = PS_OK;
    while (status == PS_OK && find_variable(text, &start, &end)) {
        char *name = ps_must_copy_text(text + start + 2, purpose);
        name[end - start - 3] = '\0';
        const char *value = variable(configuration, name, user);
        if (value == NULL) {
            free(name);
            break; /* the rest stays as it is */
        }
        size_t length = strlen(text) + strlen(value) + 1;
        if (++count > SUBSTITUTIONS_MAX || length > VALUE_BYTES_MAX) {
            status =
                ps_err_set(err, "%s: %s: more than %u variables to replace: do they refer to one another?",
                           entry->place, entry->key, SUBSTITUTIONS_MAX);
        } else {
            char *next = ps_must_alloc(length, 1, purpose);
            snprintf(next, length, "%.*s%s%s", (int)start, text, value, text + end);
            free(text);
            text = next;
        }
        free(name);
    }
    entry->value = text;
    return status;
}

/* ---- values ---- */

const char *ps_hadoop_configuration_text(const struct ps_hadoop_configuration *configuration, const char *key)
{
    const struct entry *entry = find_entry(configuration, key);
    return entry != NULL && entry->value[0] != '\0' ? entry->value : NULL;
}

const char *ps_hadoop_configuration_place(const struct ps_hadoop_configuration *configuration,
                                          const char *key)
{
    const struct entry *entry = find_entry(configuration, key);
    return entry != NULL ? entry->place : NULL;
}

bool ps_hadoop_configuration_boolean(const struct ps_hadoop_configuration *configuration, const char *key,
                                     bool missing)
{
    const char *text = ps_hadoop_configuration_text(configuration, key);
    if (text != NULL && strcasecmp(text, "true") == 0)
        return true;
    return text != NULL && strcasecmp(text, "false") == 0 ? false : missing;
}

/* MILLISECONDS and SECONDS: a time; the name says what a number without a unit means. */
enum form { NUMBER, PLAIN_BYTES, BYTES, MILLISECONDS, SECONDS, UMASK };

#define TAKES(form) (1U << (form))
#define TIMES (TAKES(MILLISECONDS) | TAKES(SECONDS))

static const struct {
    const char *name;
    unsigned forms; /* that take the unit */
    uint64_t factor;
} units[] = {
    {"", ~TAKES(SECONDS), 1},
    {"", TAKES(SECONDS), 1000},
    {"k", TAKES(BYTES), UINT64_C(1) << 10},
    {"m", TAKES(BYTES), UINT64_C(1) << 20},
    {"g", TAKES(BYTES), UINT64_C(1) << 30},
    {"t", TAKES(BYTES), UINT64_C(1) << 40},
    {"p", TAKES(BYTES), UINT64_C(1) << 50},
    {"e", TAKES(BYTES), UINT64_C(1) << 60},
    {"ms", TIMES, 1},
    {"s", TIMES, 1000},
    {"m", TIMES, 60000},
    {"h", TIMES, 3600000},
    {"d", TIMES, 86400000},
};

/* Parses a number with a unit. Negative numbers become 0; parts of a millisecond are dropped. */
static bool parse_number(const char *text, enum form form, uint64_t *number)
{
    char *end;
    bool negative = text[0] == '-';
    const char *digits = negative ? text + 1 : text;
    bool hexadecimal = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
    if (digits[0] < '0' || digits[0] > '9')
        return false;
    errno = 0;
    unsigned long long value = strtoull(digits, &end, hexadecimal ? 16 : 10);
    if (errno != 0)
        return false;
    for (size_t i = 0; i < PS_COUNT_OF(units); i++) {
        if ((units[i].forms & TAKES(form)) == 0 || strcasecmp(end, units[i].name) != 0)
            continue;
        if (__builtin_mul_overflow(value, units[i].factor, number))
            return false;
        if (negative)
            *number = 0;
        return true;
    }
    if ((TAKES(form) & TIMES) != 0 && (strcasecmp(end, "us") == 0 || strcasecmp(end, "ns") == 0)) {
        *number = negative ? 0 : value / (end[0] == 'u' || end[0] == 'U' ? 1000 : 1000000);
        return true;
    }
    return false;
}

static uint64_t number_of(const struct ps_hadoop_configuration *configuration, const char *key,
                          enum form form, uint64_t missing)
{
    const char *text = ps_hadoop_configuration_text(configuration, key);
    uint64_t number;
    return text != NULL && parse_number(text, form, &number) ? number : missing;
}

uint64_t ps_hadoop_configuration_number(const struct ps_hadoop_configuration *configuration, const char *key,
                                        uint64_t missing)
{
    return number_of(configuration, key, NUMBER, missing);
}

uint64_t ps_hadoop_configuration_bytes(const struct ps_hadoop_configuration *configuration, const char *key,
                                       uint64_t missing)
{
    return number_of(configuration, key, BYTES, missing);
}

uint64_t ps_hadoop_configuration_ms(const struct ps_hadoop_configuration *configuration, const char *key,
                                    uint64_t missing)
{
    return number_of(configuration, key, MILLISECONDS, missing);
}

uint64_t ps_hadoop_configuration_seconds_ms(const struct ps_hadoop_configuration *configuration,
                                            const char *key, uint64_t missing)
{
    return number_of(configuration, key, SECONDS, missing);
}

/* ---- the umask ---- */

#define UMASK_KEY "fs.permissions.umask-mode"
#define UMASK_DEFAULT 022U

/* Parses a clause such as "u=rwx", "go-w" or "a+r", and changes the permissions that are left. Returns the end of the
 * clause, or NULL if it is invalid. */
static const char *take_clause(const char *at, unsigned *left)
{
    unsigned who = 0, bits = 0;
    char change;
    for (; *at != '\0' && strchr("ugoa", *at) != NULL; at++)
        who |= *at == 'u' ? 0700U : *at == 'g' ? 070U : *at == 'o' ? 07U : 0777U;
    if (*at == '\0' || strchr("=+-", *at) == NULL)
        return NULL;
    for (change = *at++; *at != '\0' && strchr("rwx", *at) != NULL; at++)
        bits |= *at == 'r' ? 0444U : *at == 'w' ? 0222U : 0111U;
    who = who != 0 ? who : 0777U;
    bits &= who;
    if (change == '=')
        *left = (*left & ~who) | bits;
    else
        *left = change == '+' ? *left | bits : *left & ~bits;
    return at + strspn(at, ", ");
}

static bool parse_umask(const char *text, unsigned *umask)
{
    unsigned left = 0;
    if (strspn(text, "01234567") == strlen(text) && strlen(text) <= 4) {
        *umask = (unsigned)strtoul(text, NULL, 8) & 0777U;
        return true;
    }
    while (text != NULL && *text != '\0')
        text = take_clause(text, &left);
    *umask = ~left & 0777U;
    return text != NULL;
}

unsigned ps_hadoop_configuration_umask(const struct ps_hadoop_configuration *configuration)
{
    const char *text = ps_hadoop_configuration_text(configuration, UMASK_KEY);
    unsigned umask;
    return text != NULL && parse_umask(text, &umask) ? umask : UMASK_DEFAULT;
}

/* ---- allowed values of the keys that this program reads ---- */

#define CHUNK_KEY "dfs.bytes-per-checksum"
#define PACKET_KEY "dfs.client-write-packet-size"
#define CHUNK_BYTES_DEFAULT 512U

static const struct {
    const char *key;
    enum form form;
    uint64_t min, max;
} forms[] = {
    {"dfs.blocksize", BYTES, 1, INT64_MAX},
    {CHUNK_KEY, PLAIN_BYTES, 1, 1U << 20},   /* PS_PACKET_CHUNK_BYTES_MAX */
    {PACKET_KEY, PLAIN_BYTES, 1, 16U << 20}, /* PS_PACKET_BYTES_MAX */
    {"dfs.client.block.write.replace-datanode-on-failure.min-replication", NUMBER, 0, INT32_MAX},
    {"dfs.client.block.write.retries", NUMBER, 0, INT32_MAX},
    {"dfs.client.datanode-restart.timeout", SECONDS, 0, INT32_MAX},
    {"dfs.client.failover.sleep.base.millis", NUMBER, 0, INT32_MAX},
    {"dfs.client.failover.sleep.max.millis", NUMBER, 0, INT32_MAX},
    {"dfs.client.pipeline.recovery.max-retries", NUMBER, 0, INT32_MAX},
    {"dfs.client.socket-timeout", NUMBER, 0, INT32_MAX},
    {"dfs.client.write.exclude.nodes.cache.expiry.interval.millis", MILLISECONDS, 0, INT64_MAX / 1000000},
    {"dfs.replication", NUMBER, 1, 512},
    {UMASK_KEY, UMASK, 0, 0777},
    {"ipc.client.connect.retry.interval", NUMBER, 0, INT32_MAX},
    {"ipc.client.connect.timeout", NUMBER, 1, INT32_MAX},
    {"ipc.client.connection.maxidletime", NUMBER, 1, INT32_MAX},
    {"ipc.client.rpc-timeout.ms", MILLISECONDS, 0, INT32_MAX},
    {"ipc.maximum.response.length", NUMBER, 4096, INT32_MAX},
    {"ipc.ping.interval", NUMBER, 1, INT32_MAX},
};

static enum ps_status check_forms(const struct ps_hadoop_configuration *configuration, struct ps_err *err)
{
    static const char *const names[] = {
        [NUMBER] = "a number",      [PLAIN_BYTES] = "a number of bytes, which has no unit here (65536)",
        [BYTES] = "a size (128m)",  [MILLISECONDS] = "a time (60s)",
        [SECONDS] = "a time (60s)", [UMASK] = "an umask (022)",
    };
    for (size_t i = 0; i < PS_COUNT_OF(forms); i++) {
        const char *text = ps_hadoop_configuration_text(configuration, forms[i].key);
        const char *place = ps_hadoop_configuration_place(configuration, forms[i].key);
        enum form form = forms[i].form;
        uint64_t number = 0;
        unsigned umask;
        if (text == NULL)
            continue;
        if (form == UMASK ? !parse_umask(text, &umask) : !parse_number(text, form, &number))
            return ps_err_set(err, "%s: %s = '%s' is not %s", place, forms[i].key, text, names[form]);
        if (number < forms[i].min || number > forms[i].max)
            return ps_err_set(err, "%s: %s = '%s' is not between %llu and %llu", place, forms[i].key, text,
                              (unsigned long long)forms[i].min, (unsigned long long)forms[i].max);
    }
    return PS_OK;
}

static bool is_one_of(const char *text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(text, words[i]) == 0)
            return true;
    }
    return false;
}

/* Checks DataChecksum.Type. With another value a namenode does not start; a client only logs the mistake, and uses
 * CRC32C. */
static enum ps_status check_checksum(const struct ps_hadoop_configuration *configuration, struct ps_err *err)
{
    static const char key[] = "dfs.checksum.type";
    static const char *const types[] = {"CRC32C", "CRC32", "NULL"};
    const char *text = ps_hadoop_configuration_text(configuration, key);
    if (text == NULL || is_one_of(text, types, PS_COUNT_OF(types)))
        return PS_OK;
    return ps_err_set(err,
                      "%s: %s = '%s' is not CRC32C (Hadoop's default), CRC32 or NULL; without the key it is "
                      "the namenode's",
                      ps_hadoop_configuration_place(configuration, key), key, text);
}

/* Checks settings that DFSOutputStream and ReplaceDatanodeOnFailure.getPolicy refuse when a file is written. */
static enum ps_status check_writing(const struct ps_hadoop_configuration *configuration, struct ps_err *err)
{
    static const char *const policies[] = {"DEFAULT", "NEVER", "ALWAYS"};
    static const char policy_key[] = "dfs.client.block.write.replace-datanode-on-failure.policy";
    const char *policy = ps_hadoop_configuration_text(configuration, policy_key);
    uint64_t chunk_bytes = ps_hadoop_configuration_number(configuration, CHUNK_KEY, CHUNK_BYTES_DEFAULT);
    if (ps_hadoop_configuration_bytes(configuration, "dfs.blocksize", 0) % chunk_bytes != 0)
        return ps_err_set(err, "%s: dfs.blocksize = '%s' is not a multiple of %llu (dfs.bytes-per-checksum)",
                          ps_hadoop_configuration_place(configuration, "dfs.blocksize"),
                          ps_hadoop_configuration_text(configuration, "dfs.blocksize"),
                          (unsigned long long)chunk_bytes);
    if (policy != NULL && !is_one_of(policy, policies, PS_COUNT_OF(policies)))
        return ps_err_set(err, "%s: %s = '%s' is not DEFAULT, NEVER or ALWAYS",
                          ps_hadoop_configuration_place(configuration, policy_key), policy_key, policy);
    return check_checksum(configuration, err);
}

/* ---- loading ---- */

static bool is_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

const char *ps_hadoop_configuration_find(const char *configured, char directory[PS_HADOOP_DIRECTORY_BYTES])
{
    const char *named = configured != NULL ? configured : getenv("HADOOP_CONF_DIR");
    const char *home = getenv("HADOOP_HOME");
    if (named != NULL && named[0] != '\0')
        snprintf(directory, PS_HADOOP_DIRECTORY_BYTES, "%s", named);
    else if (home != NULL && home[0] != '\0')
        snprintf(directory, PS_HADOOP_DIRECTORY_BYTES, "%s/etc/hadoop", home);
    else if (is_file("/etc/hadoop/conf/core-site.xml"))
        snprintf(directory, PS_HADOOP_DIRECTORY_BYTES, "/etc/hadoop/conf");
    else
        return NULL;
    return directory;
}

void ps_hadoop_configuration_files(const char *configured, const char *const *names,
                                   void (*add)(void *argument, const char *path), void *argument)
{
    char room[PS_HADOOP_DIRECTORY_BYTES], path[PS_HADOOP_DIRECTORY_BYTES + 32];
    const char *directory = ps_hadoop_configuration_find(configured, room);
    for (; directory != NULL && *names != NULL; names++) {
        snprintf(path, sizeof path, "%s/%s", directory, *names);
        if (access(path, F_OK) == 0)
            add(argument, path);
    }
}

static enum ps_status finish(struct ps_hadoop_configuration *configuration, enum ps_status status,
                             struct ps_hadoop_configuration **result, struct ps_err *err)
{
    for (size_t i = 0; status == PS_OK && i < configuration->count; i++)
        status = expand(configuration, &configuration->entries[i], err);
    if (status == PS_OK)
        status = check_forms(configuration, err);
    if (status == PS_OK)
        status = check_writing(configuration, err);
    if (status == PS_OK)
        *result = configuration;
    else
        ps_hadoop_configuration_free(configuration);
    return status;
}

enum ps_status ps_hadoop_configuration_load_files(struct ps_hadoop_configuration **result,
                                                  const char *directory, const char *const *names,
                                                  struct ps_err *err)
{
    char path[PATH_MAX];
    struct stat status;
    enum ps_status read = PS_OK;
    if (stat(directory, &status) != 0)
        return ps_err_set(err, "%s: %s", directory, strerror(errno));
    if (!S_ISDIR(status.st_mode))
        return ps_err_set(err, "%s: not a directory", directory);
    struct ps_hadoop_configuration *configuration =
        ps_must_alloc(1, sizeof *configuration, "Hadoop's configuration");
    for (; *names != NULL && read == PS_OK; names++) {
        snprintf(path, sizeof path, "%s/%s", directory, *names);
        if (stat(path, &status) == 0 || errno != ENOENT)
            read = read_file(configuration, path, 0, err);
    }
    return finish(configuration, read, result, err);
}

enum ps_status ps_hadoop_configuration_load(struct ps_hadoop_configuration **configuration,
                                            const char *directory, struct ps_err *err)
{
    static const char *const names[] = {"core-site.xml", "hdfs-site.xml", "ssl-client.xml", NULL};
    return ps_hadoop_configuration_load_files(configuration, directory, names, err);
}

enum ps_status ps_hadoop_configuration_parse(struct ps_hadoop_configuration **result, const char *name,
                                             const char *xml, size_t length, struct ps_err *err)
{
    struct ps_hadoop_configuration *configuration =
        ps_must_alloc(1, sizeof *configuration, "Hadoop's configuration");
    enum ps_status status = parse_text(configuration, name, 0, xml, length, err);
    return finish(configuration, status, result, err);
}
