// The board's processor: RV32IM without division, over the model's bus. With it, tests run the
// image of the board and count its clocks. The clocks of an instruction come from PicoRV32's
// manual, for its barrel shifter, its one-bit multiplier, and memory without wait states.
#include "processor.h"

#include <string.h>

#include "model.h"

#define WORDS (MEMORY_RAM_BYTES / 4)
#define REGISTERS 32
#define SP 2

struct processor {
    uint32_t x[REGISTERS];
    uint32_t pc;
    uint32_t lowest; // least value of the stack pointer
    uint64_t instructions;
    bool stopped;
    uint32_t ram[WORDS];
};

static struct processor cpu;

enum opcode {
    LUI = 0x37,
    AUIPC = 0x17,
    JAL = 0x6F,
    JALR = 0x67,
    BRANCH = 0x63,
    LOAD = 0x03,
    STORE = 0x23,
    IMMEDIATE = 0x13,
    REGISTER = 0x33,
};

enum clocks { PLAIN = 3, SHIFT = 4, TAKEN = 5, TO_MEMORY = 5, TO_REGISTER = 6, MULTIPLY = 40 };

void processor_load(const uint8_t *image, uint32_t bytes)
{
    memset(cpu.ram, 0, sizeof cpu.ram);
    memcpy(cpu.ram, image, bytes);
    processor_restart();
}

void processor_restart(void)
{
    memset(cpu.x, 0, sizeof cpu.x);
    cpu.pc = MEMORY_RAM;
    cpu.lowest = MEMORY_RAM_BYTES;
    cpu.stopped = false;
}

uint64_t processor_instructions(void)
{
    return cpu.instructions;
}

uint32_t processor_stack(void)
{
    return MEMORY_RAM_BYTES - cpu.lowest;
}

static uint32_t trap(const char *reason)
{
    if (!cpu.stopped)
        unsafe(reason);
    cpu.stopped = true;
    return PLAIN;
}

// -- memory --------------------------------------------------------------------------------------
static uint32_t read_word(uint32_t address)
{
    return address < MEMORY_RAM_BYTES ? cpu.ram[address / 4] : hal_read(address & ~3u);
}

static uint32_t load(uint32_t address, uint32_t kind)
{
    const uint32_t size = 1u << (kind & 3);
    if ((address & (size - 1)) != 0)
        trap("a misaligned load");
    const uint32_t word = read_word(address) >> 8 * (address & 3);
    switch (kind) {
    case 0:
        return (uint32_t)(int32_t)(int8_t)word;
    case 1:
        return (uint32_t)(int32_t)(int16_t)word;
    case 2:
        return word;
    case 4:
        return word & 0xFF;
    case 5:
        return word & 0xFFFF;
    default:
        return trap("an illegal load");
    }
}

static void store(uint32_t address, uint32_t value, uint32_t kind)
{
    const uint32_t size = 1u << (kind & 3);
    if (kind > 2 || (address & (size - 1)) != 0)
        trap("an illegal or misaligned store");
    if (address >= MEMORY_RAM_BYTES) {
        if (size != 4)
            trap("a part of a register stored");
        hal_write(address, value);
        return;
    }
    const uint32_t shift = 8 * (address & 3);
    const uint32_t mask = (size == 4 ? UINT32_MAX : (1u << 8 * size) - 1) << shift;
    uint32_t *const word = &cpu.ram[address / 4];
    *word = (*word & ~mask) | (value << shift & mask);
}

// -- instructions --------------------------------------------------------------------------------
static uint32_t alu(uint32_t kind, uint32_t a, uint32_t b, bool other)
{
    switch (kind) {
    case 0:
        return other ? a - b : a + b;
    case 1:
        return a << (b & 31);
    case 2:
        return (int32_t)a < (int32_t)b;
    case 3:
        return a < b;
    case 4:
        return a ^ b;
    case 5:
        return other ? (uint32_t)((int32_t)a >> (b & 31)) : a >> (b & 31);
    case 6:
        return a | b;
    default:
        return a & b;
    }
}

