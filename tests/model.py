#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""model.py KERNEL IMAGE [MODE SEED OPERATIONS]: random file operations of several processes (guest/filer.c), each answer and
the tree at the end judged by a model of what POSIX.1-2017 says. Prints TAP; a failure says how to repeat it.

The model was written from the standard and knows nothing of the server. Where the standard names several errors that apply,
any of them is right; where none applies, none is. What it leaves open (the size of a directory) is not judged.
Without MODE it runs what the suite runs, and then falsifies the log, line by line: the model must object to each.
"""
import re
import sys
import zlib
from collections import Counter

import judge

DESCRIPTORS = 256          # POSIX_DESCRIPTORS, quire/posix.h
RESERVED = range(55, 256)  # of guest/filer.c: the token's pipes, the log, and all behind it
FILE_MAX = 1 << 36         # docs/limits.md
PATH_MAX, NAME_MAX = 1024, 255
PAGE, ENDS = 4096, 65536
LINE = re.compile(r"(\d+) (\d) (\w+)(.*)")


class Wrong(Exception):
    """An answer that POSIX does not give."""


def need(good, why):
    """The answer is wrong unless good."""
    if not good:
        raise Wrong(why)


def make_noise():
    """The bytes that the guest writes from."""
    state, out = 1, bytearray()
    for _ in range(65536):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        out.append(state >> 24)
    return bytes(out)


NOISE = make_noise()


def unpack(path):
    """A path as the log writes it."""
    path = re.sub(r"%(\d+)%", lambda m: "./" * int(m[1]), path)
    return re.sub(r"~(\d+)", lambda m: "n" * int(m[1]), path)


class Inode:
    """A file, a directory or a device."""

    def __init__(self, kind, mode):
        self.kind, self.mode = kind, mode
        self.links = 0          # names; of a directory, none when it was removed
        self.number = None      # as it was first seen
        self.opened = 0         # descriptions and working directories
        self.size, self.pages = 0, {}
        self.names = {}
        self.parent = None      # of a directory; None when it was removed
        self.changed = []       # names that were added or removed, in order

    def nlink(self):
        """As stat gives it: `.` and each `..` count."""
        if self.kind != "d":
            return self.links
        return 2 * self.links + sum(node.kind == "d" for node in self.names.values())

    def get(self, offset, count):
        """Bytes that lie below the size."""
        count = max(0, min(count, self.size - offset))
        out = bytearray(count)
        at = 0
        while at < count:
            index, skip = divmod(offset + at, PAGE)
            piece = min(PAGE - skip, count - at)
            if index in self.pages:
                out[at:at + piece] = self.pages[index][skip:skip + piece]
            at += piece
        return bytes(out)

    def put(self, offset, data):
        """Writes there; the file grows."""
        at = 0
        while at < len(data):
            index, skip = divmod(offset + at, PAGE)
            piece = min(PAGE - skip, len(data) - at)
            self.pages.setdefault(index, bytearray(PAGE))[skip:skip + piece] = data[at:at + piece]
            at += piece
        if data:
            self.size = max(self.size, offset + len(data))

    def resize(self, size):
        """What is cut off reads as zero if it grows again."""
        if size < self.size:
            self.pages = {i: page for i, page in self.pages.items() if i * PAGE < size}
            if size // PAGE in self.pages:
                self.pages[size // PAGE][size % PAGE:] = bytes(PAGE - size % PAGE)
        self.size = size


class Description:
    """An open file description: what duplicates and children share."""

    def __init__(self, inode, access, append=False):
        self.inode, self.append = inode, append
        self.reads, self.writes = access in "rb", access in "wb"
        self.offset = 0
        self.users = 0
        self.rewind()

    def rewind(self):
        """A directory is read from its beginning."""
        self.offset = 0
        self.wild = False  # it stands nobody knows where
        self.since = len(self.inode.changed)
        self.there = {".", "..", *self.inode.names} if self.inode.parent else set()
        self.seen = set()


class Process:
    """Descriptors, a working directory, directories being read."""

    def __init__(self, cwd):
        self.cwd, self.files, self.dirs, self.closes = cwd, {}, {}, set()

    def lowest(self):
        """The descriptor that is given next, or None."""
        return next((fd for fd in range(DESCRIPTORS) if fd not in self.files and fd not in RESERVED), None)


class Place:
    """What a path leads to."""

    def __init__(self):
        self.errors = set()
        self.parent = self.node = None  # the directory of the last component, and what that names
        self.name = ""                  # the last component
        self.slash = False              # slashes follow it

    def dots(self):
        """Whether the last component is one of these."""
        return self.name in (".", "..")

    def must_exist(self):
        """The errors, ENOENT among them if there is nothing."""
        return self.errors if self.node or self.errors else {"ENOENT"}


class Answer:
    """What the guest said: an error, or what it got."""

    def __init__(self, text):
        self.words = text.split()
        self.error = self.words[0] if self.words and self.words[0].startswith("E") else None

    def number(self, index=0):
        """One word of it."""
        need(index < len(self.words), "too short an answer")
        try:
            return int(self.words[index])
        except ValueError:
            raise Wrong(f"not a number: {self.words[index]}") from None

    def is_among(self, errors):
        """True if an error was to come, and did: none of others."""
        if errors:
            need(self.error in errors, f"one of {sorted(errors)} was to come")
        else:
            need(not self.error, "no error applies")
        return bool(errors)

    def is_words(self, *words):
        """The answer is exactly these."""
        words = [str(word) for word in words]
        need(self.words == words, f"{' '.join(words)} was to come")


class Model:
    """The tree and the processes. Each operation judges first, and changes only what was judged right."""

    def __init__(self):
        self.root = Inode("d", 0o755)
        self.root.parent, self.root.links = self.root, 1
        self.processes, self.numbers, self.path = {}, {}, []
        self.begun, self.dumped = False, []
        self.count = Counter()

    # ---- Paths
    def look_up(self, at, name):
        """The inode of a name in a directory, or an errno value."""
        if at.kind != "d":
            return "ENOTDIR"
        if not at.parent:
            return "ENOENT"  # removed: it has not even `.` and `..` any more
        node = at if name == "." else at.parent if name == ".." else at.names.get(name)
        return node or "ENOENT"

    def find(self, process, text):
        """Where a path leads."""
        place, path = Place(), unpack(text)
        parts = [part for part in path.split("/") if part]
        if not path or len(path) >= PATH_MAX:
            place.errors.add("ENAMETOOLONG" if path else "ENOENT")
            return place
        if any(len(part) > NAME_MAX for part in parts):
            place.errors.add("ENAMETOOLONG")
        at = self.root if path[0] == "/" else process.cwd
        place.slash = bool(parts) and path[-1] == "/"
        for part in parts[:-1]:
            at = self.look_up(at, part)
            if isinstance(at, str):
                place.errors.add(at)
                return place
        if not parts:
            place.node = at
            return place
        place.parent, place.name = at, parts[-1]
        node = self.look_up(at, parts[-1])
        if node == "ENOTDIR":
            place.errors.add(node)
        elif isinstance(node, Inode):
            place.node = node
        elif not at.parent:
            place.errors.add("ENOENT")
        if place.node and place.slash and place.node.kind != "d":
            place.errors.add("ENOTDIR")
        return place

    def new_name(self, place, *, directory=False):
        """Why a name cannot be made there."""
        errors = set(place.errors)
        if place.node or (place.dots() and "ENOENT" in errors):
            errors.add("EEXIST")
        elif place.slash and not directory and not errors:
            errors |= {"ENOENT", "ENOTDIR"}
        return errors

    def add(self, place, node):
        """Gives it a name."""
        place.parent.names[place.name] = node
        place.parent.changed.append(place.name)
        node.links += 1
        if node.kind == "d":
            node.parent = place.parent

    def remove(self, place):
        """Takes its name."""
        node = place.parent.names.pop(place.name)
        place.parent.changed.append(place.name)
        node.links -= 1
        return node

    def lies_in(self, directory, above):
        """Whether it is that directory or below it."""
        while directory is not above:
            if not directory.parent or directory.parent is directory:
                return False
            directory = directory.parent
        return True

    # ---- Descriptors
    def install(self, process, fd, description, closes=False):
        """Puts it there instead of what is there."""
        self.drop(process, fd)
        description.users += 1
        description.inode.opened += description.users == 1
        process.files[fd] = description
        process.closes.discard(fd)
        if closes:
            process.closes.add(fd)

    def drop(self, process, fd):
        """Closes it, if it is open."""
        description = process.files.pop(fd, None)
        if description:
            description.users -= 1
            description.inode.opened -= description.users == 0

    def is_number(self, inode, number):
        """Its number is what it was, or is nobody else's."""
        if inode.number is not None:
            need(inode.number == number, f"inode {number} was {inode.number}")
            return
        other = self.numbers.get(number)
        need(not other or not (other.links or other.opened), f"inode {number} is another's, too")
        inode.number, self.numbers[number] = number, inode

    def is_stat(self, inode, answer):
        """0 TYPE MODE LINKS SIZE INODE"""
        need(len(answer.words) == 6, "too short an answer")
        size = answer.words[4] if inode.kind == "d" else inode.size
        answer.is_words(0, inode.kind, f"{inode.mode:o}", inode.nlink(), size, answer.words[5])
        self.is_number(inode, answer.number(5))

    # ---- Operations: process, arguments, answer
    def do_open(self, p, words, answer):
        path, flags, mode = words[0], words[1], int(words[2], 8)
        place = self.find(p, path)
        errors = self.create_errors(place) if "c" in flags else set(place.must_exist())
        fd, node = p.lowest(), place.node
        if "x" in flags:
            errors.add("EINVAL")
        if fd is None:
            errors.add("EMFILE")
        if node and "c" in flags and "e" in flags:
            errors.add("EEXIST")
        if node and node.kind == "d" and set(flags) & set("wbct"):
            errors.add("EISDIR")
        if node and node.kind != "d" and "d" in flags:
            errors.add("ENOTDIR")
        if answer.is_among(errors):
            return
        answer.is_words(fd)
        if not node:
            node = Inode("f", mode)
            self.add(place, node)
        if "t" in flags and node.kind == "f":
            node.resize(0)
        self.install(p, fd, Description(node, flags[0], "a" in flags), "k" in flags)

    def create_errors(self, place):
        """Why O_CREAT is refused: slashes behind the name are, if it is a directory's or nobody's."""
        slash = {"ENOTDIR"} if place.node else {"ENOENT", "ENOTDIR"}
        return place.errors | (slash if place.slash else set())

    def do_close(self, p, words, answer):
        fd = int(words[0])
        if not answer.is_among(set() if fd in p.files else {"EBADF"}):
            answer.is_words(0)
            self.drop(p, fd)

    def do_dup(self, p, words, answer):
        fd, to = int(words[0]), p.lowest()
        errors = set() if fd in p.files else {"EBADF"}
        if to is None:
            errors.add("EMFILE")
        if not answer.is_among(errors):
            answer.is_words(to)
            self.install(p, to, p.files[fd])

    def do_dup2(self, p, words, answer):
        fd, to = map(int, words)
        if answer.is_among(set() if fd in p.files and 0 <= to < DESCRIPTORS else {"EBADF"}):
            return
        answer.is_words(to)
        if fd != to:
            self.install(p, to, p.files[fd])

    def read_at(self, d, answer, count, offset):
        """What a read gets; the count."""
        if d.inode.kind == "c":
            data = bytes(count if answer.words[0] != "0" else 0)  # of which device it is, it does not know
        else:
            data = d.inode.get(offset, count)
        answer.is_words(len(data), f"{zlib.crc32(data):08x}")
        return len(data)

    def read_errors(self, p, fd):
        """Why that cannot be read."""
        d = p.files.get(fd)
        if not d or not d.reads:
            return {"EBADF"}
        return {"EISDIR"} if d.inode.kind == "d" else set()

    def do_read(self, p, words, answer):
        fd, count = map(int, words)
        if not answer.is_among(self.read_errors(p, fd)):
            d = p.files[fd]
            d.offset += self.read_at(d, answer, count, d.offset)

    def do_pread(self, p, words, answer):
        fd, count, offset = map(int, words)
        errors = self.read_errors(p, fd) | ({"EINVAL"} if offset < 0 else set())
        if not answer.is_among(errors):
            self.read_at(p.files[fd], answer, count, offset)

    def write_at(self, d, answer, data, offset):
        """What a write does; the count, or None. Only as much is written as a file can hold."""
        if d.inode.kind == "f" and data and offset >= FILE_MAX:
            answer.is_among({"EFBIG"})
            return None
        answer.is_among(set())
        if d.inode.kind == "f":
            data = data[:max(0, FILE_MAX - offset)]
        answer.is_words(len(data))
        if d.inode.kind == "f":
            d.inode.put(offset, data)
        return len(data)

    def do_write(self, p, words, answer):
        fd, count, noise = map(int, words)
        d = p.files.get(fd)
        if not d or not d.writes:
            answer.is_among({"EBADF"})
            return
        offset = d.inode.size if d.append and count else d.offset
        done = self.write_at(d, answer, NOISE[noise:noise + count], offset)
        if done:
            d.offset = offset + done

    def do_pwrite(self, p, words, answer):
        fd, count, noise, offset = map(int, words)
        d = p.files.get(fd)
        errors = set() if d and d.writes else {"EBADF"}
        if offset < 0:
            errors.add("EINVAL")
        if not errors or not answer.is_among(errors):
            self.write_at(d, answer, NOISE[noise:noise + count], offset)

    def do_lseek(self, p, words, answer):
        fd, whence, by = int(words[0]), words[1], int(words[2])
        if words[3] == "-" and by != -1 << 63:
            by = -by
        d = p.files.get(fd)
        if not d:
            answer.is_among({"EBADF"})
            return
        if whence == "?" and d.inode.kind == "f":
            answer.is_among({"EINVAL"})
            return
        if d.inode.kind == "f":
            to = by + {"s": 0, "c": d.offset, "e": d.inode.size}[whence]
            if not answer.is_among({"EINVAL"} if not 0 <= to <= FILE_MAX else set()):
                answer.is_words(to)
                d.offset = to
        elif d.inode.kind == "d" and not answer.error:
            d.wild = True
            if whence == "s" and by == 0:
                d.rewind()

    def loose(self, p, operation, words):
        """Whether any answer, or almost any, is right."""
        d = p.files.get(int(words[0])) if operation in ("lseek", "read", "pread") else None
        if operation == "readdir":
            d = p.files.get(p.dirs.get(words[0]))
            return not d or d.wild or not d.inode.parent
        return bool(d) and (d.inode.kind == "c" or (d.inode.kind == "d" and operation == "lseek"))

    def do_ftruncate(self, p, words, answer):
        fd, size = map(int, words)
        d = p.files.get(fd)
        errors = set()
        if not d or not d.writes:
            errors |= {"EBADF", "EINVAL"} if d else {"EBADF"}
        if size < 0 or (d and d.inode.kind != "f"):
            errors.add("EINVAL")
        if size > FILE_MAX:
            errors |= {"EFBIG", "EINVAL"}
        if not answer.is_among(errors):
            answer.is_words(0)
            d.inode.resize(size)

    def do_link(self, p, words, answer):
        old, place = self.find(p, words[0]), self.find(p, words[1])
        errors = old.must_exist() | self.new_name(place)
        if old.node and old.node.kind == "d":
            errors.add("EPERM")
        if not answer.is_among(errors):
            answer.is_words(0)
            self.add(place, old.node)

    def do_unlink(self, p, words, answer):
        place = self.find(p, words[0])
        errors = set(place.must_exist())
        if (place.node and place.node.kind == "d") or place.dots():
            errors.add("EPERM")
        if place.node is self.root:
            errors.add("EBUSY")
        if not answer.is_among(errors):
            answer.is_words(0)
            self.remove(place)

    def do_mkdir(self, p, words, answer):
        place = self.find(p, words[0])
        if not answer.is_among(self.new_name(place, directory=True)):
            answer.is_words(0)
            self.add(place, Inode("d", int(words[1], 8)))

    def do_rmdir(self, p, words, answer):
        place = self.find(p, words[0])
        errors = set(place.must_exist())
        node = place.node
        if place.name == ".":
            errors.add("EINVAL")
        if place.name == "..":
            errors |= {"EINVAL", "ENOTEMPTY", "EEXIST"}
        if node is self.root:
            errors.add("EBUSY")
        if node and node.kind != "d":
            errors.add("ENOTDIR")
        if node and node.names:
            errors |= {"ENOTEMPTY", "EEXIST"}
        if not answer.is_among(errors):
            answer.is_words(0)
            self.remove(place)
            self.forget(node)

    def forget(self, directory):
        """It was removed, and has no entries any more."""
        directory.parent = None
        directory.changed += [".", ".."]

    def rename_errors(self, old, new):
        """Why that cannot be renamed so."""
        errors, node, there = set(old.must_exist()) | new.errors, old.node, new.node
        if old.dots() or new.dots():
            errors.add("EINVAL")
        if self.root in (node, there):
            errors.add("EBUSY")
        if node and node.kind == "d" and new.parent and self.lies_in(new.parent, node):
            errors.add("EINVAL")
        if node is self.root:
            errors.add("EINVAL")
        if not node or there is node:
            return errors
        if node.kind != "d" and new.slash:
            errors.add("ENOTDIR")
        if there and there.kind == "d" and node.kind != "d":
            errors.add("EISDIR")
        if there and there.kind != "d" and node.kind == "d":
            errors.add("ENOTDIR")
        if there and there.kind == "d" and there.names:
            errors |= {"ENOTEMPTY", "EEXIST"}
        return errors

    def do_rename(self, p, words, answer):
        old, new = self.find(p, words[0]), self.find(p, words[1])
        if answer.is_among(self.rename_errors(old, new)):
            return
        answer.is_words(0)
        if old.node is new.node:
            return
        if new.node:
            gone = self.remove(new)
            if gone.kind == "d":
                self.forget(gone)
        self.add(new, self.remove(old))

    def do_chdir(self, p, words, answer):
        place = self.find(p, words[0])
        errors = set(place.must_exist())
        if place.node and place.node.kind != "d":
            errors.add("ENOTDIR")
        if not answer.is_among(errors):
            answer.is_words(0)
            self.go(p, place.node)

    def go(self, p, directory):
        """Another working directory."""
        directory.opened += 1
        p.cwd.opened -= 1
        p.cwd = directory

    def path_of(self, directory):
        """Its path, or None."""
        parts = []
        while directory.parent is not directory:
            if not directory.parent:
                return None
            parts.append(next(name for name, node in directory.parent.names.items() if node is directory))
            directory = directory.parent
        return "/" + "/".join(reversed(parts))

    def do_getcwd(self, p, words, answer):
        size, path, errors = int(words[0]), self.path_of(p.cwd), set()
        if size == 0:
            errors.add("EINVAL")
        if path is None:
            errors.add("ENOENT")
        if (size and not path) or (path and 0 < size <= len(path)):
            errors.add("ERANGE")
        if path is None and "ERANGE" in errors and size > 20:
            errors.remove("ERANGE")
        if path and len(path) >= PATH_MAX:
            errors |= {"ERANGE", "ENAMETOOLONG"}
        if not answer.is_among(errors):
            answer.is_words(len(path), f"{zlib.crc32(path.encode()):08x}")

    def do_access(self, p, words, answer):
        place = self.find(p, words[0])
        errors = set(place.must_exist())
        if place.node and int(words[1]) & 1 and not place.node.mode & 0o111:
            errors.add("EACCES")
        if not answer.is_among(errors):
            answer.is_words(0)

    def do_stat(self, p, words, answer):
        place = self.find(p, words[0])
        if not answer.is_among(place.must_exist()):
            self.is_stat(place.node, answer)

    def do_fstat(self, p, words, answer):
        d = p.files.get(int(words[0]))
        if not answer.is_among(set() if d else {"EBADF"}):
            self.is_stat(d.inode, answer)

    # ---- Directories
    def do_opendir(self, p, words, answer):
        if words[0] == "again":
            self.do_closedir(p, words[1:], answer)
            return
        place = self.find(p, words[1])
        errors, fd = set(place.must_exist()), p.lowest()
        if fd is None:
            errors.add("EMFILE")
        if place.node and place.node.kind != "d":
            errors.add("ENOTDIR")
        if not answer.is_among(errors):
            answer.is_words(0)
            self.install(p, fd, Description(place.node, "r"), True)
            p.dirs[words[0]] = fd

    def do_readdir(self, p, words, answer):
        if words[-1] == "none":
            need(words[0] not in p.dirs, "it is open")
            return
        need(words[0] in p.dirs, "it is not open")
        d = p.files.get(p.dirs[words[0]])
        errors = {"EBADF"} if not d else {"ENOTDIR"} if d.inode.kind != "d" else set()
        if answer.is_among(errors) or d.wild:
            return
        changed = set(d.inode.changed[d.since:])
        if answer.words == ["end"]:
            need(not d.there - changed - d.seen, f"without {sorted(d.there - changed - d.seen)}")
            return
        self.is_entry(d, answer, changed)

    def is_entry(self, d, answer, changed):
        """0 NAME TYPE INODE: each that was there all the time comes once."""
        need(len(answer.words) == 4 and answer.words[0] == "0", "no entry")
        name = unpack(answer.words[1])
        node = self.look_up(d.inode, name)
        if not d.inode.parent and name in (".", ".."):
            return
        need(isinstance(node, Inode), "no such name")
        need(name not in d.seen or name in changed, "for the second time")
        answer.is_words(0, answer.words[1], node.kind, answer.words[3])
        self.is_number(node, answer.number(3))
        d.seen.add(name)

    def do_rewinddir(self, p, words, answer):
        if words[-1] == "none":
            need(words[0] not in p.dirs, "it is open")
            return
        answer.is_words(0)
        need(words[0] in p.dirs, "it is not open")
        d = p.files.get(p.dirs[words[0]])
        if d and d.inode.kind == "d":
            d.rewind()
        elif d:
            d.offset = 0

    def do_closedir(self, p, words, answer):
        if words[-1] == "none":
            need(words[0] not in p.dirs, "it is open")
            return
        need(words[0] in p.dirs, "it is not open")
        fd = p.dirs[words[0]]
        self.do_close(p, [fd], answer)
        del p.dirs[words[0]]

    # ---- Processes
    def copy(self, p, number, *, forks):
        """A child with the same open files."""
        need(number not in self.processes, "it is alive")
        child = Process(p.cwd)
        child.cwd.opened += 1
        for fd, description in p.files.items():
            if forks or fd not in p.closes:
                self.install(child, fd, description, forks and fd in p.closes)
        child.dirs = dict(p.dirs) if forks else {}
        self.processes[number] = child

    def do_spawn(self, p, words, answer):
        answer.is_words(0)
        self.copy(p, int(words[0]), forks=False)

    def do_fork(self, p, words, answer):
        answer.is_words(0)
        self.copy(p, int(words[0]), forks=True)

    def do_exit(self, p, _words, answer):
        answer.is_words(0)
        for fd in list(p.files):
            self.drop(p, fd)
        p.cwd.opened -= 1
        self.processes = {number: other for number, other in self.processes.items() if other is not p}

    def do_nothing(self, _p, _words, answer):
        answer.is_words(0)

    # ---- The whole tree
    def do_before(self, _p, _words, _answer):
        self.path = []

    def do_tree(self, _p, words, answer):
        """DEPTH NAME: what there is at the beginning is so, and is checked at the end."""
        depth, name = int(words[0]), unpack(words[1])
        del self.path[depth:]
        if not depth:
            node = self.root
        else:
            need(depth == len(self.path), "too deep")
            if not self.begun:
                self.add_initial(name, answer.words)
            node = self.path[-1].names.get(name)
            need(node, "no such name")
        self.path.append(node)
        if self.begun:
            self.is_stat(node, answer)
        self.dumped.append((answer, node))

    def add_initial(self, name, words):
        """What the test finds. A device may have another name in /bin."""
        place, node = Place(), Inode(words[1], int(words[2], 8))
        place.parent, place.name = self.path[-1], name
        self.add(place, node)
        if node.kind != "d":
            node.links = int(words[3])

    def do_content(self, _p, _words, answer):
        """As much of both ends as the guest reads."""
        node = self.path[-1]
        first = min(node.size, ENDS)
        last = min(node.size - first, ENDS)
        data = node.get(0, first) + node.get(node.size - last, last)
        answer.is_words(f"{zlib.crc32(data):08x}")

    def begin(self, mode):
        """The initial tree is known, but for what lies in /bin."""
        for answer, node in self.dumped:
            if node is not self.root.names["bin"]:
                self.is_stat(node, answer)
        self.begun, self.dumped = True, []
        null = Description(self.find(Process(self.root), "/dev/null").node, "b")
        for number in range(4):
            place = self.find(Process(self.root), "/tmp/m" if mode == "serial" else f"/tmp/m/p{number}")
            need(place.node, "no place for the test")
            process = Process(place.node)
            place.node.opened += 1
            for fd in range(3):
                self.install(process, fd, null)
            self.processes[number] = process

    def all_names(self, directory):
        """How many names lie in it and below, but for /bin."""
        return sum(1 + (self.all_names(node) if node.kind == "d" else 0) for node in directory.names.values())

    def end(self):
        """The tree that was printed is all there is."""
        need(len(self.dumped) == 1 + self.all_names(self.root), "names are missing at the end")

    # ---- Lines
    def judge(self, number, operation, rest):
        """One line."""
        arguments, _, result = rest.partition(" = ")
        words = re.sub(r'"([^"]*)"', lambda m: m[1] or "%0%", arguments).split()
        need(number in self.processes, "a process that there is not")
        handler = getattr(self, "do_" + operation, None)
        need(handler, "no such operation")
        answer = Answer(result)
        handler(self.processes[number], words, answer)
        self.count[operation, answer.error or "good"] += 1


