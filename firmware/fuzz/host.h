// A small host for the fuzzers: makes frames, takes the board's apart, and aborts when a rule of
// the link is broken.
#ifndef HOST_H
#define HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "native.h"
#include "spec_link.h"

// One input, consumed from the front; zeros when it has ended
struct input {
    const uint8_t *data;
    size_t left;
};

uint8_t take8(struct input *input);
uint16_t take16(struct input *input);
uint32_t take32(struct input *input);
size_t take_bytes(struct input *input, uint8_t *to, size_t limit); // how many there were

struct header {
    uint8_t version;
    uint8_t kind;
    uint16_t session;
    uint16_t sequence;
    uint16_t acknowledgement;
};

// COBS(header, payload, CRC), zero: its length. `wire` has room for LINK_MAX_WIRE + 8
size_t make_frame(const struct header *header, const uint8_t *payload, size_t length,
                  uint8_t *wire);

// What the host knows of the session
struct host {
    uint16_t session;
    bool open;
    uint16_t sequence;     // of its next message
    uint16_t expected;     // next message of the board
    uint16_t acknowledged; // what the board was told last
    bool deaf;             // frames of the board are lost
    bool running;          // a command that takes time was accepted and has not finished
    bool numbered;         // words of the record stream have come, up to `number`
    uint32_t number;
    uint64_t long_requests; // bit n: request n is such a command
};

void host_open(struct host *host, uint16_t session);
void host_message(struct host *host, const uint8_t *message, size_t length);
void host_acknowledge(struct host *host);
// Lets the board work, and takes what it sent
void host_poll(struct host *host, uint32_t clocks);
// Ends whatever goes on; the board must come to rest
void host_settle(struct host *host);

void check(bool holds, const char *rule);
void check_safe(void);

#endif // HOST_H
