#pragma once

// How an op gets onto the tape. Internal, not installed.

#include <cstring>
#include <span>

#include "autograd/arg.h"
#include "autograd/body.h"
#include "autograd/debug.h"
#include "autograd/op.h"
#include "autograd/options.h"
#include "autograd/tape_impl.h"

namespace tapegrad::detail {

// The place of an operand on the tape; constants, numbers and parameters not seen yet get one now.
[[gnu::always_inline]] inline uint32_t place(TapeImpl& tape, const Arg& arg, bool& tracked) {
  const uint32_t next = tape.next_value();
  switch (arg.kind()) {
    case Arg::Kind::tensor:
      if (arg.body()->tape == tape.serial) {
        tracked = arg.body()->tracked;
        return arg.body()->value;
      }
      tape.add(ValueKind::constant, false).body = retain(arg.body());
      return next;
    case Arg::Kind::cell:
      if (arg.cell()->trainable) {
        tracked = true;
        return tape.leaf(arg.cell());
      }
      tape.add(ValueKind::constant, false).body = retain(arg.cell()->value.handle());
      return next;
    case Arg::Kind::real:
    case Arg::Kind::live: tape.add(ValueKind::real_literal, false).real = arg.real(); return next;
    default: tape.add(ValueKind::integer_literal, false).integer = arg.integer(); return next;
  }
}

// Whether a call that has a tracked operand goes on the tape. Of ops without a derivative those that give
// floats do, so that a sweep that arrives there says so instead of ending; a cell that is written ends it.
inline bool is_recorded(const Op& op, const Body& output) {
  return op.flags.non_differentiable == nullptr || (is_floating(output.dtype) && !op.flags.writes_state);
}

void* copy_options(TapeImpl& tape, OptionsRef options);

// Appends one record. `outputs` are fresh and still unknown to every tape; the tape comes to hold them too.
// On a debug tape it throws a NumericError instead, and nothing has changed.
[[gnu::always_inline]] inline void record(TapeImpl& tape, const Op& op, OptionsRef options,
                                          const SourceLine& where, std::span<const Arg> args,
                                          std::span<Body* const> outputs) {
  if (tape.debug) [[unlikely]]
    check_outputs(tape, op, options, where, args, outputs);
  auto* inputs =
      static_cast<uint32_t*>(tape.arena.allocate(args.size() * sizeof(uint32_t), alignof(uint32_t)));
  const void* held_options = options.type != nullptr ? copy_options(tape, options) : nullptr;
  uint32_t mask = 0;
  for (size_t i = 0; i < args.size(); ++i) {
    bool tracked = false;
    inputs[i] = place(tape, args[i], tracked);
    if (tracked) mask |= uint32_t{1} << (i < 31 ? i : 31);
  }
  const uint32_t first = tape.next_value();
  for (Body* body : outputs) {
    const bool tracked = is_floating(body->dtype);
    put_on_tape(*body, tape.serial, tape.next_value(), tracked);
    tape.add(ValueKind::produced, tracked).body = body;
    ++body->references;  // not shared with another thread yet
  }
  Record& record = tape.records.push();
  record.op = &op;
  record.options = held_options;
  record.inputs = inputs;
  record.where.file = where.file;
  record.where.line = where.line;
  record.first_output = first;
  record.input_count = static_cast<uint16_t>(args.size());
  record.output_count = static_cast<uint16_t>(outputs.size());
  record.tracked = mask;
}

}  // namespace tapegrad::detail
