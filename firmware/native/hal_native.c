// The bus of the model: registers and windows of both maps with the widths of the register map,
// rings, checksum, time. An access takes some clocks, in which the controller works.

#include <string.h>

#include "firmware.h"
#include "model.h"
#include "mutant.h"
#include "native.h"
#include "native_map.h"
#include "processor.h"

#define CLOCK_HZ 50000000u
#define ACCESS_CLOCKS 8u
#define HANGING_CLOCKS (1u << 16) // of an access while an operation hangs, so that waiting ends
#define REGISTER_SPACE 0x1000u    // bytes of either map that hold registers
#define REGION_BITS 0xC0000000u
#define NO_REGISTER 0xFFFFu
#define COUNT(array) (sizeof(array) / sizeof *(array))

struct map {
    const struct native_register *registers;
    uint32_t register_count;
    const struct native_window *windows;
    uint32_t window_count;
    uint16_t index[REGISTER_SPACE / 4]; // register at an address
    uint32_t value[REGISTER_SPACE / 4];
    uint32_t *words; // of all windows
};

struct bus {
    struct map core;
    struct map board;
    uint64_t clock;
    uint64_t accesses;
    uint32_t upper; // latched half of the clock
    uint32_t crc;
    uint32_t unsafe;
    const char *reason;
    uint32_t lost;
    bool image;      // the processor runs an image
    bool told_idle;  // set by the last register write, as on the board
    uint64_t kicked; // clock of the last write to the watchdog
};

enum mutant chosen_mutant;
static struct bus bus;
static uint32_t core_words[CORE_WINDOW_WORDS];
static uint32_t board_words[BOARD_WINDOW_WORDS];
static uint32_t crc_table[256];

void unsafe(const char *reason)
{
    if (bus.unsafe++ == 0)
        bus.reason = reason;
}

// -- tables --------------------------------------------------------------------------------------
static void make_crc_table(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 1) != 0 ? crc >> 1 ^ 0xEDB88320u : crc >> 1;
        crc_table[byte] = crc;
    }
}

static void map_reset(struct map *map)
{
    memset(map->index, 0xFF, sizeof map->index);
    memset(map->value, 0, sizeof map->value);
    for (uint32_t i = 0; i < map->register_count; i++) {
        const struct native_register *const item = &map->registers[i];
        map->index[item->address / 4] = (uint16_t)i;
        map->value[item->address / 4] = item->reset;
    }
}

void bus_reset(void)
{
    bus = (struct bus){
        .core = {CORE_REGISTERS, COUNT(CORE_REGISTERS), CORE_WINDOWS, COUNT(CORE_WINDOWS),
                 .words = core_words},
        .board = {BOARD_REGISTERS, COUNT(BOARD_REGISTERS), BOARD_WINDOWS, COUNT(BOARD_WINDOWS),
                  .words = board_words},
    };
    map_reset(&bus.core);
    map_reset(&bus.board);
    memset(core_words, 0, sizeof core_words);
    if (crc_table[1] == 0)
        make_crc_table();
}

static const struct native_register *register_at(const struct map *map, uint32_t at)
{
    const uint16_t index = at < REGISTER_SPACE ? map->index[at / 4] : NO_REGISTER;
    return index == NO_REGISTER ? 0 : &map->registers[index];
}

// The window that has a word at this address, and where that word is kept
static const struct native_window *window_at(const struct map *map, uint32_t at, uint32_t **word)
{
    uint32_t *words = map->words;
    for (uint32_t i = 0; i < map->window_count; i++) {
        const struct native_window *const window = &map->windows[i];
        if (at - window->address < 4u * window->words) {
            *word = words + (at - window->address) / 4;
            return window;
        }
        words += window->words;
    }
    return 0;
}

uint32_t *bus_place(uint32_t at)
{
    return &bus.core.value[at / 4];
}

uint32_t bus_value(uint32_t at)
{
    return *bus_place(at);
}

uint64_t bus_clock(void)
{
    return bus.clock;
}

static uint32_t *board_place(uint32_t at)
{
    return &bus.board.value[at / 4];
}

#define BOARD(name) (*board_place(OHMCARLO_BOARD__##name##_addr))

static uint32_t *ring_place(uint32_t at)
{
    uint32_t *word = 0;
    (void)window_at(&bus.board, at, &word);
    return word;
}

bool bus_record(uint32_t word)
{
    const uint32_t waiting = BOARD(RECORDS__RECEIVED) - BOARD(RECORDS__TAKEN);
    if (waiting == OHMCARLO_BOARD__RECORDS_RING_words)
        return false;
    *ring_place(RING_AT(RECORDS_RING, BOARD(RECORDS__RECEIVED))) = word;
    BOARD(RECORDS__RECEIVED)++;
    return true;
}

