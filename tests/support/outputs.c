#include "tests/support/outputs.h"

#include "tests/support/support.h"

#include "core/base.h"
#include "core/text/utf8.h"
#include "core/thread.h"
#include "tests/support/folder.h"
#include "tests/support/source_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define WORDS_MAX 64
#define MASKS_MAX 32
#define WRONG_TEST 96                         /* codes from here on are not those of a command */
#define INSIDE "PENSTOCK_TEST_OUTPUTS_INSIDE" /* set for commands */
#define COMMAND_LIMIT_S 120U /* a command that does not end is killed, so that the test fails with a reason */

struct mask {
    regex_t from;
    char to[96];
};

/* The state of one text. */
struct text {
    const char *path;
    const struct ps_test_output_command *commands;
    FILE *out; /* what the text should be */
    struct mask masks[MASKS_MAX];
    unsigned mask_count;
    char file[128]; /* of the last @file */
};

/* ---- words of a command ---- */

struct call {
    char store[8192];
    char *words[WORDS_MAX + 1];
    int count;
    const char *input, *output; /* NULL: none, kept */
    bool terminal;
};

/* Copies one word without its quotes; returns what is behind it. */
static const char *word_take(const char *at, char **to)
{
    char quote = '\0';
    for (; *at != '\0' && (quote != '\0' || *at != ' '); at++) {
        if (quote == '\0' && (*at == '\'' || *at == '"')) {
            quote = *at;
        } else if (*at == quote) {
            quote = '\0';
        } else if (strncmp(at, "{folder}", 8) == 0) {
            *to += sprintf(*to, "%s", ps_test_folder());
            at += 7;
        } else {
            at += quote != '\'' && *at == '\\' && at[1] != '\0';
            *(*to)++ = *at;
        }
    }
    *(*to)++ = '\0';
    return at + strspn(at, " ");
}

static bool is_setting(const char *word)
{
    const size_t length = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
    return length > 0 && word[length] == '=';
}

/* Reads the words; sets the environment of this process, which is the command's. */
static void call_read(struct call *call, const char *line)
{
    char *to = call->store;
    bool command = false;
    assert_true(strlen(line) < sizeof call->store / 8);
    for (const char *at = line + strspn(line, " "); *at != '\0';) {
        char *word = to;
        bool plain = *at != '\'' && *at != '"';
        at = word_take(at, &to);
        if (plain && word[0] == '<')
            call->input = word + 1;
        else if (plain && word[0] == '>')
            call->output = word + 1;
        else if (!command && is_setting(word))
            assert_int_equal(putenv(word), 0);
        else if (!command && strcmp(word, "tty") == 0)
            call->terminal = true;
        else {
            assert_true(call->count < WORDS_MAX);
            call->words[call->count++] = word;
            command = true;
        }
    }
    call->words[call->count] = NULL;
}

/* ---- a command ---- */

/* Returns the side of a terminal that the test reads; the command's side is `*inner`. */
static int terminal_open(int *inner)
{
    const struct winsize size = {.ws_row = 24, .ws_col = 80};
    struct termios mode;
    int outer = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(outer >= 0 && grantpt(outer) == 0 && unlockpt(outer) == 0);
    *inner = open(ptsname(outer), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(*inner >= 0 && tcgetattr(*inner, &mode) == 0);
    cfmakeraw(&mode);
    assert_int_equal(tcsetattr(*inner, TCSANOW, &mode), 0);
    assert_int_equal(ioctl(*inner, TIOCSWINSZ, &size), 0);
    return outer;
}

static void environment_set(void)
{
    static const char *const unset[] = {"NO_COLOR", "COLUMNS", "FLUME_HOME", "FLUME_CLASSPATH", "JAVA_OPTS"};
    for (size_t i = 0; i < PS_COUNT_OF(unset); i++)
        unsetenv(unset[i]);
    setenv("HOME", ps_test_folder(), 1);
    setenv("TZ", "UTC", 1);
    setenv("TERM", "xterm", 1);
    setenv(INSIDE, "1", 1);
}

/* The command `cat FILE...`, which every text has. */
static int cat(int argc, char **argv)
{
    char part[4096];
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "re");
        if (file == NULL) {
            fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
            return 1;
        }
        for (size_t length; (length = fread(part, 1, sizeof part, file)) > 0;)
            fwrite(part, 1, length, stdout);
        fclose(file);
    }
    return 0;
}

/* Keeps two CPUs of this process: the number of workers, which some commands print, follows from that of the CPUs. */
static void cpus_limit(void)
{
    cpu_set_t all, two;
    unsigned count = 0;
    CPU_ZERO(&two);
    if (sched_getaffinity(0, sizeof all, &all) != 0)
        return; /* a machine with more CPUs than a set has */
    for (unsigned cpu = 0; cpu < CPU_SETSIZE && count < 2; cpu++) {
        if (CPU_ISSET(cpu, &all)) {
            CPU_SET(cpu, &two);
            count++;
        }
    }
    (void)sched_setaffinity(0, sizeof two, &two);
}

