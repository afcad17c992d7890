/* The line that is kept from a JVM's output: it says why the JVM ended or did not start. */
#include "stages/lib/java/exit_reason.h"

#include "tests/support/support.h"

#include <string.h>

#define REFUSED                                                                                              \
    "Error: Could not create the Java Virtual Machine.\n"                                                    \
    "Error: A fatal exception has occurred. Program will exit.\n"
#define OPTIONS "; its options are those of JAVA_OPTS, of FLUME_JAVA_OPTS and of the command line"
#define CRASH                                                                                                \
    "#\n# A fatal error has been detected by the Java Runtime Environment:\n#\n"                             \
    "#  SIGSEGV (0xb) at pc=0x00007f1, pid=7, tid=8\n#\n# JRE version: OpenJDK Runtime Environment\n"        \
    "# Problematic frame:\n# C  [libown.so+0x12]\n#\n# No core dump will be written.\n#\n"                   \
    "# An error report file with more information is saved as:\n# /tmp/hs_err_pid7.log\n#\n"

static void take_all(struct ps_java_exit_reason *words, const char *lines)
{
    while (*lines != '\0') {
        size_t length = strcspn(lines, "\n");
        ps_java_exit_reason_take(words, lines, length);
        lines += length + 1;
    }
}

/* `before`: what the JVM writes until it runs; `after`: what it writes from then on, NULL if it never runs; `wanted`
 * NULL: nothing. */
static void expect(const char *before, const char *after, const char *wanted)
{
    struct ps_java_exit_reason words;
    char text[600] = "";
    ps_java_exit_reason_begin(&words);
    take_all(&words, before);
    if (after != NULL) {
        ps_java_exit_reason_ran(&words);
        take_all(&words, after);
    }
    assert_int_equal(ps_java_exit_reason_print(&words, text, sizeof text), wanted != NULL);
    assert_string_equal(text, wanted != NULL ? wanted : "");
}

#define TAKEN                                                                                                \
    "Port already in use: 9999; another process has it, perhaps the Java process of another agent: give "    \
    "each "                                                                                                  \
    "agent a port of its own in JAVA_OPTS (-Dcom.sun.management.jmxremote.port=N)"

/* Two agents with one port for JMX or for a debugger in their JAVA_OPTS: what the second one's JVM writes. */
static void test_a_port_that_is_taken(void **unused)
{
    static const char nested[] =
        "java.rmi.server.ExportException: Port already in use: 9999; nested exception is: \n"
        "\tjava.net.BindException: Address already in use\n";
    char lines[600];
    snprintf(lines, sizeof lines,
             "Error: Exception thrown by the agent : %sjdk.internal.agent.AgentConfigurationError: %s",
             nested, nested);
    expect(lines, NULL, TAKEN);
    snprintf(lines, sizeof lines,
             "Error: JMX connector server communication error: service:jmx:rmi://vm:9998\n"
             "jdk.internal.agent.AgentConfigurationError: %s\tat sun.management.Agent.main(Agent.java:447)\n",
             nested);
    expect(lines, NULL, TAKEN);
    expect("Port already in use: \n", NULL,
           "Port already in use: "
           "; another process has it, perhaps the Java process of another agent: give each agent a port of "
           "its own in JAVA_OPTS (-Dcom.sun.management.jmxremote.port=N)");
    expect("ERROR: transport error 202: bind failed: Address already in use\n"
           "ERROR: JDWP Transport dt_socket failed to initialize, TRANSPORT_INIT(510)\n",
           NULL,
           "ERROR: transport error 202: bind failed: Address already in use; another process has the port of "
           "-agentlib:jdwp, perhaps the Java process of another agent: give each agent a port of its own in "
           "JAVA_OPTS (address=N)");
    expect("", "Port already in use: 9999\n", NULL); /* a class says it, which goes on */
}

static void test_a_jvm_that_does_not_start(void **unused)
{
    expect("Invalid maximum heap size: -Xmx10q\n" REFUSED, NULL,
           "Invalid maximum heap size: -Xmx10q" OPTIONS);
    expect(
        "Exception in thread \"main\" java.io.FileNotFoundException: /proc/self/fd/3 (Too many open files)\n",
        NULL,
        "Exception in thread \"main\" java.io.FileNotFoundException: /proc/self/fd/3 (Too many open files); "
        "raise the "
        "limit of open files (ulimit -n, LimitNOFILE= of a service)");
    expect("Picked up JAVA_TOOL_OPTIONS: -Da=b\n"
           "OpenJDK 64-Bit Server VM warning: Option UseX was deprecated\n"
           "Unrecognized VM option 'Nonsense'\n" REFUSED,
           NULL, "Unrecognized VM option 'Nonsense'" OPTIONS);
    expect("Error occurred during initialization of VM\nToo small maximum heap\n", NULL,
           "Too small maximum heap" OPTIONS);
    expect("Error: could not find libjava.so\nError: another\n", NULL, "Error: could not find libjava.so");
    expect("a word\nanother\n", NULL, "a word");
    expect("Exception in thread \"main\" java.lang.ExceptionInInitializerError\n"
           "\tat penstock.host.Host.main(Host.java:48)\n"
           "Caused by: java.security.AccessControlException: access denied\n"
           "\tat java.base/java.security.AccessController.checkPermission(AccessController.java:1068)\n",
           NULL,
           "Exception in thread \"main\" java.lang.ExceptionInInitializerError: "
           "java.security.AccessControlException: access denied");
    expect("Error: LinkageError occurred while loading main class penstock.host.Host\n"
           "\tjava.lang.UnsupportedClassVersionError: version 52.0\n",
           NULL,
           "Error: LinkageError occurred while loading main class penstock.host.Host: "
           "java.lang.UnsupportedClassVersionError: version 52.0");
    expect("Error: A JNI error has occurred, please check your installation and try again\n"
           "Exception in thread \"main\" java.lang.UnsupportedClassVersionError: penstock/host/Host : "
           "Unsupported "
           "major.minor version 52.0\n",
           NULL,
           "Exception in thread \"main\" java.lang.UnsupportedClassVersionError: penstock/host/Host : "
           "Unsupported "
           "major.minor version 52.0; it needs Java 8 or newer: set JAVA_HOME to it");
    expect(
        "Error: Could not find or load main class 512m\nCaused by: java.lang.ClassNotFoundException: 512m\n",
        NULL,
        "Error: Could not find or load main class 512m: Caused by: java.lang.ClassNotFoundException: "
        "512m" OPTIONS);
    expect("Error: Could not find or load main class penstock.host.Host\n", NULL,
           "Error: Could not find or load main class penstock.host.Host");
    expect("OpenJDK 64-Bit Server VM warning: INFO: os::commit_memory(0x1, 2, 0) failed\n#\n"
           "# There is insufficient memory for the Java Runtime Environment to continue.\n"
           "# Native memory allocation (mmap) failed to map 2 bytes.\n"
           "# An error report file with more information is saved as:\n# /tmp/hs_err_pid7.log\n",
           NULL,
           "There is insufficient memory for the Java Runtime Environment to continue: Native memory "
           "allocation (mmap) failed to map 2 bytes.; the JVM's report is /tmp/hs_err_pid7.log");
}

