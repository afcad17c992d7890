"""Many bugs in one build: run.py --together.

Each function that has a bug gets a second body with it, and begins with a choice:

  static int double_of_mutant_7(int value) { return value + 1; }
  static int double_of(int value)
  {
      if (ps_mutant != 0 && ps_mutant_here(7)) return double_of_mutant_7(value);
      return 2 * value;
  }

PS_MUTANT=7 in the environment turns bug 7 on. Every file reads it for itself before main, so that nothing is linked that was not before.
PS_MUTANT=-1 turns none on: each function that is called marks its bugs in the file that PS_MUTANT_REACHED names, and each line of a bug that can have
a probe before it marks the bug as executed (reach.py)."""
import pathlib
import re

MANY = 20000  # bugs in one build, at most
READS = f"""#ifndef PS_MUTANTS_MAX /* a header with a bug, included by a file with one */
#define PS_MUTANTS_MAX {MANY}
""" + """#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#pragma GCC diagnostic ignored "-Wunused-variable"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wempty-body"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wparentheses"
#pragma GCC diagnostic ignored "-Wtype-limits"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wnonnull"
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wimplicit-fallthrough"
static int ps_mutant;
static unsigned char *ps_mutant_reached;
__attribute__((constructor)) static void ps_mutant_read(void)
{
    const char *ps_mutant_text = getenv("PS_MUTANT"), *ps_mutant_file = getenv("PS_MUTANT_REACHED");
    ps_mutant = ps_mutant_text != NULL ? atoi(ps_mutant_text) : 0;
    long file = ps_mutant < 0 && ps_mutant_file != NULL ? syscall(SYS_openat, AT_FDCWD, ps_mutant_file, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    long memory = syscall(SYS_mmap, 0, 2L * PS_MUTANTS_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0); /* not the test's own mmap */
    ps_mutant_reached = memory != -1 ? (unsigned char *)memory : NULL;
    syscall(SYS_close, file);
}
static int ps_mutant_here(int number)
{
    if (ps_mutant < 0 && ps_mutant_reached != NULL) ps_mutant_reached[number] = 1;
    return ps_mutant == number;
}
static void ps_mutant_line(int number)
{
    if (ps_mutant < 0 && ps_mutant_reached != NULL) ps_mutant_reached[PS_MUTANTS_MAX + number] = 1;
}
#endif
#line 1
"""
NAME = re.compile(r"\b(?!__attribute__\b)([a-z_]\w*)\((?!\()(.*)\)\s*$", re.DOTALL)


