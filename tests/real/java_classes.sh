# Classes of tests are compiled once for each compiler and kept in the cache: javac takes 1.1 to 2 s of CPU, and some twenty tests need the same ones.
# Sourced; defines
#
#   java_classes FOLDER CLASSPATH FILE...   compiles the files into this folder, which it makes if there is none
#   java_classes_kept CLASSPATH FILE...     prints the folder of the cache that has them, which stays as it is
#   java_compile FOLDER CLASSPATH FILE...   compiles them each time: for sources that a test writes itself
#
# All are classes for Java 8, whatever the compiler's own version is: JAVA_HOME may be an older Java than the compiler's, and Flume 1.11 runs in Java 8.
# shellcheck shell=bash
java_compile() {
    javac -J-XX:TieredStopAtLevel=1 --release 8 -nowarn -Xlint:-options -d "$1" -cp "$2" "${@:3}"
}
java_classes_kept() {
    local path=$1 name kept made
    shift
    name=${path//"${work:-/none}"/} # a folder of the test's own in the path has another name each time
    name=${name//"${dir:-/none}"/}
    kept=${XDG_CACHE_HOME:-$HOME/.cache}/penstock-real/classes/$({ stat -Lc '%n %Y %s' "$(command -v javac)"; declare -f java_compile; echo "$name"; sha256sum "$@"; } | sha256sum | cut -c 1-32)
    if [[ ! -d $kept ]]; then
        mkdir -p "${kept%/*}"
        made=$(mktemp -d "$kept.XXXXXX")
        chmod 755 "$made"
        java_compile "$made" "$path" "$@" >&2 || { rm -rf "$made"; return 1; }
        mv -T "$made" "$kept" 2>/dev/null || rm -rf "$made" # another was first
    fi
    echo "$kept"
}
java_classes() {
    local kept
    kept=$(java_classes_kept "${@:2}") || return
    mkdir -p "$1"
    cp -r "$kept/." "$1"
}
