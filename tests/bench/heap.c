/* SPDX-License-Identifier: BSD-2-Clause */
/* What malloc() costs: workloads of the kinds that tell allocators apart, each in a child that begins with an empty heap. Of
 * each: instructions, those of the pager and the kernel for its pages among them; page faults; the most pages there were. */
#include "../guest/unix.h"
#include "../guest/random.h"

#include <spawn.h>
#include <stdio.h>

#define SLOTS 10000

static char *slot[SLOTS];
static uint32_t size_of[SLOTS];

/* A block is known by its first and last byte, which also make its ends resident. */
static void give(unsigned i, size_t size) {
  char *block = malloc(size);
  MUST(block);
  block[0] = block[size - 1] = (char)i;
  slot[i] = block;
  size_of[i] = (uint32_t)size;
}

static void take(unsigned i) {
  MUST(slot[i][0] == (char)i && slot[i][size_of[i] - 1] == (char)i);
  free(slot[i]);
  slot[i] = NULL;
}

static void take_all(void) {
  for (unsigned i = 0; i < SLOTS; i++)
    if (slot[i])
      take(i);
}

/* ---- Small and large ones together, at random, half of the slots being empty ----------------------------------------------- */
static size_t mixed_size(void) {
  uint64_t kind = below(100);
  return 1 + below(kind < 80 ? 128 : kind < 97 ? 2048 : kind < 99 ? 16384 : 100000);
}

static void work_mix(void) {
  for (unsigned n = 0; n < 200000; n++) {
    unsigned i = (unsigned)below(SLOTS / 5);
    if (slot[i])
      take(i);
    else
      give(i, mixed_size());
  }
  take_all();
}

/* ---- Larson and Krishnan (ISMM '98): a server's, each block replaced in its turn by one of another size ---------------------- */
static void work_larson(void) {
  for (unsigned i = 0; i < SLOTS; i++)
    give(i, 10 + below(490));
  for (unsigned n = 0; n < 100000; n++) {
    unsigned i = (unsigned)below(SLOTS);
    take(i);
    give(i, 10 + below(490));
  }
  take_all();
}

/* ---- Vectors that grow by half, several at a time, and small blocks between ------------------------------------------------- */
#define VECTORS 8

static void push(uint64_t **vector, size_t *room, size_t used) {
  if (used == *room) {
    *room += *room / 2 + 4;
    *vector = realloc(*vector, *room * sizeof **vector);
    MUST(*vector);
  }
  (*vector)[used] = used;
}

static void work_vectors(void) {
  for (unsigned round = 0; round < 4; round++) {
    uint64_t *vector[VECTORS] = {NULL};
    size_t room[VECTORS] = {0};
    for (size_t used = 0; used < 20000; used++) {
      for (unsigned v = 0; v < VECTORS; v++)
        push(&vector[v], &room[v], used);
      if (used % 4 == 0)
        give((unsigned)used / 4, 48);
    }
    for (unsigned v = 0; v < VECTORS; v++) {
      MUST(vector[v][4] == 4 && vector[v][19999] == 19999);
      free(vector[v]);
    }
    take_all();
  }
}

/* ---- Strings as an interpreter makes them: put together piece by piece, most of them garbage soon, swept in the order of a
 * list ---------------------------------------------------------------------------------------------------------------------- */
struct string {
  struct string *next;
  uint32_t length;
  bool kept;
  char text[];
};
static struct string *all_strings;

static struct string *concat(const struct string *a, const char *piece, uint32_t bytes) {
  uint32_t length = a ? a->length : 0;
  struct string *made = malloc(sizeof *made + length + bytes);
  MUST(made);
  *made = (struct string){all_strings, length + bytes, chance(50)};
  if (a)
    memcpy(made->text, a->text, length);
  memcpy(made->text + length, piece, bytes);
  return all_strings = made;
}

static unsigned sweep(bool all) {
  unsigned left = 0;
  for (struct string **at = &all_strings, *s; (s = *at);) {
    if (s->kept && !all) {
      left++;
      at = &s->next;
    } else {
      *at = s->next;
      free(s);
    }
  }
  return left;
}

static void work_strings(void) {
  static const char words[] = "a quire is a gathering of pages, folded together";
  for (unsigned round = 0; round < 60; round++) {
    for (unsigned i = 0; i < 100; i++) {
      struct string *s = NULL;
      for (uint64_t n = 1 + below(20); n; n--) {
        uint32_t from = (uint32_t)below(40);
        s = concat(s, words + from, 1 + (uint32_t)below(8));
      }
    }
    sweep(false);
  }
  MUST(sweep(false) > 0 && sweep(true) == 0);
}

