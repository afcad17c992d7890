"""Runs `penstock top` on a terminal of its own, resizes it, presses keys, and checks what is on the screen.

    top_screen.py PENSTOCK ADDRESS
"""
import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from patience import patient_s

penstock, address = sys.argv[1:]


def size(rows, columns):
    return struct.pack('HHHH', rows, columns, 0, 0)


def start(*options, **environment):
    """The child, its terminal, and the terminal's modes before top changed them."""
    go, let_go = os.pipe()
    child, terminal = pty.fork()
    if child == 0:
        os.read(go, 1)
        os.environ.update(TERM='xterm', **environment)
        fcntl.ioctl(0, termios.TIOCSWINSZ, size(40, 120))
        os.execv(penstock, [penstock, 'top', address, *options])
    modes = termios.tcgetattr(terminal)
    os.write(let_go, b'!')
    os.close(go)
    os.close(let_go)
    return child, terminal, modes


def read_until(terminal, pattern, seconds=60):
    seen, end = '', patient_s() + seconds
    while not re.search(pattern, seen, re.S):
        if not select.select([terminal], [], [], 1)[0]:
            if patient_s() > end:
                sys.exit(f'no {pattern!r} in {seen[-3000:]!r}')
            continue
        try:
            seen += os.read(terminal, 65536).decode()
        except OSError:
            sys.exit(f'ended, and no {pattern!r} in {seen[-3000:]!r}')
    return seen


def rest(terminal):
    seen = ''
    try:
        while True:
            seen += os.read(terminal, 65536).decode()
    except OSError:
        return seen


def lines(screen):
    """The lines of one drawing, without escape sequences."""
    return [re.sub(r'\033\[[0-9;?]*[A-Za-z]', '', line) for line in screen.replace('\r', '').split('\n')]


SCREEN = r'\033\[H(?:(?!\033\[H).)*?\033\[J'  # one drawing


def screen_that(terminal, is_right, problem):
    """Waits for a drawing that is right: one that was made before may come first."""
    end, drawn = patient_s() + 60, []
    while patient_s() < end:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        drawn = lines(re.findall(SCREEN, read_until(terminal, SCREEN), re.S)[-1])
        if is_right(drawn):
            return
    sys.exit(f'{problem}: {drawn}')


child, terminal, _ = start('--interval', '1h')
seen = read_until(terminal, SCREEN)
if '\033[?1049h' not in seen or '\033[?25l' not in seen:
    sys.exit('no alternate screen')
if '\033[3' not in seen:
    sys.exit('no colour on a terminal')
wide = lines(re.search(SCREEN, seen, re.S)[0])
if not any('WHO HOLDS UP WHOM' in line for line in wide) or not wide[0].startswith('penstock top'):
    sys.exit(f'not the screen: {wide}')

# A smaller window: drawn again at once, cut to it.
fcntl.ioctl(terminal, termios.TIOCSWINSZ, size(6, 30))
screen_that(terminal, lambda drawn: len(drawn) <= 6 and max(map(len, drawn)) <= 30, 'larger than the window')
# The usual size: the columns that matter most, and the bottlenecks below them.
fcntl.ioctl(terminal, termios.TIOCSWINSZ, size(24, 80))
screen_that(terminal, lambda drawn: all(any(word in line for line in drawn) for word in
                                        ('errors/s', 'conns', 'fill', 'retried/s', 'WHO HOLDS UP WHOM'))
            and len(drawn) <= 24, 'not what matters on 80 columns')
fcntl.ioctl(terminal, termios.TIOCSWINSZ, size(40, 120))
screen_that(terminal, lambda drawn: len(drawn) > 6, 'smaller than the window')

# Space takes a sample before the hour is over: now there are rates.
time.sleep(0.2)
os.write(terminal, b' ')
screen_that(terminal, lambda drawn: any(re.search(r'r2 +stress +[0-9.,]+( [kM])? ?/s', line) for line in drawn),
            'no rate after space')

os.write(terminal, b'q')
seen = rest(terminal)
if not seen.endswith('\033[?25h\033[?1049l'):
    sys.exit(f'the terminal is not restored: {seen[-100:]!r}')
_, status = os.waitpid(child, 0)
if status != 0:
    sys.exit(f'status {status} after q')

# Whoever sees that the screen is left has the modes back, after Ctrl-C too.
child, terminal, before = start()
read_until(terminal, SCREEN)
if termios.tcgetattr(terminal)[3] == before[3]:
    sys.exit('top does not change the modes of the terminal: nothing is tested')
os.write(terminal, b'\x03')
seen = read_until(terminal, r'\033\[\?1049l')
if termios.tcgetattr(terminal)[3] != before[3]:
    sys.exit('the modes of the terminal are not restored')
rest(terminal)
os.waitpid(child, 0)

# Without colour, and as text.
child, terminal, _ = start('--interval', '1h', NO_COLOR='1')
if '\033[3' in read_until(terminal, SCREEN):
    sys.exit('colour in spite of NO_COLOR')
os.write(terminal, b'q')
rest(terminal)
os.waitpid(child, 0)
child, terminal, _ = start('--once', '--interval', '200ms')
seen = rest(terminal)
if '\033[?1049h' in seen or 'WHO HOLDS UP WHOM' not in seen:
    sys.exit('--once on a terminal')
os.waitpid(child, 0)