// -- accesses ------------------------------------------------------------------------------------
static void pass_time(uint32_t clocks)
{
    if (bus.clock - bus.kicked > OHMCARLO_BOARD__ID__WATCHDOG_CLOCKS__VALUE_reset)
        unsafe("the watchdog was not kicked in time");
    bus.clock += controller_hangs() ? HANGING_CLOCKS : clocks;
    controller_work(bus.clock);
}

// Natively only an access takes time; the processor counts the clocks of its instructions
static void pass_access(void)
{
    bus.accesses++;
    if (!bus.image)
        pass_time(ACCESS_CLOCKS);
}

static uint32_t board_register(uint32_t at, uint32_t value)
{
    switch (at) {
    case OHMCARLO_BOARD__CRC__VALUE_addr:
        return ~bus.crc;
    case OHMCARLO_BOARD__TIMER__CLOCKS__LO_addr:
        bus.upper = (uint32_t)(bus.clock >> 32);
        return (uint32_t)bus.clock;
    case OHMCARLO_BOARD__TIMER__CLOCKS__HI_addr:
        return bus.upper;
    default:
        return value;
    }
}

static uint32_t read_map(const struct map *map, uint32_t at)
{
    const struct native_register *const found = register_at(map, at);
    uint32_t *word = 0;
    if (found != 0 && found->readable != 0) {
        uint32_t value = map->value[at / 4] & found->readable;
        if (map == &bus.board)
            return board_register(at, value);
        (void)controller_answers(at, &value);
        return value;
    }
    const struct native_window *const window = window_at(map, at, &word);
    if (window != 0 && window->readable) {
        if (map == &bus.core)
            controller_shows(at, word);
        return *word;
    }
    unsafe("a read of what cannot be read");
    return 0;
}

uint32_t hal_read(uint32_t address)
{
    pass_access();
    const uint32_t at = address & ~REGION_BITS;
    if ((address & 3) != 0)
        unsafe("a misaligned read");
    if ((address & REGION_BITS) == MEMORY_CONTROLLER)
        return read_map(&bus.core, at);
    if ((address & REGION_BITS) == MEMORY_BOARD)
        return read_map(&bus.board, at);
    unsafe("a read of no region");
    return 0;
}

static void write_board(uint32_t at, uint32_t value)
{
    bus.told_idle = at == OHMCARLO_BOARD__CONTROL__IDLE_addr && value != 0;
    switch (at) {
    case OHMCARLO_BOARD__CRC__START_addr:
        bus.crc = UINT32_MAX;
        break;
    case OHMCARLO_BOARD__WATCHDOG__KICK_addr:
        bus.kicked = bus.clock;
        break;
    case OHMCARLO_BOARD__CRC__BYTE_addr:
        if ((value & OHMCARLO_BOARD__CRC__BYTE__STROBE_bm) != 0)
            bus.crc = bus.crc >> 8 ^ crc_table[(bus.crc ^ value) & 0xFF];
        break;
    case OHMCARLO_BOARD__UART__TAKEN_addr:
        if (value - BOARD(UART__TAKEN) > BOARD(UART__RECEIVED) - BOARD(UART__TAKEN))
            unsafe("more bytes taken than there are");
        BOARD(UART__TAKEN) = value;
        break;
    case OHMCARLO_BOARD__UART__PUT_addr:
        if (value - BOARD(UART__SENT) > OHMCARLO_BOARD__TX_words)
            unsafe("more bytes to send than the ring holds");
        BOARD(UART__PUT) = value;
        break;
    case OHMCARLO_BOARD__RECORDS__TAKEN_addr:
        if (value - BOARD(RECORDS__TAKEN) > BOARD(RECORDS__RECEIVED) - BOARD(RECORDS__TAKEN))
            unsafe("more records taken than there are");
        BOARD(RECORDS__TAKEN) = value;
        break;
    default:
        *board_place(at) = value;
        break;
    }
}

static bool may_change_while_busy(uint32_t at)
{
    return at == OHMCARLO__CONTROL__COMMAND_addr || at == OHMCARLO__CONTROL__EXTERNAL_LOGLIK_addr;
}

static bool belongs_to_model(uint32_t at)
{
    return at >= OHMCARLO__MODEL__FEATURES_addr && at < OHMCARLO__PROPOSAL__RHO_addr;
}

static void write_core(uint32_t at, uint32_t value)
{
    if (controller_started() && belongs_to_model(at))
        unsafe("the model changed while a chain is started");
    if (controller_busy() && !may_change_while_busy(at))
        unsafe("a register written while the controller is busy");
    if (at == OHMCARLO__CONTROL__COMMAND_addr)
        controller_command(value);
    else
        *bus_place(at) = value;
}

