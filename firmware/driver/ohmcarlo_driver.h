// Driver of the ohmcarlo IP core for processors without an operating system: C99, no memory
// allocation, no library, no division. It needs two generated headers of the same core: ohmcarlo.h
// (register map) and ohmcarlo_records.h (record words).
//
// Registers are read and written as aligned 32-bit words at `base`. If they are not memory-mapped,
// define OHMCARLO_CUSTOM_ACCESS and supply ohmcarlo_read32() and ohmcarlo_write32().
#ifndef OHMCARLO_DRIVER_H
#define OHMCARLO_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ohmcarlo.h"
#include "ohmcarlo_records.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef OHMCARLO_CUSTOM_ACCESS
uint32_t ohmcarlo_read32(uintptr_t address);
void ohmcarlo_write32(uintptr_t address, uint32_t value);
#else
static inline uint32_t ohmcarlo_read32(uintptr_t address)
{
    return *(const volatile uint32_t *)address;
}

static inline void ohmcarlo_write32(uintptr_t address, uint32_t value)
{
    *(volatile uint32_t *)address = value;
}
#endif

// Result of a call. After anything but OHMCARLO_OK, give ohmcarlo_reset() and load again, unless
// the comment names another remedy.
enum ohmcarlo_error {
    OHMCARLO_OK,
    OHMCARLO_NO_CORE,         // no core at this address: check the address and the core's reset
    OHMCARLO_OTHER_MAP,       // the core has another register map: use the headers of its export
    OHMCARLO_OTHER_IMAGE,     // the image was made for another register map: make it again
    OHMCARLO_BUSY,            // a command runs: wait for its end, or halt it
    OHMCARLO_NOT_LOADED,      // no image: call ohmcarlo_load() first
    OHMCARLO_NOT_STARTED,     // no samples: call ohmcarlo_start() first
    OHMCARLO_STARTED,         // the chain has samples: call ohmcarlo_load() before new points
    OHMCARLO_NOT_WRITTEN,     // a register did not keep its value: check the bus
    OHMCARLO_TIMEOUT,         // no progress for `patience` polls
    OHMCARLO_FAULT,           // the sequencer stopped: ohmcarlo_fault_cause() returns the cause
    OHMCARLO_ALARM,           // the coin failed a health test
    OHMCARLO_NO_ROWS,         // a region has no working row group
    OHMCARLO_EXHAUSTED,       // the array is full: set model.options.stream, or take fewer steps
    OHMCARLO_SMALL_BUFFER,    // the record buffer is smaller than a record: image.record_words
    OHMCARLO_BAD_RECORD,      // a record of an unknown kind: the records are out of step
    OHMCARLO_TOO_MANY_POINTS, // more points than the data memory holds
    OHMCARLO_STOPPED,         // the caller's function ended the command
};

// Contents of a register after ohmcarlo_load()
struct ohmcarlo_setting {
    uint32_t address; // byte address within the register map
    uint32_t value;
};

// Contents of a memory window from its first word on
struct ohmcarlo_window {
    uint32_t address; // byte address within the register map
    uint32_t count;   // words
    const uint32_t *words;
};

// A training job: settings, tables and data. `python -m ohmcarlo_rtl.driver` generates it.
struct ohmcarlo_image {
    uint32_t map_hash;     // of the register map that it was made for
    uint32_t record_words; // longest record
    uint32_t points;       // data points
    const uint32_t *point_words;
    const struct ohmcarlo_setting *settings;
    uint32_t setting_count;
    const struct ohmcarlo_window *windows;
    uint32_t window_count;
    bool emulator; // restart the emulated array
};

// Words of a data point in memory
#define OHMCARLO_POINT_WORDS                                                                       \
    ((uint32_t)(OHMCARLO__POINTS_words) / (uint32_t)(OHMCARLO__ID__MAX_POINTS__VALUE_reset))
#define OHMCARLO_MAX_POINTS ((uint32_t)(OHMCARLO__ID__MAX_POINTS__VALUE_reset))

enum ohmcarlo_kind {
    OHMCARLO_STEP = OHMCARLO_RECORD_STEP,
    OHMCARLO_SAMPLE = OHMCARLO_RECORD_SAMPLE,
    OHMCARLO_PREDICTION = OHMCARLO_RECORD_PREDICTION,
};

// A step of a chain; its record needs model.options.record_steps
struct ohmcarlo_step {
    bool accepted;
    bool valid;
    uint32_t region;       // chain
    uint32_t points;       // data points that were evaluated
    int64_t log_posterior; // of the new sample, 16 fraction bits; 0 if it was not accepted
};

// A sample: retired (streamed when its chain leaves it) or current (ohmcarlo_flush)
struct ohmcarlo_sample {
    bool current;
    uint32_t region;       // chain
    uint32_t multiplicity; // steps that the chain stayed there
    int64_t log_posterior; // 16 fraction bits
    const uint32_t *pairs; // a word for each device pair; valid until the next record is taken
    uint32_t pair_count;
};

// A data point: sums over the samples in the array, each as often as its multiplicity
struct ohmcarlo_prediction {
    uint64_t sum;    // of the probabilities, 16 fraction bits
    uint64_t square; // of their squares, 16 fraction bits
};

struct ohmcarlo_record {
    enum ohmcarlo_kind kind;
    union {
        struct ohmcarlo_step step;
        struct ohmcarlo_sample sample;
        struct ohmcarlo_prediction prediction;
    } as; // the member that `kind` names
};

