#include "stages/lib/hadoop/hdfs/lease_holder.h"

#include "stages/lib/random.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOOT_DIGITS 16

struct process {
    char boot[BOOT_DIGITS + 1]; /* boot id of the machine; "": not known */
    uint64_t space;             /* namespace of process ids (each container has its own) */
    int pid;
    uint64_t start; /* start of the process, in ticks since the boot; 0: not known */
};

/* Reads the state and start of a process from /proc/PID/stat (proc(5)): after the name, which may contain any
 * characters, the first field is the state and the 20th is the start. */
static bool read_process(int pid, char *state, uint64_t *start)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    const char *behind_name = strrchr(text, ')');
    return behind_name != NULL &&
           sscanf(behind_name,
                  ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64,
                  state, start) == 2;
}

static void find_self(struct process *self)
{
    struct stat status;
    char state;
    *self = (struct process){.pid = getpid()};
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (file != NULL) {
        for (int c, digits = 0; digits < BOOT_DIGITS && (c = fgetc(file)) != EOF;) {
            if (c != '-' && c != '\n')
                self->boot[digits++] = (char)c;
        }
        fclose(file);
    }
    if (stat("/proc/self/ns/pid", &status) == 0)
        self->space = status.st_ino;
    if (!read_process(self->pid, &state, &self->start))
        self->start = 0;
}

void ps_hdfs_lease_holder_name(char name[PS_HDFS_HOLDER_BYTES])
{
    struct ps_random random;
    struct process self;
    find_self(&self);
    ps_random_init(&random);
    snprintf(name, PS_HDFS_HOLDER_BYTES, "DFSClient_penstock_%s_%" PRIu64 "_%d_%" PRIu64 "_%08x",
             self.boot[0] != '\0' ? self.boot : "unknown", self.space, self.pid, self.start,
             (unsigned)ps_random_below(&random, UINT32_MAX));
}

bool ps_hdfs_lease_holder_has_ended(const char *name)
{
    struct process self, holder;
    char state;
    uint64_t start;
    if (sscanf(name, "DFSClient_penstock_%16[0-9a-f]_%" SCNu64 "_%d_%" SCNu64 "_", holder.boot, &holder.space,
               &holder.pid, &holder.start) != 4)
        return false;
    find_self(&self);
    if (strcmp(self.boot, holder.boot) != 0 || self.space != holder.space || self.space == 0 ||
        holder.start == 0 || holder.pid <= 0)
        return false;
    if (kill(holder.pid, 0) != 0 && errno == ESRCH)
        return true;
    if (!read_process(holder.pid, &state, &start)) /* the process may be hidden */
        return false;
    return start != holder.start || state == 'Z' || state == 'X';
}

bool ps_hdfs_owner_has_ended(const char *message)
{
    static const char before[] = "currently owned by ";
    static const char namenode[] =
        "HDFS_NameNode"; /* the namenode recovers the file itself (HdfsServerConstants.NAMENODE_LEASE_HOLDER) */
    char name[PS_HDFS_HOLDER_BYTES];
    const char *owner = strstr(message, before);
    if (owner == NULL)
        return false;
    owner += sizeof before - 1;
    if (strncmp(owner, namenode, sizeof namenode - 1) == 0)
        return true;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(owner, " "), owner);
    return ps_hdfs_lease_holder_has_ended(name);
}
