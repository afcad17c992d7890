#!/usr/bin/env bash
# Everything CI runs, in one command. Needs Debian 12 and git; installs the packages that are missing.
#
#   ./test.sh                   release build and all tests; ASan + UBSan; TSan; clang; real servers if java and mvn are there
#   ./test.sh --quick           a debug build with the fast tests only (at most 3 minutes)
#   ./test.sh --changed [BASE]  the tests that the working tree touches, debug build; with BASE the commits since BASE count too
#   ./test.sh --real            as without options, and installs a JDK and Maven first
#   ./test.sh --real SERVER...  only the tests that need one of these servers (kafka, flume, ..), release build
#   ./test.sh NAME...           the tests whose name matches one of these (regular expressions), release build
#   ./test.sh --preset P ...    with another preset (debug, asan, tsan, clang, coverage)
#   ./test.sh --draw [N] ...    what draws its cases draws others: from the number N, or from one that is printed
#   ./test.sh --list            the names
#   ./test.sh --slots [NAME]... measures how much of a CPU tests take (tests/slots.txt), release build
#
# Examples:
#   ./test.sh --changed                      after an edit
#   ./test.sh --preset asan '^stages_lib_tls_'   one folder's tests under AddressSanitizer
#   ./test.sh --real kafka                   what a real broker shows
#
# A test's name is its path: tests/core/flow/batch_test.c is core_flow_batch.
# Environment: BUILD (where the builds go, default build), JOBS (default: the number of cores), PENSTOCK_SEED_BASE (as --draw N;
# default: the number in tests/seeds.txt).
# The last line is "N passed, N failed, N skipped"; the exit code is 0 only if nothing failed.
set -euo pipefail
cd "$(dirname "$0")"

build=${BUILD:-build}
jobs=${JOBS:-$(nproc)}
mode=full preset='' kinds=(build test) names=() servers=() base=''

usage_error() { echo "test.sh: $1 (see --help)" >&2; exit 2; }

