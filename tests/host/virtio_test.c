/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio_test [STEPS]: servers/blk/virtio.c against a model of a device, which checks that the driver does as the specification
 * says, and does not do so itself when it is told to. Whatever it says, each request ends once and nothing else is touched. TAP. */
#include "check.h"
#include "virtio.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../guest/random.h"

#define MEMORY_AT 0x87654000ul
#define DATA_AT 0x90000000ul
#define DATA_BYTES (VIRTIO_FLIGHTS * 4096)
#define SECTORS 1000
#define ACKNOWLEDGED 1
#define DRIVER 2
#define DRIVER_OK 4
#define FEATURES_OK 8

/* ---- The device ------------------------------------------------------------------------------------------------------- */
enum fault {
  NONE,
  RESETS, /* from here on by itself, when it is notified */
  NEEDS_RESET,
  AHEAD,     /* its used index counts too many */
  NO_HEAD,   /* uses what is no head of a chain */
  BEYOND,    /* and what is outside of the table */
  TWICE,     /* the same again */
  FAULTS,    /* of these, beside them: */
  STATUS,    /* says what is no status */
  UNTOUCHED, /* leaves the status as it was */
  SHORT      /* has written less than it should */
};
static struct model {
  uint32_t magic, version, id, features[2], queue_max; /* what it is */
  bool no_features, never_resets, never_still, half_ready;
  enum fault fault;
  uint32_t half, driver_half, accepted[2], status, size, ready, interrupt, generation; /* what it is told */
  uint64_t capacity, at[3];
  uint16_t taken, used;
  uint16_t head[VIRTIO_QUEUE];
  unsigned heads;
} m;
static const struct model plain = {
    .magic = 0x74726976, .version = 2, .id = 2, .features = {0x7fffffdf, 1}, .queue_max = 1024, .capacity = SECTORS};
static char *memory, *data; /* just as much as the driver has */
static char disk[SECTORS * 512];

static void *physical(uint64_t at, uint64_t bytes) {
  if (at >= MEMORY_AT && at - MEMORY_AT + bytes <= VIRTIO_MEMORY)
    return memory + (at - MEMORY_AT);
  CHECK(at >= DATA_AT && at - DATA_AT + bytes <= DATA_BYTES);
  return data + (at - DATA_AT);
}

struct descriptor {
  uint64_t address;
  uint32_t bytes;
  uint16_t flags, next;
};

static struct descriptor *descriptor(unsigned i) {
  CHECK(i < m.size);
  return physical(m.at[0] + i % m.size * 16, 16);
}

static void use(uint32_t id, uint32_t bytes) {
  uint32_t *entry = physical(m.at[2] + 4 + m.used % m.size * 8u, 8);
  entry[0] = id, entry[1] = bytes;
  *(uint16_t *)physical(m.at[2] + 2, 2) = ++m.used;
  m.interrupt |= 1;
}

/* Does it, as 5.2.6 says; the chain is checked on the way. */
static void perform(unsigned head) {
  struct descriptor *d = descriptor(head), *body = descriptor(d->next), *last = descriptor(body->next);
  CHECK(d->flags == 1 && d->bytes == 16 && last->bytes == 1 && last->flags == 2);
  uint32_t *header = physical(d->address, 16), write = header[0];
  uint64_t sector = *(uint64_t *)(header + 2);
  char *bytes = physical(body->address, body->bytes), *where = disk + sector * 512;
  uint8_t *status = physical(last->address, 1);
  CHECK(write <= 1 && header[1] == 0 && sector * 512 + body->bytes <= sizeof disk);
  CHECK(body->flags == (write ? 1 : 3));
  if (m.fault != UNTOUCHED)
    *status = m.fault == STATUS ? (uint8_t)(3 + below(250)) : chance(30) ? (uint8_t)(1 + below(2)) : 0;
  if (!*status)
    memcpy(write ? where : bytes, write ? bytes : where, body->bytes);
  use(head, (write ? 1 : body->bytes + 1) - (m.fault == SHORT));
}