SUITE = [("serial", 1, 20000), ("parallel", 2, 4000)]
OPERATIONS = ("access chdir close closedir dup dup2 fstat ftruncate getcwd link lseek mkdir open opendir pread pwrite read "
              "readdir rename rewinddir rmdir stat unlink write").split()
FRAMES = 0   # that may be missing after a second round that did the same as the first
FIRST = 4    # the process that prints the tree


def lines_of(output):
    """(process, number, operation, rest) of each line; the others are the system's."""
    for line in judge.console(output):
        need("panic" not in line and "deadline" not in line, line)
        if line.startswith(("quire: ", "pager: ")):
            continue
        match = LINE.fullmatch(line)
        need(match, f"a strange line: {line!r}")
        yield int(match[2]), int(match[1]), match[3], match[4]
    need(line == "quire: off, status 0", f"the end: {line}")


class Log:
    """What the guest printed, in the order in which it took effect."""

    def __init__(self, output, mode, operations):
        self.output, self.mode, self.operations = output, mode, operations
        lines = list(lines_of(output))
        mine = sorted(line[1:] for line in lines if line[0] == FIRST)
        names = [line[1] for line in mine]
        need("after" in names and names[-1:] == ["end"], "no end")
        self.is_clean(mine)
        numbers = [*range(names.index("after")), *range(1 << 40, (1 << 40) + len(mine) - names.index("after"))]
        need([line[0] for line in mine] == numbers, "lines of the tree are missing")
        self.before, self.after = mine[1:names.index("after")], mine[names.index("after") + 1:-1]
        others = [line for line in lines if line[0] != FIRST]
        self.turns = []
        for turn in [others] if mode == "serial" else [[x for x in others if x[0] == i] for i in range(4)]:
            self.add(sorted(turn, key=lambda line: line[1]), len(self.before) + 1 if mode == "serial" else 0, operations)

    def is_clean(self, mine):
        """No process failed, and all is there again that was there before the round."""
        died = [line[1:] for line in mine if line[1] == "died"]
        failed, frames, objects, processes = map(int, mine[-1][2].split())
        need(not failed and not died, f"processes failed: {died}")
        need((objects, processes) == (0, 1), f"{objects} kernel objects more than before, {processes} processes")
        need(frames <= FRAMES, f"{frames} frames are lost")

    def add(self, lines, first, operations):
        """The lines of all processes, or of one; none may be missing."""
        need([line[1] for line in lines] == list(range(first, first + len(lines))), "lines are missing")
        need(sum(not line[3].startswith(" again") for line in lines) == operations, "lines are missing at the end")
        self.turns += lines


