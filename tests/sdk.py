#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""sdk.py BUILD: installs the SDK, moves it, and builds and runs programs with it outside the tree. Prints TAP."""
import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GCC = "riscv64-unknown-elf-gcc"
TEXT = "first line\nsecond\n"
EXPECTED = """3 argument one one
numbers: 0.8414709848 1.41421 -16 10000000000 8 1.23e+04 C
memory: 124573156
mappings: 42 3 first
pipes: 2 1 1 1 TO A CHILD 1 1
waiting: 0 0 1 1
directories: 4 a.c b 0 a.c 1 /tmp/d/b b
modes: 0 644 751 22
streams: 11 7 -1 2 1 written 7
system: Quire riscv64 256 -1 1 1 root
signals: 1 2 1
programs: 0 from a program
patterns: 0 3 6
"""

# What programs expect to find in each header, and to link.
HEADERS = {
    "dirent.h": "opendir readdir closedir rewinddir seekdir telldir fdopendir dirfd scandir alphasort",
    "err.h": "err errx warn warnx", "fcntl.h": "open creat openat fcntl", "fnmatch.h": "fnmatch",
    "getopt.h": "getopt getopt_long getopt_long_only", "glob.h": "glob globfree", "grp.h": "getgrgid getgrnam getgrent getgrgid_r",
    "langinfo.h": "nl_langinfo", "libgen.h": "basename dirname", "locale.h": "setlocale localeconv", "poll.h": "poll ppoll",
    "pthread.h": "pthread_create pthread_join pthread_detach pthread_exit pthread_self pthread_equal pthread_mutex_lock "
                 "pthread_mutex_timedlock pthread_cond_wait pthread_cond_timedwait pthread_cond_broadcast pthread_once "
                 "pthread_key_create pthread_getspecific pthread_rwlock_rdlock pthread_barrier_wait pthread_attr_setstacksize",
    "pwd.h": "getpwuid getpwnam getpwent getpwuid_r getpwnam_r", "regex.h": "regcomp regexec regerror regfree",
    "sched.h": "sched_yield", "search.h": "tsearch tfind hcreate", "semaphore.h": "sem_init sem_destroy sem_getvalue sem_post sem_trywait sem_wait "
    "sem_timedwait", "setjmp.h": "setjmp longjmp",
    "signal.h": "signal raise kill killpg sigaction sigprocmask sigpending", "spawn.h": "posix_spawn posix_spawnp",
    "stdio.h": "fopen fdopen freopen fclose fflush fileno getline getdelim dprintf vdprintf popen pclose tmpfile fseeko ftello "
               "snprintf sscanf setvbuf ungetc rename remove asprintf fmemopen perror",
    "stdio_ext.h": "__fpending __freading __fwriting __fpurge __freadahead __fseterr __fbufsize",
    "stdlib.h": "getprogname setprogname malloc realloc free qsort bsearch getenv setenv unsetenv putenv realpath mkstemp mkdtemp system strtod abort "
                "atexit posix_memalign aligned_alloc random srandom drand48",
    "string.h": "strdup strndup strtok_r strsignal strerror_r memmem stpcpy", "strings.h": "strcasecmp strncasecmp ffs",
    "sys/file.h": "flock", "sys/ioctl.h": "ioctl", "sys/mman.h": "mmap munmap mprotect msync madvise",
    "sys/resource.h": "getrlimit setrlimit getrusage getpriority setpriority", "sys/select.h": "select pselect",
    "sys/stat.h": "stat fstat lstat mkdir chmod fchmod umask fstatat mkdirat mkfifo utimensat futimens",
    "sys/time.h": "gettimeofday utimes", "sys/times.h": "times", "sys/uio.h": "readv writev", "sys/utsname.h": "uname",
    "sys/wait.h": "wait waitpid wait3 wait4",
    "termios.h": "tcgetattr tcsetattr tcflush cfgetospeed cfsetospeed cfmakeraw",
    "time.h": "time clock clock_gettime nanosleep localtime_r gmtime_r mktime strftime strptime",
    "unistd.h": "setpgid getpgid getpgrp setpgrp setsid tcgetpgrp tcsetpgrp lockf "
                "access alarm brk chdir chown close dup dup2 dup3 execv execve execvp execl execlp fchdir fchown fdatasync fork "
                "fpathconf fsync ftruncate getcwd getegid geteuid getgid getgroups gethostname getlogin getopt getpagesize "
                "getpid getppid getuid isatty lchown link lseek pathconf pipe pipe2 pread pwrite read readlink rmdir sbrk setgid "
                "setuid sleep symlink sync sysconf truncate ttyname unlink unlinkat usleep vfork write faccessat",
    "utime.h": "utime", "wchar.h": "mbrtowc wcrtomb wcslen", "wctype.h": "iswalpha towupper", "iconv.h": "",
    "sys/param.h": "", "sys/types.h": "", "paths.h": "", "endian.h": "", "limits.h": "", "inttypes.h": "", "math.h": "sqrt pow",
    "complex.h": "", "fenv.h": "", "stdatomic.h": "", "tgmath.h": "", "alloca.h": "", "sys/poll.h": "", "sys/dirent.h": "",
}


