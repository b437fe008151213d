# cmake -DFILE= -DHEADER= -DFUNCTION= -DOUTPUT= -P embed.cmake: see ContinuoEmbed.cmake.
file(READ ${FILE} bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
# A line for each 64 bytes: editors and compilers choke on one of a megabyte.
string(REPEAT "." 320 line)
string(REGEX REPLACE "(${line})" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "#include \"${HEADER}\"

namespace continuo {
namespace {
constexpr unsigned char kBytes[] = {
${bytes}
};
}  // namespace

std::string_view ${FUNCTION}() { return {reinterpret_cast<const char*>(kBytes), sizeof(kBytes)}; }

}  // namespace continuo
")