static void misbehave(void) {
  unsigned head = m.heads ? m.head[0] : 0;
  if (m.fault == RESETS)
    m.status = 0, m.heads = 0;
  if (m.fault == NEEDS_RESET)
    m.status |= 64;
  if (m.fault == AHEAD)
    *(uint16_t *)physical(m.at[2] + 2, 2) = (uint16_t)(m.used + m.heads + 1 + below(60000 - m.heads));
  if (m.fault == NO_HEAD && m.heads)
    use(head + 1 + (uint32_t)below(2), 1);
  if (m.fault == BEYOND && m.heads)
    use((uint32_t)(VIRTIO_FLIGHTS + below(1u << 30)) * 3, 1);
  if (m.fault == TWICE && m.heads > 1)
    use(head, 4097), use(head, 4097);
}

static void notified(void) {
  uint16_t *available = physical(m.at[1] + 2, 2);
  CHECK(m.status == (ACKNOWLEDGED | DRIVER | FEATURES_OK | DRIVER_OK));
  for (; m.taken != *available; m.taken++)
    m.head[m.heads++] = *(uint16_t *)physical(m.at[1] + 4 + m.taken % m.size * 2u, 2);
  CHECK(m.heads <= VIRTIO_FLIGHTS);
}

static void work(unsigned most) {
  while (m.heads && most--) {
    unsigned i = (unsigned)below(m.heads), head = m.head[i];
    m.head[i] = m.head[--m.heads];
    perform(head);
  }
}

uint32_t device_get(unsigned offset) {
  switch (offset) {
  case 0x000:
    return m.magic;
  case 0x004:
    return m.version;
  case 0x008:
    return m.id;
  case 0x010:
    return m.features[m.half & 1];
  case 0x034:
    return m.queue_max;
  case 0x044:
    return m.ready || m.half_ready;
  case 0x060:
    return m.interrupt;
  case 0x070:
    return m.status;
  case 0x0fc:
    return m.never_still ? m.generation++ : m.generation;
  case 0x100:
    return (uint32_t)m.capacity;
  case 0x104:
    return (uint32_t)(m.capacity >> 32);
  }
  CHECK(!"a register that is to be read");
  return 0;
}

static void set_status(uint32_t value) {
  if (!value && !m.never_resets)
    m = (struct model){m.magic,
                       m.version,
                       m.id,
                       {m.features[0], m.features[1]},
                       m.queue_max,
                       m.no_features,
                       m.never_resets,
                       m.never_still,
                       m.half_ready,
                       m.fault,
                       .capacity = m.capacity};
  if (!value)
    return;
  CHECK((m.status & value) == m.status); /* bits are only added */
  CHECK(!(value & DRIVER_OK) || (m.ready && m.status & FEATURES_OK));
  m.status = value;
  if (value & FEATURES_OK && (m.no_features || m.accepted[0] & ~m.features[0] || m.accepted[1] != 1))
    m.status &= ~(uint32_t)FEATURES_OK;
}

void device_put(unsigned offset, uint32_t value) {
  if (offset >= 0x080 && offset <= 0x0a4) {
    CHECK(!m.ready && offset % 16 <= 4);
    uint64_t *at = &m.at[(offset - 0x080) / 16];
    *at = offset % 16 ? (uint32_t)*at | (uint64_t)value << 32 : value;
    return;
  }
  switch (offset) {
  case 0x014:
    m.half = value;
    break;
  case 0x020:
    m.accepted[m.driver_half & 1] = value;
    break;
  case 0x024:
    m.driver_half = value;
    break;
  case 0x030:
    CHECK(value == 0);
    break;
  case 0x038:
    CHECK(value <= m.queue_max && !(value & (value - 1)));
    m.size = value;
    break;
  case 0x044:
    CHECK(m.at[0] % 16 == 0 && m.at[1] % 2 == 0 && m.at[2] % 4 == 0);
    m.ready = value;
    break;
  case 0x050:
    notified();
    break;
  case 0x064:
    m.interrupt &= ~value;
    break;
  case 0x070:
    set_status(value);
    break;
  default:
    CHECK(!"a register that is to be written");
  }
}

/* ---- The driver's user ------------------------------------------------------------------------------------------------ */
static struct request {
  bool out;
  int error;
  struct blk_request what;
} requests[VIRTIO_FLIGHTS];
static unsigned out;