def split_parameters(text):
    """The parameters of a function, without those of functions that are parameters."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


TYPE_WORDS = {"unsigned", "signed", "char", "short", "int", "long", "float", "double", "bool", "void"}
QUALIFIERS = {"const", "volatile", "restrict"}


def is_nameless(part):
    """Whether a parameter is only a type: `uint64_t`, `const struct ps_now *`, `enum ps_rpc_status`, `unsigned char[4]`."""
    part = re.sub(r"(?:\[[^\]]*\])+$", "", part).strip()
    if part in ("void", "...") or "(" in part:
        return False
    words = [word for word in re.findall(r"\w+|\*", part) if word not in QUALIFIERS]
    if not words or words[-1] == "*":
        return bool(words)
    if words[0] in ("struct", "enum", "union"):
        return len(words) == 2
    return len(words) == 1 or words[-1] in TYPE_WORDS


def with_names(parameters):
    """The parameters, each with a name: those that a function does not use may have none (`void *, const struct ps_now *now`)."""
    parts = split_parameters(parameters)
    for number, part in enumerate(parts):
        if is_nameless(part):
            kind, lengths = re.fullmatch(r"(.*?)((?:\[[^\]]*\])*)", part, re.DOTALL).groups()
            parts[number] = f"{kind} ps_unnamed_{number}{lengths}"
    return ", ".join(parts)


def arguments_of(parameters):
    """The names of the parameters, as a call needs them; None for `...`, which cannot be passed on."""
    names = []
    for part in split_parameters(with_names(parameters)):
        found = re.search(r"\(\*(\w+)\)", part) or re.search(r"(\w+)(?:\[[^\]]*\])*$", part)
        if part == "void":
            continue
        if not found:
            return None
        names.append(found.group(1))
    return ", ".join(names)


def bounds(lines, at):
    """The first line of the head of the function around a line, its `{` and its `}`; None outside of functions."""
    begin = max((i for i in range(at) if lines[i] == "{"), default=None)
    if begin is None or "}" in lines[begin:at] or "}" not in lines[at:]:
        return None
    head = begin
    while head > 0 and lines[head - 1] and not lines[head - 1].startswith(("#", "}", "/*")) and not lines[head - 1].endswith((";", "*/")):
        head -= 1
    return head, begin, lines.index("}", at)


def prepare_file(name):
    """Makes the file that PS_MUTANT_REACHED names, with no bug reached."""
    pathlib.Path(name).write_bytes(bytes(2 * MANY))


def read_reached(name):
    """Returns the numbers of bugs whose function was called, and of those whose line was executed; the latter only for bugs with a probe."""
    marks = pathlib.Path(name).read_bytes()
    return [{number for number in range(MANY) if marks[number + from_]} for from_ in (0, MANY)]


def code_before(lines, begin, at):
    """The last line of code before a line, without its comment; the `{` of the function at the earliest."""
    for line in reversed(lines[begin:at]):
        code = re.sub(r"/\*.*?\*/", "", line).strip()
        if code and not code.startswith(("/*", "*")) and not code.endswith("*/"):
            return code
    return "{"


def probe(lines, begin, at, number):
    """The line with a probe before it, or None where a statement cannot stand: in the middle of an expression, or before `else` and `case`."""
    line, before = lines[at], code_before(lines, begin, at)
    code = re.sub(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)\'|/\*(?:.|\n)*?\*/', "", "\n".join(lines[begin:at]))
    if code.count("(") != code.count(")") or re.match(r"\s*(?:else\b|case\b|default\b|[}.&|?:=+*/<>-])", line):
        return None
    if re.search(r"[;}]$|[^=]\s*\{$|^\{$|^(?:case\b|default\b).*:$", before):
        return f"ps_mutant_line({number}); {line.lstrip()}"
    whole = re.sub(r"/\*.*?\*/", "", line).rstrip().endswith(";")
    if whole and re.search(r"^(?:\} )?(?:else )?if \(.*\)$|^(?:while|for) \(.*\)$|^(?:\} )?else$", before):
        return f"{{ ps_mutant_line({number}); {line.lstrip()} }}".replace("*/ }", "*/\n}")
    return None


def plant(text, bugs):
    """bugs: (number, line, the line with the bug) of one file. Returns its text with all of them behind PS_MUTANT, and the numbers of
    those that cannot be (they are outside of a function, or in one with `...` or of another processor), and the numbers of those whose line has a probe."""
    lines, left_out, functions, probed = text.split("\n"), [], {}, []
    for number, at, after in bugs:
        place = bounds(lines, at)
        found = NAME.search("\n".join(lines[place[0]:place[1]])) if place else None
        is_plain = found and "__attribute__((target" not in found.string
        arguments = arguments_of(found.group(2)) if is_plain else None
        if arguments is None:
            left_out.append(number)
            continue
        functions.setdefault(place, (found.group(1), arguments, []))[2].append((number, at, after))
    for (head, begin, end), (name, arguments, planted) in sorted(functions.items(), reverse=True):
        title = "\n".join(lines[head:begin])
        found = NAME.search(title)
        title = title[:found.start(2)] + with_names(found.group(2)) + title[found.end(2):]
        copies, choices = [title + ";"], []  # the declaration: its second body may call it
        for number, at, after in planted:
            own = re.sub(rf"\b{name}\(", f"{name}_mutant_{number}(", title, count=1)
            copies.append(own if own.startswith("static ") else "static " + own)
            copies += lines[begin:at] + [after] + lines[at + 1:end + 1]
            choices.append(f"    if (ps_mutant != 0 && ps_mutant_here({number})) return {name}_mutant_{number}({arguments});")
        for number, at, _ in planted:
            with_probe = probe(lines, begin, at, number)
            if with_probe:
                lines[at] = with_probe
                probed.append(number)
        lines[head:begin + 1] = copies + [title, "{"] + choices
    return READS + "\n".join(lines), left_out, probed

