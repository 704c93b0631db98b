# The filter of the Doxyfile: makes the plain comments of a header those that Doxygen reads. Of a header that
# is not installed nothing is left.
/Internal.* not installed/ { exit }
{
  indent = substr($0, 1, match($0 "x", /[^ ]/) - 1)
  code = $0 ~ /^ *\/\/   /
  # An example within a comment becomes a paragraph of code.
  if (code && !was_code) print indent "///"
  if (!code && was_code && $0 ~ /^ *\/\//) print indent "///"
  was_code = code
  if (code) sub(/\/\/   /, "///     ")
  else if ($0 ~ /^ *\/\/( |$)/) sub(/\/\//, "///")
  else sub(/[;,] +\/\/ /, "& < ")
  sub(/\/\/  < /, "///< ")
  print
}