static void done(uint64_t id, int error) {
  CHECK(id < VIRTIO_FLIGHTS && requests[id].out);
  requests[id].out = false;
  requests[id].error = error;
  out--;
}

static bool submit(void) {
  unsigned i = (unsigned)below(VIRTIO_FLIGHTS), count = 1 + (unsigned)below(8);
  if (requests[i].out || !virtio_room())
    return false;
  struct blk_request r = {i, below(SECTORS - count), DATA_AT + i * 4096ul, count * 512, (uint32_t)below(2)};
  requests[i] = (struct request){true, -1, r};
  out++;
  virtio_submit(&r);
  return true;
}

static int begin(void) {
  return virtio_begin(memory, MEMORY_AT);
}

static void start(void) {
  m = plain;
  CHECK(begin() == 0);
  virtio_abandon(done);
  CHECK(out == 0 && virtio_sectors() == SECTORS && !virtio_read_only() && virtio_room());
}

/* ---- Tests ------------------------------------------------------------------------------------------------------------ */
static int begin_with(struct model device) {
  m = device;
  return begin();
}

#define WITH(field, value, result)                                                                                   \
  do {                                                                                                               \
    d = plain;                                                                                                       \
    d.field = value;                                                                                                 \
    CHECK(begin_with(d) == (result));                                                                                \
  } while (0)

static void what_is_no_disk(void) {
  struct model d = plain;
  WITH(magic, 0x74726977, ENODEV);
  WITH(id, 0, ENODEV);
  WITH(id, 1, ENODEV);
  WITH(version, 1, ENOTSUP);
  WITH(version, 3, ENOTSUP);
  WITH(features[1], 0, EIO);
  WITH(no_features, true, EIO);
  WITH(never_still, true, EIO);
  WITH(half_ready, true, EIO);
  WITH(queue_max, 0, EIO);
  WITH(queue_max, 3, EIO);
  d = plain, d.never_resets = true, d.status = 15;
  CHECK(begin_with(d) == EIO);
  report("what is no disk, or one that does not begin");
}

static void what_a_disk_says(void) {
  struct model d = plain;
  WITH(features[0], 1u << 5, 0);
  CHECK(virtio_read_only() && m.accepted[0] == 1u << 5);
  WITH(capacity, 0x123456789abcul, 0);
  CHECK(virtio_sectors() == 0x123456789abc && !virtio_read_only());
  for (unsigned most = 4; most <= 4096; most *= 2) {
    WITH(queue_max, most, 0);
    CHECK(m.size == (most < VIRTIO_QUEUE ? most : VIRTIO_QUEUE));
    unsigned room = 0;
    while (virtio_room())
      room += submit();
    CHECK(room == (most / 3 < VIRTIO_FLIGHTS ? most / 3 : VIRTIO_FLIGHTS));
    virtio_go();
    work(VIRTIO_FLIGHTS);
    CHECK(!virtio_collect(done) && !out);
  }
  report("what a disk says of itself");
}

/* The same happens to another disk, request by request. */
static void data_goes_where_it_should(unsigned steps) {
  static char expected[sizeof disk];
  start();
  memcpy(expected, disk, sizeof disk);
  for (unsigned i = 0; i < steps; i++) {
    struct blk_request *r = NULL;
    for (unsigned j = 0; j < VIRTIO_FLIGHTS; j++)
      requests[j].error = -1;
    while (!submit())
      ;
    for (unsigned j = 0; j < VIRTIO_FLIGHTS; j++)
      if (requests[j].out)
        r = &requests[j].what;
    char *bytes = physical(r->address, r->bytes);
    for (unsigned j = 0; j < r->bytes; j++)
      bytes[j] = (char)next_random();
    virtio_go();
    work(1);
    CHECK(!virtio_collect(done) && !out);
    int error = requests[r->id].error;
    CHECK(error == 0 || error == EIO || error == ENOTSUP);
    if (!error && r->write)
      memcpy(expected + r->sector * 512, bytes, r->bytes);
    CHECK(error || !memcmp(expected + r->sector * 512, bytes, r->bytes));
  }
  CHECK(!memcmp(expected, disk, sizeof disk));
  report("data goes where it should");
}

