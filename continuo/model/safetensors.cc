#include "continuo/model/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

namespace continuo {
namespace {

using Json = nlohmann::ordered_json;

static_assert(std::endian::native == std::endian::little, "tensors are used in place, and files are little-endian");

// The limit of the reference implementation (safetensors/src/tensor.rs, MAX_HEADER_SIZE).
constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr size_t kDataAlignment = 64;  // the reference implementation's is 8, which this is a multiple of

struct TypeName {
  TensorType type;
  std::string_view name;
  size_t size;
};
constexpr TypeName kTypes[] = {
    {TensorType::kF32, "F32", 4},   {TensorType::kF16, "F16", 2}, {TensorType::kBf16, "BF16", 2},
    {TensorType::kI8, "I8", 1},     {TensorType::kU8, "U8", 1},   {TensorType::kI32, "I32", 4},
    {TensorType::kI64, "I64", 8},   {TensorType::kF64, "F64", 8}, {TensorType::kI16, "I16", 2},
    {TensorType::kU16, "U16", 2},   {TensorType::kU32, "U32", 4}, {TensorType::kU64, "U64", 8},
    {TensorType::kBool, "BOOL", 1},
};

const TypeName& InfoOf(TensorType type) {
  return kTypes[static_cast<size_t>(type)];
}

/// A header's JSON; fails on what is not JSON, is nested deeper than a header can be, or has a key
/// twice.
Result<Json> ParseHeader(std::string_view text, std::string_view name) {
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  std::string twice;
  bool too_deep = false;
  const auto check = [&](int depth, Json::parse_event_t event, Json& value) {
    switch (event) {
      case Json::parse_event_t::object_start:
        keys.emplace_back();
        break;
      case Json::parse_event_t::object_end:
        keys.pop_back();
        break;
      case Json::parse_event_t::key:
        if (!keys.back().insert(value.get<std::string>()).second && twice.empty()) {
          twice = value.get<std::string>();
        }
        break;
      default:
        break;
    }
    too_deep = too_deep || depth > 4;
    return true;
  };
  Json header = Json::parse(text, check, /*allow_exceptions=*/false);
  if (header.is_discarded() || !header.is_object()) {
    return MakeError("{}: its header is not a JSON object", name);
  }
  if (!twice.empty()) {
    return MakeError("{}: its header names '{}' twice", name, twice);
  }
  if (too_deep) {
    return MakeError("{}: its header is nested deeper than the format allows", name);
  }
  return header;
}

std::optional<uint64_t> AsUnsigned(const Json& value) {
  if (!value.is_number_unsigned()) {
    return std::nullopt;
  }
  return value.get<uint64_t>();
}

Result<Tensor> ParseEntry(const std::string& key, const Json& entry, std::span<const uint8_t> data,
                          std::string_view name) {
  const auto fail = [&](std::string_view what) { return MakeError("{}: tensor '{}': {}", name, key, what); };
  if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") || !entry.contains("data_offsets")) {
    return fail("expected an object with dtype, shape and data_offsets");
  }
  Tensor tensor;
  tensor.name = key;
  const auto type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                 [&](const TypeName& known) { return entry["dtype"] == known.name; });
  if (type == std::end(kTypes)) {
    return fail(fmt::format("dtype is {}, expected F64, F32, F16, BF16, I8 to I64, U8 to U64 or BOOL",
                            entry["dtype"].is_string()
                                ? entry["dtype"].dump(-1, ' ', true, Json::error_handler_t::replace)
                                : entry["dtype"].type_name()));
  }
  tensor.type = type->type;

  if (!entry["shape"].is_array() || entry["shape"].size() > 8) {
    return fail("shape is not a list of at most 8 sizes");
  }
  uint64_t size = type->size;
  for (const Json& value : entry["shape"]) {
    const std::optional<uint64_t> extent = AsUnsigned(value);
    if (!extent || *extent > INT64_MAX) {
      return fail("shape holds something else than sizes");
    }
    if (__builtin_mul_overflow(size, *extent, &size)) {
      return fail("shape has more elements than can be counted");
    }
    tensor.shape.push_back(static_cast<int64_t>(*extent));
  }