static void test_a_jvm_that_has_run(void **unused)
{
    expect("Terminating due to java.lang.OutOfMemoryError: Java heap space\n", NULL,
           "Terminating due to java.lang.OutOfMemoryError: Java heap space; give it more with -Xmx in "
           "JAVA_OPTS");
    expect("a word\n", "Terminating due to java.lang.OutOfMemoryError: Metaspace\n",
           "Terminating due to java.lang.OutOfMemoryError: Metaspace");
    expect("", CRASH,
           "SIGSEGV (0xb) at pc=0x00007f1, pid=7, tid=8 in C  [libown.so+0x12]; the JVM's report is "
           "/tmp/hs_err_pid7.log");
    /* A line that a library writes long before the end of the JVM is not the reason of the end. */
    expect("Error: of a library\n", "Error: of another\nSIGNS\n", NULL);
    expect("", "", NULL);
}

/* Nothing that the JVM wrote before it ran belongs to what it writes later. */
static void test_what_running_ends(void **unused)
{
    static const char over[] = "Terminating due to java.lang.OutOfMemoryError: Metaspace";
    char lines[200];
    snprintf(lines, sizeof lines, "%s\n", over);
    expect(REFUSED, lines, over); /* it did not refuse its options */
    expect("Error occurred during initialization of VM\n", lines, over);
    expect("Error: LinkageError occurred while loading main class a.B\n", lines, over);
    expect("Error: Could not find or load main class a.B\n", lines, over);
    expect("Problematic frame:\n", lines, over);
    expect("An error report file with more information is saved as:\n", lines, over);
    expect(lines, "", over); /* its end is still its end */
    expect(lines, "Terminating due to java.lang.OutOfMemoryError: Java heap space\n", over);
}

/* A frame belongs to a crash, and a cause to an ExceptionInInitializerError. */
static void test_lines_that_belong_to_another(void **unused)
{
    expect("Error: first\nProblematic frame:\nC [lib.so]\na word\n", NULL, "Error: first");
    expect("Error: first\nCaused by: second\n", NULL, "Error: first");
    expect("a word\nError: first\nError: second\na word\n", NULL, "Error: first");
    expect("Error: LinkageError occurred\nfirst\nsecond\n", NULL, "Error: LinkageError occurred: first");
    expect("Error occurred during initialization of VM\n\nfirst\nError: second\n", NULL, "first" OPTIONS);
    expect("# warning: nothing\nVM warning: nothing\nWARNING: nothing\n", NULL, NULL);
    expect("SIGSEGV of a test\n", NULL, "SIGSEGV of a test"); /* a line, not the report of a crash */
    expect("GC overhead limit exceeded\n", NULL,
           "GC overhead limit exceeded; give it more with -Xmx in JAVA_OPTS");
}

/* A line may be long; the text is cut. */
static void test_bounds(void **unused)
{
    static char line[9000], text[600];
    struct ps_java_exit_reason words;
    memset(line, 'x', sizeof line - 1);
    memcpy(line, "Error: ", 7);
    ps_java_exit_reason_begin(&words);
    ps_java_exit_reason_take(&words, line, strlen(line));
    ps_java_exit_reason_take(&words, "Problematic frame:", 18);
    ps_java_exit_reason_take(&words, line, strlen(line));
    ps_java_exit_reason_take(&words, "An error report file with more information is saved as:", 55);
    ps_java_exit_reason_take(&words, line, strlen(line));
    assert_true(ps_java_exit_reason_print(&words, text, sizeof text));
    assert_int_equal(strlen(words.text), sizeof words.text - 1);
    assert_int_equal(strlen(words.report), sizeof words.report - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_jvm_that_does_not_start),    cmocka_unit_test(test_a_port_that_is_taken),
        cmocka_unit_test(test_a_jvm_that_has_run),           cmocka_unit_test(test_what_running_ends),
        cmocka_unit_test(test_lines_that_belong_to_another), cmocka_unit_test(test_bounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