# Every "# Needs:" line of tests/real names the servers of its script.
known_servers() { sed -n 's/^# Needs: //p' tests/real/*_test.sh | tr ' ' '\n' | sort -u; }

while (($#)); do
    case $1 in
    --quick) mode=quick ;;
    --changed)
        mode=changed
        if [[ ${2:-} && ${2:-} != -* ]]; then
            base=$2
            git rev-parse -q --verify "$base^{commit}" >/dev/null || usage_error "no commit $base to compare with"
            shift
        fi
        ;;
    --draw)
        if [[ ${2:-} =~ ^[0-9]+$ ]]; then
            PENSTOCK_SEED_BASE=$2
            shift
        else
            PENSTOCK_SEED_BASE=$((RANDOM << 15 | RANDOM))
            echo "cases are drawn from $PENSTOCK_SEED_BASE (./test.sh --draw $PENSTOCK_SEED_BASE draws them again)"
        fi
        ;;
    --preset) preset=${2:?--preset needs a name}; shift ;;
    --real)
        kinds+=(real)
        while [[ ${2:-} && ${2:-} != -* ]]; do
            known_servers | grep -qxF -- "$2" || usage_error "no test needs a server '$2'; there are: $(known_servers | paste -sd ' ')"
            servers+=("$2") mode=servers
            shift
        done
        ;;
    --list) mode=list ;;
    --slots) mode=slots ;;
    -h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit ;;
    -*) usage_error "unknown option $1" ;;
    *) names+=("$1"); [[ $mode != full ]] || mode=names ;;
    esac
    shift
done

results=$(mktemp -d)
# What draws (tests/support/support.h, tests/support/seed.sh) asks the same in each run: docs/decisions/0047-seeds-and-networks-of-tests.md.
export PENSTOCK_SEED_BASE=${PENSTOCK_SEED_BASE:-$(sed -n 's/^base //p' tests/seeds.txt)}
export PENSTOCK_SHARED=$results/shared # servers that several tests use (tests/real/lib.sh)
background=()
finish() {
    ((${#background[@]} == 0)) || kill "${background[@]}" 2>/dev/null || true
    [[ ! -e $results/shared/kafka ]] || tests/real/kafka stop --dir "$results/shared/kafka" >/dev/null 2>&1 || true
    [[ ! -e $results/shared/hdfs ]] || tests/real/hdfs stop --dir "$results/shared/hdfs" >/dev/null 2>&1 || true
    rm -rf "$results"
}
trap finish EXIT

# A step begins: the one before has taken its time, and what its ended children took of the CPUs; servers that left their parents are not in it.
step_name='' step_began=0 step_cpu=0
cpu() { # sets cpu_now, in seconds
    local file=$results/times.$BASHPID
    times >"$file" # in a $(..) it would be that of the subshell
    cpu_now=$(awk 'NR == 2 { gsub(/[ms]/, " "); split($0, part, " "); printf "%d", 60 * (part[1] + part[3]) + part[2] + part[4] }' "$file")
}
step_end() {
    [[ $step_name ]] || return 0
    cpu
    printf '%6d s, %5d s of CPU  %s\n' $((SECONDS - step_began)) $((cpu_now - step_cpu)) "$step_name" >>"$results/steps"
    step_name=''
}
say() {
    step_end
    cpu
    step_name=$* step_began=$SECONDS step_cpu=$cpu_now
    printf '\n== %s  [%d s]\n' "$*" "$SECONDS"
}

slots=$((4 * jobs)) # of ctest: a test takes two, or what tests/slots.txt says, so that those that wait run side by side

# Whether other programs have the CPUs, so that tests that wait leave nothing that more tests at a time could use: asked once, for two
# seconds, when nothing of this run computes.
neighbours=''
look_for_neighbours() {
    local before after
    before=$(awk '/^cpu / { print $5 }' /proc/stat) # idle time, in hundredths of a second of one CPU
    sleep 2
    after=$(awk '/^cpu / { print $5 }' /proc/stat)
    ((after - before < 20 * $(nproc))) || return 0
    neighbours=1
    echo "other programs take the CPUs of this machine: fewer tests at a time"
}

# The tests with real servers wait much: with four slots for each CPU a third of it was idle (docs/decisions/0050). Six keep it busy, as
# long as there is memory for their JVMs, 0.5 GiB a slot.
real_slots() {
    local room
    [[ ! $neighbours ]] || { echo "$slots"; return; }
    room=$(awk '/^MemAvailable:/ { print int($2 / 524288) }' /proc/meminfo)
    if ((room < 6 * jobs)); then echo "$slots"; else echo $((6 * jobs)); fi
}

without='' # source files that a build leaves out
configure() { # PRESET
    local launcher=()
    if command -v ccache >/dev/null; then
        launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    fi
    if ! cmake --preset "$1" -B "$build/$1" -DPS_WERROR=ON -DPS_WITHOUT="$without" "${launcher[@]}" >"$results/configure-$1.log" 2>&1; then
        tail -40 "$results/configure-$1.log"
        return 1
    fi
}

compile() { # PRESET [TARGET]...
    local one=$1
    shift
    # One target that does not build does not keep the others from being built and tested.
    if ! cmake --build "$build/$one" -j "$jobs" ${1:+--target "$@"} -- -k 0 >"$results/build-$one.log" 2>&1; then
        grep -vE '^\[[0-9]+/[0-9]+\]|^[^ ]*(ccache|cc|gcc|clang|c\+\+|:) .* -o |^ninja: ' "$results/build-$one.log" | cut -c 1-300 | head -60
        return 1
    fi
}

broken() { # WHAT: a step that is not a test failed
    echo "FAILED: $1" | tee -a "$results/broken"
}

network=() # what begins ctest
has_isolated() { # [PRESET]: says once whether tests have networks of their own
    [[ -e $results/isolated ]] || { "$build/${1:-release}/tests/isolated" --check | tee "$results/isolated"; } || true
}
# A test that writes without end fills neither disk nor terminal: files are capped here, output by ctest.
run() { # LABEL-OF-THIS-RUN PRESET CTEST-OPTION...
    local title=$1 one=$2
    shift 2
    has_isolated "$one"
    (
        ulimit -f 8388608
        "${network[@]}" ctest --test-dir "$build/$one" --output-on-failure --timeout 600 --no-tests=ignore \
            --test-output-size-passed 16384 --test-output-size-failed 65536 \
            --output-junit "$results/$title.xml" "$@"
    ) >"$results/$title.log" 2>&1 || true
    sed -n '/% tests passed/,$d; /^Internal ctest/d; /Test project/d; /\(Start\|Passed\) /d; p' "$results/$title.log" |
        grep -vE '^ *$|^[^ ]*/tests/([A-Za-z]+/)?[a-z0-9_]+$|^(Unable to find|Could not find|Looked in)' | head -400 || true
    report "$title"
}

