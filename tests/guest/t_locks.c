/* SPDX-License-Identifier: BSD-2-Clause */
/* Advisory locks of fcntl, lockf and flock: who is in whose way, and what ends a lock. Plain POSIX, see unix.h. */
#include "unix.h"

#include <sys/file.h>

static int fd;
static struct gate told, go;

static struct flock range(short type, off_t start, off_t bytes) {
  return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = bytes};
}

static int lock(short type, off_t start, off_t bytes) {
  struct flock wish = range(type, start, bytes);
  return fcntl(fd, F_SETLK, &wish);
}

static int lock_waiting(short type, off_t start, off_t bytes) {
  struct flock wish = range(type, start, bytes);
  return fcntl(fd, F_SETLKW, &wish);
}

static void start(void) {
  fd = make_file("locked", "0123456789", 10);
  gate_make(&told);
  gate_make(&go);
}

static void end(void) {
  gate_close(&go);
  gate_close(&told);
  close(fd);
  CHECK_EQ(unlink("locked"), 0);
}

/* What another process sees of the range: the type, and of whom. */
static struct flock seen;
static void look(void) {
  MUST(fcntl(fd, F_GETLK, &seen) == 0);
  MUST_EQ(write(told.fd[1], &seen, sizeof seen), sizeof seen);
}

static short type_seen(short type, off_t at, off_t bytes) {
  seen = range(type, at, bytes);
  exits(begin(look), 0);
  CHECK_EQ(read(told.fd[0], &seen, sizeof seen), sizeof seen);
  return seen.l_type;
}

static void tell_and_wait(void) {
  gate_open(&told);
  gate_pass(&go);
}

static void of_others(void) {
  start();
  CHECK_EQ(lock(F_WRLCK, 2, 3), 0);
  CHECK_EQ(type_seen(F_RDLCK, 0, 0), F_WRLCK);
  CHECK(seen.l_start == 2 && seen.l_len == 3 && seen.l_whence == SEEK_SET && seen.l_pid == getpid());
  CHECK_EQ(type_seen(F_WRLCK, 5, 0), F_UNLCK);
  CHECK_EQ(type_seen(F_WRLCK, 0, 2), F_UNLCK);
  CHECK_EQ(lock(F_RDLCK, 2, 3), 0);
  CHECK_EQ(type_seen(F_RDLCK, 0, 0), F_UNLCK);
  CHECK_EQ(type_seen(F_WRLCK, 4, 1), F_RDLCK);
  CHECK_EQ(lock(F_UNLCK, 3, 1), 0);
  CHECK_EQ(type_seen(F_WRLCK, 3, 1), F_UNLCK);
  CHECK_EQ(type_seen(F_WRLCK, 2, 1), F_RDLCK);
  CHECK(seen.l_start == 2 && seen.l_len == 1);
  CHECK_EQ(type_seen(F_WRLCK, 4, 1), F_RDLCK);
  CHECK(seen.l_start == 4 && seen.l_len == 1);
  CHECK_EQ(lock(F_WRLCK, 100, 0), 0);
  CHECK_EQ(type_seen(F_WRLCK, 5, 0), F_WRLCK);
  CHECK(seen.l_start == 100 && seen.l_len == 0);
  end();
}

static void own_changes(void) {
  start();
  CHECK_EQ(lock(F_WRLCK, 0, 10), 0);
  CHECK_EQ(lock(F_RDLCK, 2, 2), 0); /* its own are never in the way */
  CHECK_EQ(lock(F_RDLCK, 8, 10), 0);
  CHECK_EQ(type_seen(F_RDLCK, 2, 2), F_UNLCK);
  CHECK_EQ(type_seen(F_RDLCK, 8, 0), F_UNLCK);
  CHECK_EQ(type_seen(F_RDLCK, 7, 1), F_WRLCK);
  CHECK_EQ(lock(F_UNLCK, 0, 0), 0);
  CHECK_EQ(type_seen(F_WRLCK, 0, 0), F_UNLCK);
  end();
}

