# What the scripts of further servers share (activemq, ..), which source it first: jars from Maven Central, and a server's
# processes on loopback. A script sets `name`, `version` and `port`, defines the functions below, and ends with `main "$@"`:
#
#   fetch_server     says what it runs, with `jars`
#   unpack           makes more of them, once they are there (if there is something to make)
#   boot             starts the server's processes in $dir with `spawn`
#   ready            succeeds once the server answers
#   url              prints what a client connects to
#
# and may list further verbs in `verbs`, which are functions of that name. All verbs take --dir and --port.
# shellcheck shell=bash disable=SC2154
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source=tests/support/patience.sh
source "$here/../support/patience.sh"
# shellcheck source=tests/real/java_classes.sh
source "$here/java_classes.sh"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/penstock-real/$name/$version
java=${JAVA_HOME:+$JAVA_HOME/bin/}java
dir=${TMPDIR:-/tmp}/penstock-$name verbs='' words=()

# What older libraries reach into on Java 17.
opens=()
for package in lang lang.reflect io math net nio security text time util util.concurrent util.concurrent.atomic; do
    opens+=(--add-opens "java.base/java.$package=ALL-UNNAMED")
done
opens+=(--add-opens java.base/sun.nio.ch=ALL-UNNAMED)

die() { echo "$name: $*" >&2; exit 1; }

pom() { # NAME GROUP:ARTIFACT:VERSION[:CLASSIFIER]...: a project that needs them; -GROUP:ARTIFACT: what none of them brings along
    local project=$1
    shift
    local one group artifact number classifier unwanted=''
    for one; do
        [[ $one == -* ]] || continue
        IFS=: read -r group artifact <<<"${one#-}"
        unwanted+="<exclusion><groupId>$group</groupId><artifactId>$artifact</artifactId></exclusion>"
    done
    echo "<project><modelVersion>4.0.0</modelVersion><groupId>penstock.real</groupId><artifactId>$project</artifactId>"
    echo '<version>1</version><packaging>pom</packaging><dependencies>'
    for one; do
        [[ $one != -* ]] || continue
        IFS=: read -r group artifact number classifier <<<"$one"
        echo "<dependency><groupId>$group</groupId><artifactId>$artifact</artifactId><version>$number</version>"
        echo "${classifier:+<classifier>$classifier</classifier>}<exclusions>$unwanted</exclusions></dependency>"
    done
    echo '</dependencies><build><plugins><plugin><groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId>'
    # shellcheck disable=SC2016 # Maven's variable
    echo '<configuration><outputDirectory>${project.basedir}</outputDirectory></configuration></plugin></plugins></build></project>'
}

wanted=()
jars() { # FOLDER ARTIFACT...: their runtime closure is to be in $cache/FOLDER
    [[ ! -e $cache/$1/done ]] || return 0
    mkdir -p "$cache/$1"
    pom "$@" >"$cache/$1/pom.xml"
    wanted+=("$1")
}

