#!/usr/bin/env bash
# Plug-ins in C as their users have them: the examples, built outside the tree from what is installed, run in the installed program; the
# file of one that runs is overwritten; a reload takes another version, and unloads the one before; a half-copied one is refused.
# No sanitizer: users build against the release build; tests/core/plugin has the loader.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$work"
for program in cc cmake pkg-config nm python3; do
    command -v $program >/dev/null || { echo "SKIP: no $program"; exit 77; }
done
unset FLUME_HOME
root=$work/staged/opt/penstock
DESTDIR=$work/staged cmake --install "$(dirname "$PENSTOCK")" --prefix /opt/penstock >install.err 2>&1 || fail "install"
penstock=$root/bin/penstock
export PKG_CONFIG_PATH=$root/lib/pkgconfig
read -ra flags <<<"$(pkg-config --cflags penstock)"
strict=(-Wall -Wextra -Wconversion -Wshadow -Wno-missing-field-initializers -Werror)
[[ $(cc --version) != *clang* ]] || strict+=(-Wno-c2x-extensions)

# ---- the headers that are installed, and the functions that the program exports ----

printf '#include <penstock/plugin.h>\n' >all.c
cc "${flags[@]}" -MM all.c | tr -s ' ' '\n' | sed -nE "s|.*include/penstock/((core\|rings)/.*)|\1|p" | sort >used.err
(cd "$root/include/penstock" && find core rings -name '*.h' | sort) | diff used.err - >headers.err || fail "plugin.h includes other headers than the installed ones"
nm -D --defined-only "$penstock" | awk '$3 ~ /^ps_/ { print $3 }' | sort >exported.err
sort "$PENSTOCK_SOURCE/cmake/plugin_symbols.txt" | diff - exported.err >symbols.err || fail "the program exports other functions than cmake/plugin_symbols.txt has"
{ cat all.c; echo 'extern const void *const all[]; const void *const all[] = {'; sed 's/.*/(const void *)\&&,/' exported.err; echo '};'; } >declared.c
cc "${flags[@]}" -c declared.c -o declared.o 2>declared.err || fail "an exported function is in no header"
if cc "${flags[@]}" -aux-info declared.txt -fsyntax-only all.c 2>/dev/null; then # gcc
    # What the headers declare and only the engine calls. A function that is new in them goes here, or into cmake/plugin_symbols.txt.
    engine='ps_(depot_.*|block_caches_bytes|block_cache_(init|fini)|inbox_.*|dead_letters_.*|dead_letter_(queue_open|encode|print_time)|thread_.*'
    engine+='|log_(open|set_level|text_chosen|set_json|flush|turn|unlimited|count|distinct_count|level_parse)|stage_(find|fits|outline|kind_word)|engine_channel'
    engine+='|channel_at_risk|batch_headers_add|arena_(create|destroy|at_end|end|grow)|clock_ns)'
    grep -E '^/\* [^ ]*include/penstock/(core|rings)/' declared.txt | grep -v ' static ' | sed -E 's|^[^*]*\*/ extern ||; s/ \(.*//; s/.*[ *]//' | sort -u |
        grep -vxE "$engine" | diff - exported.err >undecided.err || fail "functions that the headers declare and the program does not export"
else
    echo "SKIP PART: what the headers declare: cc is not gcc"
fi

# ---- the examples, outside the tree: with CMake, and with a compiler alone ----

cp -r "$root/conf/examples/plugins" examples
cmake -S examples -B built -DCMAKE_PREFIX_PATH="$root" >cmake.err 2>&1 || fail "find_package(penstock)"
cmake --build built >build.err 2>&1 || fail "the examples do not build"
cmake --install built --prefix "$root" >>build.err 2>&1 || fail "the examples do not install"
for name in add_checksum pipe_lines unix_datagram csv_text hash_header joined_lines bounded_queue file_lines; do
    [[ -s $root/plugins.d/$name/penstock/$name.so ]] || fail "$name is not in plugins.d"
    cc "${flags[@]}" "${strict[@]}" -O1 -shared -fPIC "examples/$name.c" -o "$name.so" 2>cc.err || fail "$name.c does not compile without warnings"
done

# ---- their tests, and a stage that is begun with `penstock plugin new` ----

