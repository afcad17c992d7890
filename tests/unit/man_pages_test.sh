#!/usr/bin/env bash
# The man pages know every command of the program and every long option that its help shows, and no command that is not
# there. penstock-COMMAND(1) counts for its command.
# No sanitizer: it reads texts.
set -euo pipefail

[[ -x $PENSTOCK ]] || { echo "SKIP: no program at $PENSTOCK"; exit 77; }
for program in mandoc col; do
    command -v $program >/dev/null || { echo "SKIP: no $program"; exit 77; }
done
cd "$PENSTOCK_SOURCE"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
wrong() { echo "FAILED: $*" >&2; failures=$((failures + 1)); }

lists_filled() { # PAGE: prints it with the lists that the program has
    awk -v program="$PENSTOCK" '
        /^\.\\" end of options/ { inside = 0 }
        !inside { print; fflush() }
        /^\.\\" options of / { inside = 1; if (system("\"" program "\" help --man " substr($0, 16)) != 0) exit 1 }' "$1"
}
for page in docs/man/*.1; do
    lists_filled "$page" >"$work/filled" || wrong "$page: the program does not know a command of its lists"
    if [[ ${1-} == --write ]]; then
        cp "$work/filled" "$page"
    else
        diff "$page" "$work/filled" >"$work/differ" ||
            wrong "$page: its options are not those of the program (tests/unit/man_pages_test.sh --write): $(head -n 3 "$work/differ")"
    fi
done

plain() { mandoc -T ascii "$1" | col -b; }
for page in docs/man/*.1; do plain "$page" >"$work/$(basename "$page" .1)"; done

"$PENSTOCK" help >"$work/help"
mapfile -t commands < <(sed -nE 's/^  ([a-z-]+) {2,}.*/\1/p' "$work/help")
((${#commands[@]} >= 10)) || wrong "penstock help lists ${#commands[@]} commands"
synopsis=$(sed -n '/^SYNOPSIS/,/^DESCRIPTION/p' "$work/penstock")
described=$(sed -nE 's/^\.Ss (.*)/\1/p' docs/man/penstock.1 | tr -d ',' | tr ' ' '\n')
knows_options() { # WHOSE PAGE...: those that the text in $work/out describes; examples do not count
    local option whose=$1
    shift
    while IFS= read -r option; do
        grep -qE -- "(^|[^a-z-])$option([^a-z-]|\$)" "$@" || wrong "no man page tells the option $option of penstock $whose"
    done < <(sed -nE 's/^ +(-[A-Za-z0-9], *)?(--[a-z][a-z-]*).*/\2/p' "$work/out" | sort -u)
}
for command in "${commands[@]}"; do
    grep -qE "^ *penstock $command( |\$)" <<<"$synopsis" || wrong "penstock(1): the synopsis has no $command"
    grep -qxF -- "$command" <<<"$described" || wrong "penstock(1) does not describe $command (.Ss)"
    [[ $command != version ]] || continue # has no options
    "$PENSTOCK" help "$command" >"$work/out" 2>&1 || wrong "penstock help $command: exit $?"
    pages=("$work/penstock")
    [[ ! -e $work/penstock-$command ]] || pages+=("$work/penstock-$command")
    knows_options "$command" "${pages[@]}"
done
for command in check test explain bench; do
    "$PENSTOCK" rules $command --help >"$work/out" 2>&1 || wrong "penstock rules $command --help: exit $?"
    knows_options "rules $command" "$work/penstock-rules"
done
while IFS= read -r word; do
    [[ $word == help || $word == and || " ${commands[*]} " == *" $word "* ]] || wrong "penstock(1) describes $word, which is no command"
done <<<"$described"

echo "${#commands[@]} commands"
((failures == 0))
