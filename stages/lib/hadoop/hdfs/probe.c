#include "stages/lib/hadoop/hdfs/probe.h"

#include "core/quantity.h"
#include "stages/lib/hadoop/hdfs/open.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 4352U
#define TEXT_BYTES 5120U

static const char content[] = "penstock check --probe\n";

struct trial {
    const struct ps_probe *probe;
    const struct ps_hadoop_probe *what;
    struct ps_filesystem *filesystem;
    int epoll_fd;
    bool done;
    enum ps_file_error error; /* of the last operation */
    char reason[PS_FILE_REASON_BYTES];
    bool is_directory;
    struct ps_file_space space;
    char directory[PATH_BYTES];
};

static void answered(void *argument, const struct ps_file_answer *answer)
{
    struct trial *trial = argument;
    trial->done = true;
    trial->error = answer->error;
    snprintf(trial->reason, sizeof trial->reason, "%s", answer->reason != NULL ? answer->reason : "");
    trial->is_directory =
        answer->error == PS_FILE_OK && answer->entry_count > 0 && answer->entries[0].directory;
    if (answer->error == PS_FILE_OK && answer->space != NULL)
        trial->space = *answer->space;
}

static void begin(struct trial *trial)
{
    trial->done = false;
    trial->error = PS_FILE_TIMEOUT;
    snprintf(trial->reason, sizeof trial->reason, "no answer");
}

static uint64_t turn(void *trial_, const struct ps_now *now)
{
    struct trial *trial = trial_;
    return ps_filesystem_turn(trial->filesystem, now);
}

/* Waits until the operation in progress is answered. */
static enum ps_file_error await(struct trial *trial)
{
    ps_probe_turns(trial->probe, trial->epoll_fd, turn, trial, &trial->done);
    return trial->error;
}

/* ---- causes and cures ---- */

static bool says(const struct trial *trial, const char *text)
{
    return strstr(trial->reason, text) != NULL;
}

static const char *cure_of(const struct trial *trial)
{
    if (says(trial, "SIMPLE authentication is not enabled"))
        return "the cluster has Kerberos: name its configuration by HADOOP_CONF_DIR, and set "
               "hdfs.kerberosPrincipal and hdfs.kerberosKeytab";
    if (says(trial, "speaks HTTP"))
        return "the port of the namenode's RPC is mostly 8020 or 9000 (fs.defaultFS of core-site.xml)";
    if (says(trial, "closed the connection"))
        return "the port of the namenode's RPC is mostly 8020 or 9000: a datanode's, or one with TLS, closes "
               "the connection";
    if (says(trial, "SafeMode") || says(trial, "safe mode"))
        return "wait until it has left it (hdfs dfsadmin -safemode get)";
    if (says(trial, "impersonate"))
        return "allow it on the namenode: hadoop.proxyuser.USER.hosts and .groups";
    if (says(trial, "minReplication") || says(trial, "datanode"))
        return "see whether this machine reaches the datanodes under the names and ports that they tell the "
               "namenode (9866): dfs.client.use.datanode.hostname = true takes their names instead of "
               "addresses";
    switch (trial->error) {
    case PS_FILE_DENIED:
        return "let the user write there (hdfs dfs -chown, -chmod), or write as another one "
               "(HADOOP_USER_NAME, hdfs.proxyUser, Kerberos)";
    case PS_FILE_NO_SPACE:
        return "free space, or raise the quota (hdfs dfsadmin -report, hdfs dfs -count -q)";
    case PS_FILE_UNAVAILABLE:
    case PS_FILE_TIMEOUT:
        return "see whether the namenode runs, and listens there for this machine";
    default:
        return NULL;
    }
}

static void fail(const struct trial *trial, const char *what)
{
    char text[TEXT_BYTES];
    snprintf(text, sizeof text, "%s: %s", trial->what->key, what);
    ps_probe_key_failed(trial->probe, trial->what->key, text, trial->reason, cure_of(trial));
}

/* ---- the steps ---- */

/* Finds the longest existing part of the directory. Returns false when the file system does not answer. */
static bool find_directory(struct trial *trial)
{
    char *path = trial->directory;
    snprintf(path, PATH_BYTES, "%s", trial->what->directory);
    while (true) {
        begin(trial);
        ps_file_stat(trial->filesystem, path, answered, trial);
        if (await(trial) != PS_FILE_MISSING)
            break;
        char *slash = strrchr(path, '/');
        if (slash == NULL || strcmp(path, "/") == 0)
            break;
        slash[slash == path] = '\0';
    }
    return trial->error == PS_FILE_OK;
}