// The weight of an input is proportional to the difference of the codes of its pair.
static inline int32_t ohmcarlo_pair_difference(uint32_t pair)
{
    return (int32_t)(pair & OHMCARLO_CODE_MASK) -
           (int32_t)(pair >> OHMCARLO_MINUS_SHIFT & OHMCARLO_CODE_MASK);
}

// Called with every record of a command. Returns false to end a run after its present step; the
// records that are still on their way are then dropped, and the call returns OHMCARLO_STOPPED.
typedef bool (*ohmcarlo_sink)(void *context, const struct ohmcarlo_record *record);

// A core. Set the first six members, then call ohmcarlo_open().
struct ohmcarlo {
    uintptr_t base;        // address of the core's registers
    uint32_t *buffer;      // for one record
    uint32_t buffer_words; // at least image.record_words
    uint32_t patience;     // polls without progress that end a wait; 0: wait for ever
    void (*pause)(void *); // called while a command runs and no record waits; may be NULL. It may
                           // sleep until an interrupt if run_ended, record_waiting and fault are
                           // enabled, but not if the handler has run since the last pause
    void *pause_context;   // its argument
    // the driver's own
    const struct ohmcarlo_image *image;
    const uint32_t *point_words; // of the chain
    uint32_t points;             // of the chain
    uint32_t taken;              // words read from the ring, modulo 2^32
    uint32_t filled;             // words of the present record in `buffer`
    uint32_t enabled;            // causes of interrupts
    volatile uint32_t seen;      // causes that ohmcarlo_acknowledge() has cleared
};

const char *ohmcarlo_error_name(enum ohmcarlo_error error);

// Identify the core: magic numbers and register map. It writes nothing unless they are right.
enum ohmcarlo_error ohmcarlo_open(struct ohmcarlo *core);

// End any command, drop its records, clear faults and interrupts, and forget the chain. Registers,
// tables and data stay. A command that does not end within `patience` polls is switched off.
enum ohmcarlo_error ohmcarlo_reset(struct ohmcarlo *core);

// Reset, then load a job. The image must stay in memory.
enum ohmcarlo_error ohmcarlo_load(struct ohmcarlo *core, const struct ohmcarlo_image *image);

// Load data points of the chain in place of those of the image, before ohmcarlo_start(). The words
// must stay in memory.
enum ohmcarlo_error ohmcarlo_load_points(struct ohmcarlo *core, const uint32_t *words,
                                         uint32_t points);

// Test the coin, and program the first sample of every chain.
enum ohmcarlo_error ohmcarlo_start(struct ohmcarlo *core);

// Run steps, all chains together; every record goes to `sink` (NULL: dropped).
enum ohmcarlo_error ohmcarlo_run(struct ohmcarlo *core, uint32_t steps, ohmcarlo_sink sink,
                                 void *context);

// Send the current sample of every chain to `sink`.
enum ohmcarlo_error ohmcarlo_flush(struct ohmcarlo *core, ohmcarlo_sink sink, void *context);

// Mean probability of label 1 of any number of points, 16 fraction bits, over the samples in the
// array. `words`: OHMCARLO_POINT_WORDS for each point; NULL: the first `points` points of the
// chain. The points of the chain are in the data memory again afterwards.
enum ohmcarlo_error ohmcarlo_predict(struct ohmcarlo *core, const uint32_t *words, uint32_t points,
                                     uint32_t *means);

// The parts of ohmcarlo_run(), for programs that do other work meanwhile: begin; call
// ohmcarlo_poll() until it returns something other than OHMCARLO_BUSY.
enum ohmcarlo_error ohmcarlo_begin_run(struct ohmcarlo *core, uint32_t steps);

// Take at most one record. `*taken`: `*record` holds one. Returns OHMCARLO_BUSY while the command
// runs or a record waits, then its result.
enum ohmcarlo_error ohmcarlo_poll(struct ohmcarlo *core, struct ohmcarlo_record *record,
                                  bool *taken);

// End a run after its present step.
void ohmcarlo_halt(struct ohmcarlo *core);

// Emergency stop: no operation reaches the array until ohmcarlo_reset().
void ohmcarlo_off(struct ohmcarlo *core);

// Enable causes (OHMCARLO__INTERRUPT__ENABLE__*_bm). The line is high while one of them is set;
// record_waiting is set from `threshold` words in the ring on.
void ohmcarlo_enable_interrupts(struct ohmcarlo *core, uint32_t causes, uint32_t threshold);

// For the interrupt handler: returns the enabled causes that are set, and releases the line. It
// clears latched causes, and disables record_waiting until the driver has emptied the ring.
uint32_t ohmcarlo_acknowledge(struct ohmcarlo *core);

// Cause of the last fault: one of OHMCARLO__STATUS__STATE__FAULT_CAUSE__*_e
uint32_t ohmcarlo_fault_cause(const struct ohmcarlo *core);

// Multiplicities of all samples in the array, summed; while the core is idle
uint32_t ohmcarlo_samples(const struct ohmcarlo *core);

// sum / samples, rounded down; both as in a prediction record
uint32_t ohmcarlo_mean(uint64_t sum, uint32_t samples);

#ifdef __cplusplus
}
#endif

#endif // OHMCARLO_DRIVER_H
