#include "stages/lib/java/exit_reason.h"
#include "core/text/ends.h"

#include <stdio.h>
#include <string.h>

/* Weights of a line: a line replaces an earlier line of less weight. */
enum { NOTHING, A_LINE, A_REASON, AN_END };

enum next { AS_IT_IS, THE_REASON, MORE_OF_IT, THE_FRAME, THE_REPORT };

struct beginning {
    const char *text;
    unsigned weight;
    enum next next;
    bool refused;  /* the JVM refuses to start */
    bool of_crash; /* counts only in the report of a crash */
};

static const struct beginning beginnings[] = {
    {"Terminating due to java.lang.OutOfMemoryError", AN_END, AS_IT_IS, false, false},
    {"Aborting due to java.lang.OutOfMemoryError", AN_END, AS_IT_IS, false, false},
    {"There is insufficient memory for the Java Runtime", AN_END, MORE_OF_IT, false, false},
    {"SIG", AN_END, AS_IT_IS, false, true},
    {"Internal Error", AN_END, AS_IT_IS, false, true},
    {"fatal error:", AN_END, AS_IT_IS, false, true},
    {"System.exit was called by ", AN_END, AS_IT_IS, false, false}, /* Host.java */
    {"FATAL ERROR in native method", AN_END, AS_IT_IS, false, false},
    {"Problematic frame:", NOTHING, THE_FRAME, false, false},
    {"An error report file with more information is saved as:", NOTHING, THE_REPORT, false, false},
    {"Error: Could not create the Java Virtual Machine", NOTHING, AS_IT_IS, true, false},
    {"Error: A fatal exception has occurred", NOTHING, AS_IT_IS, false, false},
    {"Error: A JNI error has occurred", NOTHING, AS_IT_IS, false, false}, /* the exception follows */
    {"Error occurred during initialization of VM", NOTHING, THE_REASON, true, false},
    {"Error: LinkageError occurred", A_REASON, MORE_OF_IT, false, false},
    {"Error: Could not find or load main class", A_REASON, MORE_OF_IT, false, false},
    {"Error", A_REASON, AS_IT_IS, false, false},
    {"Exception in thread", A_REASON, AS_IT_IS, false, false},
    {"Invalid ", A_REASON, AS_IT_IS, false, false},
    {"Unrecognized ", A_REASON, AS_IT_IS, false, false},
    {"Conflicting ", A_REASON, AS_IT_IS, false, false},
    {"Picked up ", NOTHING, AS_IT_IS, false, false},
    {"WARNING:", NOTHING, AS_IT_IS, false, false},
};

void ps_java_exit_reason_begin(struct ps_java_exit_reason *words)
{
    *words = (struct ps_java_exit_reason){.weight = NOTHING};
}

void ps_java_exit_reason_ran(struct ps_java_exit_reason *words)
{
    words->ran = true;
    words->refused = false;
    if (words->weight < AN_END) {
        words->weight = NOTHING;
        words->next = AS_IT_IS;
    }
}

static void append(struct ps_java_exit_reason *words, const char *before, const char *line, size_t length)
{
    size_t used = strlen(words->text);
    snprintf(words->text + used, sizeof words->text - used, "%s%.*s", before, (int)length, line);
}

static void append_to_sentence(struct ps_java_exit_reason *words, const char *line, size_t length)
{
    size_t used = strlen(words->text);
    if (used > 0 && words->text[used - 1] == '.')
        words->text[used - 1] = '\0';
    append(words, ": ", line, length);
}

/* Handles a line that belongs to the one before it. Returns false when the line does not. */
static bool take_next(struct ps_java_exit_reason *words, const char *line, size_t length)
{
    enum next next = (enum next)words->next;
    words->next = AS_IT_IS;
    if (next == THE_REPORT)
        snprintf(words->report, sizeof words->report, "%.*s", (int)length, line);
    else if (next == THE_FRAME && words->weight == AN_END)
        append(words, " in ", line, length);
    else if (next == MORE_OF_IT)
        append_to_sentence(words, line, length);
    return next == THE_REPORT || next == THE_FRAME || next == MORE_OF_IT;
}

static bool begins(const char *line, size_t length, const char *text)
{
    return length >= strlen(text) && memcmp(line, text, strlen(text)) == 0;
}