static void many_on_their_way(unsigned steps) {
  unsigned most = 0;
  start();
  for (unsigned i = 0; i < steps; i++) {
    for (uint64_t n = below(100); n; n--)
      submit();
    most = out > most ? out : most;
    if (below(4))
      virtio_go();
    work((unsigned)below(40));
    CHECK(!virtio_collect(done));
  }
  virtio_go();
  work(VIRTIO_FLIGHTS);
  CHECK(!virtio_collect(done) && !out && most == VIRTIO_FLIGHTS);
  report("many on their way");
}

/* What is wrong is noticed; it is started anew, what was on its way fails, and it works. */
static void faults(enum fault fault, const char *name, const char *expected) {
  for (unsigned round = 0; round < 200; round++) {
    start();
    while (out < 2 || below(20))
      submit();
    virtio_go();
    m.fault = fault;
    work((unsigned)below(out - 1));
    misbehave();
    unsigned there = out;
    const char *wrong = virtio_collect(done);
    CHECK(wrong && strstr(wrong, expected) && out <= there);
    m.fault = NONE;
    CHECK(begin() == 0);
    virtio_abandon(done);
    CHECK(!out);
    while (out < 10)
      submit();
    virtio_go();
    work(VIRTIO_FLIGHTS);
    CHECK(!virtio_collect(done) && !out);
  }
  report(name);
}

static void answers_that_are_none(enum fault fault, const char *name) {
  start();
  m.fault = fault;
  for (unsigned i = 0; i < VIRTIO_FLIGHTS; i++)
    requests[i].error = -1;
  while (out < 10)
    submit();
  virtio_go();
  work(VIRTIO_FLIGHTS);
  CHECK(!virtio_collect(done) && !out);
  for (unsigned i = 0; i < VIRTIO_FLIGHTS; i++)
    CHECK(requests[i].error);
  report(name);
}

static void another_size(void) {
  start();
  m.capacity = SECTORS / 2;
  m.generation++;
  CHECK(!virtio_collect(done) && virtio_sectors() == SECTORS);
  m.interrupt = 2;
  CHECK(!virtio_collect(done) && virtio_sectors() == SECTORS / 2 && !m.interrupt);
  m.never_still = true;
  m.interrupt = 2;
  CHECK(virtio_collect(done));
  report("a disk that changes its size");
}

/* Anything at all in the device's part of the memory. */
static void rubbish(unsigned steps) {
  unsigned noticed = 0;
  for (unsigned i = 0; i < steps; i++) {
    start();
    while (out < 2 || below(20))
      submit();
    virtio_go();
    work((unsigned)below(out));
    char *used = physical(m.at[2], 4 + m.size * 8);
    for (uint64_t n = below(20); n; n--)
      used[below(below(2) ? 8 : 4 + m.size * 8)] = (char)next_random();
    m.interrupt = (uint32_t)next_random() & 1;
    noticed += virtio_collect(done) != NULL;
    virtio_collect(done);
  }
  CHECK(noticed > steps / 10);
  report("anything in the device's memory");
}

int main(int argc, char **argv) {
  unsigned steps = argc > 1 ? (unsigned)atoi(argv[1]) : 20000;
  random_begin(1);
  printf("1..15\n");
  memory = aligned_alloc(4096, VIRTIO_MEMORY), data = malloc(DATA_BYTES);
  what_is_no_disk();
  what_a_disk_says();
  data_goes_where_it_should(steps);
  many_on_their_way(steps / 10);
  faults(RESETS, "it resets itself", "reset");
  faults(NEEDS_RESET, "it asks to be reset", "reset");
  faults(AHEAD, "it has done more than there was", "more");
  faults(NO_HEAD, "it names what is no request", "not asked");
  faults(BEYOND, "it names what is not in the table", "not asked");
  faults(TWICE, "it names one twice", "");
  answers_that_are_none(STATUS, "a status that is none");
  answers_that_are_none(UNTOUCHED, "no status");
  answers_that_are_none(SHORT, "less than was asked for");
  another_size();
  rubbish(steps / 10);
  return failures != 0;
}