static void write_map(struct map *map, uint32_t at, uint32_t value)
{
    const struct native_register *const found = register_at(map, at);
    uint32_t *word = 0;
    if (found != 0 && found->writable != 0) {
        // read-only bits may be set in a written word; the hardware ignores them
        if ((value & ~(found->writable | found->readable)) != 0)
            unsafe("bits written that do not exist");
        if (map == &bus.board)
            write_board(at, value & found->writable);
        else
            write_core(at, value & found->writable);
        return;
    }
    const struct native_window *const window = window_at(map, at, &word);
    if (window == 0 || !window->writable) {
        unsafe("a write to what cannot be written");
        return;
    }
    if (map == &bus.core && controller_busy())
        unsafe("a window written while the controller is busy");
    if (map == &bus.core)
        controller_takes(at, value);
    if (map == &bus.board && value > 0xFF)
        unsafe("more than a byte in the ring of bytes");
    if (map == &bus.board)
        bus.told_idle = false;
    *word = value;
}

void hal_write(uint32_t address, uint32_t value)
{
    pass_access();
    const uint32_t at = address & ~REGION_BITS;
    if ((address & 3) != 0)
        unsafe("a misaligned write");
    if ((address & REGION_BITS) == MEMORY_CONTROLLER)
        write_map(&bus.core, at, value);
    else if ((address & REGION_BITS) == MEMORY_BOARD)
        write_map(&bus.board, at, value);
    else
        unsafe("a write to no region");
}

// -- the library's interface ---------------------------------------------------------------------
void native_reset(void)
{
    bus_reset();
    BOARD(ID__CLOCK_HZ) = CLOCK_HZ;
    BOARD(ID__SIMULATED) = 1;
    controller_reset();
    firmware_start();
}

void native_image(const uint8_t *image, uint32_t bytes)
{
    bus.image = true;
    processor_load(image, bytes);
}

void native_restart(void)
{
    if (bus.image)
        processor_restart();
    else
        firmware_start();
}

uint64_t native_instructions(void)
{
    return processor_instructions();
}

uint32_t native_stack(void)
{
    return processor_stack();
}

void native_receive(const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (BOARD(UART__RECEIVED) - BOARD(UART__TAKEN) == OHMCARLO_BOARD__RX_words) {
            bus.lost += count - i;
            BOARD(UART__LOST) = bus.lost;
            return;
        }
        *ring_place(RING_AT(RX, BOARD(UART__RECEIVED))) = bytes[i];
        BOARD(UART__RECEIVED)++;
    }
}

uint32_t native_send(uint8_t *bytes, uint32_t limit)
{
    uint32_t count = 0;
    for (; count < limit && BOARD(UART__SENT) != BOARD(UART__PUT); count++) {
        bytes[count] = (uint8_t)*ring_place(RING_AT(TX, BOARD(UART__SENT)));
        BOARD(UART__SENT)++;
    }
    return count;
}

static bool asleep(void)
{
    return bus.told_idle && BOARD(UART__RECEIVED) == BOARD(UART__TAKEN);
}

void native_poll(uint32_t clocks)
{
    const uint64_t until = bus.clock + clocks;
    do {
        if (bus.image)
            pass_time(processor_step());
        else
            firmware_poll();
    } while (bus.clock < until && !asleep());
    bus.kicked += bus.clock < until ? until - bus.clock : 0; // it sleeps, and polls on a board
    bus.clock = bus.clock < until ? until : bus.clock;
}

uint32_t native_unsafe(void)
{
    return bus.unsafe;
}

const char *native_unsafe_reason(void)
{
    return bus.reason != 0 ? bus.reason : "";
}

uint32_t native_lost(void)
{
    return bus.lost;
}

uint32_t native_idle(void)
{
    return bus.told_idle;
}

uint64_t native_clocks(void)
{
    return bus.clock;
}

uint64_t native_accesses(void)
{
    return bus.accesses;
}

uint32_t native_peek(uint32_t address)
{
    uint32_t *word = 0;
    if (register_at(&bus.core, address) != 0) {
        uint32_t value = bus_value(address);
        (void)controller_answers(address, &value);
        return value;
    }
    return window_at(&bus.core, address, &word) != 0 ? *word : 0;
}

void native_advance(uint64_t clocks, uint32_t counts)
{
    bus.clock += clocks;
    bus.kicked += counts != 0 ? 0 : clocks;
}

void native_mutant(uint32_t number)
{
    chosen_mutant = (enum mutant)number;
}

void native_mismatch(uint32_t controller, uint32_t board)
{
    *bus_place(OHMCARLO__ID__MAP_HASH_addr) = OHMCARLO__MAP_HASH ^ controller;
    BOARD(ID__MAP_HASH) = OHMCARLO_BOARD__MAP_HASH ^ board;
}
