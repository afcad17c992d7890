#!/usr/bin/env bash
# Needs: flume
# regex_filter, regex_extractor, search_replace and remove_header compared with a real Flume's, alone and in chains: the
# same file of lines for both, headers and bodies compared byte for byte.
#
# Not compared: a group that did not match (Flume's header is null, penstock sets none), so "name=null" is removed from
# Flume's text; and errors for which Flume loses its batch (a date that cannot be read, a wrong replaceString).
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
for program in python3 perl; do
    command -v $program >/dev/null || skip "no $program"
done
export LC_ALL=C.UTF-8 TZ=Europe/Berlin # Flume's regex_filter reads bodies in the JVM's character set

python3 "$here/flume_regex_input.py" "$work/input"
millis=org.apache.flume.interceptor.RegexExtractorInterceptorMillisSerializer
through=org.apache.flume.interceptor.RegexExtractorInterceptorPassThroughSerializer

# One source a chain: NAME, then INTERCEPTOR.KEY = VALUE lines up to an empty one. Backslashes are doubled for the file.
chains() {
    sed "s/MILLIS/$millis/; s/THROUGH/$through/" <<-'EOF_'
	include
	i1.type = regex_filter
	i1.regex = status=(200|404)

	exclude
	i1.type = REGEX_FILTER
	i1.regex = DEBUG|^$
	i1.excludeEvents = true

	usual
	i1.type = regex_filter

	nothing
	i1.type = regex_filter
	i1.excludeEvents = TRUE

	anchors
	i1.type = org.apache.flume.interceptor.RegexFilteringInterceptor$Builder
	i1.regex = ^\S+$

	ends
	i1.type = regex_filter
	i1.regex = [h0cy]$

	multiline
	i1.type = regex_filter
	i1.regex = (?m)^two|^b$|c\z

	five
	i1.type = regex_filter
	i1.regex = ^.{5}$

	dot
	i1.type = regex_filter
	i1.regex = (one|nel|ls|a|here).(two|here|b|ps)

	dotall
	i1.type = regex_filter
	i1.regex = (?s)one.{1,2}two

	insensitive
	i1.type = regex_filter
	i1.regex = (?i)error|straße|s{2}|ångström

	unicode
	i1.type = regex_filter
	i1.regex = (?iu)ångström|Κ|ß$|\u212A

	words
	i1.type = regex_filter
	i1.regex = \bcafé\b|\w\u0301|\b\d{5}\b

	around
	i1.type = regex_filter
	i1.regex = (?=.*user=)(?=.*ip=)(?!.*status=500)

	backward
	i1.type = regex_filter
	i1.regex = (\w)\1\1|(?<=user=)\p{L}{4}

	classes
	i1.type = regex_filter
	i1.regex = [\p{IsHan}\p{InEmoticons}&&[^語]]|[^\x00-\x7F]{9}|\h\u3000?s

	malformed
	i1.type = regex_filter
	i1.regex = \uFFFD{2}|\x00|^.\z

	possessive
	i1.type = regex_filter
	i1.regex = ^(?>a+|\S++) [^\d\s]++

	groups
	i1.type = regex_extractor
	i1.regex = ^(\S+) (\S+) (\S+) \[([^\]]+)\]
	i1.serializers = s1 s2
	i1.serializers.s1.name = address
	i1.serializers.s2.name = ident
	i1.serializers.s2.type = DEFAULT

	more
	i1.type = REGEX_EXTRACTOR
	i1.regex = (?<key>\w+)=("[^"]*"|\S*)
	i1.serializers = s1 s2 s3
	i1.serializers.s1.name = key
	i1.serializers.s2.name = value
	i1.serializers.s2.type = THROUGH
	i1.serializers.s3.name = never

	missing
	i1.type = regex_extractor
	i1.regex = (?:status=(\d+)|user=(\w+)|(é))
	i1.serializers = s u e
	i1.serializers.s.name = status
	i1.serializers.u.name = user
	i1.serializers.e.name = e

	same
	i1.type = regex_extractor
	i1.regex = (.)(.)(.?)
	i1.serializers = a b c
	i1.serializers.a.name = x
	i1.serializers.b.name = y
	i1.serializers.c.name = x

	nogroups
	i1.type = regex_extractor
	i1.regex = status
	i1.serializers = a
	i1.serializers.a.name = x

	odd
	i1.type = regex_extractor
	i1.regex = ([^\x00-\x7F]+)\s*(.*)
	i1.serializers = a b
	i1.serializers.a.name = a name
	i1.serializers.b.name = ünï

	millis
	i1.type = regex_extractor
	i1.regex = ^(20\d\d-\d\d-\d\d \d\d:\d\d:\d\d)(?: (\w+))?
	i1.serializers = t l
	i1.serializers.t.type = MILLIS
	i1.serializers.t.name = timestamp
	i1.serializers.t.pattern = yyyy-MM-dd HH:mm:ss
	i1.serializers.l.name = level

	apache
	i1.type = regex_extractor
	i1.regex = \[(\d+/\w+/\d{4}:[\d:]+ [+-]\d{4})\]
	i1.serializers = t
	i1.serializers.t.type = MILLIS
	i1.serializers.t.name = timestamp
	i1.serializers.t.pattern = dd/MMM/yyyy:HH:mm:ss Z

	swap
	i1.type = search_replace
	i1.searchPattern = (\w+)=(\w+)
	i1.replaceString = $2<-$1

	mask
	i1.type = SEARCH_REPLACE
	i1.searchPattern = \b(\d{4})(?:[ -]?\d{4}){2}[ -]?(\d{4})\b
	i1.replaceString = $1-****-$2

	remove
	i1.type = search_replace
	i1.searchPattern = \s+|\p{Punct}

	all
	i1.type = search_replace
	i1.searchPattern = .*
	i1.replaceString = [$0]

	dollar
	i1.type = search_replace
	i1.searchPattern = $
	i1.replaceString = ;

	named
	i1.type = search_replace
	i1.searchPattern = (?<a>[a-c])(?<b>[0-9=])?
	i1.replaceString = ${b}${a}\$\\$11

	empties
	i1.type = search_replace
	i1.searchPattern = x*?(?=[aeiou])|\b$
	i1.replaceString = '

	latin
	i1.type = search_replace
	i1.searchPattern = [àáâãéÃ]
	i1.replaceString = €é
	i1.charset = ISO-8859-1

	ascii
	i1.type = search_replace
	i1.searchPattern = e
	i1.replaceString = é
	i1.charset = US-ASCII

	untouched
	i1.type = search_replace
	i1.searchPattern = nothing has this

	headers
	i1.type = static
	i1.key = Tmp1
	i1.value = one
	i2.type = static
	i2.key = tmp22
	i2.value = two
	i3.type = static
	i3.key = keep
	i3.value = yes
	i4.type = static
	i4.key = listed
	i5.type = static
	i5.key = named
	i6.type = remove_header
	i6.matching = (?i)tmp\d
	i6.fromList = listed, other ,none
	i6.withName = named

	separator
	i1.type = static
	i1.key = a
	i2.type = static
	i2.key = b
	i3.type = static
	i3.key = c
	i4.type = remove_header
	i4.fromList = a1b22d
	i4.fromListSeparator = \d+

	chain
	i1.type = regex_filter
	i1.regex = status=|user=
	i2.type = regex_extractor
	i2.regex = status=(\d)(\d+)
	i2.serializers = c r
	i2.serializers.c.name = class
	i2.serializers.r.name = tmp.rest
	i3.type = search_replace
	i3.searchPattern = status=(\d+)
	i3.replaceString = STATUS:$1;
	i4.type = regex_filter
	i4.regex = status=\d
	i4.excludeEvents = true
	i5.type = regex_filter
	i5.regex = STATUS:(200|500)
	i6.type = regex_extractor
	i6.regex = ^(.*?)STATUS:.*;(.*)$
	i6.serializers = a b
	i6.serializers.a.name = before
	i6.serializers.b.name = behind
	i7.type = search_replace
	i7.searchPattern = \d
	i7.replaceString = #
	i8.type = remove_header
	i8.matching = tmp\..*|b.*d

	many
	i1.type = regex_extractor
	i1.regex = user=(\w+)
	i1.serializers = s
	i1.serializers.s.name = user
	i2.type = regex_extractor
	i2.regex = ip=([\d.]+)
	i2.serializers = s
	i2.serializers.s.name = ip
	i3.type = regex_extractor
	i3.regex = (?i)(error|warn|info|debug)
	i3.serializers = s
	i3.serializers.s.name = level
	i4.type = regex_filter
	i4.regex = level|line [1-3]\d?
	i4.excludeEvents = true
	i5.type = regex_filter
	i5.regex = \S
	EOF_
}
names=$(chains | awk 'BEGIN { RS = "" } { print $1 }')

