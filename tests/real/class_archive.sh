# An archive of the classes that a server loads, which Java maps instead of reading and checking them (docs/decisions/0050-cost-of-tests.md).
# Sourced; `java` is the program. (Compiled classes of tests: java_classes.sh.) Defines
#
#   class_archive FOLDER         sets archive, the file in that folder for this Java, and archived, the options with which Java uses it if it is there
#   class_archive_make START     makes it unless it is there: calls `START FOLDER OPTION`, which starts the server in that folder with one more option
#                                of Java and prints its process, and then those of others that it needs. Without the archive everything works,
#                                and takes longer.
#   class_archive_dump PATH START  the same for a class path that ends with a folder, which no archive may have: calls `START FOLDER OPTION`, which
#                                runs the server with one more option of Java and ends it, and makes the archive from the names of the classes that
#                                it loaded and the jars of PATH, the class path without the folder
# shellcheck shell=bash disable=SC2034,SC2154

archive='' archived=()
class_archive() {
    local program
    program=$(readlink -f "$(command -v "$java" || true)")
    archive=$1/classes-$(stat -c %Y "${program:-/}").jsa
    archived=()
    [[ ! -r $archive ]] || archived=(-XX:SharedArchiveFile="$archive" -Xshare:auto -Xlog:cds=off -Xlog:cds+dynamic=off)
}

class_archive_make() {
    local here lock tenths other
    local -a processes
    [[ ! -e $archive ]] || return 0
    exec {lock}>"$archive.lock"
    flock "$lock"
    if [[ ! -e $archive ]]; then
        here=$(mktemp -d)
        mapfile -t processes < <("$1" "$here" "-XX:ArchiveClassesAtExit=$here/classes.jsa" 2>"$here/log")
        rm -f "$here/classes.jsa" # of a tool that made the server's folder
        if ((${#processes[@]} > 0)) && kill "${processes[0]}"; then
            for ((tenths = 0; tenths < 3000; tenths++)); do # writing it takes seconds
                kill -0 "${processes[0]}" 2>/dev/null || break
                sleep 0.1
            done
        fi
        for other in "${processes[@]:1}"; do kill -KILL "$other" 2>/dev/null || true; done
        # Java ends by a signal over an archive that is cut: it appears when it is whole.
        if [[ -s $here/classes.jsa ]] && cp "$here/classes.jsa" "$archive.new"; then mv "$archive.new" "$archive"; fi
        rm -rf "$here"
    fi
    exec {lock}>&-
}

class_archive_dump() {
    local here lock
    [[ ! -e $archive ]] || return 0
    exec {lock}>"$archive.lock"
    flock "$lock"
    if [[ ! -e $archive ]]; then
        here=$(mktemp -d)
        (exec {lock}>&-; "$2" "$here" "-XX:DumpLoadedClassList=$here/names.%p") >"$here/log" 2>&1 </dev/null || true
        cat "$here"/names.* 2>/dev/null | grep -v '^#' | awk '!seen[$0]++' >"$here/names" || true
        [[ ! -s $here/names ]] || "$java" -Xshare:dump -Xmx512m -XX:TieredStopAtLevel=1 -XX:SharedClassListFile="$here/names" -XX:SharedArchiveFile="$here/classes.jsa" \
            -Xlog:disable -cp "$1" >"$here/log" 2>&1 || true
        if [[ -s $here/classes.jsa ]] && cp "$here/classes.jsa" "$archive.new"; then mv "$archive.new" "$archive"; fi
        rm -rf "$here"
    fi
    exec {lock}>&-
}
