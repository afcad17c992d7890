/* Asks a Java class: a config filter for the values of its keys, a key provider for secret keys, or a component for
 * the exception of its configure(). A separate JVM answers and ends (host/Ask.java), so the answers are known before
 * the agent's flows exist, and no class stays loaded. Questions and answers go through
 * pipes and memory, never through the command line, because they may be secrets; all copies here are overwritten.
 *
 * Thread: one that may block: a JVM needs half a second, and has PS_JAVA_ASK_MS. */
#pragma once

#include "stages/lib/java/class_path.h"
#include "core/status.h"

#define PS_JAVA_ASK_MS 60000U
/* Maximum number of bytes of all answers together. */
#define PS_JAVA_ANSWERS_BYTES_MAX (4U << 20)

struct ps_java_question {
    const char *
        kind; /* "config filter", "key provider"; "source", "sink", "interceptor": `asked` has the agent's name */
    const char *class_name;
    const char *name; /* of the component */
    struct ps_pairs settings;
    struct ps_texts asked;
};

/* `bytes` is NULL when the class has no value; then `failure` is NULL, or the text of the exception. Both texts
 * are valid until the function returns. */
struct ps_java_answer {
    const uint8_t *bytes;
    size_t length;
    const char *failure;
};

typedef void ps_java_answer_function(void *argument, size_t index, const struct ps_java_answer *answer);

/* Calls `answer` for each text of question->asked, in order. Returns PS_FAIL, without a call, if there is no
 * JVM, if the JVM ended or took too long, or if the class cannot be made. */
enum ps_status ps_java_ask(const struct ps_class_path *path, const struct ps_java_question *question,
                           ps_java_answer_function *answer, void *argument, struct ps_err *err);

/* Like ps_java_ask, with another command and the time limit `timeout_ms`, for tests. */
enum ps_status ps_java_ask_command(const char *const *argv, const struct ps_java_question *question,
                                   uint64_t timeout_ms, ps_java_answer_function *answer, void *argument,
                                   struct ps_err *err);
