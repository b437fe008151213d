#include <nanobind/stl/string.h>

#include "continuo/bindings/python/binding.h"
#include "continuo/corpus/corpus.h"

namespace continuo::python {
namespace {

struct SharedCorpus {
  std::shared_ptr<const Corpus> corpus;
};

/// name, whether it is for validation, ids (uint16), bar offsets (uint32); the arrays lie in the
/// mapped files.
nb::tuple SongAt(const SharedCorpus& shared, size_t index) {
  if (index >= shared.corpus->song_count()) {
    throw nb::index_error("song index out of range");
  }
  const Corpus::Song song = shared.corpus->song(index);
  return nb::make_tuple(ToPython(song.name), song.split == Split::kValid, ToView(song.ids, shared.corpus),
                        ToView(song.bar_offsets, shared.corpus));
}

SharedCorpus Open(const nb::bytes& directory) {
  const std::filesystem::path path = ToPath(directory);
  return LongWork().Run([&]() -> Result<SharedCorpus> {
    CONTINUO_ASSIGN(Corpus corpus, Corpus::Open(path));
    return SharedCorpus{std::make_shared<const Corpus>(std::move(corpus))};
  });
}

nb::dict Build(const nb::bytes& folder, const Tokenizer& tokenizer, const nb::bytes& output, double valid_fraction,
               size_t threads, nb::object progress) {
  const std::filesystem::path from = ToPath(folder);
  const std::filesystem::path to = ToPath(output);
  LongWork work(std::move(progress));
  const CorpusBuildReport report = work.Run([&] {
    return BuildCorpus(from, tokenizer, to, {.valid_fraction = valid_fraction, .threads = threads}, work, work.stop());
  });
  nb::list failures;
  for (const CorpusBuildReport::Failure& failure : report.failures) {
    failures.append(nb::make_tuple(ToPython(failure.file), ToPython(failure.reason)));
  }
  nb::dict result;
  result["files"] = report.files;
  result["songs"] = report.songs;
  result["duplicates"] = report.duplicates;
  result["train_tokens"] = report.tokens[0];
  result["valid_tokens"] = report.tokens[1];
  result["failures"] = failures;
  return result;
}

}  // namespace

void BindCorpus(nb::module_& module) {
  nb::class_<SharedCorpus>(module, "Corpus")
      .def_static("open", &Open, nb::arg("directory"))
      .def_prop_ro("tokenizer_json", [](const SharedCorpus& shared) { return shared.corpus->tokenizer().ToJson(); })
      .def_prop_ro("song_count", [](const SharedCorpus& shared) { return shared.corpus->song_count(); })
      .def("song", &SongAt, nb::arg("index"));
  module.def("build_corpus", &Build, nb::arg("folder"), nb::arg("tokenizer"), nb::arg("output"),
             nb::arg("valid_fraction"), nb::arg("threads"), nb::arg("progress").none());
}

}  // namespace continuo::python
