/* Makes the calls of stages/lib/hadoop/hdfs/namenode.h to a real namenode, as they follow one another when a file is written, and prints
 * the result of each: one line "call error [exception] figures".
 *
 *   hdfs_calls AUTHORITY DIRECTORY [CONFIGURATION-DIRECTORY]
 *   hdfs_calls --until FILE AUTHORITY DIRECTORY [CONFIGURATION-DIRECTORY]
 *
 * No data is written: an empty file is created, a block is added and abandoned. --until: makes empty files, eight at
 * a time, each by create, complete and rename, until FILE is there; prints its progress and the calls that failed. None may
 * fail, whatever happens to namenodes within the call time-out of 240 s. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "stages/lib/hadoop/hdfs/namenode.h"

struct run {
    struct ps_hadoop_loop *loop;
    struct ps_namenode *namenode;
    struct ps_namenode_call call;
    struct ps_port port;
    const char *name;
    uint64_t file_id;
    PsHadoop__ExtendedBlock block;
    char pool[256];
    bool done;
    enum ps_file_error error;
};

static void done(struct ps_namenode_call *call, const struct ps_namenode_answer *answer)
{
    struct run *run = call->argument;
    printf("%s %d", run->name, (int)answer->error);
    if (answer->error != PS_FILE_OK)
        printf(" [%s] %s", answer->exception, answer->reason);
    if (answer->result)
        printf(" true");
    if (answer->status != NULL) {
        printf(" type=%u replication=%u", answer->status->type, answer->status->block_replication);
        run->file_id = answer->status->file_id;
    }
    if (answer->defaults != NULL)
        printf(" block=%llu checksum=%u", (unsigned long long)answer->defaults->block_size,
               answer->defaults->checksum_type);
    if (answer->block != NULL) {
        printf(" datanodes=%zu storages=%zu", answer->block->n_locs, answer->block->n_storage_ids);
        run->block = *answer->block->b;
        snprintf(run->pool, sizeof run->pool, "%s", answer->block->b->pool_id);
        run->block.pool_id = run->pool;
        run->block.base.n_unknown_fields = 0;
    }
    for (size_t i = 0; answer->listing != NULL && i < answer->listing->n_entries; i++)
        printf(" %.*s", (int)answer->listing->entries[i]->path.len,
               (const char *)answer->listing->entries[i]->path.data);
    if (answer->blocks != NULL)
        printf(" length=%llu", (unsigned long long)answer->blocks->file_length);
    printf("\n");
    run->error = answer->error;
    run->done = true;
}

static void wait_for(struct run *run, const char *name)
{
    run->name = name;
    for (run->done = false; !run->done;) {
        struct ps_now now = ps_clock_now();
        uint64_t due_ns = ps_hadoop_loop_turn(run->loop, &now);
        int64_t wait_ms = due_ns == PS_NEVER || due_ns > now.mono_ns + PS_NS_PER_S
                              ? 1000
                              : (int64_t)(due_ns - now.mono_ns) / 1000000 + 1;
        struct pollfd ready[] = {{.fd = run->port.epoll_fd, .events = POLLIN},
                                 {.fd = run->port.wake_fd, .events = POLLIN}};
        eventfd_t woken;
        if (!run->done && due_ns > now.mono_ns && poll(ready, 2, (int)wait_ms) > 0 && ready[1].revents != 0)
            eventfd_read(run->port.wake_fd, &woken);
    }
}

static void write_file(struct run *run, const char *directory)
{
    struct ps_namenode *namenode = run->namenode;
    struct ps_namenode_call *call = &run->call;
    char file[512], final[512];
    snprintf(file, sizeof file, "%s/a.tmp", directory);
    snprintf(final, sizeof final, "%s/a", directory);
    const struct ps_namenode_creation creation = {.path = file, .create_parent = true, .replication = 1};
    const struct ps_hdfs_nodes none = {.count = 0};
    ps_namenode_create(namenode, call, &creation, done);
    wait_for(run, "create");
    ps_namenode_hold_lease(namenode);
    ps_namenode_create(namenode, call, &creation, done);
    wait_for(run, "create-again");
    ps_namenode_add_block(namenode, call, file, run->file_id, NULL, &none, done);
    wait_for(run, "addBlock");
    if (run->error == PS_FILE_OK) {
        ps_namenode_update_block_for_pipeline(namenode, call, &run->block, done);
        wait_for(run, "updateBlockForPipeline");
        ps_namenode_abandon_block(namenode, call, file, run->file_id, &run->block, done);
        wait_for(run, "abandonBlock");
    }
    ps_namenode_fsync(namenode, call, file, run->file_id, -1, done);
    wait_for(run, "fsync");
    ps_namenode_renew_lease(namenode, call, done);
    wait_for(run, "renewLease");
    ps_namenode_is_file_closed(namenode, call, file, done);
    wait_for(run, "isFileClosed");
    ps_namenode_complete(namenode, call, file, run->file_id, NULL, done);
    wait_for(run, "complete");
    ps_namenode_release_lease(namenode);
    ps_namenode_is_file_closed(namenode, call, file, done);
    wait_for(run, "isFileClosed");
    ps_namenode_rename(namenode, call, file, final, done);
    wait_for(run, "rename");
    ps_namenode_rename(namenode, call, file, final, done);
    wait_for(run, "rename-missing");
    ps_namenode_create(namenode, call, &creation, done);
    wait_for(run, "create");
    ps_namenode_rename(namenode, call, file, final, done);
    wait_for(run, "rename-exists");
    ps_namenode_recover_lease(namenode, call, final, done);
    wait_for(run, "recoverLease");
    ps_namenode_get_block_locations(namenode, call, final, 1, done);
    wait_for(run, "getBlockLocations");
}

static void look_around(struct run *run, const char *directory)
{
    struct ps_namenode *namenode = run->namenode;
    struct ps_namenode_call *call = &run->call;
    ps_namenode_get_listing(namenode, call, directory, "", done);
    wait_for(run, "getListing");
    ps_namenode_get_listing(namenode, call, "/no/such", "", done);
    wait_for(run, "getListing-missing");
    ps_namenode_get_file_info(namenode, call, directory, done);
    wait_for(run, "getFileInfo");
    ps_namenode_get_data_encryption_key(namenode, call, done);
    wait_for(run, "getDataEncryptionKey");
    ps_namenode_delete(namenode, call, directory, done);
    wait_for(run, "delete");
    ps_namenode_delete(namenode, call, directory, done);
    wait_for(run, "delete-missing");
    ps_namenode_get_file_info(namenode, call, directory, done);
    wait_for(run, "getFileInfo-missing");
}

/* ---- many files ---- */

