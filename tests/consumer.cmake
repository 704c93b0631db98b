# Unpacks what cpack makes of the build in BUILD; with that configures, builds and runs the project in SOURCE.
# Where there is no dpkg-deb, installs the build instead.
file(REMOVE_RECURSE ${WORK})
find_program(DPKG_DEB dpkg-deb)
if(DPKG_DEB)
  execute_process(COMMAND ${CMAKE_CPACK_COMMAND} --config ${BUILD}/CPackConfig.cmake -C ${CONFIG} -B ${WORK}/package
    OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  file(GLOB package ${WORK}/package/libtapegrad-dev_*.deb)
  execute_process(COMMAND ${DPKG_DEB} -x ${package} ${WORK}/root COMMAND_ERROR_IS_FATAL ANY)
  set(prefix ${WORK}/root/usr)
else()
  set(prefix ${WORK}/prefix)
  execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix} --config ${CONFIG}
    OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
endif()
execute_process(COMMAND ${CMAKE_COMMAND} -S ${SOURCE} -B ${WORK}/build -G ${GENERATOR}
  -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_BUILD_TYPE=${CONFIG} -DCMAKE_CXX_COMPILER=${CXX}
  -DCMAKE_CXX_FLAGS=${CXX_FLAGS}
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${WORK}/build --config ${CONFIG} COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_CTEST_COMMAND} --test-dir ${WORK}/build -C ${CONFIG}
  --output-on-failure --no-tests=error
  COMMAND_ERROR_IS_FATAL ANY)
