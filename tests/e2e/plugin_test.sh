#!/usr/bin/env bash
# Plug-ins in C as their users have them: the examples, built outside the tree from what is installed, run in the installed program; the
# file of one that runs is overwritten; a reload takes another version, and unloads the one before; a half-copied one is refused.
# No sanitizer: users build against the release build; tests/core/plugin has the loader.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/e2e/plugin_installed.sh
source "$(dirname "${BASH_SOURCE[0]}")/plugin_installed.sh"
for program in nm python3; do
    command -v $program >/dev/null || { echo "SKIP: no $program"; exit 77; }
done
export PKG_CONFIG_PATH=$root/lib/pkgconfig
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
    engine+='|channel_at_risk|batch_headers_add|pairs_value|arena_(create|destroy|at_end|end|grow)|clock_ns)'
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
for refused in 'int:C has this word' 'timestamp:penstock itself has a stage' "$(printf 'x%.0s' {1..128}):longer than"; do
    "$penstock" plugin new "${refused%%:*}" >new.err 2>&1 && fail "penstock plugin new takes ${refused%%:*}"
    grep -q "${refused#*:}" new.err || fail "penstock plugin new says: $(<new.err)"
done
"$penstock" components own_source --plugins-path own.d >components.err 2>&1 || fail "penstock components does not know a plug-in"
grep -q 'path .*required' components.err || fail "penstock components does not show its keys"
"$penstock" components --markdown --plugins-path own.d >components.md
grep -q '^### sink .own_sink.$' components.md || fail "the page of all components lacks a plug-in's"

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