#define AT_A_TIME 8

struct making {
    struct ps_namenode_call call;
    struct run *run;
    const char *directory;
    unsigned step, number;
    uint64_t file_id;
    char file[600], final[600];
};

static const char *until;
static unsigned next_number, last_number = UINT32_MAX, made, failed;

static void begin_step(struct making *making);

static void step_done(struct ps_namenode_call *call, const struct ps_namenode_answer *answer)
{
    static const char *const steps[] = {"create", "complete", "rename"};
    struct making *making = call->argument;
    if (answer->error != PS_FILE_OK) {
        printf("%s of %u failed: %d [%s] %s\n", steps[making->step], making->number, (int)answer->error,
               answer->exception, answer->reason);
        failed++;
        making->step = 2;
    }
    if (answer->status != NULL)
        making->file_id = answer->status->file_id;
    if (++making->step == 3) {
        if (++made % 100 == 0) {
            printf("%u\n", made);
            fflush(stdout);
        }
        if (last_number == UINT32_MAX && access(until, F_OK) == 0)
            last_number = next_number - 1;
        making->step = 0;
        if (next_number > last_number) {
            making->run->done = made == last_number;
            return;
        }
    }
    begin_step(making);
}

static void begin_step(struct making *making)
{
    struct ps_namenode *namenode = making->run->namenode;
    if (making->step == 0) {
        making->number = next_number++;
        snprintf(making->file, sizeof making->file, "%s/%06u.tmp", making->directory, making->number);
        snprintf(making->final, sizeof making->final, "%s/%06u", making->directory, making->number);
        const struct ps_namenode_creation creation = {
            .path = making->file, .create_parent = true, .replication = 1};
        ps_namenode_create(namenode, &making->call, &creation, step_done);
    } else if (making->step == 1) {
        ps_namenode_complete(namenode, &making->call, making->file, making->file_id, NULL, step_done);
    } else {
        ps_namenode_rename(namenode, &making->call, making->file, making->final, step_done);
    }
}

static void make_files(struct run *run, const char *directory)
{
    static struct making making[AT_A_TIME];
    next_number = 1;
    for (unsigned i = 0; i < AT_A_TIME; i++) {
        making[i] = (struct making){.call.argument = &making[i], .run = run, .directory = directory};
        begin_step(&making[i]);
    }
    wait_for(run, "files");
    printf("made %u failed %u\n", made, failed);
}

/* ---- the program ---- */

static void make_calls(struct run *run, const char *directory)
{
    run->call.argument = run;
    ps_namenode_get_server_defaults(run->namenode, &run->call, done);
    wait_for(run, "getServerDefaults");
    ps_namenode_get_fs_stats(run->namenode, &run->call, done);
    wait_for(run, "getFsStats");
    write_file(run, directory);
    look_around(run, directory);
}

int main(int count, char **words)
{
    struct run run = {.port = {.component = "hdfs_calls"}};
    struct ps_hadoop_configuration *configuration = NULL;
    struct ps_err err = {0};
    if (count > 2 && strcmp(words[1], "--until") == 0) {
        until = words[2];
        words += 2;
        count -= 2;
    }
    if (count < 3)
        return 2;
    run.port.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    run.port.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if ((count > 3 && ps_hadoop_configuration_load(&configuration, words[3], &err) != PS_OK) ||
        ps_hadoop_loop_open(&run.loop, &run.port, &err) != PS_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    const struct ps_namenode_settings settings = {.loop = run.loop,
                                                  .configuration = configuration,
                                                  .authority = words[1],
                                                  .call_timeout_ns = 240 * PS_NS_PER_S,
                                                  .component = "hdfs_calls"};
    if (ps_namenode_open(&settings, &run.namenode, &err) != PS_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    if (until != NULL)
        make_files(&run, words[2]);
    else
        make_calls(&run, words[2]);
    ps_namenode_close(run.namenode);
    ps_hadoop_loop_close(run.loop);
    ps_hadoop_configuration_free(configuration);
    close(run.port.epoll_fd);
    close(run.port.wake_fd);
    return failed > 0;
}