static void weigh(struct ps_java_exit_reason *words, struct beginning found, const char *line, size_t length)
{
    words->refused |= found.refused;
    words->next = found.weight == NOTHING ? found.next : AS_IT_IS;
    if (found.weight <= words->weight || (words->ran && found.weight < AN_END))
        return;
    words->weight = found.weight;
    words->next = found.next;
    words->text[0] = '\0';
    append(words, "", line, length);
}

/* An ExceptionInInitializerError gives no reason; the exception that caused it follows some lines later. If
 * this line has that exception ("Caused by: "), appends the exception and returns true. */
static bool take_cause(struct ps_java_exit_reason *words, const char *line, size_t length)
{
    static const char error[] = "java.lang.ExceptionInInitializerError", cause[] = "Caused by: ";
    if (!begins(line, length, cause) || !ps_text_ends(words->text, error))
        return false;
    append(words, ": ", line + sizeof cause - 1, length - (sizeof cause - 1));
    return true;
}

/* A JVM that cannot open its port for JMX says so in different sentences. If this line has "Port already in
 * use: " and the port, these words become the text, and the result is true. */
static bool take_port(struct ps_java_exit_reason *words, const char *line, size_t length)
{
    static const char says[] = "Port already in use: ";
    const char *at = words->ran ? NULL : memmem(line, length, says, sizeof says - 1);
    if (at == NULL)
        return false;
    const char *end = at + sizeof says - 1;
    while (end < line + length && *end >= '0' && *end <= '9')
        end++;
    words->weight = A_REASON;
    words->next = AS_IT_IS;
    words->text[0] = '\0';
    append(words, "", at, (size_t)(end - at));
    return true;
}

void ps_java_exit_reason_take(struct ps_java_exit_reason *words, const char *line, size_t length)
{
    bool of_crash = length > 0 && line[0] == '#'; /* a line of a crash report */
    while (length > 0 && (*line == '#' || *line == ' ' || *line == '\t')) {
        line++;
        length--;
    }
    if (take_cause(words, line, length) || take_port(words, line, length))
        return;
    bool awaits_reason = words->next == THE_REASON;
    if (length == 0 || take_next(words, line, length))
        return;
    struct beginning found = {.weight = awaits_reason ? A_REASON : A_LINE};
    if (of_crash || memmem(line, length, "warning:", 8) != NULL)
        found.weight = NOTHING;
    for (size_t i = 0; i < PS_COUNT_OF(beginnings); i++) {
        if (begins(line, length, beginnings[i].text) && (of_crash || !beginnings[i].of_crash)) {
            found = beginnings[i];
            break;
        }
    }
    weigh(words, found, line, length);
}

/* Returns the rest of the sentence: what the user can do about this end of the JVM; or "". */
static const char *cure_of(const struct ps_java_exit_reason *words)
{
    if (strstr(words->text, "Java heap space") != NULL || strstr(words->text, "GC overhead") != NULL)
        return "; give it more with -Xmx in JAVA_OPTS";
    if (strstr(words->text, "Too many open files") != NULL)
        return "; raise the limit of open files (ulimit -n, LimitNOFILE= of a service)";
    if (strstr(words->text, "UnsupportedClassVersionError: penstock/host/") != NULL)
        return "; it needs Java 8 or newer: set JAVA_HOME to it";
    if (strstr(words->text, "Port already in use: ") != NULL)
        return "; another process has it, perhaps the Java process of another agent: give each agent "
               "a port of its own in JAVA_OPTS (-Dcom.sun.management.jmxremote.port=N)";
    if (strstr(words->text, "bind failed: Address already in use") != NULL)
        return "; another process has the port of -agentlib:jdwp, perhaps the Java process of "
               "another agent: give each agent a port of its own in JAVA_OPTS (address=N)";
    bool other_class = strstr(words->text, "find or load main class") != NULL &&
                       strstr(words->text, "penstock.host.") == NULL; /* the class is one of the options */
    return words->refused || other_class
               ? "; its options are those of JAVA_OPTS, of FLUME_JAVA_OPTS and of the command line"
               : "";
}

bool ps_java_exit_reason_print(const struct ps_java_exit_reason *words, char *text, size_t room)
{
    if (words->weight == NOTHING)
        return false;
    bool reported = words->report[0] != '\0';
    snprintf(text, room, "%s%s%s%s", words->text, cure_of(words), reported ? "; the JVM's report is " : "",
             words->report);
    return true;
}