def judge_log(log, each=lambda model, line: None):
    """The model at the end, if every answer was right."""
    model = Model()
    model.processes[FIRST] = Process(model.root)
    for _, operation, rest in log.before:
        model.judge(FIRST, operation, rest)
    model.begin(log.mode)
    for line in [*log.turns, *((FIRST, *line) for line in log.after)]:
        each(model, line)
        process, number, operation, rest = line
        try:
            model.judge(process, operation, rest)
        except Wrong as why:
            raise Wrong(f"line {number} of process {process}: {operation}{rest}: {why}") from None
    model.end()
    return model


def falsified(line):
    """Lines that say something else than this one."""
    process, number, operation, rest = line
    before, equals, result = rest.partition(" = ")
    words = result.split()
    if not equals:
        return
    if words[0].startswith("E"):
        yield process, number, operation, f"{before} = 0"
        yield process, number, operation, f"{before} = EOTHER"
        return
    yield process, number, operation, f"{before} = EOTHER"
    for i, word in enumerate(words):
        other = other_word(words, i, operation)
        if other is not None:
            yield process, number, operation, f"{before} = {' '.join(words[:i] + [other] + words[i + 1:])}"


def other_word(words, i, operation):
    """Something else in its place; None where that would be as good."""
    if operation in ("stat", "fstat", "tree") and i == 4 and words[1] == "d":
        return None
    if (operation in ("stat", "fstat", "tree") and i == 5) or (operation == "readdir" and i == 3):
        return "2" if words[i] == "1" else "1"  # the root's
    if re.fullmatch(r"[0-9a-f]{8}", words[i]):
        return f"{int(words[i], 16) ^ 0x10000:08x}"
    return str(int(words[i]) + 1) if words[i].isdigit() else words[i] + "x"


