/* Continuo in C: load a model, write pieces, go on from one. Link with -lcontinuo.
 *
 * Every function may be called from any thread; one model may be used by one thread at a time. Functions that can fail
 * return NULL or a number other than 0, and continuo_error() then says why, for the thread that called. No exception
 * leaves the library. MIDI is passed as the bytes of a Standard MIDI File. */
#ifndef CONTINUO_H_
#define CONTINUO_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CONTINUO_API __attribute__((visibility("default")))
#else
#define CONTINUO_API
#endif

/* Grows when something here changes so that programs must be compiled again. */
#define CONTINUO_ABI_VERSION 1

typedef struct continuo_model continuo_model;

/* How to write. Fill with continuo_default_options first. */
typedef struct continuo_options {
  size_t struct_size;        /* set by continuo_default_options; programs of older versions have smaller ones */
  size_t bars;               /* of the whole piece, the prompt's among them */
  uint64_t seed;             /* the same seed gives the same bytes */
  double temperature;        /* 0: always the likeliest */
  int64_t top_k;             /* 0: all */
  double top_p;              /* 1: all */
  double min_p;              /* 0: all */
  double repetition_penalty; /* 1: none */
} continuo_options;

typedef struct continuo_midi {
  uint8_t* data;
  size_t size;
} continuo_midi;

/* CONTINUO_ABI_VERSION of the library, and its version as text. */
CONTINUO_API int continuo_abi_version(void);
CONTINUO_API const char* continuo_version(void);

/* Why this thread's last call failed; "" if none did. Valid until its next call. */
CONTINUO_API const char* continuo_error(void);

/* Loads a model directory; threads 0: one for each core. NULL on failure. */
CONTINUO_API continuo_model* continuo_load(const char* directory, size_t threads);
/* Frees a model; NULL is fine. */
CONTINUO_API void continuo_free(continuo_model* model);

/* 32 bars, seed 1, and the sampling that comes with the model. */
CONTINUO_API void continuo_default_options(const continuo_model* model, continuo_options* options);

/* Writes a new piece to `midi`, which is to be freed with continuo_free_midi. 0 on success; on failure `midi` is empty.
 */
CONTINUO_API int continuo_generate(continuo_model* model, const continuo_options* options, continuo_midi* midi);

/* The same, going on from the first `prompt_bars` bars of a MIDI file, which come back as they were. */
CONTINUO_API int continuo_continue(continuo_model* model, const uint8_t* prompt, size_t prompt_size, size_t prompt_bars,
                                   const continuo_options* options, continuo_midi* midi);

/* Frees and empties; one that is empty is fine. */
CONTINUO_API void continuo_free_midi(continuo_midi* midi);

#ifdef __cplusplus
}
#endif

#endif /* CONTINUO_H_ */