cases() { # FILE...: name <tab> seconds <tab> passed|failed|skipped <tab> reason, from what ctest wrote; a skipped part is a case of its own
    awk '
        function attribute(name,   at) {
            at = index($0, " " name "=\"")
            if (!at) return ""
            rest = substr($0, at + length(name) + 3)
            return substr(rest, 1, index(rest, "\"") - 1)
        }
        function flush() {
            if (test != "") printf "%s\t%s\t%s\t%s\n", test, seconds, status, reason
            for (part = 1; part <= parts; part++) print skipped[part]
            test = ""; parts = 0
        }
        /<testcase / {
            flush()
            test = attribute("name"); seconds = attribute("time"); reason = ""
            status = attribute("status")
            status = status == "run" ? "passed" : (status == "notrun" || status == "disabled") ? "skipped" : "failed"
        }
        test != "" && /<skipped message="/ && !/SKIP_RETURN_CODE/ { status = "failed"; reason = "did not run" }
        test != "" && match($0, /SKIP PART: [a-z0-9_]+: .*/) {
            line = substr($0, RSTART + 11); sub(/<.*/, "", line)
            colon = index(line, ": ")
            skipped[++parts] = test "/" substr(line, 1, colon - 1) "\t0\tskipped\t" substr(line, colon + 2)
        }
        # the first failure that the output names; the last lines of a test that was started by another are indented
        test != "" && status == "failed" && reason == "" && match($0, /(\[ +FAILED +\]|FAILED:?) .*/) {
            reason = substr($0, RSTART, 200); sub(/^[^D]*D[] :]*/, "", reason); sub(/<.*/, "", reason)
        }
        status == "skipped" && match($0, /SKIP: .*/) { reason = substr($0, RSTART + 6); sub(/<.*/, "", reason) }
        END { flush() }
    ' "$@"
}

report() { # TITLE: one line
    [[ -e $results/$1.xml ]] || { broken "$1: ctest did not run"; return; }
    cases "$results/$1.xml" | awk -F'\t' -v title="$1" '
        { count[$3]++; seconds += $2 }
        END { printf "%s: %d passed, %d failed, %d skipped (%.0f s of tests)\n", title, count["passed"], count["failed"], count["skipped"], seconds }'
}

