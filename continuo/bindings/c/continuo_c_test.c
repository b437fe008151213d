/* Uses the C interface from C: each function once, as a program would. Prints each check that fails, and exits with
 * their number.
 *
 *   continuo_c_test MODEL PROMPT.mid */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "continuo/bindings/c/continuo.h"

static int failures = 0;

#define CHECK(condition)                                                                                \
  do {                                                                                                  \
    if (!(condition)) {                                                                                 \
      printf("%s:%d: %s does not hold; error: %s\n", __FILE__, __LINE__, #condition, continuo_error()); \
      ++failures;                                                                                       \
    }                                                                                                   \
  } while (0)

struct bars {
  size_t calls;
  size_t last;
  size_t notes;
};

static int count_bar(void* user, size_t piece, size_t bars, const continuo_note* notes, size_t note_count) {
  struct bars* counted = user;
  ++counted->calls;
  counted->last = bars;
  counted->notes += note_count;
  CHECK(piece < 3);
  for (size_t i = 0; i < note_count; ++i) {
    CHECK(notes[i].pitch < 128 && notes[i].duration > 0.0 && notes[i].ticks > 0);
  }
  return 0;
}

static int stop_at_once(void* user) {
  (void)user;
  return 1;
}

static int has_midi(const continuo_pieces* pieces, size_t index) {
  size_t size = 0;
  const uint8_t* bytes = continuo_midi(pieces, index, &size);
  return bytes != NULL && size > 22 && memcmp(bytes, "MThd", 4) == 0;
}

static void test_new_pieces(continuo_model* model) {
  continuo_options* options = continuo_new_options(model);
  CHECK(options != NULL);
  CHECK(continuo_set_integer(options, "count", 3) == 0);
  CHECK(continuo_set_integer(options, "keep", 2) == 0);
  CHECK(continuo_set_number(options, "bpm", 96) == 0);
  struct bars counted = {0, 0, 0};
  continuo_on_bar(options, count_bar, &counted);
  continuo_pieces* pieces = continuo_generate(model, 2, options);
  CHECK(continuo_piece_count(pieces) == 2);
  CHECK(continuo_was_stopped(pieces) == 0);
  CHECK(continuo_piece_nll(pieces, 0) <= continuo_piece_nll(pieces, 1));
  CHECK(counted.calls >= 3 && counted.last == 2 && counted.notes > 0);
  size_t size = 0;
  CHECK(has_midi(pieces, 0));
  CHECK(continuo_new_bars(pieces, 0, &size) == NULL && size == 0);
  CHECK(continuo_midi(pieces, 2, &size) == NULL && size == 0);
  CHECK(isnan(continuo_piece_nll(pieces, 2)));
  continuo_free_pieces(pieces);

  continuo_on_step(options, stop_at_once, NULL);
  pieces = continuo_generate(model, 2, options);
  CHECK(pieces != NULL && continuo_piece_count(pieces) == 0 && continuo_was_stopped(pieces) == 1);
  continuo_free_pieces(pieces);
  continuo_free_options(options);
}

static void test_a_file(continuo_model* model, const uint8_t* midi, size_t midi_size) {
  size_t size = 0;
  continuo_pieces* pieces = continuo_continue(model, midi, midi_size, 4, 2, NULL);
  CHECK(continuo_piece_count(pieces) == 1);
  CHECK(has_midi(pieces, 0));
  CHECK(continuo_new_bars(pieces, 0, &size) != NULL && size > 22);
  continuo_free_pieces(pieces);

  continuo_options* options = continuo_new_options(model);
  CHECK(continuo_set_integer(options, "count", 2) == 0);
  pieces = continuo_fill(model, midi, midi_size, 3, 4, options);
  CHECK(continuo_piece_count(pieces) == 1);
  CHECK(has_midi(pieces, 0));
  CHECK(continuo_piece_number(pieces, 0) < 2);
  continuo_free_pieces(pieces);
  continuo_free_options(options);
}

static void test_errors(continuo_model* model, const uint8_t* midi, size_t midi_size) {
  CHECK(continuo_load("no/such/model", 0) == NULL);
  CHECK(strstr(continuo_error(), "no/such/model") != NULL);
  CHECK(continuo_continue(model, midi, midi_size, 900, 2, NULL) == NULL);
  CHECK(strstr(continuo_error(), "the prompt is to be its first 900") != NULL);
  continuo_options* options = continuo_new_options(model);
  CHECK(strcmp(continuo_error(), "") == 0);
  CHECK(continuo_set_number(options, "top_p", 7) != 0);
  CHECK(strstr(continuo_error(), "top-p is 7") != NULL);
  CHECK(continuo_set_text(options, "chords", "C | H") != 0);
  CHECK(strstr(continuo_error(), "bar 2 has 'H'") != NULL);
  continuo_free_options(options);
  continuo_free_options(NULL);
  continuo_free_pieces(NULL);
  continuo_free_model(NULL);
}

int main(int argc, char** argv) {
  if (argc != 3) {
    printf("usage: continuo_c_test MODEL PROMPT.mid\n");
    return 2;
  }
  static uint8_t midi[1 << 16];
  FILE* file = fopen(argv[2], "rb");
  const size_t midi_size = file != NULL ? fread(midi, 1, sizeof midi, file) : 0;
  if (file != NULL) {
    fclose(file);
  }
  CHECK(midi_size > 0);
  CHECK(continuo_abi_version() == CONTINUO_ABI_VERSION);
  CHECK(strlen(continuo_version()) > 0);
  continuo_model* model = continuo_load(argv[1], 1);
  CHECK(model != NULL);
  if (model != NULL) {
    test_new_pieces(model);
    test_a_file(model, midi, midi_size);
    test_errors(model, midi, midi_size);
    continuo_free_model(model);
  }
  printf("%d failures\n", failures);
  return failures;
}
