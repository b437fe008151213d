/* The same in C: generate_c models/pop-piano prompt.mid out.mid goes on from the first 4 bars of a file, to 8 bars. */
#include <stdio.h>
#include <stdlib.h>

#include "continuo/bindings/c/continuo.h"

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
  const size_t size = in ? fread(prompt, 1, sizeof prompt, in) : 0;
  if (in) {
    fclose(in);
  }
  continuo_model* model = continuo_load(argv[1], 0);
  if (!model) {
    return fail();
  }
  continuo_options options;
  continuo_default_options(model, &options);
  options.bars = 8;
  continuo_midi midi;
  if (continuo_continue(model, prompt, size, 4, &options, &midi) != 0) {
    continuo_free(model);
    return fail();
  }
  FILE* out = fopen(argv[3], "wb");
  const int written = out && fwrite(midi.data, 1, midi.size, out) == midi.size;
  const int closed = out && fclose(out) == 0;
  continuo_free_midi(&midi);
  continuo_free(model);
  return written && closed ? 0 : 1;
}