summary() {
    local all=("$results"/*.xml) one
    [[ -e ${all[0]} ]] || all=(/dev/null)
    say "the ten slowest tests"
    for one in "${all[@]}"; do cases "$one" | sed "s|^|$(basename "$one" .xml)/|"; done | sort -t$'\t' -k2,2nr >"$results/cases"
    head -10 "$results/cases" | awk -F'\t' '{ printf "%8.1f s  %s\n", $2, $1 }'
    say "the steps"
    cat "$results/steps"
    echo
    awk -F'\t' '$3 == "skipped" { print "SKIP " $1 ": " ($4 == "" ? "no reason given" : $4) }' "$results/cases" | sort
    awk -F'\t' '$3 == "failed" { print "FAILED " $1, $4 }' "$results/cases" | sort
    touch "$results/broken"
    awk -F'\t' -v steps="$(wc -l <"$results/broken")" '
        { count[$3]++ }
        END {
            failed = count["failed"] + steps
            printf "%d passed, %d failed, %d skipped\n", count["passed"], failed, count["skipped"]
            exit failed > 0 || count["passed"] == 0
        }' "$results/cases"
}

targets() { # PRESET TEST-REGEX: which of the tests are programs to build
    cmake --build "$build/$1" --target help | sed -n 's/^\([A-Za-z0-9_]*\): phony$/\1/p' | sort >"$results/targets"
    ctest --test-dir "$build/$1" -N -R "$2" | sed -n 's/^ *Test *#[0-9]*: //p' | sort | comm -12 - "$results/targets"
}

join() { local IFS='|'; echo "($*)"; }

programs=(penstock real_tools) # what tests start
selected() { # PRESET NAME...: only these tests, built and run
    local one=$1 list
    shift
    configure "$one" || { broken "configure $one"; return; }
    local pattern
    for pattern; do
        [[ $(ctest --test-dir "$build/$one" -N -R "$pattern") != *'Total Tests: 0'* ]] || broken "no test's name matches $pattern (./test.sh --list)"
    done
    mapfile -t list < <(targets "$one" "$(join "$@")")
    # Tests of the bench programs run those, which are not tests themselves.
    if ctest --test-dir "$build/$one" -N -R "$(join "$@")" | grep -q ': e2e_bench_'; then
        compile "$one" || broken "build $one"
    else
        compile "$one" "${programs[@]}" "${list[@]}" || broken "build $one"
    fi
    run "$one" "$one" -j "$slots" -R "$(join "$@")"
}

whole() { # PRESET CTEST-OPTION...: everything built, then the tests
    local one=$1
    shift
    say "$one: build"
    configure "$one" || { broken "configure $one"; return; }
    compile "$one" || broken "build $one"
    say "$one: tests"
    run "$one" "$one" -j "$slots" "$@"
}

# ---- beside the tests of the release build ----

# Those with more than one thread.
tsan_tests=('^stress_' '^stages_conformance_channel(_durable)?$' '^rings_' '^bench_load_load$'
    '^core_flow_block$' '^core_helper_' '^core_watch_tap$' '^core_watch_metrics_metrics$'
    '^rings_swap$' '^core_engine_sink_sockets$' '^stages_channels_memory$' '^stages_channels_spillablememory_order$' '^stages_lib_rules_live_live')

# Folders that these tests need nothing of: two thirds of the library. A test that does does not link.
tsan_without='/stages/(sinks|sources)/[^j]|/(bench/(plan|report|verify)|conf/(command|java|validate)|tests/support/kafka'
tsan_without+='|stages/lib/(filesystem|hadoop|hive|irc|orc|remote|rpc|sasl|spool|stream|syslog|tail)'
tsan_without+='|stages/lib/kafka/(channel|consumer|fetch|native|positions|properties|security))/'

clang_warnings() { # nothing of this build is run
    say "clang: no warnings"
    { configure warnings && compile warnings penstock; } || broken "build warnings"
}
address_sanitizer() {
    local slots=$((5 * jobs))
    whole asan -LE '^(e2e|real|stress)$'
}
thread_sanitizer() {
    say "tsan"
    local programs=() without=$tsan_without # these tests start none
    selected tsan "${tsan_tests[@]}"
}

# Half of the tests wait for something, so five branches of the whole run share the CPUs (docs/decisions/0050-cost-of-tests.md): the tests with
# real servers, whose far ends have time-outs of their own, go first; the other tests of the release build come next; what needs the CPU (the
# other builds, and the tests with sanitizers) has what those leave. A step's lines are printed when it has ended.
branches=()
begin() { # NICENESS STEP...: these steps, one after the other, beside what follows
    local niceness=$1 step lines
    shift
    lines=$(mktemp "$results/lines.XXXXXX")
    (
        trap - EXIT
        step_name=''
        renice -n "$niceness" -p "$BASHPID" >/dev/null 2>&1 || true
        for step; do
            { "$step"; step_end; } >"$lines" 2>&1
            cat "$lines"
        done
    ) &
    branches+=("$!")
    background+=("$!")
}
real_tests() {
    say "real servers"
    real_servers '^real$' "$(real_slots)"
}
release_tests() {
    say "release: tests"
    run release release -j "$slots" -LE '^(e2e|real)$'
}
end_to_end() {
    say "end to end, on the mock cluster"
    run e2e release -j $((5 * jobs)) -L '^e2e$'
}

# Tests with real servers share some of these, and so have one network together, with nothing but loopback. What they need from elsewhere is
# fetched before; only those that make a Debian need its mirror.
real_servers() { # LABEL-OF-THE-TESTS JOBS
    local network=()
    wait_for_fetch
    ctest --test-dir "$build/release" -N -L "$1" -L '^real_debian$' | grep -q 'Total Tests: 0' || run debian release -j "$2" -L "$1" -L '^real_debian$'
    [[ ${servers[*]} != debian ]] || return 0
    ! "$build/release/tests/isolated" --check >/dev/null || network=("$build/release/tests/isolated")
    run real release -j "$2" -L "$1" -LE '^real_debian$'
}

fetching=''
fetch_real() { # what the real servers need, while we build
    command -v java >/dev/null && command -v mvn >/dev/null || return 0
    # A fetch runs Maven some thirty times, for seconds each: 2.7 s of CPU with these options; 6.6 s with the second compiler and the check of bytecode.
    export MAVEN_OPTS=${MAVEN_OPTS:--XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote}
    {
        for server in kafka flume hdfs orc hive extras activemq hbase hbase1 solr old_flume elasticsearch opensearch kite ${KUDU_SINK:+kudu}; do "tests/real/$server" fetch || exit; done
        touch "$results/fetched"
    } >"$results/fetch.log" 2>&1 &
    fetching=$!
    background+=("$fetching")
}
wait_for_fetch() { # also in a branch, whose child it is not
    [[ $fetching ]] || return 0
    tail --pid="$fetching" -f /dev/null
    [[ -e $results/fetched ]] || echo "fetching jars failed: $(tail -3 "$results/fetch.log")"
}

scripts() {
    say "scripts and layout"
    local files
    # a corpus holds input of parsers, some of it after a line that looks like a script's
    mapfile -t files < <(find . \( -name .git -o -path ./build -o -path "./$build" -o -path ./tests/fuzz/corpus \) -prune -o -type f -size -100k -print0 |
        LC_ALL=C xargs -0 awk 'FNR == 1 { if (/^#!.*(\/| )(ba)?sh/) print FILENAME; nextfile }')
    printf '%s\0' "${files[@]}" | xargs -0 -n 8 -P "$jobs" shellcheck -x -P SCRIPTDIR || broken "shellcheck"
    mapfile -t files < <(find commands core rings regex conf stages bench tests -name '*.[ch]')
    if ! printf '%s\0' "${files[@]}" | xargs -0 -n 100 -P "$jobs" clang-format --dry-run --Werror >"$results/layout" 2>&1; then
        sed -n 's/:[0-9]*:[0-9]*: error: .*//p' "$results/layout" | sort | uniq -c
        broken "layout (clang-format -i on these files)"
    fi
}

say "packages"
.ci/packages "${kinds[@]}"

case $mode in
list)
    configure "${preset:-release}"
    ctest --test-dir "$build/${preset:-release}" -N | sed -n 's/^ *Test *#[0-9]*: //p'
    exit
    ;;