# Each chain except malformed, latin, untouched and ascii begins with interceptors that replace <CRLF>, <LF> and <CR> by
# these characters.
agent_file() {
    local name
    printf 'a1.%s = %s\n' sources "${names//$'\n'/ }" channels "${names//$'\n'/ }" sinks "${names//$'\n'/ }"
    for name in $names; do
        mkdir -p "$1/$name"
        cat <<-EOF_
		a1.sources.$name.type = exec
		a1.sources.$name.command = cat $work/input
		a1.sources.$name.charset = ISO-8859-1
		a1.sources.$name.channels = $name
		a1.channels.$name.type = memory
		a1.channels.$name.capacity = 1000
		a1.sinks.$name.type = file_roll
		a1.sinks.$name.channel = $name
		a1.sinks.$name.sink.directory = $1/$name
		a1.sinks.$name.sink.rollInterval = 0
		a1.sinks.$name.sink.serializer = header_and_text
		EOF_
    done
    chains | awk 'BEGIN { RS = ""; FS = "\n" } {
        raw = $1 == "malformed" || $1 == "latin" || $1 == "untouched" || $1 == "ascii"
        list = raw ? "" : "crlf lf cr"
        split("", seen)
        for (i = 2; i <= NF; i++) {
            split($i, part, ".")
            if (!(part[1] in seen)) list = list " " part[1]
            seen[part[1]] = 1
        }
        p = "a1.sources." $1 ".interceptors"
        print p " =" list
        n = split(raw ? "" : "crlf <CRLF> \\r\\n lf <LF> \\n cr <CR> \\r", word, " ")
        for (i = 1; i <= n; i += 3) {
            print p "." word[i] ".type = search_replace"
            print p "." word[i] ".searchPattern = ()" word[i + 1] "()"
            print p "." word[i] ".replaceString = $1" word[i + 2] "$2"
        }
        for (i = 2; i <= NF; i++) {
            gsub(/\\/, "&&", $i)
            print p "." $i
        }
    }' | python3 -c "import re, sys