/* The process of a command. */
static _Noreturn void call_run(const struct text *text, const char *line, int out, int err, int terminal)
{
    static struct call call;
    environment_set();
    cpus_limit();
    if (chdir(ps_test_folder()) != 0)
        _exit(98);
    call_read(&call, line);
    int in = call.terminal ? terminal : open(call.input != NULL ? call.input : "/dev/null", O_RDONLY);
    if (call.output != NULL)
        out = open(call.output, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    else if (call.terminal)
        out = err = terminal;
    if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
        _exit(98);
    setvbuf(stdout, NULL, call.terminal ? _IOLBF : _IOFBF, BUFSIZ);
    alarm(COMMAND_LIMIT_S);
    for (const struct ps_test_output_command *one = text->commands; one->name != NULL; one++)
        if (strcmp(one->name, call.words[0]) == 0)
            ps_thread_exit_process(one->run(call.count, call.words));
    if (strcmp(call.words[0], "cat") == 0)
        ps_thread_exit_process(cat(call.count, call.words));
    dprintf(2, "the test has no command `%s`\n", call.words[0]);
    _exit(99);
}

/* Returns all that is in the file, with an end. Owns: the caller. */
static char *whole(int fd, size_t *length)
{
    off_t size = lseek(fd, 0, SEEK_END);
    assert_true(size >= 0);
    char *bytes = calloc(1, (size_t)size + 1);
    assert_non_null(bytes);
    assert_int_equal(pread(fd, bytes, (size_t)size, 0), size);
    *length = (size_t)size;
    return bytes;
}

/* Types the file that is the command's standard input, if it has one. */
static void terminal_type(int outer, const char *line)
{
    const char *input = strstr(line, " <");
    size_t length;
    if (input == NULL)
        return;
    int fd = open(ps_test_folder_path(input + 2), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    char *bytes = whole(fd, &length);
    assert_int_equal(write(outer, bytes, length), length);
    free(bytes);
    close(fd);
}

/* Copies what the command writes to its terminal, until it ends. */
static void terminal_copy(int outer, int to)
{
    char part[4096];
    ssize_t length;
    while ((length = read(outer, part, sizeof part)) > 0 || (length < 0 && errno == EINTR))
        if (length > 0)
            assert_int_equal(write(to, part, (size_t)length), length);
}

/* ---- what it printed ---- */

static char *replaced(char *line, size_t begin, size_t end, const char *with)
{
    size_t length = strlen(line), added = strlen(with);
    char *wider = malloc(length - (end - begin) + added + 1);
    assert_non_null(wider);
    memcpy(wider, line, begin);
    memcpy(wider + begin, with, added);
    memcpy(wider + begin + added, line + end, length - end + 1);
    free(line);
    return wider;
}

/* Returns the line with its placeholders. Owns: the caller, as it gives the line. */
static char *masked(const struct text *text, char *line)
{
    size_t length = strlen(ps_test_folder());
    for (char *at; (at = strstr(line, ps_test_folder())) != NULL;)
        line = replaced(line, (size_t)(at - line), (size_t)(at - line) + length, "{folder}");
    for (unsigned i = 0; i < text->mask_count; i++) {
        const struct mask *mask = &text->masks[i];
        regmatch_t match;
        for (size_t from = 0; line[from] != '\0' &&
                              regexec(&mask->from, line + from, 1, &match, from > 0 ? REG_NOTBOL : 0) == 0 &&
                              match.rm_eo > match.rm_so;) {
            size_t begin = from + (size_t)match.rm_so;
            line = replaced(line, begin, from + (size_t)match.rm_eo, mask->to);
            from = begin + strlen(mask->to);
        }
    }
    return line;
}

/* Returns the bytes as printable text. Owns: the caller. */
static char *shown(const char *bytes, size_t length)
{
    char *line = malloc(4 * length + 1), *to = line;
    assert_non_null(line);
    bool good = ps_utf8_valid_length(bytes, length) == length;
    for (size_t i = 0; i < length; i++) {
        unsigned char one = (unsigned char)bytes[i];
        if (one == '\t' || one == '\r' || one == '\033')
            to += sprintf(to, "\\%c", one == '\t' ? 't' : one == '\r' ? 'r' : 'e');
        else if (one < ' ' || one == 127 || (one > 127 && !good))
            to += sprintf(to, "\\x%02x", one);
        else
            *to++ = (char)one;
    }
    *to = '\0';
    return line;
}

static void lines_write(const struct text *text, char sign, int fd)
{
    size_t length;
    char *bytes = whole(fd, &length);
    for (size_t at = 0; at < length;) {
        const char *end = memchr(bytes + at, '\n', length - at);
        size_t wide = end != NULL ? (size_t)(end - bytes) - at : length - at;
        char *line = masked(text, shown(bytes + at, wide));
        fprintf(text->out, "%c%s%s%s\n", sign, line[0] != '\0' ? " " : "", line, end != NULL ? "" : "\\-");
        free(line);
        at += wide + 1;
    }
    free(bytes);
}

static void command_run(const struct text *text, const char *line)
{
    int inner = -1, outer = -1, status;
    int out = memfd_create("output", MFD_CLOEXEC), err = memfd_create("errors", MFD_CLOEXEC);
    assert_true(out >= 0 && err >= 0);
    bool terminal = strncmp(line, "tty ", 4) == 0 || strstr(line, " tty ") != NULL;
    if (terminal)
        outer = terminal_open(&inner);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        call_run(text, line, out, err, inner);
    if (terminal) {
        close(inner);
        terminal_type(outer, line);
        terminal_copy(outer, out);
        close(outer);
    }
    while (waitpid(child, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    if (WIFEXITED(status) && WEXITSTATUS(status) >= WRONG_TEST)
        fail_msg("%s: `%s`: code %d: the test's own mistake", text->path, line, WEXITSTATUS(status));
    lines_write(text, '|', out);
    lines_write(text, '!', err);
    if (WIFEXITED(status))
        fprintf(text->out, "= %d\n", WEXITSTATUS(status));
    else
        fprintf(text->out, "= signal %d\n", WTERMSIG(status));
    close(out);
    close(err);
}

/* ---- the text ---- */

static void mask_add(struct text *text, const char *line)
{
    const char *arrow = strstr(line, " => ");
    if (arrow == NULL || text->mask_count == MASKS_MAX)
        fail_msg("%s: @mask %s", text->path, line);
    struct mask *mask = &text->masks[text->mask_count++];
    char *from = strndup(line, (size_t)(arrow - line));
    snprintf(mask->to, sizeof mask->to, "%s", arrow + 4);
    if (regcomp(&mask->from, from, REG_EXTENDED) != 0)
        fail_msg("%s: @mask %s is no expression", text->path, from);
    free(from);
}

/* Takes one line; commands are run, and what they print goes to `out` in place of what the text has. */
static void line_take(struct text *text, const char *line)
{
    if (line[0] == '|' || line[0] == '!' || line[0] == '=')
        return;
    fprintf(text->out, "%s\n", line);
    if (strncmp(line, "@mask ", 6) == 0) {
        mask_add(text, line + 6);
    } else if (strncmp(line, "@file ", 6) == 0) {
        snprintf(text->file, sizeof text->file, "%s", line + 6);
        if (strchr(text->file, '/') != NULL) /* one folder deep */
            (void)mkdir(ps_test_folder_path(strndupa(text->file, strcspn(text->file, "/"))), 0755);
        unlink(ps_test_folder_path(text->file));
        ps_test_folder_append(text->file, "", 0);
    } else if (line[0] == '<') {
        const char *rest = line[1] == ' ' ? line + 2 : line + 1;
        ps_test_folder_append(text->file, rest, strlen(rest));
        ps_test_folder_append(text->file, "\n", 1);
    } else if (line[0] == '$') {
        command_run(text, line + 2);
    } else if (line[0] != '#' && line[0] != '\0') {
        fail_msg("%s: what is this line: %s", text->path, line);
    }
}

static void differences_print(const char *path, const char *now)
{
    char command[1024];
    ps_test_folder_append(".outputs", now, strlen(now));
    snprintf(command, sizeof command, "diff -U 6 '%s' '%s' | head -n 60", path,
             ps_test_folder_path(".outputs"));
    fflush(NULL);
    (void)!system(command);
}

void ps_test_outputs(const char *name, const struct ps_test_output_command *commands)
{
    size_t length, now_length;
    char *now = NULL;
    if (getenv(INSIDE) != NULL)
        _exit(
            97); /* a command started this program again, as /proc/self/exe: its main must not run the tests */
    struct text text = {.path = ps_test_source_path(name), .commands = commands};
    char path[512];
    snprintf(path, sizeof path, "%s", text.path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fail_msg("%s is missing", path);
    char *expected = whole(fd, &length), *copy = strdup(expected), *rest = copy;
    close(fd);
    text.out = open_memstream(&now, &now_length);
    for (char *line; (line = strsep(&rest, "\n")) != NULL && rest != NULL;)
        line_take(&text, line);
    fclose(text.out);
    for (unsigned i = 0; i < text.mask_count; i++)
        regfree(&text.masks[i].from);
    bool same = strcmp(expected, now) == 0;
    const char *regenerate = getenv("PENSTOCK_REGENERATE");
    if (!same && regenerate != NULL && strcmp(regenerate, "1") == 0) {
        FILE *to = fopen(path, "w");
        assert_true(to != NULL && fwrite(now, 1, now_length, to) == now_length && fclose(to) == 0);
    } else if (!same) {
        differences_print(path, now);
        fail_msg("%s is not what its commands print; PENSTOCK_REGENERATE=1 writes it anew", name);
    }
    free(copy);
    free(expected);
    free(now);
}