/* ---- A tree of small nodes with a key each, taken down in another order than it grew ---------------------------------------- */
struct node {
  struct node *child[2];
  char *key;
  uint64_t value;
};

static char *key_of(uint64_t value) {
  char text[24];
  snprintf(text, sizeof text, "%lu", (unsigned long)value);
  char *key = strdup(text);
  MUST(key);
  return key;
}

static void grow(struct node **at, uint64_t value) {
  while (*at)
    at = &(*at)->child[(*at)->value < value];
  *at = calloc(1, sizeof **at);
  MUST(*at);
  (*at)->key = key_of(value);
  (*at)->value = value;
}

static unsigned fell(struct node *node) {
  if (!node)
    return 0;
  unsigned count = 1 + fell(node->child[0]) + fell(node->child[1]);
  free(node->key);
  free(node);
  return count;
}

static void work_tree(void) {
  for (unsigned round = 0; round < 3; round++) {
    struct node *root = NULL;
    for (unsigned i = 0; i < 10000; i++)
      grow(&root, next_random() >> (i % 50));
    MUST(fell(root) == 10000);
  }
}

/* ---- Large blocks, of which little is touched and which ought to go back ----------------------------------------------------- */
static void work_large(void) {
  for (unsigned n = 0; n < 200; n++) {
    unsigned i = (unsigned)below(8);
    size_t bytes = (size_t)MIB / 4 + below(MIB);
    if (slot[i])
      take(i);
    slot[i] = calloc(1, bytes);
    MUST(slot[i] && !slot[i][bytes / 2]);
    slot[i][0] = slot[i][bytes / 2] = slot[i][bytes - 1] = (char)i;
    size_of[i] = (uint32_t)bytes;
  }
  take_all();
}

/* ---- A child that works on a large heap, of which each page that it or its allocator writes is copied ------------------------- */
static void work_in_child(void) {
  for (unsigned n = 0; n < 2000; n++) {
    give(0, 16 + below(200));
    give(1, 16 + below(200));
    take(0);
    take(1);
  }
}

static void work_fork(void) {
  for (unsigned i = 0; i < SLOTS; i++)
    give(i, 64 + below(960));
  for (unsigned i = 0; i < SLOTS; i += 4)
    take(i);
  take(1);
  for (unsigned n = 0; n < 8; n++)
    exits(begin(work_in_child), 0);
  take_all();
}

/* ---- Each is a process of its own, which the first one starts -------------------------------------------------------------- */
static uint64_t faults(struct p_stats stats) {
  return stats.faults[Q_FAULT_READ] + stats.faults[Q_FAULT_WRITE] + stats.faults[Q_FAULT_EXECUTE];
}

static int measure(const char *name, body *work) {
  random_begin(1);
  struct p_stats before = own_stats();
  uint64_t start = q_instret();
  work();
  uint64_t instructions = q_instret() - start;
  struct p_stats after = own_stats();
  printf("# bench {\"name\": \"heap.%s\", \"median\": %lu, \"n\": 1}\n", name, (unsigned long)instructions);
  printf("# bench {\"name\": \"heap.%s_faults\", \"median\": %lu, \"n\": 1}\n", name,
         (unsigned long)(faults(after) - faults(before)));
  printf("# bench {\"name\": \"heap.%s_pages\", \"median\": %lu, \"n\": 1}\n", name,
         (unsigned long)(after.peak - before.resident));
  return 0;
}

static void run(const char *name) {
  extern char **environ;
  char *argv[] = {(char *)own_program, (char *)name, NULL};
  pid_t pid;
  CHECK_EQ(posix_spawn(&pid, own_program, NULL, NULL, argv, environ), 0);
  exits(pid, 0);
}

#define WORKLOADS(X) X(mix) X(larson) X(vectors) X(strings) X(tree) X(large) X(fork)
#define RUN(name)                                                                                                    \
  static void run_##name(void) {                                                                                     \
    run(#name);                                                                                                      \
  }
WORKLOADS(RUN)

#define TEST(name) {#name, run_##name},
static const struct test tests[] = {WORKLOADS(TEST)};

#define WORKLOAD(name) {#name, work_##name},
static const struct {
  const char *name;
  body *work;
} workloads[] = {WORKLOADS(WORKLOAD)};

int main(int argc, char **argv) {
  if (argc < 2) {
    unix_begin(strrchr(*argv, '/') ? strrchr(*argv, '/') + 1 : *argv);
    return TAP_RUN("heap", tests);
  }
  for (unsigned i = 0; i < sizeof workloads / sizeof *workloads; i++)
    if (!strcmp(argv[1], workloads[i].name))
      return measure(argv[1], workloads[i].work);
  fprintf(stderr, "%s: no such workload; without an argument all are run\n", argv[1]);
  return 2;
}
