/* For hold_test.sh. A thread makes two files, "first" and "second"; main looks every 2 ms for the first:
 *   hold_race race    then asserts that the second is there, too: that is wrong for some microseconds
 *   hold_race wait    then waits for the second
 *   hold_race raise   ends by SIGUSR1 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static void *make_files(void *unused)
{
    (void)unused;
    (void)creat("first", 0600);
    (void)creat("second", 0600);
    return NULL;
}

static void await(const char *path)
{
    while (access(path, F_OK) != 0)
        usleep(2000);
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    pthread_t thread;
    if (strcmp(how, "raise") == 0)
        raise(SIGUSR1);
    if (pthread_create(&thread, NULL, make_files, NULL) != 0)
        return 2;
    await("first");
    if (strcmp(how, "wait") == 0)
        await("second");
    int failed = access("second", F_OK) != 0;
    pthread_join(thread, NULL);
    return failed;
}
