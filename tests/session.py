#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""session.py KERNEL IMAGE: drives the prompt as a person would, and judges what comes back. Prints TAP.

Each scene boots the machine anew, types, and waits for what must appear. A scene fails if that does not come, if the
kernel or the pager says panic, or if the machine does not turn itself off as the scene says.
"""
import os
import re
import selectors
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

PROMPT = r"(?:^|\n)\$ $"
PATIENCE = int(os.environ.get("PATIENCE", "60"))  # seconds of the host's time, as a last resort: a busy host is no failure of the guest


USUAL = "serve=uart serve=posix:sh"
ARGUMENTS = 1  # a page, which no budget is of


class Failed(Exception):
    """What did not happen."""


class Session:
    """A booted machine with its console."""

    def __init__(self, kernel, image, append=USUAL, memory="128M"):
        harts = os.environ.get("QUIRE_HARTS", "1")  # several run at once only without -icount
        command = ["qemu-system-riscv64", "-machine", "virt", "-m", memory, "-smp", harts, "-nographic", "-no-reboot",
                   *(["-icount", "shift=0"] if harts == "1" else []), "-kernel", kernel, "-initrd", image, "-append", append]
        self.qemu = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                     bufsize=0)
        os.set_blocking(self.qemu.stdout.fileno(), False)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.qemu.stdout, selectors.EVENT_READ)
        self.seen = ""      # not matched yet
        self.transcript = ""

    def type(self, text):
        """Types it, all at once."""
        self.qemu.stdin.write(text.encode("latin-1") if isinstance(text, str) else text)
        self.qemu.stdin.flush()

    def read_more(self, deadline):
        """False at the end of output."""
        left = deadline - time.monotonic()
        if left <= 0 or not self.selector.select(left):
            raise Failed(f"nothing more within {PATIENCE} s")
        data = self.qemu.stdout.read(65536)
        text = data.decode("latin-1").replace("\r", "")
        self.seen += text
        self.transcript += text
        if re.search(r"quire: panic|pager: panic", self.transcript):
            raise Failed("panic")
        return bool(data)

    def expect(self, pattern, patience=PATIENCE):
        """Waits for the regular expression; the text up to its end is gone, and the match is returned."""
        deadline = time.monotonic() + patience
        while not (match := re.search(pattern, self.seen)):
            try:
                alive = self.read_more(deadline)
            except Failed as why:
                raise Failed(f"{pattern!r} did not come: {why}") from None
            if not alive:
                raise Failed(f"{pattern!r} did not come: the machine is off")
        self.seen = self.seen[match.end():]
        return match

    def run(self, line, pattern=PROMPT):
        """Types a line at the prompt; the output up to the next prompt."""
        self.type(line + "\n")
        before = len(self.transcript) - len(self.seen)
        self.expect(pattern)
        return self.transcript[before:len(self.transcript) - len(self.seen)]

    def interrupt(self, line, pattern):
        """Runs the line and types Ctrl-C, which must bring the pattern. One typed too early only loses the line."""
        for attempt in range(PATIENCE // 3):
            self.type(line + "\n")
            time.sleep(0.5 + attempt / 2)
            self.type("\x03")
            try:
                self.expect(pattern, 3)
            except Failed:
                continue
            self.expect(PROMPT)
            return
        raise Failed(f"no {pattern!r} after {line!r} and Ctrl-C")

    def off(self, status=0):
        """The machine turns itself off with that status."""
        self.expect(rf"quire: off, status {status}\n")
        deadline = time.monotonic() + PATIENCE
        while self.read_more(deadline):
            pass
        self.qemu.wait(PATIENCE)

    def close(self):
        """Ends QEMU if the guest did not."""
        self.qemu.kill()
        self.qemu.wait()


def need(condition, what):
    """Fails the scene."""
    if not condition:
        raise Failed(what)


# ---- Scenes, named after what could go wrong ------------------------------------------------------------------------
SCENES = []


def scene(name, options=""):
    """Registers a scene, and boot options beside the usual ones."""
    def register(function):
        SCENES.append((name, function, options))
        return function
    return register


def boot(arguments, options):
    """At the first prompt."""
    session = Session(*arguments, append=f"{options} {USUAL}".strip())
    session.expect(PROMPT)
    return session


@scene("a prompt, a program, the end of input")
def simple(s):
    need("\na b  c d e\n" in s.run("echo a   'b  c' d\\ e"), "quotes and backslashes")
    need("\n'x' \"z\"\n" in s.run("""echo "'x'" '"z"'"""), "quotes in quotes")
    need("no such program" in s.run("nothing-of-this-name"), "an unknown program")
    s.run("echo 'x", r"\n> $")
    need("\nx\ny\n" in s.run("y'"), "a quote over two lines")
    s.run("echo \"x", r"\n> $")
    s.type("\x04")
    s.expect(r"a quote is not closed\n\$ $")
    s.run("if true", r"\n> $")
    s.type("\x03")
    s.expect(PROMPT)
    need("Programs: " in s.run("help"), "help")
    need(re.search(r"(wait: posix|call: posix|ready) +sh\n(.|\n)*call: pager +ps\n", s.run("ps")), "ps")
    s.type("\x04")
    s.off()


@scene("the status of the shell is the machine's")
def status(s):
    s.type("exit 3\n")
    s.off(3)


@scene("exit without a number leaves with the last status")
def last_status(s):
    need("kill: x" in s.run("kill x"), "a built-in that fails")
    s.type("exit\n")
    s.off(1)


@scene("type-ahead is kept, erased characters are not")
def typing(s):
    s.type("echo one\necho two\necho three\n")
    s.expect(r"(?s)(\n|\$ )one\n.*(\n|\$ )two\n.*(\n|\$ )three\n\$ $")
    need("\nright\n" in s.run("echo rigth\x7f\x7fht"), "erase")
    need("\nnew\n" in s.run("rubbish and more\x15echo new"), "erasing the line")
    need("\na c\n" in s.run("echo a b\x17c"), "erasing a word")
    need("\n\xc3\xa9x\n" in s.run("echo \xc3\xa9\xc3\xa8\x7fx"), "erasing a character of two bytes")
    need("\nx\n" in s.run("\x7f\x7f\x15\x17echo x"), "erasing nothing")
    s.type("exit\n")
    s.off()


@scene("Ctrl-D ends a program's input, and what is typed before it is read")
def end_of_input(s):
    s.type("cat\n")
    s.type("line\n")
    s.expect(r"line\nline\n")
    s.type("half\x04")
    s.expect(r"halfhalf")
    s.type("\x04")
    s.expect(r"\$ $")
    s.type("\x04")
    s.off()


@scene("Ctrl-C ends the program in the foreground wherever it is blocked, and not the shell")
def interrupt(s):
    for line in ["spin", "sleep 1000000", "cat", "grow 60000 1000000", "faults"]:
        s.interrupt(line, line.split()[0] + r" \(\d+\): killed\n")
    for _ in range(50): # at once after the prompt, when the shell may not read yet
        s.type("half a line\x03")
        s.expect(r"\^C\n")
        s.expect(PROMPT)
    need("\nwhole\n" in s.run("echo whole"), "the line after an interrupt")
    need(not re.search(r"spin|sleep|cat|grow|faults", s.run("ps").split("NAME")[1]), "they are gone")
    s.type("exit\n")
    s.off()


@scene("Ctrl-C in a storm of faults")
def storm(s):
    for _ in range(5):
        s.interrupt("grow 100000000", r"grow \(\d+\): (killed|ended by the system: out of memory)")
    need("\nalive\n" in s.run("echo alive"), "the shell goes on")
    s.type("exit 0\n")
    s.off()


@scene("background programs run beside the shell, are listed, killed and reported")
def background(s):
    one = re.search(r"\[(\d+)\] spin", s.run("spin &"))[1]
    two = re.search(r"\[(\d+)\] sleep", s.run("sleep 1000000 &"))[1]
    listed = s.run("ps")
    need(re.search(rf"\n +{one} .*ready +spin", listed), "a spinning program is ready")
    need(re.search(rf"\n +{two} .*sleep +sleep", listed), "a sleeping program sleeps")
    need(f"[{one}] spin\n[{two}] sleep\n" in s.run("jobs"), "jobs")
    three = re.search(r"\[(\d+)\] cat", s.run("cat &"))[1]
    need("cannot read" in s.transcript + s.run("/bin/echo x") + s.run("/bin/echo y"), "a background program may not read")
    need("no such process" in s.run("kill 99999"), "killing nobody")
    need("not a process id" in s.run("kill x"), "killing what is no number")
    need("the shell itself" in s.run("kill " + re.search(r"\n +(\d+) .* sh\n", listed)[1]), "killing the shell")
    output = s.run(f"kill {one}") + s.run(f"kill {two}") + s.run("echo")
    need(f"spin ({one}): killed" in output and f"sleep ({two}): killed" in output, f"ends are reported: {output!r}")
    need(f"cat ({three}): exit status 1" in s.transcript, "under the program's name")
    need("[" not in s.run("jobs"), "no jobs are left")
    need(not re.search(rf"\n +({one}|{two}|{three}) ", s.run("ps")), "nobody is left")
    s.type("exit 0\n")
    s.off()


@scene("fg brings a job to the foreground, where Ctrl-C ends it")
def to_foreground(s):
    pid = re.search(r"\[(\d+)\] spin", s.run("spin &"))[1]
    s.interrupt(f"fg {pid}", rf"spin \({pid}\): killed\n")
    need("no such job" in s.run("fg 4242"), "a job that is not there")
    s.type("exit 0\n")
    s.off()


@scene("very long lines, and bytes that are no text")
def garbage(s):
    s.type("echo " + "x" * 3000)
    s.expect("\a")
    s.type("\n")
    s.expect(r"\nx{1018}\n")
    s.expect(PROMPT)
    s.type(bytes(range(128, 256)) + b"\n")
    s.expect(r"no such program")
    s.expect(PROMPT)
    s.type(bytes([0, 1, 2, 5, 6, 7, 11, 12, 14, 27, 28]) + b"\n")
    s.expect(PROMPT)
    s.type(b"echo a\0b\n")
    s.expect(r"no NUL")
    s.expect(PROMPT)
    need("w " * 99 + "w\n" in s.run("echo " + "w " * 100), "many words")
    s.type("cat\n")
    time.sleep(1)
    s.type("x" * 3000 + "\n")
    s.expect(r"\nx{1023}\n")
    s.type("\x04")
    s.expect(PROMPT)
    need(" 0 lost, 0 overruns, 1977 typed beyond a line" in s.run("free"), "what was cut off is counted, and nothing else")
    s.type("\n\n\n  \n&\n")
    s.expect(r"nothing stands before &")
    s.expect(PROMPT)
    need("\nalive\n" in s.run("echo alive"), "the shell goes on")
    s.type("exit 0\n")
    s.off()


@scene("a flood of input is kept up to the stated buffers, and the rest is counted")
def flood(s):
    s.type("sleep 1\n" + "".join(f"echo {i}\n" for i in range(200)))
    for i in range(200):
        s.expect(rf"(?:^|\n|\$ ){i}\n")
    s.expect(PROMPT)
    s.type("exit 0\n")
    s.off()


@scene("a huge write delays neither Ctrl-C nor another's request")
def huge_write(s):
    s.type("hog flood 64 &\n")
    s.expect(r"x{79}\nx{79}\n")
    s.type("echo he\"re\"\n")
    s.expect(r"here\n")
    s.type("kill none\n")
    s.expect(r"not a process id")
    pid = re.search(r"\[(\d+)\] hog", s.transcript)[1]
    s.type(f"kill {pid}\n")
    s.expect(rf"\({pid}\): killed\n")
    s.expect(PROMPT)
    s.type("hog flood 64\n")
    s.expect(r"x{79}\nx{79}\n")
    s.type("\x03")
    s.expect(r"hog \(\d+\): killed\n")
    need(len(s.transcript) < 8 << 20, "long before the end of the write")
    s.expect(PROMPT)
    s.type("exit 0\n")
    s.off()


@scene("threads that wait by the hundred leave room for the others' requests")
def many_requests(s):
    s.run("hog chain 40 &", r"hog: all wait\n")
    need("\nalive\n" in s.run("echo alive"), "the shell reads on")
    need("hog" in s.run("ps"), "and programs run")
    s.type("exit 0\n")
    s.off()


@scene("a shell in the background ends, and the first one takes the console back")
def console_given_away(s):
    s.type("sh &\n")
    s.expect(r"\[(\d+)\] sh\n")
    s.type("echo al\"iv\"e\n")
    s.expect(r"alive\n")
    ended = re.compile(r"sh \(\d+\): exit status \d+\n")  # said before a prompt, whichever it is ready for
    for _ in range(5):
        if not ended.search(s.transcript):
            s.run("echo")
    need(ended.search(s.transcript), "its end is reported")
    s.type("hog away\n")
    s.type("echo al\"iv\"e\n")
    s.expect(r"alive\n")
    need(s.transcript.count("$ ") < 20, "no flood of prompts")
    s.type("exit 0\n")
    s.off()


@scene("arguments and environment arrive")
def environment(s):
    need("\nA=1\nB=two words\n" in s.run("A=1 B='two words' env"), "variables before a command")
    need("A=" not in s.run("env"), "for that command only")
    s.run("export C=3")
    need("\nC=3\n" in s.run("env"), "a variable of the shell")
    output = s.run("D=1 C=4 D=2 env")
    need("\nC=4\nD=2\n" in output and "\nC=3" not in output and "\nD=1" not in output, "the command's own hide the shell's")
    need("\nC=3\n" in s.run("env"), "and not for ever")
    s.run("export E=" + "e" * 900)
    s.run("export F=" + "f" * 900)
    for i in range(40):
        s.run(f"export G{i}=" + "g" * 900)
    need("cannot start env" in s.run("env"), "more than a program can be given")
    s.type("exit 0\n")
    s.off()


@scene("pipes, files and directories")
def files(s):
    need("\nhello world\n" in s.run("echo hello world > /tmp/a") + s.run("cat /tmp/a"), "a file")
    s.run("echo more >>/tmp/a")
    need(re.search(r"\n +2 +3 +17 *\n", s.run("cat</tmp/a|wc")), "appending, and a pipe from a file")
    need(re.search(r"\n +2 +3 +17 *\n", s.run("cat /tmp/a | cat | cat | wc")), "four programs")
    need("\n/tmp\n" in s.run("cd /tmp") + s.run("pwd"), "the working directory")
    need(" a\n" in s.run("ls") and " sh\n" in s.run("ls /bin"), "directories")
    s.run("mkdir d")
    s.run("mv a d/b")
    s.run("ln d/b c")
    need("hello" in s.run("cat c"), "a second name")
    need("Directory not empty" in s.run("rm d"), "a directory that is not empty")
    need("No such file" in s.run("cat < nothing"), "a file that is not there")
    need("no such program" in s.run("nothing | wc"), "a program that is not there")
    need("a program is missing" in s.run("| wc") and "a program is missing" in s.run("wc | ;"), "half a pipe")
    need("no file is named" in s.run("wc <"), "half a redirection")
    need("\n1\n" in s.run("cat nothing") + s.run("echo $?") and "\n0\n" in s.run("echo $?"), "the last status")
    need("\n<v> $V $\n" in s.run("V=v") + s.run("echo \"<$V>\" '$V' $"), "values of variables")
    s.run("V=" + "x" * 1000)
    need("\n   1    1 3001 \n".replace(" ", "") in s.run("sh -c \"echo $V$V$V\" | wc").replace(" ", ""), "a long line for sh -c")
    s.run("cp /bin/wc /tmp/count")
    need(re.search(r"\n +2 +3 +17 *\n", s.run("./count < c")), "a program that was copied")
    need("same file" in s.run("cp c d/b") and "hello" in s.run("cat c"), "a file is not copied over itself")
    s.run("touch e")
    s.run("cp c e d")
    need(re.search(r"- +1 +17 c\n- +1 +0 e\n", s.run("ls d")), "copies in a directory")
    s.run("cat c | tee f g | tee -a f > h")
    need("\nhello world\nmore\nhello world\n" in s.run("cat h f | head -n 3"), "tee and head")
    s.interrupt("cat < /dev/zero", r"killed")
    s.interrupt("cat /dev/zero > /dev/null", r"killed")
    s.interrupt("cat | cat | sleep 1000000", r"(?s)killed.*killed.*killed\n")
    need("\nalive\n" in s.run("echo alive"), "the shell goes on")
    s.run("spin | cat &")
    need(len(re.findall(r" (spin|cat)\n", s.run("ps"))) == 2, "a pipeline in the background")
    s.type("exit 0\n")
    s.off()


@scene("what a program cost")
def cost(s):
    output = s.run("time grow 400")
    match = re.search(r"(\d+) instructions of the machine, (\d+) faults, (\d+) frames at most", output)
    need(match and 100 <= int(match[2]) <= 130 and 100 <= int(match[3]) <= 130, f"time: {output!r}")
    need(re.search(r"free +\d+ frames", s.run("free")), "free")
    pid = re.search(r"\[(\d+)\]", s.run("sleep 1000000 &"))[1]
    s.interrupt(f"faults {pid}", "killed")
    need("usage" in s.run("faults 99999") and "usage" in s.run("faults x"), "faults of nobody")
    s.run(f"kill {pid}")
    s.type("exit 0\n")
    s.off()


class Policy(NamedTuple):
    """What `policy` says of a process; pages, but for the words. A budget of None: it has none."""
    words: str
    budget: int | None
    resident: int
    evicted: int
    written: int
    read_back: int


def policy_of(s, pid, until=lambda found: True):
    """That, as soon as something holds of it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        said = re.search(r"\n(\S+); (?:budget (\d+) pages|no budget); (\d+) resident, (\d+) evicted, (\d+) of these written, (\d+) read back; "
                         r"0 proposals wrong\n", s.run(f"policy {pid}"))
        need(said, "policy PID")
        found = Policy(said[1], said[2] and int(said[2]), *map(int, said.groups()[2:]))
        if until(found):
            return found
    raise Failed(f"it stays {found}")


