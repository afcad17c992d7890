#include "bench/suite/paired.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void ps_bench_fatal(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    exit(1);
}

void ps_bench_options_parse(struct ps_bench_options *options, int argc, char **argv)
{
    static const struct option known[] = {{"seconds", 1, NULL, 's'}, {"rounds", 1, NULL, 'r'},
                                          {"events", 1, NULL, 'e'},  {"only", 1, NULL, 'o'},
                                          {"brokers", 1, NULL, 'b'}, {"broker-pid", 1, NULL, 'p'},
                                          {NULL, 0, NULL, 0}};
    bool good = true;
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 's':
            options->seconds = atof(optarg);
            break;
        case 'r':
            options->rounds = (unsigned)atoi(optarg);
            break;
        case 'e':
            options->events = strtoull(optarg, NULL, 10);
            break;
        case 'o':
            options->only = optarg;
            break;
        case 'b':
            options->brokers = optarg;
            break;
        case 'p':
            options->broker_pid = atoi(optarg);
            break;
        default:
            good = false;
        }
    }
    if (good && optind == argc && options->seconds > 0 && options->seconds < 3600 && options->rounds > 0 &&
        options->rounds <= PS_ROUNDS_MAX)
        return;
    fprintf(stderr,
            "usage: %s [--seconds S] [--rounds 1..%u] [--events N] [--only NAME] [--brokers LIST] "
            "[--broker-pid PID]\n"
            "Prints JSON objects, one per line. bench/run runs all bench programs.\n",
            argv[0], PS_ROUNDS_MAX);
    exit(2);
}

bool ps_bench_wants(const struct ps_bench_options *options, const char *variant)
{
    return options->only == NULL || strcmp(options->only, variant) == 0;
}

static void progress(const struct ps_paired *paired, unsigned round, unsigned rounds)
{
    if (!isatty(STDERR_FILENO))
        return;
    if (round > rounds)
        fprintf(stderr, "\r\033[K");
    else if (round == 0)
        fprintf(stderr, "\r\033[K%s %s: warm-up", paired->bench, paired->variant);
    else
        fprintf(stderr, "\r\033[K%s %s: round %u of %u", paired->bench, paired->variant, round, rounds);
}

static double one(double (*measure)(void *), void *argument)
{
    for (int attempt = 0; attempt < 3; attempt++) {
        double figure = measure(argument);
        if (figure > 0)
            return figure;
    }
    ps_bench_fatal("nothing was counted during the measurement: try a larger --seconds");
}

void ps_paired_run(const struct ps_paired *paired, unsigned rounds, struct ps_paired_result *result)
{
    PS_ASSERT(rounds > 0 && rounds <= PS_ROUNDS_MAX);
    *result = (struct ps_paired_result){.rounds = rounds};
    progress(paired, 0, rounds);
    if (paired->bare != NULL)
        one(paired->bare, paired->argument);
    one(paired->subject, paired->argument);
    for (unsigned i = 0; i < rounds; i++) {
        progress(paired, i + 1, rounds);
        bool first = i % 2 == 0; /* the reference is measured first */
        if (paired->bare != NULL && first)
            result->bare[i] = one(paired->bare, paired->argument);
        result->subject[i] = one(paired->subject, paired->argument);
        if (paired->bare != NULL && !first)
            result->bare[i] = one(paired->bare, paired->argument);
        if (paired->bare != NULL)
            result->ratio[i] = result->subject[i] / result->bare[i];
    }
    progress(paired, rounds + 1, rounds);
}

/* "<prefix>value":..,"<prefix>low":..,"<prefix>high":..,"<prefix>samples":[..] */
static void print_figures(const char *prefix, const double *figures, unsigned count)
{
    double sorted[PS_ROUNDS_MAX];
    memcpy(sorted, figures, count * sizeof *figures);
    struct ps_spread spread = ps_spread_of(sorted, count);
    printf("\"%svalue\":%.6g,\"%slow\":%.6g,\"%shigh\":%.6g,\"%ssamples\":[", prefix, spread.median, prefix,
           spread.low, prefix, spread.high, prefix);
    for (unsigned i = 0; i < count; i++)
        printf("%s%.6g", i > 0 ? "," : "", figures[i]);
    printf("],");
}

void ps_paired_print(const struct ps_paired *paired, const struct ps_paired_result *result, const char *more,
                     ...)
{
    double sorted[PS_ROUNDS_MAX];
    printf("{\"bench\":\"%s\",\"variant\":\"%s\",", paired->bench, paired->variant);
    print_figures("", result->subject, result->rounds);
    printf("\"unit\":\"%s\",\"better\":\"%s\",\"rounds\":%u", paired->unit,
           paired->lower_is_better ? "lower" : "higher", result->rounds);
    if (paired->bare != NULL) {
        printf(",\"reference\":\"%s\",", paired->reference);
        print_figures("reference_", result->bare, result->rounds);
        memcpy(sorted, result->ratio, result->rounds * sizeof *sorted);
        struct ps_spread ratio = ps_spread_of(sorted, result->rounds);
        printf("\"ratio\":%.4g,\"ratio_low\":%.4g,\"ratio_high\":%.4g", ratio.median, ratio.low, ratio.high);
    }
    if (paired->goal > 0)
        printf(",\"goal\":%.6g", paired->goal);
    if (paired->goal_ratio > 0)
        printf(",\"goal_ratio\":%.4g", paired->goal_ratio);
    va_list arguments;
    va_start(arguments, more);
    if (more[0] != '\0')
        printf(",");
    vprintf(more, arguments);
    va_end(arguments);
    printf("}\n");
    fflush(stdout);
}
