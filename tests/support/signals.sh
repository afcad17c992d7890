# Signals to an agent that a script has just started: sourced by tests/e2e/lib.sh, tests/real/lib.sh and others after tests/support/patience.sh.
#
#   is_gone PID              whether the process has ended
#   hears_signals PID        whether the agent has begun to wait for signals, or has ended
#   send_signal PID SIGNAL   sends it as soon as the agent waits for signals; fails the script if it does not begin to
#   end_children             kills the processes whose numbers are the keys of the script's array `children`, when the script ends
# shellcheck shell=bash

is_gone() { # PID: a zombie is gone, too: who reaps it is not our matter
    ! grep -qs '^State:[[:space:]]*[^Z[:space:]]' "/proc/$1/status"
}

# Until the agent waits for signals, and in the copy of this shell that becomes the agent, a signal ends it with 128 and its number.
hears_signals() { # PID
    local blocked
    ! is_gone "$1" || return 0
    [[ ! /proc/$1/exe -ef /proc/$$/exe ]] || return 1 # bash blocks SIGTERM while it makes a process
    blocked=$(sed -n 's/^SigBlk:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null) || return 1
    (((16#${blocked:-0} >> 14 & 1) == 1)) # SIGTERM
}
send_signal() { # PID SIGNAL
    patient_await 60 hears_signals "$1" || fail "process $1 does not begin to wait for signals"
    kill -"$2" "$1"
}

# The kernel gives the number of a process that has ended to another one, which may be another test's by now: ours has this shell as its
# parent, or the folder of this script in its environment.
end_children() {
    local child
    # shellcheck disable=SC2154 # children and work are the script's
    for child in "${!children[@]}"; do
        if grep -qsx "PPid:[[:space:]]*$$" "/proc/$child/status" || grep -qszxF "STATE_DIRECTORY=$work" "/proc/$child/environ"; then
            kill -KILL "$child" 2>/dev/null || true
        fi
    done
}