static uint32_t multiply(uint32_t kind, uint32_t a, uint32_t b)
{
    switch (kind) {
    case 0:
        return a * b;
    case 1:
        return (uint32_t)((uint64_t)((int64_t)(int32_t)a * (int32_t)b) >> 32);
    case 2:
        return (uint32_t)((uint64_t)((int64_t)(int32_t)a * b) >> 32);
    case 3:
        return (uint32_t)((uint64_t)a * b >> 32);
    default:
        return trap("a division");
    }
}

static bool branches(uint32_t kind, uint32_t a, uint32_t b)
{
    bool holds = a == b;
    if ((kind & 4) != 0)
        holds = (kind & 2) != 0 ? a < b : (int32_t)a < (int32_t)b;
    return holds != ((kind & 1) != 0);
}

static int32_t sign_extend(uint32_t value, uint32_t bits)
{
    return (int32_t)(value << (32 - bits)) >> (32 - bits);
}

static uint32_t branch_offset(uint32_t word)
{
    return (uint32_t)sign_extend((word >> 31) << 12 | (word >> 7 & 1) << 11 |
                                     (word >> 25 & 0x3F) << 5 | (word >> 8 & 0xF) << 1,
                                 13);
}

static uint32_t jump_offset(uint32_t word)
{
    return (uint32_t)sign_extend((word >> 31) << 20 | (word >> 12 & 0xFF) << 12 |
                                     (word >> 20 & 1) << 11 | (word >> 21 & 0x3FF) << 1,
                                 21);
}

static void set(uint32_t rd, uint32_t value)
{
    if (rd != 0)
        cpu.x[rd] = value;
    if (rd == SP && value < cpu.lowest)
        cpu.lowest = value;
}

// Executes one instruction; returns its clocks
static uint32_t execute(uint32_t word)
{
    const uint32_t rd = word >> 7 & 31, kind = word >> 12 & 7;
    const uint32_t a = cpu.x[word >> 15 & 31], b = cpu.x[word >> 20 & 31];
    const uint32_t immediate = (uint32_t)sign_extend(word >> 20, 12);
    const uint32_t next = cpu.pc + 4;
    const uint32_t here = cpu.pc;
    cpu.pc = next;
    switch (word & 0x7F) {
    case LUI:
        set(rd, word & 0xFFFFF000u);
        return PLAIN;
    case AUIPC:
        set(rd, here + (word & 0xFFFFF000u));
        return PLAIN;
    case JAL:
        set(rd, next);
        cpu.pc = here + jump_offset(word);
        return PLAIN;
    case JALR:
        set(rd, next);
        cpu.pc = (a + immediate) & ~1u;
        return TO_REGISTER;
    case BRANCH:
        if (!branches(kind, a, b))
            return PLAIN;
        cpu.pc = here + branch_offset(word);
        return TAKEN;
    case LOAD:
        set(rd, load(a + immediate, kind));
        return TO_MEMORY;
    case STORE:
        store(a + ((immediate & ~31u) | rd), b, kind);
        return TO_MEMORY;
    case IMMEDIATE:
        set(rd, alu(kind, a, immediate, kind == 5 && (word >> 30 & 1) != 0));
        return kind == 1 || kind == 5 ? SHIFT : PLAIN;
    case REGISTER:
        if (word >> 25 == 1) {
            set(rd, multiply(kind, a, b));
            return MULTIPLY;
        }
        set(rd, alu(kind, a, b, (word >> 30 & 1) != 0));
        return kind == 1 || kind == 5 ? SHIFT : PLAIN;
    default:
        return trap("an illegal instruction");
    }
}

uint32_t processor_step(void)
{
    if (cpu.stopped || cpu.pc >= MEMORY_RAM_BYTES || (cpu.pc & 3) != 0)
        return trap("a jump to nowhere");
    cpu.instructions++;
    return execute(cpu.ram[cpu.pc / 4]);
}