static enum ps_file_error write_file(struct trial *trial, const char *path, bool *made)
{
    begin(trial);
    struct ps_file_stream *stream = ps_file_create(trial->filesystem, path, answered, trial);
    *made = await(trial) == PS_FILE_OK;
    if (*made) {
        begin(trial);
        (void)ps_file_write(stream, content, sizeof content - 1);
        ps_file_flush(stream, PS_FILE_HFLUSH, answered, trial);
        (void)await(trial);
    }
    if (trial->error != PS_FILE_OK) {
        ps_file_abandon(stream);
        return trial->error;
    }
    begin(trial);
    ps_file_close(stream, answered, trial);
    return await(trial);
}

static void try_file(struct trial *trial)
{
    char path[PATH_BYTES + 64], what[TEXT_BYTES];
    bool made, whole = strcmp(trial->directory, trial->what->directory) == 0;
    const char *slash = strcmp(trial->directory, "/") == 0 ? "" : "/";
    const struct ps_now now = ps_clock_now();
    snprintf(path, sizeof path, "%s%s_penstock_probe_%lld_%d", trial->directory, slash,
             (long long)now.wall_ms, (int)getpid());
    enum ps_file_error error = write_file(trial, path, &made);
    snprintf(what, sizeof what, "directory %s%s", trial->directory,
             whole ? "" : " (missing directories below it are made when events come)");
    if (error != PS_FILE_OK)
        fail(trial, what);
    if (made) {
        begin(trial);
        ps_file_remove(trial->filesystem, path, answered, trial);
        (void)await(trial);
    }
    if (error == PS_FILE_OK && trial->error != PS_FILE_OK)
        fail(trial, path); /* the file is left behind */
    else if (error == PS_FILE_OK)
        ps_probe_ok(trial->probe, "%s: %s: a file was written, and removed again", trial->what->key, what);
}

/* Probes the space after the file, because the namenode's defaults are known then. Reports nothing to a user who may not ask. */
static void try_space(struct trial *trial)
{
    const struct ps_file_space *space = &trial->space;
    char what[TEXT_BYTES], cause[256];
    if (trial->filesystem->ops->measure == NULL)
        return;
    begin(trial);
    trial->filesystem->ops->measure(trial->filesystem, answered, trial);
    if (await(trial) != PS_FILE_OK)
        return;
    snprintf(what, sizeof what, "%s: room on %s: %s of %s are left", trial->what->key, trial->what->url,
             ps_quantity_print_bytes(space->remaining_bytes).text,
             ps_quantity_print_bytes(space->capacity_bytes).text);
    if (space->block_bytes > 0 && space->remaining_bytes / space->block_bytes < space->replication) {
        snprintf(cause, sizeof cause, "less than a new block of %s needs, in %u copies",
                 ps_quantity_print_bytes(space->block_bytes).text, space->replication);
        ps_probe_failed(trial->probe, what, cause, "free space, or add datanodes (hdfs dfsadmin -report)");
    } else if (space->block_bytes > 0) {
        ps_probe_ok(trial->probe, "%s; new files have blocks of %s, %u copies", what,
                    ps_quantity_print_bytes(space->block_bytes).text, space->replication);
    } else {
        ps_probe_ok(trial->probe, "%s", what);
    }
}

void ps_hadoop_probe_filesystem(const struct ps_probe *probe, struct ps_filesystem *filesystem, int epoll_fd,
                                const struct ps_hadoop_probe *what)
{
    struct trial trial = {.probe = probe, .what = what, .filesystem = filesystem, .epoll_fd = epoll_fd};
    char text[TEXT_BYTES];
    snprintf(text, sizeof text, "%s as %s", what->url, what->user);
    if (!find_directory(&trial)) {
        fail(&trial, text);
        return;
    }
    ps_probe_ok(probe, "%s: %s: answers", what->key, text);
    if (trial.is_directory) {
        try_file(&trial);
        try_space(&trial);
        return;
    }
    snprintf(trial.reason, sizeof trial.reason, "it is a file");
    trial.error = PS_FILE_FAILED;
    fail(&trial, trial.directory);
}

void ps_hadoop_probe(const struct ps_probe *probe, const struct ps_hadoop_settings *settings,
                     const struct ps_hadoop_probe *what)
{
    struct ps_port port;
    struct ps_hadoop_settings named = *settings;
    struct ps_filesystem *filesystem;
    struct ps_err err = {.length = 0};
    if (!ps_probe_port_open(&port, probe))
        return;
    named.call_timeout_ns = ps_probe_left_ms(probe) * PS_NS_PER_MS;
    named.port = &port;
    if (ps_hadoop_open(&named, &filesystem, &err) != PS_OK) {
        ps_probe_key_failed(probe, what->key, what->url, ps_err_join(&err), NULL);
    } else {
        ps_hadoop_probe_filesystem(probe, filesystem, port.epoll_fd, what);
        ps_filesystem_close(filesystem);
    }
    ps_probe_port_close(&port);
}
