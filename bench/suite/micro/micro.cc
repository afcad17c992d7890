// The C++ side of bench/suite/micro/micro.h, and bench_micro's main.
#include <benchmark/benchmark.h>

#include "bench/suite/micro/micro.h"

struct ps_micro {
    benchmark::State *state;
};

int ps_micro_batch(struct ps_micro *micro, size_t count)
{
    return micro->state->KeepRunningBatch(static_cast<benchmark::IterationCount>(count)) ? 1 : 0;
}

void ps_micro_bytes(struct ps_micro *micro, uint64_t bytes_per_iteration)
{
    micro->state->SetBytesProcessed(static_cast<int64_t>(bytes_per_iteration) *
                                    static_cast<int64_t>(micro->state->iterations()));
}

void ps_micro_add(const char *name, void (*run)(struct ps_micro *micro))
{
    benchmark::RegisterBenchmark(name, [run](benchmark::State &state) {
        struct ps_micro micro = {&state};
        run(&micro);
        state.SetItemsProcessed(static_cast<int64_t>(state.iterations()));
    });
}

int main(int argc, char **argv)
{
#define MICRO(noun) ps_micro_##noun();
#include "bench/suite/micro/micro.def"
#undef MICRO
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 1;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