class Falsifier:
    """Tries every falsehood on the model before the truth."""

    def __init__(self):
        self.caught, self.missed = Counter(), []

    def each(self, model, line):
        """All falsehoods of that line. One that is believed has changed the model, so it is the last."""
        process, _, operation, rest = line
        words = rest.replace('"', "").split()
        if self.missed or (process != FIRST and model.loose(model.processes[process], operation, words)):
            return
        for lie in falsified(line):
            try:
                model.judge(lie[0], lie[2], lie[3])
                self.missed.append(lie)
                return
            except Wrong:
                self.caught[operation] += 1


def cut(output):
    """(what, the output with something missing or added)."""
    lines = output.decode().splitlines(keepends=True)
    turns = [i for i, line in enumerate(lines) if re.match(r"\d+ [0-3] ", line)]
    tree = [i for i, line in enumerate(lines) if re.match(r"\d+ 4 (tree|content)", line)]
    end = next(i for i, line in enumerate(lines) if re.match(r"\d+ 4 end", line))
    for what, i, instead in [("a lost answer", turns[len(turns) // 2], ""), ("the last answer lost", turns[-1], ""),
                             ("an answer twice", turns[9], lines[turns[9]] * 2), ("a lost name", tree[-2], ""),
                             ("a lost end", end, ""), ("a panic", turns[5], "quire: panic: x\n"),
                             ("something else", turns[7], "x\n"),
                             ("a failed process", end, lines[end].replace("end 0", "end 1")),
                             ("a lost process", end, lines[end].replace(" 1\r", " 2\r").replace(" 1\n", " 2\n")),
                             ("lost frames", end, re.sub(r"end 0 \S+", "end 0 99", lines[end]))]:
        yield what, "".join([*lines[:i], instead, *lines[i + 1:]]).encode()


def falsehoods(log):
    """None if the model objects to every falsehood, else to which it did not."""
    falsifier = Falsifier()
    judge_log(log, falsifier.each)
    if falsifier.missed:
        return f"believed: {falsifier.missed[0]}"
    for what, output in cut(log.output):
        try:
            judge_log(Log(output, log.mode, log.operations))
            return f"believed: {what}"
        except (Wrong, judge.Bad):
            pass
    few = [kind for kind in OPERATIONS if falsifier.caught[kind] < 10]
    print(f"# {sum(falsifier.caught.values())} falsehoods")
    return f"too few of {few}" if few else None


def run(kernel, image, mode, seed, operations):
    """The guest's log."""
    options = judge.parser().parse_args(["--kernel", kernel, "--initrd", image, "--deadline", "1000", "--append",
                                         f"serve=uart serve=posix:filer:{mode}:{seed}:{operations}"])
    return Log(judge.boot(options), mode, operations)


def attempt(kernel, image, mode, seed, operations):
    """(log, None) or (None, why not)."""
    try:
        log = run(kernel, image, mode, seed, operations)
        count = judge_log(log).count
    except (judge.Bad, Wrong) as why:
        return None, f"{why}; to repeat it: tests/model.py {kernel} {image} {mode} {seed} {operations}"
    print(f"# {mode}, seed {seed}, successes of all: " + ", ".join(
        f"{kind} {count[kind, 'good']} of {sum(n for (k, _), n in count.items() if k == kind)}" for kind in OPERATIONS))
    never = [kind for kind in OPERATIONS if not count[kind, "good"]]
    return log, f"never succeeded: {never}" if never and operations >= 4000 else None


def main():
    """Exit status 0 if all was right."""
    kernel, image, *which = sys.argv[1:]
    cases = [(which[0], int(which[1]), int(which[2]))] if which else SUITE
    print(f"1..{len(cases) + (not which)}")
    failed, first = 0, None
    for number, (mode, seed, operations) in enumerate(cases, 1):
        log, why = attempt(kernel, image, mode, seed, operations)
        first, failed = first or log, failed + bool(why)
        print(f"{'not ok' if why else 'ok'} {number} - {mode}, seed {seed}, {operations} operations" + (f": {why}" if why else ""))
    if not which:
        why = falsehoods(first) if first else "no log"
        failed += bool(why)
        print(f"{'not ok' if why else 'ok'} {len(cases) + 1} - falsehoods are found" + (f": {why}" if why else ""))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