@scene("a program in the background is given words and a budget, which hold from then on", "budget=0")
def budget(s):
    pid = re.search(r"\[(\d+)\]", s.run("workload -p 64 -n 4000000000 loop &"))[1]
    found = policy_of(s, pid, lambda now: now.resident > 64)  # it has been everywhere
    need((found.words, found.budget, found.evicted) == ("demand", None, 0), f"none at first: {found}")
    need("policy:" not in s.run(f"policy {pid} clock 8"), "eight pages")
    found = policy_of(s, pid)
    need((found.words, found.budget) == ("clock", 8) and found.resident <= 8 + ARGUMENTS, f"eight pages: {found}")
    need(found.evicted >= 64 - 8 and 0 < found.written <= found.evicted, f"the others went: {found}")
    again = policy_of(s, pid, lambda now: now.read_back > found.read_back + 64)  # it goes on, round and round
    need(again.evicted > found.evicted + 64 and again.resident <= 8 + ARGUMENTS, f"what comes back drives out others: {again}")
    s.run(f"policy {pid} generations")
    need(policy_of(s, pid)[:2] == ("generations", 8), "words alone leave the budget as it is")
    figures = re.search(r"\nyoungest (\d+), younger (\d+), older (\d+), oldest (\d+)\n", s.run(f"policy {pid}"))
    need(figures and sum(map(int, figures.groups())) == 8, f"and have all of its pages: {figures}")
    s.run(f"policy {pid} sieve 100")
    found = policy_of(s, pid, lambda now: now.resident > 64)  # all of it has room
    need("none of these words says what goes" in s.run(f"policy {pid} demand 8"), "words that do not go with a budget")
    need(policy_of(s, pid)[:2] == ("sieve", 100), "change nothing")
    need(policy_of(s, "$$")[:2] == ("demand", None), "the shell's is its own")
    s.run(f"kill {pid}")
    need("say PAGES, too" in s.run("policy $$ clock"), "without a budget nothing would go")
    need("well" in s.run("policy clock 8 workload -p 32 -n 1000 zipf && echo well"), "words and a budget from the start")
    need("clock; budget 8 pages" in s.run("policy clock 8 sh -c 'policy $$'"), "exec keeps them")
    s.type("exit 0\n")
    s.off()


