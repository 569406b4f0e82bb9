/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory pressure, as boot options and requests ask for it, and messages whose answer has to wait for a store. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "absent.h"
#include "ask.h"
#include "disk.h"
#include "pool.h"
#include "ram.h"
#include "shell.h"
#include "slab.h"

#define TURNS 100       /* a second: pool_turn */
#define SLOTS_DIVISOR 4 /* of all frames, so many go to the store unless it is told how many */

/* What stands behind the name in the boot options; NULL: it is not there. */
static const char *option(const char *name) {
  size_t length = strlen(name);
  for (const char *word = boot->arguments; *word; word += strspn(word, " ")) {
    if (!strncmp(word, name, length))
      return word + length;
    word += strcspn(word, " ");
  }
  return NULL;
}

/* A number up to the word's end or `end`. */
static bool number(const char *text, uint64_t least, uint64_t most, char end, uint64_t *value) {
  char *rest;
  *value = strtoul(text, &rest, 10);
  return *text >= '0' && *text <= '9' && *value >= least && *value <= most &&
         (!*rest || *rest == ' ' || *rest == end);
}

static bool read_budget(const char *text) {
  const char *comma = text + strcspn(text, ", ");
  pool_of_all = !strncmp(comma, ",all", 4) && (!comma[4] || comma[4] == ' ');
  return (*comma != ',' || pool_of_all) &&
         (number(text, POOL_LEAST, POOL_MOST, ',', &pool_pages) || number(text, 0, 0, 0, &pool_pages));
}

static uint64_t microseconds; /* that the store takes for a page */
static bool on_disk;

/* "ram", "ram,PAGES", "ram,PAGES,MICROSECONDS", "disk", "disk,PAGES" */
static bool read_store(const char *text, uint64_t *slots) {
  on_disk = !strncmp(text, "disk", 4);
  const char *pages = text + (on_disk ? 4 : 3), *time = pages + strcspn(pages + (*pages == ','), ", ") + 1;
  if ((!on_disk && strncmp(text, "ram", 3)) || (*pages && *pages != ' ' && *pages != ','))
    return false;
  if (*pages == ',' && !number(pages + 1, 1, 1 << 24, on_disk ? ' ' : ',', slots))
    return false;
  return *pages != ',' || *time != ',' || number(time + 1, 0, 1000000, ' ', &microseconds);
}

const char *pressure_options(uint64_t ram_bytes) {
  const char *budget = option("budget="), *seed = option("seed="), *words = option("store=");
  uint64_t slots = (ram_bytes >> Q_PAGE_SHIFT) / SLOTS_DIVISOR;
  if (!budget)
    return words || seed ? "store= and seed= are for programs with a budget: give budget=PAGES too" : NULL;
  if (!read_budget(budget))
    return "budget=PAGES[,all] takes 4 to 65536 pages; or 0, to give single programs one while they run";
  if (seed && !number(seed, 0, ~0ul, ' ', &pool_seed))
    return "seed= takes a number";
  if (words && !read_store(words, &slots))
    return "store= takes ram, ram,PAGES, ram,PAGES,MICROSECONDS, disk or disk,PAGES";
  store_disk.slots = ram_store.slots = (uint32_t)slots;
  return on_disk || slots <= ram_bytes >> Q_PAGE_SHIFT ? NULL : "store=ram,PAGES is more than the machine's memory";
}

/* These say what goes or how much may stay; one that admits programs, too, has something to say without a budget. */
static bool is_of_pools(const struct policy_set *set) {
  return set->replace.policy || (set->allocate.policy && set->allocate.policy != set->admit.policy);
}

const char *pressure_lacks(void) {
  if (pool_pages && !policy.replace.policy)
    return "budget=PAGES needs a policy that says which pages go: policy=clock, say";
  if (is_of_pools(&policy) && !option("budget="))
    return "policy= has words that come to nothing without a budget: give budget=PAGES too; or budget=0, to give "
           "programs one later";
  return NULL;
}

static uint64_t bytes_in_ram(void) {
  return on_disk ? 0 : ram_store.slots * Q_PAGE_SIZE;
}

uint64_t pressure_memory(uint64_t ram_bytes) {
  if (!option("budget="))
    return 0;
  return pools_memory(ram_bytes) + bytes_in_ram() + PAGE_UP(absents_memory(&ram_store));
}

void pressure_begin(char *memory, uint64_t ram_bytes) {
  pool_turn = boot->timebase / TURNS;
  pools_begin(memory, ram_bytes);
  memory += pools_memory(ram_bytes);
  ram_begin(memory, microseconds * boot->timebase / 1000000); /* which is not used with a disk */
  absents_begin(on_disk ? &store_disk : &ram_store, memory + bytes_in_ram());
}

/* ---- Requests -------------------------------------------------------------------------------------------------------------- */
/* Choices that were made once stay, for all programs that make them. */
static const struct policy_set *set_of(const char *words, int *error) {
  static struct policy_set sets[32];
  static char text[32][P_POLICY_MAX];
  unsigned i = 0;
  while (i < 32 && sets[i].words && strcmp(sets[i].words, words))
    i++;
  *error = i == 32 ? ENFILE : 0;
  if (i == 32 || sets[i].words)
    return i == 32 ? NULL : &sets[i];
  struct policy_set set;
  watch_begin();
  if (!policy_choose(strcpy(text[i], words), &set)) {
    *error = EINVAL;
    return NULL;
  }
  sets[i] = set;
  return &sets[i];
}

