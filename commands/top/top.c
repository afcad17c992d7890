/* `penstock top`: rates, fill levels, latencies and bottlenecks of a running agent, from its metrics server. On a
 * terminal a live screen, else plain text. Exit status: 0, or 2 after an error. */
#include "commands/top/top.h"
#include "commands/commands.h"
#include "commands/line/line.h"

#include "conf/report.h"
#include "core/clock.h"
#include "core/watch/page.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

struct top {
    struct ps_arena *arena; /* for the options */
    const char *url;
    uint64_t interval_ns, count; /* count 0: repeats without end */
    bool once, plain, colour;
    struct ps_scrape before, now;
    bool has_before;
};

#define PS_ROW_TARGET struct top

static const struct ps_command_row options[] = {
    {"interval", 'i', "D", PS_ROW_DURATION(interval_ns),
     .help = "time between two screens, 100ms to 1h (default 2s); rates are over this time",
     .min = 100 * PS_NS_PER_MS, .max = 3600 * PS_NS_PER_S},
    {"once", '1', NULL, PS_ROW_FLAG(once), .help = "one screen, as text"},
    {"count", 'n', "N", PS_ROW_COUNT(count), .help = "N screens, as text", .min = 1, .max = UINT32_MAX},
    {"plain", 0, NULL, PS_ROW_FLAG(plain), .help = "text, also on a terminal"},
    {.help = NULL},
};

const struct ps_command_line ps_line_top = {
    .name = "top",
    .usage =
        "Usage: penstock top [URL | HOST:PORT | PORT] [OPTION]...\n"
        "Shows a running agent: events in and out a second, fill of channels, latency, errors, and "
        "bottlenecks.\nThe agent must have been started with -Dflume.monitoring.type=http (or prometheus). "
        "Without an address: the\nagent of this machine whose command line has this option, if there is one, "
        "else port 41414.\n",
    .rows = options,
    .ends = "On a terminal: q quits, space refreshes at once. Elsewhere: a screen of text at each interval.\n"
            "\n"
            "Exit status: 0, or 2 for wrong usage, or when the agent does not answer.\n"
            "\n"
            "Examples:\n"
            "  penstock top\n"
            "  penstock top collector1:41414 --interval 5s\n"
            "  penstock top --once | grep -A9 'WHO HOLDS UP WHOM'\n",
};

/* ---- signals and the terminal ---- */

/* The signals are blocked except in wait_until, so none is lost between the test of its flag and the wait. */
static volatile sig_atomic_t interrupted, resized;
static sigset_t signals_before;
static struct termios terminal_before;
static bool terminal_changed;

static void on_interrupt(int)
{
    interrupted = 1;
}

static void on_resize(int)
{
    resized = 1;
}

static void signals_block(void)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction interrupt = {.sa_handler = on_interrupt}, resize = {.sa_handler = on_resize};
    sigset_t blocked;
    sigemptyset(&blocked);
    for (size_t i = 0; i < PS_COUNT_OF(ends); i++) {
        sigaction(ends[i], &interrupt, NULL);
        sigaddset(&blocked, ends[i]);
    }
    sigaction(SIGWINCH, &resize, NULL);
    sigaddset(&blocked, SIGWINCH);
    sigprocmask(SIG_BLOCK, &blocked, &signals_before);
}

/* Waits until this time, for input if there is an `input`, or for a signal. Returns whether there is input. */
static bool wait_until(uint64_t until_ns, int input)
{
    uint64_t now_ns = ps_clock_now().mono_ns, left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    struct timespec left = {.tv_sec = (time_t)(left_ns / PS_NS_PER_S),
                            .tv_nsec = (long)(left_ns % PS_NS_PER_S)};
    struct pollfd poll = {.fd = input, .events = POLLIN};
    return ppoll(&poll, 1, &left, &signals_before) > 0;
}