@scene("a program that the system ends is diagnosed, and its frames come back")
def diagnosis(s):
    free = re.compile(r"free +(\d+) frames")
    s.run("demo")
    before = int(free.search(s.run("free"))[1])
    need("All as it must be." in s.run("demo"), "the demo")
    after = int(free.search(s.run("free"))[1])
    need(abs(before - after) <= 8, f"free frames {before}, {after}")
    s.type("exit 0\n")
    s.off()


@scene("a line is edited anywhere, and earlier ones come back")
def editing(s):
    # QEMU takes Ctrl-A itself, unless it comes twice.
    left, up, down = "\x1b[D", "\x1b[A", "\x1b[B"
    need("\nabc\n" in s.run("echo ac" + left + "b"), "the left arrow")
    need("\nxyz\n" in s.run("cho xyz\x01\x01e"), "Ctrl-A")
    need("\nxyz\n" in s.run("cho xyz\x1b[He\x1b[F"), "Home and End")
    need("\none two\n" in s.run("echo one\x01\x01\x1b[C\x1b[C\x05 two"), "the right arrow and Ctrl-E")
    need("\nkept\n" in s.run("echo kept gone" + left * 5 + "\x0b"), "Ctrl-K")
    need("\nrest\n" in s.run("rubbish echo rest" + left * 9 + "\x15"), "Ctrl-U takes what is before the cursor")
    need("\na c\n" in s.run("echo a bb c" + left + "\x17"), "Ctrl-W within the line")
    need("\nab\n" in s.run("echo axb" + left * 2 + "\x1b[3~"), "Delete")
    need("\n\xc3\xa9b\n" in s.run("echo \xc3\xa9\xc3\xa8b" + left + "\x7f"), "a character of two bytes before the cursor")
    need("\nfirst\n" in s.run("echo first") and "\nsecond\n" in s.run("echo second"), "lines")
    need("\nsecond\n" in s.run(up), "the line before")
    need("\nfirst\n" in s.run(up + up), "one before that, and the same line twice is kept once")
    need("\nfirst x\n" in s.run(up + " x"), "an earlier line edited")
    need("\nnew\n" in s.run("echo new" + up + up + down + down), "back to what was typed")
    need("\nsecond\n" in s.run("echo s\x12"), "Ctrl-R: the last line that begins so")
    need("\n" + "y" * 200 + "z\n" in s.run("echo " + "y" * 200 + "\x01\x01\x05z"), "a line longer than the row")
    need("\nshort\n" in s.run("rubbish\x1b[A\x1b[B\x15echo short"), "after that")
    s.type("\x1b[A\x03")
    s.expect(r"\^C\n\$ $")
    s.type("x\x1b[")
    s.expect("x$")
    time.sleep(0.5) # the shell has begun to read a key, and Ctrl-C comes amid it
    s.type("\x03")
    s.expect(r"\^C\n\$ $")
    need("\nalive\n" in s.run("\x1b[99~\x1bx\x1b[;zecho alive"), "keys that mean nothing")
    s.type("exit 0\n")
    s.off()


