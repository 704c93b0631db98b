# What `cpack` in the build folder makes: a Debian package of libraries, headers, CMake and pkg-config files.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME libtapegrad-dev)
set(CPACK_PACKAGE_VENDOR tapegrad)
set(CPACK_PACKAGE_CONTACT "tapegrad developers <tapegrad@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGE_DESCRIPTION "Tensors, a tape that records what is computed with them, and one backward sweep
 for the exact derivatives; neurons, layers and networks, and optimisers for them. C++20.")
set(CPACK_RESOURCE_FILE_README ${PROJECT_SOURCE_DIR}/README.md)
set(CPACK_PACKAGE_CHECKSUM SHA256)
set(CPACK_STRIP_FILES ON)
# As cmake --install does it for the prefix /usr of a distribution.
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
# The headers of these are not needed, but their libraries and pkg-config files are.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libfmt-dev, libopenblas-dev, zlib1g-dev, g++ (>= 4:12) | clang (>= 1:14)")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "cmake (>= 3.25), pkg-config")
include(CPack)