begun() { # KIND: begins a stage, builds and tests it
    "$penstock" plugin new "own_$1" --kind "$1" >new.err || fail "penstock plugin new"
    cmake -S "own_$1" -B "own_$1/build" -DCMAKE_PREFIX_PATH="$root" >cmake.err 2>&1 || fail "own_$1: cmake"
    cmake --build "own_$1/build" >build.err 2>&1 || fail "own_$1 does not build"
    "$penstock" check -n a1 -f "own_$1/agent.properties" --plugins-path "$root/plugins.d" >check.err 2>&1 && fail "own_$1 is there before it is installed"
    mkdir -p "own.d/own_$1/penstock" spool
    sed -i "s|/var/spool/own_deserializer|$work/spool|" "own_$1/agent.properties" # the folder has to be there
    cp "own_$1/build/own_$1.so" "own.d/own_$1/penstock"
    "$penstock" check -n a1 -f "own_$1/agent.properties" --plugins-path "own.d" >check.err 2>&1 || fail "own_$1: its agent file"
}
kinds=(interceptor source selector channel sink serializer deserializer) tests=()
for kind in "${kinds[@]}"; do
    begun "$kind"
    ctest --test-dir "own_$kind/build" >"ctest_$kind.err" 2>&1 & # they wait more than they compute
    tests+=($!)
done
ctest -j 4 --test-dir built >ctest.err 2>&1 || fail "the examples' tests"
grep -q '100% tests passed, 0 tests failed out of 8' ctest.err || fail "not eight tests of the examples"
for i in "${!kinds[@]}"; do
    wait "${tests[i]}" || fail "own_${kinds[i]} fails its test"
    grep -q '0 tests failed out of 1' "ctest_${kinds[i]}.err" || fail "own_${kinds[i]} has no test"
done
"$penstock" plugin new own_sink --kind sink >new.err 2>&1 && fail "penstock plugin new overwrites a stage"
grep -q 'cannot write own_sink/own_sink.c: File exists' new.err || fail "penstock plugin new says: $(<new.err)"
"$penstock" plugin new Own-Stage >new.err 2>&1 && fail "penstock plugin new takes a name that is none in C"
"$penstock" components own_source --plugins-path own.d >components.err 2>&1 || fail "penstock components does not know a plug-in"
grep -q 'path .*required' components.err || fail "penstock components does not show its keys"
"$penstock" components --markdown --plugins-path own.d >components.md
grep -q '^### sink .own_sink.$' components.md || fail "the page of all components lacks a plug-in's"

# A stage that breaks a promise: the suite names it. And one that reads freed memory, built with a sanitizer.
declare -A keys=([add_checksum]="--key header=sum" [hash_header]="--key header=kind" [joined_lines]="--key maxBytes=100 --read examples/traces.log"
    [bounded_queue]="--key capacity=20" [file_lines]="--fresh path --fresh positionFile --send path")