@scene("what a program reads it reads by lines, edited and shown, and not what the shell was typed")
def modes(s):
    s.type("cat\nshown wrogn\x7f\x7fng\n")
    s.expect(r"shown wro[^\n]*ng\nshown wrong\n")
    s.type("\x04")
    s.expect(PROMPT)
    need("\nread <a b>\n" in s.run("read x\na  b\necho \"read <\"$x\">\"", r"read <a b>\n"), "the shell's own read")
    s.expect(PROMPT)
    s.interrupt("read x", r"\^C\n")
    s.type("exit 0\n")
    s.off()


@scene("jobs: pipelines, subshells and substitutions are in the foreground as one, and end by Ctrl-C as one")
def jobs(s):
    for line in ["( spin )", "x=$(spin)", "while true; do spin; done", "spin | cat", "f() { spin; }; f", "true && spin; echo \"n\"ot",
                 "{ cat; echo \"n\"ot; } | cat", "time spin", "if spin; then echo \"n\"ot; fi", "eval spin"]:
        s.interrupt(line, r"killed\n")
        need("not\n" not in s.transcript.split(line)[-1], f"nothing of {line!r} runs after it")
    for line in ["while true; do true; done", "until false; do echo; done > /dev/null", "for i in 1; do read x; done"]:
        s.interrupt(line, r"\^C\n")
    need(not re.search(r"spin|cat", s.run("ps").split("NAME")[1]), "they are gone")
    pid = re.search(r"\[(\d+)\] sleep", s.run("sleep 1 &"))[1]
    need(f"{pid} 0\n" in s.run(f"wait {pid}; echo $! $?"), "wait")
    pid = re.search(r"\[(\d+)\]", s.run("(exit 7) &"))[1]
    need("\n7\n" in s.run(f"wait {pid}; echo $?"), "wait for a subshell")
    s.run("spin & spin &")
    need(len(re.findall(r"\] spin\n", s.run("jobs"))) == 2, "two jobs of one line")
    output = s.run("kill $!; wait $!; echo $?")
    need("\n143\n" in output, f"the status of a killed job: {output!r}")
    s.type("echo in | sh -c 'cat; exit 3'\n")
    s.expect(r"\nin\n")
    s.expect(PROMPT)
    need("\n3\n" in s.run("echo $?"), "a shell in a pipeline")
    s.type("exit 0\n")
    s.off()


