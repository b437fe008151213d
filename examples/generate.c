/* In C: generate_c models/pop-piano prompt.mid out.mid keeps the first 4 bars of a file and writes 4 new ones after
 * them, and prints each new bar when it is complete. */
#include <stdio.h>
#include <stdlib.h>

#include "continuo/bindings/c/continuo.h"

static int print_bar(void* user, size_t piece, size_t bars, const continuo_note* notes, size_t note_count) {
  (void)user;
  (void)piece;
  (void)notes;
  printf("bar %zu: %zu notes\n", bars, note_count);
  return 0; /* any other number stops */
}

static int fail(void) {
  fprintf(stderr, "%s\n", continuo_error());
  return 1;
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: generate_c MODEL PROMPT.mid OUT.mid\n");
    return 2;
  }
  static unsigned char prompt[1 << 20];
  FILE* in = fopen(argv[2], "rb");
  const size_t prompt_size = in ? fread(prompt, 1, sizeof prompt, in) : 0;
  if (in) {
    fclose(in);
  }
  continuo_model* model = continuo_load(argv[1], 0);
  if (!model) {
    return fail();
  }
  continuo_options* options = continuo_new_options(model);
  continuo_set_integer(options, "seed", 1);
  continuo_on_bar(options, print_bar, NULL);
  continuo_pieces* pieces = continuo_continue(model, prompt, prompt_size, 4, 4, options);
  continuo_free_options(options);
  int result = 1;
  if (!pieces) {
    fail();
  } else {
    size_t size = 0;
    const unsigned char* midi = continuo_midi(pieces, 0, &size);
    FILE* out = fopen(argv[3], "wb");
    const int written = out && fwrite(midi, 1, size, out) == size;
    const int closed = out && fclose(out) == 0;
    result = written && closed ? 0 : 1;
  }
  continuo_free_pieces(pieces);
  continuo_free_model(model);
  return result;
}
