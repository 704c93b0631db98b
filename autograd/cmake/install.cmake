# What makes find_package(tapegrad) and pkg-config find the installed libraries.
include(CMakePackageConfigHelpers)

get_target_property(library_type tapegrad_autograd TYPE)
set(pc_requires "fmt zlib ${TAPEGRAD_CBLAS}")
if(library_type STREQUAL "STATIC_LIBRARY")
  set(TAPEGRAD_STATIC ON)
  set(pc_dependencies "Requires: ${pc_requires}\nLibs.private: -pthread")
else()
  set(TAPEGRAD_STATIC OFF)
  set(pc_dependencies "Requires.private: ${pc_requires}")
endif()

# The .pc file finds the prefix from its own place, so that cmake --install --prefix may choose another.
file(RELATIVE_PATH pc_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
string(REGEX REPLACE "/$" "" pc_prefix ${pc_prefix})
configure_file(${CMAKE_CURRENT_LIST_DIR}/tapegrad.pc.in ${PROJECT_BINARY_DIR}/tapegrad.pc @ONLY)

set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tapegrad)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/tapegrad-config.cmake.in
  ${PROJECT_BINARY_DIR}/tapegrad-config.cmake INSTALL_DESTINATION ${config_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/tapegrad-config-version.cmake
  COMPATIBILITY SameMinorVersion)

install(EXPORT tapegrad-targets NAMESPACE tapegrad:: DESTINATION ${config_dir})
install(FILES ${PROJECT_BINARY_DIR}/tapegrad-config.cmake ${PROJECT_BINARY_DIR}/tapegrad-config-version.cmake
  DESTINATION ${config_dir})
install(FILES ${PROJECT_BINARY_DIR}/tapegrad.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