class Sdk:
    """Where it lies, and the folder that programs are made in."""

    def __init__(self, build, folder):
        self.root, self.work = folder / "sdk with spaces" / "moved", folder / "work"
        stage = folder / "stage"
        subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", stage], check=True,
                       stdout=sys.stderr)
        (self.root.parent).mkdir()
        shutil.move(next(stage.rglob("quire.specs")).parents[1], self.root)
        shutil.copytree(ROOT / "tests/sdk", self.work)
        (self.work / "text").write_text(TEXT)
        self.cc, self.runner = self.root / "bin/quire-cc", self.root / "bin/quire-run"

    def call(self, *command, **how):
        """What became of a command in the folder."""
        return subprocess.run([str(word) for word in command], cwd=self.work, capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, **how)

    def run(self, program, *arguments):
        """(status, output, error output) of a program in the guest."""
        done = self.call(self.runner, "--add", program, "--add", "data/text=text", "--", Path(program).name, *arguments)
        return done.returncode, done.stdout, done.stderr

    def good(self, *command, **how):
        """Whether a command succeeds without a word."""
        done = self.call(*command, **how)
        if done.returncode or done.stderr:
            print(*done.stderr.splitlines()[:20], sep="\n# ", file=sys.stderr)
        return not done.returncode and not done.stderr


def a_makefile(sdk):
    """A makefile with CC= builds a program of several files, which does here what it must."""
    made = sdk.call("make", f"CC='{sdk.cc}'")
    result = sdk.run("prog", "argument one", "x") if not made.returncode else (made.stderr,)
    if result != (43, EXPECTED, "to the error output\n"):
        print(*result, sep="\n", file=sys.stderr)
    return result == (43, EXPECTED, "to the error output\n")


def the_compiler_itself(sdk):
    """gcc with --sysroot and --specs alone does the same."""
    options = GCC, f"--sysroot={sdk.root}", "--specs=quire.specs"
    return sdk.good(*options, "-std=gnu11", "main.c", "parts.c", "-o", "prog2", "-lm") and \
        sdk.run("prog2", "argument one", "x")[:2] == (43, EXPECTED)


def headers_and_functions(sdk):
    """Each header stands alone, as C99 and C17, and what it declares can be linked."""
    lines = [f"#include <{name}>" for name in HEADERS]
    lines += ["typedef void function(void);", "function *const all[] = {"]
    lines += [f"  (function *){name}," for names in HEADERS.values() for name in names.split()]
    (sdk.work / "all.c").write_text("\n".join(lines + ["};", "int main(void) { return all[sizeof all / sizeof *all - 1] == 0; }", ""]))
    alone = all(sdk.good(sdk.cc, "-Wall", "-Werror", standard, "-fsyntax-only", "-include", name, "-x", "c", os.devnull)
                for name in HEADERS for standard in ("-std=c99", "-std=gnu17"))
    return alone and sdk.good(sdk.cc, "-D_GNU_SOURCE", "-w", "-Werror=implicit-function-declaration", "all.c", "-o", "all", "-lm")