slots)
    configure release && compile release || exit 1
    python3 tests/slots.py "$build/release" "$( ((${#names[@]})) && join "${names[@]}" || echo .)"
    exit
    ;;
names)
    say "${preset:-release}: ${names[*]}"
    selected "${preset:-release}" "${names[@]}"
    ;;
changed)
    say "${preset:-debug}: what the change touches"
    configure "${preset:-debug}" || exit 1
    python3 tests/changed.py "$build/${preset:-debug}" ${base:+"$base"} >"$results/changed"
    awk -F'\t' '{ printf "    %-44s %s\n", $1, $2 }' "$results/changed"
    mapfile -t names < <(sed 's/\t.*//; s/^/^/; s/$/$/' "$results/changed")
    selected "${preset:-debug}" "${names[@]}"
    ;;
servers)
    fetch_real
    say "real servers: ${servers[*]}"
    { configure release && compile release penstock real_tools regex_java_table regex_java_matcher; } || broken "build release"
    real_servers "^real_$(join "${servers[@]}")\$" "$slots"
    ;;
quick)
    whole "${preset:-debug}" -LE '^(e2e|real|stress|sim|world|crash)$'
    ;;
full)
    look_for_neighbours
    fetch_real
    # What one compiler run says is asked once in a whole run: a cache that preprocesses before it compiles costs a third more.
    export CCACHE_DEPEND=1
    if [[ $preset ]]; then
        scripts
        whole "$preset" -LE '^real$'
    else
        say "release: build"
        { configure release && compile release; } || broken "build release"
        step_end
        has_isolated
        begin 0 real_tests
        export CRASH_SLACK_S=${CRASH_SLACK_S:-3} # beside other branches tests/crash/check.py has more patience
        if [[ $neighbours ]]; then
            begin 5 release_tests end_to_end address_sanitizer thread_sanitizer scripts clang_warnings
        else
            begin 5 release_tests
            begin 5 end_to_end
            begin 5 address_sanitizer
            begin 10 thread_sanitizer scripts clang_warnings
        fi
        for branch in "${branches[@]}"; do wait "$branch" || broken "a branch of the run"; done
    fi
    ;;
esac
summary