broken() { # EXAMPLE TEST PATTERN SED FLAG...: the example with this change fails this test
    sed "$4" "examples/$1.c" >broken.c
    cmp -s broken.c "examples/$1.c" && fail "$4 changes nothing"
    cc "${flags[@]}" "${@:5}" -shared -fPIC broken.c -o broken.so || fail "broken.c does not compile"
    # shellcheck disable=SC2086
    "$penstock" plugin test broken.so ${keys[$1]} >broken.err 2>&1 && fail "$1: $2 is not found"
    grep -qE "FAILED +$2" broken.err || fail "$1: $2 does not fail"
    grep -qE "$3" broken.err || fail "$1: $2 does not say $3"
}
broken add_checksum allocates_nothing 'add_checksum allocates' 's/    char text\[CHECKSUM_BYTES + 1\];/&\n    void *volatile kept = malloc(1);\n    free(kept);/; s/#include <stdio.h>/&\n#include <stdlib.h>/'
broken add_checksum short_of_memory 'other events when memory was short' 's/return PS_RETRY;/return PS_DONE;/'
broken add_checksum order_and_sums 'ended by signal 11' 's/    char text\[CHECKSUM_BYTES + 1\];/&\n    *(volatile char *)8 = 0;/'
broken hash_header routes 'routed is [0-9]+, not [0-9]+' 's/ps_lease_row(lease, i)/(uint16_t)i/'
broken hash_header routes 'times\[0\] \+ times\[1\] <= 1 is false' 's/        ps_route_row(route, channel, true.*/&\n        ps_route_row(route, channel, false, ps_lease_row(lease, i));/'
broken hash_header routes 'event [0-9]+ goes [-r]+, not [-r]+' 's/ps_name_hash(value.data, value.length) %/(unsigned)rand() %/; s/#include <string.h>/&\n#include <stdlib.h>/'
"$penstock" plugin test broken.so --key header=kind --routes any >broken.err 2>&1 || fail "a selector that draws its channel"
broken joined_lines positions 'is [0-9]+, not [0-9]+' 's/input->position += taken;/input->position += taken + 1;/'
broken joined_lines pieces 'is [0-9]+, not [0-9]+|is false' 's/return PS_DESERIALIZED_WAITS;$/return PS_DESERIALIZED_ALL;/'
broken joined_lines no_memory_in_turns 'is [0-9]+, not [0-9]+|is false|other bytes' 's/return batch->full ? PS_DESERIALIZED_FULL : PS_DESERIALIZED_WAITS;/(void)0;/'
broken joined_lines fails_in_turns 'does not say that the file is bad' 's/return PS_DESERIALIZED_FAILED;/return PS_DESERIALIZED_ALL;/'
broken bounded_queue rollback 'take\(&stage, 0\) is not leases' 's/    queue->back\[consumer\] = \*lease;//' # loses what a sink gives back
broken bounded_queue rollback 'take\(&stage, 0\) is not leases' 's/    (\*lease)->next = queue->back\[consumer\];/    (*lease)->next = NULL;/' # all but the last one
broken bounded_queue accepts_refuses_and_empties 'has 21 events and accepts more; its capacity is 20' 's/queue->events >= (uint64_t)plan->capacity/queue->events >= (uint64_t)plan->capacity + 6/'
broken bounded_queue accepts_refuses_and_empties 'has 21 events and accepts more' 's/full = queue->events >= /full = (uint64_t)-1 == /' # never full
broken bounded_queue accepts_refuses_and_empties 'home_count is 0, not 1' 's/    ps_port_home(port, lease);/    (void)port, *lease = NULL;/'
broken bounded_queue accepts_refuses_and_empties 'home_count is 2, not 1' 's/    ps_port_home(port, lease);/    struct ps_lease *again = *lease;\n&\n    ps_port_home(port, \&again);/'
broken bounded_queue frees_its_memory 'bounded_queue keeps [0-9]+ bytes' 's/    free(plan->queue->back);//'
broken bounded_queue frees_its_memory 'bounded_queue keeps [0-9]{7} bytes' 's/    free(plan->queue->back);/&\n    void *volatile large = malloc(1 << 20); \/\/ mapped on its own\n    (void)large;/'
broken file_lines restarts 'event 20 is "event 40"' 's/    \.delivered = delivered,/    .accepted = delivered,/'                       # saved before the promise
broken file_lines restarts 'event 20 is "event 0"' 's/    \.delivered = delivered,//'                                                 # never saved
broken file_lines restarts 'event 20 is "event 40"' 's/batch->spans\[batch->span_count - 1\].position/state->read_to/'                # of a later batch
broken file_lines restarts 'event 20 is "event [46]0"' 's/    state->read_to += handled;/&\n    char text[32];\n    snprintf(text, sizeof text, "%020lld", (long long)state->read_to);\n    pwrite(state->position_fd, text, 20, 0);/' # per read
"$penstock" plugin test bounded_queue.so --key capacity=1000 >broken.err 2>&1 && fail "a capacity that the suite does not fill"
grep -q 'has a capacity of 1000 events: set a key' broken.err || fail "the suite does not say what it needs: $(<broken.err)"
if cc -fsanitize=address -shared -fPIC all.c "${flags[@]}" -o sanitized.so 2>/dev/null && grep -q 'libasan\.so\.' sanitized.so; then
    broken add_checksum order_and_sums 'AddressSanitizer: heap-use-after-free' \
        's/    char text\[CHECKSUM_BYTES + 1\];/&\n    char *volatile gone = malloc(8);\n    free(gone);\n    gone[1] = 0;/; s/#include <stdio.h>/&\n#include <stdlib.h>/' -fsanitize=address
    cc "${flags[@]}" -fsanitize=address -shared -fPIC examples/add_checksum.c -o sanitized.so || fail "the sanitized example does not compile"
    "$penstock" plugin test sanitized.so --key header=sum >sanitized.err 2>&1 || fail "the sanitized example fails"
else
    echo "SKIP PART: a plug-in with a sanitizer: cc has no libasan"
fi

mkdir out
cat >agent.properties <<END
a1.sources = r1
a1.channels = c1 c2
a1.sinks = k1 k2
a1.sources.r1.type = pipe_lines
a1.sources.r1.path = $work/pipe
a1.sources.r1.channels = c1 c2
a1.sources.r1.interceptors = i1 i2
a1.sources.r1.interceptors.i1.type = add_checksum
a1.sources.r1.interceptors.i1.dropEmpty = true
a1.sources.r1.interceptors.i2.type = static
a1.channels.c1.type = memory
a1.channels.c2.type = bounded_queue
a1.sinks.k1.type = unix_datagram
a1.sinks.k1.channel = c1
a1.sinks.k1.path = $work/socket
a1.sinks.k2.type = file_roll
a1.sinks.k2.channel = c2
a1.sinks.k2.sink.directory = $work/out
a1.sinks.k2.sink.rollInterval = 0
a1.sinks.k2.sink.serializer = csv_text
a1.sinks.k2.sink.serializer.columns = checksum, key
END
"$penstock" check -n a1 -f agent.properties >check.err 2>&1 || fail "check"
grep -q 'sink k1: unix_datagram from channel c1' check.err || fail "check does not show the sink"
grep -q 'unix_datagram.so: note: the plug-in has sink .unix_datagram.' check.err || fail "check does not say where the sink is from"
sed 's/dropEmpty/dropEmtpy/' agent.properties >misspelt.properties
"$penstock" check --strict -n a1 -f misspelt.properties >misspelt.err 2>&1 && fail "check takes a key that is misspelt"
grep -q 'misspelt.properties:9: .*i1.dropEmtpy: .*did you mean dropEmpty' misspelt.err || fail "check does not know the plug-in's keys"
"$PENSTOCK" check -n a1 -f agent.properties >without.err 2>&1 && fail "check finds stages of plug-ins that are not there"
"$PENSTOCK" check -n a1 -f agent.properties --plugins-path "/nonexistent:$root/plugins.d" >path.err 2>&1 || fail "check with --plugins-path"
FLUME_HOME=$root "$PENSTOCK" check -n a1 -f agent.properties >home.err 2>&1 || fail "check with FLUME_HOME"

