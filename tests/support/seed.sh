# shellcheck shell=bash
# The seed of a script that draws, as ps_test_seed() gives it to a program: PENSTOCK_SEED, which repeats a run; else
# PENSTOCK_SEED_BASE, which ./test.sh takes from tests/seeds.txt, so that each run is asked the same; else a new one.
seed_of_run() { echo "${PENSTOCK_SEED:-${PENSTOCK_SEED_BASE:-$((RANDOM << 15 | RANDOM))}}"; }

# Sets `seed`, prints it, and lets bash's own sequence of numbers begin with it.
begin_draws() {
    seed=$(seed_of_run)
    echo "PENSTOCK_SEED=$seed"
    RANDOM=$((seed % 32768))
}
