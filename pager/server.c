/* SPDX-License-Identifier: BSD-2-Clause */
/* Servers: the resident programs that the boot options name, each with an endpoint that is made here and outlives it, and
 * with a handle to the one below and the one above. Knows nothing of what they serve. */
#include "absent.h"
#include "disk.h"
#include "shell.h"

#include <errno.h>
#include <string.h>

#define SERVERS 4
#define ROWS 64               /* of frames that are looked at for one that is long enough */
#define STARTS 5              /* one that dies more often than this is broken: the machine is turned off */
#define INITRD 0x1000000000ul /* where the boot image appears: in the heap's range, which no server's break reaches */
#define REGISTERS 0x30000000ul /* where devices' registers appear, a page each: below WINDOW, above any image */
#define AREA 0x30100000ul      /* where its area appears, and then that of the one below */
#define AREA_BELOW 0x30200000ul

struct server {
  char words[128];
  uint64_t bytes;
  q_handle endpoint;
  uint64_t id; /* 0: it does not run */
  unsigned starts;
  uint64_t area, area_pages; /* frames */
};
static struct server servers[SERVERS];
static struct server disk = {.words = "blk", .bytes = 4}; /* the pager is above it */
static unsigned count;
static bool closing;
static uint64_t closing_status;

/* Frames in a row, of zeros, that are never given back: no frame of the pager's any more, and so none that a space which they
 * were mapped in would give back. 0: none. */
static uint64_t take_row(unsigned pages) {
  uint64_t base[ROWS], row = 0;
  unsigned got[ROWS], n = 0;
  for (; n < ROWS && !row && (got[n] = frames_take_run(pages, &base[n])); n++)
    row = got[n] == pages ? base[n] : 0;
  while (n--) /* what was zeroed beforehand comes first, and may be scattered */
    for (unsigned i = 0; i < got[n] && base[n] != row; i++)
      frame_give(base[n] + i * Q_PAGE_SIZE);
  if (!row)
    return 0;
  memset(&frames.state[frame_number(row)], STATE_NONE, pages);
  frames.total -= pages;
  return row;
}

bool server_add(const char *words) {
  struct server *server = &servers[count];
  if (count == SERVERS || strlen(words) >= sizeof server->words || !*words)
    return false;
  server->bytes = strlen(words) + 1;
  memcpy(server->words, words, server->bytes);
  for (char *p = server->words; *p; p++)
    if (*p == ':')
      *p = 0;
  count++;
  return true;
}

static bool start(struct server *server) {
  server->starts++;
  int64_t id = process_spawn(&(struct spawn){.text = server->words, .bytes = server->bytes, .server = server});
  server->id = id > 0 ? (uint64_t)id : 0;
  if (id < 0)
    say("cannot start the server '%s': %s", server->words, spawn_error(id));
  return id > 0;
}

unsigned servers_count(void) {
  return count;
}

static struct server *below_of(struct server *server) {
  return server != &disk && server > servers ? server - 1 : NULL;
}

int64_t server_handles(struct space *space, struct server *server) {
  const struct server *below = below_of(server);
  const struct server *above = server != &disk && server + 1 < servers + count ? server + 1 : NULL;
  q_handle up = server == &disk ? boot->endpoint : above ? above->endpoint : 0;
  int64_t error = give(space, server->endpoint, Q_RIGHT_RECV | Q_RIGHT_SEND | Q_RIGHT_NOTIFY | Q_RIGHT_DUP, 0);
  if (!error)
    error = give(space, below ? below->endpoint : server->endpoint, below ? Q_RIGHT_SEND | Q_RIGHT_NOTIFY : 0,
                 P_BIT_ABOVE);
  return error || !up ? error : give(space, up, Q_RIGHT_NOTIFY, P_BIT_BELOW);
}

q_handle server_endpoint(const struct server *server) {
  return server->endpoint;
}

static _Noreturn void off(uint64_t status) {
  for (;;)
    q_machine_off(boot->machine, status);
}

void close_down(uint64_t status) {
  q_handle signal;
  if (!count || !servers[0].id || q_handle_dup(servers[0].endpoint, Q_RIGHT_NOTIFY, P_BIT_CLOSE, &signal) < 0)
    off(status);
  closing = true;
  closing_status = status;
  q_notify(signal, P_BIT_CLOSE);
  q_handle_close(signal);
}

/* ---- The disk's driver -------------------------------------------------------------------------------------------------- */
#define NO_DISK_HELP                                                                                                 \
  "; give QEMU -global virtio-mmio.force-legacy=false -drive file=FILE,format=raw,if=none,id=swap -device "          \
  "virtio-blk-device,drive=swap"
static q_handle disk_signal;
static bool disk_told;
static uint64_t disk_registers; /* of the device that it asked for last, physical */

static bool disk_start(void) {
  uint64_t memory = take_row(DISK_MEMORY / Q_PAGE_SIZE);
  if (!memory || q_endpoint_create(&disk.endpoint) < 0 ||
      q_handle_dup(disk.endpoint, Q_RIGHT_NOTIFY, P_BIT_ABOVE, &disk_signal) < 0) {
    say("store=disk: no memory for it");
    return false;
  }
  disk_begin(frame_data(memory));
  bool good = start(&disk);
  if (!good)
    say("store=disk: the disk's driver is in the boot image quire-disk.cpio");
  return good;
}

bool servers_start(void) {
  if (store == &store_disk && !disk_start())
    return false;
  for (unsigned i = 0; i < count; i++)
    if (q_endpoint_create(&servers[i].endpoint) < 0)
      return false;
  for (unsigned i = 0; i < count; i++)
    if (!start(&servers[i]))
      return false;
  return true;
}