static void places(void) {
  start();
  struct flock wish = {.l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -3, .l_len = 2};
  CHECK_EQ(fcntl(fd, F_SETLK, &wish), 0);
  CHECK_EQ(type_seen(F_WRLCK, 0, 0), F_WRLCK);
  CHECK(seen.l_start == 7 && seen.l_len == 2);
  CHECK_EQ(lseek(fd, 5, SEEK_SET), 5);
  wish = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_CUR, .l_start = 1, .l_len = -4};
  CHECK_EQ(fcntl(fd, F_SETLK, &wish), 0);
  CHECK_EQ(type_seen(F_WRLCK, 0, 6), F_WRLCK);
  CHECK(seen.l_start == 2 && seen.l_len == 4);
  CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
  CHECK_EQ(lockf(fd, F_ULOCK, 0), 0);
  CHECK_EQ(lockf(fd, F_TLOCK, 3), 0);
  CHECK_EQ(type_seen(F_WRLCK, 0, 0), F_WRLCK);
  CHECK(seen.l_start == 0 && seen.l_len == 3);
  end();
}

static void refused(void) {
  start();
  int reader = open("locked", O_RDONLY);
  struct flock wish = range(F_WRLCK, 0, 0);
  FAILS(fcntl(reader, F_SETLK, &wish), EBADF);
  FAILS(fcntl(99, F_SETLK, &wish), EBADF);
  close(reader);
  wish = range(F_WRLCK, -1, 0);
  FAILS(fcntl(fd, F_SETLK, &wish), EINVAL);
  wish = range(17, 0, 0);
  FAILS(fcntl(fd, F_SETLK, &wish), EINVAL);
  wish = range(F_WRLCK, 0, 0);
  wish.l_whence = 9;
  FAILS(fcntl(fd, F_SETLK, &wish), EINVAL);
  FAILS(fcntl(fd, F_SETLK, NULL), EFAULT);
  FAILS(flock(fd, 77), EINVAL);
  FAILS(flock(99, LOCK_SH), EBADF);
  end();
}

/* ---- What ends it ---- */
static void hold_all(void) {
  MUST_EQ(lock(F_WRLCK, 0, 0), 0);
  tell_and_wait();
}

static void hold_and_close_another(void) {
  MUST_EQ(lock(F_WRLCK, 0, 0), 0);
  close(open("locked", O_RDONLY));
  tell_and_wait();
}

static void try_after_close(void) {
  start();
  pid_t pid = begin(hold_all);
  gate_pass(&told);
  FAILS(lock(F_RDLCK, 3, 1), EAGAIN);
  FAILS(lockf(fd, F_TEST, 1), EACCES);
  gate_open(&go);
  exits(pid, 0);
  CHECK_EQ(lock(F_RDLCK, 3, 1), 0);
  CHECK_EQ(lock(F_UNLCK, 0, 0), 0);
  pid = begin(hold_and_close_another);
  gate_pass(&told);
  CHECK_EQ(lock(F_WRLCK, 0, 0), 0);
  gate_open(&go);
  exits(pid, 0);
  end();
}

static void killed(void) {
  start();
  pid_t pid = begin(hold_all);
  gate_pass(&told);
  CHECK_EQ(kill(pid, SIGKILL), 0);
  CHECK_EQ(lock_waiting(F_WRLCK, 0, 0), 0);
  dies(pid, SIGKILL);
  end();
}

static void child_of_holder(void) {
  MUST_FAIL(lock(F_WRLCK, 0, 1), EAGAIN);
}

static void inherited(void) {
  start();
  CHECK_EQ(lock(F_WRLCK, 0, 0), 0);
  exits(begin(child_of_holder), 0);
  CHECK_EQ(type_seen(F_RDLCK, 0, 0), F_WRLCK); /* and its end has taken none away */
  end();
}

static void take_exec(void) {
  char *const argv[] = {(char *)own_program, "wait", NULL};
  MUST_EQ(lock(F_WRLCK, 0, 0), 0);
  gate_open(&told);
  dup2(go.fd[0], 0);
  execv(own_program, argv);
}

static void kept(void) {
  start();
  pid_t pid = begin(take_exec);
  gate_pass(&told);
  pause_for(50);
  FAILS(lock(F_RDLCK, 3, 1), EAGAIN);
  gate_open(&go);
  exits(pid, 5);
  CHECK_EQ(lock(F_RDLCK, 3, 1), 0);
  end();
}

/* ---- Waiting ---- */
static void take_in_turn(void) {
  MUST_EQ(lock_waiting(F_WRLCK, 0, 1), 0);
  char digit;
  MUST_EQ(pread(fd, &digit, 1, 0), 1);
  pause_for(2);
  digit++;
  MUST_EQ(pwrite(fd, &digit, 1, 0), 1);
  if (given)
    MUST_EQ(lock(F_UNLCK, 0, 1), 0);
}

