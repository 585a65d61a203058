// Planted bugs, which test the tests (tests/firmware/test_mutants.py). MUTANT(NAME, good, bad) is
// `good`. In the native build, a test can choose one NAME, whose MUTANT is then `bad`.
#ifndef MUTANT_H
#define MUTANT_H

#ifdef OHMCARLO_NATIVE
enum mutant {
    NO_MUTANT,
    NO_ZERO_BEFORE_A_FRAME,
};

extern enum mutant chosen_mutant;

#define MUTANT(name, good, bad) (chosen_mutant == (name) ? (bad) : (good))
#else
#define MUTANT(name, good, bad) (good)
#endif

#endif // MUTANT_H
