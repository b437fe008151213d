# continuo_embed(TARGET FILE HEADER FUNCTION): adds to TARGET a source that defines std::string_view
# continuo::FUNCTION(), the bytes of FILE; HEADER declares it. The source is made anew when FILE
# changes.
function(continuo_embed target file header function)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${function}.cc)
  add_custom_command(
    OUTPUT ${source}
    COMMAND ${CMAKE_COMMAND} -DFILE=${file} -DHEADER=${header} -DFUNCTION=${function} -DOUTPUT=${source}
            -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${file} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    VERBATIM)
  target_sources(${target} PRIVATE ${source})
endfunction()