@scene("a shell within the shell, with jobs of its own")
def inner_shell(s):
    s.run("sh")
    s.interrupt("spin", r"spin \(\d+\): killed\n")
    s.interrupt("( spin ) | cat", r"killed\n")
    need("\nalive\n" in s.run("echo alive"), "it goes on")
    s.type("exit 4\n")
    s.expect(r"sh \(\d+\): exit status 4\n")
    s.expect(PROMPT)
    need("\n4\n" in s.run("echo $?"), "its status")
    s.type("exit 0\n")
    s.off()


def attempt(function, arguments, options):
    """None, or why the scene failed, with what was seen."""
    session = None
    try:
        session = boot(arguments, options)
        function(session)
    except Failed as why:
        return f"{why}; last: {session.transcript[-300:] if session else ''!r}"
    finally:
        if session:
            session.close()
    return None


def main():
    """Exit status 0 if every scene passed."""
    arguments, wanted = sys.argv[1:3], sys.argv[3:]
    scenes = [entry for entry in SCENES if not wanted or any(word in entry[0] for word in wanted)]
    failed = 0
    print(f"1..{len(scenes)}")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda entry: attempt(entry[1], arguments, entry[2]), scenes))
    for number, ((name, *_), why) in enumerate(zip(scenes, results), 1):
        failed += why is not None
        print(f"ok {number} - {name}" if why is None else f"not ok {number} - {name}: {why!r}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
