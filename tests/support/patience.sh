# A clock for waits that end when nothing happens any more: sourced by tests/e2e/lib.sh, tests/real/lib.sh and what starts servers.
#
#   patient_clock     sets patient_cs, hundredths of a second: the time in which the machine was idle, and an eighth of the rest
#
# As long as a CPU computes or waits for the disk, for this test or for a neighbour that keeps it from its turn, the clock is slow: a wait of 60 s
# then lasts up to eight minutes, less than the time limits of ctest. tests/support/support.h is the same for programs.
# shellcheck shell=bash disable=SC2034

patient_cpus=$(getconf _NPROCESSORS_ONLN)
patient_clock() {
    local up idle
    read -r up idle </proc/uptime
    up=${up/./} idle=${idle/./}
    patient_cs=$(((10#$up + 7 * 10#$idle / patient_cpus) / 8))
}