static void in_turn(void) {
  pid_t pid[9];
  char digit;
  start();
  for (unsigned i = 0; i < 9; i++)
    pid[i] = begin_on(take_in_turn, i % 2);
  for (unsigned i = 0; i < 9; i++)
    exits(pid[i], 0);
  CHECK_EQ(pread(fd, &digit, 1, 0), 1);
  CHECK_EQ(digit, '9');
  end();
}

static void take_two(void) {
  MUST_EQ(lock(F_WRLCK, 1, 1), 0);
  tell_and_wait();
  MUST_EQ(lock_waiting(F_WRLCK, 2, 1), 0);
}

static void take_third(void) {
  MUST_EQ(lock(F_WRLCK, 2, 1), 0);
  tell_and_wait();
  MUST_EQ(lock_waiting(F_WRLCK, 0, 1), 0);
}

static void deadlock(void) {
  start();
  CHECK_EQ(lock(F_WRLCK, 0, 1), 0);
  pid_t second = begin(take_two), third = begin(take_third);
  gate_pass(&told);
  gate_pass(&told);
  gate_open(&go);
  gate_open(&go);
  pause_for(50);
  FAILS(lock_waiting(F_WRLCK, 1, 1), EDEADLK);
  CHECK_EQ(lock(F_UNLCK, 0, 1), 0);
  exits(third, 0);
  exits(second, 0);
  CHECK_EQ(lock_waiting(F_WRLCK, 0, 0), 0);
  end();
}

static void wait_for_ever(void) {
  lock_waiting(F_WRLCK, 0, 0);
}

static void killed_waiting(void) {
  start();
  CHECK_EQ(lock(F_WRLCK, 0, 0), 0);
  pid_t pid = begin(wait_for_ever);
  pause_for(50);
  CHECK_EQ(kill(pid, SIGKILL), 0);
  dies(pid, SIGKILL);
  CHECK_EQ(lock(F_UNLCK, 0, 0), 0);
  CHECK_EQ(type_seen(F_WRLCK, 0, 0), F_UNLCK);
  end();
}

/* ---- flock: of the open file, whoever has it ---- */
static void has_it_too(void) {
  int other = open("locked", O_RDONLY);
  MUST_FAIL(flock(other, LOCK_SH | LOCK_NB), EWOULDBLOCK);
  MUST_EQ(lock(F_WRLCK, 0, 0), 0); /* which knows nothing of these */
  MUST_EQ(flock(fd, LOCK_SH), 0);
  MUST_EQ(flock(other, LOCK_SH | LOCK_NB), 0);
  MUST_FAIL(flock(fd, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  close(other);
  MUST_EQ(flock(fd, LOCK_EX | LOCK_NB), 0);
}

static void open_files(void) {
  start();
  int other = open("locked", O_RDWR), copy = dup(fd);
  CHECK_EQ(flock(fd, LOCK_EX), 0);
  exits(begin(has_it_too), 0);
  FAILS(flock(other, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  close(copy);
  FAILS(flock(other, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  CHECK_EQ(flock(fd, LOCK_UN), 0);
  CHECK_EQ(flock(other, LOCK_EX | LOCK_NB), 0);
  close(other);
  CHECK_EQ(flock(fd, LOCK_EX | LOCK_NB), 0);
  end();
}

static void wait_for_shared(void) {
  int other = open("locked", O_RDONLY);
  gate_open(&told);
  MUST_EQ(flock(other, LOCK_SH), 0);
}

static void flock_waits(void) {
  start();
  CHECK_EQ(flock(fd, LOCK_EX), 0);
  pid_t pid = begin(wait_for_shared);
  gate_pass(&told);
  pause_for(50);
  CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
  CHECK_EQ(flock(fd, LOCK_SH), 0);
  exits(pid, 0);
  end();
}

static const struct test tests[] = {
    {"what others see", of_others},
    {"a lock that is changed in parts", own_changes},
    {"from the end, the offset, backwards", places},
    {"what cannot be locked", refused},
    {"the end of a process, and closing any descriptor, end it", try_after_close},
    {"a killed process has none", killed},
    {"a child of fork has none", inherited},
    {"a new program has its process's", kept},
    {"nine take turns", in_turn},
    {"a deadlock of three", deadlock},
    {"one that waits is killed", killed_waiting},
    {"flock is the open file's", open_files},
    {"flock waits", flock_waits},
};

int main(int argc, char **argv) {
  char byte;
  if (argc > 1 && !strcmp(argv[1], "wait"))
    return read(0, &byte, 1) == 1 ? 5 : 1;
  unix_begin("t_locks");
  return TAP_RUN("locks", tests);
}