/* As the server does that they belong to, one of its clients may do this to another. */
static bool may_change(const struct space *caller, const struct space *space) {
  return space == caller || descends(space, caller) || (caller->client && caller->parent == space->parent);
}

/* One of these does not answer, so that it would be chosen in vain. */
static bool is_lost(const struct policy_set *set) {
  policies_mend((struct policy_set *)(uintptr_t)set);
  return set->lost;
}

/* EINVAL, for what is not a matter of single words. */
static int invalid(const char *why) {
  strncpy(policy_wrong.text, why, sizeof policy_wrong.text - 1);
  return EINVAL;
}

/* 0, or an errno value; of EINVAL, policy_wrong says why. */
static int change(struct space *space, const char *words, uint64_t pages) {
  int error = 0;
  const struct policy_set *set = *words ? set_of(words, &error) : space->policy;
  if (error)
    return error;
  if (*words && set->press.policy)
    return invalid("who gives way when no frame is left is said for all programs: only by the boot option policy=");
  if (*words && is_lost(set))
    return ENOTRECOVERABLE;
  if (*words && is_of_pools(set) && !space->pool && !pages)
    return invalid("these words are of a budget, but the process has none: say PAGES, too");
  error = pool_change(space, set, pages);
  if (error != EINVAL)
    return error;
  return invalid(set->replace.policy ? "PAGES is not 4 to 65536"
                                     : "none of these words says what goes, which a budget needs: add +clock, say");
}
_Static_assert(POOL_LEAST == 4 && POOL_MOST == 65536 && P_POLICY_MAX == 48, "as is said");
_Static_assert(sizeof policy_wrong.text == P_POLICY_WRONG, "as who asks expects");

/* Who asked is told, if it has room for it. */
static int tell_wrong(struct q_received *m) {
  const char *text = policy_wrong.text;
  bool room = m->write_bytes >= P_POLICY_WRONG;
  return room && transfer(m, Q_COPY_TO, 0, text, strlen(text) + 1) == DEFER ? DEFER : EINVAL;
}

int do_policy(struct space *caller, struct q_received *m, struct q_reply *r) {
  char words[P_POLICY_MAX] = "";
  struct space *space = m->word[0] ? space_find(m->word[0]) : caller;
  (void)r;
  if (m->read_bytes > sizeof words - 1) {
    invalid("WORDS are longer than 47 characters");
    return tell_wrong(m);
  }
  int error = m->read_bytes ? transfer(m, Q_COPY_FROM, 0, words, m->read_bytes) : 0;
  if (error)
    return error;
  if (!space || space->state != SPACE_ALIVE)
    return ESRCH;
  if (space->server || !may_change(caller, space))
    return EPERM;
  if (!settle(space, m))
    return HEARD; /* a page may be on its way that would be in no pool */
  error = change(space, words, m->word[1]);
  return error == EINVAL ? tell_wrong(m) : error;
}

int do_figures(struct space *caller, struct q_received *m, struct q_reply *r) {
  struct p_figures figures;
  struct space *space = m->word[0] ? space_find(m->word[0]) : caller;
  (void)r;
  if (!space || space->state != SPACE_ALIVE)
    return ESRCH;
  if (m->write_bytes < sizeof figures)
    return EINVAL;
  space_figures(space, &figures);
  return transfer(m, Q_COPY_TO, 0, &figures, sizeof figures);
}

/* ---- Messages that wait ---------------------------------------------------------------------------------------------------- */
static struct held {
  struct held *next;
  struct q_received m;
} * held;
unsigned held_count;
static struct slab slab = {.bytes = (sizeof(struct held) + 15) & ~15ul, .tables = true};

bool hold(const struct q_received *m) {
  struct held **end = &held, *one = slab_take(&slab);
  if (!one)
    return false;
  while (*end)
    end = &(*end)->next;
  *one = (struct held){NULL, *m};
  *end = one;
  held_count++;
  return true;
}

bool unhold(struct q_received *m) {
  struct held *one = held;
  if (!one)
    return false;
  *m = one->m;
  held = one->next;
  held_count--;
  slab_give(&slab, one);
  return true;
}

/* ---- The clock of a store with a latency ------------------------------------------------------------------------------------- */
q_token clock_parked;
extern char clock_thread[]; /* start.S; needs no stack */

uint64_t backend_time(void) {
  return q_time();
}

bool clock_start(void) {
  q_handle thread;
  if (!microseconds)
    return true;
  if (q_thread_create(boot->task, Q_PRIORITY_PAGER, &thread) < 0)
    return false;
  int64_t error = q_thread_start(thread, (uint64_t)clock_thread, 0, boot->endpoint);
  q_handle_close(thread);
  return !error;
}

void clock_call(const struct q_received *m) {
  clock_parked = m->token;
  if (ram_look())
    answer_held();
}

void clock_go_on(void) {
  struct q_reply r = {.word = {ram_due()}, .token = clock_parked};
  if (!r.word[0])
    return;
  clock_parked = 0;
  q_reply(&r);
}
