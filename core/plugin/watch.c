#include "core/plugin/watch.h"

#include "core/log/log.h"
#include "core/thread.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SAYS_MS 2000U
#define LOOK_MS 100U /* interval at which the thread looks */

static struct ps_plugin_patience patience;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t has_ended = PTHREAD_COND_INITIALIZER;
/* `lock` guards both. */
static const char *being_loaded; /* NULL: the load has ended */
static unsigned waited_ms;
/* Thread: the one that loads. */
static pthread_t thread;
static bool has_thread;

void ps_plugin_watch_set(struct ps_plugin_patience new_patience)
{
    patience = new_patience;
}

static _Noreturn void end_process(int code)
{
    ps_log_flush();
    _exit(code); /* exit() would wait for the loader's lock, which the constructor's thread has */
}

/* Called every LOOK_MS, with `lock`. */
static void look(void)
{
    waited_ms += LOOK_MS;
    if (waited_ms == SAYS_MS)
        ps_log(PS_LOG_WARN, "plug-in",
               "%s has been loading for 2 s: a constructor of it, or of a library that it needs, has not "
               "returned; if it never does, move the file out of the plug-ins' folder and start the agent "
               "again: until then it reads no configuration",
               being_loaded);
    if (patience.limit_s > 0 && waited_ms >= patience.limit_s * 1000) {
        ps_log(PS_LOG_ERROR, "plug-in",
               "%s is not loaded after %u s: a constructor of it, or of a library that it needs, does not "
               "return; correct it, or move the file out of the plug-ins' folder",
               being_loaded, patience.limit_s);
        end_process(1);
    }
}

static void *watch(void *)
{
    pthread_mutex_lock(&lock);
    while (being_loaded != NULL) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until); /* the wall clock may be set meanwhile */
        until.tv_nsec += (long)LOOK_MS * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_clockwait(&has_ended, &lock, CLOCK_MONOTONIC, &until);
        if (being_loaded != NULL)
            look();
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* The file whose constructors run on this thread, or NULL. */
static _Thread_local const char *loaded_here;

/* Called by exit(): a constructor that ends the process would do so without a trace. */
static void say_who_ended_it(void)
{
    const char *path = loaded_here;
    if (path != NULL)
        fprintf(stderr,
                "%s: the plug-in ended the process while it was loaded: a constructor of it, or of a library "
                "that it needs, called exit(); correct it, or move the file out of the plug-ins' folder\n",
                path);
}

void ps_plugin_watch_begin(const char *path)
{
    static bool says; /* one thread loads at a time */
    says = says || atexit(say_who_ended_it) == 0;
    loaded_here = path;
    being_loaded = path; /* no thread watches now */
    waited_ms = 0;
    has_thread =
        ps_thread_start(&thread, "plugin-watch", watch, NULL) == 0; /* false: no thread watches the load */
}

void ps_plugin_watch_end(void)
{
    loaded_here = NULL;
    pthread_mutex_lock(&lock);
    being_loaded = NULL;
    pthread_cond_signal(&has_ended);
    pthread_mutex_unlock(&lock);
    if (has_thread)
        (void)ps_thread_join(thread, PS_THREAD_PATIENT);
    has_thread = false;
}