units = lambda c: ''.join('\\\\u' + c.encode('utf-16-be').hex()[i:i + 4] for i in range(0, len(c.encode('utf-16-be')) * 2, 4))
print(re.sub('[^\0-\x7f]', lambda c: units(c[0]), sys.stdin.read()))"
}

# Prints 1 when every command has ended and no output has arrived for two seconds of the patient clock, since the amount of output is not known.
arrived() { # DIR
    local now
    patient_clock
    now=$(find "$1" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum + 0 }')
    if (($(grep -c 'exited with' "$work/${1##*/}.log") < $(wc -w <<<"$names"))) || [[ $now != "$(cat "$work/size" 2>/dev/null)" ]]; then
        echo "$now" >"$work/size"
        echo "$patient_cs" >"$work/changed"
    fi
    ((patient_cs - $(<"$work/changed") < 200)) && echo 0 || echo 1
}

# Removes Flume's null headers, sorts the others (Flume's order is that of a hash table), and prints every byte readably.
readable() {
    LC_ALL=C perl -ne '
        if (s/^\{(.*?)\} //) {
            printf "{%s} ", join(", ", sort grep { $_ ne "" && !/^\w+=null$/ } split(/, /, $1, -1));
        }
        print' | LC_ALL=C sed -n 'l 0'
}

both 1
differing=''
for name in $names; do
    (same_content "$name" "$name" readable) || differing+=" $name"
done 2>"$work/differences.log"
if [[ $differing ]]; then
    grep -v '^==>\|^20' "$work/differences.log" | head -100
    fail "differing:$differing"
fi
total=$(cat "$work"/penstock/*/* | wc -c)
((total > 100000)) || fail "only $total bytes arrived"
