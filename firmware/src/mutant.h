// Planted bugs, which test the tests (tests/firmware/test_mutants.py). MUTANT(NAME, good, bad) is
// `good`. In the native build, a test can choose one NAME, whose MUTANT is then `bad`.
#ifndef MUTANT_H
#define MUTANT_H

#ifdef OHMCARLO_NATIVE
enum mutant {
    NO_MUTANT,
    NO_ZERO_BEFORE_A_FRAME,
    SHORT_FRAME_TAKEN,
    RUN_BEYOND_THE_RING,
    TOO_LITTLE_ROOM_FOR_A_FRAME,
    TOO_MUCH_ROOM_FOR_A_FRAME,
    UNSENT_IS_ACKNOWLEDGED,
    OLD_ACKNOWLEDGEMENT_DISCARDED,
    CURSOR_STAYS_BEHIND,
    GOES_BACK_AGAIN_AND_AGAIN,
    GOES_BACK_ONCE_ONLY,
    PATIENCE_FROM_THE_FIRST_MESSAGE,
    PATIENCE_WHILE_SENDING,
    NACK_FOR_EVERY_FRAME,
    NACK_ONCE_ONLY,
    ANSWER_WITHOUT_ROOM,
    RECORDS_LEAVE_ONE_PLACE,
    RECORDS_LEAVE_THREE_PLACES,
    FINISHED_TOO_EARLY,
    JUDGED_TOO_EARLY,
    HALVES_SWAPPED_IN_FINISHED,
    HALVES_SWAPPED_IN_IDENTIFICATION,
    PROPOSAL_ACCEPTED_AT_THE_END,
    PROPOSAL_LEFT_WAITING,
    QUIET_FOR_EVER,
    FEWER_POINTS,
    FEWER_FEATURES,
    FEWER_GROUP_ROWS,
    FEWER_REGIONS,
    FEWER_ROWS,
    FEWER_GROUPS,
    MODEL_OF_A_STARTED_CHAIN,
    FAULT_IS_OK,
    NO_KICK_BY_POLLS,
    NO_KICK_BY_OPERATIONS,
};

extern enum mutant chosen_mutant;

#define MUTANT(name, good, bad) (chosen_mutant == (name) ? (bad) : (good))
#else
#define MUTANT(name, good, bad) (good)
#endif

#endif // MUTANT_H