  const Json& offsets = entry["data_offsets"];
  if (!offsets.is_array() || offsets.size() != 2 || !AsUnsigned(offsets[0]) || !AsUnsigned(offsets[1])) {
    return fail("data_offsets is not a list of two offsets");
  }
  const uint64_t begin = *AsUnsigned(offsets[0]);
  const uint64_t end = *AsUnsigned(offsets[1]);
  if (begin > end || end > data.size()) {
    return fail(fmt::format("data_offsets are [{}, {}], but the file has {} bytes of data", begin, end, data.size()));
  }
  if (end - begin != size) {
    return fail(fmt::format("data_offsets span {} bytes, but {} takes {}", end - begin, tensor.Describe(), size));
  }
  tensor.bytes = data.subspan(begin, size);
  return tensor;
}

}  // namespace

size_t ElementSize(TensorType type) {
  return InfoOf(type).size;
}

std::string_view ToString(TensorType type) {
  return InfoOf(type).name;
}

int64_t Tensor::element_count() const {
  return static_cast<int64_t>(bytes.size() / ElementSize(type));
}

std::string Tensor::Describe() const {
  return fmt::format("{} [{}]", ToString(type), fmt::join(shape, ", "));
}

std::vector<uint8_t> SerializeSafetensors(std::span<const Tensor> tensors,
                                          const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) {
    header["__metadata__"] = metadata;
  }
  uint64_t offset = 0;
  for (const Tensor& tensor : tensors) {
    CONTINUO_CHECK(!header.contains(tensor.name));
    uint64_t size = ElementSize(tensor.type);
    for (const int64_t extent : tensor.shape) {
      size *= static_cast<uint64_t>(extent);
    }
    CONTINUO_CHECK(size == tensor.bytes.size());
    header[tensor.name] = {
        {"dtype", ToString(tensor.type)}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + size}}};
    offset += size;
  }
  std::string text = header.dump();
  // Data begins on a cache line, so that tensors of whole cache lines can be used where they are
  // mapped.
  text.append((kDataAlignment - (8 + text.size()) % kDataAlignment) % kDataAlignment, ' ');
  std::vector<uint8_t> bytes(8 + text.size() + offset);
  const uint64_t length = text.size();
  std::memcpy(bytes.data(), &length, 8);
  std::memcpy(bytes.data() + 8, text.data(), text.size());
  uint8_t* out = bytes.data() + 8 + text.size();
  for (const Tensor& tensor : tensors) {
    out = std::copy(tensor.bytes.begin(), tensor.bytes.end(), out);
  }
  return bytes;
}

Result<Safetensors> ParseSafetensors(std::span<const uint8_t> bytes, std::string_view name) {
  uint64_t length = 0;
  if (bytes.size() < sizeof(length)) {
    return MakeError("{}: has {} bytes, too few for a safetensors file", name, bytes.size());
  }
  std::memcpy(&length, bytes.data(), sizeof(length));
  if (length > kMaxHeaderBytes || length > bytes.size() - sizeof(length)) {
    return MakeError("{}: says that its header has {} bytes, but the file has {} (it may be truncated)", name, length,
                     bytes.size());
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + sizeof(length), length);
  const std::span<const uint8_t> data = bytes.subspan(sizeof(length) + length);
  CONTINUO_ASSIGN(const Json header, ParseHeader(text, name));

  Safetensors file;
  std::vector<Tensor>& tensors = file.tensors;
  for (const auto& [key, entry] : header.items()) {
    if (key == "__metadata__") {
      for (const auto& [field, value] : entry.items()) {
        if (!value.is_string()) {
          return MakeError("{}: __metadata__ holds something else than text", name);
        }
        file.metadata[field] = value.get<std::string>();
      }
      continue;
    }
    CONTINUO_ASSIGN(Tensor tensor, ParseEntry(key, entry, data, name));
    tensors.push_back(std::move(tensor));
  }
  // Each byte of data belongs to one tensor.
  std::stable_sort(tensors.begin(), tensors.end(), [](const Tensor& a, const Tensor& b) {
    return a.bytes.data() != b.bytes.data() ? a.bytes.data() < b.bytes.data() : a.bytes.size() < b.bytes.size();
  });
  const uint8_t* expected = data.data();
  for (const Tensor& tensor : tensors) {
    if (tensor.bytes.data() != expected) {
      return MakeError("{}: tensor '{}' begins at byte {} of the data, expected {}: tensors overlap or leave a hole",
                       name, tensor.name, tensor.bytes.data() - data.data(), expected - data.data());
    }
    expected += tensor.bytes.size();
  }
  if (expected != data.data() + data.size()) {
    return MakeError("{}: its tensors take {} bytes, but the file has {} bytes of data", name, expected - data.data(),
                     data.size());
  }
  return file;
}

}  // namespace continuo
