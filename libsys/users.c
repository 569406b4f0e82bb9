/* SPDX-License-Identifier: BSD-2-Clause */
/* <pwd.h>, <grp.h> and the ids of <unistd.h>: there is one user, who may do everything. */
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "request.h"

static struct passwd root = {"root", "", 0, 0, "", "root", "/", "/bin/sh"};
static struct group group = {"root", "", 0, (char *[]){NULL}};
static bool users_read, groups_read;

struct passwd *getpwuid(uid_t id) {
  return id ? NULL : &root;
}

struct passwd *getpwnam(const char *name) {
  return strcmp(name, root.pw_name) ? NULL : &root;
}

struct group *getgrgid(gid_t id) {
  return id ? NULL : &group;
}

struct group *getgrnam(const char *name) {
  return strcmp(name, group.gr_name) ? NULL : &group;
}

/* Nothing of it is ever overwritten, so the caller's memory is not needed. */
int getpwuid_r(uid_t id, struct passwd *to, char *memory, size_t bytes, struct passwd **found) {
  (void)memory, (void)bytes;
  *to = root;
  *found = id ? NULL : to;
  return 0;
}

int getpwnam_r(const char *name, struct passwd *to, char *memory, size_t bytes, struct passwd **found) {
  return getpwuid_r(getpwnam(name) ? 0 : 1, to, memory, bytes, found);
}

int getgrgid_r(gid_t id, struct group *to, char *memory, size_t bytes, struct group **found) {
  (void)memory, (void)bytes;
  *to = group;
  *found = id ? NULL : to;
  return 0;
}

int getgrnam_r(const char *name, struct group *to, char *memory, size_t bytes, struct group **found) {
  return getgrgid_r(getgrnam(name) ? 0 : 1, to, memory, bytes, found);
}

struct passwd *getpwent(void) {
  bool first = !users_read;
  users_read = true;
  return first ? &root : NULL;
}

void setpwent(void) {
  users_read = false;
}

void endpwent(void) {
  users_read = false;
}

struct group *getgrent(void) {
  bool first = !groups_read;
  groups_read = true;
  return first ? &group : NULL;
}

void setgrent(void) {
  groups_read = false;
}

void endgrent(void) {
  groups_read = false;
}

uid_t getuid(void) {
  return 0;
}

uid_t geteuid(void) {
  return 0;
}

gid_t getgid(void) {
  return 0;
}

gid_t getegid(void) {
  return 0;
}

int getgroups(int count, gid_t groups[]) {
  if (count > 0)
    groups[0] = 0;
  return 1;
}

/* To become who one is works, and there is nobody else. */
static int become(unsigned id) {
  return (int)or_errno(id ? -EINVAL : 0);
}

int setuid(uid_t id) {
  return become(id);
}

int seteuid(uid_t id) {
  return become(id);
}

int setgid(gid_t id) {
  return become(id);
}

int setegid(gid_t id) {
  return become(id);
}

char *getlogin(void) {
  return root.pw_name;
}

int getlogin_r(char *name, size_t bytes) {
  if (bytes <= strlen(root.pw_name))
    return ERANGE;
  strcpy(name, root.pw_name);
  return 0;
}

/* ---- Owners: all files are root's -------------------------------------------------------------------------------------------- */
static int give(int error, uid_t user, gid_t to) {
  bool possible = (!user || user == (uid_t)-1) && (!to || to == (gid_t)-1);
  return error ? -1 : (int)or_errno(possible ? 0 : -EINVAL);
}

int chown(const char *path, uid_t user, gid_t to) {
  struct stat s;
  return give(stat(path, &s), user, to);
}

int lchown(const char *path, uid_t user, gid_t to) {
  return chown(path, user, to);
}

int fchown(int fd, uid_t user, gid_t to) {
  struct stat s;
  return give(fstat(fd, &s), user, to);
}
