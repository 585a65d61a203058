// Frames on the wire: COBS of content and CRC-32, between two zero bytes. They are read from the
// receive ring and written to the transmit ring.
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "spec_link.h"

#define FRAME_WORDS ((LINK_MAX_FRAME + 3) / 4)
#define FRAME_HEADER_WORDS (LINK_HEADER_BYTES / 4)

enum frame_event {
    FRAME_NONE,    // no complete frame yet
    FRAME_WHOLE,   // frame_bytes() and frame_length() describe one
    FRAME_DAMAGED, // the coding, the length or the checksum of a frame is wrong
};

void frame_reset(void);

// Takes bytes from the ring up to the end of a frame
enum frame_event frame_receive(void);

// The frame that was received last: header and payload, on a multiple of four bytes. Valid until
// the next frame_receive().
const uint8_t *frame_bytes(void);
uint32_t frame_length(void); // bytes of header and payload

bool frame_waiting(void);  // bytes were received and not yet taken
bool frame_all_sent(void); // the transmit ring is empty
bool frame_room(void);     // a frame of any length fits into that ring

// Sends header and payload, `length` bytes of `words`. Requires frame_room().
void frame_send(const uint32_t *words, uint32_t length);

#endif // FRAME_H