/* Switches to the alternate screen without a cursor; keys come one by one. SIGINT still works; Ctrl-Z is off because
 * it would leave the terminal in this state. */
static void terminal_enter(void)
{
    struct termios raw;
    if (isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &terminal_before) == 0) {
        raw = terminal_before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        raw.c_cc[VSUSP] = _POSIX_VDISABLE;
        raw.c_cc[VMIN] = 0;
        raw.c_cc[VTIME] = 0;
        terminal_changed = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    }
    fputs("\033[?1049h\033[?25l", stdout);
    fflush(stdout);
}

/* Restores the modes first, because a program that drives top may type as soon as the alternate screen is
 * left. */
static void terminal_leave(void)
{
    if (terminal_changed)
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before);
    fputs("\033[?25h\033[?1049l", stdout);
    fflush(stdout);
}

static void terminal_size(unsigned *rows, unsigned *columns)
{
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0;
    *rows = known ? size.ws_row : 24;
    *columns = known ? size.ws_col : 80;
}

/* ---- the agent ---- */

/* Returns the lines of /readyz, also if the agent is ready; NULL if it does not answer. */
static const char *ready_get(struct ps_arena *arena, const char *url, bool *ready)
{
    struct ps_page page = {.text = NULL};
    const char *lines = NULL;
    long status = ps_scrape_fetch(url, "/readyz", &page, NULL);
    *ready = status == 200;
    if (*ready && page.length == 3 && memcmp(page.text, "ok\n", 3) == 0)
        lines = "";
    else if (*ready || status == 503)
        lines = ps_arena_copy(arena, page.length > 0 ? page.text : "", page.length);
    ps_page_fini(&page);
    return lines;
}

/* Makes `now` the previous sample, and takes a new one. */
static enum ps_status sample(struct top *top, struct ps_err *err)
{
    struct ps_scrape next;
    *err = (struct ps_err){.length = 0};
    if (ps_scrape_get(&next, top->url, err) != PS_OK)
        return PS_FAIL;
    if (top->has_before)
        ps_scrape_fini(&top->before);
    top->has_before = top->now.text != NULL;
    top->before = top->now;
    top->now = next;
    return PS_OK;
}

/* Returns the text of the screen. Owns: the caller frees it. */
static char *screen_make(const struct top *top, bool live)
{
    struct top_form form = {.colour = top->colour};
    if (isatty(STDOUT_FILENO))
        terminal_size(&form.rows, &form.columns);
    if (!live)
        form.rows = 0;
    struct ps_arena *arena = ps_arena_create();
    struct top_view view;
    char *screen = NULL, clock[32];
    size_t bytes;
    time_t now = time(NULL);
    struct tm broken_down;
    strftime(clock, sizeof clock, "%H:%M:%S", localtime_r(&now, &broken_down));
    ps_top_view(&view, arena, top->has_before ? &top->before : NULL, &top->now);
    view.not_ready = ready_get(arena, top->url, &view.ready);
    FILE *memory = ps_must_open_text(&screen, &bytes, "a screen");
    ps_top_draw(memory, &view, top->url, clock, &form);
    fclose(memory);
    ps_arena_destroy(arena);
    return screen;
}

/* ---- text ---- */

static int run_plain(struct top *top)
{
    struct ps_err err;
    if (sample(top, &err) != PS_OK)
        goto no_answer;
    for (uint64_t shown = 0; !interrupted && (top->count == 0 || shown < top->count); shown++) {
        uint64_t until_ns = ps_clock_now().mono_ns + top->interval_ns;
        while (!interrupted && ps_clock_now().mono_ns < until_ns)
            wait_until(until_ns, -1);
        if (interrupted)
            break;
        if (sample(top, &err) != PS_OK)
            goto no_answer;
        char *screen = screen_make(top, false);
        printf("%s%s", shown > 0 ? "\n" : "", screen);
        free(screen);
        if (fflush(stdout) != 0)
            return 2; /* main prints why */
    }
    return 0;
no_answer:
    fprintf(stderr, "penstock top: %s\nIs the agent running with -Dflume.monitoring.type=http?\n", err.text);
    return 2;
}

