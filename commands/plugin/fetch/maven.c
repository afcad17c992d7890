/* See maven.h. */
#include "commands/plugin/fetch/maven.h"

#include "bench/support/measure.h"
#include "conf/text.h"
#include "core/spawn.h"
#include "core/text/ends.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define QUIET_S 2.0     /* what takes longer says how far it is */
#define TERMINAL_S 1.0  /* then at a terminal this often */
#define FILE_S 10.0     /* and in a file or pipe */
#define END_S 3.0       /* how long Maven may take to end */
#define LINE_BYTES 512U /* the rest of a longer line is left out */
#define LINES_KEPT 6U   /* of Maven's errors */

struct run {
    const struct ps_maven *maven;
    pid_t pid;
    int out;
    double begin_s, said_s;
    unsigned long downloaded;
    bool terminal;
    char line[LINE_BYTES];
    size_t length;
    struct ps_texts errors; /* the first lines of Maven's errors */
};

/* ---- the project ---- */

/* Writes a project that copies the jars into folders, and needs nothing of their own projects. */
static enum ps_status write_project(const struct ps_maven *maven, const char *path, struct ps_err *err)
{
    FILE *out = fopen(path, "we");
    if (out == NULL)
        return ps_err_set(err, "cannot write %s: %s", path, strerror(errno));
    fputs("<project><modelVersion>4.0.0</modelVersion>\n"
          "<groupId>penstock</groupId><artifactId>plugin</artifactId><version>1</version>\n"
          "<packaging>pom</packaging><build><plugins><plugin>\n"
          "<groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId>\n"
          "<executions><execution><phase>validate</phase><goals><goal>copy</goal></goals></execution></"
          "executions>\n"
          "<configuration><artifactItems>\n",
          out);
    for (size_t i = 0; i < maven->list->count; i++) {
        const struct ps_fetch_jar *jar = &maven->list->jars[i];
        bool classified = *jar->classifier != '\0';
        fprintf(out,
                "<artifactItem><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version>"
                "%s%s%s<outputDirectory>${project.basedir}/%s/%s</outputDirectory></artifactItem>\n",
                jar->group, jar->artifact, jar->version, classified ? "<classifier>" : "", jar->classifier,
                classified ? "</classifier>" : "", maven->into, jar->folder);
    }
    fputs("</artifactItems></configuration></plugin></plugins></build></project>\n", out);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed)
        return ps_err_set(err, "cannot write %s: %s", path, strerror(errno));
    return PS_OK;
}

/* ---- what Maven says ---- */

static void take_line(struct run *run)
{
    const char *line = run->line;
    run->line[run->length] = '\0';
    run->length = 0;
    if (strstr(line, "Downloaded from ") != NULL && strstr(line, ".jar ") != NULL)
        run->downloaded++;
    if (ps_text_begins(line, "[ERROR]") && strlen(line) > sizeof "[ERROR] " && run->errors.count < LINES_KEPT)
        ps_texts_add(run->maven->arena, &run->errors, ps_arena_text(run->maven->arena, line));
}

/* Takes what has come within a tenth of a second. Returns false at the end of Maven's output. */
static bool read_some(struct run *run)
{
    char bytes[4096];
    struct pollfd wait = {.fd = run->out, .events = POLLIN};
    if (poll(&wait, 1, 100) <= 0)
        return true;
    ssize_t got = read(run->out, bytes, sizeof bytes);
    for (ssize_t i = 0; i < got; i++) {
        if (bytes[i] == '\n')
            take_line(run);
        else if (run->length < LINE_BYTES - 1)
            run->line[run->length++] = bytes[i];
    }
    return got > 0 || (got < 0 && errno == EINTR);
}

static void say_progress(struct run *run)
{
    double now_s = ps_now_s();
    if (now_s - run->begin_s < QUIET_S || now_s - run->said_s < (run->terminal ? TERMINAL_S : FILE_S))
        return;
    run->said_s = now_s;
    fprintf(stderr, "%s%s: %lu of at most %zu jars downloaded, %.0f s%s", run->terminal ? "\r" : "",
            run->maven->list->name, run->downloaded, run->maven->list->count, now_s - run->begin_s,
            run->terminal ? "   " : "\n");
}

/* ---- its end ---- */

static void end_group(const struct run *run)
{
    int status;
    double end_s = ps_now_s() + END_S;
    kill(-run->pid, SIGTERM);
    while (!ps_spawn_poll(run->pid, &status)) {
        if (ps_now_s() > end_s)
            kill(-run->pid, SIGKILL);
        ps_sleep_s(0.02);
    }
    kill(-run->pid, SIGKILL); /* what it started */
}

static enum ps_status report_end(const struct run *run, struct ps_err *err)
{
    int code = ps_spawn_exit_code(ps_spawn_wait(run->pid));
    if (code == 0)
        return PS_OK;
    ps_err_set(err, "%s ended with exit code %d%s", run->maven->program, code,
               run->errors.count == 0 ? "" : ":");
    for (size_t i = 0; i < run->errors.count; i++)
        ps_err_append(err, "%s", run->errors.items[i]);
    return PS_FAIL;
}

enum ps_status ps_maven_run(const struct ps_maven *maven, struct ps_err *err)
{
    const char *project = ps_arena_format(maven->arena, "%s/pom.xml", maven->work);
    struct run run = {
        .maven = maven, .begin_s = ps_now_s(), .said_s = -FILE_S, .terminal = isatty(STDERR_FILENO) == 1};
    int pipes[2];
    if (write_project(maven, project, err) != PS_OK)
        return PS_FAIL;
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return ps_err_set(err, "cannot make a pipe: %s", strerror(errno));
    const char *const argv[] = {maven->program, "-B", "-f", project, "validate", NULL};
    int failed = ps_spawn(&run.pid, &(struct ps_spawn){.argv = argv,
                                                       .program = maven->program,
                                                       .ends_with_caller = true,
                                                       .input = PS_SPAWN_NOTHING,
                                                       .output = pipes[1],
                                                       .errors = pipes[1]});
    close(pipes[1]);
    run.out = pipes[0];
    if (failed != 0) {
        close(run.out);
        return ps_err_set(err, "cannot start %s: %s", maven->program, strerror(failed));
    }
    while (*maven->interrupts == 0 && read_some(&run))
        say_progress(&run);
    if (run.terminal && run.said_s > 0)
        fputc('\n', stderr);
    close(run.out);
    if (*maven->interrupts == 0)
        return report_end(&run, err);
    end_group(&run);
    return ps_err_set(err, "interrupted");
}
