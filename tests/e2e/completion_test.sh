#!/usr/bin/env bash
# penstock completion: bash's own completion runs the script, zsh and fish theirs where installed; the scripts have what the
# help has.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for shell in bash zsh fish; do
    "$PENSTOCK" completion $shell >"$work/penstock.$shell" || fail "completion $shell: exit $?"
    ! command -v $shell >/dev/null || $shell -n "$work/penstock.$shell" || fail "$shell does not understand the script"
done
cd "$work"
mkdir -p etc/conf
printf 'a1.sources = r1\na2.channels=c1\n# a3.sources = r1\na1.sources.r1.type = seq\n' >etc/agents.properties
touch 'etc/with blank.rules'

# ---- bash ----
propose() { # WORD...: prints what the completion of the last word proposes, one a line
    # shellcheck disable=SC2016
    bash -c 'source penstock.bash
        [[ $(complete -p penstock) == "complete -F _penstock penstock" ]] || echo "not registered"
        COMP_WORDS=(penstock "$@") COMP_CWORD=$#
        _penstock penstock "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf "%s\n" "${COMPREPLY[@]}"' propose "$@" | sort
}
proposes() { # EXPECTED WORD...: EXPECTED separated by blanks
    local expected=$1 got
    shift
    got=$(propose "$@" | paste -sd ' ')
    [[ $got == "$expected" ]] || fail "penstock $*: proposes \"$got\", not \"$expected\""
}
proposes 'check' che
proposes 'export import inspect repair verify' channel ''
proposes 'channel check completion components' c
proposes 'bench check explain test' rules ''
proposes '--strict' rules check --st
proposes '' rules test --st
proposes 'etc/agents.properties etc/conf etc/with blank.rules' rules check etc/
proposes '--name' agent --na
proposes '--format' graph --form
proposes '--filename' avro-client --fi
proposes 'etc/conf' avro-client --dirname etc/c
proposes 'dot mermaid' graph --format ''
proposes 'mermaid' graph --format = m
proposes 'dot mermaid' graph --format =
proposes 'etc/conf' check -c etc/c
proposes 'a1 a2' check -f etc/agents.properties -n ''
proposes 'a1 a2' check --conf-file = etc/agents.properties --name a
proposes '-Dflume.monitoring.pollFrequency= -Dflume.monitoring.port=' check -Dflume.monitoring.p
proposes '-Dpenstock.monitoring.host= -Dpenstock.monitoring.hosts=' agent -Dpenstock.monitoring.h
proposes '' load -Dflume
proposes 'tcp:' load --target tc
proposes 'rfc3164 rfc5424' plan --format rfc
proposes 'syslogtcp syslogudp' components sys
proposes 'syslogtcp syslogudp' new sys
proposes 'fish' completion f
proposes 'graph' help g
proposes '' tail -n ''
[[ $(propose '' | paste -sd ' ') == *agent*version* ]] || fail 'not all commands'
"$PENSTOCK" components --json | jq -r '.kinds[] | .kind, .components[].name' | sort -u >want
propose components '' | diff want - >differ.err || fail "components: $(head -3 differ.err)"

# ---- what the help has, the scripts have, and the other way round ----
"$PENSTOCK" agent --help >agent.help
while read -r -a command; do
    "$PENSTOCK" "${command[@]}" --help >help || fail "${command[*]} --help: exit $?"
    propose "${command[@]}" - | grep '^--' >have || true
    sed -nE 's/^ +(-[A-Za-z], )?(--[a-z][A-Za-z-]+).*/\2/p' help | sort -u >want
    missing=$(comm -13 have want | paste -sd ' ')
    [[ ! $missing ]] || fail "${command[*]}: the help has $missing, its table has not"
    grep -q 'options of .penstock agent. are accepted' help && cat agent.help >>help
    while read -r option; do
        case "${command[*]} $option" in
        *--help | *--conf-user | *--conf-password) continue ;; # of the manual page only
        plan\ --name | plan\ --conf-file | plan\ --conf) continue ;; # shown as letters
        esac
        grep -q -e "$option\b" help || fail "${command[*]}: its help does not have $option"
    done <have
    [[ -s have || ${command[*]} == version ]] || fail "no options of ${command[*]}"
done < <(propose '' | grep -vx -e help -e rules -e version; propose rules '' | sed 's/^/rules /')

# ---- Tab in a real bash, and in a real zsh ----
for shell in bash zsh; do
    if ! has $shell "${shell}_on_a_terminal" || ! has python3 "${shell}_on_a_terminal"; then continue; fi
    press() { python3 "$here/completion_press.py" $shell "$work/penstock.$shell" "$1" || fail "$shell: Tab after $1"; }
    [[ $(press 'penstock gra') == graph ]] || fail "$shell: gra is not completed"
    [[ $(press 'penstock check -f etc/agents.properties --str') == 'check -f etc/agents.properties --strict' ]] || fail "$shell: --str"
    [[ $(press 'penstock graph --format=mer') == 'graph --format=mermaid' ]] || fail "$shell: --format=mer"
    [[ $(press 'penstock rules check etc/with') == 'rules check etc/with blank.rules' ]] || fail "$shell: a file"
    [[ $(press 'penstock components syslogt') == 'components syslogtcp' ]] || fail "$shell: a component"
    echo "$shell: completes on a terminal"
done

# ---- fish ----
if has fish fish_proposes; then
    fish_proposes() { # EXPECTED LINE
        local got
        got=$(HOME=$work fish --no-config -c "source penstock.fish; complete -C '$2'" 2>fish.err | cut -f 1 | sort | paste -sd ' ')
        [[ ! -s fish.err ]] || fail "fish: \"$2\": $(head -1 fish.err)"
        [[ $got == "$1" ]] || fail "fish: \"$2\" proposes \"$got\", not \"$1\""
    }
    fish_proposes 'check completion components' 'penstock c'
    fish_proposes 'bench check explain test' 'penstock rules '
    fish_proposes '--strict' 'penstock rules check --st'
    fish_proposes '' 'penstock rules test --st'
    fish_proposes 'dot mermaid' 'penstock graph --format '
    fish_proposes 'a1 a2' 'penstock check -f etc/agents.properties -n '
    fish_proposes 'syslogtcp syslogudp' 'penstock components sys'
    fish_proposes 'etc/conf/' 'penstock check -c etc/c'
    echo 'fish: proposes'
fi

# ---- what it refuses ----
for words in '' 'bash zsh' 'tcsh' '--nonsense'; do
    code=0
    # shellcheck disable=SC2086
    "$PENSTOCK" completion $words >out 2>refused.err || code=$?
    ((code == 2)) || fail "completion $words: exit $code"
    [[ ! -s out && -s refused.err ]] || fail "completion $words: output, or no error"
done
