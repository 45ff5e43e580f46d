# Runs the node example twice on one directory: the second run stores three more
# readings, and its consumer gets those three only.
string(RANDOM LENGTH 8 name)
set(dir /tmp/marram-example-${name})
foreach(run 1 2)
  execute_process(COMMAND ${PROGRAM} ${dir} OUTPUT_VARIABLE out RESULT_VARIABLE result)
  string(REGEX MATCHALL "billing got [0-9.]+ on plant/1/temp, attempt 1" got "${out}")
  list(LENGTH got count)
  if(NOT result EQUAL 0 OR NOT count EQUAL 3)
    file(REMOVE_RECURSE ${dir})
    message(FATAL_ERROR "run ${run}: exit ${result}, ${count} events\n${out}")
  endif()
endforeach()
file(REMOVE_RECURSE ${dir})