# One run of Maven for all folders: each run takes 1.8 s of CPU, most of it to start.
copy_jars() {
    local one
    ((${#wanted[@]} > 0)) || return 0
    command -v mvn >/dev/null || die "mvn is needed to fetch it"
    {
        echo '<project><modelVersion>4.0.0</modelVersion><groupId>penstock.real</groupId><artifactId>all</artifactId>'
        echo '<version>1</version><packaging>pom</packaging><modules>'
        for one in "${wanted[@]}"; do echo "<module>$one</module>"; done
        echo '</modules></project>'
    } >"$cache/pom.xml"
    # Goals that are named run in this project, too: it has nothing to copy.
    mvn -q -B -Dstyle.color=never -f "$cache/pom.xml" dependency:copy-dependencies -DincludeScope=runtime >&2
    for one in "${wanted[@]}"; do touch "$cache/$one/done"; done
}
unpack() { :; }

fetch() {
    local lock
    [[ ! -e $cache/done ]] || return 0
    mkdir -p "$cache"
    exec {lock}>"$cache/lock"
    flock "$lock"
    fetch_server
    copy_jars
    unpack
    touch "$cache/done"
    exec {lock}>&- # not for the servers that are started next
}

site() { # NAME VALUE...: a configuration file of Hadoop's kind
    echo '<configuration>'
    while (($#)); do
        echo "<property><name>$1</name><value>$2</value></property>"
        shift 2
    done
    echo '</configuration>'
}

log4j_properties() { # log4j 1: warnings go to standard error
    cat <<-EOF_
	log4j.rootLogger=WARN, stderr
	log4j.appender.stderr=org.apache.log4j.ConsoleAppender
	log4j.appender.stderr.target=System.err
	log4j.appender.stderr.layout=org.apache.log4j.PatternLayout
	log4j.appender.stderr.layout.ConversionPattern=%d %p %c{1}: %m%n
	EOF_
}

# As in tests/real/hive, bytecode is not checked: the check takes a fifth of a start's CPU time (docs/decisions/0050-cost-of-tests.md).
jvm() { # CLASSPATH ARG...: replaces this shell
    local path=$1
    shift
    exec "$java" -XX:TieredStopAtLevel=1 -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote "${opens[@]}" -cp "$path" "$@"
}

# The program is compiled once, and kept in the cache: Java compiles a source file that it is given each time anew, which takes a second of CPU.
java_program() { # CLASSPATH NAME ARG...: runs java_servers/NAME.java with it; replaces this shell. Options of Java stand in front of NAME
    local path=$1 options=() classes
    shift
    while [[ $1 == -* ]]; do options+=("$1"); shift; done
    classes=$(java_classes_kept "$path" "$here/java_servers/$1.java") || die "$1.java does not compile"
    jvm "$path:$classes" "${options[@]}" "$@"
}

# The kernel's start time of a process: with its number it names one process for good.
began() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20 || true; } # PID

spawn() { # LOG COMMAND...: in the background
    local log=$dir/$1.log
    shift
    "$@" >>"$log" 2>&1 </dev/null &
    echo "$! $(began $!)" >>"$dir/pids"
}

pids() {
    local pid when
    [[ -e $dir/pids ]] || return 0
    while read -r pid when; do [[ ! $when || $(began "$pid") != "$when" ]] || echo "$pid"; done <"$dir/pids"
}

listens() { : 2>/dev/null </dev/tcp/127.0.0.1/"$1"; } # PORT

start() {
    local expected deadline began
    fetch
    mkdir -p "$dir"
    [[ ! $(pids) ]] || die "it runs already in $dir"
    ! listens "$port" || die "another program listens on port $port; use another --port, or stop it"
    rm -f "$dir/pids"
    boot
    expected=$(wc -l <"$dir/pids")
    patient_clock
    deadline=$((patient_cs + 100 * ${WAIT:-180}))
    while began=$EPOCHREALTIME; ! ready >"$dir/ready" 2>&1; do
        (($(pids | wc -l) >= expected)) || die "it ended while it started, see $dir/*.log"
        patient_clock
        ((patient_cs < deadline)) || die "it does not serve, see $dir/*.log"
        pause_after "$began" 300
    done
    url
}

stop() {
    local pid i
    for pid in $(pids | tac); do
        kill "$pid" 2>/dev/null || true
        for ((i = 0; i < 100; i++)); do
            [[ -e /proc/$pid ]] || continue 2
            pause 0.1
        done
        kill -KILL "$pid" 2>/dev/null || true
    done
    rm -f "$dir/pids"
}

main() { # VERB [--dir D] [--port P] [WORD]...
    local verb=${1:-help}
    (($#)) && shift
    while (($#)); do
        case $1 in
        --dir) dir=$2; shift ;;
        --port) port=$2; shift ;;
        *) words+=("$1") ;;
        esac
        shift
    done
    dir=$(realpath -m "$dir")
    case " fetch start stop pids url $verbs " in
    *" $verb "*) "$verb" "${words[@]}" ;;
    *) sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$0"; [[ $verb == help ]] ;;
    esac
}
