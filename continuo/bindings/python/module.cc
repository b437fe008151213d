#include "continuo/bindings/python/binding.h"

#include <exception>

namespace continuo::python {
namespace {

void RaiseError(const std::exception_ptr& thrown, void* /*payload*/) {
  try {
    std::rethrow_exception(thrown);
  } catch (const ErrorException& exception) {
    const nb::object error = nb::module_::import_("continuo._errors")
                                 .attr("make_error")(Name(exception.error.code), ToPython(exception.error.message),
                                                     ToPython(exception.error.hint));
    PyErr_SetObject(error.type().ptr(), error.ptr());
  }
}

}  // namespace
}  // namespace continuo::python

NB_MODULE(_core, module) {
  namespace python = continuo::python;
  module.doc() = "The compiled half of continuo. Private: use the package.";
  nanobind::register_exception_translator(python::RaiseError);
  nanobind::class_<python::StopFlag>(module, "StopFlag")
      .def(nanobind::init<>())
      .def("set", &python::StopFlag::Set)
      .def("is_set", &python::StopFlag::is_set);
  module.attr("version") = CONTINUO_VERSION;
  python::BindScore(module);
  python::BindTokenizer(module);
  python::BindComposer(module);
  python::BindMetrics(module);
  python::BindCorpus(module);
}
