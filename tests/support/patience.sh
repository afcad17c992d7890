# A clock for waits that end when nothing happens any more: sourced by tests/e2e/lib.sh, tests/real/lib.sh and what starts servers.
#
#   patient_clock     sets patient_cs, hundredths of a second: the time in which the machine was idle, and an eighth of the rest
#   patient_rest S    waits for S seconds of it
#   patient_tenth     waits for a tenth of a second of it
#   patient_await S COMMAND...   repeats the command until it succeeds; returns 1 after S seconds of it
#   patient_limit S COMMAND...   runs the command and ends it after S seconds of it; returns the command's code, 143 if it was ended
#   pause S           waits for S seconds of the usual clock, between two looks of a loop
#   pause_after BEGAN MS   the same, for at least MS milliseconds, and longer after a look that took long
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

# The program sleep costs 1 to 3 ms of CPU, too much for dozens of scripts that look ten times a second. pause reads a pipe into which nobody
# writes. Programs that the script starts inherit the pipe.
exec {patient_silence}<> <(:)
pause() { # SECONDS
    local REPLY
    read -rt "$1" -u "$patient_silence" || true
}

# For what shows no progress that a script could wait for, such as another program's timer.
patient_rest() { # SECONDS of this clock
    local end_cs
    patient_clock
    end_cs=$((patient_cs + 100 * $1))
    while patient_clock; ((patient_cs < end_cs)); do pause 0.1; done
}

# A look starts programs, and takes the longer the busier the machine is: looks at a fixed interval by all tests that wait would be much of the
# load. So a pause is at least four times as long as the look before it, up to a second.
pause_after() { # BEGAN MILLISECONDS: the look began at $EPOCHREALTIME = BEGAN; waits for at least so long
    local ms=$(((${EPOCHREALTIME/[.,]/} - ${1/[.,]/}) / 250)) rest
    ((ms < 1000)) || ms=1000
    ((ms > $2)) || ms=$2
    printf -v rest '%d.%03d' $((ms / 1000)) $((ms % 1000))
    pause "$rest"
}

patient_await() { # SECONDS COMMAND...
    local end_cs looks=0 began
    patient_clock
    end_cs=$((patient_cs + 100 * $1))
    shift
    while began=$EPOCHREALTIME; ! "$@"; do
        patient_clock
        ((patient_cs < end_cs)) || return 1
        pause_after "$began" $((++looks < 30 ? 100 : 300))
    done
}

patient_limit() { # SECONDS COMMAND...
    local seconds=$1 code=0 command watcher end_of_script
    shift
    "$@" <&0 &
    command=$!
    end_of_script=$(trap -p EXIT)
    trap - EXIT # a subshell that is killed before it has begun would run it, and remove the script's files
    { patient_rest "$seconds"; kill "$command"; } >/dev/null 2>&1 &
    watcher=$!
    eval "$end_of_script"
    wait "$command" || code=$?
    kill "$watcher" 2>/dev/null || true
    wait "$watcher" 2>/dev/null || true
    return "$code"
}

patient_tenth() { # between two looks of a loop that counts them: 0.1 s of this clock
    local end_cs
    patient_clock
    end_cs=$((patient_cs + 10))
    while pause 0.1; patient_clock; ((patient_cs < end_cs)); do :; done
}
