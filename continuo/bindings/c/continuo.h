/* Continuo in C: load a model and write music with it. Link with -lcontinuo.
 *
 *   continuo_model* model = continuo_load("models/pop-piano", 0);
 *   continuo_options* options = continuo_new_options(model);
 *   continuo_set_integer(options, "seed", 7);
 *   continuo_pieces* pieces = continuo_generate(model, 32, options);
 *   size_t size;
 *   const uint8_t* midi = continuo_midi(pieces, 0, &size);
 *
 * Every function may be called from any thread; one model is used by one call at a time, and a handle must not be freed
 * while it is used. Functions that can fail return NULL or a number other than 0, and continuo_error() then says why,
 * for the thread that called. No exception leaves the library. MIDI is passed as the bytes of a Standard MIDI File.
 * Strings are UTF-8 and end with a zero. */
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

/* Grows when a change here requires programs to be compiled again. New functions and new option names do not. */
#define CONTINUO_ABI_VERSION 2

typedef struct continuo_model continuo_model;
typedef struct continuo_options continuo_options;
typedef struct continuo_pieces continuo_pieces;

/* CONTINUO_ABI_VERSION of the library, and its version as text. */
CONTINUO_API int continuo_abi_version(void);
CONTINUO_API const char* continuo_version(void);

/* Why this thread's last call failed; "" if it did not. Valid until its next call. */
CONTINUO_API const char* continuo_error(void);

/* ---- Models ---- */

/* Loads a model directory. `threads` computes with that many, 0 with one for each core. NULL on failure. */
CONTINUO_API continuo_model* continuo_load(const char* directory, size_t threads);
CONTINUO_API void continuo_free_model(continuo_model* model); /* NULL is allowed */

/* ---- Options ---- */

/* One piece, seed 1, the sampling that comes with `model`. NULL on failure. The options may be used with any model and
 * for any number of calls. */
CONTINUO_API continuo_options* continuo_new_options(const continuo_model* model);
CONTINUO_API void continuo_free_options(continuo_options* options); /* NULL is allowed */

/* Sets an option by name. Each fails on an unknown name and on a value out of range, and then changes nothing.
 *
 *   temperature         0: always the likeliest token; 1: the model's own distribution; more: bolder
 *   top_k               draw from the k likeliest tokens; 0: from all
 *   top_p               draw from the likeliest tokens whose probabilities together reach p; 1: from all
 *   pitch_top_p         top_p of pitches alone: notes stay in the key, and rhythm and length are free; 1: as top_p
 *   min_p               draw from tokens at least this share as likely as the likeliest; 0: from all
 *   repetition_penalty  above 1: makes tokens that the piece already has less likely
 *   recall              share of the notes that return in a bar which repeats another; of models with plan tokens
 *   chord_recall        share of the other bars whose chords return from 4, 8 or 16 bars before; of models with chord
 *                       tokens
 *   drafts              how often every two bars are drawn, 1 to 16; those most like real music are kept; of models
 *                       with a discriminator.json
 *   bpm                 the tempo of new pieces and of the new bars of a continuation in quarter notes per minute; 0:
 *                       the model's choice in new pieces, about the tempo of the given bars in continuations */
CONTINUO_API int continuo_set_number(continuo_options* options, const char* name, double value);

/*   seed                the same seed gives the same bytes
 *   count               pieces; when bars are rewritten, candidates
 *   keep                only the N best pieces, best first; 0: all; when bars are rewritten, the best one
 *   batch               pieces written at a time; affects the speed only; 0: as many as suit the model
 *   retries             how often a piece that is stuck may go back two bars; 0: never
 *   keep_top            1: keep the top notes of bars that are rewritten, and write new notes below them; 0: do not
 *   silent_bars, equal_bars, notes_at_once
 *                       a piece with more silent bars in a row, more equal bars in a row or more notes that begin
 *                       together is stuck; 4, 4 and 16 */
CONTINUO_API int continuo_set_integer(continuo_options* options, const char* name, uint64_t value);

/*   chords              "C | Am | F G7": a chord progression from the first new bar on, repeated to the end; needs a
 *                       model with chord tokens; "": none
 *   form                "A8 B8 A8 C8": sections of the new bars, a letter that returns repeats its bars; needs a
 *                       model with plan tokens, as density and loudness do; "": the model's choice
 *   density, loudness   how many notes, how loud, 0 to 7: "5", one level per section "2 5 2 6", or points LEVEL:BAR
 *                       "2:1 6:24"
 *   scale, range, grid, max_notes, max_polyphony
 *                       what new notes keep to: "A minor" or "C D E G A"; "C3:C6"; "16", "8" or "12" notes of a bar of
 *                       4/4; at most "8" notes that begin in a bar; at most "4" that sound at once. For some bars:
 *                       "A minor@9-16". Each call adds one, and the last that names a bar holds there; "" removes all
 */