# ---- an agent ----

python3 "$PENSTOCK_SOURCE/tests/e2e/plugin_datagrams.py" "$work/socket" "$work/received" 2>receiver.err &
children[$!]=1
await "the receiver has its socket" test -S socket
"$penstock" agent -n a1 -f agent.properties >agent.out 2>agent.err &
agent=$!
children[$agent]=1
await "the source has its pipe" test -p pipe
received() { grep -qxF -- "$1" received 2>/dev/null; }
written() { cat out/* | grep -qxF -- "$1"; }
printf 'hello\n\nworld, "x"\n' >pipe
await "the datagrams" received 'world, "x"'
await "the lines of CSV" written '17994c15,value,"world, ""x"""'
written '4f9f2cab,value,hello' || fail "the first event has another checksum: $(cat out/*)"
(($(wc -l <received) == 2)) || fail "the empty event is not dropped: $(<received)"

# Each file is overwritten in place with bytes that are no program: what runs is a copy.
for name in add_checksum pipe_lines unix_datagram csv_text; do
    head -c 20000 /dev/zero >"$root/plugins.d/$name/penstock/$name.so"
done
echo overwritten >pipe
await "events after the files are overwritten" received overwritten

# ---- reloads ----

reload() { # WHAT LINE: sends SIGHUP and waits for the line
    local before
    before=$(wc -l <agent.err)
    kill -HUP "$agent"
    says() { tail -n "+$((before + 1))" agent.err | grep -qE -- "$1"; }
    await "$1" says "$2"
}
reload "the zeros are refused" 'the new configuration is not used; the agent keeps the old one: .*add_checksum.so: error: the plug-in is not a shared object'
echo refused >pipe
await "events after a refused reload" received refused

install_plugin() { # NAME: as a user does, with a rename
    cp "$1.so" "$root/plugins.d/$1/penstock/$1.part"
    mv "$root/plugins.d/$1/penstock/$1.part" "$root/plugins.d/$1/penstock/$1.so"
}
for name in pipe_lines unix_datagram csv_text; do
    install_plugin $name
done
sed 's/"%08x"/"%08X"/' examples/add_checksum.c >upper.c
cc "${flags[@]}" -shared -fPIC upper.c -o add_checksum.so || fail "the other version does not compile"
install_plugin add_checksum
copies() { # NAME: prints the copies of a plug-in that are mapped
    awk -v "name=/memfd:$1.so" '$6 == name { print $5 }' "/proc/$agent/maps" | sort -u | wc -l
}
# The files were built with another optimization than those that run: all of them are other versions.
reload "the other versions run" 'reload: source r1 changed.*sink k1 changed.*sink k2 changed'
one_copy() { (($(copies unix_datagram) == 1 && $(copies csv_text) == 1)); }
await "the earlier versions of the sink and of the serializer are unloaded" one_copy
(($(copies add_checksum) == 2)) || fail "texts of the earlier interceptor may be in events, and it is unloaded"
echo hello >pipe
await "the other version of the interceptor" written '4F9F2CAB,value,hello'

# One other version, of the serializer alone: the source and the other sink go on as they are.
sed 's/"body\\n"/"BODY\\n"/' examples/csv_text.c >lines.c
cc "${flags[@]}" -shared -fPIC lines.c -o csv_text.so || fail "the other serializer does not compile"
install_plugin csv_text
reload "the other serializer runs" 'reload: sink k2 changed[^,]*$'
await "the earlier serializer is unloaded" one_copy

# The same bytes again: nothing changes.
touch "$root/plugins.d/csv_text/penstock/csv_text.so"
reload "a reload of the same files" 'reload: nothing changed in the configuration'
echo 'the same' >pipe
await "events after a reload of the same files" received 'the same'

kill -TERM "$agent"
code=0
wait "$agent" || code=$?
((code == 0)) || fail "the agent ends with $code"
unset "children[$agent]"