def configure_asks(sdk):
    """What a configure script asks: a link test fails for what is not there, and only then."""
    (sdk.work / "yes.c").write_text("char poll(); int main() { return poll(); }\n")
    (sdk.work / "no.c").write_text("char mremap(); int main() { return mremap(); }\n")
    options = "-w", "-pthread", "-rdynamic", "-lpthread", "-ldl"
    return sdk.call(sdk.cc, "yes.c", "-o", "yes", *options).returncode == 0 and \
        sdk.call(sdk.cc, "no.c", "-o", "no", *options).returncode != 0 and \
        "riscv64" in sdk.call(sdk.cc, "-dumpmachine").stdout


OWN_NAMES = r"""
#include <stdio.h>
#include <stdlib.h>
static int said;
void warn(const char *text, int number) { said += number; }
int err(void) { return 3; }
int main(void) {
  FILE *echo = popen("echo line", "r");
  warn("own", fgetc(echo));
  pclose(echo);
  return said + err() == 'l' + 3 ? system("exit 5") >> 8 : 1;
}
"""


def names_of_its_own(sdk):
    """A program may have functions of its own that are called as some of ours, and use what is declared beside those."""
    (sdk.work / "names.c").write_text(OWN_NAMES)
    return sdk.good(sdk.cc, "names.c", "-o", "names") and sdk.run("names") == (5, "", "")


def options_as_here(sdk):
    """getopt() and its like take command lines apart as this machine's do, and say the same of those that are wrong."""
    if not sdk.good("gcc", "-w", "options.c", "-o", "here") or not sdk.good(sdk.cc, "-w", "options.c", "-o", "options"):
        return False
    here = sdk.call("./here")
    return here.stdout.count("\n") > 25 and sdk.run("options") == (0, here.stdout, here.stderr)


def names_of_programs(sdk):
    """Who a program is, as it says itself and as err.h says it; priorities are all the same."""
    (sdk.work / "who.c").write_text("""#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
int main(void) {
  warnx("%d %d %d", strcmp(getprogname(), "who"), setpriority(PRIO_PROCESS, 0, 0), setpriority(PRIO_PROCESS, 0, -5));
  setprogname("/bin/other");
  err(4, "then");
}
""")
    return sdk.good(sdk.cc, "-Wall", "who.c", "-o", "who") and \
        sdk.run("who") == (4, "", "who: 0 0 -1\nother: then: Permission denied\n")


def no_file_is_lost(sdk):
    """A stream that is never closed has been written when its program has ended."""
    (sdk.work / "left.c").write_text('#include <stdio.h>\nint main(void) {\n  fputs("kept", fopen("/tmp/left", "w"));\n  return 0;\n}\n')
    return sdk.good(sdk.cc, "left.c", "-o", "left") and sdk.good(sdk.runner, "--add", "left", "--get", "/tmp/left", "--", "left") \
        and (sdk.work / "left").read_bytes() == b"kept"


def what_replaces_the_librarys(sdk):
    """Functions that libsys has in place of picolibc's do what the build machine's do."""
    if not sdk.good("gcc", "library.c", "-o", "library.here") or not sdk.good(sdk.cc, "library.c", "-o", "library"):
        return False
    here, there = sdk.call("./library.here").stdout, sdk.run("library")[1]
    print(*difflib.unified_diff(here.splitlines(), there.splitlines(), "here", "there", lineterm=""), sep="\n", file=sys.stderr)
    return here == there != ""


def nothing_of_this_machine(sdk):
    """No file names a folder of this machine."""
    folders = re.compile(b"|".join(re.escape(os.fsencode(str(path))) for path in (ROOT, Path.home(), sdk.work.parent)))
    found = [path for path in sdk.root.rglob("*") if path.is_file() and folders.search(path.read_bytes())]
    print(*found, sep="\n", end="", file=sys.stderr)
    return not found


def main():
    """TAP, a test for each function above."""
    tests = [a_makefile, the_compiler_itself, headers_and_functions, configure_asks, names_of_its_own, options_as_here,
             names_of_programs, no_file_is_lost, what_replaces_the_librarys, nothing_of_this_machine]
    print(f"1..{len(tests)}")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        sdk = Sdk(sys.argv[1], Path(folder))
        for number, test in enumerate(tests, 1):
            good = test(sdk)
            failed += not good
            print(f"{'ok' if good else 'not ok'} {number} - {test.__name__}: {test.__doc__}", flush=True)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