CONTINUO_API int continuo_set_text(continuo_options* options, const char* name, const char* value);

/* A note of a bar that has been written. Times are from the start of the piece. */
typedef struct continuo_note {
  double seconds;
  double duration; /* in seconds */
  int64_t tick;    /* in the ticks of the piece's file */
  int64_t ticks;   /* duration */
  uint8_t pitch;
  uint8_t velocity;
  uint8_t program;
  uint8_t is_drum; /* 0 or 1 */
} continuo_note;

/* Called when a piece has `bars` complete bars, the prompt's included, with the notes that are new since the call
 * before. `piece` counts from 0. If the piece has gone back (option "retries"), `bars` is at most that of an earlier
 * call, and the call replaces all earlier ones of the piece with as many bars or more. Returns 0 to continue; any other
 * number stops as a continuo_stop_callback does. Called by the thread that writes; must not use the model. */
typedef int (*continuo_bar_callback)(void* user, size_t piece, size_t bars, const continuo_note* notes,
                                     size_t note_count);
CONTINUO_API void continuo_on_bar(continuo_options* options, continuo_bar_callback callback, void* user);

/* Asked before each token. If it returns a number other than 0, pieces under way are dropped and the call succeeds with
 * those that are complete. Called by the thread that writes; must not use the model. */
typedef int (*continuo_stop_callback)(void* user);
CONTINUO_API void continuo_on_step(continuo_options* options, continuo_stop_callback callback, void* user);

/* ---- Writing ---- */

/* Each returns pieces to be freed with continuo_free_pieces, by number if all are kept, else best first; or NULL on
 * failure. `options` may be NULL. */

/* Writes new pieces of `bars` bars. */
CONTINUO_API continuo_pieces* continuo_generate(continuo_model* model, size_t bars, const continuo_options* options);

/* Keeps the first `prompt_bars` bars of a MIDI file and writes `bars` new ones after them. */
CONTINUO_API continuo_pieces* continuo_continue(continuo_model* model, const uint8_t* midi, size_t midi_size,
                                                size_t prompt_bars, size_t bars, const continuo_options* options);

/* Rewrites the bars `first_bar` to `last_bar` of a MIDI file, both included, counted from 1. Of the option "count"
 * candidates those are best after which the model finds the next eight bars likeliest. */
CONTINUO_API continuo_pieces* continuo_fill(continuo_model* model, const uint8_t* midi, size_t midi_size,
                                            size_t first_bar, size_t last_bar, const continuo_options* options);

/* ---- Pieces ---- */

/* NULL is allowed: it has no pieces. An `index` that is not below continuo_piece_count gives NULL, 0 or NaN. */
CONTINUO_API void continuo_free_pieces(continuo_pieces* pieces);
CONTINUO_API size_t continuo_piece_count(const continuo_pieces* pieces);
/* 1 if a callback stopped the call before all pieces were complete, else 0. */
CONTINUO_API int continuo_was_stopped(const continuo_pieces* pieces);

/* The bytes of the whole piece, and of a continuation the new bars alone, else NULL. They belong to `pieces`. */
CONTINUO_API const uint8_t* continuo_midi(const continuo_pieces* pieces, size_t index, size_t* size);
CONTINUO_API const uint8_t* continuo_new_bars(const continuo_pieces* pieces, size_t index, size_t* size);

/* The piece's number: 0 to the option "count" - 1. */
CONTINUO_API size_t continuo_piece_number(const continuo_pieces* pieces, size_t index);
/* What pieces are ranked by: the mean negative log-likelihood per new token, in nats; of rewritten bars per token of
 * the bars after them. */
CONTINUO_API double continuo_piece_nll(const continuo_pieces* pieces, size_t index);
/* How often the piece went back, and how many bars are stuck as it is. */
CONTINUO_API size_t continuo_piece_retries(const continuo_pieces* pieces, size_t index);
CONTINUO_API size_t continuo_piece_stuck_bars(const continuo_pieces* pieces, size_t index);

#ifdef __cplusplus
}
#endif

#endif /* CONTINUO_H_ */