void disk_notified(void) {
  if (!disk.id || !disk.area)
    return; /* of one that is no more */
  struct blk_ring *ring = frame_data(disk.area);
  if (!disk_told && ring->life)
    say("the disk holds %lu pages", (unsigned long)(ring->sectors * BLK_SECTOR / Q_PAGE_SIZE));
  disk_told = disk_told || ring->life;
  disk_heard(ring);
  answer_held();
}

void disk_wake(void) {
  q_notify(disk_signal, P_BIT_ABOVE);
}

void disk_distrust(const char *why) {
  struct space *space = space_find(disk.id);
  say("the disk's driver is not to be trusted: %s", why);
  if (space)
    process_kill(space);
}

void disk_too_small(uint64_t pages) {
  say("store=disk,%u is more than the disk's %lu pages", store_disk.slots, (unsigned long)pages);
  disk_given_up();
  close_down(1);
}

/* What was under way when the last driver died may reach memory until the device is reset. */
static void disk_silence(void) {
  uint64_t entry, prot = Q_PROT_READ | Q_PROT_WRITE | Q_PROT_DEVICE;
  if (!disk_registers || WITH_MEMORY(q_map(boot->pager, boot->task, PLACE_DEVICE, disk_registers | prot, 1, 0)) < 0)
    return;
  *(volatile uint32_t *)(PLACE_DEVICE + BLK_RESET) = 0;
  q_unmap_page(boot->pager, boot->task, PLACE_DEVICE, &entry);
}

static void disk_ended(const struct p_death *death) {
  static uint64_t answers;
  bool none = death->reason == P_REASON_EXIT && (death->status == BLK_NO_DISK || death->status == BLK_LEGACY);
  disk_driver_ended();
  if (closing)
    return;
  if (answers != disk_answers)
    disk.starts = 0;
  answers = disk_answers;
  if (!none && disk.starts < STARTS && start(&disk))
    return;
  if (none)
    say("store=disk: %s" NO_DISK_HELP,
        death->status == BLK_LEGACY ? "the disk is a legacy device" : "there is no disk");
  else
    say("the disk's driver ends again and again: what is on the disk is lost");
  disk_silence();
  disk_given_up();
  answer_held();
  if (none)
    close_down(1);
}

/* ---- Ends ------------------------------------------------------------------------------------------------------------------ */
/* Its clients wait at its endpoint, and go on with the next instance. */
void server_ended(struct server *server, const struct p_death *death) {
  server->id = 0;
  if (server == &disk) {
    disk_ended(death);
    return;
  }
  if (closing && server == servers)
    off(closing_status);
  if (closing)
    return;
  if (death->reason == P_REASON_EXIT)
    close_down(death->status);
  else if (server->starts == STARTS || !start(server))
    close_down(1);
}

int server_initrd(struct space *space, uint64_t *words) {
  uint64_t first = boot->initrd_base & ~(Q_PAGE_SIZE - 1ul), end = boot->initrd_base + boot->initrd_bytes;
  if (!space->server)
    return EPERM;
  for (uint64_t frame = first; frame < end; frame += Q_PAGE_SIZE) {
    int error = is_own_file(frame) ? 0 : backend_map(space, INITRD + (frame - first), frame | Q_PROT_READ);
    if (error && error != Q_E_EXISTS)
      return ENOMEM; /* what is mapped already does no harm */
  }
  words[0] = INITRD + (boot->initrd_base - first);
  words[1] = boot->initrd_bytes;
  return 0;
}

int server_device(struct space *space, uint64_t which, uint64_t *words) {
  struct q_device device = {boot->uart, boot->uart_irq};
  if (!space->server)
    return EPERM;
  if (which > boot->virtio_count)
    return ENODEV;
  if (which)
    device = boot->virtio[which - 1];
  uint64_t base = device.registers.base, bytes = device.registers.bytes, at = REGISTERS + which * Q_PAGE_SIZE;
  if (!bytes || base % Q_PAGE_SIZE)
    return ENODEV;
  int error = backend_map(space, at, base | Q_PROT_READ | Q_PROT_WRITE | Q_PROT_DEVICE);
  if (error && error != Q_E_EXISTS)
    return ENOMEM;
  if (space->server == &disk)
    disk_registers = base;
  words[0] = at;
  words[1] = bytes < Q_PAGE_SIZE ? bytes : Q_PAGE_SIZE;
  words[2] = device.irq;
  return 0;
}

static int area_map(struct space *space, const struct server *whose, uint64_t at) {
  for (uint64_t i = 0; i < whose->area_pages; i++) {
    uint64_t page = i * Q_PAGE_SIZE;
    int error = backend_map(space, at + page, (whose->area + page) | Q_PROT_READ | Q_PROT_WRITE);
    if (error && error != Q_E_EXISTS)
      return ENOMEM;
  }
  return 0;
}

int server_area(struct space *space, uint64_t pages, uint64_t below, uint64_t *words) {
  struct server *server = space->server, *whose = below && server ? below_of(server) : server;
  uint64_t at = below ? AREA_BELOW : AREA;
  if (!server)
    return EPERM;
  if (below && (!whose || !whose->area))
    return ENODEV;
  if (!below && (!pages || pages > P_AREA_MAX || (whose->area && pages != whose->area_pages)))
    return EINVAL;
  if (!whose->area && !(whose->area = take_row(pages)))
    return ENOMEM;
  whose->area_pages = below ? whose->area_pages : pages;
  words[0] = at;
  words[1] = whose->area;
  return area_map(space, whose, at);
}