/* ---- the live screen ---- */

/* Waits for a key until the deadline. Returns the key; 0: none was pressed; -1: standard input is closed. */
static int key_wait(uint64_t until_ns)
{
    char key;
    if (!wait_until(until_ns, isatty(STDIN_FILENO) ? STDIN_FILENO : -1))
        return 0;
    return read(STDIN_FILENO, &key, 1) == 1 ? key : -1;
}

static void screen_show(const char *screen)
{
    unsigned rows, columns;
    terminal_size(&rows, &columns);
    ps_top_fit(stdout, screen, rows, columns);
    fflush(stdout);
}

/* Shows the last screen, or the reason why there is none, until the next sample is due. Draws a screen anew for a window of
 * another size. Returns false when the user quits. */
static bool show_until(const struct top *top, bool answered, char **screen, uint64_t until_ns)
{
    screen_show(*screen);
    while (!interrupted) {
        int key = key_wait(until_ns);
        if (key == 'q' || key == 'Q' || key == 4 || key < 0) /* 4: Ctrl-D */
            return false;
        if (key == ' ' || key == '\n' || ps_clock_now().mono_ns >= until_ns)
            return true;
        if (resized) {
            resized = 0;
            if (answered) {
                free(*screen);
                *screen = screen_make(top, true);
            }
            screen_show(*screen);
        }
    }
    return false;
}

static int run_live(struct top *top)
{
    struct ps_err err;
    if (sample(top, &err) != PS_OK) {
        fprintf(stderr, "penstock top: %s\nIs the agent running with -Dflume.monitoring.type=http?\n",
                err.text);
        return 2;
    }
    terminal_enter();
    char *screen = screen_make(top, true);
    bool answered = true;
    while (show_until(top, answered, &screen, ps_clock_now().mono_ns + top->interval_ns)) {
        answered = sample(top, &err) == PS_OK;
        char *next = answered ? screen_make(top, true) : NULL;
        if (!answered && asprintf(&next, "penstock top: %s\n\nTrying again; q quits.\n", err.text) < 0)
            break;
        free(screen);
        screen = next;
    }
    terminal_leave();
    free(screen);
    return 0;
}

/* ---- the command line ---- */

/* Returns -1 to continue, else the exit code. */
static int options_parse(struct top *top, int argc, char **argv)
{
    struct ps_err err = {.length = 0};
    int operands, code = ps_command_line_parse(&ps_line_top, top, argc, argv, &operands);
    if (code >= 0)
        return code;
    if (top->once)
        top->count = 1;
    if (operands > 1)
        ps_err_set(&err, "unexpected %s; one agent at a time", argv[2]);
    else
        top->url = operands == 1 ? ps_top_url(top->arena, argv[1]) : ps_top_find(top->arena, "/proc", &err);
    if (top->url == NULL)
        fprintf(stderr, "penstock top: %s\n", err.text);
    return top->url != NULL ? -1 : 2;
}

int ps_main_top(int argc, char **argv)
{
    struct top top = {.arena = ps_arena_create(), .interval_ns = 2 * PS_NS_PER_S};
    int code = options_parse(&top, argc, argv);
    if (code < 0) {
        const char *terminal = getenv("TERM");
        bool screen = isatty(STDOUT_FILENO) && terminal != NULL && strcmp(terminal, "dumb") != 0;
        signals_block();
        top.colour = ps_report_colour(stdout);
        code = screen && !top.plain && top.count == 0 ? run_live(&top) : run_plain(&top);
    }
    if (top.has_before)
        ps_scrape_fini(&top.before);
    if (top.now.text != NULL)
        ps_scrape_fini(&top.now);
    ps_arena_destroy(top.arena);
    return code;
}
