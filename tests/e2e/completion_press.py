"""Presses Tab in a real shell on a terminal: types LINE and a tab, then Enter, and prints the words that penstock got.

    completion_press.py bash|zsh SCRIPT LINE
"""
import os
import pty
import select
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from patience import patient_s

shell, script, line = sys.argv[1:]
SET_UP = {
    'bash': 'bind "set bell-style none"; source "%s"\n',
    'zsh': 'autoload -Uz compinit; compinit -D -u; unsetopt zle_bracketed_paste beep; source "%s"\n',
}
ARGUMENTS = {'bash': ['bash', '--norc', '--noprofile', '-i'], 'zsh': ['zsh', '-f', '-i']}
# The marks are made by printf, so that the shell's echo of the command is not taken for its output.
WORDS = 'penstock() { printf "[%s" got; printf " %s" "$@"; printf "%s]" ""; }\n'

child, terminal = pty.fork()
if child == 0:
    os.environ.update(PS1='', TERM='dumb' if shell == 'bash' else 'vt100')
    os.execvp(shell, ARGUMENTS[shell])


def read_until(mark, seconds=60):
    seen, end = '', patient_s() + seconds
    while mark not in seen:
        if not select.select([terminal], [], [], 1)[0]:
            if patient_s() > end:
                sys.exit(f'{shell}: no {mark!r} in {seen!r}')
            continue
        seen += os.read(terminal, 4096).decode(errors='replace')
    return seen


os.write(terminal, (WORDS + SET_UP[shell] % script + 'printf "rea%s\\n" dy\n').encode())
read_until('ready')
os.write(terminal, (line + '\t').encode())
time.sleep(0.5)  # else Enter could be read as a part of a paste; what is asserted does not depend on it
os.write(terminal, b'\n')
seen = read_until('[got')
seen = seen[seen.rindex('[got'):]
while ']' not in seen:
    seen += read_until(']')
print(seen[len('[got '):seen.index(']')].strip())
os.kill(child, 9)
