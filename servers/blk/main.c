/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of a disk: takes requests from the ring (quire/blk.h), has the device do them, many at a time, and says when they
 * are done. It sleeps until it is notified, by the one above or by the device's interrupt. */
#include <quire/proc.h>

#include <errno.h>
#include <string.h>

#include "virtio.h"

#define BIT_IRQ 1
#define AREA_PAGES (1 + VIRTIO_MEMORY / Q_PAGE_SIZE)

static volatile uint32_t *registers;
static struct blk_ring *ring;
static uint64_t area_at; /* physical */
static uint32_t taken, completed, life;
static q_handle irq;

/* What was written to memory is there before the device hears of it, and the other way round. */
uint32_t device_get(unsigned offset) {
  uint32_t value = registers[offset / 4];
  __asm__ volatile("fence iorw, iorw" ::: "memory");
  return value;
}

void device_put(unsigned offset, uint32_t value) {
  __asm__ volatile("fence iorw, iorw" ::: "memory");
  registers[offset / 4] = value;
}

/* ---- The ring --------------------------------------------------------------------------------------------------------- */
static void complete(uint64_t id, int error) {
  ring->completion[completed++ % BLK_ENTRIES] = (struct blk_completion){id, (uint64_t)error};
}

/* 0, or why it is not for the device. */
static int refuse(const struct blk_request *r) {
  uint64_t count = r->bytes / BLK_SECTOR;
  if (!r->bytes || r->bytes > BLK_BYTES || r->bytes % BLK_SECTOR || r->write > BLK_WRITE ||
      r->address + r->bytes < r->address)
    return EINVAL;
  if (r->sector > virtio_sectors() || count > virtio_sectors() - r->sector)
    return ENXIO;
  return r->write && virtio_read_only() ? EROFS : 0;
}

/* False: nothing is to be taken. Each that is taken has a place for its completion. */
static bool look(uint32_t *end) {
  if (__atomic_load_n(&ring->heard, __ATOMIC_ACQUIRE) != life)
    return false;
  uint32_t read = __atomic_load_n(&ring->completions_read, __ATOMIC_ACQUIRE);
  *end = __atomic_load_n(&ring->requests_end, __ATOMIC_ACQUIRE);
  if (*end - read <= BLK_ENTRIES && completed - read <= *end - read && taken - read <= *end - read)
    return true;
  ring->refused++;
  return false;
}

static void take_requests(void) {
  uint32_t end;
  bool some = false;
  if (!look(&end))
    return;
  while (taken != end && virtio_room()) {
    struct blk_request r = ring->request[taken++ % BLK_ENTRIES];
    int error = refuse(&r);
    if (error)
      complete(r.id, error);
    else
      virtio_submit(&r);
    some = some || !error;
  }
  if (some)
    virtio_go();
}

/* ---- The device ------------------------------------------------------------------------------------------------------- */
static void say(const char *what) {
  char text[128] = "blk: the device ";
  strcat(strcat(text, what), "; it is started anew\n");
  q_machine_write(P_HANDLE_MACHINE, text, strlen(text));
}

/* It is reset first, so that it is done with the frames of what has failed. */
static void look_at_device(void) {
  const char *wrong = virtio_collect(complete);
  if (!wrong)
    return;
  say(wrong);
  if (virtio_begin((char *)ring + Q_PAGE_SIZE, area_at + Q_PAGE_SIZE))
    p_exit_now(EIO);
  virtio_abandon(complete);
}

static int64_t ask(struct q_call *c) {
  int64_t error = q_call(P_HANDLE_PAGER, c);
  return error ? error : (int64_t)c->label;
}

/* Source 0 is none: it would be the log. */
static int hear_device(uint64_t source) {
  q_handle signal;
  bool good = source && !q_handle_dup(P_HANDLE_OWN, Q_RIGHT_NOTIFY, BIT_IRQ, &signal) &&
              !q_irq_create(P_HANDLE_MACHINE, source, signal, BIT_IRQ, &irq) && !q_irq_ack(irq);
  return good ? 0 : EIO;
}

/* The first block device there is; 0, or what to exit with. */
static int find_device(void) {
  int none = BLK_NO_DISK;
  for (uint64_t which = 1; which <= Q_BOOT_VIRTIO; which++) {
    struct q_call c = {.label = P_device, .word = {which}};
    if (ask(&c))
      continue;
    registers = (volatile uint32_t *)c.word[0];
    int error = virtio_begin((char *)ring + Q_PAGE_SIZE, area_at + Q_PAGE_SIZE);
    if (!error)
      return hear_device(c.word[2]);
    if (error != ENODEV)
      none = error == ENOTSUP ? BLK_LEGACY : error;
  }
  return none;
}

static int begin(void) {
  struct q_call c = {.label = P_area, .word = {AREA_PAGES}};
  if (ask(&c))
    return ENOMEM;
  ring = (struct blk_ring *)c.word[0];
  area_at = c.word[1];
  int error = find_device();
  if (error)
    return error;
  ring->sectors = virtio_sectors();
  ring->flags = virtio_read_only() ? BLK_READ_ONLY : 0;
  ring->completions_end = 0;
  life = ring->life + 1;
  __atomic_store_n(&ring->life, life, __ATOMIC_RELEASE);
  q_notify(P_HANDLE_ABOVE, P_BIT_BELOW);
  return 0;
}

/* ---- Being notified --------------------------------------------------------------------------------------------------- */
static void notified(uint64_t bits) {
  uint32_t before = completed;
  if (bits & P_BIT_CLOSE)
    p_exit_now(0);
  look_at_device();
  if (bits & BIT_IRQ)
    q_irq_ack(irq);
  take_requests();
  ring->sectors = virtio_sectors();
  __atomic_store_n(&ring->completions_end, completed, __ATOMIC_RELEASE);
  if (completed != before)
    q_notify(P_HANDLE_ABOVE, P_BIT_BELOW);
}

int main(void) {
  int error = begin();
  if (error)
    return error;
  for (;;) {
    struct q_received m;
    q_recv(P_HANDLE_OWN, &m);
    if (m.kind == Q_MSG_NOTIFY) {
      notified(m.word[0]);
      continue;
    }
    if (m.handle)
      q_handle_close(m.handle);
    if (m.token)
      q_reply(&(struct q_reply){.label = ENOSYS, .token = m.token}); /* a caller, or the message is void */
  }
}
